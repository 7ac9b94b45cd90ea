/*
 * Options of stores act, and those that make no sense say so.
 *
 *     options URI PEER TLS_ENDPOINT CA_FILE GREETED
 *
 * URI is an empty bucket, whose server the environment names, with keys that open it; PEER one that takes
 * anything and is looked at afterwards. TLS_ENDPOINT has the same bucket, with a certificate by CA_FILE.
 * GREETED is an endpoint with TLS that takes greetings and never answers. The files of profiles have
 * `stranger`, whose keys open nothing, and the system trusts nobody.
 */
#include "check.h"

#include <time.h>

/* Options in pairs of key and value, up to a NULL. */
static hyd_options *options_of(const char *const *pairs) {
    hyd_options *options = hyd_options_new();
    CHECK(options != NULL);
    for (; pairs[0] != NULL; pairs += 2) {
        CHECK_STATUS(HYD_OK, hyd_options_set(options, pairs[0], pairs[1], &error));
    }
    return options;
}

static hyd_store *open_with(const hyd_engine *engine, const char *uri, const char *const *pairs) {
    hyd_options *options = options_of(pairs);
    hyd_store *store = NULL;
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, options, &store, &error));
    CHECK(hyd_options_free(options) == HYD_OK);
    return store;
}

/* The message has `says`, if that is not NULL, and nowhere `never`. */
static void check_said(hyd_error *error, const char *says, const char *never) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    CHECK(hyd_error_info(error, &view) == HYD_OK);
    if (strstr(view.message, says) == NULL || strstr(view.message, never) != NULL) {
        fprintf(stderr, "%s: with %s, without %s\n", view.message, says, never);
        exit(EXIT_FAILURE);
    }
    hyd_error_free(error);
}

static void values_that_cannot_be(void) {
    static const char *const bad[][2] = {
        {"checksum_algorithm", "hush"}, {"tls_min_version", "hush"},  {"idle_seconds", "hush"},
        {"endpoint", "hush"},           {"checksum_place", "hush"},   {"expect_continue_bytes", "hush"},
        {"anonymous", "hush"},          {"endpoint_choice", "hush"},  {"address_style", "hush"},
        {"redirects", "hush"},          {"part_size", "hush"},        {"request_checksum_calculation", "hush"},
        {"region", "hush hush"},        {"connections", "1025hush"},  {"server_copy_part_size", "hush"},
        {"endpoint", "http://hush:port"}, {"endpoint", "http://a,https://hush"}, {"ca_pem", "hush"},
        {"client_certificate_pem", "hush"}, {"client_key_pem", "hush"}};
    hyd_options *options = hyd_options_new();
    hyd_error *error = NULL;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(hyd_options_set(options, bad[i][0], bad[i][1], &error) == HYD_E_INVALID);
        check_said(error, bad[i][0], "hush");
        error = NULL;
    }
    CHECK(hyd_options_set(options, "no_such_option", "hush", &error) == HYD_E_INVALID);
    check_said(error, "client_key_file", "hush");
    CHECK(hyd_options_free(options) == HYD_OK);
}

static void files_that_cannot_be_read(const hyd_engine *engine, const char *uri) {
    static const char *const missing[] = {"ca_file", "/no/such/file", NULL};
    static const char *const empty[] = {"ca_file", "/dev/null", NULL};
    static const char *const half[] = {"client_certificate_file", "/dev/null", NULL};
    static const char *const no_key[] = {"client_certificate_file", "/dev/null", "client_key_file",
                                         "-----BEGIN PRIVATE KEY----- hush", NULL};
    struct { const char *const *pairs, *says; } all[] = {
        {missing, "ca_file"}, {empty, "certificate"}, {half, "client_key_file"},
        {no_key, "client_key_file"}};
    const char *uris[2];
    size_t i, j;

    uris[0] = uri;
    uris[1] = "http://127.0.0.1:1";
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        hyd_options *options = options_of(all[i].pairs);
        hyd_store *store = NULL;
        for (j = 0; j < 2; j++) {
            hyd_error *error = NULL;
            CHECK(hyd_store_open(engine, uris[j], options, &store, &error) == HYD_E_CONFIG);
            /* Whoever gives the key instead of its path does not read it again. */
            check_said(error, all[i].says, "hush");
        }
        /* What a store cannot use has no effect on it. */
        CHECK_STATUS(HYD_OK, hyd_store_open(engine, "mem://options", options, &store, &error));
        CHECK(hyd_store_close(store) == HYD_OK);
        CHECK(hyd_options_free(options) == HYD_OK);
    }
}

/* Of options that contradict each other one would have no effect. */
static void contradictions(const hyd_engine *engine, const char *uri, const char *peer) {
    static const char *const nobody[] = {"anonymous", "true", "access_key_id", "id", "secret_access_key",
                                         "hush", NULL};
    static const char *const off[] = {"request_checksum_calculation", "off", "checksum_algorithm",
                                      "crc32", NULL};
    static const char *const wait[] = {"retry_wait_ms", "100", "retry_wait_max_ms", "99", NULL};
    static const char *const two[] = {"endpoint", "http://127.0.0.1:1", NULL};
    struct { const char *const *pairs, *says; } all[] = {
        {nobody, "anonymous"}, {off, "request_checksum_calculation"}, {wait, "retry_wait_max_ms"},
        {two, "the URI"}};
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++) {
        hyd_options *options = options_of(all[i].pairs);
        hyd_store *store = NULL;
        hyd_error *error = NULL;
        /* The peer's URI names its server. */
        const char *opened = all[i].pairs == two ? peer : uri;
        CHECK(hyd_store_open(engine, opened, options, &store, &error) == HYD_E_CONFIG);
        check_said(error, all[i].says, "hush");
        CHECK(hyd_options_free(options) == HYD_OK);
    }
}

/* A server that is asked in the open needs nobody's certificates; one with TLS does. */
static void roots_of_the_system(const hyd_engine *engine, const char *uri, const char *endpoint) {
    static const char *const plain[] = {"tls_min_version", "1.3", "tls_handshake_seconds", "5", NULL};
    const char *secure[] = {"endpoint", NULL, "tls_min_version", "1.3", NULL};
    hyd_store *store = open_with(engine, uri, plain);
    hyd_options *options;
    hyd_error *error = NULL;

    put(store, "in-the-open", "hello", 5);
    CHECK(hyd_store_close(store) == HYD_OK);
    secure[1] = endpoint;
    options = options_of(secure);
    CHECK(hyd_store_open(engine, uri, options, &store, &error) == HYD_E_CONFIG);
    check_said(error, "certificates", "hush");
    CHECK(hyd_options_free(options) == HYD_OK);
}

/* The program that ran this looks at what was offered: everything, and then TLS 1.3 alone. */
static void greets(const hyd_engine *engine, const char *uri, const char *greeted, const char *ca) {
    const char *pairs[] = {"endpoint", NULL, "tries", "1", "tls_handshake_seconds", "1", "ca_file", NULL,
                           NULL, "1.3", NULL};
    time_t began = time(NULL);
    int i;

    pairs[1] = greeted;
    pairs[7] = ca;
    for (i = 0; i < 2; i++) {
        hyd_object_meta meta = HYD_OBJECT_META_INIT;
        hyd_store *store = open_with(engine, uri, pairs);
        CHECK_STATUS(HYD_E_TEMPORARY, hyd_stat(store, "key", 3, NULL, &meta, NULL, &error));
        CHECK(hyd_store_close(store) == HYD_OK);
        pairs[8] = "tls_min_version";
    }
    /* By default each would have taken ten seconds. */
    CHECK(time(NULL) - began < 9);
}

/* The same as by a file. */
static void trusts_a_text(const hyd_engine *engine, const char *uri, const char *endpoint, const char *ca) {
    static char pem[65536];
    const char *pairs[] = {"endpoint", NULL, "ca_pem", pem, NULL};
    FILE *file = fopen(ca, "r");
    hyd_store *store;

    CHECK(file != NULL && fread(pem, 1, sizeof pem - 1, file) > 0 && fclose(file) == 0);
    pairs[1] = endpoint;
    store = open_with(engine, uri, pairs);
    check_object(store, "over-tls", (const unsigned char *)"hello", 5);
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* Who is trusted is said by an option, of S3 and of URLs. */
static void trusts(const hyd_engine *engine, const char *uri, const char *endpoint, const char *ca) {
    const char *pairs[] = {"endpoint", NULL, "tls_min_version", "1.3", "tries", "1", "ca_file", NULL,
                           NULL};
    const char *trusted[] = {"tls_min_version", "1.3", "ca_file", NULL, NULL};
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_error *error = NULL;
    hyd_store *store;

    pairs[1] = endpoint;
    pairs[7] = ca;
    store = open_with(engine, uri, pairs);
    put(store, "over-tls", "hello", 5);
    CHECK(hyd_store_close(store) == HYD_OK);
    /* Nobody signs for a URL, and whoever may not read it has shaken hands. */
    trusted[3] = ca;
    store = open_with(engine, endpoint, trusted);
    CHECK(hyd_stat(store, TEXT("c-programs/over-tls"), NULL, &meta, NULL, &error) == HYD_E_CONFIG);
    CHECK(hyd_error_info(error, &view) == HYD_OK && view.http_status == 403);
    hyd_error_free(error);
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* So many tries are made where nobody listens. */
static void tries(const hyd_engine *engine, const char *uri) {
    static const char *const pairs[] = {"endpoint", "http://127.0.0.1:1", "tries", "3", "retry_wait_ms",
                                        "1", "connect_seconds", "5", NULL};
    const char *uris[2];
    size_t i;

    uris[0] = uri;
    uris[1] = "http://127.0.0.1:1";
    for (i = 0; i < 2; i++) {
        hyd_store *store = open_with(engine, uris[i], pairs);
        hyd_object_meta meta = HYD_OBJECT_META_INIT;
        hyd_error_view view = HYD_ERROR_VIEW_INIT;
        hyd_error *error = NULL;
        CHECK(hyd_stat(store, "key", 3, NULL, &meta, NULL, &error) == HYD_E_TEMPORARY);
        CHECK(hyd_error_info(error, &view) == HYD_OK);
        CHECK(view.attempts == 3);
        hyd_error_free(error);
        CHECK(hyd_store_close(store) == HYD_OK);
    }
}

/* Of two servers one is there, and serves every request. */
static void several_servers(const hyd_engine *engine, const char *uri) {
    char servers[256];
    const char *pairs[] = {"endpoint", servers, "endpoint_choice", "round_robin", "retry_wait_ms", "1",
                           "connections_per_core", "2", "idle_seconds", "1", NULL};
    hyd_store *store;
    size_t i;

    snprintf(servers, sizeof servers, "http://127.0.0.1:1,%s", getenv("AWS_ENDPOINT_URL"));
    store = open_with(engine, uri, pairs);
    for (i = 0; i < 4; i++) {
        put(store, "several", "hello", 5);
    }
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* A profile that is asked for comes before the keys of the environment. */
static void profiles(const hyd_engine *engine, const char *uri) {
    static const char *const stranger[] = {"profile", "stranger", NULL};
    static const char *const nobody[] = {"profile", "nobody", NULL};
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_store *store = open_with(engine, uri, stranger);
    hyd_error *error = NULL;

    CHECK_STATUS(HYD_E_CONFIG, hyd_stat(store, TEXT("several"), NULL, &meta, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    store = open_with(engine, uri, nobody);
    CHECK(hyd_stat(store, TEXT("several"), NULL, &meta, NULL, &error) == HYD_E_CONFIG);
    check_said(error, "nobody", "stranger");
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* What goes with the bytes: the program that ran this looks at what the peer has seen. */
static void checksums(const hyd_engine *engine, const char *uri, const char *peer) {
    static const char *const kinds[][5] = {
        {"checksum_algorithm", "crc64nvme", NULL},
        {"checksum_algorithm", "crc32c", NULL},
        {"checksum_algorithm", "sha256", NULL},
        {"checksum_algorithm", "md5", NULL},
        {"request_checksum_calculation", "off", NULL},
        {"checksum_place", "trailer", NULL},
        {"checksum_place", "signed_trailer", "checksum_algorithm", "crc32", NULL}};
    /* Of "hello", as its writer is told. */
    static const struct { uint32_t algorithm; const char *value; } told[] = {
        {HYD_CHECKSUM_CRC64NVME, "M3eFcAZSQlc="},
        {HYD_CHECKSUM_CRC32C, "mnG7TA=="},
        {HYD_CHECKSUM_SHA256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="},
        {0, ""},
        {0, ""},
        {HYD_CHECKSUM_CRC64NVME, "M3eFcAZSQlc="},
        {HYD_CHECKSUM_CRC32, "NhCmhg=="}};
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        hyd_store *store = open_with(engine, peer, kinds[i]);
        char key[2] = "0";
        key[0] = (char)('0' + i);
        put(store, key, "hello", 5);
        CHECK(hyd_store_close(store) == HYD_OK);
        /* A server that compares them takes each, and gives back what was put. */
        store = open_with(engine, uri, kinds[i]);
        CHECK_STATUS(HYD_OK, hyd_put(store, key, 1, "hello", 5, NULL, &meta, &error));
        CHECK(meta.checksum_algorithm == told[i].algorithm);
        CHECK(strcmp(meta.checksum, told[i].value) == 0);
        check_object(store, key, (const unsigned char *)"hello", 5);
        CHECK(hyd_store_close(store) == HYD_OK);
    }
}

int main(int argc, char **argv) {
    hyd_engine *engine = small_engine(0);

    CHECK(argc == 6);
    values_that_cannot_be();
    files_that_cannot_be_read(engine, argv[1]);
    contradictions(engine, argv[1], argv[2]);
    roots_of_the_system(engine, argv[1], argv[3]);
    trusts(engine, argv[1], argv[3], argv[4]);
    trusts_a_text(engine, argv[1], argv[3], argv[4]);
    greets(engine, argv[1], argv[5], argv[4]);
    tries(engine, argv[1]);
    several_servers(engine, argv[1]);
    profiles(engine, argv[1]);
    checksums(engine, argv[1], argv[2]);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("options act");
    return EXIT_SUCCESS;
}

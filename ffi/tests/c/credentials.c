/*
 * Credentials that the program provides, and presigned URLs.
 *
 *     credentials URI ACCESS_KEY_ID SECRET_ACCESS_KEY     the bucket, and keys that open it
 *
 * Prints a URL to store `presigned`, one to read it, one to ask of it and one to delete it; then the same
 * of `request`, as method, URL and headers with tabs between them: to store it, and to read some of it.
 */
#include "check.h"

struct vault {
    const char *id, *secret;
    hyd_status status;
    int asked, released;
};

static hyd_status provide(void *user, hyd_credentials *credentials) {
    struct vault *vault = user;
    CHECK(credentials->struct_size >= sizeof *credentials);
    CHECK(credentials->access_key_id == NULL && credentials->expires_unix_s == 0);
    vault->asked++;
    credentials->access_key_id = vault->id;
    credentials->secret_access_key = vault->secret;
    return vault->status;
}

static void release(void *user) {
    ((struct vault *)user)->released++;
}

static hyd_store *open_with(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_options *options = hyd_options_new();
    hyd_store *store = NULL;
    CHECK(options != NULL);
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, vault, release, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, options, &store, &error));
    CHECK(hyd_options_free(options) == HYD_OK);
    return store;
}

static void provided(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_store *store = open_with(engine, uri, vault);
    CHECK(vault->asked == 0 && vault->released == 0);
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, delete_one(store, "key", &error));
    CHECK(vault->asked == 1);
    CHECK(hyd_store_close(store) == HYD_OK);
}

static void not_provided(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_store *store = NULL;
    vault->status = HYD_E_CONFIG;
    store = open_with(engine, uri, vault);
    CHECK_STATUS(HYD_E_CONFIG, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    vault->status = HYD_OK;
    vault->id = NULL;
    store = open_with(engine, uri, vault);
    CHECK_STATUS(HYD_E_CONFIG, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
}

static void replaced(void) {
    struct vault vault = {"id", "secret", HYD_OK, 0, 0};
    hyd_options *options = hyd_options_new();
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set_credentials(options, NULL, &vault, release, &error));
    CHECK(vault.released == 0);
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, &vault, release, &error));
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, &vault, NULL, &error));
    CHECK(vault.released == 1);
    CHECK(hyd_options_free(options) == HYD_OK);
    CHECK(vault.released == 1 && vault.asked == 0);
    CHECK_STATUS(HYD_E_HANDLE, hyd_options_set_credentials(options, provide, &vault, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set_credentials(NULL, provide, &vault, NULL, &error));
}

static void presigned(const hyd_engine *engine, const char *uri, struct vault *vault) {
    static const uint32_t methods[] = {HYD_PRESIGN_PUT, HYD_PRESIGN_GET, HYD_PRESIGN_HEAD,
                                       HYD_PRESIGN_DELETE};
    hyd_store *store = open_with(engine, uri, vault), *memory = NULL;
    char url[2048];
    size_t need = 0, all = 0, i;

    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
        CHECK_STATUS(HYD_OK, hyd_presign(store, methods[i], TEXT("presigned"), 60, url, sizeof url,
                                         &need, &error));
        CHECK(need == strlen(url) && strstr(url, "X-Amz-Signature=") != NULL);
        puts(url);
    }
    CHECK_STATUS(HYD_OK, hyd_presign(store, 1, TEXT("presigned"), 60, NULL, 0, &all, &error));
    CHECK(all > 100);
    CHECK_STATUS(HYD_E_AGAIN, hyd_presign(store, 1, TEXT("presigned"), 60, url, all, &need, &error));
    CHECK(need == all);
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 0, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 1, TEXT("k"), 0, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID,
                 hyd_presign(store, 1, TEXT("k"), 604801, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 1, TEXT("k"), 60, url, sizeof url, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(NULL, 1, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, "mem://presign", NULL, &memory, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED,
                 hyd_presign(memory, 1, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK(hyd_store_close(memory) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* One line of what has to be sent. */
static void print_request(const hyd_presigned *request) {
    hyd_presigned_view view = HYD_PRESIGNED_VIEW_INIT;
    size_t i;
    CHECK(hyd_presigned_info(request, &view) == HYD_OK);
    CHECK(view.url_len == strlen(view.url));
    printf("%s\t%s", view.method, view.url);
    for (i = 0; i < view.headers_count; i++) {
        printf("\t%s: %s", view.headers[i].name, view.headers[i].value);
    }
    puts("");
}

/* The URL for these options has these words. */
static void check_url(const hyd_store *store, uint32_t method, const hyd_presign_options *options,
                      const char *words, const char *more) {
    hyd_presigned_view view = HYD_PRESIGNED_VIEW_INIT;
    hyd_presigned *request = NULL;
    CHECK_STATUS(HYD_OK, hyd_presign_request(store, method, TEXT("request"), 60, options, &request,
                                             &error));
    CHECK(hyd_presigned_info(request, &view) == HYD_OK);
    CHECK(strstr(view.url, words) != NULL && strstr(view.url, more) != NULL);
    CHECK(hyd_presigned_free(request) == HYD_OK);
}

static void requests(const hyd_store *store) {
    hyd_presign_options put = HYD_PRESIGN_OPTIONS_INIT, get = HYD_PRESIGN_OPTIONS_INIT;
    hyd_put_options said = HYD_PUT_OPTIONS_INIT;
    hyd_presigned *request = NULL;

    said.content_type = "text/x-signed";
    put.put = &said;
    put.checksum_algorithm = HYD_CHECKSUM_SHA256;
    put.checksum = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="; /* of "hello" */
    CHECK_STATUS(HYD_OK, hyd_presign_request(store, HYD_PRESIGN_PUT, TEXT("request"), 60, &put,
                                             &request, &error));
    print_request(request);
    CHECK(hyd_presigned_free(request) == HYD_OK);
    CHECK(hyd_presigned_free(request) == HYD_E_HANDLE);
    get.offset = 1;
    get.len = 3;
    CHECK_STATUS(HYD_OK, hyd_presign_request(store, HYD_PRESIGN_GET, TEXT("request"), 60, &get,
                                             &request, &error));
    print_request(request);
    CHECK(hyd_presigned_free(request) == HYD_OK);
}

static void what_urls_say(const hyd_store *store) {
    hyd_presign_options options = HYD_PRESIGN_OPTIONS_INIT;
    hyd_get_options version = HYD_GET_OPTIONS_INIT;

    version.version_id = "a/version";
    options.get = &version;
    options.from_unix_s = 1767225600;
    check_url(store, HYD_PRESIGN_GET, &options, "versionId=a%2Fversion", "Date=20260101T000000Z");
    check_url(store, HYD_PRESIGN_HEAD, &options, "versionId=a%2Fversion", "Expires=60");
    check_url(store, HYD_PRESIGN_DELETE, &options, "versionId=a%2Fversion", "Date=20260101");
    options.response_cache_control = "a1";
    options.response_content_disposition = "a2";
    options.response_content_encoding = "a3";
    options.response_content_language = "a4";
    options.response_content_type = "a5";
    options.response_expires = "a6";
    check_url(store, HYD_PRESIGN_GET, &options, "response-cache-control=a1",
              "response-content-disposition=a2&response-content-encoding=a3");
    check_url(store, HYD_PRESIGN_GET, &options, "response-content-language=a4",
              "response-content-type=a5&response-expires=a6");
}

static void parts(const hyd_store *store) {
    hyd_presign_options options = HYD_PRESIGN_OPTIONS_INIT;
    hyd_presigned *request = NULL;

    options.upload_id = "an-id";
    options.part_number = 7;
    check_url(store, HYD_PRESIGN_PART, &options, "uploadId=an-id", "partNumber=7");
    options.checksum_algorithm = HYD_CHECKSUM_CRC32C;
    options.checksum = "4waSgw==";
    check_url(store, HYD_PRESIGN_PART, &options, "x-amz-checksum-crc32c", "X-Amz-SignedHeaders=host%3B");
    options.part_number = 10001;
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_PART, TEXT("k"), 60, &options,
                                                    &request, &error));
    options.part_number = 7;
    options.upload_id = "";
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_PART, TEXT("k"), 60, &options,
                                                    &request, &error));
    CHECK(request == NULL);
}

/* What a method does not say is refused, and so is what makes no sense. */
static void what_no_request_says(const hyd_store *store) {
    hyd_presign_options options[6] = {HYD_PRESIGN_OPTIONS_INIT, HYD_PRESIGN_OPTIONS_INIT,
                                      HYD_PRESIGN_OPTIONS_INIT, HYD_PRESIGN_OPTIONS_INIT,
                                      HYD_PRESIGN_OPTIONS_INIT, HYD_PRESIGN_OPTIONS_INIT};
    hyd_presigned *request = NULL;
    size_t i;

    options[0].upload_id = "an-id";
    options[1].checksum_algorithm = HYD_CHECKSUM_SHA1;
    options[2].checksum_algorithm = 6;
    options[2].checksum = "4waSgw==";
    options[3].from_unix_s = -1;
    options[4].reserved = 1;
    options[5].struct_size = 8;
    for (i = 0; i < sizeof options / sizeof *options; i++) {
        CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_PUT, TEXT("k"), 60,
                                                        &options[i], &request, &error));
    }
    options[0].upload_id = NULL;
    options[0].offset = UINT64_MAX;
    options[0].len = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_GET, TEXT("k"), 60, &options[0],
                                                    &request, &error));
    /* Nanoseconds, where seconds are meant. */
    options[3].from_unix_s = INT64_C(1800000000) * 1000000000;
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_GET, TEXT("k"), 60, &options[3],
                                                    &request, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_PART, TEXT("k"), 60, NULL,
                                                    &request, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign_request(store, HYD_PRESIGN_GET, TEXT("k"), 60, NULL, NULL,
                                                    &error));
    CHECK(request == NULL && hyd_presigned_free(NULL) == HYD_OK);
}

int main(int argc, char **argv) {
    struct vault vaults[4];
    hyd_store *store;
    hyd_engine *engine = small_engine(0);
    size_t i;

    CHECK(argc == 4);
    for (i = 0; i < 4; i++) {
        struct vault vault = {NULL, NULL, HYD_OK, 0, 0};
        vault.id = argv[2];
        vault.secret = argv[3];
        vaults[i] = vault;
    }
    provided(engine, argv[1], &vaults[0]);
    not_provided(engine, argv[1], &vaults[1]);
    presigned(engine, argv[1], &vaults[2]);
    store = open_with(engine, argv[1], &vaults[3]);
    requests(store);
    what_urls_say(store);
    parts(store);
    what_no_request_says(store);
    CHECK(hyd_store_close(store) == HYD_OK);
    replaced();
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(vaults[0].released == 1 && vaults[1].released == 2 && vaults[2].released == 1);
    return 0;
}

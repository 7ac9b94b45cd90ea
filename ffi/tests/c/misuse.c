/*
 * Does what must not be done, and looks whether it is told so instead of crashing.
 *
 *     misuse URI      the URI of a store without an object "missing"
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void null_pointers(const hyd_engine *engine, const hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_store *opened = NULL;
    unsigned char byte = 0;
    size_t got = 77;

    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_config_init(NULL, sizeof(hyd_engine_config)));
    CHECK_STATUS(HYD_E_INVALID, hyd_store_open(NULL, "mem://a", NULL, &opened, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_store_open(engine, NULL, NULL, &opened, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_store_open(engine, "mem://a", NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_range(NULL, "k", 1, NULL, 0, &byte, 1, &got, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_range(store, NULL, 1, NULL, 0, &byte, 1, &got, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_range(store, "k", 1, NULL, 0, NULL, 1, &got, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_range(store, "k", 1, NULL, 0, &byte, 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, "k", 1, NULL, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_put(NULL, "k", 1, &byte, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(store, "k", 1, NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(NULL, "k", 1, NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, delete_one(NULL, "k", &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_error_info(NULL, &view));
    /* No error object is wanted. */
    CHECK(hyd_stat(NULL, "k", 1, NULL, &meta, NULL, NULL) == HYD_E_INVALID);
    CHECK(hyd_put(store, "k", 1, NULL, 1, NULL, NULL, NULL) == HYD_E_INVALID);
    /* These take NULL. */
    CHECK(hyd_engine_destroy(NULL) == HYD_OK);
    CHECK(hyd_store_close(NULL) == HYD_OK);
    hyd_error_free(NULL);
    /* Outputs are written on success only. */
    CHECK(got == 77 && opened == NULL && meta.size_bytes == 0 && view.status == 0);
}

static void bad_texts_and_lengths(const hyd_engine *engine, const hyd_store *store) {
    const char *uris[] = {"", "gopher://x", "no-scheme", "s3://", "s3://user@host/bucket",
                          "mem://", "s3://bucket/prefix", "mem://name/key", "file:///folder",
                          "folder", "\xff\xfe"};
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_store *opened = NULL;
    unsigned char byte = 0;
    size_t i, got = 0;

    for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        CHECK_STATUS(HYD_E_INVALID, hyd_store_open(engine, uris[i], NULL, &opened, &error));
    }
    CHECK(opened == NULL);
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(store, "\xff", 1, NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_range(store, "k", 1, NULL, 0, &byte, SIZE_MAX, &got, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, "k", 1, &byte, SIZE_MAX, NULL, NULL, &error));
}

static void bad_structs(const hyd_store *store) {
    /* What the first version of the struct had. */
    enum { FIRST_BYTES = 32 };
    const uint32_t sizes[] = {0, 4, 8, FIRST_BYTES - 1, 5000, UINT32_MAX};
    struct { hyd_engine_config known; uint64_t later; } config = {HYD_ENGINE_CONFIG_INIT, 0};
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_engine *engine = NULL;
    size_t i;

    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        config.known.struct_size = sizes[i];
        CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config.known, &engine, &error));
        CHECK_STATUS(HYD_E_INVALID, hyd_engine_config_init(&config.known, sizes[i]));
    }
    /* A tail that this library does not know must be 0. */
    config.known.struct_size = sizeof config;
    config.later = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config.known, &engine, &error));
    CHECK_STATUS(HYD_OK, hyd_engine_config_init(&config.known, sizeof config));
    CHECK(config.known.struct_size == sizeof config && config.later == 0);
    config.known.flags = 1u << 31;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config.known, &engine, &error));
    config.known.flags = HYD_ENGINE_DRIVEN;
    config.known.cores = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config.known, &engine, &error));
    config.known.flags = 0;
    config.known.cores = UINT32_MAX;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config.known, &engine, &error));
    CHECK(engine == NULL);

    meta.struct_size = 0;
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(store, TEXT("missing"), NULL, &meta, NULL, &error));
    /* The work is not done in vain: a bad output is refused before the object is written. */
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("missing"), "x", 1, NULL, &meta, &error));
    meta.struct_size = sizeof meta;
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("missing"), NULL, &meta, NULL, &error));
}

static void missing_object(const hyd_store *store, int is_s3) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_error *error = NULL;
    unsigned char byte = 42;
    size_t got = 77;

    CHECK(hyd_get_range(store, TEXT("missing"), NULL, 0, &byte, 1, &got, &error) == HYD_E_NOT_FOUND);
    CHECK(got == 77 && error != NULL);
    CHECK(hyd_error_info(error, &view) == HYD_OK);
    CHECK(view.status == HYD_E_NOT_FOUND && view.flags == 0);
    CHECK(strstr(view.message, "missing") != NULL);
    CHECK(strlen(view.message) == view.message_len);
    if (is_s3) {
        CHECK(view.http_status == 404 && view.attempts == 1);
        CHECK(strcmp(view.s3_code, "NoSuchKey") == 0 && view.s3_code_len == 9);
        CHECK(view.request_id_len > 0 && strlen(view.request_id) == view.request_id_len);
    } else {
        CHECK(view.http_status == 0 && view.s3_code_len == 0 && view.s3_code[0] == '\0');
    }
    CHECK(hyd_error_info(error, NULL) == HYD_E_INVALID);
    view.struct_size = 1;
    CHECK(hyd_error_info(error, &view) == HYD_E_INVALID);
    hyd_error_free(error);
}

/* Ranges at and behind the end, empty objects, empty ranges. */
static void edges(const hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    /* Servers count in 63 bits. */
    const uint64_t far = (uint64_t)INT64_MAX - 8;
    unsigned char memory[8];
    size_t got = 77;

    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("edges"), "0123456789", 10, NULL, &meta, &error));
    CHECK(meta.size_bytes == 10 && meta.struct_size == sizeof meta);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, 4, memory, 8, &got, &error));
    CHECK(got == 6 && memcmp(memory, "456789", 6) == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, 2, memory, 8, &got, &error));
    CHECK(got == 8 && memcmp(memory, "23456789", 8) == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, 10, memory, 8, &got, &error));
    CHECK(got == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, far, memory, 8, &got, &error));
    CHECK(got == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, 3, NULL, 0, &got, &error));
    CHECK(got == 0);
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("edges"), NULL, 0, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("edges"), NULL, &meta, NULL, &error));
    CHECK(meta.size_bytes == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("edges"), NULL, 0, memory, 8, &got, &error));
    CHECK(got == 0);
    CHECK_STATUS(HYD_OK, delete_one(store, "edges", &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("edges"), NULL, &meta, NULL, &error));
}

static void wrong_and_dead_handles(const char *uri) {
    hyd_engine *engine = small_engine(0);
    hyd_store *store = open_store(engine, uri), *opened = NULL;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    uint64_t noise[16] = {0};

    CHECK_STATUS(HYD_E_HANDLE, hyd_stat((hyd_store *)(void *)engine, "k", 1, NULL, &meta, NULL,
                                        &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_store_open((hyd_engine *)(void *)store, uri, NULL, &opened,
                                              &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_stat((hyd_store *)(void *)noise, "k", 1, NULL, &meta, NULL,
                                        &error));
    CHECK_STATUS(HYD_E_HANDLE,
                 hyd_stat((hyd_store *)(void *)((char *)noise + 1), "k", 1, NULL, &meta, NULL,
                          &error));
    CHECK(hyd_engine_destroy((hyd_engine *)(void *)store) == HYD_E_HANDLE);

    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_store_open(engine, uri, NULL, &opened, &error));
    /* A store outlives its engine as a handle. */
    CHECK_STATUS(HYD_E_CANCELLED, hyd_stat(store, "k", 1, NULL, &meta, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_stat(store, "k", 1, NULL, &meta, NULL, &error));
    CHECK(opened == NULL);
}

static void everything_forked(hyd_engine *engine, hyd_store *store) {
    hyd_range range = {0, NULL, 0, 0, 0, 0};
    hyd_caps caps = HYD_CAPS_INIT;
    hyd_stats stats = HYD_STATS_INIT;
    hyd_writer *writer = NULL;
    hyd_list *list = NULL;
    hyd_buf *buf = NULL;
    hyd_mem *mem = NULL;
    size_t need = 0;
    int fd = -1;

    CHECK_STATUS(HYD_E_FORKED, hyd_get(store, "k", 1, NULL, &buf, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_get_ranges(store, "k", 1, NULL, &range, 1, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_copy(store, "k", 1, store, "l", 1, NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_get_to_file(store, "k", 1, "l", 1, NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_put_from_file(store, "k", 1, "l", 1, NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_list_open(store, "k", 1, NULL, 0, 0, 0, &list, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_writer_open(store, "k", 1, NULL, &writer, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_buf_lend(engine, 1, &buf, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_mem_register(engine, &fd, 1, &mem, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_caps(engine, &caps, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_stats(engine, &stats, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_core_stats(engine, 0, &stats, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_metrics(engine, NULL, 0, &need, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_report(engine, NULL, 0, &need, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_run(engine, 1, 0, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_engine_fd(engine, &fd, &error));
}

/* What a child may do: nothing with the parent's handles, everything with its own. */
static void in_child(hyd_engine *engine, hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_store *opened = NULL;
    unsigned char memory[4];
    size_t got = 0;
    hyd_engine *own;
    hyd_store *own_store;

    CHECK_STATUS(HYD_E_FORKED, hyd_stat(store, "k", 1, NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_get_range(store, "k", 1, NULL, 0, memory, 4, &got, &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_put(store, "k", 1, "x", 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_FORKED, delete_one(store, "k", &error));
    CHECK_STATUS(HYD_E_FORKED, hyd_store_open(engine, "mem://child", NULL, &opened, &error));
    everything_forked(engine, store);
    CHECK(hyd_store_close(store) == HYD_E_FORKED);
    CHECK(hyd_engine_destroy(engine) == HYD_E_FORKED);

    own = small_engine(0);
    own_store = open_store(own, "mem://child");
    CHECK_STATUS(HYD_OK, hyd_put(own_store, TEXT("k"), "abcd", 4, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_get_range(own_store, TEXT("k"), NULL, 0, memory, 4, &got, &error));
    CHECK(got == 4 && memcmp(memory, "abcd", 4) == 0);
    CHECK(hyd_store_close(own_store) == HYD_OK);
    CHECK(hyd_engine_destroy(own) == HYD_OK);
}

static void after_fork(hyd_engine *engine, hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    int outcome = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        in_child(engine, store);
        exit(EXIT_SUCCESS);
    }
    CHECK(waitpid(child, &outcome, 0) == child);
    CHECK(WIFEXITED(outcome) && WEXITSTATUS(outcome) == EXIT_SUCCESS);
    /* The parent is none the wiser. */
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("parent"), "x", 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("parent"), NULL, &meta, NULL, &error));
    CHECK(meta.size_bytes == 1);
    CHECK_STATUS(HYD_OK, delete_one(store, "parent", &error));
}

static void texts(void) {
    hyd_status status;
    CHECK(hyd_version() == HYD_VERSION);
    CHECK(strncmp(hyd_version_string(), "hydrant ", 8) == 0);
    for (status = 0; status >= -2000; status--) {
        CHECK(strchr(hyd_status_str(status), ':') != NULL);
    }
    CHECK(strncmp(hyd_status_str(INT32_MIN), "UNKNOWN:", 8) == 0);
    CHECK(strncmp(hyd_status_str(HYD_E_NOT_FOUND), "NOT_FOUND:", 10) == 0);
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;

    CHECK(argc == 2);
    texts();
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    null_pointers(engine, store);
    bad_texts_and_lengths(engine, store);
    bad_structs(store);
    missing_object(store, strncmp(argv[1], "s3:", 3) == 0);
    edges(store);
    wrong_and_dead_handles(argv[1]);
    after_fork(engine, store);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("misuse is told");
    return EXIT_SUCCESS;
}

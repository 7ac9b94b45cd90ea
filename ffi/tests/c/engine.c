/*
 * What an engine is beside its stores: buffers of the pool, options, errors that are kept, what it tells.
 *
 *     engine URI      the URI of an empty store
 */
#include "check.h"

enum { LARGE_BYTES = 20 * 1024 * 1024 + 77, PART_BYTES = 8 * 1024 * 1024 };

static unsigned char *large;

static void buffers(const hyd_engine *engine) {
    hyd_buf *buf = NULL, *other = NULL, *many[64];
    void *data = NULL;
    size_t len = 0, capacity = 0, count = 0, i;

    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 5000, &buf, &error));
    CHECK(hyd_buf_view(buf, &data, &len, &capacity) == HYD_OK);
    CHECK(data != NULL && (uintptr_t)data % 4096 == 0 && len == 5000 && capacity == 8192);
    memset(data, 7, capacity);
    CHECK(hyd_buf_retain(buf) == HYD_OK);
    CHECK(hyd_buf_release(buf) == HYD_OK);
    CHECK(hyd_buf_view(buf, NULL, NULL, NULL) == HYD_OK);
    CHECK(hyd_buf_release(buf) == HYD_OK);
    CHECK(hyd_buf_release(buf) == HYD_E_HANDLE);
    CHECK(hyd_buf_retain(buf) == HYD_E_HANDLE);
    CHECK(hyd_buf_view(buf, &data, NULL, NULL) == HYD_E_HANDLE);
    CHECK(hyd_buf_release(NULL) == HYD_OK);
    CHECK(hyd_buf_retain(NULL) == HYD_E_INVALID);
    CHECK_STATUS(HYD_E_INVALID, hyd_buf_lend(engine, 0, &other, &error));
    CHECK_STATUS(HYD_E_CONFIG, hyd_buf_lend(engine, (size_t)1 << 40, &other, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buf_lend(engine, 1, NULL, &error));
    /* The limit of the pool is one, and what was given back is there again. */
    while (hyd_buf_lend(engine, 4 * 1024 * 1024, &many[count], NULL) == HYD_OK) {
        CHECK(++count < 64);
    }
    CHECK(count > 4);
    CHECK_STATUS(HYD_E_AGAIN, hyd_buf_lend(engine, 4 * 1024 * 1024, &other, &error));
    CHECK(other == NULL);
    CHECK(hyd_buf_release(many[0]) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 4 * 1024 * 1024, &many[0], &error));
    for (i = 0; i < count; i++) {
        CHECK(hyd_buf_release(many[i]) == HYD_OK);
    }
}

/* Memory that the program holds is not waited for without end; the error names who holds it. */
static void a_pool_that_is_held(const char *uri) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    hyd_store *store;
    hyd_buf *held[16], *buf = NULL;
    hyd_error *error = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    size_t count = 0;

    config.cores = 1;
    config.pool_bytes = 16 * 1024 * 1024;
    config.part_size_bytes = 1024 * 1024;
    config.pool_wait_ms = 50;
    CHECK_STATUS(HYD_OK, hyd_engine_create(&config, &engine, &error));
    store = open_store(engine, uri);
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("held"), large, PART_BYTES, NULL, NULL, &error));
    while (hyd_buf_lend(engine, 1024 * 1024, &held[count], NULL) == HYD_OK) {
        CHECK(++count < 16);
    }
    CHECK(hyd_get(store, TEXT("held"), NULL, &buf, NULL, &error) == HYD_E_CONFIG);
    CHECK(hyd_error_info(error, &view) == HYD_OK);
    CHECK(strstr(view.message, "lent to C") != NULL);
    hyd_error_free(error);
    while (count > 0) {
        CHECK(hyd_buf_release(held[--count]) == HYD_OK);
    }
    check_object(store, "held", large, PART_BYTES);
    CHECK_STATUS(HYD_OK, delete_one(store, "held", &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
}

static void options(const hyd_engine *engine, const char *uri) {
    hyd_options *options = hyd_options_new();
    hyd_store *store = NULL;
    hyd_error *error = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;

    CHECK(options != NULL);
    CHECK_STATUS(HYD_OK, hyd_options_set(options, "part_size", "6000000", &error));
    CHECK_STATUS(HYD_OK, hyd_options_set(options, "connections", "3", &error));
    CHECK_STATUS(HYD_OK, hyd_options_set(options, "tries", "2", &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, options, &store, &error));
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("with-options"), large, LARGE_BYTES, NULL, &meta,
                                 &error));
    check_object(store, "with-options", large, LARGE_BYTES);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(options, "colour", "red", &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(options, "tries", "many", &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(options, NULL, "1", &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(options, "tries", NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(NULL, "tries", "1", &error));
    /* The message has the key, and never the value, which may be a secret. */
    CHECK(hyd_options_set(options, "anonymous", "hush-hush", &error) == HYD_E_INVALID);
    CHECK(hyd_error_info(error, &view) == HYD_OK);
    CHECK(strstr(view.message, "anonymous") != NULL && strstr(view.message, "hush") == NULL);
    hyd_error_free(error);
    /* Half a pair of keys is told when a store is opened. */
    CHECK_STATUS(HYD_OK, hyd_options_set(options, "secret_access_key", "hush-hush", &error));
    store = NULL;
    CHECK_STATUS(HYD_E_CONFIG, hyd_store_open(engine, uri, options, &store, &error));
    CHECK(store == NULL);
    CHECK(hyd_options_free(options) == HYD_OK);
    CHECK(hyd_options_free(options) == HYD_E_HANDLE);
    CHECK(hyd_options_free(NULL) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_store_open(engine, uri, options, &store, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_options_set(options, "tries", "1", &error));
}

static void errors_are_kept(const hyd_store *store) {
    hyd_error *error = NULL, *copy = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;

    CHECK(hyd_stat(store, TEXT("missing"), NULL, &meta, NULL, &error) == HYD_E_NOT_FOUND);
    CHECK(hyd_error_dup(error, &copy) == HYD_OK);
    hyd_error_free(error);
    hyd_error_free(error);
    CHECK(hyd_error_info(error, &view) == HYD_E_HANDLE);
    CHECK(hyd_error_dup(error, &copy) == HYD_E_HANDLE);
    CHECK(hyd_error_dup(NULL, &copy) == HYD_E_INVALID);
    CHECK(hyd_error_dup(copy, NULL) == HYD_E_INVALID);
    CHECK(hyd_error_info(copy, &view) == HYD_OK && view.status == HYD_E_NOT_FOUND);
    hyd_error_free(copy);
}

static void what_an_engine_tells(const hyd_engine *engine) {
    hyd_caps caps = HYD_CAPS_INIT, again = HYD_CAPS_INIT;
    hyd_stats stats = HYD_STATS_INIT, of_core = HYD_STATS_INIT;
    size_t need = 0;
    char text[8192];

    CHECK_STATUS(HYD_OK, hyd_probe(&caps, &error));
    CHECK(caps.kernel[0] != '\0');
    CHECK_STATUS(HYD_OK, hyd_engine_caps(engine, &again, &error));
    CHECK(strcmp(caps.kernel, again.kernel) == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_probe(NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_caps(engine, NULL, &error));
    caps.struct_size = 3;
    CHECK_STATUS(HYD_E_INVALID, hyd_probe(&caps, &error));

    CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &stats, &error));
    CHECK(stats.cores == 1 && stats.pool_bytes >= 64 * 1024 * 1024 && stats.enters > 0);
    CHECK(stats.pool_bytes_lent < stats.pool_bytes);
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_stats(engine, NULL, &error));
    CHECK(stats.bytes_copied == stats.bytes_copied_residue + stats.bytes_copied_borrowed +
                                    stats.bytes_copied_bounce + stats.bytes_copied_tls);
    CHECK_STATUS(HYD_OK, hyd_core_stats(engine, 0, &of_core, &error));
    CHECK(of_core.cores == 1 && of_core.pool_bytes == 0);
    CHECK(of_core.enters >= stats.enters);
    CHECK_STATUS(HYD_E_INVALID, hyd_core_stats(engine, 1, &of_core, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_core_stats(engine, 0, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_core_stats(NULL, 0, &of_core, &error));

    CHECK_STATUS(HYD_OK, hyd_engine_metrics(engine, NULL, 0, &need, &error));
    CHECK(need > 100 && need < sizeof text);
    CHECK_STATUS(HYD_OK, hyd_engine_metrics(engine, text, sizeof text, &need, &error));
    CHECK(strlen(text) == need && strcmp(text + need - 6, "# EOF\n") == 0);
    CHECK(strstr(text, "\nhydrant_pool_bytes 67108864\n") != NULL);
    CHECK(strstr(text, "# TYPE hydrant_enters counter\n") != NULL);
    CHECK_STATUS(HYD_E_AGAIN, hyd_engine_metrics(engine, text, 10, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_metrics(engine, NULL, 10, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_metrics(engine, text, 10, NULL, &error));

    CHECK_STATUS(HYD_OK, hyd_engine_report(engine, text, sizeof text, &need, &error));
    CHECK(strncmp(text, "driver: ", 8) == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_report(NULL, text, sizeof text, &need, &error));
}

static void told(void *user, uint32_t level, const char *text, size_t len) {
    CHECK(level == HYD_LOG_WARNING && text != NULL && len > 0);
    ++*(int *)user;
}

static void log_function(void) {
    static int count;
    CHECK(hyd_set_log(told, &count, HYD_LOG_WARNING) == HYD_OK);
    CHECK(hyd_set_log(told, &count, 99) == HYD_E_INVALID);
    CHECK(hyd_set_log(told, &count, HYD_LOG_NOTHING) == HYD_OK);
    CHECK(hyd_set_log(NULL, NULL, HYD_LOG_NOTHING) == HYD_OK);
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;

    CHECK(argc == 2);
    large = filled(LARGE_BYTES, 1);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    log_function();
    buffers(engine);
    a_pool_that_is_held(argv[1]);
    options(engine, argv[1]);
    errors_are_kept(store);
    what_an_engine_tells(engine);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    free(large);
    puts("an engine tells");
    return EXIT_SUCCESS;
}

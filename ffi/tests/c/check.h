/* What the C programs of the tests share: a check that says where it failed, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <hydrant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);      \
            exit(EXIT_FAILURE);                                                          \
        }                                                                                \
    } while (0)

/* The call has exactly this status; `error` is the object it may have left, which is freed. */
#define CHECK_STATUS(expected, call)                                                     \
    do {                                                                                 \
        hyd_error *error = NULL;                                                         \
        hyd_status expected_status = (expected), status = (call);                        \
        check_status(__FILE__, __LINE__, #call, expected_status, status, error);         \
    } while (0)

/* Deletes one object. */
static inline hyd_status delete_one(const hyd_store *store, const char *key, hyd_error **error);

/* A text as pointer and length. */
#define TEXT(text) (text), strlen(text)

static inline void check_status(const char *file, int line, const char *call, hyd_status expected,
                         hyd_status status, hyd_error *error) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    if (error != NULL) {
        CHECK(hyd_error_info(error, &view) == HYD_OK);
        CHECK(view.status == status);
        CHECK(view.message_len == strlen(view.message) && view.message_len > 0);
    }
    if (status != expected) {
        fprintf(stderr, "%s:%d: %s: expected %s, got %s: %s\n", file, line, call,
                hyd_status_str(expected), hyd_status_str(status),
                error != NULL ? view.message : "no error object");
        exit(EXIT_FAILURE);
    }
    CHECK(status != HYD_OK || error == NULL);
    hyd_error_free(error);
}

static inline hyd_status delete_one(const hyd_store *store, const char *key, hyd_error **error) {
    hyd_text text;
    text.text = key;
    text.len = strlen(key);
    return hyd_delete(store, &text, 1, NULL, error);
}

/* An engine with one core, or driven by this thread; without io_uring where the environment says so. */
static inline hyd_engine *small_engine(uint32_t flags) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    config.cores = 1;
    config.flags = flags | (getenv("HYDRANT_TEST_POLL") != NULL ? HYD_ENGINE_POLL : 0);
    config.pool_bytes = 64 * 1024 * 1024;
    config.part_size_bytes = 8 * 1024 * 1024;
    CHECK_STATUS(HYD_OK, hyd_engine_create(&config, &engine, &error));
    CHECK(engine != NULL);
    return engine;
}

static inline hyd_store *open_store(const hyd_engine *engine, const char *uri) {
    hyd_store *store = NULL;
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, NULL, &store, &error));
    CHECK(store != NULL);
    return store;
}

/* Bytes that differ from place to place. */
static inline void fill(unsigned char *data, size_t len, unsigned seed) {
    size_t i;
    for (i = 0; i < len; i++) {
        data[i] = (unsigned char)((i + seed) * 2654435761u >> 13);
    }
}

/* So many of them, which the caller frees. */
static inline unsigned char *filled(size_t len, unsigned seed) {
    unsigned char *data = malloc(len);
    CHECK(data != NULL);
    fill(data, len, seed);
    return data;
}

static inline void put(const hyd_store *store, const char *key, const void *data, size_t len) {
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT(key), data, len, NULL, NULL, &error));
}

/* An object has exactly these bytes. */
static inline void check_object(const hyd_store *store, const char *key,
                                const unsigned char *expected, size_t expected_len) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_buf *buf = NULL;
    void *data = NULL;
    size_t len = 0;

    CHECK_STATUS(HYD_OK, hyd_get(store, TEXT(key), NULL, &buf, &meta, &error));
    CHECK(hyd_buf_view(buf, &data, &len, NULL) == HYD_OK);
    CHECK(len == expected_len && meta.size_bytes == expected_len);
    CHECK(memcmp(data, expected, len) == 0);
    CHECK(hyd_buf_release(buf) == HYD_OK);
}

#endif

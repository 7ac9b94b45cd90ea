/*
 * Puts an object, asks what the store knows of it, gets a range of it into memory of its own, and
 * compares.
 *
 *     cc put_get.c -I ../include -o put_get libhydrant.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
 *     ./put_get mem://example greeting
 *     ./put_get s3://bucket path/of/object     (keys and endpoint come from AWS_* in the environment)
 *
 * The object stays.
 */
#include <hydrant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_BYTES = 20 * 1024 * 1024 + 3, RANGE_BYTES = 1024 * 1024, RANGE_START = 12345678 };

/* Prints what went wrong, frees it, and tells whether the call was good. `error` is a pointer to the
 * pointer, because C may read arguments before the call among them has set it. */
static int good(const char *what, hyd_status status, hyd_error **error) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    if (status == HYD_OK) {
        return 1;
    }
    fprintf(stderr, "%s: %s\n", what, hyd_status_str(status));
    if (*error != NULL && hyd_error_info(*error, &view) == HYD_OK) {
        fprintf(stderr, "  %s\n", view.message);
        if (view.http_status != 0) {
            fprintf(stderr, "  HTTP status %d, S3 code %s, request id %s, tries %u\n",
                    (int)view.http_status, view.s3_code, view.request_id, (unsigned)view.attempts);
        }
        if ((view.flags & HYD_ERROR_RETRIABLE) != 0) {
            fprintf(stderr, "  It may work later.\n");
        }
    }
    hyd_error_free(*error);
    *error = NULL;
    return 0;
}

static void fill(unsigned char *data, size_t len) {
    size_t i;
    for (i = 0; i < len; i++) {
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    }
}

/* Puts `data` and reads a range of it back into `range`. */
static int put_and_get(const hyd_store *store, const char *key, const unsigned char *data,
                       unsigned char *range) {
    const size_t key_len = strlen(key);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_error *error = NULL;
    size_t got = 0;

    if (!good("put", hyd_put(store, key, key_len, data, OBJECT_BYTES, NULL, NULL, &error), &error)) {
        return 0;
    }
    if (!good("stat", hyd_stat(store, key, key_len, NULL, &meta, NULL, &error), &error)) {
        return 0;
    }
    printf("%s: %llu bytes, tag %s\n", key, (unsigned long long)meta.size_bytes,
           meta.etag[0] != '\0' ? meta.etag : "unknown");
    if (!good("get", hyd_get_range(store, key, key_len, NULL, RANGE_START, range, RANGE_BYTES, &got, &error),
              &error)) {
        return 0;
    }
    if (meta.size_bytes != OBJECT_BYTES || got != RANGE_BYTES ||
        memcmp(range, data + RANGE_START, RANGE_BYTES) != 0) {
        fprintf(stderr, "%s: what came back is not what was put\n", key);
        return 0;
    }
    printf("%s: %lu bytes from offset %d are as they were put\n", key, (unsigned long)got,
           RANGE_START);
    return 1;
}

static int run(const char *uri, const char *key, unsigned char *data, unsigned char *range) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    hyd_error *error = NULL;
    int done = 0;

    config.cores = 1;
    config.pool_bytes = 64 * 1024 * 1024;
    if (good("engine", hyd_engine_create(&config, &engine, &error), &error) &&
        good(uri, hyd_store_open(engine, uri, NULL, &store, &error), &error)) {
        done = put_and_get(store, key, data, range);
    }
    hyd_store_close(store);
    hyd_engine_destroy(engine);
    return done;
}

int main(int argc, char **argv) {
    unsigned char *data = malloc(OBJECT_BYTES);
    unsigned char *range = malloc(RANGE_BYTES);
    int done = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: %s URI KEY\n", argc > 0 ? argv[0] : "put_get");
    } else if (data == NULL || range == NULL) {
        fprintf(stderr, "%s: no memory\n", argv[0]);
    } else {
        fill(data, OBJECT_BYTES);
        done = run(argv[1], argv[2], data, range);
    }
    free(range);
    free(data);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

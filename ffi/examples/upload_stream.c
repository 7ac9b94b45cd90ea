/*
 * Uploads what a producer thread makes, of a length that nobody knows before its end: the thread
 * writes straight into memory of the pool, and full parts go out meanwhile.
 *
 *     ./upload_stream s3://bucket        or mem://example
 */
#include <hydrant.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_BYTES = 19 * 1024 * 1024 + 5, STEP_BYTES = 100 * 1000 };

static unsigned char byte_at(size_t at) { return (unsigned char)(at * 2654435761u >> 13); }

static int good(const char *what, hyd_status status, hyd_error **error) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    if (status != HYD_OK) {
        int told = hyd_error_info(*error, &view) == HYD_OK;
        fprintf(stderr, "%s: %s\n", what, told ? view.message : hyd_status_str(status));
        hyd_error_free(*error);
        *error = NULL;
    }
    return status == HYD_OK;
}

/* Produces the object; ends with NULL where a write failed. The writer is this thread's alone. */
static void *produce(void *argument) {
    hyd_writer *writer = argument;
    hyd_error *error = NULL;
    size_t done = 0, i;

    while (done < OBJECT_BYTES) {
        void *room = NULL;
        size_t len = 0;
        if (!good("reserve", hyd_writer_reserve(writer, &room, &len, &error), &error)) {
            return NULL;
        }
        len = len < STEP_BYTES ? len : STEP_BYTES;
        len = len < OBJECT_BYTES - done ? len : OBJECT_BYTES - done;
        for (i = 0; i < len; i++) {
            ((unsigned char *)room)[i] = byte_at(done + i);
        }
        if (!good("commit", hyd_writer_commit(writer, len, &error), &error)) {
            return NULL;
        }
        done += len;
    }
    return writer;
}

static int is_right(const hyd_store *store) {
    hyd_buf *buf = NULL;
    hyd_error *error = NULL;
    void *data = NULL;
    size_t len = 0, i = 0;

    if (!good("get", hyd_get(store, "stream", 6, NULL, &buf, NULL, &error), &error)) {
        return 0;
    }
    hyd_buf_view(buf, &data, &len, NULL);
    while (i < len && ((unsigned char *)data)[i] == byte_at(i)) {
        i++;
    }
    hyd_buf_release(buf);
    return i == OBJECT_BYTES && len == OBJECT_BYTES;
}

int main(int argc, char **argv) {
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    hyd_writer *writer = NULL;
    hyd_error *error = NULL;
    pthread_t producer;
    void *produced = NULL;
    int done = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: upload_stream URI\n");
        return EXIT_FAILURE;
    }
    if (good("engine", hyd_engine_create(NULL, &engine, &error), &error) &&
        good(argv[1], hyd_store_open(engine, argv[1], NULL, &store, &error), &error) &&
        good("writer", hyd_writer_open(store, "stream", 6, NULL, &writer, &error), &error) &&
        pthread_create(&producer, NULL, produce, writer) == 0) {
        pthread_join(producer, &produced);
        if (produced == NULL) {
            hyd_writer_abort(writer); /* nothing is visible, and nothing stays behind */
        } else {
            done = good("finish", hyd_writer_finish(writer, NULL, &error), &error);
        }
    }
    done = done && is_right(store);
    puts(done ? "the object is what was produced" : "the object is not there, or other");
    hyd_store_close(store);
    hyd_engine_destroy(engine);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

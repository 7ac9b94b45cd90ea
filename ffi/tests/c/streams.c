/*
 * Streams written by requests: in turn, mixed with blocking calls, refused, cancelled.
 *
 *     streams URI SLOW_URI [driven]
 *
 * URI is that of a store; SLOW_URI is one that takes minutes for an object; with "driven", this thread
 * drives the engine.
 */
#include "requests.h"

enum { OBJECT_BYTES = 9 * 1024 * 1024 + 5 };

static unsigned char *object;

/* A stream by requests: never waits, one request at a time. */
static void streams(const hyd_engine *engine, const hyd_store *store, const hyd_cq *cq) {
    hyd_put_options once = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request write = HYD_REQUEST_INIT, finish = HYD_REQUEST_INIT, bad;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_writer *writer = NULL;
    hyd_buf *buf = NULL;
    hyd_event event;
    unsigned char *memory = malloc(OBJECT_BYTES), *back = malloc(OBJECT_BYTES);
    void *data = NULL;
    size_t done = 0, got = 0;

    CHECK(memory != NULL && back != NULL);
    memcpy(memory, object, OBJECT_BYTES);
    once.flags = HYD_PUT_IF_ABSENT;
    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("by requests"), &once, &writer, &error));
    write.op = HYD_OP_WRITE;
    write.writer = writer;
    write.data = memory;
    write.data_len = 1000;
    event = do_one(store, cq, &write, HYD_OK);
    CHECK(event.bytes == 1000 && event.buf == NULL);
    done += 1000;
    /* What was reaped is the caller's again. */
    memset(memory, 0xff, 1000);
    write.data = memory + done;
    write.data_len = OBJECT_BYTES - done - 5000;
    event = do_one(store, cq, &write, HYD_OK);
    CHECK(event.bytes == write.data_len);
    done += write.data_len;
    memset(memory, 0xff, done);
    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 5000, &buf, &error));
    CHECK(hyd_buf_view(buf, &data, NULL, NULL) == HYD_OK);
    memcpy(data, object + done, 5000);
    write.data = NULL;
    write.buf = buf;
    write.data_len = OBJECT_BYTES;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &write, 1, NULL, NULL, &error));
    write.data_len = 3000;
    do_one(store, cq, &write, HYD_OK);
    CHECK(hyd_buf_release(buf) == HYD_OK);
    done += 3000;
    /* Blocking calls and requests mix. */
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, object + done, 2000, HYD_WRITE_COPY, &error));
    write.buf = NULL;
    write.data_len = 0;
    do_one(store, cq, &write, HYD_OK);

    bad = write;
    bad.key = "key";
    bad.key_len = 3;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));
    bad = write;
    bad.data_len = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));
    bad = write;
    bad.writer = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));
    bad.op = HYD_OP_FINISH;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));
    bad = request_of(HYD_OP_HEAD, "object");
    bad.meta = &meta;
    bad.writer = writer;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));
    bad = request_of(HYD_OP_GET_RANGE, "object");
    bad.get = &get;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &bad, 1, NULL, NULL, &error));

    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("by requests"), NULL, &meta, NULL, &error));
    finish.op = HYD_OP_FINISH;
    finish.writer = writer;
    finish.meta = &meta;
    do_one(store, cq, &finish, HYD_OK);
    CHECK(meta.size_bytes == OBJECT_BYTES);
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("by requests"), NULL, 0, back, OBJECT_BYTES, &got,
                                       &error));
    CHECK(got == OBJECT_BYTES && memcmp(back, object, OBJECT_BYTES) == 0);
    CHECK_STATUS(HYD_E_HANDLE, hyd_submit(store, cq, &write, 1, NULL, NULL, &error));
    CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);

    /* A stream that may not be finished. */
    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("by requests"), &once, &writer, &error));
    finish.writer = writer;
    do_one(store, cq, &finish, HYD_E_CONDITION);
    CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_OK, delete_one(store, "by requests", &error));
    free(memory);
    free(back);
}

/* A write that takes long keeps the stream for itself, and cancelled ends it. */
static void cancelled_streams(const hyd_engine *engine, const hyd_store *slow) {
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request write = HYD_REQUEST_INIT, finish = HYD_REQUEST_INIT;
    hyd_writer *writer = NULL;
    hyd_event event;
    unsigned char *memory = malloc(OBJECT_BYTES);
    size_t count = 0;
    uint64_t id = 0;

    CHECK(memory != NULL);
    memcpy(memory, object, OBJECT_BYTES);
    CHECK_STATUS(HYD_OK, hyd_writer_open(slow, TEXT("never"), NULL, &writer, &error));
    write.op = HYD_OP_WRITE;
    write.writer = writer;
    write.data = memory;
    write.data_len = OBJECT_BYTES;
    CHECK_STATUS(HYD_OK, hyd_submit(slow, cq, &write, 1, &id, NULL, &error));
    CHECK_STATUS(HYD_E_BUSY, hyd_submit(slow, cq, &write, 1, NULL, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_BUSY, hyd_writer_write(writer, "x", 1, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_E_BUSY, hyd_writer_finish(writer, NULL, &error));
    CHECK_STATUS(HYD_E_BUSY, hyd_writer_cancel(writer, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, 100, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cancel(cq, id) == HYD_OK && hyd_cancel(cq, id) != HYD_E_HANDLE);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_E_CANCELLED);
    hyd_error_free(event.error);
    /* Were the kernel not done with it, this would be read from after it was freed. */
    memset(memory, 0, OBJECT_BYTES);
    free(memory);
    write.data = NULL;
    write.data_len = 0;
    CHECK_STATUS(HYD_E_CANCELLED, hyd_submit(slow, cq, &write, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_CANCELLED, hyd_writer_write(writer, "x", 1, HYD_WRITE_COPY, &error));
    finish.op = HYD_OP_FINISH;
    finish.writer = writer;
    CHECK_STATUS(HYD_E_CANCELLED, hyd_submit(slow, cq, &finish, 1, NULL, NULL, &error));
    CHECK(hyd_writer_abort(writer) == HYD_OK);
    CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_cancel(writer, &error));
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* What was written is thrown away before the call returns; of a stream that misses bytes nobody knows. */
static void thrown_away(const hyd_engine *engine, const hyd_store *store, const hyd_store *slow) {
    hyd_cq *cq = new_queue(engine, 0);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request write = HYD_REQUEST_INIT;
    hyd_writer *writer = NULL;
    hyd_uploads *begun = NULL;
    hyd_event event;
    size_t count = 0;
    uint64_t id = 0;

    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("unwanted"), NULL, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, object, OBJECT_BYTES, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_cancel(writer, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_cancel(writer, &error));
    CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("unwanted"), NULL, &meta, NULL, &error));
    if (hyd_uploads_open(store, NULL, 0, &begun, NULL) == HYD_OK) {
        hyd_upload upload;
        CHECK_STATUS(HYD_OK, hyd_uploads_next(begun, &upload, 1, &count, &error));
        CHECK(count == 0 && hyd_uploads_close(begun) == HYD_OK);
    }

    CHECK_STATUS(HYD_OK, hyd_writer_open(slow, TEXT("unwanted"), NULL, &writer, &error));
    write.op = HYD_OP_WRITE;
    write.writer = writer;
    write.data = object;
    write.data_len = OBJECT_BYTES;
    CHECK_STATUS(HYD_OK, hyd_submit(slow, cq, &write, 1, &id, NULL, &error));
    CHECK(hyd_cancel(cq, id) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_E_CANCELLED);
    hyd_error_free(event.error);
    CHECK_STATUS(HYD_E_CANCELLED, hyd_writer_cancel(writer, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_cancel(writer, &error));
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* An abort ends the handle also while a request has the stream, which completes all the same. */
static void aborted_streams(const hyd_engine *engine, const hyd_store *store, const hyd_store *slow) {
    hyd_cq *cq = new_queue(engine, 0);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request write = HYD_REQUEST_INIT;
    hyd_writer *writer = NULL;
    hyd_event event;
    unsigned char *memory = malloc(OBJECT_BYTES);
    size_t count = 0, i;
    uint64_t id = 0;

    CHECK(memory != NULL);
    memcpy(memory, object, OBJECT_BYTES);
    write.op = HYD_OP_WRITE;
    write.data = memory;
    write.data_len = OBJECT_BYTES;
    for (i = 0; i < 2; i++) {
        const hyd_store *to = i == 0 ? store : slow;
        CHECK_STATUS(HYD_OK, hyd_writer_open(to, TEXT("aborted"), NULL, &writer, &error));
        write.writer = writer;
        CHECK_STATUS(HYD_OK, hyd_submit(to, cq, &write, 1, &id, NULL, &error));
        CHECK(hyd_writer_abort(writer) == HYD_OK);
        CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);
        CHECK_STATUS(HYD_E_HANDLE, hyd_writer_write(writer, "x", 1, HYD_WRITE_COPY, &error));
        CHECK_STATUS(HYD_E_HANDLE, hyd_writer_finish(writer, NULL, &error));
        CHECK_STATUS(HYD_E_HANDLE, hyd_submit(to, cq, &write, 1, NULL, NULL, &error));
        /* The one would take minutes. */
        CHECK(i == 0 || hyd_cancel(cq, id) == HYD_OK);
        CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
        CHECK(count == 1 && event.id == id);
        CHECK(event.status == (i == 0 ? HYD_OK : HYD_E_CANCELLED));
        CHECK((event.error == NULL) == (event.status == HYD_OK));
        hyd_error_free(event.error);
        memset(memory, 0, OBJECT_BYTES);
    }
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("aborted"), NULL, &meta, NULL, &error));
    free(memory);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* A request that is refused since the engine has gone leaves the stream as it was. */
static void refused_streams(uint32_t flags, const char *uri) {
    hyd_engine *engine = small_engine(flags);
    hyd_store *store = open_store(engine, uri);
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request write = HYD_REQUEST_INIT;
    hyd_writer *writer = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    size_t i, accepted = 77;

    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("refused"), NULL, &writer, &error));
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    write.op = HYD_OP_WRITE;
    write.writer = writer;
    for (i = 0; i < 3; i++) {
        hyd_error *error = NULL;
        CHECK(hyd_submit(store, cq, &write, 1, NULL, &accepted, &error) == HYD_E_CANCELLED);
        CHECK(accepted == 0 && hyd_error_info(error, &view) == HYD_OK);
        CHECK(strstr(view.message, "engine was destroyed") != NULL);
        hyd_error_free(error);
    }
    /* Nothing of it had gone out. */
    CHECK_STATUS(HYD_OK, hyd_writer_cancel(writer, &error));
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK);
}

int main(int argc, char **argv) {
    struct begun all = begin(argc, argv, 2);
    hyd_store *slow = open_store(all.engine, argv[2]);

    object = filled(OBJECT_BYTES, 3);
    streams(all.engine, all.store, all.cq);
    cancelled_streams(all.engine, slow);
    thrown_away(all.engine, all.store, slow);
    aborted_streams(all.engine, all.store, slow);
    CHECK(hyd_cq_destroy(all.cq) == HYD_OK && hyd_engine_destroy(all.engine) == HYD_OK);
    refused_streams(all.engine_flags, argv[1]);
    CHECK(hyd_store_close(slow) == HYD_OK && hyd_store_close(all.store) == HYD_OK);
    free(object);
    puts("streams are whole");
    return EXIT_SUCCESS;
}

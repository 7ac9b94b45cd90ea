/*
 * What moves or removes much: copies and how they went, copies that are carried on, comparing, deleting
 * all that begins so, uploads that were left.
 *
 *     transfers URI FOLDER      the URI of an empty store, and an empty folder
 *
 * With a store of S3, XDG_STATE_HOME names a folder of its own.
 */
#define _POSIX_C_SOURCE 200809L

#include "requests.h"

#include <pthread.h>
#include <unistd.h>

enum { OBJECT_BYTES = 22 * 1024 * 1024 + 77, PART_BYTES = 5 * 1024 * 1024 };

static unsigned char *object;

/* Where a copy is, for the thread that waits for it, and whether it may go on. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t done, total;
    int calls, stops_at, may_go_on;
} progress = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, 0};

static void begin_progress(int stops_at) {
    progress.done = progress.total = 0;
    progress.calls = progress.may_go_on = 0;
    progress.stops_at = stops_at;
}

/* A program would not hold up the thread that calls: this one wants to be at a known place. */
static void on_progress(void *user, uint64_t done, uint64_t total) {
    CHECK(user == &progress);
    pthread_mutex_lock(&progress.lock);
    progress.calls++;
    progress.done = done > progress.done ? done : progress.done;
    progress.total = total;
    pthread_cond_broadcast(&progress.changed);
    while (progress.stops_at != 0 && progress.calls >= progress.stops_at && !progress.may_go_on) {
        pthread_cond_wait(&progress.changed, &progress.lock);
    }
    pthread_mutex_unlock(&progress.lock);
}

static hyd_copy_options copy_options(uint32_t flags) {
    hyd_copy_options options = HYD_COPY_OPTIONS_INIT;
    options.flags = flags;
    options.part_size_bytes = PART_BYTES;
    options.connections = 1;
    options.progress = on_progress;
    options.user = &progress;
    return options;
}

static void check_same(const hyd_store *store, const char *one, const hyd_store *other_store,
                       const char *other) {
    hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
    CHECK_STATUS(HYD_OK, hyd_verify(store, TEXT(one), other_store, TEXT(other), NULL, &report, &error));
    CHECK(report.bytes == OBJECT_BYTES && report.healed_parts == 0 && report.crc64nvme != 0);
}

static void copies(const hyd_store *store, int is_s3) {
    hyd_copy_options options = copy_options(0);
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT, source = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;

    begin_progress(0);
    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("object"), store, TEXT("copy"), &options, &meta, &report,
                                  &error));
    CHECK(meta.size_bytes == OBJECT_BYTES && report.bytes == OBJECT_BYTES && report.parts > 0);
    CHECK(report.way == (is_s3 ? HYD_WAY_ON_SERVER : HYD_WAY_STREAMED));
    CHECK((report.flags == HYD_COPIED_CRC64NVME) == !is_s3);
    CHECK(progress.calls > 0 && progress.done == OBJECT_BYTES && progress.total == OBJECT_BYTES);
    begin_progress(0);
    options.flags = HYD_COPY_STREAMED;
    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("object"), store, TEXT("copy"), &options, &meta, &report,
                                  &error));
    CHECK(report.way == HYD_WAY_STREAMED && report.flags == HYD_COPIED_CRC64NVME);
    CHECK(report.parts == 5 && report.crc64nvme != 0 && report.resumed_bytes == 0);
    CHECK(progress.calls == 5 && progress.done == OBJECT_BYTES);
    CHECK(report.fell_back[0] == '\0' && report.began_anew[0] == '\0');
    check_same(store, "object", store, "copy");

    /* Only if: what is there is another one, or none; what is read is that version. */
    options.progress = NULL;
    options.flags = HYD_COPY_IF_ABSENT;
    CHECK_STATUS(HYD_E_CONDITION, hyd_copy(store, TEXT("object"), store, TEXT("copy"), &options, NULL,
                                           NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("object"), store, TEXT("second"), &options, NULL, &report,
                                  &error));
    CHECK(report.way == HYD_WAY_STREAMED && strstr(report.fell_back, "condition") != NULL);
    options.flags = 0;
    options.if_match = meta.etag;
    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("object"), store, TEXT("copy"), &options, &meta, NULL,
                                  &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("object"), NULL, &source, NULL, &error));
    options.if_match = NULL;
    options.get = &get;
    get.if_none_match = source.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_copy(store, TEXT("object"), store, TEXT("third"), &options, NULL,
                                           NULL, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("third"), NULL, &meta, NULL, &error));

    /* What makes no sense. */
    get.flags = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    options.get = NULL;
    options.flags = 8;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    options.flags = HYD_COPY_IF_ABSENT;
    options.if_match = meta.etag;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    options.if_match = "no tag";
    options.flags = 0;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    options.if_match = NULL;
    options.reserved = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    options.reserved = 0;
    options.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), &options, NULL, NULL,
                                         &error));
    report.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("object"), store, TEXT("x"), NULL, NULL, &report,
                                         &error));
}

static void copies_by_requests(const hyd_store *store, const hyd_cq *cq) {
    hyd_copy_options options = copy_options(HYD_COPY_STREAMED);
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_request request = request_of(HYD_OP_COPY, "object");

    begin_progress(0);
    request.aux = "by request";
    request.aux_len = 10;
    request.copy = &options;
    request.report = &report;
    request.meta = &meta;
    do_one(store, cq, &request, HYD_OK);
    CHECK(report.bytes == OBJECT_BYTES && report.parts == 5 && meta.size_bytes == OBJECT_BYTES);
    CHECK(progress.calls == 5 && progress.done == OBJECT_BYTES);
    report.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request.report = NULL;
    options.flags = 8;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    options.flags = HYD_COPY_IF_ABSENT;
    do_one(store, cq, &request, HYD_E_CONDITION);
    /* Others have no use for it. */
    request = request_of(HYD_OP_DELETE, "object");
    request.copy = &options;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_HEAD, "object");
    request.meta = &meta;
    do_one(store, cq, &request, HYD_OK);
    request.get = &get;
    get.if_none_match = meta.etag;
    do_one(store, cq, &request, HYD_E_CONDITION);
}

/* Cancels a copy to or from a file once some parts have come. */
static void begin_and_cancel(const hyd_store *store, const hyd_cq *cq, uint32_t op, const char *key,
                             const char *path) {
    hyd_copy_options options = copy_options(HYD_COPY_KEEP);
    hyd_request request = request_of(op, key);
    hyd_event event;
    size_t count = 0;
    uint64_t id = 0;

    begin_progress(3);
    request.aux = path;
    request.aux_len = strlen(path);
    request.copy = &options;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, &id, NULL, &error));
    pthread_mutex_lock(&progress.lock);
    while (progress.calls < progress.stops_at) {
        pthread_cond_wait(&progress.changed, &progress.lock);
    }
    CHECK(hyd_cancel(cq, id) == HYD_OK);
    progress.may_go_on = 1;
    pthread_cond_broadcast(&progress.changed);
    pthread_mutex_unlock(&progress.lock);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_E_CANCELLED);
    hyd_error_free(event.error);
}

static void kept_files(const hyd_store *store, const hyd_store *files, const hyd_cq *cq,
                       const char *folder) {
    hyd_copy_options options = copy_options(HYD_COPY_KEEP);
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    char path[4096];

    CHECK(snprintf(path, sizeof path, "%s/kept", folder) < (int)sizeof path);
    begin_and_cancel(store, cq, HYD_OP_GET_TO_FILE, "object", path);
    CHECK(access(path, F_OK) != 0);
    begin_progress(0);
    CHECK_STATUS(HYD_OK, hyd_get_to_file(store, TEXT("object"), TEXT(path), &options, NULL, &report,
                                         &error));
    CHECK(report.resumed_bytes >= PART_BYTES && report.began_anew[0] == '\0');
    check_same(store, "object", files, path);
}

static void kept_uploads(const hyd_store *store, const hyd_cq *cq, const char *folder) {
    hyd_copy_options options = copy_options(HYD_COPY_KEEP);
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    hyd_uploads *uploads = NULL;
    hyd_upload entries[4];
    size_t count = 0;
    char path[4096];

    CHECK(snprintf(path, sizeof path, "%s/kept", folder) < (int)sizeof path);
    begin_and_cancel(store, cq, HYD_OP_PUT_FROM_FILE, "left/kept", path);
    begin_progress(0);
    CHECK_STATUS(HYD_OK, hyd_put_from_file(store, TEXT("left/kept"), TEXT(path), &options, NULL,
                                           &report, &error));
    CHECK(report.resumed_bytes >= PART_BYTES && report.began_anew[0] == '\0');
    check_same(store, "object", store, "left/kept");

    /* What is left is found, and thrown away. */
    begin_and_cancel(store, cq, HYD_OP_PUT_FROM_FILE, "left/anew", path);
    CHECK_STATUS(HYD_OK, hyd_uploads_open(store, TEXT("left/"), &uploads, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(uploads, entries, 4, &count, &error));
    CHECK(count == 1 && entries[0].key_len == 9 && memcmp(entries[0].key, "left/anew", 9) == 0);
    CHECK(entries[0].upload_id_len > 0 && entries[0].initiated_unix_ns > 0);
    CHECK_STATUS(HYD_OK, hyd_upload_abort(store, entries[0].key, entries[0].key_len,
                                          entries[0].upload_id, entries[0].upload_id_len, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_upload_abort(store, entries[0].key, entries[0].key_len,
                                                   entries[0].upload_id, entries[0].upload_id_len,
                                                   &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(uploads, entries, 4, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_next(uploads, NULL, 4, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_next(uploads, entries, 4, NULL, &error));
    CHECK(hyd_uploads_close(uploads) == HYD_OK);
    CHECK(hyd_uploads_close(uploads) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_uploads_next(uploads, entries, 4, &count, &error));
    begin_progress(0);
    CHECK_STATUS(HYD_OK, hyd_put_from_file(store, TEXT("left/anew"), TEXT(path), &options, NULL,
                                           &report, &error));
    CHECK(report.resumed_bytes == 0 && report.began_anew[0] != '\0');
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_open(store, NULL, 1, &uploads, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_open(store, "x", 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_upload_abort(store, "x", 1, NULL, 1, &error));
}

static void no_uploads(const hyd_store *store) {
    hyd_uploads *uploads = NULL;
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_uploads_open(store, "", 0, &uploads, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_upload_abort(store, "x", 1, "y", 1, &error));
    CHECK(uploads == NULL && hyd_uploads_close(NULL) == HYD_OK);
}

static void comparing(const hyd_store *store, const hyd_store *files) {
    hyd_verify_options options = HYD_VERIFY_OPTIONS_INIT;
    hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
    hyd_error *error = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_engine *foreign = small_engine(0);
    hyd_store *elsewhere = open_store(foreign, "mem://elsewhere");

    begin_progress(0);
    options.part_size_bytes = PART_BYTES;
    options.connections = 2;
    options.progress = on_progress;
    options.user = &progress;
    CHECK_STATUS(HYD_OK, hyd_verify(store, TEXT("object"), store, TEXT("copy"), &options, &report,
                                    &error));
    CHECK(progress.calls == 5 && progress.done == OBJECT_BYTES && report.bytes == OBJECT_BYTES);
    object[OBJECT_BYTES - 1] ^= 1;
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("other"), object, OBJECT_BYTES, NULL, NULL, &error));
    object[OBJECT_BYTES - 1] ^= 1;
    report.bytes = 77;
    CHECK(hyd_verify(store, TEXT("object"), store, TEXT("other"), NULL, &report, &error) ==
          HYD_E_INTEGRITY);
    CHECK(hyd_error_info(error, &view) == HYD_OK && strstr(view.message, "differ") != NULL);
    CHECK(report.bytes == 77);
    hyd_error_free(error);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_verify(store, TEXT("object"), store, TEXT("none"), NULL, NULL,
                                             &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_verify(store, TEXT("object"), elsewhere, TEXT("x"), NULL, NULL,
                                           &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_verify(store, TEXT("object"), NULL, TEXT("x"), NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_verify(store, NULL, 1, files, TEXT("x"), NULL, NULL, &error));
    options.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_verify(store, TEXT("object"), store, TEXT("copy"), &options, NULL,
                                           &error));
    report.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_verify(store, TEXT("object"), store, TEXT("copy"), NULL, &report,
                                           &error));
    CHECK(hyd_store_close(elsewhere) == HYD_OK);
    CHECK(hyd_engine_destroy(foreign) == HYD_OK);
}

/* What was told of keys; on one core, so one call at a time. */
struct told {
    size_t keys, bad;
    char last[64];
};

static void on_deleted(void *user, const hyd_deleted *outcomes, size_t count) {
    struct told *told = user;
    size_t i;
    CHECK(count > 0);
    for (i = 0; i < count; i++) {
        CHECK(outcomes[i].key_len < sizeof told->last && outcomes[i].reserved == 0);
        CHECK((outcomes[i].message_len == 0) == (outcomes[i].status == HYD_OK));
        memcpy(told->last, outcomes[i].key, outcomes[i].key_len);
        told->last[outcomes[i].key_len] = '\0';
        told->bad += outcomes[i].status != HYD_OK;
    }
    told->keys += count;
}

static void deletes(const hyd_engine *engine, const hyd_store *store, const char *missing) {
    enum { OBJECTS = 1234 };
    hyd_delete_report report = HYD_DELETE_REPORT_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_store *nowhere = open_store(engine, missing);
    struct told told = {0, 0, ""};
    hyd_text *keys = calloc(OBJECTS, sizeof *keys);
    hyd_status *results = calloc(OBJECTS, sizeof *results);
    char (*names)[32] = calloc(OBJECTS, sizeof *names), key[32];
    size_t i;

    CHECK(keys != NULL && results != NULL && names != NULL);
    for (i = 0; i < OBJECTS; i++) {
        sprintf(names[i], "many/%04u", (unsigned)i);
        keys[i].text = names[i];
        keys[i].len = strlen(names[i]);
        results[i] = 77;
        CHECK_STATUS(HYD_OK, hyd_put(store, TEXT(names[i]), "x", 1, NULL, NULL, &error));
    }
    CHECK_STATUS(HYD_OK, hyd_delete(store, keys, OBJECTS, results, &error));
    for (i = 0; i < OBJECTS; i++) {
        CHECK(results[i] == HYD_OK);
    }
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT(names[7]), NULL, &meta, NULL, &error));
    for (i = 0; i < 25; i++) {
        sprintf(key, "prefix/%02u", (unsigned)i);
        CHECK_STATUS(HYD_OK, hyd_put(store, TEXT(key), "x", 1, NULL, NULL, &error));
    }
    CHECK_STATUS(HYD_OK, hyd_delete_prefix(store, TEXT("prefix/"), on_deleted, &told, &report, &error));
    CHECK(report.deleted == 25 && report.failed == 0 && told.keys == 25 && told.bad == 0);
    CHECK(strncmp(told.last, "prefix/", 7) == 0);
    CHECK_STATUS(HYD_OK, hyd_delete_prefix(store, TEXT("prefix/"), NULL, NULL, &report, &error));
    CHECK(report.deleted == 0 && report.failed == 0);
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("object"), NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_prefix(store, NULL, 1, NULL, NULL, NULL, &error));
    report.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_prefix(store, "x", 1, NULL, NULL, &report, &error));
    report.struct_size = sizeof report;
    report.deleted = 77;
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_delete_prefix(nowhere, "x", 1, NULL, NULL, &report, &error));
    CHECK(report.deleted == 77);
    CHECK(hyd_store_close(nowhere) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_delete_prefix(nowhere, "x", 1, NULL, NULL, NULL, &error));
    free(names);
    free(results);
    free(keys);
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store, *files;
    hyd_cq *cq;
    int is_s3;

    CHECK(argc == 4);
    alarm(SECONDS_MAX);
    is_s3 = strncmp(argv[1], "s3:", 3) == 0;
    object = filled(OBJECT_BYTES, 5);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    files = open_store(engine, "file:///");
    cq = new_queue(engine, 0);
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("object"), object, OBJECT_BYTES, NULL, NULL, &error));
    copies(store, is_s3);
    copies_by_requests(store, cq);
    kept_files(store, files, cq, argv[2]);
    if (is_s3) {
        kept_uploads(store, cq, argv[2]);
    } else {
        no_uploads(store);
    }
    comparing(store, files);
    deletes(engine, store, argv[3]);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(hyd_store_close(files) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK);
    free(object);
    puts("transfers are told of");
    return EXIT_SUCCESS;
}

/*
 * Functions of hydrant.h are handed NULL, a handle that has ended, and structs of sizes that no version has, as
 * far as they take such; they say so, and touch nothing. A test compares these texts with the header.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include "check.h"

/* One handle of each kind: those that live, and those that have ended. */
static struct handles {
    hyd_engine *engine;
    hyd_store *store;
    hyd_buf *buf;
    hyd_mem *mem;
    hyd_options *options;
    hyd_attributes *attributes;
    hyd_uploads *uploads;
    hyd_buckets *buckets;
    hyd_versions *versions;
    hyd_parts *parts;
    hyd_multipart *multipart;
    hyd_uploaded_parts *uploaded;
    hyd_s3_object *object;
    hyd_tags *tags;
    hyd_presigned *presigned;
    hyd_list *list;
    hyd_writer *writer;
    hyd_cq *cq;
    hyd_error *failure;
} live, ended;

static unsigned char memory[64];

/* `call` names its handle by the kind. */
#define CHECKS(type, kind, call)                                                         \
    do {                                                                                 \
        type *kind = NULL;                                                               \
        CHECK_STATUS(HYD_E_INVALID, call);                                               \
        kind = ended.kind;                                                               \
        CHECK_STATUS(HYD_E_HANDLE, call);                                                \
    } while (0)

/* The same of what ends one: NULL is fine. */
#define ENDS(type, kind, call)                                                           \
    do {                                                                                 \
        type *kind = NULL;                                                               \
        CHECK_STATUS(HYD_OK, call);                                                      \
        kind = ended.kind;                                                               \
        CHECK_STATUS(HYD_E_HANDLE, call);                                                \
    } while (0)

#define REFUSES(call) CHECK_STATUS(HYD_E_INVALID, call)

static inline struct handles made(const char *uri) {
    struct handles all;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    all.engine = small_engine(0);
    all.store = open_store(all.engine, uri);
    all.options = hyd_options_new();
    CHECK_STATUS(HYD_OK, hyd_buf_lend(all.engine, 1, &all.buf, &error));
    CHECK_STATUS(HYD_OK, hyd_mem_register(all.engine, memory, sizeof memory, &all.mem, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(all.store, TEXT("k"), NULL, &meta, &all.attributes, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_open(all.store, NULL, 0, &all.uploads, &error));
    CHECK_STATUS(HYD_OK, hyd_buckets_open(all.store, NULL, 0, NULL, &all.buckets, &error));
    CHECK_STATUS(HYD_OK, hyd_versions_open(all.store, NULL, 0, NULL, &all.versions, &error));
    CHECK_STATUS(HYD_OK, hyd_parts_open(all.store, TEXT("k"), NULL, &all.parts, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_open(all.store, TEXT("k"), TEXT("u"), NULL, 0, &all.multipart, &error));
    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_open(all.multipart, &all.uploaded, &error));
    CHECK_STATUS(HYD_OK, hyd_s3_stat(all.store, TEXT("k"), NULL, 0, NULL, &all.object, &error));
    CHECK_STATUS(HYD_OK, hyd_tags_get(all.store, TEXT("tagged"), NULL, &all.tags, &error));
    CHECK_STATUS(HYD_OK, hyd_presign_request(all.store, HYD_PRESIGN_GET, TEXT("k"), 60, NULL,
                                             &all.presigned, &error));
    CHECK_STATUS(HYD_OK, hyd_list_open(all.store, NULL, 0, NULL, 0, 0, 0, &all.list, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_open(all.store, TEXT("k"), NULL, &all.writer, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_create(all.engine, 1, &all.cq, &error));
    CHECK(hyd_put(NULL, "k", 1, NULL, 0, NULL, NULL, &all.failure) == HYD_E_INVALID);
    return all;
}

static inline void end(struct handles all) {
    CHECK(hyd_cq_destroy(all.cq) == HYD_OK && hyd_writer_abort(all.writer) == HYD_OK);
    CHECK(hyd_list_close(all.list) == HYD_OK && hyd_presigned_free(all.presigned) == HYD_OK);
    CHECK(hyd_tags_free(all.tags) == HYD_OK && hyd_parts_close(all.parts) == HYD_OK);
    CHECK(hyd_uploaded_parts_close(all.uploaded) == HYD_OK);
    CHECK(hyd_s3_object_free(all.object) == HYD_OK);
    CHECK(hyd_multipart_close(all.multipart) == HYD_OK);
    CHECK(hyd_versions_close(all.versions) == HYD_OK && hyd_buckets_close(all.buckets) == HYD_OK);
    CHECK(hyd_uploads_close(all.uploads) == HYD_OK && hyd_options_free(all.options) == HYD_OK);
    CHECK(hyd_attributes_free(all.attributes) == HYD_OK && hyd_mem_unregister(all.mem) == HYD_OK);
    CHECK(hyd_buf_release(all.buf) == HYD_OK && hyd_store_close(all.store) == HYD_OK);
    CHECK(hyd_engine_destroy(all.engine) == HYD_OK);
    hyd_error_free(all.failure);
}

/* Those that have ended, and those that live. */
static inline void begin_refusals(const char *uri) {
    ended = made(uri);
    end(ended);
    live = made(uri);
}

#endif

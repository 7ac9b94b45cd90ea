/*
 * What only a server of S3 has: buckets, tags, versions, parts, unfinished uploads. Stores in memory
 * refuse all of it; the faulty server answers, as it likes.
 */
#include "world.h"

#include <string.h>

/* A store whose server breaks off, lies and refuses; nobody waits for it to get better. */
void open_faulty_store(void) {
    static const char *const settings[][2] = {
        {"region", "us-east-1"}, {"access_key_id", "AKID"}, {"secret_access_key", "secret"},
        {"stall_seconds", "5"},  {"tries", "1"},
    };
    hyd_engine *engine = some(ENGINE);
    hyd_options *options = hyd_options_new();
    if (options == NULL) return;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        HOLDS(hyd_options_set(options, settings[i][0], settings[i][1], NULL) == HYD_OK);
    }
    if (input_byte() % 4 == 0) HOLDS(hyd_options_set(options, "tries", "2", NULL) == HYD_OK);
    HOLDS(hyd_options_set(options, "endpoint", faulty_endpoint(), NULL) == HYD_OK);
    hyd_store *store = NULL;
    if (ended(hyd_store_open(engine, "s3://bucket/", options, &store, error_place()))) gave(STORE, store);
    hyd_options_free(options);
}

const hyd_s3_get_options *some_s3_get_options(void) {
    hyd_s3_get_options options = HYD_S3_GET_OPTIONS_INIT;
    if (input_byte() % 16 != 15) return NULL;
    options.flags = input_number(3);
    options.customer_key = input_byte() % 2 == 0 ? memory(32) : NULL;
    options.expected_bucket_owner = some_c_text();
    return some_struct(&options, sizeof options);
}

static void ask_bucket(hyd_store *store, const hyd_s3_get_options *who) {
    const hyd_bucket_options making = HYD_BUCKET_OPTIONS_INIT;
    const hyd_bucket_info telling = HYD_BUCKET_INFO_INIT;
    uint32_t versioning = 7;
    uint8_t how = input_byte() % 6;
    hyd_bucket_info *info = some_struct(&telling, sizeof telling);
    switch (how) {
    case 0: ended(hyd_bucket_create(store, some_struct(&making, sizeof making), error_place())); break;
    case 1: ended(hyd_bucket_delete(store, who, error_place())); break;
    case 2: ended(hyd_bucket_head(store, who, info, error_place())); break;
    case 3: ended(hyd_bucket_location(store, who, info, error_place())); break;
    case 4: {
        uint32_t *place = some_place(&versioning);
        if (ended(hyd_bucket_versioning_get(store, who, place, error_place()))) {
            HOLDS((versioning & ~HYD_VERSIONING_MFA_DELETE) <= HYD_VERSIONING_SUSPENDED);
        }
        break;
    }
    default: {
        uint32_t wanted = input_byte() % 16;
        const char *mfa = some_c_text();
        ended(hyd_bucket_versioning_set(store, who, wanted, mfa, error_place()));
    }
    }
}

static void ask_buckets(hyd_store *store) {
    hyd_buckets *listed = NULL, *some_listed = some(BUCKETS);
    hyd_bucket entries[2];
    size_t len, count = 0;
    const char *prefix = some_text(&len);
    switch (input_byte() % 4) {
    case 0: told(hyd_buckets_close(some_listed)); break;
    case 1:
        if (ended(hyd_buckets_open(store, prefix, len, NULL, &listed, error_place()))) gave(BUCKETS, listed);
        break;
    default:
        if (!ended(hyd_buckets_next(some_listed, entries, 2, &count, error_place()))) return;
        for (size_t i = 0; i < count; i++) touch(entries[i].name, entries[i].name_len);
    }
}

static void ask_versions(hyd_store *store, const hyd_s3_get_options *who) {
    hyd_versions *listed = NULL, *some_listed = some(VERSIONS);
    hyd_version_entry entries[2];
    size_t len, id_len, count = 0;
    const char *key = some_text(&len), *id = some_text(&id_len), *mfa = some_c_text();
    switch (input_byte() % 5) {
    case 0: told(hyd_versions_close(some_listed)); break;
    case 1:
        if (ended(hyd_versions_open(store, key, len, who, &listed, error_place()))) gave(VERSIONS, listed);
        break;
    case 2: {
        uint32_t flags = input_byte() % 4;
        ended(hyd_version_delete(store, key, len, id, id_len, who, mfa, flags, error_place()));
        break;
    }
    default:
        if (!ended(hyd_versions_next(some_listed, entries, 2, &count, error_place()))) return;
        for (size_t i = 0; i < count; i++) {
            touch(entries[i].key, entries[i].key_len);
            touch(entries[i].version_id, entries[i].version_id_len);
        }
    }
}

static void ask_parts(hyd_store *store) {
    hyd_parts *listed = NULL, *some_listed = some(PARTS);
    hyd_part entries[2];
    uint64_t total = 0;
    size_t len, count = 0;
    const char *key = some_text(&len);
    const hyd_get_options *options = some_get_options();
    switch (input_byte() % 4) {
    case 0: told(hyd_parts_close(some_listed)); break;
    case 1: {
        uint64_t *place = some_place(&total);
        if (ended(hyd_parts_open(store, key, len, options, &listed, place, error_place()))) {
            gave(PARTS, listed);
        }
        break;
    }
    default:
        if (!ended(hyd_parts_next(some_listed, entries, 2, &count, error_place()))) return;
        for (size_t i = 0; i < count; i++) touch(entries[i].checksum, entries[i].checksum_len);
    }
}

static void ask_tags(hyd_store *store) {
    hyd_tags *held = NULL, *some_held = some(TAGS);
    const hyd_pair *pairs = NULL;
    size_t len, count = input_number(3);
    const char *key = some_text(&len);
    const hyd_get_options *options = some_get_options();
    hyd_pair *wanted = memory(count * sizeof *wanted);
    for (size_t i = 0; i < count; i++) wanted[i].name = some_c_text(), wanted[i].value = some_c_text();
    switch (input_byte() % 4) {
    case 0: told(hyd_tags_free(some_held)); break;
    case 1:
        if (ended(hyd_tags_get(store, key, len, options, &held, error_place()))) gave(TAGS, held);
        break;
    case 2: ended(hyd_tags_set(store, key, len, options, wanted, count, error_place())); break;
    default:
        if (!told(hyd_tags_view(some_held, &pairs, &count))) return;
        for (size_t i = 0; i < count; i++) {
            touch(pairs[i].name, strlen(pairs[i].name) + 1);
            touch(pairs[i].value, strlen(pairs[i].value) + 1);
        }
    }
}

void ask_service(void) {
    hyd_store *store = some(STORE);
    const hyd_s3_get_options *who = some_s3_get_options();
    switch (input_byte() % 5) {
    case 0: ask_bucket(store, who); break;
    case 1: ask_buckets(store); break;
    case 2: ask_versions(store, who); break;
    case 3: ask_parts(store); break;
    default: ask_tags(store);
    }
}

static void begin_by_hand(hyd_store *store, const char *key, size_t key_len) {
    size_t id_len;
    const char *id = some_text(&id_len);
    const hyd_put_options *options = some_put_options();
    uint32_t algorithm = input_number(8);
    hyd_multipart *made = NULL;
    hyd_multipart **place = some_place(&made);
    hyd_status status;
    if (input_byte() % 4 == 0) {
        status = hyd_multipart_create(store, key, key_len, options, algorithm, place, error_place());
    } else {
        status = hyd_multipart_open(store, key, key_len, id, id_len, options, algorithm, place, error_place());
    }
    if (ended(status)) gave(MULTIPART, made);
}

static void use_by_hand(hyd_store *store, const char *key, size_t key_len) {
    enum { BYTES = 100, PARTS_MOST = 3 };
    hyd_multipart *upload = some(MULTIPART);
    uint32_t number = input_byte() < 224 ? 1 + input_number(3) : (uint32_t)input_wide();
    hyd_uploaded_part *parts = memory(PARTS_MOST * sizeof *parts);
    size_t count = input_number(PARTS_MOST + 1);
    switch (input_byte() % 6) {
    case 0: {
        const char *id = NULL;
        size_t len = 0;
        if (told(hyd_multipart_id(upload, some_place(&id), &len))) HOLDS(strlen(id) == len);
        break;
    }
    case 1: {
        hyd_part_source source = HYD_PART_SOURCE_INIT;
        source.offset = input_number(4), source.len = input_byte() < 224 ? input_number(4) : input_wide();
        source.get = some_get_options();
        const hyd_part_source *copied = some_struct(&source, sizeof source);
        ended(hyd_multipart_copy(upload, number, store, key, key_len, copied, parts, error_place()));
        break;
    }
    case 2: ended(hyd_multipart_abort(upload, error_place())); break;
    case 3:
        for (size_t i = 0; i < count; i++) {
            parts[i].number = (uint32_t)i + number, parts[i].checksum_algorithm = input_number(3) / 2;
            memset(parts[i].etag, input_byte(), input_number(sizeof parts[i].etag + 1));
        }
        if (input_byte() % 2 == 0) {
            ended(hyd_multipart_complete(upload, parts, count, NULL, error_place()));
        } else {
            hyd_complete_options wanted = HYD_COMPLETE_OPTIONS_INIT;
            wanted.object_bytes = input_number(3);
            wanted.checksum = some_c_text();
            wanted.checksum_algorithm = input_number(7);
            const hyd_complete_options *how = some_struct(&wanted, sizeof wanted);
            ended(hyd_multipart_complete_as(upload, parts, count, how, NULL, error_place()));
        }
        break;
    case 4: told(hyd_multipart_close(upload)); break;
    default: {
        void *data = memory(BYTES);
        ended(hyd_multipart_put(upload, number, data, some_len(BYTES), some_place(parts), error_place()));
    }
    }
}

static void list_by_hand(void) {
    hyd_uploaded_parts *listed = NULL, *some_listed = some(UPLOADED);
    hyd_uploaded_part parts[2];
    size_t count = 0;
    switch (input_byte() % 3) {
    case 0: told(hyd_uploaded_parts_close(some_listed)); break;
    case 1:
        if (ended(hyd_uploaded_parts_open(some(MULTIPART), &listed, error_place()))) gave(UPLOADED, listed);
        break;
    default:
        if (!ended(hyd_uploaded_parts_next(some_listed, parts, 2, &count, error_place()))) return;
        HOLDS(count <= 2);
        touch(parts, count * sizeof *parts);
    }
}

static void describe(hyd_store *store, const char *key, size_t key_len) {
    const hyd_s3_object_view whole = HYD_S3_OBJECT_VIEW_INIT;
    const hyd_get_options *options = some_get_options();
    uint32_t number = input_byte() < 224 ? input_number(3) : (uint32_t)input_wide();
    hyd_s3_object *told_of = NULL;
    hyd_buf *buf = NULL;
    switch (input_byte() % 4) {
    case 0: told(hyd_s3_object_free(some(S3_OBJECT))); break;
    case 1:
        if (ended(hyd_s3_get_part(store, key, key_len, options, number, input_number(4096), &buf, NULL,
                                  error_place()))) {
            gave(BUF, buf);
        }
        break;
    case 2:
        if (ended(hyd_s3_stat(store, key, key_len, options, number, NULL, &told_of, error_place()))) {
            gave(S3_OBJECT, told_of);
        }
        break;
    default: {
        hyd_s3_object_view *view = some_struct(&whole, sizeof whole);
        if (!told(hyd_s3_object_info(some(S3_OBJECT), view)) || view->struct_size < sizeof whole) return;
        if (view->storage_class != NULL) touch(view->storage_class, strlen(view->storage_class) + 1);
        for (size_t i = 0; i < view->checksums_count; i++) {
            touch(view->checksums[i].value, strlen(view->checksums[i].value) + 1);
        }
    }
    }
}

static void delete_objects(hyd_store *store) {
    hyd_delete_options options = HYD_DELETE_OPTIONS_INIT;
    size_t count = input_number(4);
    hyd_delete_object *objects = memory(count * sizeof *objects);
    for (size_t i = 0; i < count; i++) {
        objects[i].key = some_text(&objects[i].key_len);
        if (input_byte() % 2 == 0) objects[i].version_id = some_text(&objects[i].version_id_len);
        if (input_byte() % 4 == 0) objects[i].if_match = some_c_text();
    }
    options.flags = input_number(3);
    options.mfa = input_byte() % 4 == 0 ? some_c_text() : NULL;
    options.s3 = some_s3_get_options();
    const hyd_delete_options *how = some_struct(&options, sizeof options);
    ended(hyd_delete_objects(store, objects, count, how, error_place()));
}

void by_hand(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    switch (input_byte() % 8) {
    case 0: begin_by_hand(store, key, key_len); break;
    case 1: list_by_hand(); break;
    case 2: case 3: describe(store, key, key_len); break;
    case 4: delete_objects(store); break;
    default: use_by_hand(store, key, key_len);
    }
}

void uploads(void) {
    size_t key_len, id_len, count = 0;
    hyd_uploads *opened = NULL;
    hyd_upload entry;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len), *id = some_text(&id_len);
    switch (input_byte() % 4) {
    case 0: told(hyd_uploads_close(some(UPLOADS))); break;
    case 1:
        if (ended(hyd_uploads_next(some(UPLOADS), &entry, 1, &count, error_place())) && count == 1) {
            touch(entry.key, entry.key_len);
        }
        break;
    case 2: ended(hyd_upload_abort(store, key, key_len, id, id_len, error_place())); break;
    default:
        if (ended(hyd_uploads_open(store, key, key_len, &opened, error_place()))) {
            gave(UPLOADS, opened);
        }
    }
}

/*
 * What S3 does by hand: uploads part by part, of which a server copies some; deletes with versions and
 * conditions, each with an outcome of its own; all that is said of an object that is locked.
 *
 *     byhand URI PEER ROOT
 *
 * URI is an empty bucket. The server at PEER takes whatever it is asked for; the test looks at what that was.
 * ROOT is a folder that is not there yet.
 */
#include "check.h"

enum { PART = 5 * 1024 * 1024, TAIL = 1000 };

static unsigned char bytes[2 * PART + TAIL];

static const unsigned char KEY[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                      7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

/* The parts that the server has, `max` at a time. */
static size_t parts_of(const hyd_multipart *upload, hyd_uploaded_part *parts, size_t room, size_t max) {
    hyd_uploaded_parts *listed = NULL;
    size_t count = 0, all = 0;

    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_open(upload, &listed, &error));
    do {
        CHECK(all + max <= room);
        CHECK_STATUS(HYD_OK, hyd_uploaded_parts_next(listed, parts + all, max, &count, &error));
        all += count;
    } while (count > 0);
    CHECK(hyd_uploaded_parts_close(listed) == HYD_OK);
    CHECK(hyd_uploaded_parts_close(listed) == HYD_E_HANDLE);
    return all;
}

static void an_upload(const hyd_store *store) {
    hyd_put_options put_options = HYD_PUT_OPTIONS_INIT;
    hyd_part_source source = HYD_PART_SOURCE_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT, stat = HYD_OBJECT_META_INIT;
    hyd_uploaded_part parts[3], listed[8];
    hyd_multipart *upload = NULL, *again = NULL;
    const char *id = NULL;
    size_t id_len = 0, i;

    put(store, "source", bytes, sizeof bytes);
    put_options.content_type = "text/parts";
    CHECK_STATUS(HYD_OK, hyd_multipart_create(store, TEXT("by hand"), &put_options,
                                              HYD_CHECKSUM_CRC64NVME, &upload, &error));
    CHECK(hyd_multipart_id(upload, &id, &id_len) == HYD_OK && id_len > 0 && strlen(id) == id_len);

    /* From here, the last first; and out of another object, by another handle of the same upload. */
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 9, bytes + 2 * PART, TAIL, &parts[2], &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 1, bytes + PART, PART, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 1, bytes, PART, &parts[0], &error));
    CHECK(parts[0].number == 1 && parts[0].size_bytes == PART && parts[0].etag[0] == '"');
    CHECK(parts[0].checksum_algorithm == HYD_CHECKSUM_CRC64NVME && strlen(parts[0].checksum) == 12);
    CHECK_STATUS(HYD_OK, hyd_multipart_open(store, TEXT("by hand"), id, id_len, &put_options,
                                            HYD_CHECKSUM_CRC64NVME, &again, &error));
    source.offset = PART;
    source.len = PART;
    CHECK_STATUS(HYD_OK, hyd_multipart_copy(again, 2, store, TEXT("source"), &source, &parts[1], &error));
    CHECK(parts[1].number == 2 && parts[1].size_bytes == PART && parts[1].etag[0] == '"');

    for (i = 1; i <= 3; i += 2) {
        CHECK(parts_of(upload, listed, 8, i) == 3);
    }
    for (i = 0; i < 3; i++) {
        CHECK(listed[i].number == parts[i].number && listed[i].size_bytes == parts[i].size_bytes);
        CHECK(strcmp(listed[i].etag, parts[i].etag) == 0);
    }
    /* Nothing is there yet, and parts that are not in order make nothing. */
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("by hand"), NULL, &stat, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, listed + 1, 0, NULL, &error));
    listed[1].number = 10;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, listed, 3, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_complete(upload, parts, 3, &meta, &error));
    CHECK(meta.size_bytes == sizeof bytes && meta.etag[0] == '"');
    CHECK(strcmp(meta.content_type, "text/parts") == 0);
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("by hand"), NULL, &stat, NULL, &error));
    CHECK(strcmp(stat.etag, meta.etag) == 0 && strcmp(stat.content_type, "text/parts") == 0);
    check_object(store, "by hand", bytes, sizeof bytes);

    /* It is over, for both. */
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_multipart_put(again, 3, bytes, 1, NULL, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_multipart_abort(upload, &error));
    CHECK(hyd_multipart_close(again) == HYD_OK && hyd_multipart_close(NULL) == HYD_OK);
    CHECK(hyd_multipart_close(again) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_multipart_abort(again, &error));
    CHECK(hyd_multipart_close(upload) == HYD_OK);
}

/* Completed if it has the bytes and the checksum that it is to have. */
static void wanted(const hyd_store *store, const hyd_store *peer) {
    hyd_complete_options options = HYD_COMPLETE_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_uploaded_part parts[2];
    hyd_multipart *upload = NULL;
    hyd_sum sum, other;

    CHECK_STATUS(HYD_OK, hyd_sum_of(HYD_CHECKSUM_CRC64NVME, bytes, PART + TAIL, &sum, &error));
    CHECK_STATUS(HYD_OK, hyd_sum_of(HYD_CHECKSUM_CRC64NVME, bytes, TAIL, &other, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_create(store, TEXT("wanted"), NULL, HYD_CHECKSUM_CRC64NVME, &upload,
                                              &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 1, bytes, PART, &parts[0], &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 2, bytes + PART, TAIL, &parts[1], &error));
    options.object_bytes = PART;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    /* Nobody but the server knows. */
    parts[1].size_bytes = 0;
    CHECK_STATUS(HYD_E_OTHER, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    parts[1].size_bytes = TAIL;
    options.object_bytes = PART + TAIL;
    options.checksum = other.value;
    options.checksum_algorithm = HYD_CHECKSUM_CRC64NVME;
    CHECK_STATUS(HYD_E_OTHER, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("wanted"), NULL, &meta, NULL, &error));
    options.checksum = sum.value;
    CHECK_STATUS(HYD_OK, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    CHECK(meta.size_bytes == PART + TAIL && meta.checksum_algorithm == HYD_CHECKSUM_CRC64NVME);
    CHECK(strcmp(meta.checksum, sum.value) == 0);
    check_object(store, "wanted", bytes, PART + TAIL);
    CHECK(hyd_multipart_close(upload) == HYD_OK);

    /* A checksum of checksums is none of the bytes. */
    CHECK_STATUS(HYD_OK, hyd_multipart_open(peer, TEXT("wanted"), TEXT("u"), NULL, HYD_CHECKSUM_CRC32C, &upload,
                                            &error));
    options.object_bytes = 0;
    options.checksum = "NhCmhg==-2";
    options.checksum_algorithm = HYD_CHECKSUM_CRC32C | HYD_CHECKSUM_OF_PARTS;
    CHECK_STATUS(HYD_OK, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    CHECK(strcmp(meta.etag, "\"made\"") == 0 && meta.checksum_algorithm == 0 && meta.checksum[0] == '\0');
    CHECK_STATUS(HYD_OK, hyd_multipart_complete_as(upload, parts, 2, NULL, NULL, &error));
    options.checksum = "AAAAAA==-2";
    CHECK_STATUS(HYD_E_INTEGRITY, hyd_multipart_complete_as(upload, parts, 2, &options, &meta, &error));
    options.checksum = "NhCmhg==";
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum = "NhCmhg==-two";
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum = "no checksum";
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum = sum.value;
    options.checksum_algorithm = 0;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum_algorithm = HYD_CHECKSUM_OF_PARTS;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.checksum_algorithm = HYD_CHECKSUM_CRC64NVME;
    options.flags = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    options.flags = 0;
    options.reserved = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete_as(upload, parts, 2, &options, NULL, &error));
    CHECK(hyd_multipart_close(upload) == HYD_OK);
}

/* A whole object as a part; a condition that does not hold; an upload that is thrown away. */
static void other_ends(const hyd_store *store) {
    hyd_put_options options = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_uploaded_part part;
    hyd_uploaded_parts *listed = NULL;
    hyd_multipart *upload = NULL;
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_multipart_create(store, TEXT("whole"), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_multipart_copy(upload, 1, store, TEXT("no-such"), NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_copy(upload, 1, store, TEXT("source"), NULL, &part, &error));
    CHECK(part.size_bytes == 0);
    CHECK_STATUS(HYD_OK, hyd_multipart_complete(upload, &part, 1, &meta, &error));
    CHECK(meta.size_bytes == 0);
    check_object(store, "whole", bytes, sizeof bytes);
    CHECK(hyd_multipart_close(upload) == HYD_OK);

    options.flags = HYD_PUT_IF_ABSENT;
    CHECK_STATUS(HYD_OK, hyd_multipart_create(store, TEXT("whole"), &options, 0, &upload, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_put(upload, 1, "x", 1, &part, &error));
    CHECK(part.checksum_algorithm == 0 && part.checksum[0] == '\0');
    CHECK_STATUS(HYD_E_CONDITION, hyd_multipart_complete(upload, &part, 1, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_abort(upload, &error));
    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_open(upload, &listed, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_uploaded_parts_next(listed, &part, 1, &count, &error));
    CHECK(hyd_uploaded_parts_close(listed) == HYD_OK);
    CHECK(hyd_multipart_close(upload) == HYD_OK);
    check_object(store, "whole", bytes, sizeof bytes);
}

/* What makes no sense is told, and nothing goes out for it. */
static void no_upload(const hyd_engine *engine, const hyd_store *store, const hyd_store *memory) {
    hyd_put_options options = HYD_PUT_OPTIONS_INIT;
    hyd_part_source source = HYD_PART_SOURCE_INIT;
    hyd_uploaded_part part;
    hyd_multipart *upload = NULL;
    hyd_engine *foreign = small_engine(0);
    hyd_store *elsewhere = open_store(foreign, "mem://elsewhere");

    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_multipart_create(memory, TEXT("k"), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_multipart_open(memory, TEXT("k"), TEXT("u"), NULL, 0, &upload,
                                                       &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_create(store, TEXT(""), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_create(store, TEXT("k"), NULL, 99, &upload, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_open(store, TEXT("k"), TEXT("u"), NULL, 99, &upload, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_open(store, TEXT("k"), TEXT(""), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_open(store, TEXT(""), TEXT("u"), NULL, 0, &upload, &error));
    options.size_bytes = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_create(store, TEXT("k"), &options, 0, &upload, &error));
    CHECK(upload == NULL);

    CHECK_STATUS(HYD_OK, hyd_multipart_open(store, TEXT("k"), TEXT("u"), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_put(upload, 0, "x", 1, &part, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_put(upload, HYD_PARTS_MAX + 1, "x", 1, &part, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_multipart_copy(upload, 1, memory, TEXT("k"), NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 1, elsewhere, TEXT("k"), NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 0, store, TEXT("k"), NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 1, store, TEXT(""), NULL, NULL, &error));
    source.offset = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 1, store, TEXT("k"), &source, NULL, &error));
    source.offset = 2;
    source.len = UINT64_MAX;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 1, store, TEXT("k"), &source, NULL, &error));
    source.len = source.reserved = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_copy(upload, 1, store, TEXT("k"), &source, NULL, &error));
    memset(&part, 0, sizeof part);
    part.number = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, &part, 1, NULL, &error));
    memset(part.etag, 'x', sizeof part.etag);
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, &part, 1, NULL, &error));
    strcpy(part.etag, "\"e\"");
    strcpy(part.checksum, "no checksum");
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, &part, 1, NULL, &error));
    part.checksum_algorithm = HYD_CHECKSUM_CRC32;
    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_complete(upload, &part, 1, NULL, &error));
    CHECK(hyd_multipart_close(upload) == HYD_OK);
    CHECK(hyd_store_close(elsewhere) == HYD_OK && hyd_engine_destroy(foreign) == HYD_OK);
    (void)engine;
}

/* A copy of a version of an object, encrypted, of another's bucket. */
static void copied_by_the_peer(const hyd_store *peer) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_part_source source = HYD_PART_SOURCE_INIT;
    hyd_uploaded_part part;
    hyd_multipart *upload = NULL;

    s3.customer_key = KEY;
    s3.expected_bucket_owner = "111122223333";
    s3.flags = HYD_S3_REQUESTER_PAYS;
    get.version_id = "v1";
    get.if_match = "\"e\"";
    get.s3 = &s3;
    source.get = &get;
    source.offset = 3;
    source.len = 4;
    CHECK_STATUS(HYD_OK, hyd_multipart_open(peer, TEXT("parted"), TEXT("a/b"), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_OK, hyd_multipart_copy(upload, 7, peer, TEXT("a source"), &source, &part, &error));
    CHECK(part.number == 7 && part.size_bytes == 4 && strcmp(part.etag, "\"copied\"") == 0);
    CHECK(part.checksum_algorithm == HYD_CHECKSUM_CRC32 && strcmp(part.checksum, "NhCmhg==") == 0);
    CHECK(hyd_multipart_close(upload) == HYD_OK);
}

static void is_gone(const hyd_delete_object *object, hyd_status status, uint32_t flags, const char *version) {
    CHECK(object->status == status && object->flags == flags);
    CHECK(strcmp(object->deleted_version_id, version) == 0);
}

static hyd_delete_object named(const char *key, const char *version) {
    hyd_delete_object object;
    memset(&object, 0x5A, sizeof object);
    object.key = key;
    object.key_len = strlen(key);
    object.version_id = version;
    object.version_id_len = version != NULL ? strlen(version) : 0;
    object.if_match = NULL;
    return object;
}

static void deletes(const hyd_store *store, const hyd_store *peer, const hyd_store *memory) {
    hyd_delete_options options = HYD_DELETE_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_delete_object objects[5];
    hyd_object_meta meta = HYD_OBJECT_META_INIT;

    put(store, "one", "x", 1);
    objects[0] = named("one", NULL);
    objects[1] = named("missing", NULL);
    CHECK_STATUS(HYD_OK, hyd_delete_objects(store, objects, 2, NULL, &error));
    is_gone(&objects[0], HYD_OK, 0, "");
    is_gone(&objects[1], HYD_OK, 0, "");
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("one"), NULL, &meta, NULL, &error));

    /* A version, one that becomes a marker, one that is refused, and two with a condition. */
    s3.flags = HYD_S3_REQUESTER_PAYS;
    s3.expected_bucket_owner = "111122223333";
    options.flags = HYD_DELETE_BYPASS_GOVERNANCE;
    options.mfa = "123 456";
    options.s3 = &s3;
    objects[0] = named("changed", NULL);
    objects[0].if_match = "\"e\"";
    objects[1] = named("versioned", "v1");
    objects[2] = named("marked", NULL);
    objects[3] = named("guarded", NULL);
    objects[4] = named("unchanged", "v/2");
    objects[4].if_match = "\"e\"";
    CHECK_STATUS(HYD_E_CONDITION, hyd_delete_objects(peer, objects, 5, &options, &error));
    is_gone(&objects[0], HYD_E_CONDITION, 0, "");
    is_gone(&objects[1], HYD_OK, 0, "v1");
    is_gone(&objects[2], HYD_OK, HYD_DELETED_MARKER, "m2");
    is_gone(&objects[3], HYD_E_CONFIG, 0, "");
    is_gone(&objects[4], HYD_OK, 0, "");

    /* What makes no sense. */
    CHECK_STATUS(HYD_OK, hyd_delete_objects(peer, NULL, 0, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, NULL, 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(NULL, objects, 1, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_delete_objects(memory, objects, 1, NULL, &error));
    objects[1].if_match = "no tag";
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 2, NULL, &error));
    objects[1] = named("", NULL);
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 2, NULL, &error));
    objects[1] = named("\xff", NULL);
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 2, NULL, &error));
    options.flags = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 1, &options, &error));
    options.flags = 0;
    s3.customer_key = KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 1, &options, &error));
    options.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete_objects(peer, objects, 1, &options, &error));
}

/* Rights, a lock, a website. */
static void locked(const hyd_store *peer) {
    hyd_s3_put_options s3 = HYD_S3_PUT_OPTIONS_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;

    put.s3 = &s3;
    s3.grant_full_control = "id=\"a\"";
    s3.grant_read = "id=\"b\"";
    s3.grant_read_acp = "id=\"c\"";
    s3.grant_write_acp = "id=\"d\"";
    s3.website_redirect_location = "/elsewhere";
    s3.lock_mode = "GOVERNANCE";
    s3.lock_until_unix_s = 4102444800;
    s3.flags = HYD_S3_LEGAL_HOLD;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
    s3.flags = HYD_S3_NO_LEGAL_HOLD;
    s3.lock_mode = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
    s3.lock_until_unix_s = 0;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("unlocked"), "x", 1, &put, NULL, &error));
    s3.lock_mode = "GOVERNANCE";
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
    s3.lock_until_unix_s = -1;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
    s3.lock_until_unix_s = 4102444800;
    s3.lock_mode = "SOME";
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
    s3.lock_mode = "COMPLIANCE";
    s3.flags = HYD_S3_LEGAL_HOLD | HYD_S3_NO_LEGAL_HOLD;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("locked"), "x", 1, &put, NULL, &error));
}

static int says(const char *text, const char *expected) {
    return text != NULL && strcmp(text, expected) == 0;
}

/* All that S3 says, of a part; and hardly anything. */
static void described(const hyd_store *store, const hyd_store *peer, const hyd_store *memory) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_s3_object_view view = HYD_S3_OBJECT_VIEW_INIT;
    hyd_s3_object *told = NULL;
    hyd_buf *buf = NULL;
    void *data = NULL;
    size_t len = 0;

    s3.customer_key = KEY;
    get.version_id = "v1";
    get.if_match = "\"e\"";
    get.s3 = &s3;
    CHECK_STATUS(HYD_OK, hyd_s3_stat(peer, TEXT("described"), &get, 2, &meta, &told, &error));
    CHECK(hyd_s3_object_info(told, &view) == HYD_OK);
    CHECK(meta.size_bytes == 5 && strcmp(meta.version_id, "v1") == 0);
    CHECK(strcmp(meta.content_type, "text/told") == 0);
    CHECK(view.size_bytes == 5 && view.parts == 3 && view.tags == 2 && view.missing_metadata == 1);
    CHECK(view.flags == (HYD_S3_OBJECT_BUCKET_KEY | HYD_S3_OBJECT_CHARGED));
    CHECK(says(view.storage_class, "GLACIER") && says(view.expiration, "soon"));
    CHECK(says(view.restore, "ongoing") && says(view.archive_status, "ARCHIVE_ACCESS"));
    CHECK(says(view.replication_status, "COMPLETED") && says(view.lock_mode, "GOVERNANCE"));
    CHECK(says(view.lock_until, "2100-01-01T00:00:00Z") && says(view.legal_hold, "ON"));
    CHECK(says(view.website_redirect_location, "/there") && says(view.encryption, "aws:kms"));
    CHECK(says(view.kms_key_id, "a-key") && says(view.kms_context, "e30="));
    CHECK(says(view.customer_algorithm, "AES256") && says(view.customer_key_md5, "bWQ1"));
    CHECK(view.checksums_count == 1 && view.checksums[0].algorithm == HYD_CHECKSUM_CRC32);
    CHECK(view.checksums[0].covers == HYD_COVERS_OBJECT && says(view.checksums[0].value, "NhCmhg=="));
    CHECK(hyd_s3_object_free(told) == HYD_OK && hyd_s3_object_free(NULL) == HYD_OK);
    CHECK(hyd_s3_object_free(told) == HYD_E_HANDLE);
    CHECK(hyd_s3_object_info(told, &view) == HYD_E_HANDLE);

    CHECK_STATUS(HYD_OK, hyd_s3_stat(peer, TEXT("plain"), NULL, 0, NULL, &told, &error));
    CHECK(hyd_s3_object_info(told, &view) == HYD_OK);
    CHECK(view.size_bytes == 5 && view.flags == 0 && view.storage_class == NULL);
    CHECK(view.customer_key_md5 == NULL && view.checksums == NULL && view.checksums_count == 0);
    CHECK(hyd_s3_object_free(told) == HYD_OK);

    get.s3 = NULL;
    CHECK_STATUS(HYD_OK, hyd_s3_get_part(peer, TEXT("described"), &get, 2, 100, &buf, &meta, &error));
    CHECK(hyd_buf_view(buf, &data, &len, NULL) == HYD_OK && len == 5 && memcmp(data, "hello", 5) == 0);
    CHECK(meta.size_bytes == 5 && hyd_buf_release(buf) == HYD_OK);

    /* What is not there, and what makes no sense. */
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_s3_stat(store, TEXT("no-such"), NULL, 0, NULL, &told, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_s3_stat(memory, TEXT("k"), NULL, 0, NULL, &told, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_s3_get_part(memory, TEXT("k"), NULL, 1, 9, &buf, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_stat(peer, TEXT("k"), NULL, HYD_PARTS_MAX + 1, NULL, &told, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_get_part(peer, TEXT("k"), NULL, 0, 9, &buf, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_get_part(peer, TEXT("k"), NULL, HYD_PARTS_MAX + 1, 9, &buf, NULL,
                                                &error));
}

/* A store of files whose keys lead beneath a folder. */
static void beneath(const hyd_engine *engine, const char *root) {
    hyd_options *options = hyd_options_new();
    hyd_store *store = NULL, *direct = NULL;
    hyd_list *list = NULL;
    hyd_list_entry entry;
    char above[4096], away[4096];
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_options_set(options, "root", root, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set(options, "root", "", &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, "file:///", options, &store, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, "direct:///", options, &direct, &error));
    CHECK(snprintf(above, sizeof above, "%s/../escaped", root) < (int)sizeof above);
    CHECK(snprintf(away, sizeof away, "%s-away", root) < (int)sizeof away);
    put(store, "one", "beneath", 7);
    check_object(direct, "one", (const unsigned char *)"beneath", 7);
    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("one"), direct, TEXT("a/b"), NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_verify(store, TEXT("one"), direct, TEXT("a/b"), NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_list_open(store, TEXT("a"), NULL, 0, 0, 0, &list, &error));
    CHECK_STATUS(HYD_OK, hyd_list_next(list, &entry, 1, &count, &error));
    CHECK(count == 1 && entry.key_len == 3 && memcmp(entry.key, "a/b", 3) == 0);
    CHECK(hyd_list_close(list) == HYD_OK);

    /* The same key beneath another folder is another object. */
    {
        hyd_store *other = NULL;
        CHECK_STATUS(HYD_OK, hyd_options_set(options, "root", away, &error));
        CHECK_STATUS(HYD_OK, hyd_store_open(engine, "file:///", options, &other, &error));
        CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("one"), other, TEXT("one"), NULL, NULL, NULL, &error));
        check_object(other, "one", (const unsigned char *)"beneath", 7);
        CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("one"), store, TEXT("one"), NULL, NULL, NULL,
                                             &error));
        CHECK(hyd_store_close(other) == HYD_OK);
    }
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("../escaped"), "x", 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT(above), "x", 1, NULL, NULL, &error));
    CHECK(hyd_store_close(direct) == HYD_OK && hyd_store_close(store) == HYD_OK);
    CHECK(hyd_options_free(options) == HYD_OK);
}

/* Limits that an engine is started with. */
static void limits(void) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    hyd_store *store = NULL, *second = NULL;

    config.cores = 1;
    config.pool_bytes = 32 << 20;
    config.head_share_bytes = 1 << 20;
    /* Room for one small object, and not for two. */
    config.mem_bytes = 1000;
    config.mem_stores = 1;
    config.cleanup_ms = config.drain_ms = config.resolve_ms = 1000;
    config.zero_copy_bytes_min = 1 << 20;
    config.file_threads = 2;
    config.min_wait_us = 1;
    config.flags = HYD_ENGINE_NO_SPIN;
    CHECK_STATUS(HYD_OK, hyd_engine_create(&config, &engine, &error));
    store = open_store(engine, "mem://one");
    put(store, "ten", "0123456789", 10);
    CHECK_STATUS(HYD_E_CONFIG, hyd_put(store, TEXT("two"), "0123456789", 10, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_CONFIG, hyd_store_open(engine, "mem://two", NULL, &second, &error));
    CHECK(hyd_store_close(store) == HYD_OK && hyd_engine_destroy(engine) == HYD_OK);

    config.spin_us = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config, &engine, &error));
    config.flags = HYD_ENGINE_POLL | HYD_ENGINE_URING;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config, &engine, &error));
    config.flags = HYD_ENGINE_POLL;
    config.file_threads = 1025;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config, &engine, &error));
    config.file_threads = 1;
    CHECK_STATUS(HYD_OK, hyd_engine_create(&config, &engine, &error));
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
}

int main(int argc, char **argv) {
    hyd_engine *engine = small_engine(0);
    hyd_store *store, *peer, *memory;

    CHECK(argc == 4);
    store = open_store(engine, argv[1]);
    peer = open_store(engine, argv[2]);
    memory = open_store(engine, "mem://byhand");
    fill(bytes, sizeof bytes, 5);
    an_upload(store);
    wanted(store, peer);
    other_ends(store);
    no_upload(engine, store, memory);
    copied_by_the_peer(peer);
    deletes(store, peer, memory);
    locked(peer);
    described(store, peer, memory);
    beneath(engine, argv[3]);
    limits();
    CHECK(hyd_store_close(memory) == HYD_OK && hyd_store_close(peer) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK && hyd_engine_destroy(engine) == HYD_OK);
    puts("all of it is done by hand");
    return EXIT_SUCCESS;
}

/*
 * What S3 alone can do: buckets, versions, tags, and what goes with reads, writes and copies.
 *
 *     service NEW_URI PEER_URI
 *
 * NEW_URI is that of a bucket which is not there yet. The server at PEER_URI takes whatever it is asked
 * for; each of its objects is "hello", and has two tags. The test looks at what it was asked.
 */
#include "requests.h"

static const unsigned char KEY[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                      7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

static int text_is(const char *text, size_t len, const char *expected) {
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static int is_named(const hyd_bucket *bucket, const char *name) {
    return text_is(bucket->name, bucket->name_len, name);
}

static void buckets(const hyd_store *store) {
    hyd_bucket_options options = HYD_BUCKET_OPTIONS_INIT;
    hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
    hyd_s3_get_options get = HYD_S3_GET_OPTIONS_INIT;
    hyd_buckets *listed = NULL;
    hyd_bucket entries[4];
    size_t count = 0;

    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_bucket_head(store, NULL, &info, &error));
    CHECK_STATUS(HYD_OK, hyd_bucket_create(store, &options, &error));
    CHECK_STATUS(HYD_E_OTHER, hyd_bucket_create(store, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_bucket_head(store, &get, &info, &error));
    CHECK(info.flags == 0 && strcmp(info.region, "us-east-1") == 0 && info.location_name[0] == '\0');
    CHECK_STATUS(HYD_OK, hyd_bucket_head(store, NULL, NULL, &error));

    CHECK_STATUS(HYD_OK, hyd_buckets_open(store, NULL, 0, NULL, &listed, &error));
    CHECK_STATUS(HYD_OK, hyd_buckets_next(listed, entries, 1, &count, &error));
    CHECK(count == 1 && is_named(&entries[0], "a-new-one") && entries[0].created_unix_ns > 0);
    CHECK_STATUS(HYD_OK, hyd_buckets_next(listed, entries, 4, &count, &error));
    CHECK(count == 1 && is_named(&entries[0], "c-programs"));
    CHECK_STATUS(HYD_OK, hyd_buckets_next(listed, entries, 4, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_next(listed, NULL, 1, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_next(listed, entries, 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_next(NULL, entries, 1, &count, &error));
    CHECK(hyd_buckets_close(listed) == HYD_OK);
    CHECK(hyd_buckets_close(listed) == HYD_E_HANDLE);
    CHECK(hyd_buckets_close(NULL) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_buckets_next(listed, entries, 1, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_open(store, NULL, 1, NULL, &listed, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_open(store, NULL, 0, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_buckets_open(NULL, NULL, 0, NULL, &listed, &error));

    options.flags = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_create(store, &options, &error));
    options.flags = 0;
    options.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_create(store, &options, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_create(NULL, NULL, &error));
    info.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_head(store, NULL, &info, &error));
    get.customer_key = KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_head(store, &get, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_delete(store, &get, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_delete(NULL, NULL, &error));

    /* Not while there is anything in it. */
    put(store, "object", "x", 1);
    CHECK_STATUS(HYD_E_OTHER, hyd_bucket_delete(store, NULL, &error));
    CHECK_STATUS(HYD_OK, delete_one(store, "object", &error));
    CHECK_STATUS(HYD_OK, hyd_bucket_delete(store, NULL, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_bucket_delete(store, NULL, &error));
}

static void versions(const hyd_store *peer) {
    hyd_s3_get_options options = HYD_S3_GET_OPTIONS_INIT;
    hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
    hyd_versions *listed = NULL;
    hyd_version_entry entries[2];
    uint32_t versioning = 9;
    size_t count = 0;

    options.flags = HYD_S3_REQUESTER_PAYS;
    options.expected_bucket_owner = "111122223333";
    CHECK_STATUS(HYD_OK, hyd_bucket_versioning_set(peer, &options, HYD_VERSIONING_SUSPENDED,
                                                   "123 456", &error));
    CHECK_STATUS(HYD_OK, hyd_bucket_versioning_get(peer, &options, &versioning, &error));
    CHECK(versioning == HYD_VERSIONING_ENABLED);
    CHECK_STATUS(HYD_OK, hyd_bucket_location(peer, NULL, &info, &error));
    CHECK(strcmp(info.region, "eu-central-1") == 0 && info.flags == 0);

    CHECK_STATUS(HYD_OK, hyd_versions_open(peer, TEXT("a b"), &options, &listed, &error));
    CHECK_STATUS(HYD_OK, hyd_versions_next(listed, entries, 2, &count, &error));
    CHECK(count == 1 && text_is(entries[0].key, entries[0].key_len, "a"));
    CHECK(text_is(entries[0].version_id, entries[0].version_id_len, "2"));
    CHECK(text_is(entries[0].etag, entries[0].etag_len, "\"e\""));
    CHECK(text_is(entries[0].storage_class, entries[0].storage_class_len, "STANDARD"));
    CHECK(entries[0].size_bytes == 5 && entries[0].flags == HYD_VERSION_LATEST);
    CHECK(entries[0].modified_unix_ns == INT64_C(1767323045000000000) && entries[0].reserved == 0);
    CHECK_STATUS(HYD_OK, hyd_versions_next(listed, entries, 2, &count, &error));
    CHECK(count == 1 && text_is(entries[0].version_id, entries[0].version_id_len, "null"));
    CHECK(entries[0].flags == HYD_VERSION_DELETE_MARKER && entries[0].etag_len == 0);
    CHECK_STATUS(HYD_OK, hyd_versions_next(listed, entries, 2, &count, &error));
    CHECK(count == 0);

    /* What makes no sense. */
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_next(listed, NULL, 1, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_next(NULL, entries, 1, &count, &error));
    CHECK(hyd_versions_close(listed) == HYD_OK && hyd_versions_close(NULL) == HYD_OK);
    CHECK(hyd_versions_close(listed) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_open(peer, NULL, 1, NULL, &listed, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_open(peer, NULL, 0, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_open(NULL, NULL, 0, NULL, &listed, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_versioning_set(peer, NULL, HYD_VERSIONING_NEVER, NULL,
                                                          &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_versioning_set(NULL, NULL, 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_versioning_get(peer, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_location(peer, NULL, NULL, &error));
    options.customer_key = KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_versioning_get(peer, &options, &versioning, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_location(peer, &options, &info, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_open(peer, NULL, 0, &options, &listed, &error));
}

static void version_is_deleted(const hyd_store *peer) {
    hyd_s3_get_options options = HYD_S3_GET_OPTIONS_INIT;

    options.flags = HYD_S3_REQUESTER_PAYS;
    options.expected_bucket_owner = "111122223333";
    CHECK_STATUS(HYD_OK, hyd_version_delete(peer, TEXT("gone"), TEXT("a/b"), &options, "123 456",
                                            HYD_DELETE_BYPASS_GOVERNANCE, &error));
    CHECK_STATUS(HYD_OK, hyd_version_delete(peer, TEXT("gone"), TEXT("a/b"), NULL, NULL, 0, &error));

    /* Without a version the object would go. */
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, TEXT("gone"), "", 0, NULL, NULL, 0, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, TEXT("gone"), NULL, 0, NULL, NULL, 0, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, "", 0, TEXT("v"), NULL, NULL, 0, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, NULL, 1, TEXT("v"), NULL, NULL, 0, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, TEXT("k"), TEXT("v"), NULL, NULL, 2, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(NULL, TEXT("k"), TEXT("v"), NULL, NULL, 0, &error));
    options.customer_key = KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_version_delete(peer, TEXT("k"), TEXT("v"), &options, NULL, 0, &error));
}

static void parts(const hyd_store *peer) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_parts *listed = NULL;
    hyd_part entries[4];
    uint64_t total = 9;
    size_t count = 0;

    s3.flags = HYD_S3_REQUESTER_PAYS;
    s3.expected_bucket_owner = "111122223333";
    s3.customer_key = KEY;
    get.s3 = &s3;
    get.version_id = "v1";
    CHECK_STATUS(HYD_OK, hyd_parts_open(peer, TEXT("parts"), &get, &listed, &total, &error));
    CHECK(total == 3);
    CHECK_STATUS(HYD_OK, hyd_parts_next(listed, entries, 1, &count, &error));
    CHECK(count == 1 && entries[0].number == 1 && entries[0].size_bytes == 8);
    CHECK(text_is(entries[0].algorithm, entries[0].algorithm_len, "CRC64NVME"));
    CHECK(text_is(entries[0].checksum, entries[0].checksum_len, "AAAAAAAAAAA="));
    CHECK_STATUS(HYD_OK, hyd_parts_next(listed, entries, 4, &count, &error));
    CHECK(count == 1 && entries[0].number == 2 && entries[0].checksum_len == 0);
    CHECK_STATUS(HYD_OK, hyd_parts_next(listed, entries, 4, &count, &error));
    CHECK(count == 1 && entries[0].number == 3 && entries[0].size_bytes == 5);
    CHECK_STATUS(HYD_OK, hyd_parts_next(listed, entries, 4, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_parts_close(listed) == HYD_OK && hyd_parts_close(NULL) == HYD_OK);
    CHECK(hyd_parts_close(listed) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_parts_next(listed, entries, 4, &count, &error));

    CHECK_STATUS(HYD_OK, hyd_parts_open(peer, TEXT("whole"), NULL, &listed, &total, &error));
    CHECK(total == 0);
    CHECK_STATUS(HYD_OK, hyd_parts_next(listed, entries, 4, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_next(listed, NULL, 1, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_next(listed, entries, 1, NULL, &error));
    CHECK(hyd_parts_close(listed) == HYD_OK);

    get.if_match = "\"e\"";
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_open(peer, TEXT("parts"), &get, &listed, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_open(peer, NULL, 1, NULL, &listed, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_open(peer, "", 0, NULL, &listed, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_open(peer, TEXT("parts"), NULL, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_parts_open(NULL, TEXT("parts"), NULL, &listed, NULL, &error));
}

static void tags(const hyd_store *peer) {
    hyd_pair pairs[] = {{"team", "a b"}, {"cost", "1"}}, many[65];
    const hyd_pair *told = NULL;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_tags *held = NULL;
    size_t count = 0, i;

    s3.flags = HYD_S3_REQUESTER_PAYS;
    s3.expected_bucket_owner = "111122223333";
    get.s3 = &s3;
    get.version_id = "v1";
    CHECK_STATUS(HYD_OK, hyd_tags_set(peer, TEXT("tagged"), &get, pairs, 2, &error));
    CHECK_STATUS(HYD_OK, hyd_tags_set(peer, TEXT("tagged"), &get, NULL, 0, &error));
    CHECK_STATUS(HYD_OK, hyd_tags_get(peer, TEXT("tagged"), &get, &held, &error));
    CHECK(hyd_tags_view(held, &told, &count) == HYD_OK && count == 2);
    CHECK(strcmp(told[0].name, "team") == 0 && strcmp(told[0].value, "a b") == 0);
    CHECK(strcmp(told[1].name, "cost") == 0 && strcmp(told[1].value, "1") == 0);
    CHECK(hyd_tags_view(held, NULL, &count) == HYD_E_INVALID);
    CHECK(hyd_tags_view(held, &told, NULL) == HYD_E_INVALID);
    CHECK(hyd_tags_view(NULL, &told, &count) == HYD_E_INVALID);
    CHECK(hyd_tags_free(held) == HYD_OK);
    CHECK(hyd_tags_free(held) == HYD_E_HANDLE && hyd_tags_free(NULL) == HYD_OK);
    CHECK(hyd_tags_view(held, &told, &count) == HYD_E_HANDLE);

    /* What makes no sense. */
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_get(peer, TEXT("tagged"), &get, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_get(peer, NULL, 3, NULL, &held, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_get(NULL, TEXT("tagged"), NULL, &held, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_set(NULL, TEXT("tagged"), NULL, pairs, 2, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_set(peer, TEXT("tagged"), NULL, NULL, 2, &error));
    for (i = 0; i < 65; i++) {
        many[i] = pairs[0];
    }
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_set(peer, TEXT("tagged"), NULL, many, 65, &error));
    pairs[1].value = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_set(peer, TEXT("tagged"), NULL, pairs, 2, &error));
    get.if_match = "\"e\"";
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_get(peer, TEXT("tagged"), &get, &held, &error));
    get.if_match = NULL;
    s3.customer_key = KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_tags_set(peer, TEXT("tagged"), &get, NULL, 0, &error));
}

/* Goes with everything that is done with an object called "said". */
static void said_with_it(const hyd_engine *engine, const hyd_store *peer) {
    hyd_pair pairs[] = {{"team", "a b"}, {"cost", "1"}};
    hyd_s3_put_options s3_put = HYD_S3_PUT_OPTIONS_INIT;
    hyd_s3_get_options s3_get = HYD_S3_GET_OPTIONS_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_copy_options copy = HYD_COPY_OPTIONS_INIT;
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request request = request_of(HYD_OP_PUT, "said");
    hyd_writer *writer = NULL;
    char memory[8];
    size_t got = 0;

    s3_put.flags = s3_get.flags = HYD_S3_REQUESTER_PAYS;
    s3_put.storage_class = "STANDARD_IA";
    s3_put.acl = "bucket-owner-full-control";
    s3_put.tags = pairs;
    s3_put.tags_count = 2;
    s3_put.customer_key = s3_get.customer_key = KEY;
    s3_put.expected_bucket_owner = s3_get.expected_bucket_owner = "111122223333";
    put.s3 = copy.s3 = &s3_put;
    get.s3 = &s3_get;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("said"), "hello", 5, &put, &meta, &error));
    CHECK(strcmp(meta.version_id, "v2") == 0);
    CHECK_STATUS(HYD_OK, hyd_stat(peer, TEXT("said"), &get, &meta, NULL, &error));
    CHECK(strcmp(meta.version_id, "v1") == 0);
    CHECK_STATUS(HYD_OK, hyd_get_range(peer, TEXT("said"), &get, 0, memory, 5, &got, &error));
    CHECK(got == 5 && memcmp(memory, "hello", 5) == 0);
    CHECK_STATUS(HYD_OK, hyd_writer_open(peer, TEXT("said"), &put, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, "hello", 5, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_finish(writer, &meta, &error));
    CHECK(strcmp(meta.version_id, "v2") == 0);
    request.data = memory;
    request.data_len = 5;
    request.put = &put;
    do_one(peer, cq, &request, HYD_OK);
    copy.get = &get;
    CHECK_STATUS(HYD_OK, hyd_copy(peer, TEXT("said"), peer, TEXT("said too"), &copy, NULL, &report,
                                  &error));
    CHECK(report.way == HYD_WAY_STREAMED && report.bytes == 5);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* Keys that the server has; of objects called "kept". */
static void kept_by_the_server(const hyd_store *peer) {
    hyd_s3_put_options s3 = HYD_S3_PUT_OPTIONS_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;

    put.s3 = &s3;
    s3.encryption = HYD_SSE_S3;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("kept/s3"), "x", 1, &put, NULL, &error));
    s3.encryption = HYD_SSE_KMS;
    s3.kms_key_id = "a-key";
    s3.kms_context = "e30=";
    s3.flags = HYD_S3_BUCKET_KEY;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("kept/kms"), "x", 1, &put, NULL, &error));
    s3.encryption = HYD_SSE_KMS_DUAL;
    s3.kms_context = NULL;
    s3.flags = HYD_S3_NO_BUCKET_KEY;
    CHECK_STATUS(HYD_OK, hyd_put(peer, TEXT("kept/dual"), "x", 1, &put, NULL, &error));

    /* What makes no sense. */
    s3.flags = HYD_S3_BUCKET_KEY | HYD_S3_NO_BUCKET_KEY;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.flags = 32;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.flags = 0;
    s3.encryption = HYD_SSE_S3;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.kms_key_id = NULL;
    s3.encryption = 9;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.encryption = 0;
    s3.tags_count = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.tags_count = 0;
    s3.reserved = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.reserved = 0;
    s3.acl = "\xff";
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
    s3.acl = NULL;
    s3.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(peer, TEXT("x"), "x", 1, &put, NULL, &error));
}

/* Stores of another kind refuse all of it. */
static void no_service(const hyd_store *store) {
    hyd_s3_put_options s3_put = HYD_S3_PUT_OPTIONS_INIT;
    hyd_s3_get_options s3_get = HYD_S3_GET_OPTIONS_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
    hyd_buckets *listed = NULL;
    hyd_versions *versions = NULL;
    hyd_tags *held = NULL;
    hyd_parts *parts = NULL;
    uint32_t versioning = 0;

    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_create(store, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_delete(store, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_head(store, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_buckets_open(store, NULL, 0, NULL, &listed, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_location(store, NULL, &info, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_versioning_get(store, NULL, &versioning, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_bucket_versioning_set(store, NULL, 1, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_versions_open(store, NULL, 0, NULL, &versions, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_version_delete(store, TEXT("key"), TEXT("v"), NULL, NULL, 0,
                                                       &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_parts_open(store, TEXT("key"), NULL, &parts, NULL, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_tags_get(store, TEXT("key"), NULL, &held, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_tags_set(store, TEXT("key"), NULL, NULL, 0, &error));
    CHECK(listed == NULL && held == NULL);
    put.s3 = &s3_put;
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_put(store, TEXT("key"), "x", 1, &put, NULL, &error));
    get.s3 = &s3_get;
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_stat(store, TEXT("key"), &get, &meta, NULL, &error));
    s3_get.flags = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(store, TEXT("key"), &get, &meta, NULL, &error));
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *fresh, *peer, *memory;

    CHECK(argc == 3);
    engine = small_engine(0);
    fresh = open_store(engine, argv[1]);
    peer = open_store(engine, argv[2]);
    memory = open_store(engine, "mem://service");
    buckets(fresh);
    versions(peer);
    version_is_deleted(peer);
    parts(peer);
    tags(peer);
    said_with_it(engine, peer);
    kept_by_the_server(peer);
    no_service(memory);
    CHECK(hyd_store_close(memory) == HYD_OK);
    CHECK(hyd_store_close(peer) == HYD_OK);
    CHECK(hyd_store_close(fresh) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("the service was asked");
    return EXIT_SUCCESS;
}

/*
 * What S3 tells besides, and is told: whose things are, why it refuses, what it keeps, copies with all that can be said of
 * them, dates as conditions, new buckets with rights and tags.
 *
 *     told PEER
 *
 * The server at PEER takes whatever it is asked for; the test looks at what that was.
 */
#include "check.h"

/* 2026-01-02, 03:04:05. */
static const int64_t MOMENT = 1767323045;

static int is(const char *text, size_t len, const char *expected) {
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static void whose(const hyd_store *peer) {
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_uploads *uploads = NULL;
    hyd_versions *versions = NULL;
    hyd_buckets *buckets = NULL;
    hyd_multipart *upload = NULL;
    hyd_uploaded_parts *parts = NULL;
    hyd_upload begun[2];
    hyd_version_entry version;
    hyd_bucket bucket;
    hyd_uploaded_part part;
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_uploads_open(peer, NULL, 0, &uploads, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_about(uploads, 0, &about, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(uploads, begun, 2, &count, &error));
    CHECK(count == 2);
    CHECK_STATUS(HYD_OK, hyd_uploads_about(uploads, 0, &about, &error));
    CHECK(about.owner_id_len == 0 && about.initiator_id_len == 0 && about.storage_class_len == 0);
    CHECK_STATUS(HYD_OK, hyd_uploads_about(uploads, 1, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK(is(about.owner_name, about.owner_name_len, "myself"));
    CHECK(is(about.initiator_id, about.initiator_id_len, "somebody") && about.initiator_name_len == 0);
    CHECK(is(about.storage_class, about.storage_class_len, "GLACIER"));
    CHECK(is(about.checksum_algorithm, about.checksum_algorithm_len, "SHA256"));
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_about(uploads, 2, &about, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(uploads, begun, 2, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_uploads_about(uploads, 0, &about, &error));
    CHECK(hyd_uploads_close(uploads) == HYD_OK);

    CHECK_STATUS(HYD_OK, hyd_versions_open(peer, NULL, 0, NULL, &versions, &error));
    CHECK_STATUS(HYD_OK, hyd_versions_next(versions, &version, 1, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_versions_about(versions, 0, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK(is(about.checksum_algorithm, about.checksum_algorithm_len, "CRC32C"));
    CHECK_STATUS(HYD_E_INVALID, hyd_versions_about(versions, 1, &about, &error));
    CHECK(hyd_versions_close(versions) == HYD_OK);

    CHECK_STATUS(HYD_OK, hyd_buckets_open(peer, NULL, 0, NULL, &buckets, &error));
    CHECK_STATUS(HYD_OK, hyd_buckets_about(buckets, &about, &error));
    CHECK(about.owner_id_len == 0);
    CHECK_STATUS(HYD_OK, hyd_buckets_next(buckets, &bucket, 1, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_buckets_about(buckets, &about, &error));
    CHECK(is(about.owner_name, about.owner_name_len, "myself") && about.initiator_id_len == 0);
    CHECK(hyd_buckets_close(buckets) == HYD_OK);

    CHECK_STATUS(HYD_E_INVALID, hyd_multipart_create(peer, TEXT("covered"), NULL, HYD_CHECKSUM_OF_PARTS, &upload,
                                                     &error));
    CHECK_STATUS(HYD_OK,
                 hyd_multipart_create(peer, TEXT("covered"), NULL,
                                      HYD_CHECKSUM_CRC32C | HYD_CHECKSUM_OF_PARTS, &upload, &error));
    CHECK(hyd_multipart_close(upload) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_multipart_open(peer, TEXT("parted"), TEXT("u"), NULL, 0, &upload, &error));
    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_open(upload, &parts, &error));
    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_next(parts, &part, 1, &count, &error));
    CHECK(count == 1 && part.size_bytes == 8);
    CHECK_STATUS(HYD_OK, hyd_uploaded_parts_about(parts, &about, &error));
    CHECK(is(about.initiator_id, about.initiator_id_len, "somebody"));
    CHECK(is(about.checksum_algorithm, about.checksum_algorithm_len, "CRC32"));
    about.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_uploaded_parts_about(parts, &about, &error));
    CHECK(hyd_uploaded_parts_close(parts) == HYD_OK && hyd_multipart_close(upload) == HYD_OK);
}

/* Who may not use a bucket is told where it is. */
static void refused(const hyd_store *peer) {
    hyd_s3_get_options options = HYD_S3_GET_OPTIONS_INIT;
    hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_error *error = NULL;

    options.expected_bucket_owner = "999988887777";
    CHECK(hyd_bucket_head(peer, &options, &info, &error) == HYD_E_CONFIG);
    CHECK(hyd_error_info(error, &view) == HYD_OK && view.http_status == 403);
    CHECK(is(view.region, view.region_len, "eu-west-3") && is(view.host_id, view.host_id_len, "host"));
    CHECK(view.endpoint_len == 0 && view.endpoint[0] == '\0' && info.region[0] == '\0');
    hyd_error_free(error);
}

/* A stream whose upload the server does not let go of. */
static void left_behind(const hyd_store *peer) {
    static unsigned char bytes[12 * 1024 * 1024];
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_writer *writer = NULL;
    hyd_error *error = NULL;

    CHECK_STATUS(HYD_OK, hyd_writer_open(peer, TEXT("kept"), NULL, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, bytes, sizeof bytes, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_flush(writer, &error));
    CHECK(hyd_writer_cancel(writer, &error) == HYD_E_CONFIG);
    CHECK(hyd_error_info(error, &view) == HYD_OK && view.http_status == 403);
    CHECK(is(view.s3_code, view.s3_code_len, "AccessDenied") && strstr(view.message, "upload u") != NULL);
    hyd_error_free(error);
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_cancel(writer, &error));
    /* Of a stream of which nothing went out, nothing is left. */
    CHECK_STATUS(HYD_OK, hyd_writer_open(peer, TEXT("kept"), NULL, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, bytes, 5, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_cancel(writer, &error));
}

static void copies(const hyd_store *peer) {
    hyd_s3_copy_options options = HYD_S3_COPY_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_put_options put_options = HYD_PUT_OPTIONS_INIT;
    hyd_s3_get_options from = HYD_S3_GET_OPTIONS_INIT;
    hyd_s3_put_options to = HYD_S3_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_s3_object_view view = HYD_S3_OBJECT_VIEW_INIT;
    hyd_s3_object *object = NULL;
    hyd_pair tag = {"team", "a"};

    from.customer_key = (const uint8_t *)"01234567890123456789012345678901";
    from.expected_bucket_owner = "111122223333";
    get.version_id = "v1";
    get.if_match = "\"e\"";
    get.if_unmodified_since_unix_s = MOMENT;
    get.s3 = &from;
    to.storage_class = "GLACIER_IR";
    to.acl = "private";
    to.encryption = HYD_SSE_KMS;
    to.kms_key_id = "a-key";
    to.flags = HYD_S3_REQUESTER_PAYS;
    to.tags = &tag;
    to.tags_count = 1;
    put_options.content_type = "text/copied";
    put_options.flags = HYD_PUT_IF_ABSENT;
    put_options.s3 = &to;
    options.get = &get;
    options.put = &put_options;
    options.checksum_algorithm = HYD_CHECKSUM_SHA256;
    /* What would have no effect. */
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), &options, NULL,
                                            NULL, &error));
    options.flags = HYD_S3_COPY_REPLACE_METADATA;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), &options, NULL,
                                            NULL, &error));
    options.flags |= HYD_S3_COPY_REPLACE_TAGS;
    CHECK_STATUS(HYD_OK, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), &options, &meta, &object,
                                     &error));
    CHECK(strcmp(meta.etag, "\"copied\"") == 0 && strcmp(meta.version_id, "v2") == 0);
    CHECK(meta.size_bytes == 0 && meta.modified_unix_ns == MOMENT * 1000000000);
    CHECK(hyd_s3_object_info(object, &view) == HYD_OK);
    CHECK(strcmp(view.source_version_id, "v1") == 0 && strcmp(view.encryption, "AES256") == 0);
    CHECK(view.storage_class == NULL && hyd_s3_object_free(object) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), NULL, NULL, NULL, &error));
    options.put = NULL;
    from.flags = HYD_S3_REQUESTER_PAYS;
    CHECK_STATUS(HYD_OK, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied/paid"), &options, NULL, NULL,
                                     &error));
    options.flags = 4;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), &options, NULL,
                                            NULL, &error));
    options.flags = 3;
    options.checksum_algorithm = 99;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_copy(peer, TEXT("a source"), peer, TEXT("copied"), &options, NULL,
                                            NULL, &error));
}

static void dates(const hyd_store *peer) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_s3_object *object = NULL;
    hyd_buf *buf = NULL;

    get.if_modified_since_unix_s = MOMENT;
    CHECK_STATUS(HYD_OK, hyd_s3_stat(peer, TEXT("dated"), &get, 0, NULL, &object, &error));
    CHECK(hyd_s3_object_free(object) == HYD_OK);
    /* Large reads compare tags, which tell versions apart. */
    CHECK_STATUS(HYD_E_INVALID, hyd_get(peer, TEXT("dated"), &get, &buf, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_stat(peer, TEXT("dated"), &get, &meta, NULL, &error));
    get.if_modified_since_unix_s = -1;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_stat(peer, TEXT("dated"), &get, 0, NULL, &object, &error));
    CHECK(buf == NULL);
}

static void a_bucket(const hyd_store *peer) {
    hyd_bucket_options options = HYD_BUCKET_OPTIONS_INIT;
    hyd_signer signer = HYD_SIGNER_INIT;
    hyd_pair tag = {"team", "a"};

    options.grant_full_control = "id=\"a\"";
    options.grant_read = "id=\"b\"";
    options.grant_read_acp = "id=\"c\"";
    options.grant_write = "id=\"d\"";
    options.grant_write_acp = "id=\"e\"";
    options.tags = &tag;
    options.tags_count = 1;
    CHECK_STATUS(HYD_OK, hyd_bucket_create(peer, &options, &error));
    options.tags_count = 99;
    CHECK_STATUS(HYD_E_INVALID, hyd_bucket_create(peer, &options, &error));
    CHECK_STATUS(HYD_OK, hyd_bucket_versioning_set(
                             peer, NULL, HYD_VERSIONING_ENABLED | HYD_VERSIONING_MFA_DELETE, "1 2", &error));
    CHECK_STATUS(HYD_E_INVALID,
                 hyd_bucket_versioning_set(peer, NULL,
                                           HYD_VERSIONING_ENABLED | HYD_VERSIONING_MFA_DELETE |
                                               HYD_VERSIONING_NO_MFA_DELETE,
                                           "1 2", &error));
    CHECK_STATUS(HYD_OK, hyd_store_signer(peer, &signer, &error));
    CHECK(signer.flags == HYD_SIGNER_SIGNS && signer.access_key_id[0] != '\0' && signer.source[0] != '\0');
    CHECK(signer.ends_unix_ns == HYD_TIME_UNKNOWN);
}

int main(int argc, char **argv) {
    hyd_engine_limits limits = HYD_ENGINE_LIMITS_INIT;
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    hyd_store *peer;

    CHECK(argc == 2);
    config.cores = 1;
    config.pool_bytes = 16 * 1024 * 1024;
    config.limits = &limits;
    limits.ops_in_flight = 65536;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config, &engine, &error));
    limits.ops_in_flight = 64;
    limits.installed_files = HYD_LIMIT_NONE;
    limits.tasks = 100;
    CHECK_STATUS(HYD_OK, hyd_engine_create(&config, &engine, &error));
    peer = open_store(engine, argv[1]);
    whose(peer);
    refused(peer);
    left_behind(peer);
    copies(peer);
    dates(peer);
    a_bucket(peer);
    CHECK(hyd_store_close(peer) == HYD_OK && hyd_engine_destroy(engine) == HYD_OK);
    puts("all of it is told");
    return EXIT_SUCCESS;
}

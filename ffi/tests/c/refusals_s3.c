/*
 * What is no handle and no struct, handed to the functions of S3 alone.
 *
 *     refusals_s3 URI        a bucket of a server that takes anything
 */
#include "refusals.h"

static void by_hand(void) {
    hyd_delete_options deleting = HYD_DELETE_OPTIONS_INIT;
    hyd_complete_options wanted = HYD_COMPLETE_OPTIONS_INIT;
    hyd_part_source source = HYD_PART_SOURCE_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_object_view view = HYD_S3_OBJECT_VIEW_INIT;
    hyd_s3_object *told = NULL;
    hyd_buf *buf = NULL;
    hyd_multipart *begun = NULL;
    hyd_uploaded_parts *listed = NULL;
    hyd_uploaded_part part;
    hyd_delete_object object;
    const char *id = NULL;
    size_t count = 0;

    memset(&part, 0, sizeof part);
    memset(&object, 0, sizeof object);
    CHECKS(hyd_store, store, hyd_multipart_create(store, "k", 1, NULL, 0, &begun, &error));
    CHECKS(hyd_store, store, hyd_multipart_open(store, "k", 1, "u", 1, NULL, 0, &begun, &error));
    CHECKS(hyd_multipart, multipart, hyd_multipart_id(multipart, &id, NULL));
    CHECKS(hyd_multipart, multipart, hyd_multipart_put(multipart, 1, "x", 1, NULL, &error));
    CHECKS(hyd_multipart, multipart,
           hyd_multipart_copy(multipart, 1, live.store, "k", 1, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_multipart_copy(live.multipart, 1, store, "k", 1, NULL, NULL, &error));
    CHECKS(hyd_multipart, multipart, hyd_multipart_complete(multipart, &part, 1, NULL, &error));
    CHECKS(hyd_multipart, multipart, hyd_multipart_complete_as(multipart, &part, 1, NULL, NULL, &error));
    CHECKS(hyd_multipart, multipart, hyd_multipart_abort(multipart, &error));
    CHECKS(hyd_multipart, multipart, hyd_uploaded_parts_open(multipart, &listed, &error));
    CHECKS(hyd_uploaded_parts, uploaded, hyd_uploaded_parts_next(uploaded, &part, 1, &count, &error));
    CHECKS(hyd_store, store, hyd_delete_objects(store, &object, 1, NULL, &error));
    CHECKS(hyd_store, store, hyd_s3_stat(store, "k", 1, NULL, 0, NULL, &told, &error));
    CHECKS(hyd_store, store, hyd_s3_get_part(store, "k", 1, NULL, 1, 9, &buf, NULL, &error));
    CHECKS(hyd_s3_object, object, hyd_s3_object_info(object, &view));
    REFUSES(hyd_s3_stat(live.store, NULL, 1, NULL, 0, NULL, &told, &error));
    REFUSES(hyd_s3_stat(live.store, "k", 1, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_s3_get_part(live.store, NULL, 1, NULL, 1, 9, &buf, NULL, &error));
    REFUSES(hyd_s3_get_part(live.store, "k", 1, NULL, 1, 9, NULL, NULL, &error));
    REFUSES(hyd_s3_object_info(live.object, NULL));
    REFUSES(hyd_multipart_create(live.store, NULL, 1, NULL, 0, &begun, &error));
    REFUSES(hyd_multipart_create(live.store, "k", 1, NULL, 0, NULL, &error));
    REFUSES(hyd_multipart_open(live.store, NULL, 1, "u", 1, NULL, 0, &begun, &error));
    REFUSES(hyd_multipart_open(live.store, "k", 1, NULL, 1, NULL, 0, &begun, &error));
    REFUSES(hyd_multipart_open(live.store, "k", 1, "u", 1, NULL, 0, NULL, &error));
    REFUSES(hyd_multipart_id(live.multipart, NULL, NULL));
    REFUSES(hyd_multipart_put(live.multipart, 1, NULL, 1, NULL, &error));
    REFUSES(hyd_multipart_copy(live.multipart, 1, live.store, NULL, 1, NULL, NULL, &error));
    REFUSES(hyd_multipart_complete(live.multipart, NULL, 1, NULL, &error));
    REFUSES(hyd_multipart_complete_as(live.multipart, NULL, 1, NULL, NULL, &error));
    REFUSES(hyd_uploaded_parts_open(live.multipart, NULL, &error));
    REFUSES(hyd_uploaded_parts_next(live.uploaded, NULL, 1, &count, &error));
    REFUSES(hyd_uploaded_parts_next(live.uploaded, &part, 1, NULL, &error));
    REFUSES(hyd_delete_objects(live.store, NULL, 1, NULL, &error));
    put.struct_size = source.struct_size = deleting.struct_size = meta.struct_size = 1;
    view.struct_size = get.struct_size = wanted.struct_size = 1;
    REFUSES(hyd_s3_object_info(live.object, &view));
    REFUSES(hyd_s3_stat(live.store, "k", 1, &get, 0, NULL, &told, &error));
    REFUSES(hyd_s3_stat(live.store, "k", 1, NULL, 0, &meta, &told, &error));
    REFUSES(hyd_s3_get_part(live.store, "k", 1, NULL, 1, 9, &buf, &meta, &error));
    REFUSES(hyd_multipart_create(live.store, "k", 1, &put, 0, &begun, &error));
    REFUSES(hyd_multipart_open(live.store, "k", 1, "u", 1, &put, 0, &begun, &error));
    REFUSES(hyd_multipart_copy(live.multipart, 1, live.store, "k", 1, &source, NULL, &error));
    REFUSES(hyd_multipart_complete(live.multipart, &part, 1, &meta, &error));
    REFUSES(hyd_multipart_complete_as(live.multipart, &part, 1, &wanted, NULL, &error));
    REFUSES(hyd_multipart_complete_as(live.multipart, &part, 1, NULL, &meta, &error));
    REFUSES(hyd_delete_objects(live.store, &object, 1, &deleting, &error));
    CHECK(begun == NULL && listed == NULL && id == NULL && count == 0 && told == NULL && buf == NULL);
}

static void listings(void) {
    hyd_s3_list_options options = HYD_S3_LIST_OPTIONS_INIT;
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_list *opened = NULL;
    hyd_uploads *begun = NULL;
    hyd_versions *kept = NULL;

    CHECKS(hyd_store, store, hyd_s3_list_open(store, NULL, 0, NULL, &opened, &error));
    CHECKS(hyd_store, store, hyd_s3_uploads_open(store, NULL, 0, NULL, &begun, &error));
    CHECKS(hyd_store, store, hyd_s3_versions_open(store, NULL, 0, NULL, &kept, &error));
    CHECKS(hyd_list, list, hyd_list_about(list, 0, &about, &error));
    REFUSES(hyd_s3_list_open(live.store, NULL, 1, NULL, &opened, &error));
    REFUSES(hyd_s3_list_open(live.store, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_s3_uploads_open(live.store, NULL, 1, NULL, &begun, &error));
    REFUSES(hyd_s3_uploads_open(live.store, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_s3_versions_open(live.store, NULL, 1, NULL, &kept, &error));
    REFUSES(hyd_s3_versions_open(live.store, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_list_about(live.list, 0, &about, &error));
    REFUSES(hyd_list_about(live.list, 0, NULL, &error));
    options.start_after_len = 1;
    REFUSES(hyd_s3_list_open(live.store, NULL, 0, &options, &opened, &error));
    about.struct_size = options.struct_size = 1;
    REFUSES(hyd_list_about(live.list, 0, &about, &error));
    REFUSES(hyd_s3_list_open(live.store, NULL, 0, &options, &opened, &error));
    REFUSES(hyd_s3_uploads_open(live.store, NULL, 0, &options, &begun, &error));
    REFUSES(hyd_s3_versions_open(live.store, NULL, 0, &options, &kept, &error));
    CHECK(opened == NULL && begun == NULL && kept == NULL);
}

static void uploads_and_parts(void) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_uploads *begun = NULL;
    hyd_parts *opened = NULL;
    hyd_upload upload;
    hyd_part part;
    size_t count = 0;

    CHECKS(hyd_store, store, hyd_uploads_open(store, NULL, 0, &begun, &error));
    CHECKS(hyd_store, store, hyd_upload_abort(store, "k", 1, "u", 1, &error));
    CHECKS(hyd_store, store, hyd_parts_open(store, "k", 1, NULL, &opened, NULL, &error));
    CHECKS(hyd_uploads, uploads, hyd_uploads_next(uploads, &upload, 1, &count, &error));
    CHECKS(hyd_parts, parts, hyd_parts_next(parts, &part, 1, &count, &error));
    REFUSES(hyd_uploads_open(live.store, NULL, 1, &begun, &error));
    REFUSES(hyd_uploads_open(live.store, NULL, 0, NULL, &error));
    REFUSES(hyd_uploads_next(live.uploads, NULL, 1, &count, &error));
    REFUSES(hyd_uploads_next(live.uploads, &upload, 1, NULL, &error));
    REFUSES(hyd_upload_abort(live.store, NULL, 1, "u", 1, &error));
    REFUSES(hyd_upload_abort(live.store, "k", 1, NULL, 1, &error));
    REFUSES(hyd_parts_open(live.store, NULL, 1, NULL, &opened, NULL, &error));
    REFUSES(hyd_parts_open(live.store, "k", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_parts_next(live.parts, NULL, 1, &count, &error));
    REFUSES(hyd_parts_next(live.parts, &part, 1, NULL, &error));
    get.struct_size = 1;
    REFUSES(hyd_parts_open(live.store, "k", 1, &get, &opened, NULL, &error));
    CHECK(begun == NULL && opened == NULL && count == 0);
}

static void the_service(void) {
    hyd_bucket_options making = HYD_BUCKET_OPTIONS_INIT;
    hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_buckets *opened = NULL;
    hyd_bucket bucket;
    uint32_t versioning = 0;
    size_t count = 0;

    CHECKS(hyd_store, store, hyd_bucket_create(store, NULL, &error));
    CHECKS(hyd_store, store, hyd_bucket_delete(store, NULL, &error));
    CHECKS(hyd_store, store, hyd_bucket_head(store, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_bucket_location(store, NULL, &info, &error));
    CHECKS(hyd_store, store, hyd_bucket_versioning_get(store, NULL, &versioning, &error));
    CHECKS(hyd_store, store, hyd_bucket_versioning_set(store, NULL, HYD_VERSIONING_ENABLED, NULL, &error));
    CHECKS(hyd_store, store, hyd_buckets_open(store, NULL, 0, NULL, &opened, &error));
    CHECKS(hyd_buckets, buckets, hyd_buckets_next(buckets, &bucket, 1, &count, &error));
    REFUSES(hyd_bucket_location(live.store, NULL, NULL, &error));
    REFUSES(hyd_bucket_versioning_get(live.store, NULL, NULL, &error));
    REFUSES(hyd_bucket_versioning_set(live.store, NULL, 99, NULL, &error));
    REFUSES(hyd_buckets_open(live.store, NULL, 1, NULL, &opened, &error));
    REFUSES(hyd_buckets_open(live.store, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_buckets_next(live.buckets, NULL, 1, &count, &error));
    REFUSES(hyd_buckets_next(live.buckets, &bucket, 1, NULL, &error));
    making.struct_size = info.struct_size = s3.struct_size = 1;
    REFUSES(hyd_bucket_create(live.store, &making, &error));
    REFUSES(hyd_bucket_delete(live.store, &s3, &error));
    REFUSES(hyd_bucket_head(live.store, &s3, NULL, &error));
    REFUSES(hyd_bucket_head(live.store, NULL, &info, &error));
    REFUSES(hyd_bucket_location(live.store, NULL, &info, &error));
    REFUSES(hyd_bucket_versioning_get(live.store, &s3, &versioning, &error));
    REFUSES(hyd_bucket_versioning_set(live.store, &s3, HYD_VERSIONING_ENABLED, NULL, &error));
    CHECK(opened == NULL && versioning == 0 && count == 0);
}

static void versions_and_tags(void) {
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_s3_get_options s3 = HYD_S3_GET_OPTIONS_INIT;
    hyd_versions *opened = NULL;
    hyd_version_entry version;
    hyd_tags *told = NULL;
    hyd_pair tag = {NULL, NULL};
    const hyd_pair *pairs = NULL;
    size_t count = 0;

    CHECKS(hyd_store, store, hyd_version_delete(store, "k", 1, "v", 1, NULL, NULL, 0, &error));
    CHECKS(hyd_store, store, hyd_versions_open(store, NULL, 0, NULL, &opened, &error));
    CHECKS(hyd_versions, versions, hyd_versions_next(versions, &version, 1, &count, &error));
    CHECKS(hyd_store, store, hyd_tags_get(store, "k", 1, NULL, &told, &error));
    CHECKS(hyd_store, store, hyd_tags_set(store, "k", 1, NULL, NULL, 0, &error));
    CHECKS(hyd_tags, tags, hyd_tags_view(tags, &pairs, &count));
    REFUSES(hyd_version_delete(live.store, NULL, 1, "v", 1, NULL, NULL, 0, &error));
    REFUSES(hyd_version_delete(live.store, "k", 1, NULL, 1, NULL, NULL, 0, &error));
    REFUSES(hyd_versions_open(live.store, NULL, 1, NULL, &opened, &error));
    REFUSES(hyd_versions_open(live.store, NULL, 0, NULL, NULL, &error));
    REFUSES(hyd_versions_next(live.versions, NULL, 1, &count, &error));
    REFUSES(hyd_versions_next(live.versions, &version, 1, NULL, &error));
    REFUSES(hyd_tags_get(live.store, NULL, 1, NULL, &told, &error));
    REFUSES(hyd_tags_get(live.store, "k", 1, NULL, NULL, &error));
    REFUSES(hyd_tags_set(live.store, NULL, 1, NULL, NULL, 0, &error));
    REFUSES(hyd_tags_set(live.store, "k", 1, NULL, NULL, 1, &error));
    REFUSES(hyd_tags_set(live.store, "k", 1, NULL, &tag, 1, &error));
    REFUSES(hyd_tags_view(live.tags, NULL, &count));
    REFUSES(hyd_tags_view(live.tags, &pairs, NULL));
    get.struct_size = s3.struct_size = 1;
    REFUSES(hyd_version_delete(live.store, "k", 1, "v", 1, &s3, NULL, 0, &error));
    REFUSES(hyd_versions_open(live.store, NULL, 0, &s3, &opened, &error));
    REFUSES(hyd_tags_get(live.store, "k", 1, &get, &told, &error));
    REFUSES(hyd_tags_set(live.store, "k", 1, &get, NULL, 0, &error));
    CHECK(opened == NULL && told == NULL && pairs == NULL && count == 0);
}

static void presigns(void) {
    hyd_presign_options options = HYD_PRESIGN_OPTIONS_INIT;
    hyd_presigned_view view = HYD_PRESIGNED_VIEW_INIT;
    hyd_presigned *request = NULL;
    size_t need = 0;

    CHECKS(hyd_store, store, hyd_presign(store, 1, "k", 1, 60, NULL, 0, &need, &error));
    CHECKS(hyd_store, store, hyd_presign_request(store, 1, "k", 1, 60, NULL, &request, &error));
    CHECKS(hyd_presigned, presigned, hyd_presigned_info(presigned, &view));
    REFUSES(hyd_presign(live.store, 1, NULL, 1, 60, NULL, 0, &need, &error));
    REFUSES(hyd_presign(live.store, 1, "k", 1, 60, NULL, 0, NULL, &error));
    REFUSES(hyd_presign(live.store, 1, "k", 1, 60, NULL, 1, &need, &error));
    REFUSES(hyd_presign_request(live.store, 1, NULL, 1, 60, NULL, &request, &error));
    REFUSES(hyd_presign_request(live.store, 1, "k", 1, 60, NULL, NULL, &error));
    REFUSES(hyd_presigned_info(live.presigned, NULL));
    options.struct_size = view.struct_size = 1;
    REFUSES(hyd_presign_request(live.store, 1, "k", 1, 60, &options, &request, &error));
    REFUSES(hyd_presigned_info(live.presigned, &view));
    CHECK(request == NULL && need == 0);
}

static void told_besides(void) {
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_s3_copy_options options = HYD_S3_COPY_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_signer signer = HYD_SIGNER_INIT;

    CHECKS(hyd_uploads, uploads, hyd_uploads_about(uploads, 0, &about, &error));
    CHECKS(hyd_uploaded_parts, uploaded, hyd_uploaded_parts_about(uploaded, &about, &error));
    CHECKS(hyd_versions, versions, hyd_versions_about(versions, 0, &about, &error));
    CHECKS(hyd_buckets, buckets, hyd_buckets_about(buckets, &about, &error));
    CHECKS(hyd_store, store, hyd_store_signer(store, &signer, &error));
    CHECKS(hyd_store, store, hyd_s3_copy(store, "k", 1, live.store, "l", 1, NULL, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_s3_copy(live.store, "k", 1, store, "l", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_uploads_about(live.uploads, 0, NULL, &error));
    REFUSES(hyd_uploads_about(live.uploads, 0, &about, &error));
    REFUSES(hyd_uploaded_parts_about(live.uploaded, NULL, &error));
    REFUSES(hyd_versions_about(live.versions, SIZE_MAX, &about, &error));
    REFUSES(hyd_versions_about(live.versions, 0, NULL, &error));
    REFUSES(hyd_buckets_about(live.buckets, NULL, &error));
    REFUSES(hyd_store_signer(live.store, NULL, &error));
    REFUSES(hyd_s3_copy(live.store, NULL, 1, live.store, "l", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_s3_copy(live.store, "k", 1, live.store, NULL, 1, NULL, NULL, NULL, &error));
    about.struct_size = options.struct_size = meta.struct_size = signer.struct_size = 1;
    REFUSES(hyd_buckets_about(live.buckets, &about, &error));
    REFUSES(hyd_store_signer(live.store, &signer, &error));
    REFUSES(hyd_s3_copy(live.store, "k", 1, live.store, "l", 1, &options, NULL, NULL, &error));
    REFUSES(hyd_s3_copy(live.store, "k", 1, live.store, "l", 1, NULL, &meta, NULL, &error));
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    begin_refusals(argv[1]);
    listings();
    uploads_and_parts();
    by_hand();
    the_service();
    versions_and_tags();
    presigns();
    told_besides();
    end(live);
    puts("all of it is refused");
    return EXIT_SUCCESS;
}

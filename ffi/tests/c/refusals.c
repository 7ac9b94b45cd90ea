/*
 * What is no handle and no struct, handed to every function but those of S3 alone, which refusals_s3.c has.
 *
 *     refusals URI        a bucket of a server that takes anything
 */
#include "refusals.h"

/* All ways to end a handle, once more. */
static void what_ends(void) {
    ENDS(hyd_cq, cq, hyd_cq_destroy(cq));
    ENDS(hyd_writer, writer, hyd_writer_abort(writer));
    ENDS(hyd_writer, writer, hyd_writer_cancel(writer, &error));
    ENDS(hyd_list, list, hyd_list_close(list));
    ENDS(hyd_presigned, presigned, hyd_presigned_free(presigned));
    ENDS(hyd_tags, tags, hyd_tags_free(tags));
    ENDS(hyd_parts, parts, hyd_parts_close(parts));
    ENDS(hyd_uploaded_parts, uploaded, hyd_uploaded_parts_close(uploaded));
    ENDS(hyd_multipart, multipart, hyd_multipart_close(multipart));
    ENDS(hyd_s3_object, object, hyd_s3_object_free(object));
    ENDS(hyd_versions, versions, hyd_versions_close(versions));
    ENDS(hyd_buckets, buckets, hyd_buckets_close(buckets));
    ENDS(hyd_uploads, uploads, hyd_uploads_close(uploads));
    ENDS(hyd_options, options, hyd_options_free(options));
    ENDS(hyd_attributes, attributes, hyd_attributes_free(attributes));
    ENDS(hyd_mem, mem, hyd_mem_unregister(mem));
    ENDS(hyd_buf, buf, hyd_buf_release(buf));
    ENDS(hyd_store, store, hyd_store_close(store));
    ENDS(hyd_engine, engine, hyd_engine_destroy(engine));
    /* These say nothing. */
    hyd_error_free(NULL);
    hyd_error_free(ended.failure);
}

/* What takes no handle. */
static void the_library(void) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_caps caps = HYD_CAPS_INIT;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    hyd_error *copy = NULL;
    hyd_engine *engine = NULL;

    CHECK(hyd_version() == HYD_VERSION && hyd_version_string()[0] == 'h');
    CHECK(hyd_status_str(INT32_MAX)[0] == 'U');
    REFUSES(hyd_set_log(NULL, NULL, 99));
    REFUSES(hyd_engine_config_init(NULL, sizeof config));
    REFUSES(hyd_engine_config_init(&config, 1));
    REFUSES(hyd_engine_create(NULL, NULL, &error));
    config.struct_size = 1;
    REFUSES(hyd_engine_create(&config, &engine, &error));
    REFUSES(hyd_probe(NULL, &error));
    caps.struct_size = 1;
    REFUSES(hyd_probe(&caps, &error));
    CHECKS(hyd_error, failure, hyd_error_info(failure, &view));
    CHECKS(hyd_error, failure, hyd_error_dup(failure, &copy));
    REFUSES(hyd_error_info(live.failure, NULL));
    REFUSES(hyd_error_dup(live.failure, NULL));
    view.struct_size = 1;
    REFUSES(hyd_error_info(live.failure, &view));
    CHECK(copy == NULL && engine == NULL);
}

static void engines(void) {
    hyd_engine_left left = HYD_ENGINE_LEFT_INIT;
    hyd_caps caps = HYD_CAPS_INIT;
    hyd_stats stats = HYD_STATS_INIT;
    int32_t fd = -1;
    size_t need = 0;

    CHECKS(hyd_engine, engine, hyd_engine_stop(engine, 0, &left, &error));
    CHECKS(hyd_engine, engine, hyd_engine_run(engine, 1, 0, NULL, &error));
    CHECKS(hyd_engine, engine, hyd_engine_fd(engine, &fd, &error));
    CHECKS(hyd_engine, engine, hyd_engine_caps(engine, &caps, &error));
    CHECKS(hyd_engine, engine, hyd_engine_report(engine, NULL, 0, &need, &error));
    CHECKS(hyd_engine, engine, hyd_engine_stats(engine, &stats, &error));
    CHECKS(hyd_engine, engine, hyd_core_stats(engine, 0, &stats, &error));
    CHECKS(hyd_engine, engine, hyd_engine_metrics(engine, NULL, 0, &need, &error));
    REFUSES(hyd_engine_fd(live.engine, NULL, &error));
    REFUSES(hyd_engine_caps(live.engine, NULL, &error));
    REFUSES(hyd_engine_report(live.engine, NULL, 0, NULL, &error));
    REFUSES(hyd_engine_report(live.engine, NULL, 1, &need, &error));
    REFUSES(hyd_engine_stats(live.engine, NULL, &error));
    REFUSES(hyd_core_stats(live.engine, 0, NULL, &error));
    REFUSES(hyd_core_stats(live.engine, 99, &stats, &error));
    REFUSES(hyd_engine_metrics(live.engine, NULL, 0, NULL, &error));
    REFUSES(hyd_engine_metrics(live.engine, NULL, 1, &need, &error));
    left.struct_size = caps.struct_size = stats.struct_size = 1;
    REFUSES(hyd_engine_stop(live.engine, 0, &left, &error));
    REFUSES(hyd_engine_caps(live.engine, &caps, &error));
    REFUSES(hyd_engine_stats(live.engine, &stats, &error));
    REFUSES(hyd_core_stats(live.engine, 0, &stats, &error));
    CHECK(need == 0 && fd == -1);
}

static void buffers(void) {
    hyd_buf *lent = NULL;
    hyd_mem *known = NULL;
    void *data = NULL;
    size_t len = 0;

    CHECKS(hyd_engine, engine, hyd_buf_lend(engine, 1, &lent, &error));
    CHECKS(hyd_buf, buf, hyd_buf_view(buf, &data, &len, NULL));
    CHECKS(hyd_buf, buf, hyd_buf_retain(buf));
    REFUSES(hyd_buf_lend(live.engine, 1, NULL, &error));
    CHECKS(hyd_engine, engine, hyd_mem_register(engine, memory, 1, &known, NULL, &error));
    REFUSES(hyd_mem_register(live.engine, NULL, 1, &known, NULL, &error));
    REFUSES(hyd_mem_register(live.engine, memory, 0, &known, NULL, &error));
    REFUSES(hyd_mem_register(live.engine, memory, 1, NULL, NULL, &error));
    CHECK(lent == NULL && known == NULL && data == NULL && len == 0);
}

static hyd_status provide(void *user, hyd_credentials *credentials) {
    (void)user;
    (void)credentials;
    return HYD_E_CONFIG;
}

static void options_and_stores(void) {
    hyd_put_options said = HYD_PUT_OPTIONS_INIT;
    hyd_store *opened = NULL;

    CHECKS(hyd_options, options, hyd_options_set(options, "tries", "1", &error));
    CHECKS(hyd_options, options, hyd_options_set_credentials(options, provide, NULL, NULL, &error));
    REFUSES(hyd_options_set(live.options, NULL, "1", &error));
    REFUSES(hyd_options_set(live.options, "tries", NULL, &error));
    REFUSES(hyd_options_set_credentials(live.options, NULL, NULL, NULL, &error));
    CHECKS(hyd_engine, engine, hyd_store_open(engine, "mem://a", NULL, &opened, &error));
    REFUSES(hyd_store_open(live.engine, NULL, NULL, &opened, &error));
    REFUSES(hyd_store_open(live.engine, "mem://a", NULL, NULL, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_store_open(live.engine, "mem://a", ended.options, &opened, &error));
    CHECKS(hyd_attributes, attributes, hyd_attributes_view(attributes, &said));
    REFUSES(hyd_attributes_view(live.attributes, NULL));
    said.struct_size = 1;
    REFUSES(hyd_attributes_view(live.attributes, &said));
    CHECK(opened == NULL);
}

static void reads(void) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_ranges_options how = HYD_RANGES_OPTIONS_INIT;
    hyd_range range = {0, NULL, 1, 0, 0, 0};
    hyd_object_range of_object = {NULL, 1, {0, NULL, 0, 0, 0, 0}};
    hyd_buf *got = NULL;
    size_t len = 0;

    CHECKS(hyd_store, store, hyd_get(store, "k", 1, NULL, &got, NULL, &error));
    CHECKS(hyd_store, store, hyd_get_range(store, "k", 1, NULL, 0, memory, 1, &len, &error));
    CHECKS(hyd_store, store, hyd_stat(store, "k", 1, NULL, &meta, NULL, &error));
    CHECKS(hyd_store, store, hyd_get_ranges(store, "k", 1, NULL, &range, 1, &error));
    CHECKS(hyd_store, store, hyd_get_object_ranges(store, &of_object, 1, NULL, &error));
    REFUSES(hyd_get(live.store, NULL, 1, NULL, &got, NULL, &error));
    REFUSES(hyd_get(live.store, "k", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_get_range(live.store, NULL, 1, NULL, 0, memory, 1, &len, &error));
    REFUSES(hyd_get_range(live.store, "k", 1, NULL, 0, NULL, 1, &len, &error));
    REFUSES(hyd_get_range(live.store, "k", 1, NULL, 0, memory, 1, NULL, &error));
    REFUSES(hyd_stat(live.store, NULL, 1, NULL, &meta, NULL, &error));
    REFUSES(hyd_stat(live.store, "k", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_get_ranges(live.store, NULL, 1, NULL, &range, 1, &error));
    REFUSES(hyd_get_ranges(live.store, "k", 1, NULL, NULL, 1, &error));
    REFUSES(hyd_get_ranges(live.store, "k", 1, NULL, &range, 1, &error));
    REFUSES(hyd_get_object_ranges(live.store, NULL, 1, NULL, &error));
    REFUSES(hyd_get_object_ranges(live.store, &of_object, 1, NULL, &error));
    meta.struct_size = get.struct_size = how.struct_size = 1;
    REFUSES(hyd_get(live.store, "k", 1, &get, &got, NULL, &error));
    REFUSES(hyd_get(live.store, "k", 1, NULL, &got, &meta, &error));
    REFUSES(hyd_get_range(live.store, "k", 1, &get, 0, memory, 1, &len, &error));
    REFUSES(hyd_stat(live.store, "k", 1, NULL, &meta, NULL, &error));
    REFUSES(hyd_get_ranges(live.store, "k", 1, &get, NULL, 0, &error));
    REFUSES(hyd_get_object_ranges(live.store, NULL, 0, &how, &error));
    CHECK(got == NULL && len == 0);
}

static void writes(void) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_delete_report report = HYD_DELETE_REPORT_INIT;
    hyd_text key = {NULL, 1};

    CHECKS(hyd_store, store, hyd_put(store, "k", 1, "x", 1, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_delete(store, &key, 1, NULL, &error));
    CHECKS(hyd_store, store, hyd_delete_prefix(store, "k", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_put(live.store, NULL, 1, "x", 1, NULL, NULL, &error));
    REFUSES(hyd_put(live.store, "k", 1, NULL, 1, NULL, NULL, &error));
    REFUSES(hyd_delete(live.store, NULL, 1, NULL, &error));
    REFUSES(hyd_delete(live.store, &key, 1, NULL, &error));
    REFUSES(hyd_delete_prefix(live.store, NULL, 1, NULL, NULL, NULL, &error));
    meta.struct_size = put.struct_size = report.struct_size = 1;
    REFUSES(hyd_put(live.store, "k", 1, "x", 1, &put, NULL, &error));
    REFUSES(hyd_put(live.store, "k", 1, "x", 1, NULL, &meta, &error));
    REFUSES(hyd_delete_prefix(live.store, "k", 1, NULL, NULL, &report, &error));
}

static void transfers(void) {
    hyd_copy_options copy = HYD_COPY_OPTIONS_INIT;
    hyd_copy_report report = HYD_COPY_REPORT_INIT;
    hyd_verify_options how = HYD_VERIFY_OPTIONS_INIT;
    hyd_verify_report same = HYD_VERIFY_REPORT_INIT;
    const hyd_store *from = live.store;

    CHECKS(hyd_store, store, hyd_copy(store, "k", 1, from, "l", 1, NULL, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_copy(from, "k", 1, store, "l", 1, NULL, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_get_to_file(store, "k", 1, "/f", 2, NULL, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_put_from_file(store, "k", 1, "/f", 2, NULL, NULL, NULL, &error));
    CHECKS(hyd_store, store, hyd_verify(store, "k", 1, from, "l", 1, NULL, &same, &error));
    CHECKS(hyd_store, store, hyd_verify(from, "k", 1, store, "l", 1, NULL, &same, &error));
    REFUSES(hyd_copy(from, NULL, 1, from, "l", 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_copy(from, "k", 1, from, NULL, 1, NULL, NULL, NULL, &error));
    REFUSES(hyd_get_to_file(from, NULL, 1, "/f", 2, NULL, NULL, NULL, &error));
    REFUSES(hyd_get_to_file(from, "k", 1, NULL, 2, NULL, NULL, NULL, &error));
    REFUSES(hyd_put_from_file(from, NULL, 1, "/f", 2, NULL, NULL, NULL, &error));
    REFUSES(hyd_put_from_file(from, "k", 1, NULL, 2, NULL, NULL, NULL, &error));
    REFUSES(hyd_verify(from, NULL, 1, from, "l", 1, NULL, &same, &error));
    REFUSES(hyd_verify(from, "k", 1, from, NULL, 1, NULL, &same, &error));
    copy.struct_size = report.struct_size = how.struct_size = 1;
    REFUSES(hyd_copy(from, "k", 1, from, "l", 1, &copy, NULL, NULL, &error));
    REFUSES(hyd_copy(from, "k", 1, from, "l", 1, NULL, NULL, &report, &error));
    REFUSES(hyd_get_to_file(from, "k", 1, "/f", 2, &copy, NULL, NULL, &error));
    REFUSES(hyd_put_from_file(from, "k", 1, "/f", 2, &copy, NULL, NULL, &error));
    REFUSES(hyd_verify(from, "k", 1, from, "l", 1, &how, &same, &error));
    same.struct_size = 1;
    REFUSES(hyd_verify(from, "k", 1, from, "l", 1, NULL, &same, &error));
}

static void streams(void) {
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_writer *opened = NULL;
    void *data = NULL;
    size_t len = 0;

    CHECKS(hyd_store, store, hyd_writer_open(store, "k", 1, NULL, &opened, &error));
    CHECKS(hyd_writer, writer, hyd_writer_write(writer, "x", 1, HYD_WRITE_COPY, &error));
    CHECKS(hyd_writer, writer, hyd_writer_give(writer, live.buf, 0, &error));
    CHECKS(hyd_writer, writer, hyd_writer_reserve(writer, &data, &len, &error));
    CHECKS(hyd_writer, writer, hyd_writer_commit(writer, 0, &error));
    CHECKS(hyd_writer, writer, hyd_writer_finish(writer, NULL, &error));
    CHECKS(hyd_buf, buf, hyd_writer_give(live.writer, buf, 0, &error));
    REFUSES(hyd_writer_open(live.store, NULL, 1, NULL, &opened, &error));
    REFUSES(hyd_writer_open(live.store, "k", 1, NULL, NULL, &error));
    REFUSES(hyd_writer_write(live.writer, NULL, 1, HYD_WRITE_COPY, &error));
    REFUSES(hyd_writer_write(live.writer, "x", 1, 99, &error));
    REFUSES(hyd_writer_reserve(live.writer, NULL, &len, &error));
    REFUSES(hyd_writer_reserve(live.writer, &data, NULL, &error));
    REFUSES(hyd_writer_commit(live.writer, 1, &error));
    put.struct_size = meta.struct_size = 1;
    REFUSES(hyd_writer_open(live.store, "k", 1, &put, &opened, &error));
    REFUSES(hyd_writer_finish(live.writer, &meta, &error));
    CHECK(opened == NULL && data == NULL && len == 0);
}

static void listings(void) {
    hyd_list *opened = NULL;
    hyd_list_entry entry;
    const char *token = NULL;
    size_t count = 0;

    CHECKS(hyd_store, store, hyd_list_open(store, NULL, 0, NULL, 0, 0, 0, &opened, &error));
    CHECKS(hyd_list, list, hyd_list_next(list, &entry, 1, &count, &error));
    CHECKS(hyd_list, list, hyd_list_token(list, &token, &count, &error));
    REFUSES(hyd_list_open(live.store, NULL, 1, NULL, 0, 0, 0, &opened, &error));
    REFUSES(hyd_list_open(live.store, NULL, 0, NULL, 1, 0, 0, &opened, &error));
    REFUSES(hyd_list_open(live.store, NULL, 0, NULL, 0, 0, 0, NULL, &error));
    REFUSES(hyd_list_next(live.list, NULL, 1, &count, &error));
    REFUSES(hyd_list_next(live.list, &entry, 1, NULL, &error));
    REFUSES(hyd_list_token(live.list, NULL, &count, &error));
    REFUSES(hyd_list_token(live.list, &token, NULL, &error));
    CHECK(opened == NULL && token == NULL && count == 0);
}

static void queues(void) {
    hyd_request request = HYD_REQUEST_INIT;
    hyd_event event;
    hyd_cq *made_one = NULL;
    int32_t fd = -1;
    size_t count = 0;

    request.op = HYD_OP_DELETE;
    request.key = "k";
    request.key_len = 1;
    CHECKS(hyd_engine, engine, hyd_cq_create(engine, 1, &made_one, &error));
    CHECKS(hyd_cq, cq, hyd_cq_fd(cq, &fd, &error));
    CHECKS(hyd_cq, cq, hyd_cq_wait(cq, &event, 1, 0, 0, &count, &error));
    CHECKS(hyd_cq, cq, hyd_cq_wake(cq));
    CHECKS(hyd_cq, cq, hyd_cancel(cq, 1));
    CHECKS(hyd_cq, cq, hyd_submit(live.store, cq, &request, 1, NULL, &count, &error));
    CHECKS(hyd_store, store, hyd_submit(store, live.cq, &request, 1, NULL, &count, &error));
    REFUSES(hyd_cq_create(live.engine, 1, NULL, &error));
    REFUSES(hyd_cq_fd(live.cq, NULL, &error));
    REFUSES(hyd_cq_wait(live.cq, NULL, 1, 0, 0, &count, &error));
    REFUSES(hyd_cq_wait(live.cq, &event, 1, 0, 0, NULL, &error));
    REFUSES(hyd_submit(live.store, live.cq, NULL, 1, NULL, &count, &error));
    request.struct_size = 1;
    REFUSES(hyd_submit(live.store, live.cq, &request, 1, NULL, &count, &error));
    CHECK(made_one == NULL && fd == -1 && count == 0);
}

static void besides(void) {
    hyd_sum sum = {HYD_CHECKSUM_CRC32, 0, "AAAAAA=="}, none = {0, 0, ""}, other = {HYD_CHECKSUM_CRC32C, 0, "AAAAAA=="};
    uint64_t bytes = 7;
    size_t need = 0;
    char text[2];

    CHECKS(hyd_writer, writer, hyd_writer_flush(writer, &error));
    CHECKS(hyd_writer, writer, hyd_writer_written(writer, &bytes, &bytes, &error));
    CHECKS(hyd_store, store, hyd_store_uri(store, "k", 1, NULL, 0, &need, &error));
    REFUSES(hyd_writer_written(live.writer, (uint64_t *)((char *)&bytes + 1), NULL, &error));
    REFUSES(hyd_store_uri(live.store, NULL, 1, NULL, 0, &need, &error));
    REFUSES(hyd_store_uri(live.store, "k", 1, NULL, 1, &need, &error));
    REFUSES(hyd_store_uri(live.store, "k", 1, NULL, 0, NULL, &error));
    CHECK(need == 0 && bytes == 7);
    CHECK_STATUS(HYD_E_AGAIN, hyd_store_uri(live.store, "k", 1, text, sizeof text, &need, &error));
    REFUSES(hyd_sum_of(0, "x", 1, &sum, &error));
    REFUSES(hyd_sum_of(HYD_CHECKSUM_CRC32, NULL, 1, &sum, &error));
    REFUSES(hyd_sum_of(HYD_CHECKSUM_CRC32, "x", 1, NULL, &error));
    REFUSES(hyd_sum_then(NULL, &sum, 1, &sum, &error));
    REFUSES(hyd_sum_then(&sum, NULL, 1, &sum, &error));
    REFUSES(hyd_sum_then(&sum, &sum, 1, NULL, &error));
    REFUSES(hyd_sum_then(&none, &sum, 1, &sum, &error));
    REFUSES(hyd_sum_then(&sum, &other, 1, &sum, &error));
}

int main(int argc, char **argv) {
    hyd_options *options = hyd_options_new();

    CHECK(argc == 2 && options != NULL && hyd_options_free(options) == HYD_OK);
    begin_refusals(argv[1]);
    what_ends();
    the_library();
    engines();
    buffers();
    options_and_stores();
    reads();
    writes();
    transfers();
    streams();
    listings();
    queues();
    besides();
    end(live);
    puts("all of it is refused");
    return EXIT_SUCCESS;
}

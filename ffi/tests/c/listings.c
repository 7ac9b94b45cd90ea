/*
 * Listings with what S3 alone is asked for: whose objects are, what is rolled up, who pays.
 *
 *     listings URI PEER
 *
 * URI is a bucket. The server at PEER takes whatever it is asked for; the test looks at what that was.
 */
#include "requests.h"

static int is(const char *text, size_t len, const char *expected) {
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static hyd_s3_list_options asking(const hyd_s3_get_options *who) {
    hyd_s3_list_options options = HYD_S3_LIST_OPTIONS_INIT;
    options.s3 = who;
    options.start_after = "0 9";
    options.start_after_len = 3;
    options.delimiter = '/';
    options.page_entries = 7;
    return options;
}

static void objects(const hyd_store *peer, const hyd_s3_get_options *who) {
    hyd_s3_list_options options = asking(who);
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_list_entry entries[3];
    hyd_list *list = NULL;
    const char *token = NULL;
    size_t count = 0, token_len = 0;

    options.flags = HYD_S3_LIST_OWNERS | HYD_S3_LIST_RESTORES;
    CHECK_STATUS(HYD_OK, hyd_s3_list_open(peer, TEXT("a b"), &options, &list, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_list_about(list, 0, &about, &error));
    CHECK_STATUS(HYD_OK, hyd_list_next(list, entries, 3, &count, &error));
    CHECK(count == 2 && is(entries[0].key, entries[0].key_len, "a b/"));
    CHECK(entries[0].flags == HYD_ENTRY_PREFIX && entries[0].modified_unix_ns == HYD_TIME_UNKNOWN);
    CHECK(is(entries[1].key, entries[1].key_len, "a b1") && entries[1].flags == 0);
    CHECK(is(entries[1].etag, entries[1].etag_len, "\"e\"") && entries[1].size_bytes == 5);
    CHECK(entries[1].modified_unix_ns == 1767323045 * INT64_C(1000000000));
    CHECK_STATUS(HYD_OK, hyd_list_token(list, &token, &token_len, &error));
    CHECK(is(token, token_len, "next"));
    CHECK_STATUS(HYD_OK, hyd_list_about(list, 0, &about, &error));
    CHECK(about.owner_id_len == 0 && about.storage_class_len == 0 && about.restore == 0);
    CHECK_STATUS(HYD_OK, hyd_list_about(list, 1, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK(is(about.owner_name, about.owner_name_len, "myself") && about.initiator_id_len == 0);
    CHECK(is(about.storage_class, about.storage_class_len, "GLACIER"));
    CHECK(is(about.checksum_algorithm, about.checksum_algorithm_len, "CRC32C"));
    CHECK(is(about.checksum_type, about.checksum_type_len, "COMPOSITE"));
    CHECK(about.restore == HYD_RESTORE_DONE && about.restored_until_unix_s == 1767323045);
    CHECK_STATUS(HYD_E_INVALID, hyd_list_about(list, 2, &about, &error));
    CHECK_STATUS(HYD_OK, hyd_list_next(list, entries, 1, &count, &error));
    CHECK(count == 1 && is(entries[0].key, entries[0].key_len, "a b2"));
    CHECK_STATUS(HYD_OK, hyd_list_about(list, 0, &about, &error));
    CHECK(about.owner_id_len == 0 && about.restore == HYD_RESTORE_IN_PROGRESS);
    CHECK(about.checksum_type_len == 0 && about.restored_until_unix_s == 0);
    /* Of a caller that was compiled before the struct grew. */
    memset(&about, 0x5A, sizeof about);
    about.struct_size = 104;
    CHECK_STATUS(HYD_OK, hyd_list_about(list, 0, &about, &error));
    CHECK(about.owner_id_len == 0 && about.restore == 0x5A5A5A5A);
    CHECK_STATUS(HYD_OK, hyd_list_next(list, entries, 1, &count, &error));
    CHECK(count == 0 && hyd_list_close(list) == HYD_OK);
}

static void uploads(const hyd_store *peer, const hyd_s3_get_options *who) {
    hyd_s3_list_options options = asking(who);
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_uploads *listed = NULL;
    hyd_upload lines[4];
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_s3_uploads_open(peer, TEXT("a b"), &options, &listed, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(listed, lines, 4, &count, &error));
    CHECK(count == 3);
    CHECK(is(lines[0].key, lines[0].key_len, "a b/") && lines[0].upload_id_len == 0);
    CHECK(lines[0].initiated_unix_ns == HYD_TIME_UNKNOWN);
    CHECK(is(lines[1].key, lines[1].key_len, "a b1") && is(lines[1].upload_id, lines[1].upload_id_len, "u"));
    CHECK(is(lines[2].key, lines[2].key_len, "a b2/") && lines[2].upload_id_len == 0);
    CHECK_STATUS(HYD_OK, hyd_uploads_about(listed, 0, &about, &error));
    CHECK(about.owner_id_len == 0 && about.initiator_id_len == 0);
    CHECK_STATUS(HYD_OK, hyd_uploads_about(listed, 1, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK(hyd_uploads_close(listed) == HYD_OK);
}

static void versions(const hyd_store *peer, const hyd_s3_get_options *who) {
    hyd_s3_list_options options = asking(who);
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_versions *listed = NULL;
    hyd_version_entry lines[4];
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_s3_versions_open(peer, TEXT("a b"), &options, &listed, &error));
    CHECK_STATUS(HYD_OK, hyd_versions_next(listed, lines, 4, &count, &error));
    CHECK(count == 3);
    CHECK(is(lines[0].key, lines[0].key_len, "a b/") && lines[0].flags == HYD_VERSION_PREFIX);
    CHECK(lines[0].version_id_len == 0 && lines[0].etag_len == 0 && lines[0].storage_class_len == 0);
    /* The newest first, as the server has them. */
    CHECK(is(lines[1].version_id, lines[1].version_id_len, "2") && lines[1].flags == HYD_VERSION_LATEST);
    CHECK(is(lines[2].version_id, lines[2].version_id_len, "1") && lines[2].flags == 0);
    CHECK_STATUS(HYD_OK, hyd_versions_about(listed, 0, &about, &error));
    CHECK(about.owner_id_len == 0);
    CHECK_STATUS(HYD_OK, hyd_versions_about(listed, 2, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK(hyd_versions_close(listed) == HYD_OK);
}

/* The same as requests of a queue. */
static void pages(const hyd_engine *engine, const hyd_store *peer, const hyd_store *memory,
                  const hyd_s3_get_options *who) {
    hyd_cq *cq = new_queue(engine, 0);
    hyd_s3_list_options options = asking(who);
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_request request = request_of(HYD_OP_LIST_PAGE, "a b");
    hyd_list_entry entries[3];
    hyd_event event;
    const char *token = NULL;
    size_t count = 0, token_len = 0;

    options.flags = HYD_S3_LIST_OWNERS | HYD_S3_LIST_RESTORES;
    request.s3_list = &options;
    event = do_one(peer, cq, &request, HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, entries, 3, &count, &error));
    CHECK(count == 2 && is(entries[1].key, entries[1].key_len, "a b1"));
    CHECK_STATUS(HYD_OK, hyd_list_about(event.list, 1, &about, &error));
    CHECK(is(about.owner_id, about.owner_id_len, "me"));
    CHECK_STATUS(HYD_OK, hyd_list_token(event.list, &token, &token_len, &error));
    request.aux = token;
    request.aux_len = token_len;
    request.delimiter = '/';
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(peer, cq, &request, 1, NULL, NULL, &error));
    request.delimiter = 0;
    CHECK_STATUS(HYD_OK, hyd_submit(peer, cq, &request, 1, NULL, NULL, &error));
    CHECK(hyd_list_close(event.list) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, entries, 3, &count, &error));
    CHECK(count == 1 && is(entries[0].key, entries[0].key_len, "a b2"));
    CHECK(hyd_list_close(event.list) == HYD_OK);
    request.aux_len = 0;
    do_one(memory, cq, &request, HYD_E_UNSUPPORTED);
    options.flags = 4;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(peer, cq, &request, 1, NULL, NULL, &error));
    request.op = HYD_OP_DELETE;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(peer, cq, &request, 1, NULL, NULL, &error));
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* As hyd_list_open() lists, page by page, of a server that has no owners. */
static void of_a_bucket(const hyd_store *store) {
    static const char *const KEYS[] = {"listed/a", "listed/b/1", "listed/b/2", "listed/c"};
    hyd_s3_list_options options = HYD_S3_LIST_OPTIONS_INIT;
    hyd_s3_about about = HYD_S3_ABOUT_INIT;
    hyd_list_entry entry;
    hyd_uploads *begun = NULL;
    hyd_list *list = NULL, *plain = NULL;
    hyd_upload upload;
    size_t count = 0, i;

    for (i = 0; i < 4; i++) {
        put(store, KEYS[i], "x", 1);
    }
    options.page_entries = 1;
    options.delimiter = '/';
    CHECK_STATUS(HYD_OK, hyd_s3_list_open(store, TEXT("listed/"), &options, &list, &error));
    for (i = 0; i < 3; i++) {
        static const char *const ROLLED[] = {"listed/a", "listed/b/", "listed/c"};
        CHECK_STATUS(HYD_OK, hyd_list_next(list, &entry, 1, &count, &error));
        CHECK(count == 1 && is(entry.key, entry.key_len, ROLLED[i]));
        CHECK((entry.flags == HYD_ENTRY_PREFIX) == (i == 1));
    }
    CHECK_STATUS(HYD_OK, hyd_list_next(list, &entry, 1, &count, &error));
    CHECK(count == 0 && hyd_list_close(list) == HYD_OK);

    CHECK_STATUS(HYD_OK, hyd_s3_list_open(store, TEXT("listed/"), NULL, &list, &error));
    CHECK_STATUS(HYD_OK, hyd_list_open(store, TEXT("listed/"), NULL, 0, 0, 0, &plain, &error));
    for (i = 0; i < 4; i++) {
        CHECK_STATUS(HYD_OK, hyd_list_next(list, &entry, 1, &count, &error));
        CHECK(count == 1 && is(entry.key, entry.key_len, KEYS[i]) && entry.size_bytes == 1);
        CHECK_STATUS(HYD_OK, hyd_list_next(plain, &entry, 1, &count, &error));
        CHECK(count == 1 && is(entry.key, entry.key_len, KEYS[i]));
        CHECK_STATUS(HYD_OK, hyd_list_about(plain, 0, &about, &error));
        CHECK(about.owner_id_len == 0 && about.storage_class_len == 0);
    }
    CHECK(hyd_list_close(list) == HYD_OK && hyd_list_close(plain) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_s3_uploads_open(store, TEXT("listed/"), NULL, &begun, &error));
    CHECK_STATUS(HYD_OK, hyd_uploads_next(begun, &upload, 1, &count, &error));
    CHECK(count == 0 && hyd_uploads_close(begun) == HYD_OK);
}

/* What makes no sense is told, and nothing goes out for it. */
static void refused(const hyd_store *peer, const hyd_store *memory) {
    hyd_s3_list_options options = HYD_S3_LIST_OPTIONS_INIT;
    hyd_s3_get_options who = HYD_S3_GET_OPTIONS_INIT;
    hyd_list *list = NULL;
    hyd_uploads *begun = NULL;
    hyd_versions *kept = NULL;

    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_s3_list_open(memory, NULL, 0, NULL, &list, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_s3_uploads_open(memory, NULL, 0, NULL, &begun, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_s3_versions_open(memory, NULL, 0, NULL, &kept, &error));
    options.flags = 4;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_list_open(peer, NULL, 0, &options, &list, &error));
    options.flags = HYD_S3_LIST_OWNERS;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_uploads_open(peer, NULL, 0, &options, &begun, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_versions_open(peer, NULL, 0, &options, &kept, &error));
    options.delimiter = 0xD800;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_list_open(peer, NULL, 0, &options, &list, &error));
    options.delimiter = 0;
    options.start_after = "\xff";
    options.start_after_len = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_list_open(peer, NULL, 0, &options, &list, &error));
    options.start_after_len = 0;
    who.customer_key = (const uint8_t *)"01234567890123456789012345678901";
    options.s3 = &who;
    CHECK_STATUS(HYD_E_INVALID, hyd_s3_list_open(peer, NULL, 0, &options, &list, &error));
    CHECK(list == NULL && begun == NULL && kept == NULL);
}

int main(int argc, char **argv) {
    hyd_s3_get_options who = HYD_S3_GET_OPTIONS_INIT;
    hyd_engine *engine;
    hyd_store *store, *peer, *memory;

    CHECK(argc == 3);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    peer = open_store(engine, argv[2]);
    memory = open_store(engine, "mem://listings");
    who.flags = HYD_S3_REQUESTER_PAYS;
    who.expected_bucket_owner = "111122223333";
    objects(peer, &who);
    uploads(peer, &who);
    versions(peer, &who);
    pages(engine, peer, memory, &who);
    of_a_bucket(store);
    refused(peer, memory);
    CHECK(hyd_store_close(memory) == HYD_OK && hyd_store_close(peer) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK && hyd_engine_destroy(engine) == HYD_OK);
    puts("all of it is listed");
    return EXIT_SUCCESS;
}

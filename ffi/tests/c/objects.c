/*
 * The blocking calls: objects, copies, files, deletes, listings, writers.
 *
 *     objects URI FOLDER      the URI of an empty store, and an empty folder
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <unistd.h>

enum { LARGE_BYTES = 20 * 1024 * 1024 + 77, PART_BYTES = 8 * 1024 * 1024 };

static unsigned char *large;

static void whole_objects(const hyd_store *store) {
    hyd_put_options text = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_buf *buf = NULL;

    put(store, "small", large, 1000);
    check_object(store, "small", large, 1000);
    put(store, "empty", NULL, 0);
    check_object(store, "empty", large, 0);
    /* In parts, both ways. */
    text.content_type = "text/plain";
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("large"), large, LARGE_BYTES, &text, &meta, &error));
    CHECK(meta.size_bytes == LARGE_BYTES);
    check_object(store, "large", large, LARGE_BYTES);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_get(store, TEXT("missing"), NULL, &buf, NULL, &error));
    CHECK(buf == NULL);
}

static void copies_and_files(const hyd_engine *engine, const hyd_store *store, const char *folder) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_engine *foreign = small_engine(0);
    hyd_store *elsewhere = open_store(foreign, "mem://elsewhere");
    hyd_store *files = open_store(engine, "file:///");
    char path[4096];

    CHECK_STATUS(HYD_OK, hyd_copy(store, TEXT("large"), store, TEXT("copied"), NULL, &meta, NULL,
                                  &error));
    CHECK(meta.size_bytes == LARGE_BYTES);
    check_object(store, "copied", large, LARGE_BYTES);
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("large"), store, TEXT("large"), NULL, NULL,
                                         NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("large"), elsewhere, TEXT("x"), NULL, NULL,
                                         NULL, &error));
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_copy(store, TEXT("none"), store, TEXT("x"), NULL, NULL, NULL,
                                           &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_copy(store, TEXT("large"), NULL, TEXT("x"), NULL, NULL, NULL,
                                         &error));

    CHECK(strlen(folder) < sizeof path - 20);
    sprintf(path, "%s/large file %%41", folder);
    meta.size_bytes = 0;
    CHECK_STATUS(HYD_OK, hyd_get_to_file(store, TEXT("large"), TEXT(path), NULL, &meta, NULL,
                                         &error));
    CHECK(meta.size_bytes == LARGE_BYTES);
    check_object(files, path, large, LARGE_BYTES);
    CHECK_STATUS(HYD_OK, hyd_put_from_file(store, TEXT("again"), TEXT(path), NULL, &meta, NULL,
                                           &error));
    check_object(store, "again", large, LARGE_BYTES);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_get_to_file(store, TEXT("none"), TEXT(path), NULL, NULL,
                                                  NULL, &error));
    sprintf(path, "%s/none", folder);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_put_from_file(store, TEXT("x"), TEXT(path), NULL, NULL, NULL,
                                                    &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_to_file(store, TEXT("large"), NULL, 1, NULL, NULL, NULL,
                                                &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_put_from_file(NULL, TEXT("x"), TEXT(path), NULL, NULL, NULL,
                                                  &error));
    CHECK(hyd_store_close(files) == HYD_OK);
    CHECK(hyd_store_close(elsewhere) == HYD_OK);
    CHECK(hyd_engine_destroy(foreign) == HYD_OK);
}

/* A caller that was compiled with a struct which has grown since gets nothing behind what it knows. */
static void a_smaller_meta(const hyd_store *store) {
    enum { KNOWN = 288, CANARY = 0xA5 };
    union {
        hyd_object_meta meta;
        unsigned char bytes[sizeof(hyd_object_meta) + 64];
    } place;
    hyd_buf *buf = NULL;
    size_t i;
    int way;

    for (way = 0; way < 3; way++) {
        memset(&place, CANARY, sizeof place);
        place.meta.struct_size = KNOWN;
        if (way == 0) {
            CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("large"), NULL, &place.meta, NULL, &error));
        } else if (way == 1) {
            CHECK_STATUS(HYD_OK, hyd_get(store, TEXT("large"), NULL, &buf, &place.meta, &error));
            CHECK(hyd_buf_release(buf) == HYD_OK);
        } else {
            CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("known"), "x", 1, NULL, &place.meta, &error));
        }
        CHECK(place.meta.struct_size == KNOWN);
        CHECK(place.meta.size_bytes == (way == 2 ? 1 : LARGE_BYTES));
        for (i = KNOWN; i < sizeof place; i++) {
            CHECK(place.bytes[i] == CANARY);
        }
    }
    CHECK_STATUS(HYD_OK, delete_one(store, "known", &error));
}

static void deletes(const hyd_store *store, int tells_missing) {
    const char *names[] = {"copied", "missing", "again"};
    const hyd_status of_missing = tells_missing ? HYD_E_NOT_FOUND : HYD_OK;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_status results[3] = {77, 77, 77};
    hyd_text keys[3];
    size_t i;

    for (i = 0; i < 3; i++) {
        keys[i].text = names[i];
        keys[i].len = strlen(names[i]);
    }
    CHECK_STATUS(of_missing, hyd_delete(store, keys, 3, results, &error));
    CHECK(results[0] == HYD_OK && results[1] == of_missing && results[2] == HYD_OK);
    /* What is named twice is deleted once. */
    put(store, "twice", large, 10);
    keys[0].text = keys[2].text = "twice";
    keys[0].len = keys[2].len = 5;
    CHECK_STATUS(of_missing, hyd_delete(store, keys, 3, results, &error));
    CHECK(results[0] == HYD_OK && results[1] == of_missing && results[2] == HYD_OK);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("again"), NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_delete(store, NULL, 0, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_delete(store, NULL, 1, NULL, &error));
    /* Nothing is deleted when one of the keys is none. */
    names[0] = "small";
    keys[0].text = "small";
    keys[0].len = 5;
    keys[1].text = "\xff";
    keys[1].len = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete(store, keys, 2, results, &error));
    keys[1].len = 0;
    CHECK_STATUS(HYD_E_INVALID, hyd_delete(store, keys, 2, results, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("small"), NULL, &meta, NULL, &error));
}

static void listings(const hyd_store *store) {
    enum { OBJECTS = 25 };
    hyd_list *list = NULL;
    hyd_list_entry entries[10];
    size_t count = 0, seen = 0, token_len = 77, i;
    const char *token = NULL;
    char key[32];

    for (i = 0; i < OBJECTS; i++) {
        sprintf(key, "list/%02u", (unsigned)i);
        put(store, key, large, i);
    }
    put(store, "list/sub/x", large, 1);
    /* Pages that are smaller than what is asked for, and larger. */
    CHECK_STATUS(HYD_OK, hyd_list_open(store, TEXT("list/"), NULL, 0, '/', 7, &list, &error));
    do {
        CHECK_STATUS(HYD_OK, hyd_list_next(list, entries, 10, &count, &error));
        for (i = 0; i < count; i++, seen++) {
            const hyd_list_entry *entry = &entries[i];
            if (seen == OBJECTS) {
                CHECK(entry->flags == HYD_ENTRY_PREFIX && entry->key_len == 9);
                CHECK(memcmp(entry->key, "list/sub/", 9) == 0 && entry->etag_len == 0);
                continue;
            }
            sprintf(key, "list/%02u", (unsigned)seen);
            CHECK(entry->key_len == strlen(key) && memcmp(entry->key, key, entry->key_len) == 0);
            CHECK(entry->size_bytes == seen && entry->flags == 0 && entry->etag_len > 0);
            CHECK(entry->modified_unix_ns > 0);
        }
    } while (count > 0);
    CHECK(seen == OBJECTS + 1);
    CHECK_STATUS(HYD_OK, hyd_list_token(list, &token, &token_len, &error));
    CHECK(token_len == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_list_token(list, NULL, &token_len, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_list_next(list, NULL, 1, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_list_next(NULL, entries, 1, &count, &error));
    CHECK(hyd_list_close(list) == HYD_OK);
    CHECK(hyd_list_close(list) == HYD_E_HANDLE);
    CHECK(hyd_list_close(NULL) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_list_next(list, entries, 1, &count, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_list_token(list, &token, &token_len, &error));
    /* From a key on, which need not be there. */
    CHECK_STATUS(HYD_OK, hyd_list_open(store, TEXT("list/"), TEXT("list/02x"), 0, 0, &list, &error));
    CHECK_STATUS(HYD_OK, hyd_list_next(list, entries, 1, &count, &error));
    CHECK(count == 1 && entries[0].key_len == 7 && memcmp(entries[0].key, "list/03", 7) == 0);
    CHECK(hyd_list_close(list) == HYD_OK);
    CHECK_STATUS(HYD_E_INVALID, hyd_list_open(store, NULL, 0, NULL, 3, 0, 0, &list, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_list_open(store, NULL, 3, NULL, 0, 0, 0, &list, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_list_open(store, TEXT("x"), NULL, 0, 0xd800, 0, &list, &error));
}

static void writers(const hyd_engine *engine, const hyd_store *store) {
    hyd_put_options text = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_writer *writer = NULL;
    hyd_buf *buf = NULL;
    void *data = NULL;
    size_t done = 0, capacity = 0;

    /* All ways to write into one object. */
    text.content_type = "text/plain";
    text.size_bytes = LARGE_BYTES;
    text.parts_in_flight = 3;
    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("stream"), &text, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, large, 1000, HYD_WRITE_COPY, &error));
    done += 1000;
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, large + done, PART_BYTES, HYD_WRITE_BORROW,
                                          &error));
    done += PART_BYTES;
    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 3 * 1024 * 1024, &buf, &error));
    CHECK(hyd_buf_view(buf, &data, NULL, NULL) == HYD_OK);
    memcpy(data, large + done, 2 * 1024 * 1024);
    /* Not while others have it, and not more than there is. */
    CHECK(hyd_buf_retain(buf) == HYD_OK);
    CHECK_STATUS(HYD_E_BUSY, hyd_writer_give(writer, buf, 2 * 1024 * 1024, &error));
    CHECK(hyd_buf_release(buf) == HYD_OK);
    CHECK_STATUS(HYD_E_INVALID, hyd_writer_give(writer, buf, 99 * 1024 * 1024, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_give(writer, buf, 2 * 1024 * 1024, &error));
    CHECK(hyd_buf_release(buf) == HYD_E_HANDLE);
    done += 2 * 1024 * 1024;
    while (done < LARGE_BYTES) {
        size_t len = 1234567;
        CHECK_STATUS(HYD_OK, hyd_writer_reserve(writer, &data, &capacity, &error));
        CHECK(data != NULL && capacity > 0);
        len = len < capacity ? len : capacity;
        len = len < LARGE_BYTES - done ? len : LARGE_BYTES - done;
        memcpy(data, large + done, len);
        CHECK_STATUS(HYD_E_INVALID, hyd_writer_commit(writer, capacity + 1, &error));
        CHECK_STATUS(HYD_OK, hyd_writer_commit(writer, len, &error));
        done += len;
    }
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("stream"), NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_finish(writer, &meta, &error));
    CHECK(meta.size_bytes == LARGE_BYTES);
    check_object(store, "stream", large, LARGE_BYTES);
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_finish(writer, &meta, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_write(writer, large, 1, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_reserve(writer, &data, &capacity, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_writer_commit(writer, 0, &error));
    CHECK(hyd_writer_abort(writer) == HYD_E_HANDLE);

    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("aborted"), NULL, &writer, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_writer_write(writer, large, 1, 99, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_writer_write(writer, NULL, 1, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_writer_commit(writer, 1, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, large, LARGE_BYTES, HYD_WRITE_BORROW, &error));
    CHECK(hyd_writer_abort(writer) == HYD_OK);
    CHECK(hyd_writer_abort(NULL) == HYD_OK);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("aborted"), NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("nothing"), NULL, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_finish(writer, NULL, &error));
    check_object(store, "nothing", large, 0);
}

/* The upload cannot even begin: the lent memory comes back, and the failure is told. */
static void a_writer_that_fails(const hyd_engine *engine) {
    hyd_store *files = open_store(engine, "file:///");
    hyd_writer *writer = NULL;
    hyd_error *error = NULL;
    const char *key = "/dev/null/no-folder/stream";

    CHECK_STATUS(HYD_OK, hyd_writer_open(files, TEXT(key), NULL, &writer, &error));
    CHECK(hyd_writer_write(writer, large, PART_BYTES, HYD_WRITE_BORROW, &error) != HYD_OK);
    hyd_error_free(error);
    error = NULL;
    CHECK(hyd_writer_finish(writer, NULL, &error) != HYD_OK);
    hyd_error_free(error);
    CHECK(hyd_store_close(files) == HYD_OK);
}

/* Of whole bytes, and made of those of their halves. */
static void sums_and_names(const hyd_store *store) {
    static const uint32_t kinds[] = {HYD_CHECKSUM_CRC32, HYD_CHECKSUM_CRC32C, HYD_CHECKSUM_CRC64NVME,
                                     HYD_CHECKSUM_SHA1, HYD_CHECKSUM_SHA256};
    hyd_writer *writer = NULL;
    uint64_t written = 7, next = 7;
    hyd_sum whole, halves[2];
    char uri[256];
    size_t need = 0, i;

    for (i = 0; i < 5; i++) {
        hyd_status expected = i < 3 ? HYD_OK : HYD_E_UNSUPPORTED;
        CHECK_STATUS(HYD_OK, hyd_sum_of(kinds[i], "123456789", 9, &whole, &error));
        CHECK_STATUS(HYD_OK, hyd_sum_of(kinds[i], "1234", 4, &halves[0], &error));
        CHECK_STATUS(HYD_OK, hyd_sum_of(kinds[i], "56789", 5, &halves[1], &error));
        CHECK_STATUS(expected, hyd_sum_then(&halves[0], &halves[1], 5, &halves[0], &error));
        CHECK((strcmp(halves[0].value, whole.value) == 0) == (i < 3) && whole.algorithm == kinds[i]);
    }
    CHECK_STATUS(HYD_OK, hyd_store_uri(store, TEXT("a/b"), uri, sizeof uri, &need, &error));
    CHECK(strlen(uri) == need && strcmp(uri + need - 4, "/a/b") == 0);

    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("counted"), NULL, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, "123456789", 9, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_written(writer, &written, &next, &error));
    CHECK(written == 9 && next == 8 * 1024 * 1024 - 9);
    CHECK_STATUS(HYD_OK, hyd_writer_flush(writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_written(writer, NULL, NULL, &error));
    CHECK(hyd_writer_abort(writer) == HYD_OK);
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;

    CHECK(argc == 3);
    large = filled(LARGE_BYTES, 1);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    whole_objects(store);
    sums_and_names(store);
    copies_and_files(engine, store, argv[2]);
    a_smaller_meta(store);
    deletes(store, strncmp(argv[1], "s3:", 3) != 0);
    listings(store);
    writers(engine, store);
    /* A call that hangs ends the program. */
    alarm(600);
    a_writer_that_fails(engine);
    alarm(0);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    free(large);
    puts("objects are whole");
    return EXIT_SUCCESS;
}

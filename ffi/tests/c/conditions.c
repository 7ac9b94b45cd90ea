/*
 * The blocking calls: conditions on what is there, and what is said of an object.
 *
 *     conditions URI FOLDER      the URI of an empty store, and an empty folder
 */
#include "check.h"

enum { LARGE_BYTES = 20 * 1024 * 1024 + 77 };

static unsigned char *large;

static void conditions(const hyd_store *store) {
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT, second = HYD_OBJECT_META_INIT;
    hyd_pair pairs[] = {{"made-by", "a test"}, {"other", "1"}};
    hyd_writer *writer = NULL;
    hyd_buf *buf = NULL;
    unsigned char memory[8];
    size_t got = 0;

    /* Created once, whoever else wants to. */
    put.flags = HYD_PUT_IF_ABSENT;
    put.content_type = "text/x-test";
    put.cache_control = "no-store";
    put.expires_unix_s = 2000000000;
    put.metadata = pairs;
    put.metadata_count = 2;
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("once"), "first", 5, &put, &meta, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_put(store, TEXT("once"), "second", 6, &put, &meta, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_put(store, TEXT("once"), large, LARGE_BYTES, &put, &meta,
                                          &error));
    CHECK_STATUS(HYD_OK, hyd_writer_open(store, TEXT("once"), &put, &writer, &error));
    CHECK_STATUS(HYD_OK, hyd_writer_write(writer, "third", 5, HYD_WRITE_COPY, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_writer_finish(writer, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("once"), NULL, &meta, NULL, &error));
    CHECK(meta.size_bytes == 5 && strcmp(meta.content_type, "text/x-test") == 0);

    /* Replaced by whoever knows what was there. */
    put.flags = 0;
    put.if_match = meta.etag;
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("once"), "second", 6, &put, &second, &error));
    CHECK(strcmp(meta.etag, second.etag) != 0);
    CHECK_STATUS(HYD_E_CONDITION, hyd_put(store, TEXT("once"), "third", 5, &put, NULL, &error));
    CHECK(hyd_put(store, TEXT("never"), "x", 1, &put, NULL, NULL) != HYD_OK);
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("never"), NULL, &second, NULL, &error));

    /* Read if it is that version, or if it is another one. */
    get.if_match = second.etag;
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("once"), NULL, &second, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("once"), &get, 1, memory, 8, &got, &error));
    CHECK(got == 5 && memcmp(memory, "econd", 5) == 0);
    CHECK_STATUS(HYD_OK, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    CHECK(hyd_buf_release(buf) == HYD_OK);
    get.if_match = meta.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_get_range(store, TEXT("once"), &get, 1, memory, 8, &got,
                                                &error));
    get.if_match = NULL;
    get.if_none_match = meta.etag;
    CHECK_STATUS(HYD_OK, hyd_get_range(store, TEXT("once"), &get, 0, memory, 8, &got, &error));
    get.if_none_match = second.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_get_range(store, TEXT("once"), &get, 0, memory, 8, &got,
                                                &error));

    /* What makes no sense. */
    get.if_match = second.etag;
    CHECK_STATUS(HYD_E_INVALID, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    get.if_none_match = NULL;
    get.if_match = "a tag with spaces";
    CHECK_STATUS(HYD_E_INVALID, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    get.if_match = NULL;
    get.flags = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    get.flags = 0;
    get.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_get(store, TEXT("once"), &get, &buf, NULL, &error));
    put.flags = HYD_PUT_IF_ABSENT;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("once"), "x", 1, &put, NULL, &error));
    put.if_match = NULL;
    put.flags = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("once"), "x", 1, &put, NULL, &error));
    put.flags = 0;
    put.size_bytes = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("once"), "x", 1, &put, NULL, &error));
    put.size_bytes = 0;
    pairs[1].value = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_put(store, TEXT("once"), "x", 1, &put, NULL, &error));
}

/* What is said of an object comes back in full, and as another one like it is written. */
static void attributes_of_objects(const hyd_store *store) {
    hyd_put_options put = HYD_PUT_OPTIONS_INIT, said = HYD_PUT_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_pair pairs[] = {{"made-by", "a test"}, {"other", "1"}};
    hyd_attributes *attributes = NULL;
    char type[301];
    size_t i;

    memset(type, 'x', 300);
    memcpy(type, "text/", 5);
    type[300] = '\0';
    put.content_type = type;
    put.cache_control = "no-store";
    put.content_language = "de";
    put.expires_unix_s = 2000000000;
    put.metadata = pairs;
    put.metadata_count = 2;
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("said"), "x", 1, &put, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("said"), NULL, &meta, &attributes, &error));
    CHECK(strlen(meta.content_type) == sizeof meta.content_type - 1);
    CHECK(hyd_attributes_view(attributes, &said) == HYD_OK);
    CHECK(strcmp(said.content_type, type) == 0 && strcmp(said.cache_control, "no-store") == 0);
    CHECK(strcmp(said.content_language, "de") == 0 && said.content_encoding == NULL);
    CHECK(said.content_disposition == NULL && said.expires_unix_s == 2000000000);
    CHECK(said.metadata_count == 2 && said.flags == 0 && said.if_match == NULL);
    for (i = 0; i < 2; i++) {
        const char *name = said.metadata[i].name, *value = said.metadata[i].value;
        CHECK(strcmp(value, strcmp(name, "other") == 0 ? "1" : "a test") == 0);
    }
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("like it"), "x", 1, &said, NULL, &error));
    CHECK(hyd_attributes_free(attributes) == HYD_OK);
    CHECK(hyd_attributes_free(attributes) == HYD_E_HANDLE);
    CHECK(hyd_attributes_free(NULL) == HYD_OK);
    CHECK(hyd_attributes_view(attributes, &said) == HYD_E_HANDLE);
    CHECK(hyd_attributes_view(NULL, &said) == HYD_E_INVALID);
    attributes = NULL;
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("like it"), NULL, &meta, &attributes, &error));
    CHECK(hyd_attributes_view(attributes, NULL) == HYD_E_INVALID);
    CHECK(hyd_attributes_view(attributes, &said) == HYD_OK);
    CHECK(strcmp(said.content_type, type) == 0 && said.metadata_count == 2);
    CHECK(hyd_attributes_free(attributes) == HYD_OK);

    /* Nothing is given where the object is not what is wanted. */
    attributes = NULL;
    get.if_none_match = meta.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_stat(store, TEXT("like it"), &get, &meta, &attributes, &error));
    get.if_none_match = NULL;
    get.if_match = meta.etag;
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_stat(store, TEXT("none"), &get, &meta, &attributes, &error));
    CHECK(attributes == NULL);
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("like it"), &get, &meta, NULL, &error));
}

/* Files are created once, and not compared. */
static void conditions_of_files(const hyd_engine *engine, const char *folder) {
    hyd_store *files = open_store(engine, "file:///");
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_buf *buf = NULL;
    char path[4096];

    CHECK(snprintf(path, sizeof path, "%sonce", folder) < (int)sizeof path);
    put.flags = HYD_PUT_IF_ABSENT;
    CHECK_STATUS(HYD_OK, hyd_put(files, TEXT(path), "first", 5, &put, &meta, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_put(files, TEXT(path), "second", 6, &put, NULL, &error));
    CHECK_STATUS(HYD_E_CONDITION, hyd_put(files, TEXT(path), large, LARGE_BYTES, &put, NULL, &error));
    get.if_none_match = meta.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_get(files, TEXT(path), &get, &buf, NULL, &error));
    get.if_none_match = NULL;
    get.version_id = "1";
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_get(files, TEXT(path), &get, &buf, NULL, &error));
    put.flags = 0;
    put.if_match = meta.etag;
    CHECK_STATUS(HYD_E_UNSUPPORTED, hyd_put(files, TEXT(path), "x", 1, &put, NULL, &error));
    check_object(files, path, (const unsigned char *)"first", 5);
    CHECK(hyd_store_close(files) == HYD_OK);
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;

    CHECK(argc == 3);
    large = filled(LARGE_BYTES, 1);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    conditions(store);
    attributes_of_objects(store);
    conditions_of_files(engine, argv[2]);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    free(large);
    puts("conditions hold");
    return EXIT_SUCCESS;
}

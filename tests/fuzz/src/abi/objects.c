/*
 * Calls about objects.
 */
#include "world.h"

#include <string.h>

void put_object(void) {
    size_t key_len, bytes = input_number(DATA_BYTES_MAX);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    const hyd_put_options *options = some_put_options();
    void *data = memory(bytes);
    size_t len = some_len(bytes);
    hyd_object_meta *meta = some_meta();
    ended(hyd_put(store, key, key_len, data, len, options, meta, error_place()));
}

void get_object(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_buf *buf = NULL;
    hyd_object_meta *meta = some_meta();
    const hyd_get_options *options = some_get_options();
    hyd_buf **place = some_place(&buf);
    if (ended(hyd_get(store, key, key_len, options, place, meta, error_place()))) gave(BUF, buf);
}

void get_range(void) {
    size_t key_len, bytes = input_number(DATA_BYTES_MAX), got = 0;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint64_t offset = some_offset();
    void *data = memory(bytes);
    size_t len = some_len(bytes);
    const hyd_get_options *options = some_get_options();
    size_t *place = some_place(&got);
    if (ended(hyd_get_range(store, key, key_len, options, offset, data, len, place, error_place()))) {
        HOLDS(got <= len);
    }
}

void get_ranges(void) {
    size_t key_len, count = input_number(9);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_range *ranges = memory(count * sizeof *ranges);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = input_number(4096);
        ranges[i].offset = some_offset();
        /* Now and then the memory of another one. */
        bool same = i > 0 && input_byte() % 16 == 15;
        ranges[i].data = same ? ranges[i - 1].data : memory(bytes);
        ranges[i].len = same ? ranges[i - 1].len : some_len(bytes);
    }
    const hyd_get_options *options = some_get_options();
    ended(hyd_get_ranges(store, key, key_len, options, ranges, count, error_place()));
}

void get_object_ranges(void) {
    size_t count = input_number(9);
    hyd_store *store = some(STORE);
    hyd_object_range *ranges = some_ranges(count);
    const hyd_ranges_options *how = some_ranges_options();
    ended(hyd_get_object_ranges(store, ranges, count, how, error_place()));
}

void stat_or_delete(void) {
    size_t count = input_number(9);
    hyd_store *store = some(STORE);
    hyd_text *keys = some_keys(count);
    hyd_status *results = input_byte() % 4 == 0 ? NULL : memory(count * sizeof *results);
    if (count == 1) {
        const hyd_get_options *options = some_get_options();
        hyd_attributes *said = NULL;
        hyd_attributes **place = input_byte() % 2 == 0 ? NULL : some_place(&said);
        hyd_object_meta *meta = some_meta();
        ended(hyd_stat(store, keys->text, keys->len, options, meta, place, error_place()));
        if (said != NULL) gave(ATTRIBUTES, said);
    } else {
        ended(hyd_delete(store, keys, count, results, error_place()));
    }
}

void copy_object(void) {
    size_t from_len, to_len;
    hyd_store *from_store = some(STORE), *to_store = some(STORE);
    const char *from = some_text(&from_len), *to = some_text(&to_len);
    hyd_object_meta *meta = some_meta();
    hyd_copy_report *report = some_copy_report();
    const hyd_copy_options *options = some_copy_options();
    heard(hyd_copy(from_store, from, from_len, to_store, to, to_len, options, meta, report,
                   error_place()));
}

void compare_objects(void) {
    size_t one_len, other_len;
    hyd_store *one_store = some(STORE), *other_store = some(STORE);
    const char *one = some_text(&one_len), *other = some_text(&other_len);
    const hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
    const hyd_verify_options *options = some_verify_options();
    hyd_verify_report *place = some_struct(&report, sizeof report);
    heard(hyd_verify(one_store, one, one_len, other_store, other, other_len, options, place,
                     error_place()));
}

void delete_prefix(void) {
    size_t len;
    hyd_store *store = some(STORE);
    const char *prefix = some_text(&len);
    const hyd_delete_report report = HYD_DELETE_REPORT_INIT;
    hyd_delete_report *place = some_struct(&report, sizeof report);
    bool listens = input_byte() % 2 == 0;
    void *user = listens ? someone_listens() : NULL;
    heard(hyd_delete_prefix(store, prefix, len, listens ? deleted : NULL, user, place,
                            error_place()));
}

void use_attributes(void) {
    const hyd_put_options view = HYD_PUT_OPTIONS_INIT;
    hyd_attributes *attributes = some(ATTRIBUTES);
    hyd_put_options *place = some_struct(&view, sizeof view);
    if (input_byte() % 4 == 0) {
        told(hyd_attributes_free(attributes));
    } else if (told(hyd_attributes_view(attributes, place)) && place->struct_size >= sizeof view) {
        for (size_t i = 0; i < place->metadata_count; i++) {
            touch(place->metadata[i].name, strlen(place->metadata[i].name) + 1);
            touch(place->metadata[i].value, strlen(place->metadata[i].value) + 1);
        }
        if (place->content_type != NULL) touch(place->content_type, strlen(place->content_type) + 1);
    }
}

/* Files have fixed names in the folder of the run. */
void through_file(void) {
    static const char *const paths[] = {"file-a", "file-b", "no/such/folder", "", "nul\0nul", "\xff"};
    static const size_t lens[] = {6, 6, 14, 0, 7, 1};
    size_t key_len, which = input_number(6);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_object_meta *meta = some_meta();
    hyd_copy_report *report = some_copy_report();
    const hyd_copy_options *options = some_copy_options();
    if (input_byte() % 2 == 0) {
        heard(hyd_get_to_file(store, key, key_len, paths[which], lens[which], options, meta, report,
                              error_place()));
    } else {
        heard(hyd_put_from_file(store, key, key_len, paths[which], lens[which], options, meta, report,
                                error_place()));
    }
}

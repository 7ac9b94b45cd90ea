/*
 * What S3 says besides of what it lists, copies that its server makes, and who signs.
 */
#include "world.h"

static void touch_about(const hyd_s3_about *about) {
    if (about->struct_size < sizeof *about) return;
    touch(about->owner_id, about->owner_id_len);
    touch(about->owner_name, about->owner_name_len);
    touch(about->initiator_id, about->initiator_id_len);
    touch(about->initiator_name, about->initiator_name_len);
    touch(about->storage_class, about->storage_class_len);
    touch(about->checksum_algorithm, about->checksum_algorithm_len);
    touch(about->checksum_type, about->checksum_type_len);
}

static void ask_about(void) {
    const hyd_s3_about whole = HYD_S3_ABOUT_INIT;
    hyd_s3_about *about = some_struct(&whole, sizeof whole);
    size_t index = input_byte() < 240 ? input_number(3) : (size_t)input_wide();
    bool is_told = false;
    switch (input_byte() % 5) {
    case 4: is_told = ended(hyd_list_about(some(LIST), index, about, error_place())); break;
    case 0: is_told = ended(hyd_uploads_about(some(UPLOADS), index, about, error_place())); break;
    case 1: is_told = ended(hyd_versions_about(some(VERSIONS), index, about, error_place())); break;
    case 2: is_told = ended(hyd_buckets_about(some(BUCKETS), about, error_place())); break;
    default: is_told = ended(hyd_uploaded_parts_about(some(UPLOADED), about, error_place()));
    }
    if (is_told) touch_about(about);
}

static void copy_by_server(void) {
    size_t from_len, to_len;
    hyd_store *from_store = some(STORE), *to_store = some(STORE);
    const char *from = some_text(&from_len), *to = some_text(&to_len);
    hyd_s3_copy_options options = HYD_S3_COPY_OPTIONS_INIT;
    options.flags = input_number(5);
    options.checksum_algorithm = input_byte() % 4 == 3 ? input_number(7) : 0;
    options.get = some_get_options();
    options.put = some_put_options();
    const hyd_s3_copy_options *how = some_struct(&options, sizeof options);
    hyd_object_meta *meta = some_meta();
    hyd_s3_object *object = NULL;
    hyd_s3_object **place = input_byte() % 2 == 0 ? NULL : some_place(&object);
    ended(hyd_s3_copy(from_store, from, from_len, to_store, to, to_len, how, meta, place, error_place()));
    if (object != NULL) gave(S3_OBJECT, object);
}

static void sums(void) {
    static hyd_sum sum;
    size_t bytes = input_number(256);
    void *data = memory(bytes);
    uint32_t algorithm = input_number(7);
    if (input_byte() % 2 == 0) {
        ended(hyd_sum_of(algorithm, data, some_len(bytes), some_place(&sum), error_place()));
    } else {
        hyd_sum *noise = memory(sizeof *noise);
        for (size_t i = 0; i < sizeof noise->value; i++) noise->value[i] = (char)input_byte();
        noise->algorithm = algorithm;
        const hyd_sum *other = input_byte() % 4 == 0 ? noise : &sum;
        ended(hyd_sum_then(&sum, other, input_wide(), some_place(&sum), error_place()));
    }
}

static void name(void) {
    size_t len, capacity = input_number(64), need = 0;
    hyd_store *store = some(STORE);
    const char *key = some_text(&len);
    char *text = memory(capacity);
    ended(hyd_store_uri(store, key, len, text, capacity, some_place(&need), error_place()));
}

const hyd_s3_list_options *some_list_options(void) {
    hyd_s3_list_options options = HYD_S3_LIST_OPTIONS_INIT;
    options.flags = input_number(4);
    options.s3 = some_s3_get_options();
    options.start_after = some_text(&options.start_after_len);
    options.delimiter = input_byte() < 128 ? '/' : (uint32_t)input_wide();
    options.page_entries = input_number(4);
    return some_struct(&options, sizeof options);
}

static void list_besides(void) {
    size_t prefix_len;
    hyd_store *store = some(STORE);
    const char *prefix = some_text(&prefix_len);
    const hyd_s3_list_options *how = some_list_options();
    hyd_list *list = NULL;
    hyd_uploads *uploads = NULL;
    hyd_versions *versions = NULL;
    switch (input_byte() % 3) {
    case 0:
        if (ended(hyd_s3_list_open(store, prefix, prefix_len, how, &list, error_place()))) gave(LIST, list);
        break;
    case 1:
        if (ended(hyd_s3_uploads_open(store, prefix, prefix_len, how, &uploads, error_place()))) {
            gave(UPLOADS, uploads);
        }
        break;
    default:
        if (ended(hyd_s3_versions_open(store, prefix, prefix_len, how, &versions, error_place()))) {
            gave(VERSIONS, versions);
        }
    }
}

void ask_besides(void) {
    const hyd_signer whole = HYD_SIGNER_INIT;
    switch (input_byte() % 7) {
    case 6: list_besides(); break;
    case 0: case 1: ask_about(); break;
    case 3: sums(); break;
    case 4: name(); break;
    case 2: copy_by_server(); break;
    default: ended(hyd_store_signer(some(STORE), some_struct(&whole, sizeof whole), error_place()));
    }
}

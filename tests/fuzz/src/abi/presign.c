/*
 * Requests that carry their own signature.
 */
#include "world.h"

#include <string.h>

static const hyd_presign_options *some_presign_options(void) {
    hyd_presign_options options = HYD_PRESIGN_OPTIONS_INIT;
    uint8_t what = input_byte();
    if (what % 2 != 0) options.get = some_get_options();
    if (what % 4 == 2) options.put = some_put_options();
    if (what % 8 == 4) options.upload_id = some_c_text(), options.part_number = input_number(4);
    if (what % 16 == 8) options.offset = input_wide(), options.len = input_wide();
    if (what >= 240) options.from_unix_s = (int64_t)input_wide();
    if (what >= 224) options.checksum_algorithm = input_number(7), options.checksum = some_c_text();
    if (what >= 192) options.response_content_type = some_c_text();
    return some_struct(&options, sizeof options);
}

void presign_request(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint32_t method = input_number(7);
    uint64_t life_s = input_byte() < 224 ? 60 : input_wide();
    const hyd_presign_options *options = some_presign_options();
    hyd_presigned *presigned = NULL;
    hyd_presigned **place = some_place(&presigned);
    hyd_status status =
        hyd_presign_request(store, method, key, key_len, life_s, options, place, error_place());
    if (ended(status)) gave(PRESIGNED, presigned);
}

void use_presigned(void) {
    const hyd_presigned_view whole = HYD_PRESIGNED_VIEW_INIT;
    hyd_presigned *presigned = some(PRESIGNED);
    if (input_byte() % 4 == 0) {
        told(hyd_presigned_free(presigned));
        return;
    }
    hyd_presigned_view *view = some_struct(&whole, sizeof whole);
    if (!told(hyd_presigned_info(presigned, view)) || view->struct_size < sizeof whole) return;
    HOLDS(strlen(view->url) == view->url_len);
    touch(view->method, strlen(view->method) + 1);
    for (size_t i = 0; i < view->headers_count; i++) {
        touch(view->headers[i].name, strlen(view->headers[i].name) + 1);
        touch(view->headers[i].value, strlen(view->headers[i].value) + 1);
    }
}

void presign(void) {
    size_t key_len, capacity = input_number(512), need = 0;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint32_t method = input_number(6);
    uint64_t life_s = input_wide();
    char *url = memory(capacity);
    ended(hyd_presign(store, method, key, key_len, life_s, url, capacity, &need, error_place()));
}

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES_MAX = 8192, BLOCKS_MAX = 65536, STRUCT_BYTES_MAX = 4096 };

static const uint8_t *at, *end;
static void *handles[KINDS][HANDLES_MAX];
static size_t handle_count[KINDS];
static void *blocks[BLOCKS_MAX];
static size_t block_count;
static hyd_error *error;
static bool error_is_wanted;

_Noreturn void world_broken(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    abort();
}

void input_set(const uint8_t *data, size_t len) {
    at = data;
    end = data + len;
}

bool input_is_over(void) {
    return at == end;
}

uint8_t input_byte(void) {
    return at < end ? *at++ : 0;
}

uint32_t input_number(uint32_t below) {
    uint32_t number = input_byte();
    if (below > 256) number = number << 8 | input_byte();
    return number % below;
}

uint64_t input_wide(void) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) number = number << 8 | input_byte();
    return number;
}

void *memory(size_t bytes) {
    if (bytes == 0) return NULL;
    HOLDS(block_count < BLOCKS_MAX);
    void *block = calloc(1, bytes);
    HOLDS(block != NULL);
    return blocks[block_count++] = block;
}

size_t some_len(size_t bytes) {
    const size_t impossible[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX - 4095};
    uint8_t how = input_byte();
    if (how >= 250) return impossible[how % 3];
    return how < 128 ? bytes : bytes * (how - 128) / 122;
}

const char *some_text(size_t *len) {
    static const char *const keys[] = {"a", "b", "a/b", "a/c/d", "k\xc3\xa9y", "../a", "//", ""};
    uint8_t how = input_byte();
    if (how < 224) {
        const char *key = keys[how % 8];
        *len = strlen(key);
        char *copy = memory(*len);
        if (*len > 0) memcpy(copy, key, *len);
        return copy;
    }
    if (how < 232) {
        *len = some_len(0);
        return NULL;
    }
    size_t bytes = input_byte();
    char *noise = memory(bytes);
    for (size_t i = 0; i < bytes; i++) noise[i] = (char)input_byte();
    *len = some_len(bytes);
    /* Only lengths that no memory has are refused before the text is read. */
    return noise;
}

const char *some_c_text(void) {
    size_t len = 0;
    const char *text = some_text(&len);
    if (len > 256) len = 0;
    if (text == NULL && len == 0 && input_byte() % 2 == 0) return NULL;
    char *copy = memory(len + 1);
    if (len > 0 && text != NULL) memcpy(copy, text, len);
    return copy;
}

void *some_place(void *place) {
    uint8_t how = input_byte();
    if (how >= 252) return NULL;
    return how >= 248 ? (char *)place + 1 : place;
}

void *some_struct(const void *whole, size_t bytes) {
    uint32_t size = (uint32_t)bytes;
    uint8_t how = input_byte();
    if (how >= 252) return NULL;
    if (how >= 232) size = (uint32_t)input_wide();
    else if (how >= 208) size += how % 9;
    else if (how >= 200) size -= how % 9;
    /* As much is there as the size says, or the size is refused. */
    size_t there = size < sizeof size || size > STRUCT_BYTES_MAX ? sizeof size : size;
    uint8_t *copy = memory(there);
    memcpy(copy, whole, there < bytes ? there : bytes);
    memcpy(copy, &size, sizeof size);
    if (there > bytes && input_byte() % 4 == 0) copy[bytes] = input_byte();
    return copy;
}

void *some(enum kind kind) {
    uint8_t how = input_byte();
    if (how >= 248) return NULL;
    if (how >= 240) return (void *)(uintptr_t)input_wide();
    if (how >= 224) kind = input_byte() % KINDS;
    size_t count = handle_count[kind];
    if (count == 0) return NULL;
    /* The youngest ones live as a rule. */
    void *handle = handles[kind][count - 1 - how % (count < 16 ? count : 16)];
    if (how >= 216 && how < 224) handle = (void *)((uintptr_t)handle ^ (uintptr_t)1 << input_number(64));
    return handle;
}

void gave(enum kind kind, void *handle) {
    HOLDS(handle != NULL);
    HOLDS(handle_count[kind] < HANDLES_MAX);
    handles[kind][handle_count[kind]++] = handle;
}

size_t handles_of(enum kind kind) {
    return handle_count[kind];
}

void *handle_of(enum kind kind, size_t index) {
    return handles[kind][index];
}

hyd_error **error_place(void) {
    error_is_wanted = input_byte() % 8 != 7;
    error = NULL;
    return error_is_wanted ? &error : NULL;
}

bool ended(hyd_status status) {
    HOLDS((error != NULL) == (status != HYD_OK && error_is_wanted));
    if (error != NULL) {
        hyd_error_view view = HYD_ERROR_VIEW_INIT;
        HOLDS(hyd_error_info(error, &view) == HYD_OK);
        HOLDS(view.status == status);
        HOLDS(strlen(view.message) == view.message_len);
        HOLDS(strlen(view.s3_code) == view.s3_code_len);
        HOLDS(strlen(view.request_id) == view.request_id_len);
        gave(ERROR, error);
        error = NULL;
    }
    return told(status);
}

bool told(hyd_status status) {
    HOLDS(status <= HYD_OK && status >= HYD_E_CONDITION && status != HYD_E_PANIC);
    HOLDS(status != HYD_E_FORKED);
    return status == HYD_OK;
}

void touch(const void *data, size_t len) {
    static volatile uint8_t sum;
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i += 1 + len / 64) sum ^= bytes[i];
    if (len > 0) sum ^= bytes[len - 1];
}

void world_begin(void) {
    memset(handle_count, 0, sizeof handle_count);
    block_count = 0;
    queue_begin();
}

/* In an order that leaves handles without what they are of. */
void world_end(void) {
    for (size_t i = 0; i < handle_count[ENGINE]; i++) hyd_engine_destroy(handles[ENGINE][i]);
    queue_end();
    for (size_t i = 0; i < handle_count[STORE]; i++) hyd_store_close(handles[STORE][i]);
    for (size_t i = 0; i < handle_count[OPTIONS]; i++) hyd_options_free(handles[OPTIONS][i]);
    for (size_t i = 0; i < handle_count[WRITER]; i++) hyd_writer_abort(handles[WRITER][i]);
    for (size_t i = 0; i < handle_count[LIST]; i++) hyd_list_close(handles[LIST][i]);
    for (size_t i = 0; i < handle_count[BUF]; i++) {
        while (hyd_buf_release(handles[BUF][i]) == HYD_OK) {}
    }
    for (size_t i = 0; i < handle_count[MEM]; i++) {
        HOLDS(hyd_mem_unregister(handles[MEM][i]) != HYD_E_BUSY);
    }
    for (size_t i = 0; i < handle_count[ATTRIBUTES]; i++) hyd_attributes_free(handles[ATTRIBUTES][i]);
    for (size_t i = 0; i < handle_count[UPLOADS]; i++) hyd_uploads_close(handles[UPLOADS][i]);
    for (size_t i = 0; i < handle_count[BUCKETS]; i++) hyd_buckets_close(handles[BUCKETS][i]);
    for (size_t i = 0; i < handle_count[VERSIONS]; i++) hyd_versions_close(handles[VERSIONS][i]);
    for (size_t i = 0; i < handle_count[PARTS]; i++) hyd_parts_close(handles[PARTS][i]);
    for (size_t i = 0; i < handle_count[TAGS]; i++) hyd_tags_free(handles[TAGS][i]);
    for (size_t i = 0; i < handle_count[UPLOADED]; i++) hyd_uploaded_parts_close(handles[UPLOADED][i]);
    for (size_t i = 0; i < handle_count[MULTIPART]; i++) hyd_multipart_close(handles[MULTIPART][i]);
    for (size_t i = 0; i < handle_count[S3_OBJECT]; i++) hyd_s3_object_free(handles[S3_OBJECT][i]);
    for (size_t i = 0; i < handle_count[PRESIGNED]; i++) hyd_presigned_free(handles[PRESIGNED][i]);
    for (size_t i = 0; i < handle_count[ERROR]; i++) hyd_error_free(handles[ERROR][i]);
    for (size_t i = 0; i < handle_count[STORE]; i++) {
        HOLDS(hyd_store_close(handles[STORE][i]) == HYD_E_HANDLE);
    }
    while (block_count > 0) free(blocks[--block_count]);
}

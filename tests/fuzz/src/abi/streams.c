/*
 * Listings, and objects that are written as streams.
 */
#include "world.h"

#include <string.h>

enum { WRITERS_MAX = 6 };

void open_list(void) {
    size_t prefix_len;
    hyd_store *store = some(STORE);
    const char *prefix = some_text(&prefix_len);
    uint32_t delimiter = input_byte() < 128 ? '/' : (uint32_t)input_wide();
    uint32_t page = input_byte() < 200 ? input_number(4) : (uint32_t)input_wide();
    hyd_list *list = NULL;
    hyd_list **place = some_place(&list);
    hyd_status status =
        hyd_list_open(store, prefix, prefix_len, NULL, 0, delimiter, page, place, error_place());
    if (ended(status)) gave(LIST, list);
}

void use_list(void) {
    hyd_list *list = some(LIST);
    size_t max = input_number(5), count = 0, len = 0;
    hyd_list_entry *entries = memory(max * sizeof *entries);
    const char *token = NULL;
    switch (input_byte() % 4) {
    case 0: told(hyd_list_close(list)); break;
    case 1:
        if (ended(hyd_list_token(list, &token, some_place(&len), error_place()))) touch(token, len);
        break;
    default:
        if (!ended(hyd_list_next(list, entries, max, &count, error_place()))) return;
        HOLDS(count <= max);
        for (size_t i = 0; i < count; i++) {
            touch(entries[i].key, entries[i].key_len);
            touch(entries[i].etag, entries[i].etag_len);
        }
    }
}

void open_writer(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    const hyd_put_options *options = some_put_options();
    hyd_writer *writer = NULL;
    if (handles_of(WRITER) >= WRITERS_MAX) return;
    hyd_writer **place = some_place(&writer);
    hyd_status status = hyd_writer_open(store, key, key_len, options, place, error_place());
    if (ended(status)) gave(WRITER, writer);
}

void use_writer(void) {
    hyd_writer *writer = some(WRITER);
    size_t bytes = input_number(DATA_BYTES_MAX), capacity = 0;
    void *room = NULL;
    uint64_t so_far = 0;
    switch (input_byte() % 11) {
    case 10: ended(hyd_writer_cancel(writer, error_place())); break;
    case 8: ended(hyd_writer_flush(writer, error_place())); break;
    case 9: ended(hyd_writer_written(writer, some_place(&so_far), NULL, error_place())); break;
    case 0: told(hyd_writer_abort(writer)); break;
    case 1: ended(hyd_writer_finish(writer, some_meta(), error_place())); break;
    case 2: case 3: {
        void *data = memory(bytes);
        size_t len = some_len(bytes);
        ended(hyd_writer_write(writer, data, len, input_number(3), error_place()));
        break;
    }
    case 4: case 5:
        if (ended(hyd_writer_reserve(writer, &room, some_place(&capacity), error_place()))) {
            memset(room, 5, bytes < capacity ? bytes : capacity);
        }
        break;
    case 6: ended(hyd_writer_commit(writer, some_len(bytes), error_place())); break;
    default: {
        hyd_buf *buf = some(BUF);
        ended(hyd_writer_give(writer, buf, some_len(bytes), error_place()));
    }
    }
}

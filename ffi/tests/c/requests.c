/*
 * What each kind of request does, from end to end.
 *
 *     requests URI FOLDER [driven]
 *
 * URI is that of an empty store; FOLDER is empty; with "driven", this thread drives the engine.
 */
#define _POSIX_C_SOURCE 200809L

#include "requests.h"

enum { OBJECT_BYTES = 9 * 1024 * 1024 + 5 };

static unsigned char *object;

/* The same conditions as in conditions.c, by requests. */
static void conditions(const hyd_store *store, const hyd_cq *cq) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    hyd_request request = request_of(HYD_OP_PUT, "conditions");
    hyd_event event;
    hyd_list_entry entry;
    unsigned char memory[4];
    size_t count = 0;

    put.flags = HYD_PUT_IF_ABSENT;
    request.data = object;
    request.data_len = 4;
    request.put = &put;
    request.meta = &meta;
    do_one(store, cq, &request, HYD_OK);
    do_one(store, cq, &request, HYD_E_CONDITION);
    /* A large one fails when its parts are put together. */
    request.data_len = OBJECT_BYTES;
    do_one(store, cq, &request, HYD_E_CONDITION);

    get.if_match = meta.etag;
    request = request_of(HYD_OP_GET_RANGE, "conditions");
    request.data = memory;
    request.data_len = sizeof memory;
    request.get = &get;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 4 && memcmp(memory, object, 4) == 0);
    get.if_match = "\"other\"";
    do_one(store, cq, &request, HYD_E_CONDITION);
    get.if_match = NULL;
    get.if_none_match = meta.etag;
    do_one(store, cq, &request, HYD_E_CONDITION);
    request.data = NULL;
    do_one(store, cq, &request, HYD_E_CONDITION);
    request = request_of(HYD_OP_GET, "conditions");
    request.get = &get;
    do_one(store, cq, &request, HYD_E_CONDITION);
    /* Options of a write are none of a read. */
    request.put = &put;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));

    request = request_of(HYD_OP_LIST_PAGE, "cond");
    request.start_after = "conditionr";
    request.start_after_len = 10;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 1 && entry.key_len == 10 && memcmp(entry.key, "conditions", 10) == 0);
    CHECK(hyd_list_close(event.list) == HYD_OK);
    request.start_after = "conditions";
    event = do_one(store, cq, &request, HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_list_close(event.list) == HYD_OK);
    request = request_of(HYD_OP_DELETE, "conditions");
    do_one(store, cq, &request, HYD_OK);
}

static void every_op(const hyd_engine *engine, const hyd_store *store, const hyd_cq *cq,
                     const char *folder) {
    unsigned char *memory = malloc(OBJECT_BYTES);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_put_options put = HYD_PUT_OPTIONS_INIT;
    hyd_request request;
    hyd_event event;
    hyd_list_entry entry;
    hyd_buf *lent = NULL;
    hyd_mem *mem = NULL;
    const char *token = NULL;
    void *data = NULL;
    size_t len = 0, count = 0;
    uint32_t state = 77;
    char path[4096];

    CHECK(memory != NULL);
    /* A large object goes in parts, from where it is. */
    request = request_of(HYD_OP_PUT, "object");
    request.data = object;
    request.data_len = OBJECT_BYTES;
    request.meta = &meta;
    put.content_type = "text/plain";
    request.put = &put;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES && meta.size_bytes == OBJECT_BYTES);
    CHECK(strcmp(meta.content_type, "text/plain") == 0);

    request = request_of(HYD_OP_HEAD, "object");
    meta.size_bytes = 0;
    request.meta = &meta;
    do_one(store, cq, &request, HYD_OK);
    CHECK(meta.size_bytes == OBJECT_BYTES && meta.etag[0] != '\0');

    /* Into memory: a little, all of it, what ends beyond the object, nothing. */
    request = request_of(HYD_OP_GET_RANGE, "object");
    request.offset = 1000;
    request.data = memory;
    request.data_len = 5000;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 5000 && event.object_bytes == OBJECT_BYTES && event.buf == NULL);
    CHECK(memcmp(memory, object + 1000, 5000) == 0);
    request.offset = 0;
    request.data_len = OBJECT_BYTES;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES && memcmp(memory, object, OBJECT_BYTES) == 0);
    request.offset = OBJECT_BYTES - 3;
    request.data_len = 5000;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 3 && memcmp(memory, object + OBJECT_BYTES - 3, 3) == 0);
    request.data_len = 0;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 0);

    /* Into registered memory, which cannot go before the completion was reaped. */
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, OBJECT_BYTES, &mem, &state, &error));
    CHECK(state == HYD_MEM_UNREGISTERED || state == HYD_MEM_REGISTERED);
    request.offset = 7;
    request.data = memory + 100;
    request.data_len = 900;
    request.mem = mem;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 900 && memcmp(memory + 100, object + 7, 900) == 0);
    request.data_len = OBJECT_BYTES;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, &count, &error));
    CHECK(hyd_mem_unregister(mem) == HYD_OK);
    CHECK(hyd_mem_unregister(mem) == HYD_E_HANDLE);
    CHECK(hyd_mem_unregister(NULL) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_submit(store, cq, &request, 1, NULL, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_mem_register(engine, NULL, 1, &mem, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_mem_register(engine, memory, 0, &mem, NULL, &error));

    /* Into buffers of the pool. */
    request = request_of(HYD_OP_GET_RANGE, "object");
    request.offset = 4096;
    request.data_len = 10000;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(hyd_buf_view(event.buf, &data, &len, NULL) == HYD_OK && len == 10000);
    CHECK(memcmp(data, object + 4096, len) == 0);
    CHECK(hyd_buf_release(event.buf) == HYD_OK);
    request = request_of(HYD_OP_GET, "object");
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(hyd_buf_view(event.buf, &data, &len, NULL) == HYD_OK && len == OBJECT_BYTES);
    CHECK(memcmp(data, object, len) == 0);
    CHECK(hyd_buf_release(event.buf) == HYD_OK);

    /* From a buffer, whose last reference goes while it is written from. */
    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 1000, &lent, &error));
    CHECK(hyd_buf_view(lent, &data, NULL, NULL) == HYD_OK);
    memcpy(data, object, 1000);
    request = request_of(HYD_OP_PUT, "from-buffer");
    request.buf = lent;
    request.data_len = 1000;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, NULL, &count, &error));
    CHECK(hyd_buf_release(lent) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(event.status == HYD_OK && event.bytes == 1000);

    request = request_of(HYD_OP_COPY, "object");
    request.aux = "copied";
    request.aux_len = 6;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES);

    /* A page at a time. */
    request = request_of(HYD_OP_LIST_PAGE, "");
    request.entries_max = 2;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 1 && entry.key_len == 6 && memcmp(entry.key, "copied", 6) == 0);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 1 && memcmp(entry.key, "from-buffer", entry.key_len) == 0);
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_OK, hyd_list_token(event.list, &token, &len, &error));
    CHECK(len > 0);
    {
        hyd_list *before = event.list;
        request.aux = token;
        request.aux_len = len;
        event = do_one(store, cq, &request, HYD_OK);
        CHECK(hyd_list_close(before) == HYD_OK);
    }
    CHECK_STATUS(HYD_OK, hyd_list_next(event.list, &entry, 1, &count, &error));
    CHECK(count == 1 && memcmp(entry.key, "object", entry.key_len) == 0);
    CHECK(hyd_list_close(event.list) == HYD_OK);

    CHECK(strlen(folder) < sizeof path - 20);
    sprintf(path, "%s/object", folder);
    request = request_of(HYD_OP_GET_TO_FILE, "object");
    request.aux = path;
    request.aux_len = strlen(path);
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES);
    request = request_of(HYD_OP_PUT_FROM_FILE, "from-file");
    request.aux = path;
    request.aux_len = strlen(path);
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES);

    request = request_of(HYD_OP_DELETE, "from-file");
    do_one(store, cq, &request, HYD_OK);
    request = request_of(HYD_OP_GET, "from-file");
    do_one(store, cq, &request, HYD_E_NOT_FOUND);
    free(memory);
}

/* Aligned ranges of a file go straight into registered memory, and the counters tell. */
static void registered(const hyd_engine *engine, const hyd_cq *cq, const char *folder) {
    enum { PIECES = 8, BYTES = 256 * 1024, PAGE = 4096 };
    char key[4096];
    hyd_store *store;
    hyd_request batch[PIECES];
    hyd_event events[PIECES];
    hyd_stats before = HYD_STATS_INIT, after = HYD_STATS_INIT;
    size_t len = (size_t)PIECES * BYTES, count = 0, i;
    unsigned char *content = malloc(len), *room = malloc(len + PAGE), *memory;
    uint64_t moved, other;
    hyd_mem *mem = NULL;
    uint32_t state = 7;

    CHECK(content != NULL && room != NULL);
    fill(content, len, 11);
    memory = room + (PAGE - (uintptr_t)room % PAGE) % PAGE;
    CHECK(snprintf(key, sizeof key, "%s/ranges", folder) < (int)sizeof key);
    store = open_store(engine, "direct:///");
    CHECK_STATUS(HYD_OK, hyd_put(store, key, strlen(key), content, len, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, len, &mem, &state, &error));
    CHECK(state == HYD_MEM_UNREGISTERED || state == HYD_MEM_REGISTERED);
    CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &before, &error));
    for (i = 0; i < PIECES; i++) {
        batch[i] = request_of(HYD_OP_GET_RANGE, key);
        batch[i].offset = i * BYTES;
        batch[i].data = memory + i * BYTES;
        batch[i].data_len = BYTES;
        batch[i].mem = mem;
    }
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, batch, PIECES, NULL, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, PIECES, PIECES, -1, &count, &error));
    CHECK(count == PIECES);
    for (i = 0; i < count; i++) {
        CHECK(events[i].status == HYD_OK && events[i].bytes == BYTES);
    }
    CHECK(memcmp(memory, content, len) == 0);
    CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &after, &error));
    moved = after.file_bytes_registered - before.file_bytes_registered;
    other = after.file_bytes_unregistered - before.file_bytes_unregistered;
    CHECK(state == HYD_MEM_REGISTERED ? moved == len && other == 0 : moved == 0 && other == len);
    CHECK(after.bytes_copied == before.bytes_copied);
    CHECK(hyd_mem_unregister(mem) == HYD_OK);
    memset(room, 0, len + PAGE);
    free(room);
    free(content);
    CHECK(hyd_store_close(store) == HYD_OK);
}

int main(int argc, char **argv) {
    struct begun all = begin(argc, argv, 2);

    object = filled(OBJECT_BYTES, 3);
    every_op(all.engine, all.store, all.cq, argv[2]);
    conditions(all.store, all.cq);
    registered(all.engine, all.cq, argv[2]);
    CHECK(hyd_cq_destroy(all.cq) == HYD_OK);
    CHECK(hyd_store_close(all.store) == HYD_OK && hyd_engine_destroy(all.engine) == HYD_OK);
    free(object);
    puts("requests are done");
    return EXIT_SUCCESS;
}

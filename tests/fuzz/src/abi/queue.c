/*
 * Queues: what is submitted completes exactly once, whatever becomes of the handles (FFI-2).
 */
#include "world.h"

#include <string.h>

enum { REQUESTS_MAX = 4096, BATCH_MAX = 8, QUEUES_MAX = 8, ACCEPTED = 1, REAPED = 2 };

/* By their user_data. */
static uint8_t requests[REQUESTS_MAX];
static hyd_cq *queue_of[REQUESTS_MAX];
static uint64_t ids[REQUESTS_MAX];
static size_t request_count;

void queue_begin(void) {
    request_count = 0;
}

static void create(void) {
    hyd_cq *queue = NULL;
    if (handles_of(QUEUE) >= QUEUES_MAX) return;
    hyd_engine *engine = some(ENGINE);
    uint32_t depth = input_byte() < 224 ? input_number(9) : (uint32_t)input_wide();
    hyd_cq **place = some_place(&queue);
    if (ended(hyd_cq_create(engine, depth, place, error_place()))) gave(QUEUE, queue);
}

static void some_request(hyd_request *request) {
    size_t bytes = input_number(16384);
    /* The fields that each op names; the rest is set now and then, which is a mistake. */
    request->op = input_number(17);
    request->user_data = request_count;
    request->key = some_text(&request->key_len);
    bool is_odd = input_byte() % 16 == 15;
    bool of_stream = request->op == HYD_OP_WRITE || request->op == HYD_OP_FINISH;
    bool has_data = request->op == HYD_OP_GET_RANGE || request->op == HYD_OP_PUT ||
                    request->op == HYD_OP_WRITE;
    if (is_odd || has_data) {
        uint8_t from = input_byte() % 4;
        request->data_len = some_len(bytes);
        if (from < 2) request->data = memory(bytes);
        if (from == 2) request->buf = some(BUF);
        if (input_byte() % 8 == 7) request->mem = some(MEM);
    }
    if (of_stream) request->writer = some(WRITER);
    if ((of_stream || request->op == HYD_OP_DELETE_KEYS) && input_byte() % 16 != 15) {
        request->key = NULL, request->key_len = 0;
    }
    if (is_odd || request->op == HYD_OP_GET_RANGE) request->offset = input_number(65536);
    if (is_odd || request->op == HYD_OP_PUT) request->put = some_put_options();
    if (is_odd || request->op == HYD_OP_GET_RANGE || request->op == HYD_OP_GET ||
        request->op == HYD_OP_HEAD) {
        request->get = some_get_options();
    }
    if (is_odd || request->op == HYD_OP_COPY || request->op == HYD_OP_GET_TO_FILE ||
        request->op == HYD_OP_PUT_FROM_FILE) {
        request->report = some_copy_report();
        request->copy = some_copy_options();
    }
    if (is_odd || request->op == HYD_OP_VERIFY) {
        const hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
        request->verify = some_verify_options();
        request->verify_report = some_struct(&report, sizeof report);
    }
    if (is_odd || request->op == HYD_OP_GET_RANGES) {
        request->count = input_number(5);
        request->ranges = some_ranges(request->count);
        request->ranges_options = some_ranges_options();
        if (input_byte() % 8 == 7) request->mem = some(MEM);
    }
    if (is_odd || request->op == HYD_OP_DELETE_KEYS) {
        request->count = input_number(5);
        request->keys = some_keys(request->count);
        request->results = input_byte() % 2 == 0 ? NULL : memory(5 * sizeof *request->results);
    }
    if (is_odd || request->op == HYD_OP_DELETE_PREFIX) {
        const hyd_delete_report report = HYD_DELETE_REPORT_INIT;
        request->delete_report = some_struct(&report, sizeof report);
        if (input_byte() % 2 == 0) request->told = deleted, request->user = someone_listens();
    }
    /* Whoever listens does so until the request is reaped. */
    forget_listener();
    bool names_two = request->op == HYD_OP_COPY || request->op == HYD_OP_VERIFY;
    if (is_odd || names_two || input_byte() % 16 == 15) {
        request->aux = some_text(&request->aux_len);
        request->target = input_byte() % 2 == 0 ? NULL : some(STORE);
    }
    if (request->op == HYD_OP_GET_TO_FILE || request->op == HYD_OP_PUT_FROM_FILE) {
        request->aux = "file-a";
        request->aux_len = 6;
    }
    if (request->op == HYD_OP_LIST_PAGE) {
        uint8_t how = input_byte();
        if (how % 4 == 0) request->s3_list = some_list_options();
        if (how % 4 != 0 || how > 240) request->entries_max = input_number(4);
    }
    bool has_meta = request->op != HYD_OP_DELETE && request->op != HYD_OP_LIST_PAGE &&
                    request->op != HYD_OP_WRITE && request->op < HYD_OP_VERIFY;
    if (has_meta && input_byte() % 2 == 0) {
        const hyd_object_meta meta = HYD_OBJECT_META_INIT;
        request->meta = some_struct(&meta, sizeof meta);
    }
}

static void submit(void) {
    size_t count = input_number(BATCH_MAX), accepted = 77;
    hyd_store *store = some(STORE);
    hyd_cq *queue = some(QUEUE);
    if (request_count + count > REQUESTS_MAX) return;
    uint8_t how = input_byte();
    uint32_t size = (uint32_t)sizeof(hyd_request) + (how < 240 ? 0 : how % 16 * 8);
    uint8_t *batch = memory(count * size);
    size_t first = request_count;
    for (size_t i = 0; i < count; i++, request_count++) {
        hyd_request request = HYD_REQUEST_INIT;
        request.struct_size = size;
        some_request(&request);
        memcpy(batch + i * size, &request, sizeof request);
        requests[request_count] = 0;
        queue_of[request_count] = queue;
    }
    uint64_t *taken = input_byte() % 4 == 0 ? NULL : memory(count * sizeof *taken);
    ended(hyd_submit(store, queue, (hyd_request *)batch, count, taken, &accepted, error_place()));
    HOLDS(accepted <= count);
    for (size_t i = 0; i < accepted; i++) {
        requests[first + i] = ACCEPTED;
        ids[first + i] = taken == NULL ? 0 : taken[i];
    }
}

static void take(const hyd_event *event) {
    HOLDS(event->user_data < request_count);
    HOLDS(requests[event->user_data] == ACCEPTED);
    requests[event->user_data] = REAPED;
    HOLDS((event->error == NULL) == (event->status == HYD_OK));
    told(event->status);
    if (event->buf != NULL) gave(BUF, event->buf);
    if (event->list != NULL) gave(LIST, event->list);
    if (event->error != NULL) gave(ERROR, event->error);
}

void reap(hyd_cq *queue, size_t max, size_t min, int32_t timeout_ms) {
    size_t reaped;
    do {
        hyd_event *events = memory(max * sizeof *events);
        reaped = 0;
        if (!ended(hyd_cq_wait(queue, events, max, min, timeout_ms, &reaped, error_place()))) return;
        HOLDS(reaped <= max);
        for (size_t i = 0; i < reaped; i++) take(&events[i]);
    } while (reaped > 0);
}

static void cancel(void) {
    hyd_cq *queue = some(QUEUE);
    bool is_known = request_count > 0 && input_byte() % 8 != 7;
    told(hyd_cancel(queue, is_known ? ids[input_number(4096) % request_count] : input_wide()));
}

void call_queue(void) {
    int32_t fd = -1;
    size_t max;
    switch (input_byte() % 16) {
    case 0: case 1: create(); break;
    case 2: told(hyd_cq_destroy(some(QUEUE))); break;
    case 3: told(hyd_cq_wake(some(QUEUE))); break;
    case 4:
        if (ended(hyd_cq_fd(some(QUEUE), some_place(&fd), error_place()))) HOLDS(fd >= 0);
        break;
    case 5: case 6: cancel(); break;
    case 7: case 8: case 9: case 10:
        max = input_number(9);
        reap(some(QUEUE), max, input_number(3), (int32_t)input_number(3));
        break;
    default: submit();
    }
}

void queue_end(void) {
    for (size_t i = 0; i < handles_of(QUEUE); i++) {
        hyd_cq *queue = handle_of(QUEUE, i);
        reap(queue, 16, 0, 0);
        hyd_status ended_as = hyd_cq_destroy(queue);
        HOLDS(ended_as == HYD_OK || ended_as == HYD_E_HANDLE);
        /* One that was ended before gave its completions up. */
        for (size_t k = 0; k < request_count && ended_as == HYD_OK; k++) {
            HOLDS(queue_of[k] != queue || requests[k] != ACCEPTED);
        }
    }
}

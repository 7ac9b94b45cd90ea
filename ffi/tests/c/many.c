/*
 * Requests about many objects, or about two: ranges, comparing, deleting.
 *
 *     many URI SLOW_URI [driven]
 *
 * URI is that of an empty store; SLOW_URI has an object "slow" that takes minutes to come.
 */
#define _POSIX_C_SOURCE 200809L

#include "requests.h"

enum { OBJECT_BYTES = 9 * 1024 * 1024 + 5, RANGES = 6, RANGE_BYTES = 3000 };

static unsigned char *object;

static void refused(const hyd_store *store, const hyd_cq *cq, const hyd_request *request) {
    size_t count = 77;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, request, 1, NULL, &count, &error));
    CHECK(count == 0);
}

/* Ranges of two objects, one of which is not there for one of them. */
static void ranges(const hyd_engine *engine, const hyd_store *store, const hyd_cq *cq) {
    static unsigned char memory[RANGES][RANGE_BYTES];
    hyd_object_range each[RANGES];
    hyd_ranges_options options = HYD_RANGES_OPTIONS_INIT;
    hyd_request request = request_of(HYD_OP_GET_RANGES, "object");
    hyd_event event;
    hyd_mem *mem = NULL;
    size_t i;

    memset(each, 0, sizeof each);
    for (i = 0; i < RANGES; i++) {
        each[i].range.offset = i * 1000003;
        each[i].range.data = memory[i];
        each[i].range.len = RANGE_BYTES;
        each[i].range.status = 99;
    }
    each[1].key = "other";
    each[1].key_len = 5;
    each[1].range.offset = 7;
    each[RANGES - 1].range.offset = OBJECT_BYTES - 10;
    request.ranges = each;
    request.count = RANGES;
    request.ranges_options = &options;
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, sizeof memory, &mem, NULL, &error));
    request.mem = mem;
    options.connections = 2;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == (RANGES - 2) * RANGE_BYTES + 93 + 10);
    for (i = 0; i < RANGES; i++) {
        size_t len = i == 1 ? 93 : i == RANGES - 1 ? 10 : RANGE_BYTES;
        CHECK(each[i].range.status == HYD_OK && each[i].range.read_len == len);
        CHECK(memcmp(memory[i], object + each[i].range.offset, len) == 0);
    }
    each[1].key = "missing";
    each[1].key_len = 7;
    event = do_one(store, cq, &request, HYD_E_NOT_FOUND);
    CHECK(event.bytes == (RANGES - 2) * RANGE_BYTES + 10);
    for (i = 0; i < RANGES; i++) {
        CHECK(each[i].range.status == (i == 1 ? HYD_E_NOT_FOUND : HYD_OK));
        CHECK((each[i].range.read_len == 0) == (i == 1));
    }

    /* A range without bytes needs no memory. */
    each[1].key_len = 0;
    each[1].range.data = NULL;
    each[1].range.len = 0;
    each[1].range.status = 99;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == (RANGES - 2) * RANGE_BYTES + 10);
    CHECK(each[1].range.status == HYD_OK && each[1].range.read_len == 0);
    each[1].range.data = memory[1];
    each[1].range.len = RANGE_BYTES;

    each[2].range.data = memory[3] + 1;
    refused(store, cq, &request);
    each[2].range.data = NULL;
    refused(store, cq, &request);
    each[2].range.data = &request;
    each[2].range.len = 1;
    refused(store, cq, &request);
    request.mem = NULL;
    request.ranges = NULL;
    refused(store, cq, &request);
    request.ranges = each;
    request.data = memory;
    refused(store, cq, &request);
    request.data = NULL;
    options.flags = 99;
    refused(store, cq, &request);
    request.ranges_options = NULL;
    request.count = 0;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == 0);
    CHECK(hyd_mem_unregister(mem) == HYD_OK);
}

static int told_of;

static void progressed(void *user, uint64_t done, uint64_t total) {
    CHECK(user == &told_of && done <= total && total == OBJECT_BYTES);
    __atomic_store_n(&told_of, 1, __ATOMIC_SEQ_CST);
}

static void comparing(const hyd_store *store, const hyd_cq *cq) {
    hyd_verify_options options = HYD_VERIFY_OPTIONS_INIT;
    hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
    hyd_request request = request_of(HYD_OP_VERIFY, "object");
    hyd_event event;

    request.aux = "same";
    request.aux_len = 4;
    request.verify = &options;
    request.verify_report = &report;
    options.part_size_bytes = 5 * 1024 * 1024;
    options.progress = progressed;
    options.user = &told_of;
    event = do_one(store, cq, &request, HYD_OK);
    CHECK(event.bytes == OBJECT_BYTES && report.bytes == OBJECT_BYTES && report.crc64nvme != 0);
    CHECK(__atomic_load_n(&told_of, __ATOMIC_SEQ_CST) == 1);
    report.bytes = 77;
    request.aux = "other";
    request.aux_len = 5;
    do_one(store, cq, &request, HYD_E_INTEGRITY);
    CHECK(report.bytes == 77);
    request.target = store;
    request.verify = NULL;
    request.verify_report = NULL;
    do_one(store, cq, &request, HYD_E_INTEGRITY);
    request.aux_len = 0;
    refused(store, cq, &request);
    request.aux_len = 5;
    request.count = 1;
    refused(store, cq, &request);
    request.count = 0;
    options.struct_size = 3;
    request.verify = &options;
    refused(store, cq, &request);
}

static int heard;

static void deleted(void *user, const hyd_deleted *outcomes, size_t count) {
    size_t i;
    CHECK(user == &heard);
    for (i = 0; i < count; i++) {
        CHECK(outcomes[i].status == HYD_OK && memcmp(outcomes[i].key, "many/", 5) == 0);
    }
    __atomic_fetch_add(&heard, (int)count, __ATOMIC_SEQ_CST);
}

static void deleting(const hyd_store *store, const hyd_cq *cq) {
    enum { KEYS = 5, BENEATH = 12 };
    hyd_text keys[KEYS];
    hyd_status results[KEYS];
    hyd_delete_report report = HYD_DELETE_REPORT_INIT;
    hyd_request request = request_of(HYD_OP_DELETE_KEYS, "");
    char key[32];
    size_t i;

    for (i = 0; i < KEYS; i++) {
        static const char *const names[KEYS] = {"one", "two", "three", "one", "two"};
        keys[i].text = names[i];
        keys[i].len = strlen(names[i]);
        results[i] = 99;
        put(store, names[i], object, 10);
    }
    request.keys = keys;
    request.results = results;
    request.count = KEYS;
    do_one(store, cq, &request, HYD_OK);
    for (i = 0; i < KEYS; i++) {
        CHECK(results[i] == HYD_OK);
    }
    request.results = NULL;
    request.count = 1;
    put(store, "one", object, 10);
    do_one(store, cq, &request, HYD_OK);
    keys[0].len = 0;
    refused(store, cq, &request);
    keys[0].len = 3;
    request.key = "object";
    request.key_len = 6;
    refused(store, cq, &request);
    request.key_len = 0;
    request.keys = NULL;
    refused(store, cq, &request);

    for (i = 0; i < BENEATH; i++) {
        sprintf(key, "many/%d", (int)i);
        put(store, key, object, 10);
    }
    request = request_of(HYD_OP_DELETE_PREFIX, "many/");
    request.told = deleted;
    request.user = &heard;
    request.delete_report = &report;
    do_one(store, cq, &request, HYD_OK);
    CHECK(report.deleted == BENEATH && report.failed == 0);
    CHECK(__atomic_load_n(&heard, __ATOMIC_SEQ_CST) == BENEATH);
    request.told = NULL;
    request.user = NULL;
    do_one(store, cq, &request, HYD_OK);
    CHECK(report.deleted == 0 && report.failed == 0);
    report.struct_size = 7;
    refused(store, cq, &request);
    request.delete_report = NULL;
    request.keys = keys;
    refused(store, cq, &request);
}

/* What is cancelled tells so of each range, and its memory is free once it was reaped. */
static void cancelling(const hyd_engine *engine, const hyd_store *slow) {
    enum { BYTES = 1024 * 1024 };
    hyd_cq *cq = new_queue(engine, 0);
    hyd_object_range each[2];
    hyd_request batch[2];
    hyd_event events[2];
    unsigned char *memory = malloc((size_t)2 * BYTES);
    uint64_t ids[2];
    size_t count = 0, i;

    CHECK(memory != NULL);
    memset(each, 0, sizeof each);
    for (i = 0; i < 2; i++) {
        each[i].range.offset = i * 3 * BYTES;
        each[i].range.data = memory + i * BYTES;
        each[i].range.len = BYTES;
    }
    batch[0] = request_of(HYD_OP_GET_RANGES, "slow");
    batch[0].ranges = each;
    batch[0].count = 2;
    batch[1] = request_of(HYD_OP_VERIFY, "slow");
    batch[1].aux = "slow";
    batch[1].aux_len = 4;
    CHECK_STATUS(HYD_OK, hyd_submit(slow, cq, batch, 2, ids, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, 2, 1, 200, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cancel(cq, ids[0]) == HYD_OK && hyd_cancel(cq, ids[1]) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, 2, 2, -1, &count, &error));
    CHECK(count == 2);
    for (i = 0; i < 2; i++) {
        CHECK(events[i].status == HYD_E_CANCELLED && events[i].error != NULL);
        CHECK(each[i].range.status == HYD_E_CANCELLED && each[i].range.read_len == 0);
        hyd_error_free(events[i].error);
    }
    /* Were the kernel not done with it, this would be written to after it was freed. */
    memset(memory, 0, (size_t)2 * BYTES);
    free(memory);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

int main(int argc, char **argv) {
    struct begun all = begin(argc, argv, 2);
    hyd_store *slow = open_store(all.engine, argv[2]);

    object = filled(OBJECT_BYTES, 3);
    put(all.store, "object", object, OBJECT_BYTES);
    put(all.store, "same", object, OBJECT_BYTES);
    put(all.store, "other", object, 100);
    ranges(all.engine, all.store, all.cq);
    comparing(all.store, all.cq);
    deleting(all.store, all.cq);
    cancelling(all.engine, slow);
    CHECK(hyd_cq_destroy(all.cq) == HYD_OK && hyd_store_close(slow) == HYD_OK);
    CHECK(hyd_store_close(all.store) == HYD_OK && hyd_engine_destroy(all.engine) == HYD_OK);
    free(object);
    puts("many are done");
    return EXIT_SUCCESS;
}

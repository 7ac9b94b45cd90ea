/*
 * Completion queues: bad requests, a full queue, cancelling, threads, the descriptor.
 *
 *     queue URI SLOW_URI [driven]
 *
 * URI is that of an empty store; SLOW_URI has an object "slow" that takes minutes to come; with
 * "driven", this thread drives the engine.
 */
#define _POSIX_C_SOURCE 200809L

#include "requests.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OBJECT_BYTES = 9 * 1024 * 1024 + 5, DEPTH = 64 };

static unsigned char *object;
static uint32_t engine_flags;

static void bad_requests(const hyd_engine *engine, const hyd_store *store, const hyd_cq *cq) {
    hyd_engine *foreign = (engine_flags & HYD_ENGINE_DRIVEN) != 0 ? NULL : small_engine(0);
    hyd_request batch[3], request;
    hyd_event event;
    unsigned char memory[16];
    uint64_t ids[3] = {0, 0, 0};
    size_t count = 77;
    unsigned i;

    /* A request that is refused ends the batch; those before it complete, the others never. */
    for (i = 0; i < 3; i++) {
        batch[i] = request_of(HYD_OP_GET_RANGE, "object");
        batch[i].user_data = i;
        batch[i].data = memory;
        batch[i].data_len = 1;
    }
    batch[1].op = 99;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, batch, 3, ids, &count, &error));
    CHECK(count == 1 && ids[0] != 0 && ids[1] == 0);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.user_data == 0 && event.status == HYD_OK);
    batch[1] = batch[0];
    batch[1].struct_size = sizeof batch[1] + 8;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, batch + 1, 1, ids, &count, &error));
    CHECK(count == 0);

    request = request_of(HYD_OP_GET_RANGE, "object");
    request.data = memory;
    request.data_len = SIZE_MAX;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request.data_len = 16;
    request.key = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_HEAD, "object");
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_DELETE, "object");
    request.data = memory;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_PUT, "object");
    request.data_len = 5;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_COPY, "object");
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    request = request_of(HYD_OP_LIST_PAGE, "object");
    request.delimiter = 0x110000;
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, cq, NULL, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, NULL, &request, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_submit(NULL, cq, &request, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, NULL, 0, NULL, NULL, &error));
    if (foreign != NULL) {
        hyd_cq *other = new_queue(foreign, 0);
        request = request_of(HYD_OP_DELETE, "object");
        CHECK_STATUS(HYD_E_INVALID, hyd_submit(store, other, &request, 1, NULL, NULL, &error));
        CHECK(hyd_cq_destroy(other) == HYD_OK);
        CHECK(hyd_engine_destroy(foreign) == HYD_OK);
    }
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 0, 0, &count, &error));
    CHECK(count == 0);
    CHECK_STATUS(HYD_E_INVALID, hyd_cq_wait(cq, NULL, 1, 0, 0, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_cq_wait(cq, &event, 1, 2, 0, &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_cq_wait(cq, &event, HYD_CQ_DEPTH_MAX + 1, HYD_CQ_DEPTH_MAX + 1, 0,
                                            &count, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_cq_wait(cq, &event, 1, 0, 0, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_cq_wait(NULL, &event, 1, 0, 0, &count, &error));
    {
        hyd_cq *none = NULL;
        int fd = -1;
        CHECK_STATUS(HYD_E_INVALID, hyd_cq_create(engine, HYD_CQ_DEPTH_MAX + 1, &none, &error));
        CHECK_STATUS(HYD_E_INVALID, hyd_cq_create(engine, 1, NULL, &error));
        CHECK_STATUS(HYD_E_INVALID, hyd_cq_create(NULL, 1, &none, &error));
        CHECK_STATUS(HYD_E_INVALID, hyd_cq_fd(NULL, &fd, &error));
        CHECK_STATUS(HYD_E_INVALID, hyd_cq_fd(cq, NULL, &error));
        CHECK(hyd_cq_wake(NULL) == HYD_E_INVALID && hyd_cq_destroy(NULL) == HYD_OK);
        CHECK(hyd_cancel(NULL, 1) == HYD_E_INVALID && none == NULL && fd == -1);
    }
}

/* A queue takes as many as it is deep, and each completes once. */
static void full_queue(const hyd_engine *engine, const hyd_store *store) {
    static unsigned char memory[DEPTH][100];
    hyd_cq *cq = new_queue(engine, DEPTH);
    hyd_request batch[DEPTH + 1];
    hyd_event events[DEPTH + 1];
    size_t count = 0, taken, i;
    int seen[DEPTH + 1] = {0}, round;

    for (round = 0; round < 20; round++) {
        for (i = 0; i <= DEPTH; i++) {
            batch[i] = request_of(HYD_OP_GET_RANGE, "object");
            batch[i].user_data = i;
            batch[i].offset = i * 4099 + (size_t)round;
            batch[i].data = memory[i % DEPTH];
            batch[i].data_len = 100;
        }
        CHECK_STATUS(HYD_E_AGAIN, hyd_submit(store, cq, batch, DEPTH + 1, NULL, &taken, &error));
        CHECK(taken == DEPTH);
        CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, DEPTH + 1, DEPTH, -1, &count, &error));
        CHECK(count == DEPTH);
        for (i = 0; i < count; i++) {
            CHECK(events[i].status == HYD_OK && events[i].bytes == 100);
            seen[events[i].user_data]++;
        }
        for (i = 0; i < DEPTH; i++) {
            CHECK(seen[i] == round + 1);
            CHECK(memcmp(memory[i], object + batch[i].offset, 100) == 0);
        }
        CHECK(seen[DEPTH] == 0);
    }
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
    CHECK(hyd_cq_destroy(cq) == HYD_E_HANDLE);
    CHECK(hyd_cancel(cq, 1) == HYD_E_HANDLE && hyd_cq_wake(cq) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_cq_wait(cq, events, 1, 0, 0, &count, &error));
    CHECK_STATUS(HYD_E_HANDLE, hyd_submit(store, cq, batch, 1, NULL, &count, &error));
}

static void cancelling(const hyd_engine *engine, const hyd_store *slow) {
    enum { REQUESTS = 4, BYTES = 1024 * 1024 };
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request batch[REQUESTS];
    hyd_event events[REQUESTS];
    unsigned char *memory = malloc((size_t)REQUESTS * BYTES);
    hyd_mem *mem = NULL;
    uint64_t ids[REQUESTS];
    size_t count = 0, i;

    CHECK(memory != NULL);
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, (size_t)REQUESTS * BYTES, &mem, NULL,
                                          &error));
    for (i = 0; i < REQUESTS; i++) {
        batch[i] = request_of(HYD_OP_GET_RANGE, "slow");
        batch[i].data = memory + i * BYTES;
        batch[i].data_len = BYTES;
        batch[i].mem = mem;
    }
    CHECK_STATUS(HYD_OK, hyd_submit(slow, cq, batch, REQUESTS, ids, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, REQUESTS, 1, 200, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cq_destroy(cq) == HYD_E_BUSY && hyd_mem_unregister(mem) == HYD_E_BUSY);
    for (i = 0; i < REQUESTS; i++) {
        CHECK(hyd_cancel(cq, ids[i]) == HYD_OK);
    }
    CHECK(hyd_cancel(cq, ids[0] + ((uint64_t)1 << 32)) == HYD_E_NOT_FOUND);
    CHECK(hyd_cancel(cq, UINT64_MAX) == HYD_E_NOT_FOUND);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, REQUESTS, REQUESTS, -1, &count, &error));
    CHECK(count == REQUESTS);
    for (i = 0; i < REQUESTS; i++) {
        CHECK(events[i].status == HYD_E_CANCELLED && events[i].error != NULL);
        hyd_error_free(events[i].error);
        CHECK(hyd_cancel(cq, ids[i]) == HYD_E_NOT_FOUND);
    }
    CHECK(hyd_mem_unregister(mem) == HYD_OK);
    /* Were the kernel not done with it, this would be written to after it was freed. */
    memset(memory, 0, (size_t)REQUESTS * BYTES);
    free(memory);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

static int is_readable(int fd, int timeout_ms) {
    struct pollfd ready;
    ready.fd = fd;
    ready.events = POLLIN;
    ready.revents = 0;
    return poll(&ready, 1, timeout_ms) == 1;
}

static void descriptor(const hyd_engine *engine, const hyd_store *store) {
    hyd_cq *cq = new_queue(engine, 0);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request request = request_of(HYD_OP_HEAD, "object");
    hyd_event event;
    size_t count = 0;
    int fd = -1;

    request.meta = &meta;
    CHECK_STATUS(HYD_OK, hyd_cq_fd(cq, &fd, &error));
    CHECK(fd >= 0 && !is_readable(fd, 0));
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    if ((engine_flags & HYD_ENGINE_DRIVEN) != 0) {
        while (!is_readable(fd, 0)) {
            CHECK_STATUS(HYD_OK, hyd_engine_run(engine, 1, 100, NULL, &error));
        }
    }
    CHECK(is_readable(fd, SECONDS_MAX * 1000));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 0, 0, &count, &error));
    CHECK(count == 1 && event.status == HYD_OK && !is_readable(fd, 0));
    /* A wake-up is for one wait, which may come later. */
    CHECK(hyd_cq_wake(cq) == HYD_OK);
    CHECK(is_readable(fd, 0));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 0 && !is_readable(fd, 0));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, 10, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

struct shared {
    const hyd_engine *engine;
    const hyd_store *store;
    hyd_cq *cq;
};

enum { SUBMITTERS = 4, EACH = 500 };

static void *submit_many(void *argument) {
    static unsigned char memory[100];
    const struct shared *shared = argument;
    hyd_request request = request_of(HYD_OP_GET_RANGE, "object");
    unsigned i;

    /* All read the same bytes into one place: what arrives does not matter here. */
    (void)memory;
    request.data_len = 100;
    for (i = 0; i < EACH; i++) {
        hyd_status status;
        do {
            status = hyd_submit(shared->store, shared->cq, &request, 1, NULL, NULL, NULL);
        } while (status == HYD_E_AGAIN);
        CHECK(status == HYD_OK);
    }
    return NULL;
}

static void *wait_for_end(void *argument) {
    const struct shared *shared = argument;
    hyd_event event;
    size_t count = 77;
    /* Until the queue is destroyed, or this thread woken before it slept. */
    hyd_status status = hyd_cq_wait(shared->cq, &event, 1, 1, -1, &count, NULL);
    CHECK(status == HYD_E_HANDLE);
    return NULL;
}

/* Many submit, one reaps; then a queue is destroyed under a thread that waits. */
static void threads(const hyd_engine *engine, const hyd_store *store) {
    struct shared shared;
    pthread_t submitters[SUBMITTERS], waiter;
    hyd_event events[16];
    size_t count = 0, total = 0, i;

    shared.engine = engine;
    shared.store = store;
    shared.cq = new_queue(engine, 32);
    for (i = 0; i < SUBMITTERS; i++) {
        CHECK(pthread_create(&submitters[i], NULL, submit_many, &shared) == 0);
    }
    while (total < SUBMITTERS * EACH) {
        CHECK_STATUS(HYD_OK, hyd_cq_wait(shared.cq, events, 16, 1, -1, &count, &error));
        for (i = 0; i < count; i++) {
            CHECK(events[i].status == HYD_OK && events[i].bytes == 100);
            CHECK(hyd_buf_release(events[i].buf) == HYD_OK);
        }
        total += count;
    }
    for (i = 0; i < SUBMITTERS; i++) {
        CHECK(pthread_join(submitters[i], NULL) == 0);
    }
    CHECK(pthread_create(&waiter, NULL, wait_for_end, &shared) == 0);
    CHECK(hyd_cq_destroy(shared.cq) == HYD_OK);
    CHECK(pthread_join(waiter, NULL) == 0);
}

struct waiter {
    const hyd_cq *cq;
    size_t min;
};

static void *wait_for_as_many(void *argument) {
    const struct waiter *waiter = argument;
    hyd_event events[DEPTH];
    size_t count = 0, i;

    CHECK(hyd_cq_wait(waiter->cq, events, waiter->min, waiter->min, -1, &count, NULL) == HYD_OK);
    CHECK(count == waiter->min);
    for (i = 0; i < count; i++) {
        CHECK(events[i].status == HYD_OK && hyd_buf_release(events[i].buf) == HYD_OK);
    }
    return NULL;
}

/* Each of them waits for another number, and none takes more than that: in whatever order completions
 * come and threads run, there are enough for all. */
static void several_waiters(const hyd_engine *engine, const hyd_store *store) {
    enum { WAITERS = 4, ROUNDS = 50 };
    static const size_t mins[WAITERS] = {8, 1, 3, 5};
    struct waiter waiters[WAITERS];
    pthread_t threads[WAITERS];
    hyd_cq *cq = new_queue(engine, DEPTH);
    hyd_request request = request_of(HYD_OP_GET_RANGE, "object");
    size_t total = 0, i, round;

    request.data_len = 100;
    for (i = 0; i < WAITERS; i++) {
        waiters[i].cq = cq;
        waiters[i].min = mins[i];
        total += mins[i];
    }
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < WAITERS; i++) {
            CHECK(pthread_create(&threads[i], NULL, wait_for_as_many, &waiters[i]) == 0);
        }
        for (i = 0; i < total; i++) {
            CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
        }
        for (i = 0; i < WAITERS; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }
    }
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

static void after_fork(const hyd_engine *engine, const hyd_store *store, hyd_cq *cq) {
    int outcome = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        hyd_request request = request_of(HYD_OP_DELETE, "object");
        hyd_event event;
        hyd_cq *none = NULL;
        size_t count = 0;
        int fd = -1;
        CHECK_STATUS(HYD_E_FORKED, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
        CHECK_STATUS(HYD_E_FORKED, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
        CHECK_STATUS(HYD_E_FORKED, hyd_cq_create(engine, 0, &none, &error));
        CHECK_STATUS(HYD_E_FORKED, hyd_cq_fd(cq, &fd, &error));
        CHECK(hyd_cancel(cq, 1) == HYD_E_FORKED && hyd_cq_wake(cq) == HYD_E_FORKED);
        CHECK(hyd_cq_destroy(cq) == HYD_E_FORKED);
        exit(EXIT_SUCCESS);
    }
    CHECK(waitpid(child, &outcome, 0) == child);
    CHECK(WIFEXITED(outcome) && WEXITSTATUS(outcome) == EXIT_SUCCESS);
}

/* What is under way when the engine goes completes all the same, and can be reaped. */
static void engine_goes(hyd_engine *engine, const hyd_store *store, const hyd_store *slow) {
    enum { BYTES = 1024 * 1024 };
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request request = request_of(HYD_OP_GET_RANGE, "slow");
    hyd_event event;
    unsigned char *memory = malloc(BYTES);
    size_t count = 0;

    CHECK(memory != NULL);
    request.data = memory;
    request.data_len = BYTES;
    CHECK_STATUS(HYD_OK, hyd_submit(slow, cq, &request, 1, NULL, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, 200, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_E_CANCELLED);
    hyd_error_free(event.error);
    memset(memory, 0, BYTES);
    free(memory);
    CHECK_STATUS(HYD_E_CANCELLED, hyd_submit(store, cq, &request, 1, NULL, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

int main(int argc, char **argv) {
    struct begun all = begin(argc, argv, 2);
    hyd_store *slow = open_store(all.engine, argv[2]);

    engine_flags = all.engine_flags;
    object = filled(OBJECT_BYTES, 3);
    put(all.store, "object", object, OBJECT_BYTES);
    bad_requests(all.engine, all.store, all.cq);
    full_queue(all.engine, all.store);
    cancelling(all.engine, slow);
    descriptor(all.engine, all.store);
    threads(all.engine, all.store);
    if ((engine_flags & HYD_ENGINE_DRIVEN) == 0) {
        several_waiters(all.engine, all.store);
    }
    after_fork(all.engine, all.store, all.cq);
    CHECK(hyd_cq_destroy(all.cq) == HYD_OK);
    engine_goes(all.engine, all.store, slow);
    CHECK(hyd_store_close(slow) == HYD_OK && hyd_store_close(all.store) == HYD_OK);
    free(object);
    puts("queues are complete");
    return EXIT_SUCCESS;
}

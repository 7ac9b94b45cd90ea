/*
 * Counts what a call and a request on a queue allocate once everything is warm, by a malloc of its
 * own.
 *
 *     allocations mem://name ALLOCATIONS-OF-THE-SAME-CALL-IN-RUST
 */
#define _GNU_SOURCE
#include "check.h"

#include <time.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static volatile unsigned long allocations;

void *malloc(size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

int posix_memalign(void **place, size_t align, size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    *place = __libc_memalign(align, size);
    return *place == NULL ? 12 : 0;
}

/* What the store itself allocates for a ranged read into caller memory: the reader, its key, the
 * future of the read, and the loan of the memory. The queue adds nothing. */
enum { OF_THE_STORE = 4, BATCH = 64, ROUNDS = 50, CALLS = 1000 };

static unsigned char memory[BATCH][64];

static void read_batch(const hyd_store *store, const hyd_cq *cq) {
    hyd_request batch[BATCH];
    hyd_event events[BATCH];
    size_t count = 0, i;

    for (i = 0; i < BATCH; i++) {
        hyd_request request = HYD_REQUEST_INIT;
        request.op = HYD_OP_GET_RANGE;
        request.key = "object";
        request.key_len = 6;
        request.data = memory[i];
        request.data_len = sizeof memory[i];
        batch[i] = request;
    }
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, batch, BATCH, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, BATCH, BATCH, -1, &count, &error));
    for (i = 0; i < count; i++) {
        CHECK(events[i].status == HYD_OK && events[i].bytes == sizeof memory[i]);
    }
}

/* A call that blocks, on an engine that this thread drives: exactly what the Rust call allocates. */
static void calls(const char *uri, unsigned long of_the_crate) {
    hyd_engine *engine = small_engine(HYD_ENGINE_DRIVEN);
    hyd_store *store = open_store(engine, uri);
    unsigned long before = 0, count;
    size_t got = 0, i;

    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("object"), memory, 64, NULL, NULL, &error));
    for (i = 0; i < 2 * CALLS; i++) {
        before = i == CALLS ? allocations : before;
        CHECK(hyd_get_range(store, "object", 6, NULL, 0, memory, 64, &got, NULL) == HYD_OK);
    }
    count = (allocations - before) / CALLS;
    printf("%lu allocations a call, and %lu of the Rust call\n", count, of_the_crate);
    CHECK(count > 0 && count <= of_the_crate);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;
    hyd_cq *cq = NULL;
    unsigned long before, round;
    double start, each;

    CHECK(argc == 3);
    calls(argv[1], strtoul(argv[2], NULL, 10));
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    CHECK_STATUS(HYD_OK, hyd_cq_create(engine, BATCH, &cq, &error));
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("object"), memory, sizeof memory, NULL, NULL, &error));
    for (round = 0; round < ROUNDS; round++) {
        read_batch(store, cq);
    }
    before = allocations;
    start = seconds();
    for (round = 0; round < ROUNDS; round++) {
        read_batch(store, cq);
    }
    each = (double)(allocations - before) / (BATCH * ROUNDS);
    printf("%.2f allocations and %.0f ns a request\n", each,
           (seconds() - start) * 1e9 / (BATCH * ROUNDS));
    /* A list of the engine may grow once more meanwhile. */
    CHECK(allocations - before <= (unsigned long)OF_THE_STORE * BATCH * ROUNDS + BATCH);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("no more than the store's own");
    return EXIT_SUCCESS;
}

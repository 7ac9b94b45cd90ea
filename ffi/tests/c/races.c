/*
 * Queues that are reaped by some threads while others submit to them, cancel their requests, and destroy them.
 *
 *     races URI SLOW_URI      SLOW_URI has an object "slow" of bytes 7 that takes minutes to come
 */
#define _POSIX_C_SOURCE 200809L

#include "requests.h"

#include <pthread.h>
#include <sched.h>

enum { ROUNDS = 300, REAPERS = 2, QUICK = 12, SLOW = 2, ALL = QUICK + SLOW, LATE = QUICK / 2, BYTES = 4096 };

/* What nobody cancelled, what somebody did, and what was over by then. */
enum { LEFT_ALONE, CANCELLED, OVER };

/* What the two objects begin with. */
static unsigned char quick[BYTES], slow[BYTES];

struct place {
    unsigned char memory[BYTES];
    hyd_object_meta meta;
    uint64_t id;
    int wish;
    /* How often it was told, and what. */
    unsigned told;
    hyd_status status;
    uint64_t bytes;
};

struct round {
    const hyd_store *store;
    hyd_cq *cq;
    pthread_barrier_t begin;
    pthread_mutex_t lock;
    struct place places[ALL];
};

static const unsigned char *content(size_t index) {
    return index < QUICK ? quick : slow;
}

/* Even ones into memory of the caller, the others into buffers that the events bring. */
static hyd_request reading(struct place *place, const char *key, size_t index) {
    hyd_request request = request_of(HYD_OP_GET_RANGE, key);
    request.user_data = index;
    request.data_len = BYTES;
    if (index % 2 == 0) {
        request.data = place->memory;
    }
    request.meta = &place->meta;
    return request;
}

static void reaped(struct round *round, const hyd_event *event) {
    struct place *place;

    CHECK(event->user_data < ALL);
    place = &round->places[event->user_data];
    CHECK((event->error == NULL) == (event->status == HYD_OK));
    if (event->status == HYD_OK && event->user_data % 2 == 1) {
        void *data = NULL;
        size_t len = 0;
        CHECK(hyd_buf_view(event->buf, &data, &len, NULL) == HYD_OK && len == BYTES);
        CHECK(memcmp(data, content(event->user_data), BYTES) == 0);
    }
    CHECK(hyd_buf_release(event->buf) == HYD_OK);
    hyd_error_free(event->error);
    CHECK(pthread_mutex_lock(&round->lock) == 0);
    place->told++;
    place->status = event->status;
    place->bytes = event->bytes;
    CHECK(pthread_mutex_unlock(&round->lock) == 0);
}

static void *reap(void *argument) {
    struct round *round = argument;
    hyd_event events[3];
    size_t count, i;

    (void)pthread_barrier_wait(&round->begin);
    for (;;) {
        hyd_status status = hyd_cq_wait(round->cq, events, 3, 1, -1, &count, NULL);
        if (status == HYD_E_HANDLE) {
            return NULL;
        }
        CHECK(status == HYD_OK && count <= 3);
        for (i = 0; i < count; i++) {
            reaped(round, &events[i]);
        }
    }
}

/* Those that are slow, and every third of the others that were there before. */
static void *cancel(void *argument) {
    struct round *round = argument;
    size_t i;

    (void)pthread_barrier_wait(&round->begin);
    for (i = 0; i < ALL; i++) {
        struct place *place = &round->places[i];
        if (i >= QUICK || (i < LATE && i % 3 == 0)) {
            hyd_status status = hyd_cancel(round->cq, place->id);
            CHECK(status == HYD_OK || status == HYD_E_NOT_FOUND || status == HYD_E_HANDLE);
            place->wish = status == HYD_OK ? CANCELLED : OVER;
        }
    }
    return NULL;
}

static void *destroy(void *argument) {
    struct round *round = argument;
    hyd_status status;

    (void)pthread_barrier_wait(&round->begin);
    while ((status = hyd_cq_destroy(round->cq)) == HYD_E_BUSY) {
        sched_yield();
    }
    CHECK(status == HYD_OK);
    return NULL;
}

/* What was told is right, and told once. The rest was thrown away with the queue. */
static unsigned look(const struct round *round) {
    unsigned told = 0;
    size_t i;

    for (i = 0; i < ALL; i++) {
        const struct place *place = &round->places[i];
        CHECK(place->told <= (place->id != 0));
        told += place->told;
        if (place->told == 0) {
            continue;
        }
        CHECK(place->status == HYD_OK || (place->status == HYD_E_CANCELLED && place->wish == CANCELLED));
        if (place->status == HYD_OK) {
            CHECK(place->bytes == BYTES && place->meta.size_bytes >= BYTES);
            CHECK(i % 2 == 1 || memcmp(place->memory, content(i), BYTES) == 0);
        }
    }
    return told;
}

static unsigned one_round(const hyd_engine *engine, const hyd_store *store, const hyd_store *slow_store) {
    static void *(*const WORK[])(void *) = {reap, reap, cancel, destroy};
    struct round *round = calloc(1, sizeof *round);
    pthread_t threads[REAPERS + 2];
    unsigned told;
    size_t i;

    CHECK(round != NULL);
    round->store = store;
    round->cq = new_queue(engine, ALL);
    CHECK(pthread_barrier_init(&round->begin, NULL, REAPERS + 3) == 0);
    CHECK(pthread_mutex_init(&round->lock, NULL) == 0);
    for (i = 0; i < ALL; i++) {
        round->places[i].meta.struct_size = sizeof(hyd_object_meta);
        if (i < LATE || i >= QUICK) {
            hyd_request request = reading(&round->places[i], i < QUICK ? "quick" : "slow", i);
            CHECK_STATUS(HYD_OK, hyd_submit(i < QUICK ? store : slow_store, round->cq, &request, 1,
                                            &round->places[i].id, NULL, &error));
        }
    }
    for (i = 0; i < REAPERS + 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, WORK[i], round) == 0);
    }
    (void)pthread_barrier_wait(&round->begin);
    for (i = LATE; i < QUICK; i++) {
        hyd_request request = reading(&round->places[i], "quick", i);
        hyd_status status =
            hyd_submit(store, round->cq, &request, 1, &round->places[i].id, NULL, NULL);
        CHECK(status == HYD_OK || status == HYD_E_HANDLE);
    }
    for (i = 0; i < REAPERS + 2; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(hyd_cq_destroy(round->cq) == HYD_E_HANDLE);
    told = look(round);
    CHECK(pthread_barrier_destroy(&round->begin) == 0 && pthread_mutex_destroy(&round->lock) == 0);
    /* Were the kernel not done with it, this would be written to after it was freed. */
    free(round);
    return told;
}

int main(int argc, char **argv) {
    hyd_engine_left left = HYD_ENGINE_LEFT_INIT;
    hyd_engine *engine = NULL;
    hyd_store *store, *slow_store;
    unsigned told = 0, i;

    CHECK(argc == 3);
    alarm(SECONDS_MAX);
    CHECK_STATUS(HYD_OK, hyd_engine_create(NULL, &engine, &error));
    store = open_store(engine, argv[1]);
    slow_store = open_store(engine, argv[2]);
    memset(slow, 7, BYTES);
    fill(quick, BYTES, 9);
    put(store, "quick", quick, BYTES);
    for (i = 0; i < ROUNDS; i++) {
        told += one_round(engine, store, slow_store);
    }
    CHECK(told > ROUNDS);
    CHECK(hyd_store_close(slow_store) == HYD_OK && hyd_store_close(store) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_engine_stop(engine, -1, &left, &error));
    CHECK(left.cores == 0 && left.pool_bytes_lent == 0);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("nothing was told wrong");
    return EXIT_SUCCESS;
}

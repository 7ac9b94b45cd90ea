/*
 * Many threads on one store; then an engine that is destroyed under a thread that waits.
 *
 *     threads URI SLOW_URI      SLOW_URI has an object "slow" that takes minutes to come
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 10, OBJECT_BYTES = 100 * 1000, SLOW_BYTES = 4 * 1024 * 1024 };

/* A hang is a failure, not a wait. */
enum { SECONDS_MAX = 600 };

struct worker {
    const hyd_store *store;
    unsigned seed;
};

static void put_get_delete(const struct worker *worker, const char *key, unsigned round) {
    unsigned char data[1000], back[1000];
    unsigned char *object = malloc(OBJECT_BYTES);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    size_t i, got = 0;
    const size_t middle = 54321;

    CHECK(object != NULL);
    for (i = 0; i < OBJECT_BYTES; i++) {
        object[i] = (unsigned char)((i + round) * 2654435761u * worker->seed >> 11);
    }
    memcpy(data, object + middle, sizeof data);
    CHECK_STATUS(HYD_OK, hyd_put(worker->store, TEXT(key), object, OBJECT_BYTES, NULL, NULL, &error));
    /* The library keeps nothing of what was lent to it. */
    memset(object, 0, OBJECT_BYTES);
    free(object);
    CHECK_STATUS(HYD_OK, hyd_stat(worker->store, TEXT(key), NULL, &meta, NULL, &error));
    CHECK(meta.size_bytes == OBJECT_BYTES);
    CHECK_STATUS(HYD_OK, hyd_get_range(worker->store, TEXT(key), NULL, middle, back, sizeof back, &got,
                                       &error));
    CHECK(got == sizeof back && memcmp(back, data, sizeof back) == 0);
    CHECK_STATUS(HYD_OK, delete_one(worker->store, key, &error));
}

static void *work(void *argument) {
    const struct worker *worker = argument;
    char key[32];
    unsigned round;

    sprintf(key, "thread-%u", worker->seed);
    for (round = 0; round < ROUNDS; round++) {
        put_get_delete(worker, key, round);
    }
    return NULL;
}

static void many_threads(const char *uri) {
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    unsigned i;

    CHECK_STATUS(HYD_OK, hyd_engine_create(NULL, &engine, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, NULL, &store, &error));
    for (i = 0; i < THREADS; i++) {
        workers[i].store = store;
        workers[i].seed = i + 1;
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
}

static void *wait_for_slow(void *argument) {
    unsigned char *memory = malloc(SLOW_BYTES);
    size_t got = 77;

    CHECK(memory != NULL);
    CHECK_STATUS(HYD_E_CANCELLED, hyd_get_range(argument, TEXT("slow"), NULL, 0, memory, SLOW_BYTES, &got,
                                                &error));
    CHECK(got == 77);
    /* Were the kernel not done with it, this would be written to after it was freed. */
    free(memory);
    return NULL;
}

static void destroyed_under_a_call(const char *uri) {
    const struct timespec under_way = {0, 500 * 1000 * 1000};
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    pthread_t thread;

    CHECK_STATUS(HYD_OK, hyd_engine_create(NULL, &engine, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, NULL, &store, &error));
    CHECK(pthread_create(&thread, NULL, wait_for_slow, store) == 0);
    CHECK(nanosleep(&under_way, NULL) == 0);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(hyd_store_close(store) == HYD_OK);
}

/* Stopped for no longer than wanted, as often as it takes. */
static void stopped_within_a_time(const char *uri) {
    hyd_engine_left left = HYD_ENGINE_LEFT_INIT;
    hyd_engine *engine = small_engine(0), *driven;
    hyd_store *store = open_store(engine, uri);
    hyd_buf *buf = NULL;
    hyd_status status;

    CHECK_STATUS(HYD_OK, hyd_buf_lend(engine, 4096, &buf, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_stop(NULL, 0, &left, &error));
    left.struct_size = 3;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_stop(engine, 0, &left, &error));
    left.struct_size = sizeof left;
    do {
        status = hyd_engine_stop(engine, 0, &left, NULL);
        CHECK(status == HYD_OK || status == HYD_E_AGAIN);
        CHECK((status == HYD_OK) == (left.cores == 0) && left.pool_bytes_lent >= 4096);
    } while (status != HYD_OK);
    CHECK(hyd_buf_release(buf) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_engine_stop(engine, -1, &left, &error));
    CHECK(left.cores == 0 && left.pool_bytes_lent == 0);
    CHECK_STATUS(HYD_E_CANCELLED, hyd_put(store, TEXT("late"), "x", 1, NULL, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK_STATUS(HYD_E_HANDLE, hyd_engine_stop(engine, 0, NULL, &error));

    driven = small_engine(HYD_ENGINE_DRIVEN);
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_stop(driven, 0, &left, &error));
    CHECK(hyd_engine_destroy(driven) == HYD_OK);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    alarm(SECONDS_MAX);
    many_threads(argv[1]);
    destroyed_under_a_call(argv[2]);
    stopped_within_a_time(argv[1]);
    puts("threads agree");
    return EXIT_SUCCESS;
}

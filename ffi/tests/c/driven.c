/*
 * An engine that this thread drives: by hand, by blocking calls, from the wrong thread, to an end
 * that was not asked for.
 *
 *     driven URI FOLDER      the URI of an empty store
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static void *from_another_thread(void *argument) {
    hyd_engine *engine = argument;
    CHECK_STATUS(HYD_E_THREAD, hyd_engine_run(engine, 1, 0, NULL, &error));
    CHECK(hyd_engine_destroy(engine) == HYD_E_THREAD);
    return NULL;
}

static void *create_and_forget(void *argument) {
    hyd_store **store = argument;
    hyd_engine *engine = small_engine(HYD_ENGINE_DRIVEN);
    *store = open_store(engine, "mem://forgotten");
    CHECK_STATUS(HYD_OK, hyd_put(*store, TEXT("x"), "y", 1, NULL, NULL, &error));
    return engine;
}

/* The loop of a program that waits for other things too. */
static void by_hand(const hyd_engine *engine, const hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request request = HYD_REQUEST_INIT;
    hyd_cq *cq = NULL;
    hyd_event event;
    struct pollfd ready;
    size_t count = 0;
    int32_t more = 0;

    CHECK_STATUS(HYD_OK, hyd_engine_fd(engine, &ready.fd, &error));
    ready.events = POLLIN;
    CHECK_STATUS(HYD_OK, hyd_cq_create(engine, 0, &cq, &error));
    request.op = HYD_OP_HEAD;
    request.key = "object";
    request.key_len = 6;
    request.meta = &meta;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, NULL, NULL, &error));
    while (count == 0) {
        CHECK_STATUS(HYD_OK, hyd_engine_run(engine, 16, 0, &more, &error));
        CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 0, 0, &count, &error));
        if (count == 0 && !more) {
            CHECK(poll(&ready, 1, 60 * 1000) == 1);
        }
    }
    CHECK(event.status == HYD_OK && meta.size_bytes == 5);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

/* Cancelled before the core has seen it: it completes once, and the queue is idle then. */
static void cancelled_before_it_began(const hyd_engine *engine, const hyd_store *store) {
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_request request = HYD_REQUEST_INIT;
    hyd_cq *cq = NULL;
    hyd_event event;
    uint64_t id = 0;
    size_t count = 0;

    CHECK_STATUS(HYD_OK, hyd_cq_create(engine, 0, &cq, &error));
    request.op = HYD_OP_HEAD;
    request.key = "object";
    request.key_len = 6;
    request.meta = &meta;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &request, 1, &id, NULL, &error));
    CHECK(hyd_cancel(cq, id) == HYD_OK);
    CHECK_STATUS(HYD_OK, hyd_engine_run(engine, 0, 0, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.id == id && event.status == HYD_E_CANCELLED);
    hyd_error_free(event.error);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 0, 0, &count, &error));
    CHECK(count == 0);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

int main(int argc, char **argv) {
    hyd_engine *engine, *second = NULL, *threaded;
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_store *store, *forgotten = NULL;
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    pthread_t thread;
    void *left = NULL;
    int fd = -1;

    CHECK(argc == 2);
    alarm(600);
    engine = small_engine(HYD_ENGINE_DRIVEN);
    config.flags = HYD_ENGINE_DRIVEN;
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_create(&config, &second, &error));
    store = open_store(engine, argv[1]);
    /* Blocking calls drive. */
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("object"), "12345", 5, NULL, NULL, &error));
    by_hand(engine, store);
    cancelled_before_it_began(engine, store);
    CHECK(pthread_create(&thread, NULL, from_another_thread, engine) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("object"), NULL, &meta, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_fd(engine, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_fd(NULL, &fd, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_run(NULL, 1, 0, NULL, &error));
    threaded = small_engine(0);
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_fd(threaded, &fd, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_engine_run(threaded, 1, 0, NULL, &error));
    CHECK(hyd_engine_destroy(threaded) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_E_HANDLE);
    CHECK_STATUS(HYD_E_HANDLE, hyd_engine_run(engine, 1, 0, NULL, &error));
    CHECK_STATUS(HYD_E_CANCELLED, hyd_stat(store, TEXT("object"), NULL, &meta, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    /* The thread may drive another one now, and one that ends takes its engine along. */
    engine = small_engine(HYD_ENGINE_DRIVEN);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(pthread_create(&thread, NULL, create_and_forget, &forgotten) == 0);
    CHECK(pthread_join(thread, &left) == 0);
    CHECK_STATUS(HYD_E_CANCELLED, hyd_stat(forgotten, TEXT("x"), NULL, &meta, NULL, &error));
    CHECK(hyd_engine_destroy(left) == HYD_OK);
    CHECK(hyd_store_close(forgotten) == HYD_OK);
    puts("driven to an end");
    return EXIT_SUCCESS;
}

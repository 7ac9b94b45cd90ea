/* What the C programs that submit requests share: a queue, a request, and one done from end to end. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "check.h"

#include <unistd.h>

/* A hang is a failure, not a wait. */
enum { SECONDS_MAX = 600 };

static inline hyd_cq *new_queue(const hyd_engine *engine, uint32_t depth) {
    hyd_cq *cq = NULL;
    CHECK_STATUS(HYD_OK, hyd_cq_create(engine, depth, &cq, &error));
    return cq;
}

/* What a program works with that is called with so many arguments, the first the URI of a store, and maybe
 * "driven" behind them: this thread drives the engine then. */
struct begun {
    uint32_t engine_flags;
    hyd_engine *engine;
    hyd_store *store;
    hyd_cq *cq;
};

static inline struct begun begin(int argc, char **argv, int arguments) {
    struct begun all;
    CHECK(argc == arguments + 1 || argc == arguments + 2);
    alarm(SECONDS_MAX);
    all.engine_flags = argc == arguments + 2 ? HYD_ENGINE_DRIVEN : 0;
    all.engine = small_engine(all.engine_flags);
    all.store = open_store(all.engine, argv[1]);
    all.cq = new_queue(all.engine, 0);
    return all;
}

static inline hyd_request request_of(uint32_t op, const char *key) {
    hyd_request request = HYD_REQUEST_INIT;
    request.op = op;
    request.key = key;
    request.key_len = strlen(key);
    return request;
}

/* Submits one request and waits for its completion, which has this status. */
static inline hyd_event do_one(const hyd_store *store, const hyd_cq *cq, hyd_request *request,
                               hyd_status expected) {
    hyd_event event;
    size_t count = 0;
    uint64_t id = 0;

    request->user_data = 4711;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, request, 1, &id, &count, &error));
    CHECK(count == 1 && id != 0);
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.id == id && event.user_data == 4711 && event.op == request->op);
    if (event.status != expected) {
        hyd_error_view view = HYD_ERROR_VIEW_INIT;
        hyd_error_info(event.error, &view);
        fprintf(stderr, "op %u: %s\n", event.op, view.message != NULL ? view.message : "fine");
    }
    CHECK(event.status == expected);
    CHECK((event.error == NULL) == (event.status == HYD_OK));
    hyd_error_free(event.error);
    return event;
}

#endif

/*
 * An engine without threads of its own, in a loop written by hand that also has something else to
 * wait for: here a timer that ticks.
 *
 *     ./driven_loop s3://bucket        or mem://example
 */
#define _POSIX_C_SOURCE 200809L
#include <hydrant.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { OBJECTS = 100 };

static int good(const char *what, hyd_status status, hyd_error **error) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    if (status != HYD_OK) {
        int told = hyd_error_info(*error, &view) == HYD_OK;
        fprintf(stderr, "%s: %s\n", what, told ? view.message : hyd_status_str(status));
        hyd_error_free(*error);
        *error = NULL;
    }
    return status == HYD_OK;
}

/* Submits the writing of all objects; what they contain lies still until it has been reaped. */
static int submit_all(const hyd_store *store, const hyd_cq *cq) {
    hyd_error *error = NULL;
    int i;

    for (i = 0; i < OBJECTS; i++) {
        hyd_request request = HYD_REQUEST_INIT;
        char key[32];
        request.op = HYD_OP_PUT;
        request.key = key;
        request.key_len = (size_t)sprintf(key, "object-%d", i);
        request.data = (void *)(uintptr_t) "what they all contain";
        request.data_len = 21;
        if (!good("submit", hyd_submit(store, cq, &request, 1, NULL, NULL, &error), &error)) {
            return 0;
        }
    }
    return 1;
}

static int loop(hyd_engine *engine, const hyd_cq *cq) {
    const struct itimerspec ticking = {{0, 1000 * 1000}, {0, 1000 * 1000}};
    struct pollfd both[2];
    hyd_error *error = NULL;
    unsigned long ticks = 0;
    int done = 0;

    both[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    both[0].events = both[1].events = POLLIN;
    if (both[0].fd < 0 || timerfd_settime(both[0].fd, 0, &ticking, NULL) != 0 ||
        !good("descriptor", hyd_engine_fd(engine, &both[1].fd, &error), &error)) {
        return 0;
    }
    while (done < OBJECTS) {
        hyd_event events[OBJECTS];
        uint64_t expired = 0;
        size_t count = 0, i;
        int32_t more = 0;
        /* A few turns at a time, so that the rest of the loop has its share. */
        if (!good("run", hyd_engine_run(engine, 8, 0, &more, &error), &error) ||
            !good("reap", hyd_cq_wait(cq, events, OBJECTS, 0, 0, &count, &error), &error)) {
            return 0;
        }
        for (i = 0; i < count; i++) {
            if (!good("put", events[i].status, &events[i].error)) {
                return 0;
            }
        }
        done += (int)count;
        if (poll(both, 2, more || done == OBJECTS ? 0 : -1) < 0 && errno != EINTR) {
            perror("poll");
            return 0;
        }
        if (read(both[0].fd, &expired, sizeof expired) == (ssize_t)sizeof expired) {
            ticks += (unsigned long)expired;
        }
    }
    close(both[0].fd);
    printf("%d objects, %lu ticks meanwhile\n", done, ticks);
    return 1;
}

int main(int argc, char **argv) {
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    hyd_cq *cq = NULL;
    hyd_error *error = NULL;
    int done = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: driven_loop URI\n");
        return EXIT_FAILURE;
    }
    config.flags = HYD_ENGINE_DRIVEN;
    if (good("engine", hyd_engine_create(&config, &engine, &error), &error) &&
        good(argv[1], hyd_store_open(engine, argv[1], NULL, &store, &error), &error) &&
        good("queue", hyd_cq_create(engine, 0, &cq, &error), &error)) {
        done = submit_all(store, cq) && loop(engine, cq);
    }
    puts(done ? "the loop is through" : "the loop broke off");
    hyd_engine_destroy(engine);
    hyd_cq_destroy(cq);
    hyd_store_close(store);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

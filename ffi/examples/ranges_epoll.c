/*
 * Reads a thousand ranges of an object through one queue, in a loop that waits with epoll, as it
 * would for its other descriptors.
 *
 *     ./ranges_epoll s3://bucket        or mem://example
 */
#include <hydrant.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RANGES = 1000, RANGE_BYTES = 4096, DEPTH = 128, OBJECT_BYTES = 4 * 1024 * 1024 };

/* Says what failed; `error` is freed. */
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

static uint64_t offset_of(unsigned range) {
    return (uint64_t)range * 7919 % (OBJECT_BYTES - RANGE_BYTES);
}

/* Submits what the queue has room for; tells how many were submitted altogether. */
static unsigned submit_more(const hyd_store *store, const hyd_cq *cq, unsigned char *memory,
                            unsigned submitted) {
    hyd_request batch[DEPTH];
    size_t count, accepted = 0;

    for (count = 0; count < DEPTH && submitted + count < RANGES; count++) {
        hyd_request request = HYD_REQUEST_INIT;
        request.op = HYD_OP_GET_RANGE;
        request.user_data = submitted + count;
        request.key = "object";
        request.key_len = 6;
        request.offset = offset_of(submitted + (unsigned)count);
        request.data = memory + (submitted + count) * RANGE_BYTES;
        request.data_len = RANGE_BYTES;
        batch[count] = request;
    }
    /* A full queue takes a part of the batch, or nothing: the rest comes when there is room. */
    hyd_submit(store, cq, batch, count, NULL, &accepted, NULL);
    return submitted + (unsigned)accepted;
}

/* Reaps what is there; tells how many, or -1 after a failure. */
static int reap(const hyd_cq *cq, const unsigned char *object, const unsigned char *memory) {
    hyd_event events[DEPTH];
    hyd_error *error = NULL;
    size_t count = 0, i;

    if (!good("reap", hyd_cq_wait(cq, events, DEPTH, 0, 0, &count, &error), &error)) {
        return -1;
    }
    for (i = 0; i < count; i++) {
        const unsigned range = (unsigned)events[i].user_data;
        if (!good("range", events[i].status, &events[i].error)) {
            return -1;
        }
        if (memcmp(memory + range * RANGE_BYTES, object + offset_of(range), RANGE_BYTES) != 0) {
            fprintf(stderr, "range %u has other bytes\n", range);
            return -1;
        }
    }
    return (int)count;
}

static int loop(const hyd_store *store, const hyd_cq *cq, const unsigned char *object,
                unsigned char *memory) {
    struct epoll_event event;
    hyd_error *error = NULL;
    unsigned submitted = 0, done = 0;
    int poller = epoll_create1(0), fd = -1;

    if (!good("descriptor", hyd_cq_fd(cq, &fd, &error), &error)) {
        return 0;
    }
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("epoll");
        return 0;
    }
    while (done < RANGES) {
        int count;
        submitted = submit_more(store, cq, memory, submitted);
        if (epoll_wait(poller, &event, 1, -1) < 0 && errno != EINTR) {
            perror("epoll_wait");
            return 0;
        }
        count = reap(cq, object, memory);
        if (count < 0) {
            return 0;
        }
        done += (unsigned)count;
    }
    close(poller);
    printf("%u ranges are right\n", done);
    return 1;
}

int main(int argc, char **argv) {
    unsigned char *object = malloc(OBJECT_BYTES), *memory = malloc(RANGES * RANGE_BYTES);
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    hyd_cq *cq = NULL;
    hyd_error *error = NULL;
    int done = 0, i;

    if (argc != 2 || object == NULL || memory == NULL) {
        fprintf(stderr, "usage: ranges_epoll URI\n");
        return EXIT_FAILURE;
    }
    for (i = 0; i < OBJECT_BYTES; i++) {
        object[i] = (unsigned char)((unsigned)i * 2654435761u >> 13);
    }
    if (good("engine", hyd_engine_create(NULL, &engine, &error), &error) &&
        good(argv[1], hyd_store_open(engine, argv[1], NULL, &store, &error), &error) &&
        good("put", hyd_put(store, "object", 6, object, OBJECT_BYTES, NULL, NULL, &error), &error) &&
        good("queue", hyd_cq_create(engine, DEPTH, &cq, &error), &error)) {
        done = loop(store, cq, object, memory);
    }
    /* The engine goes first: what is still under way completes then, and the memory is free. */
    hyd_engine_destroy(engine);
    hyd_cq_destroy(cq);
    hyd_store_close(store);
    free(memory);
    free(object);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

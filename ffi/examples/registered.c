/*
 * Reads a large object into memory of its own, on huge pages where the system gives them, that was
 * made known to the engine: the bytes go straight from the socket to their place.
 *
 *     ./registered s3://bucket        or mem://example
 */
#define _GNU_SOURCE
#include <hydrant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OBJECT_BYTES = 24 * 1024 * 1024, PIECE_BYTES = 4 * 1024 * 1024 };
enum { PIECES = OBJECT_BYTES / PIECE_BYTES };

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

/* Memory on huge pages, or on ordinary ones. */
static unsigned char *map(size_t len) {
    const int shared = MAP_PRIVATE | MAP_ANONYMOUS, access = PROT_READ | PROT_WRITE;
    void *memory = mmap(NULL, len, access, shared | MAP_HUGETLB, -1, 0);
    if (memory == MAP_FAILED) {
        memory = mmap(NULL, len, access, shared, -1, 0);
    }
    return memory == MAP_FAILED ? NULL : memory;
}

/* Reads all pieces at the same time. */
static int read_pieces(const hyd_store *store, const hyd_cq *cq, const hyd_mem *mem,
                       unsigned char *memory) {
    hyd_request batch[PIECES];
    hyd_event events[PIECES];
    hyd_error *error = NULL;
    size_t count = 0, i;
    int done = 1;

    for (i = 0; i < PIECES; i++) {
        hyd_request request = HYD_REQUEST_INIT;
        request.op = HYD_OP_GET_RANGE;
        request.key = "large";
        request.key_len = 5;
        request.offset = i * PIECE_BYTES;
        request.data = memory + i * PIECE_BYTES;
        request.data_len = PIECE_BYTES;
        request.mem = mem;
        batch[i] = request;
    }
    if (!good("submit", hyd_submit(store, cq, batch, PIECES, NULL, NULL, &error), &error) ||
        !good("wait", hyd_cq_wait(cq, events, PIECES, PIECES, -1, &count, &error), &error)) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        done = good("piece", events[i].status, &events[i].error) && events[i].bytes == PIECE_BYTES &&
               done;
    }
    return done;
}

int main(int argc, char **argv) {
    unsigned char *memory = map(OBJECT_BYTES), *object = malloc(OBJECT_BYTES);
    hyd_engine *engine = NULL;
    hyd_store *store = NULL;
    hyd_cq *cq = NULL;
    hyd_mem *mem = NULL;
    hyd_error *error = NULL;
    uint32_t state = 0;
    int done = 0, i;

    if (argc != 2 || memory == NULL || object == NULL) {
        fprintf(stderr, "usage: registered URI\n");
        return EXIT_FAILURE;
    }
    for (i = 0; i < OBJECT_BYTES; i++) {
        object[i] = (unsigned char)((unsigned)i * 2654435761u >> 13);
    }
    if (good("engine", hyd_engine_create(NULL, &engine, &error), &error) &&
        good(argv[1], hyd_store_open(engine, argv[1], NULL, &store, &error), &error) &&
        good("put", hyd_put(store, "large", 5, object, OBJECT_BYTES, NULL, NULL, &error), &error) &&
        good("queue", hyd_cq_create(engine, PIECES, &cq, &error), &error) &&
        good("register", hyd_mem_register(engine, memory, OBJECT_BYTES, &mem, &state, &error),
             &error)) {
        printf("the kernel %s the memory\n", state == HYD_MEM_REGISTERED ? "pins" : "does not pin");
        done = read_pieces(store, cq, mem, memory) && memcmp(memory, object, OBJECT_BYTES) == 0;
    }
    puts(done ? "the whole object is in its place" : "it is not");
    hyd_mem_unregister(mem);
    hyd_cq_destroy(cq);
    hyd_store_close(store);
    hyd_engine_destroy(engine);
    free(object);
    munmap(memory, OBJECT_BYTES);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

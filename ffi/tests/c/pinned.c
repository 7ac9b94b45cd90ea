/*
 * Moves data through memory that belongs to somebody else as well: pinned before by another owner, as the
 * driver of a device pins it; locked; on huge pages; a mapping of a file, which the kernel may refuse to pin;
 * and one that may not be written to, which it does refuse.
 *
 *     pinned URI FOLDER      the URI of an empty store, and an empty folder
 */
#define _GNU_SOURCE

#include "check.h"
#include "requests.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECES = 4, PIECE_BYTES = 256 * 1024, BYTES = PIECES * PIECE_BYTES };

static unsigned char content[BYTES];

/* Requests for all pieces at once, in or out of `memory`. */
static void move_all(const hyd_store *store, const hyd_cq *cq, const hyd_mem *mem, const char *key,
                     unsigned char *memory) {
    hyd_request batch[PIECES];
    hyd_event events[PIECES];
    size_t count = 0, i;

    for (i = 0; i < PIECES; i++) {
        batch[i] = request_of(HYD_OP_GET_RANGE, key);
        batch[i].offset = i * PIECE_BYTES;
        batch[i].data = memory + i * PIECE_BYTES;
        batch[i].data_len = PIECE_BYTES;
        batch[i].mem = mem;
    }
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, batch, PIECES, NULL, &count, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, events, PIECES, PIECES, -1, &count, &error));
    CHECK(count == PIECES);
    for (i = 0; i < count; i++) {
        CHECK(events[i].status == HYD_OK && events[i].bytes == PIECE_BYTES);
    }
    CHECK(memcmp(memory, content, BYTES) == 0);
}

/* Writes the object from the memory, and reads it back into it. */
static void there_and_back(const hyd_store *store, const hyd_cq *cq, const hyd_mem *mem,
                           const char *key, unsigned char *memory) {
    hyd_request put = request_of(HYD_OP_PUT, key);
    hyd_event event;
    size_t count = 0;

    memcpy(memory, content, BYTES);
    put.data = memory;
    put.data_len = BYTES;
    put.mem = mem;
    CHECK_STATUS(HYD_OK, hyd_submit(store, cq, &put, 1, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, hyd_cq_wait(cq, &event, 1, 1, -1, &count, &error));
    CHECK(count == 1 && event.status == HYD_OK);
    memset(memory, 0, BYTES);
    move_all(store, cq, mem, key, memory);
}

/* On every store, whether the kernel pins the memory or not. */
static void moves(const hyd_engine *engine, const char *uri, const char *folder,
                  unsigned char *memory) {
    const char *uris[3] = {NULL, "file:///", "direct:///"};
    hyd_cq *cq = new_queue(engine, 0);
    hyd_stats before = HYD_STATS_INIT, after = HYD_STATS_INIT;
    uint64_t registered, other;
    hyd_mem *mem = NULL;
    uint32_t state = 7;
    char key[4096];
    size_t i;

    uris[0] = uri;
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, BYTES, &mem, &state, &error));
    CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &before, &error));
    for (i = 0; i < 3; i++) {
        hyd_store *store = open_store(engine, uris[i]);
        snprintf(key, sizeof key, "%s/object", folder);
        there_and_back(store, cq, mem, i == 0 ? "object" : key, memory);
        CHECK(hyd_store_close(store) == HYD_OK);
    }
    CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &after, &error));
    /* Reads of files go straight into it, by the one way or the other. */
    registered = after.file_bytes_registered - before.file_bytes_registered;
    other = after.file_bytes_unregistered - before.file_bytes_unregistered;
    CHECK(state == HYD_MEM_REGISTERED ? registered >= 2 * BYTES : other >= 2 * BYTES);
    CHECK(state == HYD_MEM_REGISTERED || state == HYD_MEM_UNREGISTERED);
    CHECK(hyd_mem_unregister(mem) == HYD_OK);
    CHECK(hyd_cq_destroy(cq) == HYD_OK);
}

static unsigned char *map(int flags, int fd) {
    void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* Another engine has pinned it, and keeps it so. */
static void pinned_by_another(const hyd_engine *engine, const char *uri, const char *folder) {
    unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    hyd_engine *driver = small_engine(0);
    hyd_mem *held = NULL;

    CHECK_STATUS(HYD_OK, hyd_mem_register(driver, memory, BYTES, &held, NULL, &error));
    moves(engine, uri, folder, memory);
    CHECK(hyd_mem_unregister(held) == HYD_OK);
    CHECK(hyd_engine_destroy(driver) == HYD_OK);
    CHECK(munmap(memory, BYTES) == 0);
}

static void locked(const hyd_engine *engine, const char *uri, const char *folder) {
    unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    /* Where the limit forbids it, it is memory like any other. */
    (void)!mlock(memory, BYTES);
    moves(engine, uri, folder, memory);
    CHECK(munmap(memory, BYTES) == 0);
}

static void of_a_file(const hyd_engine *engine, const char *uri, const char *folder) {
    char path[4096];
    unsigned char *memory;
    int fd;

    snprintf(path, sizeof path, "%s/mapped", folder);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && ftruncate(fd, BYTES) == 0);
    memory = map(MAP_SHARED, fd);
    moves(engine, uri, folder, memory);
    CHECK(munmap(memory, BYTES) == 0 && close(fd) == 0);
}

/* On huge pages: those that are reserved, where there are some, and those that the kernel makes by itself. */
static void on_huge_pages(const hyd_engine *engine, const char *uri, const char *folder) {
    const size_t page = 2 * 1024 * 1024;
    unsigned char *whole = mmap(NULL, page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
    unsigned char *begin;

    if (whole != MAP_FAILED) {
        moves(engine, uri, folder, whole);
        CHECK(munmap(whole, page) == 0);
    }
    whole = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(whole != MAP_FAILED);
    begin = whole + (page - (uintptr_t)whole % page) % page;
    (void)madvise(begin, page, MADV_HUGEPAGE);
    moves(engine, uri, folder, begin);
    CHECK(munmap(whole, 2 * page) == 0);
}

/* The kernel pins no memory that may not be written to; it is sent from all the same. */
static void read_only(const hyd_engine *engine, const char *uri, const char *folder) {
    const char *uris[3] = {NULL, "file:///", "direct:///"};
    hyd_cq *cq = new_queue(engine, 0);
    hyd_request put = request_of(HYD_OP_PUT, "read only");
    hyd_mem *mem = NULL;
    uint32_t state = 7;
    char key[4096];
    unsigned char *memory;
    size_t i;
    int fd;

    snprintf(key, sizeof key, "%s/read-only", folder);
    fd = open(key, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, content, BYTES) == BYTES);
    memory = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    CHECK_STATUS(HYD_OK, hyd_mem_register(engine, memory, BYTES, &mem, &state, &error));
    CHECK(state == HYD_MEM_UNREGISTERED);
    uris[0] = uri;
    for (i = 0; i < 3; i++) {
        hyd_store *store = open_store(engine, uris[i]);
        snprintf(key, sizeof key, "%s/object", folder);
        put.key = i == 0 ? "object" : key;
        put.key_len = strlen(put.key);
        put.data = memory;
        put.data_len = BYTES;
        put.mem = mem;
        CHECK(do_one(store, cq, &put, HYD_OK).bytes == BYTES);
        check_object(store, put.key, content, BYTES);
        CHECK(hyd_store_close(store) == HYD_OK);
    }
    CHECK(hyd_mem_unregister(mem) == HYD_OK && hyd_cq_destroy(cq) == HYD_OK);
    CHECK(munmap(memory, BYTES) == 0 && close(fd) == 0);
}

int main(int argc, char **argv) {
    hyd_engine *engine = small_engine(0);

    CHECK(argc == 3);
    fill(content, BYTES, 7);
    pinned_by_another(engine, argv[1], argv[2]);
    locked(engine, argv[1], argv[2]);
    on_huge_pages(engine, argv[1], argv[2]);
    of_a_file(engine, argv[1], argv[2]);
    read_only(engine, argv[1], argv[2]);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    puts("all memory was good");
    return EXIT_SUCCESS;
}

/*
 * The blocking calls: many ranges of one object, and of many.
 *
 *     ranges URI      the URI of an empty store
 */
#include "check.h"

enum { LARGE_BYTES = 20 * 1024 * 1024 + 77 };

static unsigned char *large;

static void many_ranges(const hyd_store *store) {
    enum { RANGES = 200, BYTES = 10 * 1000 };
    hyd_range *ranges = calloc(RANGES, sizeof *ranges);
    unsigned char *memory = malloc(RANGES * BYTES);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    size_t i;

    CHECK(ranges != NULL && memory != NULL);
    for (i = 0; i < RANGES; i++) {
        ranges[i].offset = i * 104729;
        ranges[i].data = memory + i * BYTES;
        ranges[i].len = BYTES;
    }
    /* One ends beyond the object, one is empty. */
    ranges[7].offset = LARGE_BYTES - 10;
    ranges[8].data = NULL;
    ranges[8].len = 0;
    CHECK_STATUS(HYD_OK, hyd_get_ranges(store, TEXT("large"), NULL, ranges, RANGES, &error));
    for (i = 0; i < RANGES; i++) {
        size_t expected = i == 7 ? 10 : i == 8 ? 0 : BYTES;
        CHECK(ranges[i].status == HYD_OK && ranges[i].read_len == expected);
        CHECK(expected == 0 || memcmp(ranges[i].data, large + ranges[i].offset, expected) == 0);
    }
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_get_ranges(store, TEXT("missing"), NULL, ranges, RANGES,
                                                 &error));
    for (i = 0; i < RANGES; i++) {
        CHECK(i == 8 || ranges[i].status == HYD_E_NOT_FOUND);
    }
    CHECK_STATUS(HYD_OK, hyd_stat(store, TEXT("large"), NULL, &meta, NULL, &error));
    get.if_match = meta.etag;
    CHECK_STATUS(HYD_OK, hyd_get_ranges(store, TEXT("large"), &get, ranges, RANGES, &error));
    get.if_match = NULL;
    get.if_none_match = meta.etag;
    CHECK_STATUS(HYD_E_CONDITION, hyd_get_ranges(store, TEXT("large"), &get, ranges, RANGES,
                                                 &error));
    for (i = 0; i < RANGES; i++) {
        CHECK(i == 8 || ranges[i].status == HYD_E_CONDITION);
    }
    get.flags = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_ranges(store, TEXT("large"), &get, ranges, RANGES, &error));
    for (i = 0; i < RANGES; i++) {
        CHECK(ranges[i].status == HYD_E_INVALID && ranges[i].read_len == 0);
    }
    CHECK_STATUS(HYD_OK, hyd_get_ranges(store, TEXT("large"), NULL, NULL, 0, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_ranges(store, TEXT("large"), NULL, NULL, 1, &error));
    ranges[3].data = (unsigned char *)ranges[2].data + BYTES - 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_ranges(store, TEXT("large"), NULL, ranges, RANGES, &error));
    ranges[3].data = NULL;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_ranges(store, TEXT("large"), NULL, ranges, RANGES, &error));
    free(memory);
    free(ranges);
}

/* Of two objects in one call; the second range of each is near the first. */
static void ranges_of_many_objects(const hyd_store *store) {
    enum { RANGES = 4, BYTES = 100 };
    static const char *const keys[RANGES] = {"large", "small", "large", "small"};
    static const size_t offsets[RANGES] = {5000, 0, 5200, 950};
    hyd_object_range ranges[RANGES];
    hyd_ranges_options options = HYD_RANGES_OPTIONS_INIT;
    hyd_get_options get = HYD_GET_OPTIONS_INIT;
    unsigned char memory[RANGES][BYTES];
    size_t i, round;

    memset(ranges, 0, sizeof ranges);
    for (i = 0; i < RANGES; i++) {
        ranges[i].key = keys[i];
        ranges[i].key_len = strlen(keys[i]);
        ranges[i].range.offset = offsets[i];
        ranges[i].range.data = memory[i];
        ranges[i].range.len = BYTES;
    }
    options.connections = 2;
    for (round = 0; round < 3; round++) {
        memset(memory, 0, sizeof memory);
        options.flags = round == 1 ? HYD_RANGES_NO_GAPS : 0;
        options.gap_bytes_max = round == 2 ? 50 : 0;
        CHECK_STATUS(HYD_OK, hyd_get_object_ranges(store, ranges, RANGES, round == 0 ? NULL : &options,
                                                   &error));
        for (i = 0; i < RANGES; i++) {
            size_t expected = i == 3 ? 50 : BYTES;
            CHECK(ranges[i].range.status == HYD_OK && ranges[i].range.read_len == expected);
            CHECK(memcmp(memory[i], large + offsets[i], expected) == 0);
        }
    }
    /* One that is not there stops none of the others. */
    ranges[0].key = "nowhere";
    ranges[0].key_len = 7;
    CHECK_STATUS(HYD_E_NOT_FOUND, hyd_get_object_ranges(store, ranges, RANGES, NULL, &error));
    CHECK(ranges[0].range.status == HYD_E_NOT_FOUND && ranges[1].range.status == HYD_OK);

    /* What makes no sense. */
    CHECK_STATUS(HYD_OK, hyd_get_object_ranges(store, NULL, 0, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, NULL, 1, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(NULL, ranges, RANGES, NULL, &error));
    options.flags = HYD_RANGES_NO_GAPS;
    options.gap_bytes_max = 50;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, &options, &error));
    options.flags = 2;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, &options, &error));
    options.flags = 0;
    options.get = &get;
    get.flags = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, &options, &error));
    options.get = NULL;
    options.struct_size = 7;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, &options, &error));
    ranges[2].range.data = memory[3] + 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, NULL, &error));
    ranges[2].range.data = memory[2];
    ranges[3].key = "\xff";
    ranges[3].key_len = 1;
    CHECK_STATUS(HYD_E_INVALID, hyd_get_object_ranges(store, ranges, RANGES, NULL, &error));
}

/* Ranges that are too long to be joined leave out what lies between them. */
static void joined_ranges(const hyd_engine *engine, const hyd_store *store, int by_network) {
    enum { BYTES = 100, GAP = 12000 };
    unsigned char memory[2][BYTES];
    hyd_ranges_options options = HYD_RANGES_OPTIONS_INIT;
    hyd_object_range ranges[2];
    size_t i, round;

    memset(ranges, 0, sizeof ranges);
    for (i = 0; i < 2; i++) {
        ranges[i].key = "large";
        ranges[i].key_len = 5;
        ranges[i].range.offset = 1000 + i * (BYTES + GAP);
        ranges[i].range.data = memory[i];
        ranges[i].range.len = BYTES;
    }
    for (round = 0; round < 3; round++) {
        hyd_stats before = HYD_STATS_INIT, after = HYD_STATS_INIT;
        uint64_t received;

        memset(memory, 0, sizeof memory);
        options.joined_bytes_max = round == 0 ? 0 : round == 1 ? BYTES : 1;
        CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &before, &error));
        CHECK_STATUS(HYD_OK, hyd_get_object_ranges(store, ranges, 2, &options, &error));
        CHECK_STATUS(HYD_OK, hyd_engine_stats(engine, &after, &error));
        received = after.bytes_received - before.bytes_received;
        CHECK((received >= GAP) == (by_network && round < 2));
        for (i = 0; i < 2; i++) {
            CHECK(ranges[i].range.status == HYD_OK && ranges[i].range.read_len == BYTES);
            CHECK(memcmp(memory[i], large + ranges[i].range.offset, BYTES) == 0);
        }
    }
    /* A caller that was compiled before there was the field does not set it. */
    options.struct_size = 32;
    CHECK_STATUS(HYD_OK, hyd_get_object_ranges(store, ranges, 2, &options, &error));
}

int main(int argc, char **argv) {
    hyd_engine *engine;
    hyd_store *store;

    CHECK(argc == 2);
    large = filled(LARGE_BYTES, 1);
    engine = small_engine(0);
    store = open_store(engine, argv[1]);
    put(store, "small", large, 1000);
    put(store, "large", large, LARGE_BYTES);
    many_ranges(store);
    ranges_of_many_objects(store);
    joined_ranges(engine, store, strncmp(argv[1], "s3:", 3) == 0);
    CHECK(hyd_store_close(store) == HYD_OK);
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    free(large);
    puts("ranges are whole");
    return EXIT_SUCCESS;
}

/*
 * Every function of the header in any order, each with arguments of the input's choice. What the header
 * demands of its caller is kept: memory is there, and as large as is said. Here are those about engines, their
 * memory and stores; the others have files of their own.
 */
#include "world.h"

#include <string.h>

enum { ENGINES_MAX = 3, LENT_BYTES_MAX = 2 << 20 };

static size_t lent_bytes;

static void noticed(void *user, uint32_t level, const char *text, size_t len) {
    (void)user;
    HOLDS(level == HYD_LOG_WARNING);
    touch(text, len);
}

/* Fewer than that of what there may be, and calls that make sense are refused. */
static const hyd_engine_limits *some_limits(void) {
    hyd_engine_limits limits = HYD_ENGINE_LIMITS_INIT;
    limits.ops_in_flight = input_byte() < 224 ? 0 : 64 + input_number(65536);
    limits.submission_bytes = input_byte() < 224 ? 4096 << input_number(8) : 0;
    limits.submit_batch = input_number(65536);
    limits.submit_send_bytes = input_byte() % 2 == 0 ? HYD_LIMIT_NONE : input_number(65536);
    limits.harvests = input_byte() % 2 == 0 ? HYD_LIMIT_NONE : input_number(4);
    limits.installed_files = input_byte() % 2 == 0 ? HYD_LIMIT_NONE : input_number(65);
    limits.memory_entries = input_byte() % 2 == 0 ? HYD_LIMIT_NONE : input_number(65);
    limits.polls_per_turn = input_number(9);
    limits.timers = input_byte() < 240 ? 0 : (uint32_t)input_wide();
    return some_struct(&limits, sizeof limits);
}

static void create_engine(void) {
    static const uint64_t pools[] = {8 << 20, 8 << 20, 16 << 20, 1 << 20, 1, UINT64_MAX, 4096};
    static const uint64_t parts[] = {64 << 10, 4096, 100000, 1 << 20, 0, UINT64_MAX, 1};
    static const uint32_t cores[] = {1, 1, 1, 2, 0, UINT32_MAX};
    static const uint32_t connections[] = {0, 1, 2, 300, UINT32_MAX};
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;
    if (handles_of(ENGINE) >= ENGINES_MAX) return;
    config.flags = input_byte() % 32 == 31 ? input_number(65536) : input_number(16);
    config.cores = cores[input_number(6)];
    config.pool_bytes = pools[input_number(7)];
    config.part_size_bytes = parts[input_number(7)];
    /* Calls that wait for what this thread holds itself. */
    config.pool_wait_ms = 20;
    config.connections = connections[input_number(5)];
    if (input_byte() % 8 == 7) config.limits = some_limits();
    hyd_engine *engine = NULL;
    hyd_engine_config *given = some_struct(&config, sizeof config);
    /* The defaults are a large pool, and waits of 30 s: what is cut short before its last field has them. */
    if (given == NULL || (given->struct_size < sizeof config && given->struct_size >= 32)) return;
    hyd_engine **place = some_place(&engine);
    if (ended(hyd_engine_create(given, place, error_place()))) gave(ENGINE, engine);
}

static void init_config(void) {
    size_t size = input_byte() < 200 ? sizeof(hyd_engine_config) : (size_t)input_wide();
    void *config = memory(size < 8192 ? size : 8);
    told(hyd_engine_config_init(config, size));
}

static void destroy_engine(void) {
    if (input_byte() % 4 == 0) told(hyd_engine_destroy(some(ENGINE)));
}

static void run_engine(void) {
    int32_t more = 7;
    int32_t *place = input_byte() % 4 == 0 ? NULL : &more;
    hyd_engine *engine = some(ENGINE);
    uint32_t turns = input_byte();
    int32_t timeout_ms = (int32_t)input_number(2);
    if (ended(hyd_engine_run(engine, turns, timeout_ms, place, error_place())) && place != NULL) {
        HOLDS(more == 0 || more == 1);
    }
}

static void ask_engine(void) {
    hyd_engine *engine = some(ENGINE);
    size_t capacity = input_number(65536), need = 0;
    char *text = memory(capacity);
    hyd_stats stats = HYD_STATS_INIT;
    hyd_caps caps = HYD_CAPS_INIT;
    int32_t fd = -1;
    switch (input_byte() % 6) {
    case 5: {
        uint32_t core = input_byte() % 3;
        ended(hyd_core_stats(engine, core, some_struct(&stats, sizeof stats), error_place()));
        break;
    }
    case 0:
        if (ended(hyd_engine_report(engine, text, capacity, &need, error_place())) && capacity > 0) {
            HOLDS(strlen(text) == need && need < capacity);
        }
        break;
    case 1:
        if (ended(hyd_engine_metrics(engine, text, capacity, &need, error_place())) && capacity > 0) {
            HOLDS(strlen(text) == need && need < capacity);
        }
        break;
    case 2: ended(hyd_engine_stats(engine, some_struct(&stats, sizeof stats), error_place())); break;
    case 3: ended(hyd_engine_caps(engine, some_struct(&caps, sizeof caps), error_place())); break;
    default:
        if (ended(hyd_engine_fd(engine, some_place(&fd), error_place()))) HOLDS(fd >= 0);
    }
}

static void ask_nobody(void) {
    hyd_caps caps = HYD_CAPS_INIT;
    switch (input_byte() % 8) {
    case 0: touch(hyd_status_str((hyd_status)input_wide()), 1); break;
    case 1: HOLDS(hyd_version() == HYD_VERSION); break;
    case 2: HOLDS(strncmp(hyd_version_string(), "hydrant ", 8) == 0); break;
    case 3: told(hyd_set_log(noticed, NULL, input_number(3))); break;
    /* It starts an engine. */
    case 4: if (input_byte() % 32 == 0) ended(hyd_probe(some_struct(&caps, sizeof caps), error_place()));
    }
}

static void use_error(void) {
    hyd_error *failure = some(ERROR), *copy = NULL;
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    switch (input_byte() % 3) {
    case 0: told(hyd_error_info(failure, some_struct(&view, sizeof view))); break;
    case 1: if (told(hyd_error_dup(failure, some_place(&copy)))) gave(ERROR, copy); break;
    default: hyd_error_free(failure);
    }
}

static void lend_buf(void) {
    hyd_buf *buf = NULL;
    size_t size = input_number(65536);
    if (input_byte() >= 250) size = (size_t)input_wide() | (size_t)1 << 40;
    else if ((lent_bytes += size + 4096) > LENT_BYTES_MAX) return;
    hyd_engine *engine = some(ENGINE);
    if (ended(hyd_buf_lend(engine, size, some_place(&buf), error_place()))) gave(BUF, buf);
}

static void use_buf(void) {
    void *data = NULL;
    size_t len = 0, capacity = 0;
    hyd_buf *buf = some(BUF);
    switch (input_byte() % 4) {
    case 0:
        if (told(hyd_buf_view(buf, &data, &len, &capacity))) {
            HOLDS(len <= capacity);
            touch(data, len);
            if (len > 0) memset(data, 7, 1 + (len - 1) % 64);
        }
        break;
    case 1: told(hyd_buf_view(buf, some_place(&data), NULL, some_place(&capacity))); break;
    case 2: told(hyd_buf_retain(buf)); break;
    default: told(hyd_buf_release(buf));
    }
}

static void use_mem(void) {
    if (input_byte() % 2 == 0) {
        told(hyd_mem_unregister(some(MEM)));
        return;
    }
    hyd_mem *mem = NULL;
    uint32_t state = 7;
    size_t bytes = input_number(DATA_BYTES_MAX);
    void *data = memory(bytes);
    hyd_engine *engine = some(ENGINE);
    size_t len = some_len(bytes);
    if (ended(hyd_mem_register(engine, data, len, some_place(&mem), &state, error_place()))) {
        HOLDS(state == HYD_MEM_REGISTERED || state == HYD_MEM_UNREGISTERED);
        gave(MEM, mem);
    }
}

static hyd_status provide(void *user, hyd_credentials *credentials) {
    (void)user;
    credentials->access_key_id = "AKID";
    return HYD_E_OTHER;
}

static void use_options(void) {
    static const char *const keys[] = {"region", "address_style", "access_key_id", "session_token",
                                       "anonymous", "tries", "stall_seconds", "part_size",
                                       "connections", "connections_per_core", "secret_access_key"};
    hyd_options *options;
    switch (input_byte() % 4) {
    case 0:
        options = hyd_options_new();
        if (options != NULL) gave(OPTIONS, options);
        break;
    case 1: told(hyd_options_free(some(OPTIONS))); break;
    case 2:
        options = some(OPTIONS);
        ended(hyd_options_set_credentials(options, input_byte() % 4 == 0 ? NULL : provide, NULL, NULL,
                                          error_place()));
        break;
    default: {
        static const char *const values[] = {"1", "65536", "true", "path", "0", "1048576"};
        options = some(OPTIONS);
        const char *key = input_byte() % 16 == 15 ? some_c_text() : keys[input_number(11)];
        const char *value = input_byte() % 8 == 7 ? some_c_text() : values[input_number(6)];
        ended(hyd_options_set(options, key, value, error_place()));
    }
    }
}

/* Never a server but our own ([open_faulty_store]), nor files of this machine. */
static void open_store(void) {
    static const char *const uris[] = {"mem://a", "mem://b", "mem://a", "mem://", "mem://a/key", "no",
                                       "gopher://a", "", "s3://", "mem://\xff"};
    hyd_store *store = NULL;
    uint8_t how = input_byte();
    const char *uri = how < 250 ? uris[how % 10] : NULL;
    hyd_engine *engine = some(ENGINE);
    hyd_options *options = input_byte() % 4 == 0 ? some(OPTIONS) : NULL;
    hyd_store **place = some_place(&store);
    if (ended(hyd_store_open(engine, uri, options, place, error_place()))) gave(STORE, store);
}

static void close_store(void) {
    if (input_byte() % 4 == 0) told(hyd_store_close(some(STORE)));
}

static void (*const CALLS[])(void) = {
    create_engine, init_config, destroy_engine, run_engine, ask_engine, ask_nobody, use_error,
    lend_buf, use_buf, use_mem, use_options, open_store, close_store, put_object, get_object, get_range, get_ranges,
    stat_or_delete, copy_object, through_file, presign, open_list, use_list, open_writer, use_writer,
    use_writer, call_queue, call_queue, call_queue, compare_objects, delete_prefix, use_attributes, uploads,
    get_object_ranges, ask_service, open_faulty_store, presign_request, use_presigned,
    by_hand, ask_besides,
};

void call_anything(void) {
    CALLS[input_number(sizeof CALLS / sizeof *CALLS)]();
}

/* Plays a sequence; the one entry of the target. */
void abi_play(const uint8_t *data, size_t len) {
    /* Those of a server take their time. */
    enum { CALLS_MAX = 300, CALLS_OF_A_SERVER_MAX = 100 };
    input_set(data, len);
    world_begin();
    lent_bytes = 0;
    told(hyd_set_log(noticed, NULL, HYD_LOG_WARNING));
    create_engine();
    open_store();
    for (int i = 0, most = CALLS_MAX; i < most && !input_is_over(); i++) {
        call_anything();
        if (faulty_is_asked() && most == CALLS_MAX) most = i + CALLS_OF_A_SERVER_MAX;
    }
    world_end();
}

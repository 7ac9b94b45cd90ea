/*
 * Every function of the header but those of queues and of S3 alone, each with arguments of the input's
 * choice. What the header demands of its caller is kept: memory is there, and as large as is said.
 */
#include "world.h"

#include <string.h>

enum { DATA_BYTES_MAX = 16 << 10, ENGINES_MAX = 3, WRITERS_MAX = 6, LENT_BYTES_MAX = 2 << 20 };

static size_t lent_bytes;

static void noticed(void *user, uint32_t level, const char *text, size_t len) {
    (void)user;
    HOLDS(level == HYD_LOG_WARNING);
    touch(text, len);
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

static hyd_object_meta *some_meta(void) {
    const hyd_object_meta meta = HYD_OBJECT_META_INIT;
    return input_byte() % 2 == 0 ? NULL : some_struct(&meta, sizeof meta);
}

/* A tag that an object may have, or noise, or none. */
static const char *some_tag(void) {
    uint8_t how = input_byte() % 8;
    const hyd_object_meta init = HYD_OBJECT_META_INIT;
    hyd_object_meta *meta = memory(sizeof *meta);
    *meta = init;
    if (how < 4) return NULL;
    if (how == 4) return some_c_text();
    return hyd_stat(some(STORE), "a", 1, NULL, meta, NULL, NULL) == HYD_OK ? meta->etag : "\"none\"";
}

static const hyd_s3_put_options *some_s3_put_options(void) {
    hyd_s3_put_options options = HYD_S3_PUT_OPTIONS_INIT;
    if (input_byte() % 16 != 15) return NULL;
    options.flags = input_number(9);
    options.encryption = input_number(5);
    options.acl = some_c_text();
    options.kms_key_id = some_c_text();
    options.customer_key = input_byte() % 2 == 0 ? memory(32) : NULL;
    hyd_pair *pairs = memory(sizeof *pairs);
    pairs->name = some_c_text(), pairs->value = some_c_text();
    options.tags = pairs;
    options.tags_count = input_number(2);
    return some_struct(&options, sizeof options);
}

/* How an object is written: as a rule as it is by default. */
const hyd_put_options *some_put_options(void) {
    hyd_put_options options = HYD_PUT_OPTIONS_INIT;
    if (input_byte() % 4 != 0) return NULL;
    options.flags = input_byte() % 4 == 0 ? input_number(3) : 0;
    options.content_type = some_c_text();
    options.if_match = some_tag();
    hyd_pair *pairs = memory(2 * sizeof *pairs);
    for (int i = 0; i < 2; i++) pairs[i].name = some_c_text(), pairs[i].value = some_c_text();
    options.metadata = pairs;
    options.metadata_count = input_number(3);
    options.size_bytes = input_byte() % 16 == 15 ? input_wide() : 0;
    options.part_size_bytes = input_byte() % 16 == 15 ? input_wide() : 0;
    options.parts_in_flight = input_byte() % 16 == 15 ? input_number(4) : 0;
    options.s3 = some_s3_put_options();
    return some_struct(&options, sizeof options);
}

/* How one is read. */
const hyd_get_options *some_get_options(void) {
    hyd_get_options options = HYD_GET_OPTIONS_INIT;
    if (input_byte() % 4 != 0) return NULL;
    options.flags = input_byte() % 16 == 15;
    options.if_match = some_tag();
    options.if_none_match = some_tag();
    options.version_id = input_byte() % 16 == 15 ? some_c_text() : NULL;
    options.s3 = some_s3_get_options();
    return some_struct(&options, sizeof options);
}

/* Its first byte is 1 as long as it may be told of. */
static uint8_t *listener;

static void progressed(void *user, uint64_t done, uint64_t total) {
    HOLDS(*(volatile uint8_t *)user == 1 && done <= total);
}

static void deleted(void *user, const hyd_deleted *outcomes, size_t count) {
    HOLDS(*(volatile uint8_t *)user == 1 && count > 0);
    for (size_t i = 0; i < count; i++) {
        touch(outcomes[i].key, outcomes[i].key_len);
        touch(outcomes[i].message, outcomes[i].message_len);
        HOLDS((outcomes[i].message_len == 0) == (outcomes[i].status == HYD_OK));
    }
}

static void *listen(void) {
    listener = memory(1);
    *listener = 1;
    return listener;
}

/* The call is over, and nothing is told any more. */
static bool heard(hyd_status status) {
    if (listener != NULL) *listener = 0;
    listener = NULL;
    return ended(status);
}

static const hyd_copy_options *some_copy_options(void) {
    hyd_copy_options options = HYD_COPY_OPTIONS_INIT;
    if (input_byte() % 4 == 0) return NULL;
    options.flags = input_byte() < 240 ? input_number(8) : input_byte();
    options.part_size_bytes = input_byte() < 224 ? input_number(3) * 4096 : input_wide();
    options.connections = input_byte() < 224 ? input_number(4) : (uint32_t)input_wide();
    if (input_byte() % 2 == 0) options.progress = progressed, options.user = listen();
    options.get = some_get_options();
    options.if_match = some_tag();
    return some_struct(&options, sizeof options);
}

const hyd_copy_options *some_copy_options_of_request(void) {
    const hyd_copy_options *options = some_copy_options();
    listener = NULL;
    return options;
}

hyd_copy_report *some_copy_report(void) {
    const hyd_copy_report report = HYD_COPY_REPORT_INIT;
    return input_byte() % 2 == 0 ? NULL : some_struct(&report, sizeof report);
}

static void put(void) {
    size_t key_len, bytes = input_number(DATA_BYTES_MAX);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    const hyd_put_options *options = some_put_options();
    void *data = memory(bytes);
    size_t len = some_len(bytes);
    hyd_object_meta *meta = some_meta();
    ended(hyd_put(store, key, key_len, data, len, options, meta, error_place()));
}

static void get(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_buf *buf = NULL;
    hyd_object_meta *meta = some_meta();
    const hyd_get_options *options = some_get_options();
    hyd_buf **place = some_place(&buf);
    if (ended(hyd_get(store, key, key_len, options, place, meta, error_place()))) gave(BUF, buf);
}

static uint64_t some_offset(void) {
    return input_byte() >= 240 ? input_wide() : input_number(65536);
}

static void get_range(void) {
    size_t key_len, bytes = input_number(DATA_BYTES_MAX), got = 0;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint64_t offset = some_offset();
    void *data = memory(bytes);
    size_t len = some_len(bytes);
    const hyd_get_options *options = some_get_options();
    size_t *place = some_place(&got);
    if (ended(hyd_get_range(store, key, key_len, options, offset, data, len, place, error_place()))) {
        HOLDS(got <= len);
    }
}

static void get_ranges(void) {
    size_t key_len, count = input_number(9);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_range *ranges = memory(count * sizeof *ranges);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = input_number(4096);
        ranges[i].offset = some_offset();
        /* Now and then the memory of another one. */
        bool same = i > 0 && input_byte() % 16 == 15;
        ranges[i].data = same ? ranges[i - 1].data : memory(bytes);
        ranges[i].len = same ? ranges[i - 1].len : some_len(bytes);
    }
    const hyd_get_options *options = some_get_options();
    ended(hyd_get_ranges(store, key, key_len, options, ranges, count, error_place()));
}

static void get_object_ranges(void) {
    size_t count = input_number(9);
    hyd_store *store = some(STORE);
    hyd_ranges_options options = HYD_RANGES_OPTIONS_INIT;
    hyd_object_range *ranges = memory(count * sizeof *ranges);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = input_number(4096);
        ranges[i].key = some_text(&ranges[i].key_len);
        ranges[i].range.offset = some_offset();
        ranges[i].range.data = memory(bytes);
        ranges[i].range.len = some_len(bytes);
    }
    options.flags = input_byte() % 16 == 15 ? input_number(3) : 0;
    options.gap_bytes_max = input_byte() % 4 == 3 ? input_wide() : 0;
    options.connections = input_number(3);
    options.get = some_get_options();
    const hyd_ranges_options *how = some_struct(&options, sizeof options);
    ended(hyd_get_object_ranges(store, ranges, count, how, error_place()));
}

static void stat_or_delete(void) {
    size_t count = input_number(9);
    hyd_store *store = some(STORE);
    hyd_text *keys = memory(count * sizeof *keys);
    for (size_t i = 0; i < count; i++) keys[i].text = some_text(&keys[i].len);
    hyd_status *results = input_byte() % 4 == 0 ? NULL : memory(count * sizeof *results);
    if (count == 1) {
        const hyd_get_options *options = some_get_options();
        hyd_attributes *said = NULL;
        hyd_attributes **place = input_byte() % 2 == 0 ? NULL : some_place(&said);
        hyd_object_meta *meta = some_meta();
        ended(hyd_stat(store, keys->text, keys->len, options, meta, place, error_place()));
        if (said != NULL) gave(ATTRIBUTES, said);
    } else {
        ended(hyd_delete(store, keys, count, results, error_place()));
    }
}

static void copy(void) {
    size_t from_len, to_len;
    hyd_store *from_store = some(STORE), *to_store = some(STORE);
    const char *from = some_text(&from_len), *to = some_text(&to_len);
    hyd_object_meta *meta = some_meta();
    hyd_copy_report *report = some_copy_report();
    const hyd_copy_options *options = some_copy_options();
    heard(hyd_copy(from_store, from, from_len, to_store, to, to_len, options, meta, report,
                   error_place()));
}

static void verify(void) {
    size_t one_len, other_len;
    hyd_store *one_store = some(STORE), *other_store = some(STORE);
    const char *one = some_text(&one_len), *other = some_text(&other_len);
    hyd_verify_options options = HYD_VERIFY_OPTIONS_INIT;
    const hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
    options.connections = input_number(3);
    options.part_size_bytes = input_byte() < 224 ? input_number(3) * 4096 : input_wide();
    if (input_byte() % 2 == 0) options.progress = progressed, options.user = listen();
    hyd_verify_options *given = some_struct(&options, sizeof options);
    hyd_verify_report *place = some_struct(&report, sizeof report);
    heard(hyd_verify(one_store, one, one_len, other_store, other, other_len, given, place,
                     error_place()));
}

static void delete_prefix(void) {
    size_t len;
    hyd_store *store = some(STORE);
    const char *prefix = some_text(&len);
    const hyd_delete_report report = HYD_DELETE_REPORT_INIT;
    hyd_delete_report *place = some_struct(&report, sizeof report);
    bool listens = input_byte() % 2 == 0;
    void *user = listens ? listen() : NULL;
    heard(hyd_delete_prefix(store, prefix, len, listens ? deleted : NULL, user, place,
                            error_place()));
}

static void use_attributes(void) {
    const hyd_put_options view = HYD_PUT_OPTIONS_INIT;
    hyd_attributes *attributes = some(ATTRIBUTES);
    hyd_put_options *place = some_struct(&view, sizeof view);
    if (input_byte() % 4 == 0) {
        told(hyd_attributes_free(attributes));
    } else if (told(hyd_attributes_view(attributes, place)) && place->struct_size >= sizeof view) {
        for (size_t i = 0; i < place->metadata_count; i++) {
            touch(place->metadata[i].name, strlen(place->metadata[i].name) + 1);
            touch(place->metadata[i].value, strlen(place->metadata[i].value) + 1);
        }
        if (place->content_type != NULL) touch(place->content_type, strlen(place->content_type) + 1);
    }
}

/* Files have fixed names in the folder of the run. */
static void through_file(void) {
    static const char *const paths[] = {"file-a", "file-b", "no/such/folder", "", "nul\0nul", "\xff"};
    static const size_t lens[] = {6, 6, 14, 0, 7, 1};
    size_t key_len, which = input_number(6);
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    hyd_object_meta *meta = some_meta();
    hyd_copy_report *report = some_copy_report();
    const hyd_copy_options *options = some_copy_options();
    if (input_byte() % 2 == 0) {
        heard(hyd_get_to_file(store, key, key_len, paths[which], lens[which], options, meta, report,
                              error_place()));
    } else {
        heard(hyd_put_from_file(store, key, key_len, paths[which], lens[which], options, meta, report,
                                error_place()));
    }
}

static const hyd_presign_options *some_presign_options(void) {
    hyd_presign_options options = HYD_PRESIGN_OPTIONS_INIT;
    uint8_t what = input_byte();
    if (what % 2 != 0) options.get = some_get_options();
    if (what % 4 == 2) options.put = some_put_options();
    if (what % 8 == 4) options.upload_id = some_c_text(), options.part_number = input_number(4);
    if (what % 16 == 8) options.offset = input_wide(), options.len = input_wide();
    if (what >= 240) options.from_unix_s = (int64_t)input_wide();
    if (what >= 224) options.checksum_algorithm = input_number(7), options.checksum = some_c_text();
    if (what >= 192) options.response_content_type = some_c_text();
    return some_struct(&options, sizeof options);
}

static void presign_request(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint32_t method = input_number(7);
    uint64_t life_s = input_byte() < 224 ? 60 : input_wide();
    const hyd_presign_options *options = some_presign_options();
    hyd_presigned *presigned = NULL;
    hyd_presigned **place = some_place(&presigned);
    hyd_status status =
        hyd_presign_request(store, method, key, key_len, life_s, options, place, error_place());
    if (ended(status)) gave(PRESIGNED, presigned);
}

static void use_presigned(void) {
    const hyd_presigned_view whole = HYD_PRESIGNED_VIEW_INIT;
    hyd_presigned *presigned = some(PRESIGNED);
    if (input_byte() % 4 == 0) {
        told(hyd_presigned_free(presigned));
        return;
    }
    hyd_presigned_view *view = some_struct(&whole, sizeof whole);
    if (!told(hyd_presigned_info(presigned, view)) || view->struct_size < sizeof whole) return;
    HOLDS(strlen(view->url) == view->url_len);
    touch(view->method, strlen(view->method) + 1);
    for (size_t i = 0; i < view->headers_count; i++) {
        touch(view->headers[i].name, strlen(view->headers[i].name) + 1);
        touch(view->headers[i].value, strlen(view->headers[i].value) + 1);
    }
}

static void presign(void) {
    size_t key_len, capacity = input_number(512), need = 0;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    uint32_t method = input_number(6);
    uint64_t life_s = input_wide();
    char *url = memory(capacity);
    ended(hyd_presign(store, method, key, key_len, life_s, url, capacity, &need, error_place()));
}

static void open_list(void) {
    size_t prefix_len;
    hyd_store *store = some(STORE);
    const char *prefix = some_text(&prefix_len);
    uint32_t delimiter = input_byte() < 128 ? '/' : (uint32_t)input_wide();
    uint32_t page = input_byte() < 200 ? input_number(4) : (uint32_t)input_wide();
    hyd_list *list = NULL;
    hyd_list **place = some_place(&list);
    hyd_status status =
        hyd_list_open(store, prefix, prefix_len, NULL, 0, delimiter, page, place, error_place());
    if (ended(status)) gave(LIST, list);
}

static void use_list(void) {
    hyd_list *list = some(LIST);
    size_t max = input_number(5), count = 0, len = 0;
    hyd_list_entry *entries = memory(max * sizeof *entries);
    const char *token = NULL;
    switch (input_byte() % 4) {
    case 0: told(hyd_list_close(list)); break;
    case 1:
        if (ended(hyd_list_token(list, &token, some_place(&len), error_place()))) touch(token, len);
        break;
    default:
        if (!ended(hyd_list_next(list, entries, max, &count, error_place()))) return;
        HOLDS(count <= max);
        for (size_t i = 0; i < count; i++) {
            touch(entries[i].key, entries[i].key_len);
            touch(entries[i].etag, entries[i].etag_len);
        }
    }
}

static void open_writer(void) {
    size_t key_len;
    hyd_store *store = some(STORE);
    const char *key = some_text(&key_len);
    const hyd_put_options *options = some_put_options();
    hyd_writer *writer = NULL;
    if (handles_of(WRITER) >= WRITERS_MAX) return;
    hyd_writer **place = some_place(&writer);
    hyd_status status = hyd_writer_open(store, key, key_len, options, place, error_place());
    if (ended(status)) gave(WRITER, writer);
}

static void use_writer(void) {
    hyd_writer *writer = some(WRITER);
    size_t bytes = input_number(DATA_BYTES_MAX), capacity = 0;
    void *room = NULL;
    switch (input_byte() % 8) {
    case 0: told(hyd_writer_abort(writer)); break;
    case 1: ended(hyd_writer_finish(writer, some_meta(), error_place())); break;
    case 2: case 3: {
        void *data = memory(bytes);
        size_t len = some_len(bytes);
        ended(hyd_writer_write(writer, data, len, input_number(3), error_place()));
        break;
    }
    case 4: case 5:
        if (ended(hyd_writer_reserve(writer, &room, some_place(&capacity), error_place()))) {
            memset(room, 5, bytes < capacity ? bytes : capacity);
        }
        break;
    case 6: ended(hyd_writer_commit(writer, some_len(bytes), error_place())); break;
    default: {
        hyd_buf *buf = some(BUF);
        ended(hyd_writer_give(writer, buf, some_len(bytes), error_place()));
    }
    }
}

static void (*const CALLS[])(void) = {
    create_engine, init_config, destroy_engine, run_engine, ask_engine, ask_nobody, use_error,
    lend_buf, use_buf, use_mem, use_options, open_store, close_store, put, get, get_range, get_ranges,
    stat_or_delete, copy, through_file, presign, open_list, use_list, open_writer, use_writer,
    use_writer, call_queue, call_queue, call_queue, verify, delete_prefix, use_attributes, uploads,
    get_object_ranges, ask_service, open_faulty_store, presign_request, use_presigned,
    by_hand,
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

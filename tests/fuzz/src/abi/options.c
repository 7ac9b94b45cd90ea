/*
 * How calls are asked to do their work, and who listens to them.
 */
#include "world.h"

hyd_object_meta *some_meta(void) {
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
    options.if_modified_since_unix_s = input_byte() % 16 == 15 ? (int64_t)input_wide() : 0;
    options.s3 = some_s3_get_options();
    return some_struct(&options, sizeof options);
}

/* Its first byte is 1 as long as it may be told of. */
static uint8_t *listener;

void progressed(void *user, uint64_t done, uint64_t total) {
    HOLDS(*(volatile uint8_t *)user == 1 && done <= total);
}

void deleted(void *user, const hyd_deleted *outcomes, size_t count) {
    HOLDS(*(volatile uint8_t *)user == 1 && count > 0);
    for (size_t i = 0; i < count; i++) {
        touch(outcomes[i].key, outcomes[i].key_len);
        touch(outcomes[i].message, outcomes[i].message_len);
        HOLDS((outcomes[i].message_len == 0) == (outcomes[i].status == HYD_OK));
    }
}

void *someone_listens(void) {
    listener = memory(1);
    *listener = 1;
    return listener;
}

void forget_listener(void) {
    listener = NULL;
}

bool heard(hyd_status status) {
    if (listener != NULL) *listener = 0;
    listener = NULL;
    return ended(status);
}

const hyd_copy_options *some_copy_options(void) {
    hyd_copy_options options = HYD_COPY_OPTIONS_INIT;
    if (input_byte() % 4 == 0) return NULL;
    options.flags = input_byte() < 240 ? input_number(8) : input_byte();
    options.part_size_bytes = input_byte() < 224 ? input_number(3) * 4096 : input_wide();
    options.connections = input_byte() < 224 ? input_number(4) : (uint32_t)input_wide();
    if (input_byte() % 2 == 0) options.progress = progressed, options.user = someone_listens();
    options.get = some_get_options();
    options.if_match = some_tag();
    return some_struct(&options, sizeof options);
}

hyd_copy_report *some_copy_report(void) {
    const hyd_copy_report report = HYD_COPY_REPORT_INIT;
    return input_byte() % 2 == 0 ? NULL : some_struct(&report, sizeof report);
}

const hyd_verify_options *some_verify_options(void) {
    hyd_verify_options options = HYD_VERIFY_OPTIONS_INIT;
    options.connections = input_number(3);
    options.part_size_bytes = input_byte() < 224 ? input_number(3) * 4096 : input_wide();
    if (input_byte() % 2 == 0) options.progress = progressed, options.user = someone_listens();
    return some_struct(&options, sizeof options);
}

const hyd_ranges_options *some_ranges_options(void) {
    hyd_ranges_options options = HYD_RANGES_OPTIONS_INIT;
    options.flags = input_byte() % 16 == 15 ? input_number(3) : 0;
    uint8_t how = input_byte();
    options.gap_bytes_max = how % 4 == 3 ? input_wide() : 0;
    options.joined_bytes_max = how % 8 == 6 ? how : how % 8 == 5 ? UINT64_MAX : 0;
    options.connections = input_number(3);
    options.get = some_get_options();
    return some_struct(&options, sizeof options);
}

uint64_t some_offset(void) {
    return input_byte() >= 240 ? input_wide() : input_number(65536);
}

hyd_object_range *some_ranges(size_t count) {
    hyd_object_range *ranges = memory(count * sizeof *ranges);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = input_number(4096);
        ranges[i].key = some_text(&ranges[i].key_len);
        ranges[i].range.offset = some_offset();
        ranges[i].range.data = memory(bytes);
        ranges[i].range.len = some_len(bytes);
    }
    return ranges;
}

hyd_text *some_keys(size_t count) {
    hyd_text *keys = memory(count * sizeof *keys);
    for (size_t i = 0; i < count; i++) keys[i].text = some_text(&keys[i].len);
    return keys;
}

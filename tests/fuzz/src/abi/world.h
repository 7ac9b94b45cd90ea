/*
 * What a sequence of calls of the C library is played with: the input, read as numbers; every handle
 * that was given out, also when it has ended; memory that lives until the sequence is over.
 */
#ifndef HYDRANT_FUZZ_WORLD_H
#define HYDRANT_FUZZ_WORLD_H

#include <hydrant.h>
#include <stdbool.h>

enum kind {
    ERROR, ENGINE, BUF, MEM, OPTIONS, STORE, QUEUE, LIST, WRITER, ATTRIBUTES, UPLOADS, BUCKETS, VERSIONS,
    PARTS, TAGS, PRESIGNED, MULTIPART, UPLOADED, S3_OBJECT, KINDS
};

/* Says what does not hold, and ends the process: libFuzzer keeps the input. */
#define HOLDS(condition) \
    ((condition) ? (void)0 : world_broken(__FILE__, __LINE__, #condition))
_Noreturn void world_broken(const char *file, int line, const char *what);

/* The input; zeros behind its end. */
void input_set(const uint8_t *data, size_t len);
bool input_is_over(void);
uint8_t input_byte(void);
uint32_t input_number(uint32_t below);
uint64_t input_wide(void);

/* Zeroed memory, freed when the sequence is over; NULL for 0 bytes. */
void *memory(size_t bytes);
/* A length that fits `bytes`, or now and then one that no memory has. */
size_t some_len(size_t bytes);
/* A text of `*len` bytes without a NUL behind it: a key as a rule, also none, and noise. */
const char *some_text(size_t *len);
/* The same with a NUL; NULL now and then. */
const char *some_c_text(void);
/* A place for an output: `place`, or now and then none, or one that is not aligned. */
void *some_place(void *place);
/* A copy of a struct that begins with its size, which may be set to any other; NULL now and then. */
void *some_struct(const void *whole, size_t bytes);

/* A handle of this kind as a rule, whether it lives or not; else NULL, of another kind, or noise. */
void *some(enum kind kind);
/* Remembers a handle that was given out. */
void gave(enum kind kind, void *handle);
size_t handles_of(enum kind kind);
void *handle_of(enum kind kind, size_t index);

/* A place for an error, or NULL. */
hyd_error **error_place(void);
/* Holds a status against what the header says of all functions, and of the place for the error. */
bool ended(hyd_status status);
/* The same of a function without an error. */
bool told(hyd_status status);
/* Reads memory that the library named; the sanitizer sees whether it is there. */
void touch(const void *data, size_t len);

/* Nothing is there; and: everything is given back. */
void world_begin(void);
void world_end(void);

/* Where a server of S3 listens that is as often wrong as right; the same for a whole sequence. */
const char *faulty_endpoint(void);
/* Whether that was called in this sequence. */
bool faulty_is_asked(void);

enum { DATA_BYTES_MAX = 16 << 10 };

/* options.c: how a call is to do its work. */
hyd_object_meta *some_meta(void);
const hyd_put_options *some_put_options(void);
const hyd_get_options *some_get_options(void);
const hyd_copy_options *some_copy_options(void);
hyd_copy_report *some_copy_report(void);
const hyd_verify_options *some_verify_options(void);
const hyd_ranges_options *some_ranges_options(void);
uint64_t some_offset(void);
hyd_object_range *some_ranges(size_t count);
hyd_text *some_keys(size_t count);
/* Who listens, and may be told of until the call is over, or where it is forgotten, for good. */
void *someone_listens(void);
void forget_listener(void);
/* The call is over, and nothing is told any more. */
bool heard(hyd_status status);
void progressed(void *user, uint64_t done, uint64_t total);
void deleted(void *user, const hyd_deleted *outcomes, size_t count);

/* The calls, by the files that they are in: objects.c, */
void put_object(void);
void get_object(void);
void get_range(void);
void get_ranges(void);
void get_object_ranges(void);
void stat_or_delete(void);
void copy_object(void);
void compare_objects(void);
void delete_prefix(void);
void use_attributes(void);
void through_file(void);
/* streams.c, */
void open_list(void);
void use_list(void);
void open_writer(void);
void use_writer(void);
/* presign.c, */
void presign(void);
void presign_request(void);
void use_presigned(void);
/* besides.c, service.c, queue.c, calls.c. */
void ask_besides(void);
const hyd_s3_get_options *some_s3_get_options(void);
const hyd_s3_list_options *some_list_options(void);
void open_faulty_store(void);
void ask_service(void);
void by_hand(void);
void uploads(void);
void call_anything(void);
void call_queue(void);
/* Reaps all that is there from a queue; `max` of them at a time. */
void reap(hyd_cq *queue, size_t max, size_t min, int32_t timeout_ms);
void queue_begin(void);
/* What was accepted has completed (FFI-2). */
void queue_end(void);

#endif

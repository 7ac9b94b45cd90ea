/*
 * Hydrant: moves bytes between object storage, local disks and memory.
 *
 * The comment at a function is its contract: who owns what, which threads may call it, which errors
 * it gives. Link with libhydrant.so, or with libhydrant.a and
 * -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc.
 *
 *     hyd_engine *engine = NULL;
 *     hyd_store *store = NULL;
 *     hyd_error *error = NULL;
 *     size_t got = 0;
 *     if (hyd_engine_create(NULL, &engine, &error) == HYD_OK &&
 *         hyd_store_open(engine, "s3://bucket", &store, &error) == HYD_OK &&
 *         hyd_get_range(store, "key", 3, 0, memory, sizeof memory, &got, &error) == HYD_OK) {
 *         use(memory, got);
 *     }
 *     hyd_error_free(error);
 *     hyd_store_close(store);
 *     hyd_engine_destroy(engine);
 *
 * What holds for every function:
 *
 * - Functions return HYD_OK (0) or a negative status. Outputs are written on success only. `error`
 *   may be NULL; otherwise *error is written on failure only, with an object that the caller frees.
 * - Text comes in as pointer and length, in UTF-8, without a NUL at its end; a length of 0 allows a
 *   NULL pointer. URIs alone end with a NUL.
 * - Structs begin with `struct_size`, set by the caller to the size it was compiled with: HYD_*_INIT
 *   does that and sets the rest to 0, which means the default. Fields are only ever appended. What a
 *   library does not know, a tail or a flag, must be 0: else HYD_E_INVALID.
 * - A handle that is NULL gives HYD_E_INVALID, except to what destroys, closes or frees: there it
 *   does nothing. A handle that was destroyed, or is something else, gives HYD_E_HANDLE. That is
 *   certain for the 1024 handles of each type that were destroyed last, and undefined behaviour
 *   further back.
 * - After fork(2) a handle belongs to the parent. In the child it gives HYD_E_FORKED, also to what
 *   destroys it, and nothing is touched. The child may create an engine of its own.
 * - A panic inside the library ends in HYD_E_PANIC and crosses no boundary. It leaves the engine
 *   unusable: every later call with the engine or its stores gives HYD_E_PANIC, except to destroy
 *   and to close.
 * - No function may be called from a signal handler.
 *
 * Version 0 is a preview: until 1.0 the interface may change between minor versions. The values of
 * statuses are frozen as they are, but for those from -1000 downwards, which are not stable.
 */
#ifndef HYDRANT_H
#define HYDRANT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ------------------------------------------------------------------------------- */

/* The version of this header: major << 24 | minor << 16 | patch. */
#define HYD_VERSION ((uint32_t)0x00010000u)

/* The version of the library at run time, packed as HYD_VERSION.
 * Threads: any. */
uint32_t hyd_version(void);

/* The name and version of the library as static text, "hydrant 0.1.0".
 * Threads: any. */
const char *hyd_version_string(void);

/* ---- Status and errors --------------------------------------------------------------------- */

typedef int32_t hyd_status;

enum {
    HYD_OK = 0,
    HYD_E_INVALID = -1,     /* an argument, a URI or a struct makes no sense; the call did nothing */
    HYD_E_HANDLE = -2,      /* the handle was destroyed, or is a handle of something else */
    HYD_E_FORKED = -3,      /* the handle belongs to the parent process */
    HYD_E_PANIC = -4,       /* a mistake in the library; the engine can only be destroyed */
    HYD_E_CONFIG = -5,      /* settings, credentials, permissions or limits do not allow it */
    HYD_E_NOT_FOUND = -6,   /* there is no such object or bucket */
    HYD_E_TEMPORARY = -7,   /* server or network failed, and all tries are used up: later may work */
    HYD_E_INTEGRITY = -8,   /* lengths or checksums differ, or the object changed while it was read */
    HYD_E_DISK = -9,        /* the local disk is full, broken or read-only */
    HYD_E_CANCELLED = -10,  /* the engine was destroyed before the call ended */
    HYD_E_UNSUPPORTED = -11, /* this store cannot do that */
    HYD_E_OTHER = -12       /* anything else; the message says what */
};

/* Static English text for a status: a short name that stays, a colon, an explanation. A value that
 * this library does not know has text too.
 * Threads: any. */
const char *hyd_status_str(hyd_status status);

/* What went wrong in one call. It outlives handles, and fork. */
typedef struct hyd_error hyd_error;

/* Bits of hyd_error_view.flags. */
enum {
    HYD_ERROR_RETRIABLE = 1, /* the same call may work later */
    HYD_ERROR_FATAL = 2      /* no call with this handle will work */
};

/* The fields of an error. Texts are UTF-8 with a NUL after their length, and empty, never NULL,
 * where there is nothing to say. They never contain credentials. */
typedef struct hyd_error_view {
    uint32_t struct_size;
    hyd_status status;
    int32_t os_errno;     /* the errno behind it, or 0 */
    int32_t http_status;  /* the HTTP status of the last answer, or 0 */
    uint32_t attempts;    /* tries made, or 0 where nothing was tried */
    uint32_t flags;       /* HYD_ERROR_* */
    const char *message;  /* operation, object, cause and way out, in one line */
    size_t message_len;
    const char *s3_code;  /* NoSuchKey; empty where the answer had none, as those to HEAD */
    size_t s3_code_len;
    const char *request_id; /* what the server calls the request */
    size_t request_id_len;
} hyd_error_view;

#define HYD_ERROR_VIEW_INIT {sizeof(hyd_error_view), 0, 0, 0, 0, 0, NULL, 0, NULL, 0, NULL, 0}

/* Fills `view`, whose texts are valid until the error is freed.
 * Errors: HYD_E_INVALID for NULL, or a bad struct_size.
 * Threads: any; not concurrently with hyd_error_free of the same error. */
hyd_status hyd_error_info(const hyd_error *error, hyd_error_view *view);

/* Frees an error, once; NULL is fine.
 * Threads: any. */
void hyd_error_free(hyd_error *error);

/* ---- Engine -------------------------------------------------------------------------------- */

/* Threads, rings and the one pool that all payload memory of the library comes from. */
typedef struct hyd_engine hyd_engine;

/* Bits of hyd_engine_config.flags. */
enum {
    HYD_ENGINE_PIN_CORES = 1, /* pin each core to a CPU of its own */
    HYD_ENGINE_ANONYMOUS = 2  /* sign no request, even where there are credentials: public buckets */
};

typedef struct hyd_engine_config {
    uint32_t struct_size;
    uint32_t flags;      /* HYD_ENGINE_* */
    uint32_t cores;      /* threads with a ring each; 0: one for each CPU the process may use */
    uint32_t reserved;   /* 0 */
    uint64_t pool_bytes; /* hard limit of payload memory in bytes; 0: 256 MiB */
} hyd_engine_config;

#define HYD_ENGINE_CONFIG_INIT {sizeof(hyd_engine_config), 0, 0, 0, 0}

/* Sets the first `size` bytes of `config` to the defaults, for languages without HYD_*_INIT; `size`
 * is the size of the struct that the caller was compiled with.
 * Errors: HYD_E_INVALID for NULL, or a size that no version of the struct has.
 * Threads: any; not concurrently with other uses of `config`. */
hyd_status hyd_engine_config_init(hyd_engine_config *config, size_t size);

/* Starts an engine, which the caller destroys. `config` may be NULL for the defaults, and is not
 * needed after the call.
 * Errors: HYD_E_INVALID; HYD_E_CONFIG when the kernel refuses rings or memory.
 * Threads: any. */
hyd_status hyd_engine_create(const hyd_engine_config *config, hyd_engine **engine,
                             hyd_error **error);

/* Cancels what runs, gives clean-up its time (some 15 s at most, usually none), ends the threads and
 * frees the engine; NULL is fine. Calls that run in other threads end with HYD_E_CANCELLED, and
 * their memory is no longer touched when they return. Stores stay handles until they are closed; all
 * calls with them give HYD_E_CANCELLED.
 * Errors: HYD_E_HANDLE when it was destroyed before; HYD_E_FORKED.
 * Threads: any; of two at once, one gets HYD_E_HANDLE. */
hyd_status hyd_engine_destroy(hyd_engine *engine);

/* ---- Store --------------------------------------------------------------------------------- */

/* One place for objects. */
typedef struct hyd_store hyd_store;

/* Opens the store of a URI, which the caller closes:
 *
 *     s3://bucket            the server that the environment names
 *     s3://host:port/bucket  the server at host:port, over plain HTTP
 *     mem://name             memory of this engine, gone with it
 *     file:///               files; a key is a path, absolute or from the working directory
 *     direct:///             the same past the page cache (O_DIRECT)
 *
 * S3 reads AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (http:// only in this version), AWS_REGION,
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN from the environment now. Nothing
 * is asked of a server yet, so a bucket that does not exist is told by the first call.
 * Errors: HYD_E_INVALID for a URI that makes no sense or has a key; HYD_E_CONFIG for settings that
 * make none; HYD_E_UNSUPPORTED for an endpoint that asks for TLS.
 * Threads: any, also many at once; not while another thread changes the environment. */
hyd_status hyd_store_open(const hyd_engine *engine, const char *uri, hyd_store **store,
                          hyd_error **error);

/* Closes a store; NULL is fine. Calls that run in other threads end as if it were open.
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 * Threads: any; of two at once, one gets HYD_E_HANDLE. */
hyd_status hyd_store_close(hyd_store *store);

/* ---- Objects ------------------------------------------------------------------------------- */

/* hyd_object_meta.modified_unix_ns where the store does not tell. */
#define HYD_TIME_UNKNOWN INT64_MIN

/* What is known of an object. */
typedef struct hyd_object_meta {
    uint32_t struct_size;
    uint32_t reserved;        /* 0 */
    uint64_t size_bytes;
    int64_t modified_unix_ns; /* nanoseconds since 1970, UTC (S3 tells seconds); HYD_TIME_UNKNOWN */
    char etag[128];           /* the tag of this version, with its quotes on S3; NUL-terminated,
                                 empty where there is none */
} hyd_object_meta;

#define HYD_OBJECT_META_INIT {sizeof(hyd_object_meta), 0, 0, 0, {0}}

/* Fills `dst` with the object's bytes from `offset`, and waits for them. *read_len tells how many
 * came: fewer than `dst_len` only at the object's end, 0 at or beyond it. The bytes are received
 * straight into `dst`, in several requests if it is large; all come from one version of the object.
 * `dst` belongs to the library until the call returns, which it does only when the kernel is done
 * with the memory. After a failure the content of `dst` is unspecified.
 * Errors: HYD_E_NOT_FOUND, HYD_E_TEMPORARY, HYD_E_INTEGRITY, HYD_E_CONFIG, HYD_E_DISK,
 * HYD_E_CANCELLED.
 * Threads: any, also many at once with one store. */
hyd_status hyd_get_range(const hyd_store *store, const char *key, size_t key_len, uint64_t offset,
                         void *dst, size_t dst_len, size_t *read_len, hyd_error **error);

/* Writes an object, and waits until the store has acknowledged it. It becomes visible whole or not
 * at all; an object of that key is replaced. A large one goes in parts. `data` is read during the
 * call only: its bytes are copied once into the pool, a copy that the library counts as borrowed.
 * `meta` may be NULL; else it tells what the store said of the object.
 * Errors: HYD_E_CONFIG, HYD_E_NOT_FOUND (no such bucket), HYD_E_TEMPORARY, HYD_E_DISK,
 * HYD_E_CANCELLED.
 * Threads: any, also many at once with one store; of two that write one key at once, the last wins. */
hyd_status hyd_put(const hyd_store *store, const char *key, size_t key_len, const void *data,
                   size_t data_len, hyd_object_meta *meta, hyd_error **error);

/* Tells what is known of an object.
 * Errors: HYD_E_NOT_FOUND, HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK, HYD_E_CANCELLED.
 * Threads: any, also many at once with one store. */
hyd_status hyd_stat(const hyd_store *store, const char *key, size_t key_len, hyd_object_meta *meta,
                    hyd_error **error);

/* Deletes an object.
 * Errors: HYD_E_NOT_FOUND where the store tells (S3 does not: there it is success),
 * HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK, HYD_E_CANCELLED.
 * Threads: any, also many at once with one store. */
hyd_status hyd_delete(const hyd_store *store, const char *key, size_t key_len, hyd_error **error);

/* ---- Sizes --------------------------------------------------------------------------------- */

/* The ABI of 64-bit Linux; C99 has no static_assert. */
typedef char hyd_assert_pointer_size[sizeof(void *) == 8 && sizeof(size_t) == 8 ? 1 : -1];
typedef char hyd_assert_error_view_size[sizeof(hyd_error_view) == 72 ? 1 : -1];
typedef char hyd_assert_engine_config_size[sizeof(hyd_engine_config) == 24 ? 1 : -1];
typedef char hyd_assert_object_meta_size[sizeof(hyd_object_meta) == 152 ? 1 : -1];

#ifdef __cplusplus
}
#endif

#endif

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
 *         hyd_store_open(engine, "s3://bucket", NULL, &store, &error) == HYD_OK &&
 *         hyd_get_range(store, "key", 3, NULL, 0, memory, sizeof memory, &got, &error) == HYD_OK) {
 *         use(memory, got);
 *     }
 *     hyd_error_free(error);
 *     hyd_store_close(store);
 *     hyd_engine_destroy(engine);
 *
 * There are three ways to call: blocking functions; queues of requests (hyd_submit(), hyd_cq_wait());
 * and both on an engine that the caller's own loop drives (HYD_ENGINE_DRIVEN). docs/guide-c.md says
 * which to choose.
 *
 * What holds for every function:
 *
 * - Functions return HYD_OK (0) or a negative status. Outputs are written on success only. `error`
 *   may be NULL; otherwise *error is written on failure only, with an object that the caller frees.
 * - Text comes in as pointer and length, in UTF-8, without a NUL at its end; a length of 0 allows a
 *   NULL pointer. URIs, and the texts of options, alone end with a NUL.
 * - Configurations, requests and what is filled begin with `struct_size`, set by the caller to the
 *   size it was compiled with: HYD_*_INIT does that and sets the rest to 0, which means the default.
 *   Fields are only ever appended. What a library does not know, a tail or a flag, must be 0: else
 *   HYD_E_INVALID.
 * - Handles are counted by the library and checked at every use: one that is NULL gives
 *   HYD_E_INVALID, except to what destroys, closes, releases or frees, which does nothing then. One
 *   that has ended, is of something else, or is noise, gives HYD_E_HANDLE. Nothing is read through
 *   a handle, so no misuse of one crashes.
 * - After fork(2) a handle belongs to the parent. In the child it gives HYD_E_FORKED, also to what
 *   destroys it, and nothing is touched. The child may create an engine of its own.
 * - A panic inside the library ends in HYD_E_PANIC and crosses no boundary. It leaves the engine
 *   unusable: every later call with the engine or what was made of it gives HYD_E_PANIC, except to
 *   reap, to close and to destroy.
 * - No function may be called from a signal handler, and none from a function that the library was
 *   given to call. Such a function returns: it neither throws nor jumps. On a driven engine it runs on
 *   the thread that drives.
 *
 * Version 0 is a preview: until 1.0 the interface may change between minor versions. This file is
 * made by cbindgen from the sources of the library; changes belong there.
 */

#ifndef HYDRANT_H
#define HYDRANT_H

#include <stddef.h>
#include <stdint.h>
/** The version of this header: major << 24 | minor << 16 | patch. */
#define HYD_VERSION ((uint32_t)0x00010000u)

#define HYD_ERROR_VIEW_INIT \
    {sizeof(hyd_error_view), 0, 0, 0, 0, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0}
#define HYD_ENGINE_CONFIG_INIT \
    {sizeof(hyd_engine_config), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL}
#define HYD_ENGINE_LIMITS_INIT \
    {sizeof(hyd_engine_limits), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define HYD_ENGINE_LEFT_INIT {sizeof(hyd_engine_left), 0, 0}
#define HYD_CAPS_INIT {sizeof(hyd_caps), 0, 0, {0}}
#define HYD_STATS_INIT \
    {sizeof(hyd_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define HYD_OBJECT_META_INIT {sizeof(hyd_object_meta), 0, 0, 0, {0}, 0, {0}, {0}, 0, 0, {0}}
#define HYD_PUT_OPTIONS_INIT \
    {sizeof(hyd_put_options), 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, NULL}
#define HYD_GET_OPTIONS_INIT {sizeof(hyd_get_options), 0, NULL, NULL, NULL, NULL, 0, 0}
#define HYD_S3_PUT_OPTIONS_INIT \
    {sizeof(hyd_s3_put_options), 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, NULL, NULL, NULL, 0}
#define HYD_S3_GET_OPTIONS_INIT {sizeof(hyd_s3_get_options), 0, NULL, NULL}
#define HYD_RANGES_OPTIONS_INIT {sizeof(hyd_ranges_options), 0, 0, 0, 0, NULL, 0}
#define HYD_BUCKET_OPTIONS_INIT \
    {sizeof(hyd_bucket_options), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0}
#define HYD_S3_ABOUT_INIT \
    {sizeof(hyd_s3_about), 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0}
#define HYD_S3_LIST_OPTIONS_INIT {sizeof(hyd_s3_list_options), 0, NULL, NULL, 0, 0, 0}
#define HYD_COMPLETE_OPTIONS_INIT {sizeof(hyd_complete_options), 0, 0, NULL, 0, 0}
#define HYD_SIGNER_INIT {sizeof(hyd_signer), 0, 0, {0}, {0}}
#define HYD_BUCKET_INFO_INIT {sizeof(hyd_bucket_info), 0, {0}, {0}}
#define HYD_REQUEST_INIT \
    {sizeof(hyd_request), 0, 0, NULL, 0, NULL, 0, 0, NULL, 0, NULL, NULL, NULL, NULL, 0, 0, NULL, \
     NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL}
#define HYD_PRESIGNED_VIEW_INIT {sizeof(hyd_presigned_view), 0, NULL, NULL, 0, NULL, 0}
#define HYD_PRESIGN_OPTIONS_INIT \
    {sizeof(hyd_presign_options), 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, \
     NULL, NULL}
#define HYD_DELETE_REPORT_INIT {sizeof(hyd_delete_report), 0, 0, 0}
#define HYD_DELETE_OPTIONS_INIT {sizeof(hyd_delete_options), 0, NULL, NULL}
#define HYD_PART_SOURCE_INIT {sizeof(hyd_part_source), 0, 0, 0, NULL}
#define HYD_S3_OBJECT_VIEW_INIT \
    {sizeof(hyd_s3_object_view), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL}
#define HYD_S3_COPY_OPTIONS_INIT {sizeof(hyd_s3_copy_options), 0, NULL, NULL, 0, 0}
#define HYD_COPY_OPTIONS_INIT {sizeof(hyd_copy_options), 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL}
#define HYD_COPY_REPORT_INIT {sizeof(hyd_copy_report), 0, 0, 0, 0, 0, 0, 0, {0}, {0}}
#define HYD_VERIFY_OPTIONS_INIT {sizeof(hyd_verify_options), 0, 0, NULL, NULL}
#define HYD_VERIFY_REPORT_INIT {sizeof(hyd_verify_report), 0, 0, 0, 0}


/**
 * A bit of hyd_error_view.flags: the same call may work later.
 */
#define HYD_ERROR_RETRIABLE 1

/**
 * A bit of hyd_error_view.flags: no call with this handle will work.
 */
#define HYD_ERROR_FATAL 2

/**
 * A level of hyd_set_log(): nothing.
 */
#define HYD_LOG_NOTHING 0

/**
 * A level of hyd_set_log(): a clean-up that failed, a core that ended.
 */
#define HYD_LOG_WARNING 1

/**
 * A field of hyd_engine_limits that says so: none, where 0 would be the default.
 */
#define HYD_LIMIT_NONE UINT32_MAX

/**
 * A bit of hyd_engine_config.flags: pin each core to a CPU of its own.
 */
#define HYD_ENGINE_PIN_CORES 1

/**
 * A bit of hyd_engine_config.flags: sign no request, even where there are credentials: public
 * buckets.
 */
#define HYD_ENGINE_ANONYMOUS 2

/**
 * A bit of hyd_engine_config.flags: no core threads. The thread that creates the engine drives it by
 * hyd_engine_run(), and is the only one that may destroy it. There is one core then, and a thread
 * drives one engine at most.
 */
#define HYD_ENGINE_DRIVEN 4

/**
 * A bit of hyd_engine_config.flags: epoll and threads, even where io_uring is allowed.
 */
#define HYD_ENGINE_POLL 8

/**
 * A bit of hyd_engine_config.flags: io_uring, or hyd_engine_create() fails and says why.
 */
#define HYD_ENGINE_URING 16

/**
 * A bit of hyd_engine_config.flags: a core sleeps as soon as it has nothing to do.
 */
#define HYD_ENGINE_NO_SPIN 32

/**
 * A bit of hyd_caps.flags: io_uring carries the I/O out; else epoll and threads do.
 */
#define HYD_CAP_IO_URING 1

/**
 * A bit of hyd_caps.flags: the pool is registered with the kernel.
 */
#define HYD_CAP_REGISTERED_BUFFERS 2

/**
 * A bit of hyd_caps.flags: sends without a copy.
 */
#define HYD_CAP_ZERO_COPY_SEND 4

/**
 * A bit of hyd_caps.flags: the pool lies on huge pages, or may.
 */
#define HYD_CAP_HUGE_PAGES 8

/**
 * What hyd_mem_register() tells: the kernel did not pin the memory. Bytes still go straight into it
 * and out of it; file I/O costs the kernel a little more.
 */
#define HYD_MEM_UNREGISTERED 0

/**
 * What hyd_mem_register() tells: the kernel has pinned the memory, and ranges of files are read into
 * it as into buffers of the pool.
 */
#define HYD_MEM_REGISTERED 1

/**
 * A bit of hyd_object_meta.flags: the store keeps a checksum, and `crc64nvme` is it.
 */
#define HYD_META_CRC64NVME 1

/**
 * hyd_object_meta.modified_unix_ns where the store does not tell.
 */
#define HYD_TIME_UNKNOWN INT64_MIN

/**
 * A kind of checksum: CRC-32 as in zip.
 */
#define HYD_CHECKSUM_CRC32 1

/**
 * A kind of checksum: CRC-32C.
 */
#define HYD_CHECKSUM_CRC32C 2

/**
 * A kind of checksum: CRC-64/NVME, S3's own default.
 */
#define HYD_CHECKSUM_CRC64NVME 3

/**
 * A kind of checksum: SHA-1.
 */
#define HYD_CHECKSUM_SHA1 4

/**
 * A kind of checksum: SHA-256.
 */
#define HYD_CHECKSUM_SHA256 5

/**
 * A bit of the flags of hyd_s3_get_options and hyd_s3_put_options: who asks agrees to pay.
 */
#define HYD_S3_REQUESTER_PAYS 1

/**
 * A bit of hyd_s3_put_options.flags: with KMS, a key of the bucket saves requests for keys.
 */
#define HYD_S3_BUCKET_KEY 2

/**
 * A bit of hyd_s3_put_options.flags: with KMS, no key of the bucket, even where that is its default.
 */
#define HYD_S3_NO_BUCKET_KEY 4

/**
 * A bit of hyd_s3_put_options.flags: a legal hold lies on the object.
 */
#define HYD_S3_LEGAL_HOLD 8

/**
 * A bit of hyd_s3_put_options.flags: no legal hold lies on it, even where that is the bucket's default.
 */
#define HYD_S3_NO_LEGAL_HOLD 16

/**
 * hyd_s3_put_options.encryption: with a key of S3's own (SSE-S3).
 */
#define HYD_SSE_S3 1

/**
 * hyd_s3_put_options.encryption: with a key of AWS KMS (SSE-KMS).
 */
#define HYD_SSE_KMS 2

/**
 * hyd_s3_put_options.encryption: the same in two layers (DSSE-KMS).
 */
#define HYD_SSE_KMS_DUAL 3

/**
 * A bit of hyd_put_options.flags: write only where there is no object of this key, which is looked at
 * in one step with the object's becoming visible: of many that write so, one succeeds.
 */
#define HYD_PUT_IF_ABSENT 1

/**
 * A bit of hyd_ranges_options.flags: only ranges without a byte between them come by one request, up to
 * joined_bytes_max.
 */
#define HYD_RANGES_NO_GAPS 1

/**
 * A bit of hyd_copy_options.flags: where the copy fails or is killed, what has come stays, and the
 * same copy carries on from it. It stays as a temporary file with its journal, or on S3 as an upload
 * that hyd_uploads_open() lists, with a journal in $XDG_STATE_HOME/hydrant or
 * ~/.local/state/hydrant. HYD_E_UNSUPPORTED for the rest, for a source whose version has no strong tag,
 * and under a condition on a file that is written. Inside one S3 the server copies whatever has more
 * than one part in parts then, without its tags.
 */
#define HYD_COPY_KEEP 1

/**
 * A bit of hyd_copy_options.flags: the bytes pass through this process even where the server or the
 * kernel could copy them, so that the report has their checksum.
 */
#define HYD_COPY_STREAMED 2

/**
 * A bit of hyd_copy_options.flags: as HYD_PUT_IF_ABSENT.
 */
#define HYD_COPY_IF_ABSENT 4

/**
 * hyd_copy_report.way: this process read and wrote the bytes.
 */
#define HYD_WAY_STREAMED 1

/**
 * hyd_copy_report.way: the server copied inside itself.
 */
#define HYD_WAY_ON_SERVER 2

/**
 * hyd_copy_report.way: the kernel copied inside one file system, which may share blocks.
 */
#define HYD_WAY_IN_KERNEL 3

/**
 * A bit of hyd_copy_report.flags: the bytes passed through this process, and `crc64nvme` is their
 * CRC-64/NVME.
 */
#define HYD_COPIED_CRC64NVME 1

/**
 * A bit of hyd_bucket_options.flags: objects in it can be locked.
 */
#define HYD_BUCKET_OBJECT_LOCK 1

/**
 * A bit of hyd_bucket_info.flags: the name is an alias of an access point.
 */
#define HYD_BUCKET_ALIAS 1

/**
 * The bucket never kept versions.
 */
#define HYD_VERSIONING_NEVER 0

/**
 * It keeps them.
 */
#define HYD_VERSIONING_ENABLED 1

/**
 * It did, and keeps those that it has.
 */
#define HYD_VERSIONING_SUSPENDED 2

/**
 * A bit beside one of those: a version is deleted only with the code of a device.
 */
#define HYD_VERSIONING_MFA_DELETE 4

/**
 * A bit beside one of those, to be set: it is deleted without.
 */
#define HYD_VERSIONING_NO_MFA_DELETE 8

/**
 * A bit of hyd_version_entry.flags: the newest of its key.
 */
#define HYD_VERSION_LATEST 1

/**
 * A bit of hyd_version_entry.flags: says that the object was deleted, and has no bytes.
 */
#define HYD_VERSION_DELETE_MARKER 2

/**
 * A bit of hyd_version_entry.flags: what several keys have in common up to the delimiter of
 * hyd_s3_list_options, and no version: hyd_delete_objects() would take its key for that of an object.
 */
#define HYD_VERSION_PREFIX 4

/**
 * A bit of the flags of hyd_version_delete(): in spite of a lock in governance mode.
 */
#define HYD_DELETE_BYPASS_GOVERNANCE 1

/**
 * A bit of hyd_delete_object.flags: a delete marker was made, or was what was deleted.
 */
#define HYD_DELETED_MARKER 1

/**
 * Parts of an object at most; their numbers go from 1 to this.
 */
#define HYD_PARTS_MAX 10000

/**
 * A bit beside HYD_CHECKSUM_CRC32 or HYD_CHECKSUM_CRC32C at hyd_multipart_create(): the server is to keep a
 * checksum of all bytes of the object.
 */
#define HYD_CHECKSUM_OF_OBJECT 256

/**
 * The same: it is to keep one of the checksums of its parts.
 */
#define HYD_CHECKSUM_OF_PARTS 512

/**
 * A bit of hyd_s3_object_view.flags: a key of the bucket saves requests to KMS.
 */
#define HYD_S3_OBJECT_BUCKET_KEY 1

/**
 * A bit of hyd_s3_object_view.flags: it is a delete marker.
 */
#define HYD_S3_OBJECT_DELETE_MARKER 2

/**
 * A bit of hyd_s3_object_view.flags: who asked pays.
 */
#define HYD_S3_OBJECT_CHARGED 4

/**
 * hyd_s3_checksum.covers: all bytes of the object.
 */
#define HYD_COVERS_OBJECT 1

/**
 * hyd_s3_checksum.covers: the checksums of its parts.
 */
#define HYD_COVERS_PARTS 2

/**
 * A bit of hyd_s3_copy_options.flags: the copy has what `put` says of its content, and its metadata, not what
 * is said of the source.
 */
#define HYD_S3_COPY_REPLACE_METADATA 1

/**
 * A bit of hyd_s3_copy_options.flags: the copy has the tags in `put`, or none, not those of the source.
 */
#define HYD_S3_COPY_REPLACE_TAGS 2

/**
 * hyd_s3_about.restore: an archived object is being restored.
 */
#define HYD_RESTORE_IN_PROGRESS 1

/**
 * hyd_s3_about.restore: it was restored.
 */
#define HYD_RESTORE_DONE 2

/**
 * A bit of hyd_signer.flags: requests are signed.
 */
#define HYD_SIGNER_SIGNS 1

/**
 * A method of hyd_presign(): read the object.
 */
#define HYD_PRESIGN_GET 1

/**
 * A method of hyd_presign(): ask what is known of the object.
 */
#define HYD_PRESIGN_HEAD 2

/**
 * A method of hyd_presign(): store the object. The body is not covered by the signature.
 */
#define HYD_PRESIGN_PUT 3

/**
 * A method of hyd_presign(): delete the object.
 */
#define HYD_PRESIGN_DELETE 4

/**
 * A method of hyd_presign_request(): store one part of an upload that was begun. As with a PUT, the
 * body is not covered.
 */
#define HYD_PRESIGN_PART 5

/**
 * A bit of hyd_list_entry.flags: what several keys have in common up to the delimiter, and no object.
 */
#define HYD_ENTRY_PREFIX 1

/**
 * A bit of hyd_s3_list_options.flags, for objects: whose each is, which hyd_list_about() tells.
 */
#define HYD_S3_LIST_OWNERS 1

/**
 * A bit of hyd_s3_list_options.flags, for objects: whether an archived one is being restored.
 */
#define HYD_S3_LIST_RESTORES 2

/**
 * A flag of hyd_writer_write(): the bytes are copied into the pool, a copy that the library counts as
 * borrowed; the call waits for room there alone.
 */
#define HYD_WRITE_COPY 0

/**
 * A flag of hyd_writer_write(): whole parts are sent from where the bytes are, and the call waits
 * until they have been.
 */
#define HYD_WRITE_BORROW 1

/**
 * hyd_event.object_bytes where it was not told.
 */
#define HYD_SIZE_UNKNOWN UINT64_MAX

/**
 * Requests of a queue at most.
 */
#define HYD_CQ_DEPTH_MAX 65536

/**
 * What is said of an object's content: its type, how it is to be cached, the user's own names and
 * values.
 */
typedef struct hyd_attributes hyd_attributes;

/**
 * A listing of buckets.
 */
typedef struct hyd_buckets hyd_buckets;

/**
 * A piece of an engine's pool, aligned to 4096 bytes where it was lent, and registered with the
 * kernel where that is allowed. It is counted, and goes back to the pool with the last reference,
 * the requests that use it among them.
 */
typedef struct hyd_buf hyd_buf;

/**
 * A completion queue.
 */
typedef struct hyd_cq hyd_cq;

/**
 * Threads, rings and the one pool that all payload memory of the library comes from.
 */
typedef struct hyd_engine hyd_engine;

/**
 * What went wrong in one call. It outlives the handles that the call was made with.
 */
typedef struct hyd_error hyd_error;

/**
 * A listing, or one page of it.
 */
typedef struct hyd_list hyd_list;

/**
 * Memory of the caller that was made known to an engine: from malloc or mmap, on ordinary or huge
 * pages.
 */
typedef struct hyd_mem hyd_mem;

/**
 * An upload in parts.
 */
typedef struct hyd_multipart hyd_multipart;

/**
 * Settings of a store, by name.
 */
typedef struct hyd_options hyd_options;

/**
 * A listing of the parts of an object.
 */
typedef struct hyd_parts hyd_parts;

/**
 * A presigned request.
 */
typedef struct hyd_presigned hyd_presigned;

/**
 * What S3 says of an object.
 */
typedef struct hyd_s3_object hyd_s3_object;

/**
 * One place for objects.
 */
typedef struct hyd_store hyd_store;

/**
 * The tags of an object.
 */
typedef struct hyd_tags hyd_tags;

/**
 * A listing of the parts of an upload.
 */
typedef struct hyd_uploaded_parts hyd_uploaded_parts;

/**
 * A listing of uploads.
 */
typedef struct hyd_uploads hyd_uploads;

/**
 * A listing of versions.
 */
typedef struct hyd_versions hyd_versions;

/**
 * A stream that becomes an object.
 */
typedef struct hyd_writer hyd_writer;

/**
 * What a call came to: 0 is good, below 0 an error. Values are frozen once given, but for those
 * from -1000 downwards.
 */
typedef int32_t hyd_status;

/**
 * The fields of an error. Texts are UTF-8 with a NUL after their length, and empty, never NULL,
 * where there is nothing to say. They never contain credentials.
 */
typedef struct hyd_error_view {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * What the call returned.
     */
    hyd_status status;
    /**
     * The errno behind it, or 0.
     */
    int32_t os_errno;
    /**
     * The HTTP status of the last answer, or 0.
     */
    int32_t http_status;
    /**
     * Tries made, or 0 where nothing was tried.
     */
    uint32_t attempts;
    /**
     * HYD_ERROR_*
     */
    uint32_t flags;
    /**
     * Operation, object, cause and way out, in one line.
     */
    const char *message;
    size_t message_len;
    /**
     * NoSuchKey; empty where the answer had none, as those to HEAD.
     */
    const char *s3_code;
    size_t s3_code_len;
    /**
     * What the server calls the request.
     */
    const char *request_id;
    size_t request_id_len;
    /**
     * What S3 calls it besides: `x-amz-id-2`.
     */
    const char *host_id;
    size_t host_id_len;
    /**
     * The region of the bucket, where S3 told it with a refusal: also to who may not use the bucket.
     */
    const char *region;
    size_t region_len;
    /**
     * The endpoint that S3 says to use. No credentials go there by themselves.
     */
    const char *endpoint;
    size_t endpoint_len;
} hyd_error_view;

/**
 * Is told a message: its level, and a text of `len` bytes in UTF-8, which is gone after the call.
 * It runs on any thread of an engine, also on several at once, and must neither block nor call into
 * the library.
 */
typedef void (*hyd_log_fn)(void *user, uint32_t level, const char *text, size_t len);

/**
 * What a core and its ring may have; 0 is the default everywhere, which suits what was measured. Counts go up to
 * 1,048,576, bytes to 1 GiB.
 */
typedef struct hyd_engine_limits {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * Ops of a core in flight, up to 65,535; one more waits. 0: 1,024.
     */
    uint32_t ops_in_flight;
    /**
     * Bytes of one submission for a file. 0: 512 KiB.
     */
    uint32_t submission_bytes;
    /**
     * How often EINTR and EAGAIN are answered by trying again, for each op. 0: 1,000.
     */
    uint32_t transient_retries;
    /**
     * Entries of the submission queue, up to 32,768. 0: 256.
     */
    uint32_t submission_entries;
    /**
     * Entries of the completion queue, up to 65,536. 0: 4,096.
     */
    uint32_t completion_entries;
    /**
     * Submissions that are handed to the kernel at once, while tasks still run. 0: 64.
     */
    uint32_t submit_batch;
    /**
     * The same for files. 0: 16.
     */
    uint32_t submit_batch_files;
    /**
     * Bytes to send that are handed to the kernel while tasks still run; HYD_LIMIT_NONE waits for none.
     * 0: 256 KiB.
     */
    uint32_t submit_send_bytes;
    /**
     * So many completions end a wait for `min_wait_us` of hyd_engine_config early. 0: 16.
     */
    uint32_t min_wait_completions;
    /**
     * How often a turn asks for completions that the kernel has put off, or HYD_LIMIT_NONE. 0: once.
     */
    uint32_t harvests;
    /**
     * Files that a core has installed in its ring at a time, or HYD_LIMIT_NONE. 0: 64.
     */
    uint32_t installed_files;
    /**
     * Entries for memory of hyd_mem_register(), each of at most 1 GiB, or HYD_LIMIT_NONE. 0: 1,024.
     */
    uint32_t memory_entries;
    /**
     * Who may wait in line for memory of the pool; one more is refused. 0: 4,096.
     */
    uint32_t pool_line;
    /**
     * From so many bytes on a file that is read to its end is told to the kernel as one. 0: 64 MiB.
     */
    uint64_t sequential_bytes_min;
    /**
     * Tasks of a core. 0: 16,384.
     */
    uint32_t tasks;
    /**
     * Tasks that go on in one turn before completions are looked at again. 0: 256.
     */
    uint32_t polls_per_turn;
    /**
     * Tasks of other threads that wait for a core. 0: 4,096.
     */
    uint32_t inbox_tasks;
    /**
     * Sleeping timers of a core. 0: 65,536.
     */
    uint32_t timers;
    /**
     * Bytes of ended work that a core keeps for the next, or HYD_LIMIT_NONE. 0: 256 KiB.
     */
    uint32_t kept_bytes;
    /**
     * Jobs that wait for the thread that may block: look-ups of names, credentials. 0: 1,024.
     */
    uint32_t control_jobs;
} hyd_engine_limits;

/**
 * What an engine is started with; 0 is the default everywhere.
 */
typedef struct hyd_engine_config {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_ENGINE_*
     */
    uint32_t flags;
    /**
     * Threads with a ring each; 0: one for each CPU the process may use.
     */
    uint32_t cores;
    /**
     * Parts of one transfer under way at once, each with a connection of its own; 0: 8. More than 1,024
     * count as so many.
     */
    uint32_t connections;
    /**
     * Hard limit of payload memory in bytes; 0: 256 MiB.
     */
    uint64_t pool_bytes;
    /**
     * Bytes of a part; 0: 8 MiB.
     */
    uint64_t part_size_bytes;
    /**
     * Milliseconds that a call or request waits for memory of the pool before it fails with
     * HYD_E_CONFIG: what the caller itself holds, in buffers and writers, would never come;
     * 0: 30,000.
     */
    uint64_t pool_wait_ms;
    /**
     * Bytes of the pool for heads and small objects, which never wait behind parts; 0: a sixteenth of it,
     * 256 KiB to 8 MiB.
     */
    uint64_t head_share_bytes;
    /**
     * Bytes of all objects in mem:// stores; 0: 4 GiB.
     */
    uint64_t mem_bytes;
    /**
     * Milliseconds that hyd_engine_destroy() gives clean-up, such as aborting uploads; 0: 5,000.
     */
    uint64_t cleanup_ms;
    /**
     * Milliseconds in which the kernel has to give back the last buffers then; what it still has is leaked.
     * 0: 10,000.
     */
    uint64_t drain_ms;
    /**
     * Milliseconds for the look-up of a name; 0: 15,000.
     */
    uint64_t resolve_ms;
    /**
     * Sends from so many bytes on go without a copy; 0: 16 KiB.
     */
    uint64_t zero_copy_bytes_min;
    /**
     * mem:// stores at most; 0: 1,024.
     */
    uint32_t mem_stores;
    /**
     * Threads that make file calls where io_uring is refused; 0: 16. At most 1,024.
     */
    uint32_t file_threads;
    /**
     * Microseconds that a core looks out for messages before it sleeps, where that has paid; 0: 20. Not
     * with HYD_ENGINE_NO_SPIN.
     */
    uint32_t spin_us;
    /**
     * Microseconds that a core that sleeps lets completions gather before one alone wakes it (Linux 6.12);
     * 0: none.
     */
    uint32_t min_wait_us;
    /**
     * What a core and its ring may have, or NULL.
     */
    const struct hyd_engine_limits *limits;
} hyd_engine_config;

/**
 * What of an engine has not ended.
 */
typedef struct hyd_engine_left {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * Threads that run: they cancel, clean up, or wait for the kernel.
     */
    uint32_t cores;
    /**
     * Bytes of the pool that somebody has: requests, or the caller in buffers and writers.
     */
    uint64_t pool_bytes_lent;
} hyd_engine_left;

/**
 * What the kernel and its limits allow.
 */
typedef struct hyd_caps {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_CAP_*
     */
    uint32_t flags;
    /**
     * The soft limit of locked memory in bytes; UINT64_MAX is none.
     */
    uint64_t memlock_limit_bytes;
    /**
     * The kernel's release; NUL-terminated.
     */
    char kernel[64];
} hyd_caps;

/**
 * What an engine counted since its start, and its pool now. Each number is exact; together they are
 * no consistent cut.
 */
typedef struct hyd_stats {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * Threads with a ring each.
     */
    uint32_t cores;
    /**
     * Calls of io_uring_enter(2), or epoll_wait(2).
     */
    uint64_t enters;
    /**
     * Entries put into submission queues.
     */
    uint64_t submissions;
    /**
     * File bytes through registered buffers.
     */
    uint64_t file_bytes_registered;
    /**
     * File bytes through other memory.
     */
    uint64_t file_bytes_unregistered;
    /**
     * Bytes received from sockets.
     */
    uint64_t bytes_received;
    /**
     * Bytes sent to sockets.
     */
    uint64_t bytes_sent;
    /**
     * Of those, bytes handed to sends without a copy.
     */
    uint64_t bytes_sent_zero_copy;
    /**
     * Connections opened.
     */
    uint64_t connections_opened;
    /**
     * Payload bytes copied in user space, for whatever reason.
     */
    uint64_t bytes_copied;
    /**
     * Requests for memory of the pool that had to wait.
     */
    uint64_t pool_waits;
    /**
     * Bytes of the pool.
     */
    uint64_t pool_bytes;
    /**
     * Bytes of the pool that somebody has.
     */
    uint64_t pool_bytes_lent;
    /**
     * Requests that wait for memory of the pool.
     */
    uint64_t pool_waiting;
    /**
     * Completions taken in; a send without a copy has two.
     */
    uint64_t completions;
    /**
     * Completions that the kernel had to keep aside because the queue was full.
     */
    uint64_t overflows;
    /**
     * Bytes read from files.
     */
    uint64_t file_bytes_read;
    /**
     * Bytes written to files.
     */
    uint64_t file_bytes_written;
    /**
     * Of the bytes sent without a copy, those that the kernel said it copied after all.
     */
    uint64_t bytes_sent_zero_copy_copied;
    /**
     * Submissions that moved less than they were asked to, and were carried on.
     */
    uint64_t short_transfers;
    /**
     * Pieces of file transfers that went through another buffer because of alignment.
     */
    uint64_t bounces;
    /**
     * Files that were to be opened with O_DIRECT and are buffered: their file system has none.
     */
    uint64_t fallbacks_buffered;
    /**
     * Sends without a copy that the kernel refused, and that went on with one.
     */
    uint64_t fallbacks_copied_send;
    /**
     * Registrations of memory that the kernel refused; it is used unregistered.
     */
    uint64_t fallbacks_unregistered_memory;
    /**
     * Hints about the use of a file that were refused.
     */
    uint64_t hints_refused;
    /**
     * Files that were to leave nothing in the page cache and are dropped from it afterwards instead.
     */
    uint64_t uncached_refused;
    /**
     * Files that could not be made without a name, and had a temporary one.
     */
    uint64_t unnamed_refused;
    /**
     * Task polls.
     */
    uint64_t polls;
    /**
     * Wake-ups from other threads while a core slept.
     */
    uint64_t wakes;
    /**
     * Times that a core looked out for work from another thread instead of sleeping.
     */
    uint64_t looks;
    /**
     * Of those, times that none came.
     */
    uint64_t looks_in_vain;
    /**
     * Of the payload bytes copied: those that came together with a response head.
     */
    uint64_t bytes_copied_residue;
    /**
     * Those that the caller lent for a call alone.
     */
    uint64_t bytes_copied_borrowed;
    /**
     * Those that had to go through another buffer.
     */
    uint64_t bytes_copied_bounce;
    /**
     * Those moved from a record of TLS to their place.
     */
    uint64_t bytes_copied_tls;
} hyd_stats;

/**
 * What a function of hyd_options_set_credentials() fills in. The texts end with a NUL and are read
 * when it has returned: they stay as they are until it is called again.
 */
typedef struct hyd_credentials {
    /**
     * Set by the library.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    const char *access_key_id;
    const char *secret_access_key;
    /**
     * NULL where the keys are not temporary.
     */
    const char *session_token;
    /**
     * When they end, in seconds since 1970, UTC; 0 where that is not known.
     */
    int64_t expires_unix_s;
} hyd_credentials;

/**
 * Gives credentials that are good now, or a status that says why not. Threads: a thread of the
 * library, one call at a time; it may block, but names are looked up by the same
 * thread. It calls nothing of the library.
 */
typedef hyd_status (*hyd_credentials_fn)(void *user, struct hyd_credentials *credentials);

/**
 * Told once, when `user` is not needed any more. Threads: any; it calls nothing of the library.
 */
typedef void (*hyd_release_fn)(void *user);

/**
 * A name and its value. Both end with a NUL.
 */
typedef struct hyd_pair {
    const char *name;
    const char *value;
} hyd_pair;

/**
 * What S3 alone can be asked for when an object is written, with each request of a large one; 0 is the
 * default everywhere. Texts end with a NUL. Stores of another kind refuse it with HYD_E_UNSUPPORTED.
 */
typedef struct hyd_s3_put_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_S3_*
     */
    uint32_t flags;
    /**
     * "STANDARD_IA", "GLACIER", ...
     */
    const char *storage_class;
    /**
     * A canned ACL: "private", "bucket-owner-full-control", ...
     */
    const char *acl;
    /**
     * Of the object; S3 takes 10.
     */
    const struct hyd_pair *tags;
    size_t tags_count;
    /**
     * HYD_SSE_*, a key that the server has; 0: what the bucket says.
     */
    uint32_t encryption;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * With KMS: id, ARN or alias of its key; NULL is the account's own for S3.
     */
    const char *kms_key_id;
    /**
     * With KMS: the base64 of a JSON object, or NULL.
     */
    const char *kms_context;
    /**
     * 32 bytes for the server to encrypt with and to forget (SSE-C), or NULL. S3 takes them over TLS
     * alone.
     */
    const uint8_t *customer_key;
    /**
     * As hyd_s3_get_options has it.
     */
    const char *expected_bucket_owner;
    /**
     * Who has all rights to the object: "id=\"...\"", "uri=\"...\"", several with commas between.
     */
    const char *grant_full_control;
    /**
     * Who may read it.
     */
    const char *grant_read;
    /**
     * Who may read its ACL.
     */
    const char *grant_read_acp;
    /**
     * Who may write its ACL.
     */
    const char *grant_write_acp;
    /**
     * Where a bucket that is a website leads who asks for it.
     */
    const char *website_redirect_location;
    /**
     * "GOVERNANCE" or "COMPLIANCE": nobody may delete the object before `lock_until_unix_s`; or NULL.
     */
    const char *lock_mode;
    /**
     * Seconds since 1970, UTC; with `lock_mode`.
     */
    int64_t lock_until_unix_s;
} hyd_s3_put_options;

/**
 * How an object is written; 0 is the default everywhere. Texts end with a NUL. Stores of files keep
 * nothing of what is said of the content.
 */
typedef struct hyd_put_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_PUT_*
     */
    uint32_t flags;
    const char *content_type;
    const char *cache_control;
    const char *content_disposition;
    const char *content_encoding;
    const char *content_language;
    /**
     * Seconds since 1970, UTC.
     */
    int64_t expires_unix_s;
    /**
     * The user's own names and values; S3 keeps the names in lower case.
     */
    const struct hyd_pair *metadata;
    size_t metadata_count;
    /**
     * The tag of the object that is replaced, as hyd_object_meta has it: where there is another one,
     * or none, nothing is written. Not for stores of files.
     */
    const char *if_match;
    /**
     * Of a stream: its length, where that is known. A stream of another length fails.
     */
    uint64_t size_bytes;
    /**
     * Of a stream: bytes of a part, instead of the store's.
     */
    uint64_t part_size_bytes;
    /**
     * Of a stream: full parts at most that are not with the store yet.
     */
    uint32_t parts_in_flight;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * What S3 alone can be asked for, or NULL.
     */
    const struct hyd_s3_put_options *s3;
} hyd_put_options;

/**
 * What S3 alone can be asked for when an object is read; 0 is the default everywhere. Texts end with a
 * NUL. Stores of another kind refuse it with HYD_E_UNSUPPORTED.
 */
typedef struct hyd_s3_get_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_S3_REQUESTER_PAYS
     */
    uint32_t flags;
    /**
     * The 32 bytes that the object was encrypted with (SSE-C), or NULL. S3 takes them over TLS alone.
     */
    const uint8_t *customer_key;
    /**
     * The account that the bucket belongs to; refused where it is another one's.
     */
    const char *expected_bucket_owner;
} hyd_s3_get_options;

/**
 * How an object is read; 0 is the default everywhere. Texts end with a NUL.
 */
typedef struct hyd_get_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t flags;
    /**
     * Read only the version with this tag, as hyd_object_meta has it.
     */
    const char *if_match;
    /**
     * Read only another version than the one with this tag. One of the two.
     */
    const char *if_none_match;
    /**
     * An earlier version, where a bucket of S3 keeps them.
     */
    const char *version_id;
    /**
     * What S3 alone can be asked for, or NULL.
     */
    const struct hyd_s3_get_options *s3;
    /**
     * Only if it was written behind this, in seconds since 1970, UTC; 0: whenever. Of hyd_s3_stat(),
     * hyd_s3_get_part(), hyd_s3_copy(), hyd_multipart_copy() and hyd_presign_request() alone, as is the next:
     * S3 compares to the second, so that two writes within one are the same to it. Tags tell them apart.
     */
    int64_t if_modified_since_unix_s;
    /**
     * Only if it was not.
     */
    int64_t if_unmodified_since_unix_s;
} hyd_get_options;

/**
 * What is known of an object.
 */
typedef struct hyd_object_meta {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_META_*
     */
    uint32_t flags;
    uint64_t size_bytes;
    /**
     * Nanoseconds since 1970, UTC (S3 tells seconds); HYD_TIME_UNKNOWN.
     */
    int64_t modified_unix_ns;
    /**
     * The tag of this version, with its quotes on S3; NUL-terminated, empty where there is none.
     */
    char etag[128];
    /**
     * The CRC-64/NVME of all bytes, with HYD_META_CRC64NVME.
     */
    uint64_t crc64nvme;
    /**
     * What it is said to contain, cut where it is longer; NUL-terminated.
     */
    char content_type[128];
    /**
     * Which version it is, where a bucket of S3 keeps them: after a write and of what was read.
     * NUL-terminated; empty where there is none, and where it has more than 127 bytes.
     */
    char version_id[128];
    /**
     * HYD_CHECKSUM_*, of `checksum`; 0 where there is none.
     */
    uint32_t checksum_algorithm;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * After a write to S3 the checksum of all bytes that went with it, in base64 as S3 has it, and
     * elsewhere `crc64nvme` where that is known; NUL-terminated. None of an object in parts whose
     * checksums do not combine (SHA).
     */
    char checksum[48];
} hyd_object_meta;

/**
 * One of many ranges of an object. Its size is fixed.
 */
typedef struct hyd_range {
    /**
     * Where in the object.
     */
    uint64_t offset;
    /**
     * Memory for the bytes.
     */
    void *data;
    size_t len;
    /**
     * Set by the call where `status` is HYD_OK: bytes that came, fewer only at the object's end.
     */
    size_t read_len;
    /**
     * Set by the call.
     */
    hyd_status status;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_range;

/**
 * One of many ranges of many objects. Its size is fixed.
 */
typedef struct hyd_object_range {
    /**
     * The object.
     */
    const char *key;
    size_t key_len;
    struct hyd_range range;
} hyd_object_range;

/**
 * How a number of ranges is read; 0 is the default everywhere.
 */
typedef struct hyd_ranges_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_RANGES_*
     */
    uint32_t flags;
    /**
     * Ranges of one object with at most so many bytes between them come by one request, and are
     * copied out of it, but for those above `joined_bytes_max`; 0: 16 KiB.
     */
    uint64_t gap_bytes_max;
    /**
     * Requests under way at once, instead of as many as the store has.
     */
    uint32_t connections;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * How each object is read, or NULL.
     */
    const struct hyd_get_options *get;
    /**
     * Ranges of more bytes than this come by requests of their own, straight into their memory, however
     * near their neighbours are; 0: 256 KiB.
     */
    uint64_t joined_bytes_max;
} hyd_ranges_options;

/**
 * A text as pointer and length, where there are many.
 */
typedef struct hyd_text {
    const char *text;
    size_t len;
} hyd_text;

/**
 * What came of one key. Its texts are gone after the call that tells it; its size is fixed.
 */
typedef struct hyd_deleted {
    /**
     * The whole key; no NUL ends it.
     */
    const char *key;
    size_t key_len;
    /**
     * Why it could not be deleted; no NUL ends it. Of length 0 with HYD_OK.
     */
    const char *message;
    size_t message_len;
    hyd_status status;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_deleted;

/**
 * Is told what came of the keys of a batch, each once. It runs on any thread of the engine, also on
 * several at once, and must neither block nor call into the library.
 */
typedef void (*hyd_deleted_fn)(void *user, const struct hyd_deleted *outcomes, size_t count);

/**
 * What was deleted.
 */
typedef struct hyd_delete_report {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Objects that are gone.
     */
    uint64_t deleted;
    /**
     * Objects that could not be deleted.
     */
    uint64_t failed;
} hyd_delete_report;

/**
 * Is told how far it is after each part: bytes done, and the size of the object, or
 * HYD_SIZE_UNKNOWN. It runs on any thread of the engine, also on several at once, so that a number may
 * come behind a larger one, and must neither block nor call into the library.
 */
typedef void (*hyd_progress_fn)(void *user, uint64_t done_bytes, uint64_t total_bytes);

/**
 * How an object is copied; 0 is the default everywhere. Under a condition, and of a version, the bytes
 * pass through this process.
 */
typedef struct hyd_copy_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_COPY_*
     */
    uint32_t flags;
    /**
     * Bytes of a part, instead of those of the store that is read.
     */
    uint64_t part_size_bytes;
    /**
     * Parts under way at once, instead of as many as the store that is read has; more than 1,024 count as
     * so many.
     */
    uint32_t connections;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Told how far the copy is, until the call returns or the request is reaped; or NULL.
     */
    hyd_progress_fn progress;
    /**
     * What `progress` is called with.
     */
    void *user;
    /**
     * Which version is read, and under which condition, or NULL.
     */
    const struct hyd_get_options *get;
    /**
     * As hyd_put_options has it.
     */
    const char *if_match;
    /**
     * What S3 is asked for where the copy is written, or NULL; then too the bytes pass through this
     * process.
     */
    const struct hyd_s3_put_options *s3;
} hyd_copy_options;

/**
 * What was copied.
 */
typedef struct hyd_copy_report {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_COPIED_CRC64NVME
     */
    uint32_t flags;
    /**
     * Of the object.
     */
    uint64_t bytes;
    /**
     * Parts that it went in; 1 for a single write.
     */
    uint64_t parts;
    /**
     * Bytes that had come in an earlier copy, and were checked instead of fetched.
     */
    uint64_t resumed_bytes;
    uint64_t crc64nvme;
    /**
     * HYD_WAY_*
     */
    uint32_t way;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Why the bytes had to pass through this process, where one would have thought otherwise; cut where
     * it is longer, NUL-terminated.
     */
    char fell_back[256];
    /**
     * Why what an earlier copy had left was not carried on; cut where it is longer, NUL-terminated.
     */
    char began_anew[256];
} hyd_copy_report;

/**
 * How two objects are compared; 0 is the default everywhere.
 */
typedef struct hyd_verify_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * Parts of each object under way at once, instead of as many as the first store has; more than 1,024
     * count as so many.
     */
    uint32_t connections;
    /**
     * Bytes of a part, instead of those of the first store.
     */
    uint64_t part_size_bytes;
    /**
     * Told how far it is with the first object, until the call returns or the request is reaped; or NULL.
     */
    hyd_progress_fn progress;
    /**
     * What `progress` is called with.
     */
    void *user;
} hyd_verify_options;

/**
 * What two objects that are the same are.
 */
typedef struct hyd_verify_report {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Of each.
     */
    uint64_t bytes;
    /**
     * The CRC-64/NVME of each.
     */
    uint64_t crc64nvme;
    /**
     * Parts that differed when they were read first and not when they were read again: something on
     * the way is not to be trusted.
     */
    uint64_t healed_parts;
} hyd_verify_report;

/**
 * An upload that was begun. Its size is fixed.
 */
typedef struct hyd_upload {
    /**
     * The whole key; no NUL ends it.
     */
    const char *key;
    size_t key_len;
    /**
     * Which upload, as hyd_upload_abort() takes it; no NUL ends it, as hyd_presign_options wants it. Of length 0
     * where `key` is what several keys have in common up to the delimiter of hyd_s3_list_options, and no upload.
     */
    const char *upload_id;
    size_t upload_id_len;
    /**
     * When it was begun, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
     */
    int64_t initiated_unix_ns;
} hyd_upload;

/**
 * How a bucket is made; 0 is the default everywhere. Texts end with a NUL.
 */
typedef struct hyd_bucket_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_BUCKET_*
     */
    uint32_t flags;
    /**
     * The region to make it in, instead of the endpoint's own.
     */
    const char *region;
    /**
     * A canned ACL.
     */
    const char *acl;
    /**
     * "BucketOwnerPreferred", "ObjectWriter" or "BucketOwnerEnforced".
     */
    const char *object_ownership;
    /**
     * Who has all rights to it: "id=\"...\"", "uri=\"...\"", several with commas between.
     */
    const char *grant_full_control;
    /**
     * Who may list it.
     */
    const char *grant_read;
    /**
     * Who may read its ACL.
     */
    const char *grant_read_acp;
    /**
     * Who may make objects in it.
     */
    const char *grant_write;
    /**
     * Who may write its ACL.
     */
    const char *grant_write_acp;
    /**
     * Of the bucket.
     */
    const struct hyd_pair *tags;
    size_t tags_count;
} hyd_bucket_options;

/**
 * What is told of a bucket.
 */
typedef struct hyd_bucket_info {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_BUCKET_ALIAS
     */
    uint32_t flags;
    /**
     * Where it is; NUL-terminated, empty where the server does not tell.
     */
    char region[64];
    /**
     * The zone, on S3 Express; as `region`.
     */
    char location_name[64];
} hyd_bucket_info;

/**
 * A bucket of the account. Its size is fixed.
 */
typedef struct hyd_bucket {
    /**
     * No NUL ends it.
     */
    const char *name;
    size_t name_len;
    /**
     * Where it is; no NUL ends it. Of length 0 where the server does not tell.
     */
    const char *region;
    size_t region_len;
    /**
     * When it was made, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
     */
    int64_t created_unix_ns;
} hyd_bucket;

/**
 * A version of an object. Its size is fixed. No NUL ends its texts.
 */
typedef struct hyd_version_entry {
    /**
     * The whole key.
     */
    const char *key;
    size_t key_len;
    /**
     * Which version; "null" for one from before the bucket kept them. hyd_get_options takes it with a NUL
     * behind: copy it.
     */
    const char *version_id;
    size_t version_id_len;
    /**
     * The tag, with its quotes. Of length 0 where there is none.
     */
    const char *etag;
    size_t etag_len;
    /**
     * "STANDARD", ... Of length 0 where there is none.
     */
    const char *storage_class;
    size_t storage_class_len;
    uint64_t size_bytes;
    /**
     * Nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
     */
    int64_t modified_unix_ns;
    /**
     * HYD_VERSION_*
     */
    uint32_t flags;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_version_entry;

/**
 * An object that is to be deleted, and what came of it. Its size is fixed.
 */
typedef struct hyd_delete_object {
    /**
     * The whole key; no NUL ends it.
     */
    const char *key;
    size_t key_len;
    /**
     * One version of it, for good, as hyd_versions_next() tells it; a length of 0 for the object: where the
     * bucket keeps versions, a marker is put before them.
     */
    const char *version_id;
    size_t version_id_len;
    /**
     * Only if it has this tag, as hyd_object_meta has it, with a NUL at the end; or NULL. Such objects are
     * deleted one by one.
     */
    const char *if_match;
    /**
     * What came of it; written by the call.
     */
    hyd_status status;
    /**
     * HYD_DELETED_MARKER; written by the call.
     */
    uint32_t flags;
    /**
     * The version that was deleted, or that of the marker that was made; NUL-terminated, empty where none is
     * told, and where it has more than 127 bytes. Written by the call.
     */
    char deleted_version_id[128];
} hyd_delete_object;

/**
 * How objects are deleted; 0 is the default everywhere. Texts end with a NUL.
 */
typedef struct hyd_delete_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_DELETE_*
     */
    uint32_t flags;
    /**
     * Serial number and code of a device, where the bucket demands them for versions, or NULL.
     */
    const char *mfa;
    /**
     * Who asks and who pays, or NULL.
     */
    const struct hyd_s3_get_options *s3;
} hyd_delete_options;

/**
 * A part of an object. Its size is fixed. No NUL ends its texts.
 */
typedef struct hyd_part {
    /**
     * Counted from 1.
     */
    uint32_t number;
    /**
     * 0
     */
    uint32_t reserved;
    uint64_t size_bytes;
    /**
     * "CRC64NVME", "SHA256", ...
     */
    const char *algorithm;
    size_t algorithm_len;
    /**
     * The checksum of the part by that algorithm, in base64. Of length 0 where there is none.
     */
    const char *checksum;
    size_t checksum_len;
} hyd_part;

/**
 * A part that the server has. Its size is fixed.
 */
typedef struct hyd_uploaded_part {
    /**
     * From 1 to HYD_PARTS_MAX.
     */
    uint32_t number;
    /**
     * HYD_CHECKSUM_*, of `checksum`; 0 where there is none.
     */
    uint32_t checksum_algorithm;
    /**
     * 0 where it is not known: of a copy of a whole object.
     */
    uint64_t size_bytes;
    /**
     * Its tag, with the quotes; NUL-terminated.
     */
    char etag[128];
    /**
     * In base64, as S3 has it; NUL-terminated.
     */
    char checksum[48];
} hyd_uploaded_part;

/**
 * Which bytes are copied into a part; 0 is the default everywhere.
 */
typedef struct hyd_part_source {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * The first byte,
     */
    uint64_t offset;
    /**
     * and how many; 0 is the whole object, and `offset` 0 too.
     */
    uint64_t len;
    /**
     * Which version is copied and under which condition, and in `s3` its key of SSE-C, whose the bucket
     * is and HYD_S3_REQUESTER_PAYS, which here and of the upload is the same; or NULL.
     */
    const struct hyd_get_options *get;
} hyd_part_source;

/**
 * What the object of an upload is to be; 0 is the default everywhere.
 */
typedef struct hyd_complete_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t flags;
    /**
     * Refused where the parts do not have so many bytes; 0: not compared.
     */
    uint64_t object_bytes;
    /**
     * Refused where that of the object is another one: in base64, as S3 has it, of the checksums of the parts
     * with "-" and their number behind. With a NUL at its end, or NULL: not compared.
     */
    const char *checksum;
    /**
     * HYD_CHECKSUM_*, of `checksum`, with the bit that the upload was begun with.
     */
    uint32_t checksum_algorithm;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_complete_options;

/**
 * A checksum that S3 keeps of an object. Its size is fixed.
 */
typedef struct hyd_s3_checksum {
    /**
     * HYD_CHECKSUM_*
     */
    uint32_t algorithm;
    /**
     * HYD_COVERS_*; 0 where that is not told.
     */
    uint32_t covers;
    /**
     * In base64, with a NUL at the end; of parts it may end in "-" and their number.
     */
    const char *value;
} hyd_s3_checksum;

/**
 * What S3 says of an object. Texts end with a NUL, are NULL where nothing was said, and are valid until the
 * handle is freed.
 */
typedef struct hyd_s3_object_view {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_S3_OBJECT_*
     */
    uint32_t flags;
    /**
     * Of what was asked for: the part, or the object.
     */
    uint64_t size_bytes;
    /**
     * In how many parts it was uploaded, where a part was asked for; 0: not told.
     */
    uint64_t parts;
    /**
     * How many tags it has.
     */
    uint64_t tags;
    /**
     * How many of the user's names no header can carry, and are left out.
     */
    uint64_t missing_metadata;
    /**
     * NULL is "STANDARD".
     */
    const char *storage_class;
    /**
     * When a rule of the bucket will delete it: `x-amz-expiration`.
     */
    const char *expiration;
    /**
     * Whether it is being brought back from an archive, and until when it is: `x-amz-restore`.
     */
    const char *restore;
    const char *archive_status;
    const char *replication_status;
    /**
     * "GOVERNANCE" or "COMPLIANCE".
     */
    const char *lock_mode;
    /**
     * Until when nobody may delete it, as sent.
     */
    const char *lock_until;
    /**
     * "ON" or "OFF".
     */
    const char *legal_hold;
    const char *website_redirect_location;
    /**
     * "AES256", "aws:kms", "aws:kms:dsse".
     */
    const char *encryption;
    const char *kms_key_id;
    /**
     * In base64.
     */
    const char *kms_context;
    /**
     * Of SSE-C.
     */
    const char *customer_algorithm;
    /**
     * The MD5 of the key of SSE-C, in base64.
     */
    const char *customer_key_md5;
    /**
     * Those that the server keeps.
     */
    const struct hyd_s3_checksum *checksums;
    size_t checksums_count;
    /**
     * Of what hyd_s3_copy() tells: the version that was copied.
     */
    const char *source_version_id;
} hyd_s3_object_view;

/**
 * How a server of S3 copies; 0 is the default everywhere.
 */
typedef struct hyd_s3_copy_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_S3_COPY_*
     */
    uint32_t flags;
    /**
     * Which version is copied and under which condition, and in `s3` its key of SSE-C, whose its bucket is
     * and HYD_S3_REQUESTER_PAYS, which here and in `put` is the same; or NULL.
     */
    const struct hyd_get_options *get;
    /**
     * What is said of the copy, and under which condition it is written: storage class, ACL, grants, encryption,
     * lock; or NULL. What is said of its content needs HYD_S3_COPY_REPLACE_METADATA, tags need
     * HYD_S3_COPY_REPLACE_TAGS.
     */
    const struct hyd_put_options *put;
    /**
     * HYD_CHECKSUM_*, which the copy is to have; 0: what the source has.
     */
    uint32_t checksum_algorithm;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_s3_copy_options;

/**
 * What S3 says besides of what it lists. No NUL ends its texts; they have the length 0 where nothing was said.
 */
typedef struct hyd_s3_about {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Whose it is: a canonical id,
     */
    const char *owner_id;
    size_t owner_id_len;
    /**
     * and a name for people, which AWS has stopped telling.
     */
    const char *owner_name;
    size_t owner_name_len;
    /**
     * Who began an upload.
     */
    const char *initiator_id;
    size_t initiator_id_len;
    const char *initiator_name;
    size_t initiator_name_len;
    /**
     * "STANDARD", ...
     */
    const char *storage_class;
    size_t storage_class_len;
    /**
     * "CRC32C", ...: the checksum that the parts of an upload have, or the first that is kept of an object or
     * a version.
     */
    const char *checksum_algorithm;
    size_t checksum_algorithm_len;
    /**
     * What that of an object covers: "FULL_OBJECT" or "COMPOSITE".
     */
    const char *checksum_type;
    size_t checksum_type_len;
    /**
     * HYD_RESTORE_*, of an archived object, with HYD_S3_LIST_RESTORES.
     */
    uint32_t restore;
    /**
     * 0
     */
    uint32_t reserved_too;
    /**
     * Until when a restored object stays, in seconds since 1970, UTC; 0 where that was not said.
     */
    int64_t restored_until_unix_s;
} hyd_s3_about;

/**
 * Who signs. Texts are cut where they are longer, and NUL-terminated.
 */
typedef struct hyd_signer {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_SIGNER_SIGNS; without it the rest says nothing.
     */
    uint32_t flags;
    /**
     * When the keys end, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
     */
    int64_t ends_unix_ns;
    /**
     * The public half of the pair.
     */
    char access_key_id[160];
    /**
     * Where the pair comes from, for people.
     */
    char source[256];
} hyd_signer;

/**
 * A checksum. Its size is fixed.
 */
typedef struct hyd_sum {
    /**
     * HYD_CHECKSUM_*
     */
    uint32_t algorithm;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * In base64, as S3 has it and hyd_object_meta tells it; NUL-terminated.
     */
    char value[48];
} hyd_sum;

/**
 * What a presigned request is made of. Texts end with a NUL, and are valid until it is freed.
 */
typedef struct hyd_presigned_view {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * "GET", "PUT", ...
     */
    const char *method;
    /**
     * Signature included: a secret as long as it lives.
     */
    const char *url;
    size_t url_len;
    /**
     * Headers that are signed too, and have to be sent with just these values; `Host`, which every
     * request has, is not among them.
     */
    const struct hyd_pair *headers;
    size_t headers_count;
} hyd_presigned_view;

/**
 * What else a presigned request says; 0 is the default everywhere. Texts end with a NUL.
 */
typedef struct hyd_presign_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * Of a part: which one, from 1 to 10,000.
     */
    uint32_t part_number;
    /**
     * Of a part: the upload. hyd_uploads_next() tells it without a NUL: copy it, and put one behind.
     */
    const char *upload_id;
    /**
     * When its life begins, in seconds since 1970, UTC; 0 is now.
     */
    int64_t from_unix_s;
    /**
     * Of a GET or HEAD: condition, version, and what S3 alone can be asked for. Of a DELETE the version,
     * `if_match` and in `s3` who asks; of a part `s3` alone.
     */
    const struct hyd_get_options *get;
    /**
     * Of a PUT: what is said of the object, and under which condition it is stored.
     */
    const struct hyd_put_options *put;
    /**
     * Of a GET or HEAD: only the bytes from here on,
     */
    uint64_t offset;
    /**
     * and only so many of them; 0 is all.
     */
    uint64_t len;
    /**
     * Of a PUT or a part: HYD_CHECKSUM_*, of `checksum`.
     */
    uint32_t checksum_algorithm;
    /**
     * 0
     */
    uint32_t reserved;
    /**
     * Of a PUT or a part: the checksum of the body in base64, so that no other can be stored.
     */
    const char *checksum;
    /**
     * Of a GET or HEAD: what the answer's `Cache-Control` is to be, and so on.
     */
    const char *response_cache_control;
    const char *response_content_disposition;
    const char *response_content_encoding;
    const char *response_content_language;
    const char *response_content_type;
    const char *response_expires;
} hyd_presign_options;

/**
 * One line of a listing. Its size is fixed.
 */
typedef struct hyd_list_entry {
    /**
     * The whole key; no NUL ends it.
     */
    const char *key;
    size_t key_len;
    /**
     * The tag, with its quotes on S3; no NUL ends it. Of length 0 where there is none.
     */
    const char *etag;
    size_t etag_len;
    uint64_t size_bytes;
    /**
     * Nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
     */
    int64_t modified_unix_ns;
    /**
     * HYD_ENTRY_*
     */
    uint32_t flags;
    /**
     * 0
     */
    uint32_t reserved;
} hyd_list_entry;

/**
 * What S3 alone can be asked for in a listing; 0 is the default everywhere.
 */
typedef struct hyd_s3_list_options {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_S3_LIST_*
     */
    uint32_t flags;
    /**
     * Who asks and pays, or NULL.
     */
    const struct hyd_s3_get_options *s3;
    /**
     * Only keys behind this one; no NUL ends it.
     */
    const char *start_after;
    size_t start_after_len;
    /**
     * Keys are rolled up behind this character, usually '/'; 0: none.
     */
    uint32_t delimiter;
    /**
     * Entries that are asked for at a time; 0: as many as the server gives, usually 1000.
     */
    uint32_t page_entries;
} hyd_s3_list_options;

/**
 * One completion. Its size is fixed.
 */
typedef struct hyd_event {
    /**
     * Of the request.
     */
    uint64_t user_data;
    /**
     * As hyd_submit() gave it.
     */
    uint64_t id;
    /**
     * HYD_OK, or why the request failed.
     */
    hyd_status status;
    /**
     * HYD_OP_* of the request.
     */
    uint32_t op;
    /**
     * Bytes that were read or written.
     */
    uint64_t bytes;
    /**
     * Bytes of the whole object where it was told, else HYD_SIZE_UNKNOWN.
     */
    uint64_t object_bytes;
    /**
     * What was read, where the request named no memory; else NULL. The caller releases it.
     */
    struct hyd_buf *buf;
    /**
     * The page of a list; else NULL. The caller closes it.
     */
    struct hyd_list *list;
    /**
     * Why the request failed; NULL with HYD_OK. The caller frees it.
     */
    struct hyd_error *error;
} hyd_event;

/**
 * What a request asks for.
 */
typedef uint32_t hyd_op;

/**
 * One request. What an op does not name has to be 0.
 */
typedef struct hyd_request {
    /**
     * Set by the caller.
     */
    uint32_t struct_size;
    /**
     * HYD_OP_*
     */
    hyd_op op;
    /**
     * Comes back in the event.
     */
    uint64_t user_data;
    /**
     * The object.
     */
    const char *key;
    size_t key_len;
    /**
     * What else the op names.
     */
    const char *aux;
    size_t aux_len;
    /**
     * Where in the object.
     */
    uint64_t offset;
    /**
     * Memory for the bytes, or with the bytes; the library's until the completion is reaped.
     */
    void *data;
    size_t data_len;
    /**
     * A buffer to write from; the request has a reference of its own.
     */
    const struct hyd_buf *buf;
    /**
     * The registered memory that `data` lies in, or the data of all ranges; or NULL. It cannot be unregistered meanwhile.
     */
    const struct hyd_mem *mem;
    /**
     * The other store of COPY and VERIFY, or NULL.
     */
    const struct hyd_store *target;
    /**
     * Filled when the completion is reaped with HYD_OK, of GET, PUT, HEAD, COPY, FINISH and the ops with
     * files; or NULL. Of GET_RANGE only where `data_len` is not 0 and at most the size of a part:
     * else it is left as it is.
     */
    struct hyd_object_meta *meta;
    /**
     * Of a list: keys are rolled up behind this character, usually '/'; 0: none.
     */
    uint32_t delimiter;
    /**
     * Of a list: entries in the page at most; 0: 1000.
     */
    uint32_t entries_max;
    /**
     * Of PUT: how it is written, or NULL.
     */
    const struct hyd_put_options *put;
    /**
     * Of GET, GET_RANGE and HEAD: how it is read, or NULL.
     */
    const struct hyd_get_options *get;
    /**
     * Of a list: only keys behind this one.
     */
    const char *start_after;
    size_t start_after_len;
    /**
     * Of WRITE and FINISH: the stream. They name no key.
     */
    struct hyd_writer *writer;
    /**
     * Of COPY and the ops with files: how it is copied, or NULL.
     */
    const struct hyd_copy_options *copy;
    /**
     * Of the same: filled when the completion is reaped with HYD_OK, or NULL.
     */
    struct hyd_copy_report *report;
    /**
     * Of VERIFY: how it is compared, or NULL.
     */
    const struct hyd_verify_options *verify;
    /**
     * Of VERIFY: filled when the completion is reaped with HYD_OK, or NULL.
     */
    struct hyd_verify_report *verify_report;
    /**
     * Of GET_RANGES: `status` and `read_len` of each are set when the completion is reaped, whatever its
     * status is. They are the library's until then.
     */
    struct hyd_object_range *ranges;
    /**
     * Of GET_RANGES: how they are read, or NULL.
     */
    const struct hyd_ranges_options *ranges_options;
    /**
     * Of DELETE_KEYS.
     */
    const struct hyd_text *keys;
    /**
     * Of DELETE_KEYS: room for the status of each key, written when the completion is reaped, whatever its
     * status is; or NULL.
     */
    hyd_status *results;
    /**
     * How many `ranges` or `keys`.
     */
    size_t count;
    /**
     * Of DELETE_PREFIX: hears what came of each key, until the completion is reaped; or NULL.
     */
    hyd_deleted_fn told;
    /**
     * What `told` is called with.
     */
    void *user;
    /**
     * Of DELETE_PREFIX: filled when the completion is reaped, also where objects could not be deleted; or
     * NULL.
     */
    struct hyd_delete_report *delete_report;
    /**
     * Of a list of S3: what is asked for, `delimiter`, `entries_max` and `start_after` included, which are 0 in the
     * request then; or NULL.
     */
    const struct hyd_s3_list_options *s3_list;
} hyd_request;

/**
 * Done.
 */
#define HYD_OK 0

/**
 * An argument, a URI or a struct makes no sense; the call did nothing.
 */
#define HYD_E_INVALID -1

/**
 * The handle has ended, or is a handle of something else.
 */
#define HYD_E_HANDLE -2

/**
 * The handle belongs to the parent process.
 */
#define HYD_E_FORKED -3

/**
 * A mistake in the library; the engine can only be destroyed.
 */
#define HYD_E_PANIC -4

/**
 * Settings, credentials, permissions or limits do not allow it.
 */
#define HYD_E_CONFIG -5

/**
 * There is no such object or bucket.
 */
#define HYD_E_NOT_FOUND -6

/**
 * Server or network failed, and all tries are used up: later may work.
 */
#define HYD_E_TEMPORARY -7

/**
 * Lengths or checksums differ, or the object changed while it was read.
 */
#define HYD_E_INTEGRITY -8

/**
 * The local disk is full, broken or read-only.
 */
#define HYD_E_DISK -9

/**
 * It was cancelled, or the engine was destroyed before it ended.
 */
#define HYD_E_CANCELLED -10

/**
 * This store cannot do that.
 */
#define HYD_E_UNSUPPORTED -11

/**
 * Anything else; the message says what.
 */
#define HYD_E_OTHER -12

/**
 * A limit is reached: the same call works once something was given back.
 */
#define HYD_E_AGAIN -13

/**
 * Something still uses it.
 */
#define HYD_E_BUSY -14

/**
 * This thread may not make this call.
 */
#define HYD_E_THREAD -15

/**
 * A condition of the call (if_match, if_none_match, HYD_PUT_IF_ABSENT) does not hold: nothing was read
 * or written.
 */
#define HYD_E_CONDITION -16

/**
 * Bytes of an object from `offset`: `data_len` of them, fewer only at its end. Into `data`, or where
 * that is NULL into a buffer of the pool, which the event carries.
 */
#define HYD_OP_GET_RANGE 1

/**
 * A whole object into a buffer of the pool, which the event carries.
 */
#define HYD_OP_GET 2

/**
 * Writes an object from `data`, or where that is NULL from the first `data_len` bytes of `buf`;
 * `put` may say how. The bytes are sent from where they are.
 */
#define HYD_OP_PUT 3

/**
 * What is known of an object, into `meta`.
 */
#define HYD_OP_HEAD 4

/**
 * Deletes an object.
 */
#define HYD_OP_DELETE 5

/**
 * Copies an object to the key `aux` of `target`, or where that is NULL of the same store.
 */
#define HYD_OP_COPY 6

/**
 * One page of the keys that begin with `key`; `aux` is the token of the page before, or empty. The
 * event carries a list that ends with the page. With `s3_list`, one of S3, as hyd_s3_list_open() lists it.
 */
#define HYD_OP_LIST_PAGE 7

/**
 * An object into the file `aux`, which is there whole or not at all.
 */
#define HYD_OP_GET_TO_FILE 8

/**
 * Writes an object from the file `aux`.
 */
#define HYD_OP_PUT_FROM_FILE 9

/**
 * Appends bytes to the stream `writer`: `data`, or where that is NULL the first `data_len` bytes of
 * `buf`. Of `data`, whole parts are sent from where they are, and the request completes when they have
 * been. Of `buf`, it completes when they stand in line: the content stays as it is until the caller has
 * released the buffer. One request of a stream at a time: HYD_E_BUSY. Cancelled, it ends the stream,
 * which the caller aborts. The store that hyd_submit() is given is any of the engine.
 */
#define HYD_OP_WRITE 10

/**
 * Completes the object of the stream `writer`, whose handle ends when the request is accepted.
 * Cancelled, what was uploaded is thrown away, or the object is there, whole.
 */
#define HYD_OP_FINISH 11

/**
 * Compares an object with the object `aux` of `target`, or where that is NULL of the same store, as
 * hyd_verify() does.
 */
#define HYD_OP_VERIFY 12

/**
 * The `count` ranges at `ranges`, each into memory of its own, as hyd_get_object_ranges() does. A range
 * whose key has the length 0 is one of the object `key`. Cancelled, each has the status of the request.
 */
#define HYD_OP_GET_RANGES 13

/**
 * Deletes the `count` objects at `keys`, as hyd_delete() does. It names no `key`.
 */
#define HYD_OP_DELETE_KEYS 14

/**
 * Deletes every object whose key begins with `key`, as hyd_delete_prefix() does. Cancelled, it stops
 * somewhere between.
 */
#define HYD_OP_DELETE_PREFIX 15

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Static English text for a status: a short name that stays, a colon, an explanation. A value that
 * this library does not know has text too.
 *
 * Threads: any.
 */
const char *hyd_status_str(hyd_status status);

/**
 * The version of the library at run time, packed as HYD_VERSION.
 *
 * Threads: any.
 */
uint32_t hyd_version(void);

/**
 * The name and version of the library as static text, "hydrant 0.1.0".
 *
 * Threads: any.
 */
const char *hyd_version_string(void);

/**
 * Fills `view`, whose texts are valid until the error is freed.
 *
 * Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
 *
 * Threads: any; not while another thread frees the same error.
 */
hyd_status hyd_error_info(const struct hyd_error *error, struct hyd_error_view *view);

/**
 * Another handle of an error, freed by itself: to keep one beyond the place that it came from.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED; HYD_E_AGAIN when there are too many.
 *
 * Threads: any.
 */
hyd_status hyd_error_dup(const struct hyd_error *error, struct hyd_error **copy);

/**
 * Frees an error; NULL is fine, and so is one that was freed before.
 *
 * Threads: any.
 */
void hyd_error_free(struct hyd_error *error);

/**
 * Has `log` told what nobody waits for, instead of standard error; for the whole process, also for
 * engines that run already. NULL goes back to standard error. Messages above `level` are dropped.
 * When the call returns, the function that was set before is not running any more and is not called
 * again. Messages never contain credentials.
 *
 * Errors: HYD_E_INVALID for a level that is none.
 *
 * Threads: any; never from within `log`.
 */
hyd_status hyd_set_log(hyd_log_fn log, void *user, uint32_t level);

/**
 * Sets the first `size` bytes of `config` to the defaults, for languages without HYD_*_INIT; `size`
 * is the size of the struct that the caller was compiled with.
 *
 * Errors: HYD_E_INVALID for NULL, or a size that no version of the struct has.
 *
 * Threads: any; not concurrently with other uses of `config`.
 */
hyd_status hyd_engine_config_init(struct hyd_engine_config *config, size_t size);

/**
 * Starts an engine, which the caller destroys. `config` may be NULL for the defaults, and is not
 * needed after the call.
 *
 * Errors: HYD_E_INVALID, also on a thread that drives another engine; HYD_E_CONFIG when the kernel
 * refuses rings or memory.
 *
 * Threads: any; the one that creates a driven engine drives it.
 */
hyd_status hyd_engine_create(const struct hyd_engine_config *config,
                             struct hyd_engine **engine,
                             struct hyd_error **error);

/**
 * Does the first part of hyd_engine_destroy(), and waits for its end for at most `timeout_ms` (below
 * 0: no limit). The engine takes no more work from here on, and what ran ends with HYD_E_CANCELLED;
 * the handle stays until hyd_engine_destroy(), which waits for what is left. `left`, which may be
 * NULL, is written with HYD_OK and with HYD_E_AGAIN.
 *
 * Errors: HYD_E_AGAIN when threads still run after the time: they end by themselves, and the same call
 * waits on; HYD_E_INVALID for an engine that a thread drives, which hyd_engine_destroy() ends.
 *
 * Threads: any, also several at once.
 */
hyd_status hyd_engine_stop(const struct hyd_engine *engine,
                           int32_t timeout_ms,
                           struct hyd_engine_left *left,
                           struct hyd_error **error);

/**
 * Cancels what runs, gives clean-up its time (some 15 s at most, usually none), ends the threads and
 * frees the engine; NULL is fine. Calls that run in other threads end with HYD_E_CANCELLED, and
 * their memory is no longer touched when they return; requests on queues complete with it. Stores,
 * queues, writers and listings stay handles until they are closed; all calls with them give
 * HYD_E_CANCELLED. Buffers stay readable until they are released.
 *
 * Errors: HYD_E_HANDLE when it was destroyed before; HYD_E_FORKED; HYD_E_THREAD when another thread
 * drives it, and the engine stays as it is.
 *
 * Threads: any; of two at once, one gets HYD_E_HANDLE. A driven one: its own thread, in which
 * the kernel may interrupt a call some milliseconds later (EINTR), as it lets go of the ring.
 */
hyd_status hyd_engine_destroy(struct hyd_engine *engine);

/**
 * Makes progress on this thread: takes turns until nothing is ready or `max_turns` were taken (0:
 * no limit). Where nothing is ready at first, sleeps at most `timeout_ms` for it; 0 does not sleep,
 * below 0 there is no limit. `more`, which may be NULL, is set to 1 where another call has something
 * to do at once, and to 0 where the loop may wait for hyd_engine_fd().
 *
 * Errors: HYD_E_THREAD on another thread than the one that created the engine; HYD_E_INVALID for an
 * engine with threads of its own; HYD_E_CANCELLED.
 *
 * Threads: the one that created the engine.
 */
hyd_status hyd_engine_run(const struct hyd_engine *engine,
                          uint32_t max_turns,
                          int32_t timeout_ms,
                          int32_t *more,
                          struct hyd_error **error);

/**
 * The descriptor that a loop waits for to become readable, beside its own, before the next
 * hyd_engine_run(). It belongs to the engine: the caller neither reads nor closes it.
 *
 * Errors: HYD_E_INVALID for an engine with threads of its own.
 *
 * Threads: any.
 */
hyd_status hyd_engine_fd(const struct hyd_engine *engine, int32_t *fd, struct hyd_error **error);

/**
 * Tells what the kernel and the limits of this process allow, by starting a small engine and ending
 * it: some milliseconds.
 *
 * Errors: HYD_E_INVALID; HYD_E_CONFIG where not even the fallbacks start.
 *
 * Threads: any.
 */
hyd_status hyd_probe(struct hyd_caps *caps, struct hyd_error **error);

/**
 * The same of an engine that runs.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_engine_caps(const struct hyd_engine *engine,
                           struct hyd_caps *caps,
                           struct hyd_error **error);

/**
 * Text for people: a line for each feature of the kernel, with whether it is used and else why not.
 * `need` is set to the bytes of the text without its NUL. The text is written where `capacity` has
 * room for it and the NUL; call with 0 first to learn the size.
 *
 * Errors: HYD_E_AGAIN when `capacity` is too small, but not 0; `need` is set all the same.
 *
 * Threads: any.
 */
hyd_status hyd_engine_report(const struct hyd_engine *engine,
                             char *text,
                             size_t capacity,
                             size_t *need,
                             struct hyd_error **error);

/**
 * Fills `stats`. Nothing waits for it.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_engine_stats(const struct hyd_engine *engine,
                            struct hyd_stats *stats,
                            struct hyd_error **error);

/**
 * The same of one core, from 0. `cores` is 1; `pool_bytes`, `pool_bytes_lent` and `pool_waiting` are 0, as
 * they are the engine's. What threads that are no core copy is in none of them.
 *
 * Errors: HYD_E_INVALID, also where the engine has no such core; HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_core_stats(const struct hyd_engine *engine,
                          uint32_t core,
                          struct hyd_stats *stats,
                          struct hyd_error **error);

/**
 * The numbers of the engine as OpenMetrics text, to be served to a collector as it is. `need`,
 * `capacity` and the errors are as at hyd_engine_report(); numbers that grow between two calls may need a
 * byte more.
 *
 * Threads: any.
 */
hyd_status hyd_engine_metrics(const struct hyd_engine *engine,
                              char *text,
                              size_t capacity,
                              size_t *need,
                              struct hyd_error **error);

/**
 * Lends a buffer of at least `size` bytes from the pool, without waiting and without memory from
 * anywhere else. Its content is unspecified. The caller releases it.
 *
 * Errors: HYD_E_AGAIN when the pool has no such piece now: release buffers or reap completions;
 * HYD_E_CONFIG when it never has one; HYD_E_INVALID for a size of 0.
 *
 * Threads: any.
 */
hyd_status hyd_buf_lend(const struct hyd_engine *engine,
                        size_t size,
                        struct hyd_buf **buf,
                        struct hyd_error **error);

/**
 * Where a buffer is: its first byte, how many bytes are valid (all that was asked for where it was
 * lent), and how many may be written. Each may be NULL. What came from a GET may be written to as
 * well. The pointer is valid as long as the caller has a reference.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED: the memory is not there in a child.
 *
 * Threads: any.
 */
hyd_status hyd_buf_view(const struct hyd_buf *buf, void **data, size_t *len, size_t *capacity);

/**
 * Adds a reference, which is released by itself.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED; HYD_E_AGAIN at 2^31 references.
 *
 * Threads: any.
 */
hyd_status hyd_buf_retain(const struct hyd_buf *buf);

/**
 * Takes a reference away; NULL is fine. With the last one the handle ends, and the memory goes back
 * to the pool as soon as no request uses it.
 *
 * Errors: HYD_E_HANDLE when there is no reference left; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_buf_release(struct hyd_buf *buf);

/**
 * Makes memory of the caller known to an engine, for requests that name it, and has the kernel pin
 * it, which takes the time of faulting its pages in. `state`, which may be NULL, tells what became of
 * it: HYD_MEM_REGISTERED, or HYD_MEM_UNREGISTERED where the kernel refuses, as by the limit on locked
 * memory (`ulimit -l`); the requests are the same. The memory stays the caller's and must stay mapped
 * until it is unregistered.
 *
 * Memory that somebody else has pinned as well is registered as any other: what a device reads and
 * writes (cudaHostAlloc(), cudaHostRegister(), hipHostMalloc()), what mlock() holds, what is registered
 * with another engine. Of mappings of files, and those that a driver makes of memory of its own, the
 * kernel pins some and refuses others: HYD_MEM_UNREGISTERED then. Bytes are received into them and sent
 * from them as from all memory of the process; with direct:/// the kernel has to reach the pages at least
 * for the time of a read, and where it cannot (EFAULT), file:/// reads the same. Memory that the CPU
 * cannot address (cudaMalloc()) is none of the process: read into pinned memory, and have the device copy
 * from there.
 *
 * Errors: HYD_E_INVALID for NULL, for no bytes and for a length that no memory has.
 *
 * Threads: any.
 */
hyd_status hyd_mem_register(const struct hyd_engine *engine,
                            void *data,
                            size_t len,
                            struct hyd_mem **mem,
                            uint32_t *state,
                            struct hyd_error **error);

/**
 * Forgets memory; NULL is fine. The caller may unmap it then. The kernel lets go of the pages with
 * the next turn of each core that used them.
 *
 * Errors: HYD_E_BUSY while requests use it: reap them first; HYD_E_HANDLE; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_mem_unregister(struct hyd_mem *mem);

/**
 * No options yet; the caller frees them. NULL when there are too many.
 *
 * Threads: any.
 */
struct hyd_options *hyd_options_new(void);

/**
 * Sets one option; both texts end with a NUL. A later value replaces an earlier one.
 *
 * Where the server of S3 is; an s3:// URI that names its server takes no endpoint beside it:
 *
 *     endpoint                        https://host:port instead of AWS_ENDPOINT_URL; http:// is plain;
 *                                     several servers of one store with commas between them, or as
 *                                     http://10.0.0.{1...8}:9000
 *     region                          a name, instead of AWS_REGION
 *     address_style                   path or virtual_host
 *     dual_stack                      true or false: whether AWS is asked by the name with IPv6 addresses;
 *                                     not with an endpoint
 *     fips                            true or false: whether AWS is asked by the name of servers whose TLS
 *                                     is validated by FIPS 140, as that of this library is not; not with
 *                                     an endpoint
 *     endpoint_choice                 least_pending or round_robin: which of several is asked
 *     endpoint_failures               in a row, after which one of several is left alone
 *     endpoint_left_alone_seconds     the first time; twice as long each time it fails again
 *     endpoint_left_alone_max_seconds and never for longer
 *
 * Who signs requests to S3. Keys come before a function of hyd_options_set_credentials(), both before
 * profile and environment, and anonymous goes with neither:
 *
 *     access_key_id                   with secret_access_key, and session_token where the keys are
 *     secret_access_key               temporary; instead of those in the environment
 *     session_token                   of temporary keys
 *     anonymous                       true or false: no request is signed
 *     profile                         a name, instead of AWS_PROFILE, and ahead of keys in the environment;
 *                                     beside keys or a function it gives endpoint and region alone
 *     credentials_refresh_seconds     of all it takes to get new credentials, also of a function
 *
 * How the sources that AWS has are asked, where they are:
 *
 *     credentials_request_seconds     of one request to a service that gives credentials
 *     credentials_metadata_seconds    the same for the metadata service of an instance; the variable
 *                                     AWS_METADATA_SERVICE_TIMEOUT comes before it
 *     credentials_tries               of such a request; for the metadata service the variable
 *                                     AWS_METADATA_SERVICE_NUM_ATTEMPTS comes before it
 *     credentials_process_seconds     of a credential_process
 *     credentials_answer_bytes        of what a service answers or a credential_process writes
 *
 * How TLS is spoken, with S3 and http(s):// stores. Files are PEM, and read when a store is opened; the
 * same may be given as the text itself, and of the two the one that was set last counts:
 *
 *     ca_file                         certificates that are trusted, instead of AWS_CA_BUNDLE and of those
 *     ca_pem                          of the system
 *     client_certificate_file         the chain that is shown to servers that ask for one, with its
 *     client_key_file                 key
 *     client_certificate_pem          the chain as text, up to 1 MiB, as all values
 *     client_key_pem                  its key
 *     tls_min_version                 1.2 or 1.3
 *     tls_handshake_seconds           of a whole handshake
 *
 * Connections of S3 and http(s):// stores:
 *
 *     connections_per_core            open at once
 *     in_order_per_core               objects read at once from a server that ignores ranges
 *     connect_seconds                 of connecting, all addresses together
 *     connect_attempt_delay_ms        after which the next address is tried beside the last one
 *     connect_attempts                addresses that are tried
 *     addresses_seconds               after which a name is asked for again
 *     addresses_kept_seconds          in which an address is used that the name no longer has
 *     address_left_alone_seconds      after it refused or stalled
 *     addresses                       of a name that are known at a time
 *     stall_seconds                   in which no byte moves before a connection is given up
 *     idle_seconds                    after which an idle connection is closed
 *     requests_per_connection         after which a connection is closed
 *     expect_continue_bytes           of a body that is asked for first while in doubt (Expect: 100-continue), or never
 *     expect_continue_ms              in which the server is waited for then
 *     early_answer_ms                 in which a server is heard that refuses a body
 *     redirects                       followed for one object, of http(s):// alone
 *     redirect_origins                whose connections are kept, of http(s):// alone
 *     document_bytes                  of an answer that is no payload: a listing, an error
 *     kept_document_bytes             of the last one, kept by each core for the next
 *     request_head_bytes              of the head of a request, 1 KiB to 1 MiB
 *     answer_head_bytes               of the head of an answer, 1 KiB to 1 MiB
 *     answer_headers                  lines in it, up to 128
 *     interim_heads                   heads of status 1xx before it
 *     chunk_line_bytes                of the line before a chunk of a chunked body
 *     chunk_extension_bytes           of what those lines say besides, in all chunks of a body
 *     trailer_bytes                   of the lines behind the last chunk
 *
 * What S3 and http(s):// stores try again:
 *
 *     tries                           of one request, the first among them
 *     retry_wait_ms                   before the second try at most; twice as long each time
 *     retry_throttled_wait_ms         the same where the server is overloaded
 *     retry_wait_max_ms               and never longer; neither of the two may be
 *     retry_after_max_seconds         that a server can ask for
 *     clock_off_seconds               by which a 403 to HEAD may be off before the clock is taken to be wrong
 *     renewal_wait_seconds            in which a 400 or 403 to HEAD asks for new credentials once at most
 *     pace_least                      requests under way from one core, however often it is overloaded;
 *                                     no more than connections_per_core, which counts where it is less
 *     pace_lowered_to_percent         of the requests under way, when it is
 *     pace_raised_by                  requests, when it is not any more
 *
 * How long the answer to a part of an upload to S3 is waited for before the part is sent once more, as is learnt
 * from answers before:
 *
 *     first_byte_most_ms              where it would be more, all are waited for; or never: nothing is learnt
 *     first_byte_least_ms             it is never less
 *     first_byte_above_mean_ms        nor less than so much above their mean
 *     first_byte_learnt_from          answers that come first; as many as connections, where those are more
 *     first_byte_learnt_percent       of those, that came in the first limit
 *     first_byte_lowered_by_part      of what is above the mean, taken away by each answer: one 64th is 64
 *     first_byte_counted              answers that mean and shares go back to
 *     first_byte_late_in_10000        answers; where more are late, it is raised
 *     first_byte_raised_by_ms         by so much
 *     first_byte_many_late_in_10000   answers; where more are late, it is raised a lot
 *     first_byte_many_raised_by_ms    by so much
 *
 * What goes with the bytes of objects of S3:
 *
 *     request_checksum_calculation    when_supported, when_required or off, instead of the variable
 *                                     AWS_REQUEST_CHECKSUM_CALCULATION
 *     response_checksum_validation    the same for what is read
 *     checksum_algorithm              crc64nvme, crc32c, crc32, sha1, sha256, or md5 (Content-MD5)
 *     checksum_place                  head, trailer, or signed_trailer: every byte is signed
 *     payload_signing                 unsigned, or signed: also what has no checksum behind it, for servers
 *                                     that insist on it
 *     state_dir                       a folder, where it is noted how uploads are carried on
 *     server_copy_whole_bytes         of an object that the server copies in one request
 *     server_copy_part_size           bytes of a part where it does not, 5 MiB to 5 GiB; larger where there
 *                                     would be more than 10,000
 *
 * How transfers of any store are cut:
 *
 *     part_size                       bytes of a part; larger where there would be more than 10,000, smaller
 *                                     where the pool has no room for two
 *     connections                     parts of one transfer under way at once, up to 1024
 *
 * Where the files of file:/// and direct:/// are:
 *
 *     root                            a folder, made by the first write: keys lead beneath it and nowhere
 *                                     else, through no link, and are a/b, never /a, a//b or a/../b. For keys
 *                                     that come from elsewhere
 *
 * Numbers count from 1, but for redirects. What a store cannot use has no effect on it: options of S3 on
 * files, those of TLS on a server that is asked by http://. Options that contradict each other are told
 * by hyd_store_open() as HYD_E_CONFIG.
 *
 * Errors: HYD_E_INVALID for a key that is none, or a value that it cannot have; the message never
 * repeats the value.
 *
 * Threads: any.
 */
hyd_status hyd_options_set(struct hyd_options *options,
                           const char *key,
                           const char *value,
                           struct hyd_error **error);

/**
 * Frees options, and wipes the secrets among them; NULL is fine. Stores that were opened with them
 * keep what they took.
 *
 * Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_options_free(struct hyd_options *options);

/**
 * Has `provide` asked for credentials: before the first request of S3, five minutes before what it
 * gave ends, and once when a server calls that expired. Keys that are set by hyd_options_set() come
 * before it. A status that is not HYD_OK is told by the requests that wait for credentials, as
 * HYD_E_CONFIG; what was given before serves until its end, and the function is asked again after a
 * second, then two, up to a minute. All stores that are opened with these options share what it gives.
 *
 * `release` may be NULL. It is called once `user` is not needed any more: after the options were freed
 * and the stores closed that were opened with them, and what still ran with them has ended.
 *
 * Errors: HYD_E_INVALID where `provide` is NULL; `release` is not called then, nor is it for other
 * errors.
 *
 * Threads: any.
 */
hyd_status hyd_options_set_credentials(struct hyd_options *options,
                                       hyd_credentials_fn provide,
                                       void *user,
                                       hyd_release_fn release,
                                       struct hyd_error **error);

/**
 * Opens the store of a URI, which the caller closes:
 *
 *     s3://bucket            the server that the options or the environment name
 *     s3://host:port/bucket  the server at host:port, over plain HTTP; TLS needs an endpoint
 *     http://host:port       objects of any server, to be read; a key is a path and its query
 *     https://host           the same over TLS
 *     mem://name             memory of this engine, gone with it
 *     file:///               files; a key is a path, absolute or from the working directory, or with the
 *                            option root beneath that
 *     direct:///             the same past the page cache (O_DIRECT)
 *
 * What `options` do not set, S3 reads from the environment now: AWS_ENDPOINT_URL_S3 or
 * AWS_ENDPOINT_URL (https:// for TLS, or http://), AWS_REGION, AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; then from the profile (AWS_PROFILE). Credentials that
 * are not there come by web identity, or from the service of the container or the instance, and are
 * renewed ahead of their end; an endpoint of one's own is asked unsigned where nothing of this is set
 * up. `options` may be NULL, and are not needed after the
 * call. Nothing is asked of a server yet, so a bucket that does not exist is told by the first call.
 *
 * Errors: HYD_E_INVALID for a URI that makes no sense or has a key; HYD_E_CONFIG for settings that
 * make none or contradict each other, and files of TLS that cannot be read; HYD_E_UNSUPPORTED for https:// where the library was built without TLS.
 *
 * Threads: any, also many at once; not while another thread changes the environment.
 */
hyd_status hyd_store_open(const struct hyd_engine *engine,
                          const char *uri,
                          const struct hyd_options *options,
                          struct hyd_store **store,
                          struct hyd_error **error);

/**
 * Writes the URI of an object of a store, with a NUL at its end, as people and messages know it. `need` tells
 * its length without the NUL; with a `capacity` of 0 nothing else is written.
 *
 * Errors: HYD_E_AGAIN where the text does not fit; HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_store_uri(const struct hyd_store *store,
                         const char *key,
                         size_t key_len,
                         char *uri,
                         size_t capacity,
                         size_t *need,
                         struct hyd_error **error);

/**
 * Closes a store; NULL is fine. Calls that run in other threads, requests, writers and listings end
 * as if it were open.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; of two at once, one gets HYD_E_HANDLE.
 */
hyd_status hyd_store_close(struct hyd_store *store);

/**
 * Fills `view` as hyd_put() would have to be told to write another object like it: `content_type`,
 * `metadata` and the others that lie between them; the rest is 0. Texts that nothing was said of are
 * NULL; the others end with a NUL, and are valid until the handle is freed.
 *
 * Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_attributes_view(const struct hyd_attributes *attributes,
                               struct hyd_put_options *view);

/**
 * Frees attributes; NULL is fine. The texts of their views are gone.
 *
 * Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread reads a view of them.
 */
hyd_status hyd_attributes_free(struct hyd_attributes *attributes);

/**
 * Reads a whole object into a buffer of the pool, which the caller releases. One that fits a part
 * comes by one request, from S3 one that fits an eighth of what is free in the pool, too. `options` and
 * `meta` may be NULL.
 *
 * Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_INTEGRITY, HYD_E_DISK, HYD_E_CANCELLED;
 * HYD_E_CONFIG also where the pool has no room for the object.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_get(const struct hyd_store *store,
                   const char *key,
                   size_t key_len,
                   const struct hyd_get_options *options,
                   struct hyd_buf **buf,
                   struct hyd_object_meta *meta,
                   struct hyd_error **error);

/**
 * Fills `dst` with the object's bytes from `offset`, and waits for them. `read_len` tells how many
 * came: fewer than `dst_len` only at the object's end, 0 at or beyond it. The bytes are received
 * straight into `dst`, in several requests if it is large; all come from one version of the object.
 * `dst` belongs to the library until the call returns, which it does only when the kernel is done
 * with the memory. After a failure the content of `dst` is unspecified, and so is what is behind
 * `read_len`: direct I/O reads whole blocks. `options` may be NULL.
 *
 * Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_INTEGRITY, HYD_E_CONFIG, HYD_E_DISK,
 * HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_get_range(const struct hyd_store *store,
                         const char *key,
                         size_t key_len,
                         const struct hyd_get_options *options,
                         uint64_t offset,
                         void *dst,
                         size_t dst_len,
                         size_t *read_len,
                         struct hyd_error **error);

/**
 * Writes an object, and waits until the store has acknowledged it. It becomes visible whole or not
 * at all; an object of that key is replaced. A large one goes in parts. The bytes are sent from where
 * they are, which the library reads during the call only. `options` may be NULL. `meta` may be NULL;
 * else it tells what the store said of the object.
 *
 * Errors: HYD_E_CONDITION, HYD_E_CONFIG, HYD_E_NOT_FOUND (no such bucket), HYD_E_TEMPORARY, HYD_E_DISK,
 * HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store; of two that write one key at once, the last wins.
 */
hyd_status hyd_put(const struct hyd_store *store,
                   const char *key,
                   size_t key_len,
                   const void *data,
                   size_t data_len,
                   const struct hyd_put_options *options,
                   struct hyd_object_meta *meta,
                   struct hyd_error **error);

/**
 * Tells what is known of an object. `options` may be NULL. `attributes` may be NULL; else what is said
 * of the object's content comes there in full, which the caller frees.
 *
 * Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_stat(const struct hyd_store *store,
                    const char *key,
                    size_t key_len,
                    const struct hyd_get_options *options,
                    struct hyd_object_meta *meta,
                    struct hyd_attributes **attributes,
                    struct hyd_error **error);

/**
 * Reads many ranges of one object at the same time, each into memory of its own, and waits for all.
 * The memory belongs to the library until the call returns. Near neighbours of at most 256 KiB each come
 * by one request. Every range tells its own status, but where the store or `ranges` itself is refused.
 * `options` may be NULL.
 *
 * Errors: that of the first range that failed, also as an error object; HYD_E_INVALID where the
 * memory of two ranges overlaps, and then nothing is read.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_get_ranges(const struct hyd_store *store,
                          const char *key,
                          size_t key_len,
                          const struct hyd_get_options *options,
                          struct hyd_range *ranges,
                          size_t count,
                          struct hyd_error **error);

/**
 * The same for ranges of many objects of a store. `options` may be NULL.
 *
 * Errors: as hyd_get_ranges(); with HYD_E_INVALID, also for a key that is no UTF-8 or none of this store,
 * nothing is read.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_get_object_ranges(const struct hyd_store *store,
                                 struct hyd_object_range *ranges,
                                 size_t count,
                                 const struct hyd_ranges_options *options,
                                 struct hyd_error **error);

/**
 * Deletes objects, many at the same time and on S3 up to 1,000 with one request, and waits for all.
 * One that cannot be deleted stops none of the others. `results` has room for the status of each key,
 * or is NULL; it is written on failure too, but not where nothing was deleted for what the arguments are
 * (HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED).
 * A key that is there twice is told of twice what came of it first.
 *
 * Errors: that of the first key that failed, also as an error object: HYD_E_NOT_FOUND where the
 * store tells (S3 does not: there it is success), HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK,
 * HYD_E_CANCELLED. HYD_E_INVALID for a key that is empty or no UTF-8, and then nothing is deleted; of a
 * key that this store cannot have it tells as of any other.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_delete(const struct hyd_store *store,
                      const struct hyd_text *keys,
                      size_t count,
                      hyd_status *results,
                      struct hyd_error **error);

/**
 * Deletes every object whose key begins with `prefix`, while the listing of them goes on, and waits
 * for all; an empty prefix is every object of the store, for files all beneath the working directory. One that cannot be deleted stops none of the
 * others. `told`, which may be NULL, is called during the call alone. `report`, which may be NULL, is
 * written on failure too where objects could not be deleted.
 *
 * Errors: that of the first object that could not be deleted. Where a page of the listing fails, its
 * own: what was found before is deleted, nothing is known of the rest, and `report` is not written.
 * HYD_E_CANCELLED; HYD_E_UNSUPPORTED for a store without listings.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_delete_prefix(const struct hyd_store *store,
                             const char *prefix,
                             size_t prefix_len,
                             hyd_deleted_fn told,
                             void *user,
                             struct hyd_delete_report *report,
                             struct hyd_error **error);

/**
 * Copies an object, also from one store to another of the same engine, and waits until it is there.
 * Inside one S3 the server copies, inside one file system the kernel; else it goes part by part
 * through the pool. It becomes visible whole or not at all. `options`, `meta` and `report` may be
 * NULL; `meta` tells of the copy.
 *
 * Errors: those of reading and of writing; HYD_E_CONDITION; HYD_E_INVALID for an object onto itself and
 * for stores of different engines.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_copy(const struct hyd_store *from_store,
                    const char *from,
                    size_t from_len,
                    const struct hyd_store *to_store,
                    const char *to,
                    size_t to_len,
                    const struct hyd_copy_options *options,
                    struct hyd_object_meta *meta,
                    struct hyd_copy_report *report,
                    struct hyd_error **error);

/**
 * Reads an object into a file, which is there whole or not at all. `path` is absolute, or begins at
 * the working directory. The rest is as at hyd_copy(); `meta` tells of the file.
 *
 * Errors: as hyd_get_range(); HYD_E_DISK also where the disk is full.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_get_to_file(const struct hyd_store *store,
                           const char *key,
                           size_t key_len,
                           const char *path,
                           size_t path_len,
                           const struct hyd_copy_options *options,
                           struct hyd_object_meta *meta,
                           struct hyd_copy_report *report,
                           struct hyd_error **error);

/**
 * Writes an object from a file. `path` is as at hyd_get_to_file(), the rest as at hyd_copy(); `meta`
 * tells of the object.
 *
 * Errors: as hyd_put(); HYD_E_NOT_FOUND also where there is no such file.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_put_from_file(const struct hyd_store *store,
                             const char *key,
                             size_t key_len,
                             const char *path,
                             size_t path_len,
                             const struct hyd_copy_options *options,
                             struct hyd_object_meta *meta,
                             struct hyd_copy_report *report,
                             struct hyd_error **error);

/**
 * Reads two objects, of any two stores of one engine, and compares their checksums part by part. A part
 * that differs is read once more from both. `options` and `report` may be NULL.
 *
 * Errors: HYD_E_INTEGRITY where they differ, with a message that says where; those of reading;
 * HYD_E_INVALID for stores of different engines.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_verify(const struct hyd_store *one_store,
                      const char *one,
                      size_t one_len,
                      const struct hyd_store *other_store,
                      const char *other,
                      size_t other_len,
                      const struct hyd_verify_options *options,
                      struct hyd_verify_report *report,
                      struct hyd_error **error);

/**
 * Lists uploads to keys that begin with `prefix` which were begun and neither completed nor aborted:
 * streams that a process left when it was killed, copies that were kept, and those that run. They are
 * paid for and no listing shows them. The caller closes the listing. Nothing is asked of the server
 * yet.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_uploads_open(const struct hyd_store *store,
                            const char *prefix,
                            size_t prefix_len,
                            struct hyd_uploads **uploads,
                            struct hyd_error **error);

/**
 * The next uploads, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
 * with this listing. Waits for a page of the server where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
 * which the listing is at its end.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_uploads_next(struct hyd_uploads *uploads,
                            struct hyd_upload *entries,
                            size_t max,
                            size_t *count,
                            struct hyd_error **error);

/**
 * Closes a listing of uploads; NULL is fine. The texts of its entries are gone.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread uses entries of it.
 */
hyd_status hyd_uploads_close(struct hyd_uploads *uploads);

/**
 * Throws away an upload that hyd_uploads_next() told of, with all its parts, and waits until the server
 * has. Whoever still writes to it fails.
 *
 * Errors: HYD_E_NOT_FOUND where it was completed or aborted meanwhile; HYD_E_UNSUPPORTED for a store
 * that is not S3; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_upload_abort(const struct hyd_store *store,
                            const char *key,
                            size_t key_len,
                            const char *upload_id,
                            size_t upload_id_len,
                            struct hyd_error **error);

/**
 * Makes the bucket of a store, which was opened by its URI as any other, and waits until it is there.
 * `options` may be NULL.
 *
 * Errors: HYD_E_OTHER where there is one of this name, with the S3 code BucketAlreadyOwnedByYou or
 * BucketAlreadyExists; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_create(const struct hyd_store *store,
                             const struct hyd_bucket_options *options,
                             struct hyd_error **error);

/**
 * Deletes the bucket of a store, which must be empty, and waits until it is gone. `options`, which may
 * be NULL, say who asks. The store stays a handle; what is asked of it gives HYD_E_NOT_FOUND.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_OTHER where there are objects in it, with the S3 code BucketNotEmpty;
 * HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CONFIG,
 * HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_delete(const struct hyd_store *store,
                             const struct hyd_s3_get_options *options,
                             struct hyd_error **error);

/**
 * Asks whether the bucket of a store is there and may be used. `options`, which may be NULL, say who
 * asks. `info` may be NULL.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_CONFIG where it may not be used, of which hyd_error_view may tell the region
 * all the same; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_head(const struct hyd_store *store,
                           const struct hyd_s3_get_options *options,
                           struct hyd_bucket_info *info,
                           struct hyd_error **error);

/**
 * Asks in which region the bucket of a store is, which comes as `region` of `info`, and nothing else:
 * for servers that do not tell it with hyd_bucket_head(). `options`, which may be NULL, say who asks.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_CONFIG where it may not be asked; HYD_E_UNSUPPORTED for a store that is
 * not S3; HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_location(const struct hyd_store *store,
                               const struct hyd_s3_get_options *options,
                               struct hyd_bucket_info *info,
                               struct hyd_error **error);

/**
 * Lists the buckets whose names begin with `prefix` and that are in `region`, a text with a NUL at its
 * end or NULL, of the account that a store of S3 signs for, whatever its own bucket. The caller closes
 * the listing. Nothing is asked of the server yet.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_buckets_open(const struct hyd_store *store,
                            const char *prefix,
                            size_t prefix_len,
                            const char *region,
                            struct hyd_buckets **buckets,
                            struct hyd_error **error);

/**
 * The next buckets, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
 * with this listing. Waits for a page of the server where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
 * which the listing is at its end.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_buckets_next(struct hyd_buckets *buckets,
                            struct hyd_bucket *entries,
                            size_t max,
                            size_t *count,
                            struct hyd_error **error);

/**
 * Closes a listing of buckets; NULL is fine. The texts of its entries are gone.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread uses entries of it.
 */
hyd_status hyd_buckets_close(struct hyd_buckets *buckets);

/**
 * Asks whether the bucket of a store keeps versions: HYD_VERSIONING_*, with the bit HYD_VERSIONING_MFA_DELETE
 * where that is so. `options`, which may be NULL, say who asks.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_versioning_get(const struct hyd_store *store,
                                     const struct hyd_s3_get_options *options,
                                     uint32_t *versioning,
                                     struct hyd_error **error);

/**
 * Has the bucket of a store keep versions from now on, HYD_VERSIONING_ENABLED, or no longer,
 * HYD_VERSIONING_SUSPENDED, with a bit about codes of devices where that is to change, which takes the keys of
 * the account itself. `mfa` is NULL, or serial number and code of a device, with a NUL at the end,
 * where the bucket demands them. `options`, which may be NULL, say who asks.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_bucket_versioning_set(const struct hyd_store *store,
                                     const struct hyd_s3_get_options *options,
                                     uint32_t versioning,
                                     const char *mfa,
                                     struct hyd_error **error);

/**
 * Deletes one version of an object of S3, or a delete marker, for good. hyd_delete() deletes no version:
 * where a bucket keeps them, it puts a marker before them. `version_id` as hyd_versions_next() tells it;
 * `mfa` is NULL, or serial number and code of a device, with a NUL at the end, where the bucket demands
 * them; `flags` are HYD_DELETE_*. `options`, which may be NULL, say who asks and pays.
 *
 * Errors: HYD_E_NOT_FOUND for a bucket that is not there, and where the server tells, a version;
 * HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also without a version;
 * HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_version_delete(const struct hyd_store *store,
                              const char *key,
                              size_t key_len,
                              const char *version_id,
                              size_t version_id_len,
                              const struct hyd_s3_get_options *options,
                              const char *mfa,
                              uint32_t flags,
                              struct hyd_error **error);

/**
 * Lists the versions of objects whose keys begin with `prefix`, and the markers of those that were
 * deleted: by key, and the newest first. `options`, which may be NULL, say who asks and pays. The caller
 * closes the listing. Nothing is asked of the server yet.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_versions_open(const struct hyd_store *store,
                             const char *prefix,
                             size_t prefix_len,
                             const struct hyd_s3_get_options *options,
                             struct hyd_versions **versions,
                             struct hyd_error **error);

/**
 * The next versions, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
 * with this listing. Waits for a page of the server where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
 * which the listing is at its end.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_versions_next(struct hyd_versions *versions,
                             struct hyd_version_entry *entries,
                             size_t max,
                             size_t *count,
                             struct hyd_error **error);

/**
 * Closes a listing of versions; NULL is fine. The texts of its entries are gone.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread uses entries of it.
 */
hyd_status hyd_versions_close(struct hyd_versions *versions);

/**
 * Deletes objects of S3, versions of them or delete markers, up to 1,000 with one request, and waits for
 * all. One that cannot be deleted stops none of the others: `status` of each tells what came of it, on
 * failure too, but not where the arguments make no sense (HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED,
 * HYD_E_UNSUPPORTED) and nothing was asked of the server. `options` may be NULL.
 *
 * Errors: that of the first object that failed, also as an error object: HYD_E_CONDITION where one has
 * another tag than `if_match`; HYD_E_NOT_FOUND where one with `if_match` is not there; HYD_E_CONFIG,
 * HYD_E_TEMPORARY, HYD_E_OTHER, HYD_E_CANCELLED.
 * HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID for a key that is empty or no UTF-8, and then
 * nothing is deleted.
 *
 * Threads: any, also many at once with one store; the objects are the library's until the call returns.
 */
hyd_status hyd_delete_objects(const struct hyd_store *store,
                              struct hyd_delete_object *objects,
                              size_t count,
                              const struct hyd_delete_options *options,
                              struct hyd_error **error);

/**
 * Asks in which parts an object of S3 was uploaded. `total`, which may be NULL, is how many they are, and
 * 0 for one that was uploaded whole. The listing, which the caller closes, has those of which the
 * server keeps checksums: AWS has none of the others. `options`, which may be NULL, name a version, and in
 * `s3` who asks and who pays, and the key of SSE-C.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CONFIG, HYD_E_CANCELLED. Of a server that does not know GetObjectAttributes, what it answers:
 * HYD_E_TEMPORARY (501), HYD_E_OTHER, or HYD_E_INTEGRITY where it sends the object instead.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_parts_open(const struct hyd_store *store,
                          const char *key,
                          size_t key_len,
                          const struct hyd_get_options *options,
                          struct hyd_parts **parts,
                          uint64_t *total,
                          struct hyd_error **error);

/**
 * The next parts, `max` at most, by their numbers; `count` of 0 is the end. Their texts are valid until
 * the next call with this listing. Waits for a page of the server where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
 * which the listing is at its end.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_parts_next(struct hyd_parts *parts,
                          struct hyd_part *entries,
                          size_t max,
                          size_t *count,
                          struct hyd_error **error);

/**
 * Closes a listing of parts; NULL is fine. The texts of its entries are gone.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread uses entries of it.
 */
hyd_status hyd_parts_close(struct hyd_parts *parts);

/**
 * Begins an upload, and waits until the server has; the caller closes the handle, and before that
 * completes the upload or aborts it: its parts are paid for until then. `options`, which may be NULL, say
 * what hyd_put() would be told; a condition in them is looked at when the upload is completed.
 * `checksum_algorithm` is HYD_CHECKSUM_*, which then goes with each part, and may have a bit that says what the
 * server's own covers; or 0 for what the store sends of itself.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND (no such bucket); HYD_E_INVALID,
 * HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_multipart_create(const struct hyd_store *store,
                                const char *key,
                                size_t key_len,
                                const struct hyd_put_options *options,
                                uint32_t checksum_algorithm,
                                struct hyd_multipart **multipart,
                                struct hyd_error **error);

/**
 * A handle for an upload that was begun before, here or elsewhere: hyd_uploads_next() and
 * hyd_multipart_id() tell its id. The rest is as at hyd_multipart_create(), of which what describes the
 * object has no effect any more, and `checksum_algorithm` is the one that the upload was begun with, or 0 if
 * it was begun with none: none goes with its parts then. Nothing is asked of the server yet.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also without a key or an id.
 *
 * Threads: any.
 */
hyd_status hyd_multipart_open(const struct hyd_store *store,
                              const char *key,
                              size_t key_len,
                              const char *upload_id,
                              size_t upload_id_len,
                              const struct hyd_put_options *options,
                              uint32_t checksum_algorithm,
                              struct hyd_multipart **multipart,
                              struct hyd_error **error);

/**
 * Tells the id of an upload, with a NUL behind; it is valid until the handle is closed. `id_len`, which
 * may be NULL, is its length without the NUL.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_multipart_id(const struct hyd_multipart *multipart,
                            const char **id,
                            size_t *id_len);

/**
 * Uploads a part, and waits until the server has it. The bytes are sent from where they are, which the
 * library reads during the call only. All parts but the last have 5 MiB at least. A part of the same number
 * is replaced. `part`, which may be NULL, is what hyd_multipart_complete() wants of it.
 *
 * Errors: HYD_E_INVALID for a number that is none; HYD_E_NOT_FOUND where the upload was completed or
 * aborted; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one upload.
 */
hyd_status hyd_multipart_put(const struct hyd_multipart *multipart,
                             uint32_t number,
                             const void *data,
                             size_t data_len,
                             struct hyd_uploaded_part *part,
                             struct hyd_error **error);

/**
 * Has the server copy an object, or some bytes of it, into a part, and waits until it has. `from_store` is
 * a bucket of S3 in the same engine; the server of the upload looks for a bucket of that name. `source` and
 * `part` may be NULL.
 *
 * Errors: as hyd_multipart_put(); HYD_E_NOT_FOUND also for the object; HYD_E_CONDITION; HYD_E_INVALID also
 * for stores of different engines and for bytes that are none.
 *
 * Threads: any, also many at once with one upload.
 */
hyd_status hyd_multipart_copy(const struct hyd_multipart *multipart,
                              uint32_t number,
                              const struct hyd_store *from_store,
                              const char *from,
                              size_t from_len,
                              const struct hyd_part_source *source,
                              struct hyd_uploaded_part *part,
                              struct hyd_error **error);

/**
 * Throws away an upload with all its parts, and waits until the server has. The handle stays until it is
 * closed.
 *
 * Errors: HYD_E_NOT_FOUND where it was completed or aborted before; HYD_E_TEMPORARY, HYD_E_CONFIG,
 * HYD_E_CANCELLED.
 *
 * Threads: any; a part that another thread uploads at the time may come behind it and stay: abort once more
 * when all have ended.
 */
hyd_status hyd_multipart_abort(const struct hyd_multipart *multipart,
                               struct hyd_error **error);

/**
 * Closes a handle of an upload; NULL is fine. The upload stays as it is: hyd_multipart_open() goes on with
 * it.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread reads the id.
 */
hyd_status hyd_multipart_close(struct hyd_multipart *multipart);

/**
 * Makes the object of the parts, which lie end to end by their numbers, each of them once, and waits until
 * it is there: whole, or not at all. `meta` may be NULL; its size is the sum of the sizes in `parts`, or 0
 * where one of them is 0. The handle stays until it is closed.
 *
 * Errors: HYD_E_INVALID for parts that are none or not in order; HYD_E_CONDITION; HYD_E_NOT_FOUND where the
 * upload was completed or aborted before, also by a try of this call whose answer was lost, so that
 * hyd_stat() has to tell; HYD_E_OTHER where the server refuses the parts, which stay;
 * HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any; of two at once with one upload, one fails.
 */
hyd_status hyd_multipart_complete(const struct hyd_multipart *multipart,
                                  const struct hyd_uploaded_part *parts,
                                  size_t count,
                                  struct hyd_object_meta *meta,
                                  struct hyd_error **error);

/**
 * The same, if the object is what `options` say, which may be NULL: its bytes, its checksum.
 *
 * Errors: as hyd_multipart_complete(); HYD_E_INVALID where the sizes in `parts` say that it is another one, and
 * HYD_E_OTHER or HYD_E_INTEGRITY where the server finds that: the parts stay. HYD_E_INTEGRITY also where the
 * server made it and tells another checksum of it: it is there then.
 *
 * Threads: any; of two at once with one upload, one fails.
 */
hyd_status hyd_multipart_complete_as(const struct hyd_multipart *multipart,
                                     const struct hyd_uploaded_part *parts,
                                     size_t count,
                                     const struct hyd_complete_options *options,
                                     struct hyd_object_meta *meta,
                                     struct hyd_error **error);

/**
 * Lists the parts that the server has of an upload, by their numbers: what is told of them is what
 * hyd_multipart_complete() takes. The caller closes the listing. Nothing is asked of the server yet.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_uploaded_parts_open(const struct hyd_multipart *multipart,
                                   struct hyd_uploaded_parts **parts,
                                   struct hyd_error **error);

/**
 * The next parts, `max` at most; `count` of 0 is the end. They are the caller's, as they name nothing.
 * Waits for a page of the server where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
 * which the listing is at its end: HYD_E_NOT_FOUND where the upload was completed or aborted.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_uploaded_parts_next(struct hyd_uploaded_parts *parts,
                                   struct hyd_uploaded_part *entries,
                                   size_t max,
                                   size_t *count,
                                   struct hyd_error **error);

/**
 * Closes a listing of uploaded parts; NULL is fine.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_uploaded_parts_close(struct hyd_uploaded_parts *parts);

/**
 * Asks for all that S3 says of an object, or with a `part_number` from 1 to HYD_PARTS_MAX of a part of it, as
 * it was uploaded; 0 is the object. The caller frees what is told. `options` and `meta` may be NULL; `meta`
 * is as hyd_stat() has it, and of a part its `size_bytes` is that of the part.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_INVALID,
 * HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED; of a part that is not there what the server answers.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_s3_stat(const struct hyd_store *store,
                       const char *key,
                       size_t key_len,
                       const struct hyd_get_options *options,
                       uint32_t part_number,
                       struct hyd_object_meta *meta,
                       struct hyd_s3_object **object,
                       struct hyd_error **error);

/**
 * Reads one part of an object, as it was uploaded, into a buffer of the pool, which the caller releases. A
 * part with more than `bytes_max` bytes is refused: so much of the pool is taken before it is asked for.
 * `options` and `meta` may be NULL; `size_bytes` of `meta` is that of the part. Its bytes are compared with no
 * checksum: hyd_s3_stat() tells the one that the server has of it.
 *
 * Errors: as hyd_s3_stat(); HYD_E_INVALID also for a `part_number` of 0 and for a part that is larger, or
 * larger than the pool; HYD_E_UNSUPPORTED also from a server that takes no notice of part numbers.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_s3_get_part(const struct hyd_store *store,
                           const char *key,
                           size_t key_len,
                           const struct hyd_get_options *options,
                           uint32_t part_number,
                           size_t bytes_max,
                           struct hyd_buf **buf,
                           struct hyd_object_meta *meta,
                           struct hyd_error **error);

/**
 * Fills `view`, whose texts are valid until the handle is freed.
 *
 * Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_s3_object_info(const struct hyd_s3_object *object, struct hyd_s3_object_view *view);

/**
 * Frees what was told of an object; NULL is fine. The texts of its views are gone.
 *
 * Errors: HYD_E_HANDLE when it was freed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread reads a view of it.
 */
hyd_status hyd_s3_object_free(struct hyd_s3_object *object);

/**
 * Has the server of S3 copy an object of at most 5 GiB in one request, also onto itself: so what is said of an
 * object is changed, its storage class, its encryption. `from_store` is a bucket of S3 in the same engine; the
 * server of `to_store` looks for a bucket of that name. hyd_copy() copies anything anywhere, and needs none of
 * this. `options`, `meta` and `object` may be NULL. `meta` and `object` tell of the copy, but not its size,
 * which is 0 there; the caller frees `object`.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND; HYD_E_CONDITION; HYD_E_INVALID, also
 * for stores of different engines, for what would have no effect, and where the server wants something to be
 * changed of an object that is copied onto itself; HYD_E_OTHER where it refuses otherwise, larger objects among
 * them; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once.
 */
hyd_status hyd_s3_copy(const struct hyd_store *from_store,
                       const char *from,
                       size_t from_len,
                       const struct hyd_store *to_store,
                       const char *to,
                       size_t to_len,
                       const struct hyd_s3_copy_options *options,
                       struct hyd_object_meta *meta,
                       struct hyd_s3_object **object,
                       struct hyd_error **error);

/**
 * Tells more of an object that hyd_s3_list_open(), or HYD_OP_LIST_PAGE with `s3_list`, listed: of that at
 * `index` of those which the last hyd_list_next() gave. Of what is rolled up, and in listings of
 * hyd_list_open(), nothing more is known. The texts of `about` are valid until the next call of
 * hyd_list_next().
 *
 * Errors: HYD_E_INVALID where it gave no such entry; HYD_E_BUSY while another thread is in a call with the list.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_list_about(const struct hyd_list *list,
                          size_t index,
                          struct hyd_s3_about *about,
                          struct hyd_error **error);

/**
 * Tells more of an upload: of that at `index` of those which the last hyd_uploads_next() gave. The texts of
 * `about` are valid until the next call of it.
 *
 * Errors: HYD_E_INVALID where it gave no such upload; HYD_E_BUSY while another thread is in a call with the
 * listing.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_uploads_about(const struct hyd_uploads *uploads,
                             size_t index,
                             struct hyd_s3_about *about,
                             struct hyd_error **error);

/**
 * Tells more of the upload whose parts are listed, as the page said from which hyd_uploaded_parts_next() gave
 * parts last. The texts of `about` are valid until the next call of it.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the listing; HYD_E_INVALID, HYD_E_HANDLE,
 * HYD_E_FORKED.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_uploaded_parts_about(const struct hyd_uploaded_parts *parts,
                                    struct hyd_s3_about *about,
                                    struct hyd_error **error);

/**
 * Tells more of a version: of that at `index` of those which the last hyd_versions_next() gave. The texts of
 * `about` are valid until the next call of it.
 *
 * Errors: as hyd_uploads_about().
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_versions_about(const struct hyd_versions *versions,
                              size_t index,
                              struct hyd_s3_about *about,
                              struct hyd_error **error);

/**
 * Tells whose the buckets are that are listed, as the page said from which hyd_buckets_next() gave buckets
 * last. The texts of `about` are valid until the next call of it.
 *
 * Errors: as hyd_uploaded_parts_about().
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_buckets_about(const struct hyd_buckets *buckets,
                             struct hyd_s3_about *about,
                             struct hyd_error **error);

/**
 * Finds out who signs the requests of a store, asking the source of credentials where none are held.
 *
 * Errors: HYD_E_CONFIG where nobody gives credentials; HYD_E_UNSUPPORTED for a store that is not S3;
 * HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_store_signer(const struct hyd_store *store,
                            struct hyd_signer *signer,
                            struct hyd_error **error);

/**
 * Takes the checksum of bytes; `algorithm` is HYD_CHECKSUM_*.
 *
 * Errors: HYD_E_INVALID, also for an algorithm that is none.
 *
 * Threads: any.
 */
hyd_status hyd_sum_of(uint32_t algorithm,
                      const void *data,
                      size_t len,
                      struct hyd_sum *sum,
                      struct hyd_error **error);

/**
 * Makes the checksum of bytes out of those of its two halves, of which the second has `next_len` bytes. `both`
 * may be one of them.
 *
 * Errors: HYD_E_INVALID where one is no checksum, or they are of two kinds; HYD_E_UNSUPPORTED for SHA-1 and
 * SHA-256, which do not combine.
 *
 * Threads: any.
 */
hyd_status hyd_sum_then(const struct hyd_sum *one,
                        const struct hyd_sum *next,
                        uint64_t next_len,
                        struct hyd_sum *both,
                        struct hyd_error **error);

/**
 * Asks for the tags of an object of S3, which the caller frees. `options`, which may be NULL, name a
 * version, and in `s3` who asks and who pays; nothing else of them is for tags.
 *
 * Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
 * HYD_E_CONFIG, HYD_E_CANCELLED.
 *
 * Threads: any, also many at once with one store.
 */
hyd_status hyd_tags_get(const struct hyd_store *store,
                        const char *key,
                        size_t key_len,
                        const struct hyd_get_options *options,
                        struct hyd_tags **tags,
                        struct hyd_error **error);

/**
 * Where tags are: `count` of them lie end to end at `*pairs`, valid until they are freed.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_tags_view(const struct hyd_tags *tags, const struct hyd_pair **pairs, size_t *count);

/**
 * Frees tags; NULL is fine. Their texts are gone.
 *
 * Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread reads a view of them.
 */
hyd_status hyd_tags_free(struct hyd_tags *tags);

/**
 * Replaces the tags of an object of S3 by `count` others, or with 0 takes all away, and waits until the
 * server has. S3 takes 10. `options` as at hyd_tags_get().
 *
 * Errors: as hyd_tags_get().
 *
 * Threads: any, also many at once with one store; of two that set those of one object at once, the last
 * wins.
 */
hyd_status hyd_tags_set(const struct hyd_store *store,
                        const char *key,
                        size_t key_len,
                        const struct hyd_get_options *options,
                        const struct hyd_pair *tags,
                        size_t count,
                        struct hyd_error **error);

/**
 * Fills `view`, whose texts are valid until the request is freed.
 *
 * Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_presigned_info(const struct hyd_presigned *presigned,
                              struct hyd_presigned_view *view);

/**
 * Frees a presigned request, and wipes it; NULL is fine. Its texts are gone.
 *
 * Errors: HYD_E_HANDLE when it was freed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread reads a view of it.
 */
hyd_status hyd_presigned_free(struct hyd_presigned *presigned);

/**
 * Makes a URL with which anybody can make one request for an object of S3, from now on for
 * `life_seconds` (1 second to 7 days), or until the credentials end. It is a secret for that time.
 * Nothing is asked of the server; blocks where credentials have to be asked for first.
 *
 * `url` has room for `capacity` bytes, and gets the text with a NUL where it fits; `*need` is its
 * length without the NUL. With `capacity` 0, `url` may be NULL, and the length alone is told.
 *
 * Errors: HYD_E_INVALID for a method or a life that is none; HYD_E_AGAIN where the room is too small,
 * and *need is written; HYD_E_CONFIG where there are no credentials; HYD_E_UNSUPPORTED for a store
 * that is not S3.
 *
 * Threads: any.
 */
hyd_status hyd_presign(const struct hyd_store *store,
                       uint32_t method,
                       const char *key,
                       size_t key_len,
                       uint64_t life_seconds,
                       char *url,
                       size_t capacity,
                       size_t *need,
                       struct hyd_error **error);

/**
 * Makes a request as hyd_presign() does, that says more: `options`, which may be NULL. What is said in
 * headers is signed too, and has to be sent with just these values: hyd_presigned_info() tells them
 * beside the URL. The caller frees the request.
 *
 * Errors: as hyd_presign(), but for HYD_E_AGAIN; HYD_E_INVALID also for options that are not of the
 * method.
 *
 * Threads: any.
 */
hyd_status hyd_presign_request(const struct hyd_store *store,
                               uint32_t method,
                               const char *key,
                               size_t key_len,
                               uint64_t life_seconds,
                               const struct hyd_presign_options *options,
                               struct hyd_presigned **presigned,
                               struct hyd_error **error);

/**
 * Lists the keys that begin with `prefix`, in the order of their bytes; the caller closes the list.
 * Where `start_after` is not empty, only keys behind it: whether that which it is rolled up to comes
 * once more is up to the store.
 * `delimiter_char` rolls up keys behind a character, usually '/'; 0 does not. `page_entries` are asked
 * for at a time; 0: 1000. Nothing is asked of the store yet.
 *
 * Errors: HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_list_open(const struct hyd_store *store,
                         const char *prefix,
                         size_t prefix_len,
                         const char *start_after,
                         size_t start_after_len,
                         uint32_t delimiter_char,
                         uint32_t page_entries,
                         struct hyd_list **list,
                         struct hyd_error **error);

/**
 * The next entries, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
 * with this list. Waits for a page of the store where that is needed.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the list; those of the store, after which
 * the list is at its end.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_list_next(struct hyd_list *list,
                         struct hyd_list_entry *entries,
                         size_t max,
                         size_t *count,
                         struct hyd_error **error);

/**
 * What the page behind this one is asked for with, as HYD_OP_LIST_PAGE takes it: text that no NUL
 * ends, valid until the next call with this list. Of length 0 after the last page.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the list.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_list_token(const struct hyd_list *list,
                          const char **token,
                          size_t *token_len,
                          struct hyd_error **error);

/**
 * Closes a list; NULL is fine. The texts of its entries are gone.
 *
 * Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
 *
 * Threads: any; not while another thread uses entries of it.
 */
hyd_status hyd_list_close(struct hyd_list *list);

/**
 * Lists objects of S3 as hyd_list_open() does, with what `options`, which may be NULL, ask for besides:
 * hyd_list_about() tells it of each. The caller closes the list. Nothing is asked of the server yet.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
 *
 * Threads: any.
 */
hyd_status hyd_s3_list_open(const struct hyd_store *store,
                            const char *prefix,
                            size_t prefix_len,
                            const struct hyd_s3_list_options *options,
                            struct hyd_list **list,
                            struct hyd_error **error);

/**
 * Lists uploads as hyd_uploads_open() does. `options`, which may be NULL, say who asks and pays, and what is
 * rolled up: hyd_uploads_next() tells that as an entry whose `upload_id_len` is 0.
 *
 * Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also for flags, which are for objects.
 *
 * Threads: any.
 */
hyd_status hyd_s3_uploads_open(const struct hyd_store *store,
                               const char *prefix,
                               size_t prefix_len,
                               const struct hyd_s3_list_options *options,
                               struct hyd_uploads **uploads,
                               struct hyd_error **error);

/**
 * Lists versions as hyd_versions_open() does. `options`, which may be NULL, say who asks and pays, and what is
 * rolled up: hyd_versions_next() tells that as an entry with HYD_VERSION_PREFIX.
 *
 * Errors: as hyd_s3_uploads_open().
 *
 * Threads: any.
 */
hyd_status hyd_s3_versions_open(const struct hyd_store *store,
                                const char *prefix,
                                size_t prefix_len,
                                const struct hyd_s3_list_options *options,
                                struct hyd_versions **versions,
                                struct hyd_error **error);

/**
 * Opens a stream for an object; the caller finishes or aborts it. Nothing is visible under the key
 * before it is finished. Parts go out while the stream is still written, a bounded number at a time.
 * The functions for writers wait; HYD_OP_WRITE and HYD_OP_FINISH are requests that do not. While such
 * a request is under way, the functions but hyd_writer_abort() give HYD_E_BUSY; where it was cancelled,
 * HYD_E_CANCELLED.
 * `options` may be NULL; conditions in them are looked at when the stream is finished.
 *
 * Errors: HYD_E_INVALID; HYD_E_CONFIG.
 *
 * Threads: any.
 */
hyd_status hyd_writer_open(const struct hyd_store *store,
                           const char *key,
                           size_t key_len,
                           const struct hyd_put_options *options,
                           struct hyd_writer **writer,
                           struct hyd_error **error);

/**
 * Appends bytes, which are the library's until the call returns. `flags` say what becomes of them:
 * HYD_WRITE_COPY or HYD_WRITE_BORROW. Waits while as many parts are under way as the store allows.
 *
 * Errors: the first failure of the upload, from every later call; HYD_E_BUSY while another thread is
 * in a call with the writer.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_write(struct hyd_writer *writer,
                            const void *data,
                            size_t data_len,
                            uint32_t flags,
                            struct hyd_error **error);

/**
 * Appends the first `data_len` bytes of a buffer and takes the buffer over, whatever becomes of the
 * call but for HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED, HYD_E_PANIC, HYD_E_BUSY, and HYD_E_CANCELLED of a
 * stream that misses bytes of a request that was cancelled. A whole part is sent from
 * where it is. Returns without waiting for it to be sent.
 *
 * Errors: as hyd_writer_write(); HYD_E_BUSY also where the buffer has other references.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_give(struct hyd_writer *writer,
                           struct hyd_buf *buf,
                           size_t data_len,
                           struct hyd_error **error);

/**
 * Memory of the pool to produce into, without a copy: `capacity` bytes, up to the end of the part. It
 * is valid until the next call with this writer that is not hyd_writer_reserve(), which gives the
 * same again. Waits for memory.
 *
 * Errors: HYD_E_CONFIG when no memory comes back within the pool's limit; HYD_E_BUSY.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_reserve(struct hyd_writer *writer,
                              void **data,
                              size_t *capacity,
                              struct hyd_error **error);

/**
 * Appends the first `len` bytes of what was reserved. A part that is full goes out.
 *
 * Errors: HYD_E_INVALID for more than was reserved, and then nothing is appended; as
 * hyd_writer_write().
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_commit(struct hyd_writer *writer, size_t len, struct hyd_error **error);

/**
 * Completes the object, and ends the writer, also when it fails: what was uploaded is thrown away
 * then. `meta` may be NULL.
 *
 * Errors: the first failure of the upload; HYD_E_CONDITION; HYD_E_PANIC of an engine that a panic has left
 * unusable, at once; HYD_E_BUSY while another thread is in a call with the writer, which stays then, as it
 * does with HYD_E_INVALID.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_finish(struct hyd_writer *writer,
                             struct hyd_object_meta *meta,
                             struct hyd_error **error);

/**
 * Throws away what was written, waits until the store has, also for parts that are on their way, and ends the
 * writer; NULL is fine.
 *
 * Errors: those of the store that keeps something of it, with a message that says what: an upload, which
 * hyd_uploads_next() tells and hyd_upload_abort() throws away. HYD_E_CANCELLED where nobody knows: a request of
 * the stream was cancelled, or the engine was destroyed. HYD_E_PANIC; HYD_E_HANDLE when it ended before;
 * HYD_E_FORKED. HYD_E_BUSY while another thread is in a call with the writer, or a request has it, which stays
 * then.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_cancel(struct hyd_writer *writer,
                             struct hyd_error **error);

/**
 * Throws away what was written, and ends the writer; NULL is fine. What the store has of it is
 * cleaned up behind the call, and what stays there only the log hears: hyd_writer_cancel() tells. A
 * request of the stream that is under way goes on, completes as always, sooner where hyd_cancel()
 * cancels it, and has its memory until it is reaped; then the rest is thrown away.
 *
 * Errors: HYD_E_HANDLE when it ended before; HYD_E_FORKED; HYD_E_BUSY while another thread is in a
 * call with the writer, which stays then.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_abort(struct hyd_writer *writer);

/**
 * Waits until every part that is full is with the store. What is less than a part stays where it is: a store
 * takes only the last part short.
 *
 * Errors: as hyd_writer_write().
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_flush(struct hyd_writer *writer,
                            struct hyd_error **error);

/**
 * Tells how many bytes a stream has taken, and how many the part that is being filled still lacks. At a
 * part's boundary so many, written in one piece and borrowed or given, are sent without a copy; what completes
 * a part that is begun is copied to what waits of it. Both may be NULL.
 *
 * Errors: HYD_E_BUSY while another thread is in a call with the writer, or a request has it;
 * HYD_E_CANCELLED; HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any, one at a time.
 */
hyd_status hyd_writer_written(struct hyd_writer *writer,
                              uint64_t *written_bytes,
                              uint64_t *next_part_bytes,
                              struct hyd_error **error);

/**
 * Makes a completion queue, which the caller destroys. `depth` is how many requests it takes before
 * their completions are reaped; 0 is 1024.
 *
 * Errors: HYD_E_INVALID above HYD_CQ_DEPTH_MAX; HYD_E_AGAIN when a core has no room for its task;
 * HYD_E_CANCELLED once the engine was destroyed.
 *
 * Threads: any.
 */
hyd_status hyd_cq_create(const struct hyd_engine *engine,
                         uint32_t depth,
                         struct hyd_cq **cq,
                         struct hyd_error **error);

/**
 * An eventfd for poll, epoll and their like: readable while completions wait to be reaped, and after
 * hyd_cq_wake(). It belongs to the queue: the caller neither reads nor closes it.
 *
 * Errors: HYD_E_CONFIG when the process has no descriptors left.
 *
 * Threads: any.
 */
hyd_status hyd_cq_fd(const struct hyd_cq *cq,
                     int32_t *fd,
                     struct hyd_error **error);

/**
 * Reaps completions: waits until there are `min` of them, `timeout_ms` have passed (below 0: no
 * limit) or hyd_cq_wake() was called, and moves up to `max` into `events`, oldest first. `min` of 0
 * never waits. `reaped` tells how many; 0 is no error.
 *
 * What an event carries is the caller's from here on: `buf` to release, `list` to close, `error` to
 * free. What a request named to be filled is filled in this call: its hyd_object_meta, its report, the
 * `status` of each range, the `results` of keys. On the thread that drives
 * the queue's engine, waiting drives it. A `min` above what is under way waits for requests of other
 * threads, for hyd_cq_wake(), or for the time.
 *
 * Errors: HYD_E_INVALID for a `min` above `max` or the queue's depth, which never come at once; HYD_E_HANDLE once the queue was destroyed.
 *
 * Threads: any; several may wait, and each completion goes to one of them.
 */
hyd_status hyd_cq_wait(const struct hyd_cq *cq,
                       struct hyd_event *events,
                       size_t max,
                       size_t min,
                       int32_t timeout_ms,
                       size_t *reaped,
                       struct hyd_error **error);

/**
 * Has one hyd_cq_wait() return, which may be the next one, with what there is.
 *
 * Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any.
 */
hyd_status hyd_cq_wake(const struct hyd_cq *cq);

/**
 * Ends a queue; NULL is fine. Completions that were not reaped are thrown away with what they carry.
 *
 * Errors: HYD_E_BUSY while requests are under way: cancel them, and reap; HYD_E_HANDLE when it was
 * destroyed before; HYD_E_FORKED.
 *
 * Threads: any. Calls that wait in other threads end with HYD_E_HANDLE.
 */
hyd_status hyd_cq_destroy(struct hyd_cq *cq);

/**
 * Submits `count` requests, which lie end to end at `requests`, each with the `struct_size` of the
 * first. They are taken in order up to the first that is refused; `accepted` tells how many were, on
 * failure too. An accepted request completes exactly once on `cq`, a refused one never. `ids` has
 * room for `count` ids for hyd_cancel(), or is NULL.
 *
 * The requests, their texts and options are not needed after the call. The memory for bytes, and whatever is
 * filled (hyd_object_meta, reports, `ranges`, `results`), is the library's until the completion has been
 * reaped, cancelled or not. Requests run at the same time and complete in any order.
 *
 * Errors, of the first that is refused: HYD_E_INVALID, HYD_E_HANDLE; HYD_E_BUSY while somebody else uses
 * the writer; HYD_E_AGAIN when the queue has no room: reap, and submit the rest; HYD_E_CANCELLED once the engine was destroyed.
 *
 * Threads: any, also many at once with one queue.
 */
hyd_status hyd_submit(const struct hyd_store *store,
                      const struct hyd_cq *cq,
                      const struct hyd_request *requests,
                      size_t count,
                      uint64_t *ids,
                      size_t *accepted,
                      struct hyd_error **error);

/**
 * Cancels a request that was submitted to this queue, as far as it goes: its completion comes as
 * always, soon, with HYD_E_CANCELLED or with its result. Until it is reaped, the memory stays the
 * library's. What a cancelled PUT had begun is thrown away, or was there already, whole.
 *
 * Errors: HYD_E_NOT_FOUND when no such request is under way any more, which is no mistake;
 * HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
 *
 * Threads: any. It never waits.
 */
hyd_status hyd_cancel(const struct hyd_cq *cq, uint64_t id);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HYDRANT_H */

/* The ABI of 64-bit Linux; C99 has no static_assert. */
#ifndef HYDRANT_H_SIZES
#define HYDRANT_H_SIZES
typedef char hyd_assert_pointer_size[sizeof(void *) == 8 && sizeof(size_t) == 8 ? 1 : -1];
typedef char hyd_assert_error_view_size[sizeof(hyd_error_view) == 120 ? 1 : -1];
typedef char hyd_assert_engine_config_size[sizeof(hyd_engine_config) == 112 ? 1 : -1];
typedef char hyd_assert_engine_limits_size[sizeof(hyd_engine_limits) == 88 ? 1 : -1];
typedef char hyd_assert_engine_left_size[sizeof(hyd_engine_left) == 16 ? 1 : -1];
typedef char hyd_assert_caps_size[sizeof(hyd_caps) == 80 ? 1 : -1];
typedef char hyd_assert_stats_size[sizeof(hyd_stats) == 280 ? 1 : -1];
typedef char hyd_assert_credentials_size[sizeof(hyd_credentials) == 40 ? 1 : -1];
typedef char hyd_assert_object_meta_size[sizeof(hyd_object_meta) == 472 ? 1 : -1];
typedef char hyd_assert_request_size[sizeof(hyd_request) == 256 ? 1 : -1];
typedef char hyd_assert_put_options_size[sizeof(hyd_put_options) == 112 ? 1 : -1];
typedef char hyd_assert_get_options_size[sizeof(hyd_get_options) == 56 ? 1 : -1];
typedef char hyd_assert_s3_put_options_size[sizeof(hyd_s3_put_options) == 136 ? 1 : -1];
typedef char hyd_assert_s3_get_options_size[sizeof(hyd_s3_get_options) == 24 ? 1 : -1];
typedef char hyd_assert_copy_options_size[sizeof(hyd_copy_options) == 64 ? 1 : -1];
typedef char hyd_assert_copy_report_size[sizeof(hyd_copy_report) == 560 ? 1 : -1];
typedef char hyd_assert_verify_options_size[sizeof(hyd_verify_options) == 32 ? 1 : -1];
typedef char hyd_assert_verify_report_size[sizeof(hyd_verify_report) == 32 ? 1 : -1];
typedef char hyd_assert_delete_report_size[sizeof(hyd_delete_report) == 24 ? 1 : -1];
typedef char hyd_assert_deleted_size[sizeof(hyd_deleted) == 40 ? 1 : -1];
typedef char hyd_assert_upload_size[sizeof(hyd_upload) == 40 ? 1 : -1];
typedef char hyd_assert_event_size[sizeof(hyd_event) == 64 ? 1 : -1];
typedef char hyd_assert_list_entry_size[sizeof(hyd_list_entry) == 56 ? 1 : -1];
typedef char hyd_assert_range_size[sizeof(hyd_range) == 40 ? 1 : -1];
typedef char hyd_assert_object_range_size[sizeof(hyd_object_range) == 56 ? 1 : -1];
typedef char hyd_assert_ranges_options_size[sizeof(hyd_ranges_options) == 40 ? 1 : -1];
typedef char hyd_assert_bucket_options_size[sizeof(hyd_bucket_options) == 88 ? 1 : -1];
typedef char hyd_assert_s3_about_size[sizeof(hyd_s3_about) == 136 ? 1 : -1];
typedef char hyd_assert_s3_list_options_size[sizeof(hyd_s3_list_options) == 40 ? 1 : -1];
typedef char hyd_assert_complete_options_size[sizeof(hyd_complete_options) == 32 ? 1 : -1];
typedef char hyd_assert_sum_size[sizeof(hyd_sum) == 56 ? 1 : -1];
typedef char hyd_assert_signer_size[sizeof(hyd_signer) == 432 ? 1 : -1];
typedef char hyd_assert_bucket_info_size[sizeof(hyd_bucket_info) == 136 ? 1 : -1];
typedef char hyd_assert_presigned_view_size[sizeof(hyd_presigned_view) == 48 ? 1 : -1];
typedef char hyd_assert_presign_options_size[sizeof(hyd_presign_options) == 120 ? 1 : -1];
typedef char hyd_assert_delete_options_size[sizeof(hyd_delete_options) == 24 ? 1 : -1];
typedef char hyd_assert_delete_object_size[sizeof(hyd_delete_object) == 176 ? 1 : -1];
typedef char hyd_assert_part_source_size[sizeof(hyd_part_source) == 32 ? 1 : -1];
typedef char hyd_assert_uploaded_part_size[sizeof(hyd_uploaded_part) == 192 ? 1 : -1];
typedef char hyd_assert_s3_object_view_size[sizeof(hyd_s3_object_view) == 176 ? 1 : -1];
typedef char hyd_assert_s3_copy_options_size[sizeof(hyd_s3_copy_options) == 32 ? 1 : -1];
typedef char hyd_assert_s3_checksum_size[sizeof(hyd_s3_checksum) == 16 ? 1 : -1];
typedef char hyd_assert_bucket_size[sizeof(hyd_bucket) == 40 ? 1 : -1];
#endif

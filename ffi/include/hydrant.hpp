// Hydrant for C++17 and later: hydrant.h with owners, views and results. Header only.
//
// - Every handle has an owner that can be moved and not copied, and ends with it. An error alone can be
//   copied, and then is another handle.
// - What can fail gives a result<T>: std::expected where the library has it (C++23), else a small type
//   with the same names. Nothing here throws; value() of a result without one aborts.
// - Bytes are views: std::span where the library has it (C++20), else a pointer and a length.
// - What a function of hydrant.h says of threads and of memory holds here too: read it there.
//
//     auto engine = hydrant::engine::create();
//     auto store = engine->open("s3://bucket");
//     auto object = store->get("key");
//     if (!object) { std::fprintf(stderr, "%s\n", object.error().message()); return 1; }
//     use(object->bytes());
#ifndef HYDRANT_HPP
#define HYDRANT_HPP

#include <hydrant.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#if __has_include(<version>)
#include <version>
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif
#if defined(__cpp_lib_expected)
#include <expected>
#endif

namespace hydrant {

// ---- Views ---------------------------------------------------------------------------------------

#if defined(__cpp_lib_span)
using bytes_view = std::span<const std::byte>;
using mutable_bytes_view = std::span<std::byte>;
#else
template <class T> class basic_view {
  public:
    constexpr basic_view() noexcept = default;
    constexpr basic_view(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <class U, class = std::enable_if_t<std::is_convertible_v<U (*)[], T (*)[]>>>
    constexpr basic_view(basic_view<U> other) noexcept : data_(other.data()), size_(other.size()) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};
using bytes_view = basic_view<const std::byte>;
using mutable_bytes_view = basic_view<std::byte>;
#endif

// The bytes of a text, or of any memory.
inline bytes_view bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte *>(text.data()), text.size()};
}
inline bytes_view bytes_of(const void *data, std::size_t size) noexcept {
    return {static_cast<const std::byte *>(data), size};
}
inline mutable_bytes_view writable(void *data, std::size_t size) noexcept {
    return {static_cast<std::byte *>(data), size};
}
inline std::string_view text_of(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// ---- Errors and results --------------------------------------------------------------------------

// Why a call failed. A copy lives by itself; it is the status alone where there are too many.
class error {
  public:
    error(hyd_status status, hyd_error *owned) noexcept : status_(status), owned_(owned) {}
    error(const error &other) noexcept : status_(other.status_), owned_(dup(other.owned_.get())) {}
    error(error &&other) noexcept = default;
    error &operator=(const error &other) noexcept {
        error copied(other);
        return *this = std::move(copied);
    }
    error &operator=(error &&other) noexcept = default;
    ~error() = default;
    hyd_status status() const noexcept { return status_; }
    // Operation, object, cause and way out; lives as long as this.
    const char *message() const noexcept {
        return owned_ ? view().message : hyd_status_str(status_);
    }
    bool is_retriable() const noexcept {
        return owned_ && (view().flags & HYD_ERROR_RETRIABLE) != 0;
    }
    hyd_error_view view() const noexcept {
        hyd_error_view view = HYD_ERROR_VIEW_INIT;
        view.message = view.s3_code = view.request_id = "";
        view.host_id = view.region = view.endpoint = "";
        hyd_error_info(owned_.get(), &view);
        return view;
    }

  private:
    static hyd_error *dup(const hyd_error *owned) noexcept {
        hyd_error *copied = nullptr;
        if (owned != nullptr) {
            (void)hyd_error_dup(owned, &copied);
        }
        return copied;
    }
    struct free_error {
        void operator()(hyd_error *error) const noexcept { hyd_error_free(error); }
    };
    hyd_status status_;
    std::unique_ptr<hyd_error, free_error> owned_;
};

#if defined(__cpp_lib_expected)
template <class T> using result = std::expected<T, error>;
using unexpected = std::unexpected<error>;
#else
struct unexpected {
    explicit unexpected(error why) noexcept : why(std::move(why)) {}
    error why;
};

template <class T> class [[nodiscard]] result {
  public:
    result(T value) : value_(std::move(value)) {}
    result(unexpected failed) : error_(std::move(failed.why)) {}
    bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    T &value() & { return must(*this); }
    const T &value() const & { return must(*this); }
    T &&value() && { return std::move(must(*this)); }
    T &operator*() & { return *value_; }
    const T &operator*() const & { return *value_; }
    T &&operator*() && { return std::move(*value_); }
    T *operator->() { return &*value_; }
    const T *operator->() const { return &*value_; }
    hydrant::error &error() & { return *error_; }
    const hydrant::error &error() const & { return *error_; }
    hydrant::error &&error() && { return std::move(*error_); }

  private:
    template <class Self> static auto &must(Self &self) {
        if (!self.has_value()) {
            std::abort();
        }
        return *self.value_;
    }
    std::optional<T> value_;
    std::optional<hydrant::error> error_;
};

template <> class [[nodiscard]] result<void> {
  public:
    result() = default;
    result(unexpected failed) : error_(std::move(failed.why)) {}
    bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const {
        if (!has_value()) {
            std::abort();
        }
    }
    hydrant::error &error() & { return *error_; }
    const hydrant::error &error() const & { return *error_; }
    hydrant::error &&error() && { return std::move(*error_); }

  private:
    std::optional<hydrant::error> error_;
};
#endif

namespace detail {

// Owns a handle; `End` is what ends it.
template <class T, auto End> class owner {
  public:
    owner() noexcept = default;
    explicit owner(T *handle) noexcept : handle_(handle) {}
    owner(owner &&other) noexcept : handle_(other.release()) {}
    owner &operator=(owner &&other) noexcept {
        if (this != &other) {
            reset();
            handle_ = other.release();
        }
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner() { reset(); }

    // For calls of hydrant.h; the handle stays owned.
    T *get() const noexcept { return handle_; }
    // Gives the handle away.
    T *release() noexcept { return std::exchange(handle_, nullptr); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

  protected:
    void reset() noexcept {
        if (handle_ != nullptr) {
            (void)End(release());
        }
    }

  private:
    T *handle_ = nullptr;
};

// Makes a call whose last argument is the place for an error.
template <class Call> result<void> call(Call &&make) {
    hyd_error *owned = nullptr;
    const hyd_status status = make(&owned);
    if (status == HYD_OK) {
        return {};
    }
    return unexpected(error(status, owned));
}

// The same for a call that gives something.
template <class T, class Call, class Wrap> result<T> call(Call &&make, Wrap &&wrap) {
    hyd_error *owned = nullptr;
    const hyd_status status = make(&owned);
    if (status == HYD_OK) {
        return wrap();
    }
    return unexpected(error(status, owned));
}

// The same for a call that writes a text of any length.
template <class Call> result<std::string> text(Call &&make) {
    std::string text(16 * 1024, '\0');
    std::size_t need = 0;
    for (;;) {
        hyd_error *owned = nullptr;
        const hyd_status status = make(text.data(), text.size(), &need, &owned);
        error why(status, owned);
        if (status == HYD_OK) {
            text.resize(need);
            return text;
        }
        if (status != HYD_E_AGAIN || need < text.size()) {
            return unexpected(std::move(why));
        }
        text.resize(need + 1);
    }
}

} // namespace detail

// ---- The library ---------------------------------------------------------------------------------

inline const char *version() noexcept { return hyd_version_string(); }

// What the kernel and the limits of this process allow, asked without an engine.
inline result<hyd_caps> probe() {
    hyd_caps found = HYD_CAPS_INIT;
    return detail::call<hyd_caps>([&](hyd_error **e) { return hyd_probe(&found, e); },
                                  [&] { return found; });
}

// Has `log` told what nobody waits for; it does not throw. False for a level that is none.
inline bool set_log(hyd_log_fn log, void *user = nullptr, std::uint32_t level = HYD_LOG_WARNING) noexcept {
    return hyd_set_log(log, user, level) == HYD_OK;
}

// ---- Owners --------------------------------------------------------------------------------------

using object_meta = hyd_object_meta;

// How objects are written and read, by the fields of hydrant.h.
inline hyd_put_options put_options(const char *content_type = nullptr) noexcept {
    hyd_put_options made = HYD_PUT_OPTIONS_INIT;
    made.content_type = content_type;
    return made;
}
inline hyd_get_options get_options() noexcept { return HYD_GET_OPTIONS_INIT; }
inline hyd_s3_put_options s3_put_options() noexcept { return HYD_S3_PUT_OPTIONS_INIT; }
inline hyd_s3_get_options s3_get_options() noexcept { return HYD_S3_GET_OPTIONS_INIT; }
inline hyd_ranges_options ranges_options() noexcept { return HYD_RANGES_OPTIONS_INIT; }
inline hyd_bucket_options bucket_options() noexcept { return HYD_BUCKET_OPTIONS_INIT; }
inline hyd_copy_options copy_options(std::uint32_t flags = 0) noexcept {
    hyd_copy_options made = HYD_COPY_OPTIONS_INIT;
    made.flags = flags;
    return made;
}
inline hyd_verify_options verify_options() noexcept { return HYD_VERIFY_OPTIONS_INIT; }
inline hyd_presign_options presign_options() noexcept { return HYD_PRESIGN_OPTIONS_INIT; }
inline hyd_delete_options delete_options() noexcept { return HYD_DELETE_OPTIONS_INIT; }
inline hyd_part_source part_source() noexcept { return HYD_PART_SOURCE_INIT; }
inline hyd_s3_copy_options s3_copy_options() noexcept { return HYD_S3_COPY_OPTIONS_INIT; }
inline hyd_s3_list_options s3_list_options() noexcept { return HYD_S3_LIST_OPTIONS_INIT; }
inline hyd_complete_options complete_options() noexcept { return HYD_COMPLETE_OPTIONS_INIT; }
inline hyd_engine_limits engine_limits() noexcept { return HYD_ENGINE_LIMITS_INIT; }
using copy_report = hyd_copy_report;
inline copy_report empty_copy_report() noexcept { return HYD_COPY_REPORT_INIT; }

// The checksum of bytes, HYD_CHECKSUM_*; and of bytes behind others.
inline result<hyd_sum> sum_of(std::uint32_t algorithm, bytes_view bytes) {
    hyd_sum sum = {};
    return detail::call<hyd_sum>(
        [&](hyd_error **e) { return hyd_sum_of(algorithm, bytes.data(), bytes.size(), &sum, e); },
        [&] { return sum; });
}
inline result<hyd_sum> sum_then(const hyd_sum &one, const hyd_sum &next, std::uint64_t next_len) {
    hyd_sum both = {};
    return detail::call<hyd_sum>(
        [&](hyd_error **e) { return hyd_sum_then(&one, &next, next_len, &both, e); }, [&] { return both; });
}

// What is said of an object's content.
class attributes : public detail::owner<hyd_attributes, hyd_attributes_free> {
  public:
    using owner::owner;
    // As another object like it is written; its texts live as long as this.
    hyd_put_options view() const noexcept {
        hyd_put_options said = HYD_PUT_OPTIONS_INIT;
        (void)hyd_attributes_view(get(), &said);
        return said;
    }
};

// A piece of the pool.
class buffer : public detail::owner<hyd_buf, hyd_buf_release> {
  public:
    using owner::owner;
    // What is valid of it.
    bytes_view bytes() const noexcept {
        void *data = nullptr;
        std::size_t size = 0;
        hyd_buf_view(get(), &data, &size, nullptr);
        return bytes_of(data, size);
    }
    // All of it.
    mutable_bytes_view memory() noexcept {
        void *data = nullptr;
        std::size_t capacity = 0;
        hyd_buf_view(get(), &data, nullptr, &capacity);
        return writable(data, capacity);
    }
    // Another reference.
    buffer share() const noexcept {
        return hyd_buf_retain(get()) == HYD_OK ? buffer(get()) : buffer();
    }
};

// Memory of the caller that requests name in `mem`. They are reaped, and this goes, before the memory
// does; one that goes while requests use it stays registered until the engine ends.
class memory : public detail::owner<hyd_mem, hyd_mem_unregister> {
  public:
    memory(hyd_mem *handle, std::uint32_t state) noexcept : owner(handle), state_(state) {}
    // Whether the kernel has pinned it; the requests are the same.
    bool is_pinned() const noexcept { return state_ == HYD_MEM_REGISTERED; }

  private:
    std::uint32_t state_;
};

// A request that carries its own signature.
class presigned : public detail::owner<hyd_presigned, hyd_presigned_free> {
  public:
    using owner::owner;
    // Method, URL, and the headers that have to be sent; its texts live as long as this.
    hyd_presigned_view view() const noexcept {
        hyd_presigned_view view = HYD_PRESIGNED_VIEW_INIT;
        view.method = view.url = "";
        (void)hyd_presigned_info(get(), &view);
        return view;
    }
};

// What a provider gives; the token of keys that are not temporary is empty.
struct credentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;
    // 0 where it is not known when they end.
    std::int64_t expires_unix_s = 0;
};

// Empty, because there are too many or it was moved from, it opens no store: HYD_E_INVALID.
class options : public detail::owner<hyd_options, hyd_options_free> {
  public:
    options() noexcept : owner(hyd_options_new()) {}
    result<void> set(const char *key, const char *value) {
        return detail::call([&](hyd_error **e) { return hyd_options_set(get(), key, value, e); });
    }
    // Has `provide` asked for credentials, as std::optional<credentials>: nothing where it has none now.
    // On a thread of the library; one that throws ends the program.
    template <class Provide> result<void> set_credentials(Provide provide) {
        using held_type = provider<Provide>;
        auto held = std::make_unique<held_type>(held_type{std::move(provide), {}});
        auto done = detail::call([&](hyd_error **e) {
            return hyd_options_set_credentials(get(), held_type::ask, held.get(), held_type::release, e);
        });
        if (done) {
            (void)held.release();
        }
        return done;
    }

  private:
    template <class Provide> struct provider {
        Provide provide;
        // What it gave last, whose texts the library reads.
        std::optional<credentials> given;

        static hyd_status ask(void *user, hyd_credentials *to) noexcept {
            auto &self = *static_cast<provider *>(user);
            self.given = self.provide();
            if (!self.given) {
                return HYD_E_CONFIG;
            }
            to->access_key_id = self.given->access_key_id.c_str();
            to->secret_access_key = self.given->secret_access_key.c_str();
            const auto &token = self.given->session_token;
            to->session_token = token.empty() ? nullptr : token.c_str();
            to->expires_unix_s = self.given->expires_unix_s;
            return HYD_OK;
        }
        static void release(void *user) noexcept { delete static_cast<provider *>(user); }
    };
};

// An object written as a stream. One that is not finished is aborted, also while a request has it: that
// completes all the same, and has its memory until it is reaped.
class writer : public detail::owner<hyd_writer, hyd_writer_abort> {
  public:
    using owner::owner;
    result<void> write(bytes_view bytes, std::uint32_t flags = HYD_WRITE_COPY) {
        return detail::call([&](hyd_error **e) {
            return hyd_writer_write(get(), bytes.data(), bytes.size(), flags, e);
        });
    }
    // Gives a buffer away, which is empty afterwards.
    result<void> write(buffer &&given, std::size_t size) {
        auto done = detail::call(
            [&](hyd_error **e) { return hyd_writer_give(get(), given.get(), size, e); });
        if (done) {
            (void)given.release();
        }
        return done;
    }
    result<mutable_bytes_view> reserve() {
        void *data = nullptr;
        std::size_t capacity = 0;
        return detail::call<mutable_bytes_view>(
            [&](hyd_error **e) { return hyd_writer_reserve(get(), &data, &capacity, e); },
            [&] { return writable(data, capacity); });
    }
    result<void> commit(std::size_t size) {
        return detail::call([&](hyd_error **e) { return hyd_writer_commit(get(), size, e); });
    }
    // Waits until every part that is full is with the store.
    result<void> flush() {
        return detail::call([&](hyd_error **e) { return hyd_writer_flush(get(), e); });
    }
    struct progress {
        std::uint64_t written_bytes;
        // What is still missing of the part that is being filled.
        std::uint64_t next_part_bytes;
    };
    result<progress> written() const {
        progress so_far = {};
        return detail::call<progress>(
            [&](hyd_error **e) {
                return hyd_writer_written(get(), &so_far.written_bytes, &so_far.next_part_bytes, e);
            },
            [&] { return so_far; });
    }
    result<object_meta> finish() {
        object_meta meta = HYD_OBJECT_META_INIT;
        return detail::call<object_meta>(
            [&](hyd_error **e) {
                return ended(hyd_writer_finish(get(), &meta, e));
            },
            [&] { return meta; });
    }
    // Throws away what was written, and waits until the store has; the error says what is left there.
    result<void> cancel() {
        return detail::call([&](hyd_error **e) { return ended(hyd_writer_cancel(get(), e)); });
    }

  private:
    // While a request has the stream, it stays.
    hyd_status ended(hyd_status status) noexcept {
        if (status != HYD_E_BUSY) {
            (void)release();
        }
        return status;
    }
};

// What S3 says besides of what it lists; the views are valid until the next call with the listing.
struct about {
    explicit about(const hyd_s3_about &told) noexcept
        : owner_id(told.owner_id, told.owner_id_len), owner_name(told.owner_name, told.owner_name_len),
          initiator_id(told.initiator_id, told.initiator_id_len),
          initiator_name(told.initiator_name, told.initiator_name_len),
          storage_class(told.storage_class, told.storage_class_len),
          checksum_algorithm(told.checksum_algorithm, told.checksum_algorithm_len),
          checksum_type(told.checksum_type, told.checksum_type_len), restore(told.restore),
          restored_until_unix_s(told.restored_until_unix_s) {}
    std::string_view owner_id;
    std::string_view owner_name;
    std::string_view initiator_id;
    std::string_view initiator_name;
    std::string_view storage_class;
    std::string_view checksum_algorithm;
    std::string_view checksum_type;
    // HYD_RESTORE_*
    std::uint32_t restore;
    std::int64_t restored_until_unix_s;
};

// One line of a listing; the views are valid until the next call with the list.
struct list_entry {
    std::string_view key;
    std::string_view etag;
    std::uint64_t size_bytes;
    std::int64_t modified_unix_ns;
    bool is_prefix;
};

class list : public detail::owner<hyd_list, hyd_list_close> {
  public:
    using owner::owner;
    // Nothing at the end.
    result<std::optional<list_entry>> next() {
        hyd_list_entry entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<list_entry>>(
            [&](hyd_error **e) { return hyd_list_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<list_entry> {
                if (count == 0) {
                    return std::nullopt;
                }
                return list_entry{{entry.key, entry.key_len},
                                  {entry.etag, entry.etag_len},
                                  entry.size_bytes,
                                  entry.modified_unix_ns,
                                  (entry.flags & HYD_ENTRY_PREFIX) != 0};
            });
    }
    // What the next page is asked for with; empty after the last. Valid until the next call with this.
    result<std::string_view> token() const {
        const char *text = nullptr;
        std::size_t size = 0;
        return detail::call<std::string_view>(
            [&](hyd_error **e) { return hyd_list_token(get(), &text, &size, e); },
            [&] { return std::string_view(text, size); });
    }
    // Of the one that next() gave.
    result<hydrant::about> about() const {
        hyd_s3_about told = HYD_S3_ABOUT_INIT;
        return detail::call<hydrant::about>(
            [&](hyd_error **e) { return hyd_list_about(get(), 0, &told, e); }, [&] { return hydrant::about(told); });
    }
};

// An upload that was begun; the views are valid until the next call with the listing.
struct upload {
    std::string_view key;
    std::string_view upload_id;
    std::int64_t initiated_unix_ns;
    // What several keys have in common, and no upload.
    bool is_prefix = false;
};

class uploads : public detail::owner<hyd_uploads, hyd_uploads_close> {
  public:
    using owner::owner;
    // Nothing at the end.
    result<std::optional<upload>> next() {
        hyd_upload entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<upload>>(
            [&](hyd_error **e) { return hyd_uploads_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<upload> {
                if (count == 0) {
                    return std::nullopt;
                }
                return upload{{entry.key, entry.key_len},
                              {entry.upload_id, entry.upload_id_len},
                              entry.initiated_unix_ns,
                              entry.upload_id_len == 0};
            });
    }
    // Of the one that next() gave.
    result<hydrant::about> about() const {
        hyd_s3_about told = HYD_S3_ABOUT_INIT;
        return detail::call<hydrant::about>(
            [&](hyd_error **e) { return hyd_uploads_about(get(), 0, &told, e); }, [&] { return hydrant::about(told); });
    }
};

// A version of an object; the views are valid until the next call with the listing.
struct version_entry {
    std::string_view key;
    std::string_view version_id;
    std::string_view etag;
    std::string_view storage_class;
    std::uint64_t size_bytes;
    std::int64_t modified_unix_ns;
    bool is_latest;
    bool is_delete_marker;
    // What several keys have in common, and no version.
    bool is_prefix;
};

class versions : public detail::owner<hyd_versions, hyd_versions_close> {
  public:
    using owner::owner;
    // Nothing at the end.
    result<std::optional<version_entry>> next() {
        hyd_version_entry entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<version_entry>>(
            [&](hyd_error **e) { return hyd_versions_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<version_entry> {
                if (count == 0) {
                    return std::nullopt;
                }
                return version_entry{{entry.key, entry.key_len},
                                     {entry.version_id, entry.version_id_len},
                                     {entry.etag, entry.etag_len},
                                     {entry.storage_class, entry.storage_class_len},
                                     entry.size_bytes,
                                     entry.modified_unix_ns,
                                     (entry.flags & HYD_VERSION_LATEST) != 0,
                                     (entry.flags & HYD_VERSION_DELETE_MARKER) != 0,
                                     (entry.flags & HYD_VERSION_PREFIX) != 0};
            });
    }
    // Of the one that next() gave.
    result<hydrant::about> about() const {
        hyd_s3_about told = HYD_S3_ABOUT_INIT;
        return detail::call<hydrant::about>(
            [&](hyd_error **e) { return hyd_versions_about(get(), 0, &told, e); }, [&] { return hydrant::about(told); });
    }
};

// A part in which an object was uploaded; the views are valid until the next call with the listing.
struct part {
    std::uint32_t number;
    std::uint64_t size_bytes;
    std::string_view algorithm;
    std::string_view checksum;
};

class parts : public detail::owner<hyd_parts, hyd_parts_close> {
  public:
    parts(hyd_parts *handle, std::uint64_t total) noexcept : owner(handle), total_(total) {}
    // How many they are; 0 for an object that was uploaded whole.
    std::uint64_t total() const noexcept { return total_; }
    // Nothing at the end.
    result<std::optional<part>> next() {
        hyd_part entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<part>>(
            [&](hyd_error **e) { return hyd_parts_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<part> {
                if (count == 0) {
                    return std::nullopt;
                }
                return part{entry.number,
                            entry.size_bytes,
                            {entry.algorithm, entry.algorithm_len},
                            {entry.checksum, entry.checksum_len}};
            });
    }

  private:
    std::uint64_t total_;
};

// The parts that a server has of an upload that is not complete.
class uploaded_parts : public detail::owner<hyd_uploaded_parts, hyd_uploaded_parts_close> {
  public:
    using owner::owner;
    // Nothing at the end.
    result<std::optional<hyd_uploaded_part>> next() {
        hyd_uploaded_part entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<hyd_uploaded_part>>(
            [&](hyd_error **e) { return hyd_uploaded_parts_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<hyd_uploaded_part> {
                if (count == 0) {
                    return std::nullopt;
                }
                return entry;
            });
    }
    // Of the upload, once next() gave a part.
    result<hydrant::about> about() const {
        hyd_s3_about told = HYD_S3_ABOUT_INIT;
        return detail::call<hydrant::about>(
            [&](hyd_error **e) { return hyd_uploaded_parts_about(get(), &told, e); }, [&] { return hydrant::about(told); });
    }
};

class store;

// An upload that is made by hand. Where this goes, the upload stays: complete it, or abort it.
class multipart : public detail::owner<hyd_multipart, hyd_multipart_close> {
  public:
    using owner::owner;
    // With a NUL behind; lives as long as this.
    std::string_view id() const noexcept {
        const char *text = "";
        std::size_t size = 0;
        (void)hyd_multipart_id(get(), &text, &size);
        return {text, size};
    }
    result<hyd_uploaded_part> put(std::uint32_t number, bytes_view bytes) const {
        hyd_uploaded_part part = {};
        return detail::call<hyd_uploaded_part>(
            [&](hyd_error **e) {
                return hyd_multipart_put(get(), number, bytes.data(), bytes.size(), &part, e);
            },
            [&] { return part; });
    }
    // Of an object that the server copies, or of some bytes of it.
    inline result<hyd_uploaded_part> copy(std::uint32_t number, const store &from_store, std::string_view from,
                                          const hyd_part_source &source = part_source()) const;
    result<uploaded_parts> parts() const {
        hyd_uploaded_parts *opened = nullptr;
        return detail::call<uploaded_parts>(
            [&](hyd_error **e) { return hyd_uploaded_parts_open(get(), &opened, e); },
            [&] { return uploaded_parts(opened); });
    }
    result<object_meta> complete(const hyd_uploaded_part *parts, std::size_t count) const {
        object_meta meta = HYD_OBJECT_META_INIT;
        return detail::call<object_meta>(
            [&](hyd_error **e) { return hyd_multipart_complete(get(), parts, count, &meta, e); },
            [&] { return meta; });
    }
    // If it comes to what `options` say.
    result<object_meta> complete(const hyd_uploaded_part *parts, std::size_t count,
                                 const hyd_complete_options &options) const {
        object_meta meta = HYD_OBJECT_META_INIT;
        return detail::call<object_meta>(
            [&](hyd_error **e) {
                return hyd_multipart_complete_as(get(), parts, count, &options, &meta, e);
            },
            [&] { return meta; });
    }
    result<void> abort() const {
        return detail::call([&](hyd_error **e) { return hyd_multipart_abort(get(), e); });
    }
};

// What S3 says of an object.
class s3_object : public detail::owner<hyd_s3_object, hyd_s3_object_free> {
  public:
    using owner::owner;
    // Its texts live as long as this; null where nothing was said.
    hyd_s3_object_view view() const noexcept {
        hyd_s3_object_view view = HYD_S3_OBJECT_VIEW_INIT;
        (void)hyd_s3_object_info(get(), &view);
        return view;
    }
};

// A bucket of the account; the views are valid until the next call with the listing.
struct bucket {
    std::string_view name;
    std::string_view region;
    std::int64_t created_unix_ns;
};

class buckets : public detail::owner<hyd_buckets, hyd_buckets_close> {
  public:
    using owner::owner;
    // Nothing at the end.
    result<std::optional<bucket>> next() {
        hyd_bucket entry = {};
        std::size_t count = 0;
        return detail::call<std::optional<bucket>>(
            [&](hyd_error **e) { return hyd_buckets_next(get(), &entry, 1, &count, e); },
            [&]() -> std::optional<bucket> {
                if (count == 0) {
                    return std::nullopt;
                }
                return bucket{{entry.name, entry.name_len},
                              {entry.region, entry.region_len},
                              entry.created_unix_ns};
            });
    }
    // Of the account, once next() gave a bucket.
    result<hydrant::about> about() const {
        hyd_s3_about told = HYD_S3_ABOUT_INIT;
        return detail::call<hydrant::about>(
            [&](hyd_error **e) { return hyd_buckets_about(get(), &told, e); }, [&] { return hydrant::about(told); });
    }
};

// The tags of an object of S3; the views live as long as this.
class tags : public detail::owner<hyd_tags, hyd_tags_free> {
  public:
    using owner::owner;
    std::size_t size() const noexcept { return view().second; }
    const hyd_pair *begin() const noexcept { return view().first; }
    const hyd_pair *end() const noexcept { return begin() + size(); }

  private:
    std::pair<const hyd_pair *, std::size_t> view() const noexcept {
        const hyd_pair *first = nullptr;
        std::size_t count = 0;
        (void)hyd_tags_view(get(), &first, &count);
        return {first, count};
    }
};

class store : public detail::owner<hyd_store, hyd_store_close> {
  public:
    using owner::owner;
    // A whole object.
    result<buffer> get(std::string_view key, object_meta *meta = nullptr,
                       const hyd_get_options &options = get_options()) const {
        hyd_buf *buf = nullptr;
        return detail::call<buffer>(
            [&](hyd_error **e) {
                return hyd_get(handle(), key.data(), key.size(), &options, &buf, meta, e);
            },
            [&] { return buffer(buf); });
    }
    // How many bytes came; fewer than asked for at the object's end only.
    result<std::size_t> get_range(std::string_view key, std::uint64_t offset,
                                  mutable_bytes_view to,
                                  const hyd_get_options &options = get_options()) const {
        std::size_t count = 0;
        return detail::call<std::size_t>(
            [&](hyd_error **e) {
                return hyd_get_range(handle(), key.data(), key.size(), &options, offset, to.data(),
                                     to.size(), &count, e);
            },
            [&] { return count; });
    }
    // Many ranges of one object, or of many; each says what came of it.
    result<void> get_ranges(std::string_view key, hyd_range *ranges, std::size_t count,
                            const hyd_get_options &options = get_options()) const {
        return detail::call([&](hyd_error **e) {
            return hyd_get_ranges(handle(), key.data(), key.size(), &options, ranges, count, e);
        });
    }
    result<void> get_ranges(hyd_object_range *ranges, std::size_t count,
                            const hyd_ranges_options &options = ranges_options()) const {
        return detail::call([&](hyd_error **e) {
            return hyd_get_object_ranges(handle(), ranges, count, &options, e);
        });
    }
    result<object_meta> put(std::string_view key, bytes_view bytes,
                            const char *content_type = nullptr) const {
        return put(key, bytes, put_options(content_type));
    }
    result<object_meta> put(std::string_view key, bytes_view bytes,
                            const hyd_put_options &options) const {
        return with_meta([&](object_meta *meta, hyd_error **e) {
            return hyd_put(handle(), key.data(), key.size(), bytes.data(), bytes.size(), &options, meta,
                           e);
        });
    }
    result<object_meta> stat(std::string_view key, const hyd_get_options &options = get_options(),
                             attributes *said = nullptr) const {
        hyd_attributes *told = nullptr;
        return with_meta(
            [&](object_meta *meta, hyd_error **e) {
                return hyd_stat(handle(), key.data(), key.size(), &options, meta,
                                said != nullptr ? &told : nullptr, e);
            },
            [&] {
                if (said != nullptr) {
                    *said = attributes(told);
                }
            });
    }
    result<void> remove(std::string_view key) const {
        const hyd_text text = {key.data(), key.size()};
        return detail::call(
            [&](hyd_error **e) { return hyd_delete(handle(), &text, 1, nullptr, e); });
    }
    // Many of them; `results`, where it is not null, has the status of each.
    result<void> remove(const hyd_text *keys, std::size_t count, hyd_status *results = nullptr) const {
        return detail::call(
            [&](hyd_error **e) { return hyd_delete(handle(), keys, count, results, e); });
    }
    // Objects of S3, versions or markers, each with its own outcome.
    result<void> remove_objects(hyd_delete_object *objects, std::size_t count,
                                const hyd_delete_options &options = delete_options()) const {
        return detail::call([&](hyd_error **e) {
            return hyd_delete_objects(handle(), objects, count, &options, e);
        });
    }
    // Every object whose key begins so. `report` is written on failure too where objects could not be
    // deleted.
    result<void> remove_prefix(std::string_view prefix, hyd_delete_report *report = nullptr,
                               hyd_deleted_fn told = nullptr, void *user = nullptr) const {
        return detail::call([&](hyd_error **e) {
            return hyd_delete_prefix(handle(), prefix.data(), prefix.size(), told, user, report, e);
        });
    }
    result<object_meta> copy(std::string_view from, const store &target, std::string_view to,
                             const hyd_copy_options &options = copy_options(),
                             copy_report *report = nullptr) const {
        return with_meta([&](object_meta *meta, hyd_error **e) {
            return hyd_copy(handle(), from.data(), from.size(), target.handle(), to.data(), to.size(),
                            &options, meta, report, e);
        });
    }
    result<object_meta> get_to_file(std::string_view key, std::string_view path,
                                    const hyd_copy_options &options = copy_options(),
                                    copy_report *report = nullptr) const {
        return with_meta([&](object_meta *meta, hyd_error **e) {
            return hyd_get_to_file(handle(), key.data(), key.size(), path.data(), path.size(), &options,
                                   meta, report, e);
        });
    }
    result<object_meta> put_from_file(std::string_view key, std::string_view path,
                                      const hyd_copy_options &options = copy_options(),
                                      copy_report *report = nullptr) const {
        return with_meta([&](object_meta *meta, hyd_error **e) {
            return hyd_put_from_file(handle(), key.data(), key.size(), path.data(), path.size(),
                                     &options, meta, report, e);
        });
    }
    // Whether both are the same bytes; else HYD_E_INTEGRITY.
    result<hyd_verify_report> verify(std::string_view one, const store &other_store,
                                     std::string_view other,
                                     const hyd_verify_options &options = verify_options()) const {
        hyd_verify_report report = HYD_VERIFY_REPORT_INIT;
        return detail::call<hyd_verify_report>(
            [&](hyd_error **e) {
                return hyd_verify(handle(), one.data(), one.size(), other_store.handle(), other.data(),
                                  other.size(), &options, &report, e);
            },
            [&] { return report; });
    }
    result<hydrant::uploads> uploads(std::string_view prefix = {}) const {
        hyd_uploads *opened = nullptr;
        return detail::call<hydrant::uploads>(
            [&](hyd_error **e) {
                return hyd_uploads_open(handle(), prefix.data(), prefix.size(), &opened, e);
            },
            [&] { return hydrant::uploads(opened); });
    }
    result<hydrant::uploads> uploads(std::string_view prefix, const hyd_s3_list_options &options) const {
        hyd_uploads *opened = nullptr;
        return detail::call<hydrant::uploads>(
            [&](hyd_error **e) {
                return hyd_s3_uploads_open(handle(), prefix.data(), prefix.size(), &options, &opened, e);
            },
            [&] { return hydrant::uploads(opened); });
    }
    result<void> abort_upload(const upload &begun) const {
        return detail::call([&](hyd_error **e) {
            return hyd_upload_abort(handle(), begun.key.data(), begun.key.size(),
                                    begun.upload_id.data(), begun.upload_id.size(), e);
        });
    }
    // The bucket of this store of S3.
    result<void> create_bucket(const hyd_bucket_options &options = bucket_options()) const {
        return detail::call([&](hyd_error **e) { return hyd_bucket_create(handle(), &options, e); });
    }
    result<void> remove_bucket(const hyd_s3_get_options &options = s3_get_options()) const {
        return detail::call([&](hyd_error **e) { return hyd_bucket_delete(handle(), &options, e); });
    }
    result<hyd_bucket_info> stat_bucket(const hyd_s3_get_options &options = s3_get_options()) const {
        hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
        return detail::call<hyd_bucket_info>(
            [&](hyd_error **e) { return hyd_bucket_head(handle(), &options, &info, e); },
            [&] { return info; });
    }
    // Where it is, as `region`, and nothing else.
    result<hyd_bucket_info> locate_bucket(const hyd_s3_get_options &options = s3_get_options()) const {
        hyd_bucket_info info = HYD_BUCKET_INFO_INIT;
        return detail::call<hyd_bucket_info>(
            [&](hyd_error **e) { return hyd_bucket_location(handle(), &options, &info, e); },
            [&] { return info; });
    }
    // Whether it keeps versions: HYD_VERSIONING_*.
    result<std::uint32_t> versioning(const hyd_s3_get_options &options = s3_get_options()) const {
        std::uint32_t told = HYD_VERSIONING_NEVER;
        return detail::call<std::uint32_t>(
            [&](hyd_error **e) { return hyd_bucket_versioning_get(handle(), &options, &told, e); },
            [&] { return told; });
    }
    result<void> set_versioning(std::uint32_t versioning, const char *mfa = nullptr,
                                const hyd_s3_get_options &options = s3_get_options()) const {
        return detail::call([&](hyd_error **e) {
            return hyd_bucket_versioning_set(handle(), &options, versioning, mfa, e);
        });
    }
    result<hydrant::versions> versions(std::string_view prefix = {},
                                       const hyd_s3_get_options &options = s3_get_options()) const {
        hyd_versions *opened = nullptr;
        return detail::call<hydrant::versions>(
            [&](hyd_error **e) {
                return hyd_versions_open(handle(), prefix.data(), prefix.size(), &options, &opened, e);
            },
            [&] { return hydrant::versions(opened); });
    }
    result<hydrant::versions> versions(std::string_view prefix, const hyd_s3_list_options &options) const {
        hyd_versions *opened = nullptr;
        return detail::call<hydrant::versions>(
            [&](hyd_error **e) {
                return hyd_s3_versions_open(handle(), prefix.data(), prefix.size(), &options, &opened, e);
            },
            [&] { return hydrant::versions(opened); });
    }
    // For good; `flags` are HYD_DELETE_*.
    result<void> remove_version(std::string_view key, std::string_view version_id,
                                const hyd_s3_get_options &options = s3_get_options(),
                                const char *mfa = nullptr, std::uint32_t flags = 0) const {
        return detail::call([&](hyd_error **e) {
            return hyd_version_delete(handle(), key.data(), key.size(), version_id.data(), version_id.size(),
                                      &options, mfa, flags, e);
        });
    }
    result<hydrant::parts> parts(std::string_view key, const hyd_get_options &options = get_options()) const {
        hyd_parts *opened = nullptr;
        std::uint64_t total = 0;
        return detail::call<hydrant::parts>(
            [&](hyd_error **e) {
                return hyd_parts_open(handle(), key.data(), key.size(), &options, &opened, &total, e);
            },
            [&] { return hydrant::parts(opened, total); });
    }
    // An upload by hand; `algorithm` is HYD_CHECKSUM_*, of its parts.
    result<multipart> begin_multipart(std::string_view key, const hyd_put_options &options = put_options(),
                                      std::uint32_t algorithm = 0) const {
        hyd_multipart *begun = nullptr;
        return detail::call<multipart>(
            [&](hyd_error **e) {
                return hyd_multipart_create(handle(), key.data(), key.size(), &options, algorithm, &begun, e);
            },
            [&] { return multipart(begun); });
    }
    // One that was begun before.
    result<multipart> open_multipart(std::string_view key, std::string_view upload_id,
                                     const hyd_put_options &options = put_options(),
                                     std::uint32_t algorithm = 0) const {
        hyd_multipart *opened = nullptr;
        return detail::call<multipart>(
            [&](hyd_error **e) {
                return hyd_multipart_open(handle(), key.data(), key.size(), upload_id.data(),
                                          upload_id.size(), &options, algorithm, &opened, e);
            },
            [&] { return multipart(opened); });
    }
    // All that S3 says of an object, or of a part of it.
    result<s3_object> stat_s3(std::string_view key, const hyd_get_options &options = get_options(),
                              std::uint32_t part_number = 0, object_meta *meta = nullptr) const {
        hyd_s3_object *told = nullptr;
        return detail::call<s3_object>(
            [&](hyd_error **e) {
                return hyd_s3_stat(handle(), key.data(), key.size(), &options, part_number, meta, &told, e);
            },
            [&] { return s3_object(told); });
    }
    // A copy that the server makes, with all that it can be told.
    result<s3_object> copy_s3(std::string_view from, const store &target, std::string_view to,
                              const hyd_s3_copy_options &options = s3_copy_options(),
                              object_meta *meta = nullptr) const {
        hyd_s3_object *told = nullptr;
        return detail::call<s3_object>(
            [&](hyd_error **e) {
                return hyd_s3_copy(handle(), from.data(), from.size(), target.handle(), to.data(), to.size(),
                                   &options, meta, &told, e);
            },
            [&] { return s3_object(told); });
    }
    // As people and messages know an object.
    result<std::string> uri_of(std::string_view key) const {
        std::string text;
        return detail::call<std::string>(
            [&](hyd_error **e) {
                std::size_t need = 0;
                const hyd_status measured =
                    hyd_store_uri(handle(), key.data(), key.size(), nullptr, 0, &need, e);
                if (measured != HYD_OK) {
                    return measured;
                }
                text.resize(need + 1);
                const hyd_status written =
                    hyd_store_uri(handle(), key.data(), key.size(), text.data(), text.size(), &need, e);
                text.resize(need);
                return written;
            },
            [&] { return std::move(text); });
    }
    // Who signs.
    result<hyd_signer> signer() const {
        hyd_signer told = HYD_SIGNER_INIT;
        return detail::call<hyd_signer>(
            [&](hyd_error **e) { return hyd_store_signer(handle(), &told, e); }, [&] { return told; });
    }
    // A part of an object, as it was uploaded.
    result<buffer> get_part(std::string_view key, std::uint32_t part_number, std::size_t bytes_max,
                            const hyd_get_options &options = get_options(), object_meta *meta = nullptr) const {
        hyd_buf *buf = nullptr;
        return detail::call<buffer>(
            [&](hyd_error **e) {
                return hyd_s3_get_part(handle(), key.data(), key.size(), &options, part_number, bytes_max,
                                       &buf, meta, e);
            },
            [&] { return buffer(buf); });
    }
    // Those of the account.
    result<hydrant::buckets> buckets(std::string_view prefix = {}, const char *region = nullptr) const {
        hyd_buckets *opened = nullptr;
        return detail::call<hydrant::buckets>(
            [&](hyd_error **e) {
                return hyd_buckets_open(handle(), prefix.data(), prefix.size(), region, &opened, e);
            },
            [&] { return hydrant::buckets(opened); });
    }
    result<hydrant::tags> tags(std::string_view key, const hyd_get_options &options = get_options()) const {
        hyd_tags *told = nullptr;
        return detail::call<hydrant::tags>(
            [&](hyd_error **e) {
                return hyd_tags_get(handle(), key.data(), key.size(), &options, &told, e);
            },
            [&] { return hydrant::tags(told); });
    }
    // None takes them all away.
    result<void> set_tags(std::string_view key, const hyd_pair *tags, std::size_t count,
                          const hyd_get_options &options = get_options()) const {
        return detail::call([&](hyd_error **e) {
            return hyd_tags_set(handle(), key.data(), key.size(), &options, tags, count, e);
        });
    }
    // A request that anybody can make for `life_seconds`; HYD_PRESIGN_*.
    result<presigned> presign(std::uint32_t method, std::string_view key, std::uint64_t life_seconds,
                              const hyd_presign_options &options = presign_options()) const {
        hyd_presigned *made = nullptr;
        return detail::call<presigned>(
            [&](hyd_error **e) {
                return hyd_presign_request(handle(), method, key.data(), key.size(), life_seconds,
                                           &options, &made, e);
            },
            [&] { return presigned(made); });
    }
    result<hydrant::list> list(std::string_view prefix, char32_t delimiter = 0,
                               std::string_view start_after = {}) const {
        hyd_list *opened = nullptr;
        return detail::call<hydrant::list>(
            [&](hyd_error **e) {
                return hyd_list_open(handle(), prefix.data(), prefix.size(), start_after.data(),
                                     start_after.size(), delimiter, 0, &opened, e);
            },
            [&] { return hydrant::list(opened); });
    }
    result<hydrant::list> list(std::string_view prefix, const hyd_s3_list_options &options) const {
        hyd_list *opened = nullptr;
        return detail::call<hydrant::list>(
            [&](hyd_error **e) {
                return hyd_s3_list_open(handle(), prefix.data(), prefix.size(), &options, &opened, e);
            },
            [&] { return hydrant::list(opened); });
    }
    result<writer> write(std::string_view key, const char *content_type = nullptr) const {
        return write(key, put_options(content_type));
    }
    result<writer> write(std::string_view key, const hyd_put_options &options) const {
        hyd_writer *opened = nullptr;
        return detail::call<writer>(
            [&](hyd_error **e) {
                return hyd_writer_open(handle(), key.data(), key.size(), &options, &opened, e);
            },
            [&] { return writer(opened); });
    }
    // For calls of hydrant.h; `get` is what a store does.
    hyd_store *handle() const noexcept { return owner::get(); }

  private:
    template <class Call> static result<object_meta> with_meta(Call &&make) {
        return with_meta(std::forward<Call>(make), [] {});
    }
    template <class Call, class Then>
    static result<object_meta> with_meta(Call &&make, Then &&then) {
        object_meta meta = HYD_OBJECT_META_INIT;
        return detail::call<object_meta>([&](hyd_error **e) { return make(&meta, e); },
                                         [&] {
                                             then();
                                             return meta;
                                         });
    }
};

result<hyd_uploaded_part> multipart::copy(std::uint32_t number, const store &from_store, std::string_view from,
                                          const hyd_part_source &source) const {
    hyd_uploaded_part part = {};
    return detail::call<hyd_uploaded_part>(
        [&](hyd_error **e) {
            return hyd_multipart_copy(get(), number, from_store.handle(), from.data(), from.size(), &source,
                                      &part, e);
        },
        [&] { return part; });
}

// One completion, with what it carries.
class completion {
  public:
    explicit completion(const hyd_event &event) noexcept
        : event_(event), buffer_(event.buf), list_(event.list), error_(event.status, event.error) {}
    std::uint64_t user_data() const noexcept { return event_.user_data; }
    std::uint64_t id() const noexcept { return event_.id; }
    std::uint64_t bytes() const noexcept { return event_.bytes; }
    bool ok() const noexcept { return event_.status == HYD_OK; }
    explicit operator bool() const noexcept { return ok(); }
    const hydrant::error &error() const noexcept { return error_; }
    hydrant::buffer &buffer() noexcept { return buffer_; }
    hydrant::list &list() noexcept { return list_; }

  private:
    hyd_event event_;
    hydrant::buffer buffer_;
    hydrant::list list_;
    hydrant::error error_;
};

// A request for `op` on `key`; the other fields are set by name. Its texts are not copied.
inline hyd_request request(hyd_op op, std::string_view key, std::uint64_t user_data = 0) noexcept {
    hyd_request made = HYD_REQUEST_INIT;
    made.op = op;
    made.user_data = user_data;
    made.key = key.data();
    made.key_len = key.size();
    return made;
}

// Requests for a stream, one of them under way at a time. The bytes are lent until it was reaped; a
// writer that is finished has gone, if the request is accepted.
inline hyd_request write_request(const writer &to, bytes_view bytes,
                                 std::uint64_t user_data = 0) noexcept {
    hyd_request made = HYD_REQUEST_INIT;
    made.op = HYD_OP_WRITE;
    made.user_data = user_data;
    made.writer = to.get();
    made.data = const_cast<std::byte *>(bytes.data());
    made.data_len = bytes.size();
    return made;
}
inline hyd_request finish_request(const writer &of, std::uint64_t user_data = 0) noexcept {
    hyd_request made = HYD_REQUEST_INIT;
    made.op = HYD_OP_FINISH;
    made.user_data = user_data;
    made.writer = of.get();
    return made;
}

// A completion queue. Nothing may be under way when it goes: cancel and reap before.
class queue : public detail::owner<hyd_cq, hyd_cq_destroy> {
  public:
    using owner::owner;
    // How many of the batch were accepted: all of it, or as many as there was room for.
    result<std::size_t> submit(const store &store, const hyd_request *requests, std::size_t count,
                               std::uint64_t *ids = nullptr) {
        std::size_t accepted = 0;
        hyd_error *owned = nullptr;
        const hyd_status status =
            hyd_submit(store.handle(), get(), requests, count, ids, &accepted, &owned);
        error why(status, owned);
        if (status == HYD_OK || status == HYD_E_AGAIN || accepted > 0) {
            return accepted;
        }
        return unexpected(std::move(why));
    }
    result<void> submit(const store &store, const hyd_request &request, std::uint64_t *id = nullptr) {
        return detail::call([&](hyd_error **e) {
            return hyd_submit(store.handle(), get(), &request, 1, id, nullptr, e);
        });
    }
    // Calls `each` with every completion that is reaped, 64 at most; tells how many they were. Where
    // `each` throws, the others that were reaped are dropped.
    template <class Each>
    result<std::size_t> wait(Each &&each, std::size_t min = 1, std::int32_t timeout_ms = -1) {
        hyd_event events[64];
        std::size_t count = 0;
        auto waited = detail::call([&](hyd_error **e) {
            return hyd_cq_wait(get(), events, 64, min, timeout_ms, &count, e);
        });
        if (!waited) {
            return unexpected(error(waited.error().status(), nullptr));
        }
        // What `each` leaves by throwing is let go all the same.
        reaped left{events, events + count};
        while (left.next != left.end) {
            completion done(*left.next++);
            each(done);
        }
        return count;
    }
    // Readable while completions wait.
    result<int> descriptor() {
        std::int32_t fd = -1;
        return detail::call<int>([&](hyd_error **e) { return hyd_cq_fd(get(), &fd, e); },
                                 [&] { return static_cast<int>(fd); });
    }
    // Whether such a request was under way.
    bool cancel(std::uint64_t id) noexcept { return hyd_cancel(get(), id) == HYD_OK; }
    void wake() noexcept { (void)hyd_cq_wake(get()); }

  private:
    // Events that nobody has yet; what they carry goes with this.
    struct reaped {
        hyd_event *next;
        hyd_event *end;
        ~reaped() {
            while (next != end) {
                completion dropped(*next++);
            }
        }
    };
};

class engine : public detail::owner<hyd_engine, hyd_engine_destroy> {
  public:
    using owner::owner;
    static hyd_engine_config default_config() noexcept { return HYD_ENGINE_CONFIG_INIT; }
    static result<engine> create(const hyd_engine_config &config = default_config()) {
        hyd_engine *created = nullptr;
        return detail::call<engine>(
            [&](hyd_error **e) { return hyd_engine_create(&config, &created, e); },
            [&] { return engine(created); });
    }
    result<store> open(const char *uri) const { return open_with(uri, nullptr); }
    result<store> open(const char *uri, const options &options) const {
        // Without its handle it would be opened as if nothing had been asked for.
        if (!options) {
            return unexpected(error(HYD_E_INVALID, nullptr));
        }
        return open_with(uri, options.get());
    }
    result<queue> make_queue(std::uint32_t depth = 0) const {
        hyd_cq *made = nullptr;
        return detail::call<queue>(
            [&](hyd_error **e) { return hyd_cq_create(get(), depth, &made, e); },
            [&] { return queue(made); });
    }
    result<buffer> lend(std::size_t size) const {
        hyd_buf *lent = nullptr;
        return detail::call<buffer>(
            [&](hyd_error **e) { return hyd_buf_lend(get(), size, &lent, e); },
            [&] { return buffer(lent); });
    }
    // Of an engine that this thread drives: whether there is more to do at once.
    result<bool> run(std::uint32_t max_turns = 0, std::int32_t timeout_ms = 0) {
        std::int32_t more = 0;
        return detail::call<bool>(
            [&](hyd_error **e) { return hyd_engine_run(get(), max_turns, timeout_ms, &more, e); },
            [&] { return more != 0; });
    }
    result<int> descriptor() const {
        std::int32_t fd = -1;
        return detail::call<int>([&](hyd_error **e) { return hyd_engine_fd(get(), &fd, e); },
                                 [&] { return static_cast<int>(fd); });
    }
    result<hyd_stats> stats() const {
        hyd_stats counted = HYD_STATS_INIT;
        return detail::call<hyd_stats>(
            [&](hyd_error **e) { return hyd_engine_stats(get(), &counted, e); },
            [&] { return counted; });
    }
    // Of one core, from 0.
    result<hyd_stats> stats_of_core(std::uint32_t core) const {
        hyd_stats counted = HYD_STATS_INIT;
        return detail::call<hyd_stats>(
            [&](hyd_error **e) { return hyd_core_stats(get(), core, &counted, e); },
            [&] { return counted; });
    }
    // For a Prometheus collector.
    result<std::string> metrics() const {
        return detail::text([&](char *text, std::size_t capacity, std::size_t *need, hyd_error **e) {
            return hyd_engine_metrics(get(), text, capacity, need, e);
        });
    }
    // For people: what the kernel grants, and why not the rest.
    result<std::string> report() const {
        return detail::text([&](char *text, std::size_t capacity, std::size_t *need, hyd_error **e) {
            return hyd_engine_report(get(), text, capacity, need, e);
        });
    }
    result<hyd_caps> caps() const {
        hyd_caps found = HYD_CAPS_INIT;
        return detail::call<hyd_caps>(
            [&](hyd_error **e) { return hyd_engine_caps(get(), &found, e); }, [&] { return found; });
    }
    result<hydrant::memory> register_memory(mutable_bytes_view bytes) const {
        hyd_mem *made = nullptr;
        std::uint32_t state = HYD_MEM_UNREGISTERED;
        return detail::call<hydrant::memory>(
            [&](hyd_error **e) {
                return hyd_mem_register(get(), bytes.data(), bytes.size(), &made, &state, e);
            },
            [&] { return hydrant::memory(made, state); });
    }
    // Takes no more work, cancels what runs and waits so long; HYD_E_AGAIN where threads still run then.
    // `left`, where it is not null, is written in both cases.
    result<void> stop(std::int32_t timeout_ms = -1, hyd_engine_left *left = nullptr) {
        return detail::call(
            [&](hyd_error **e) { return hyd_engine_stop(get(), timeout_ms, left, e); });
    }
    static hyd_engine_left nothing_left() noexcept { return HYD_ENGINE_LEFT_INIT; }

  private:
    result<store> open_with(const char *uri, const hyd_options *options) const {
        hyd_store *opened = nullptr;
        return detail::call<store>(
            [&](hyd_error **e) { return hyd_store_open(get(), uri, options, &opened, e); },
            [&] { return store(opened); });
    }
};

} // namespace hydrant

#endif

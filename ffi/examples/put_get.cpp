// Puts an object, asks what the store knows of it, gets a range of it into memory of its own, and
// compares: put_get.c in C++.
//
//     c++ -std=c++17 put_get.cpp $(pkg-config --cflags --libs hydrant) -o put_get
//     ./put_get mem://example greeting
//     ./put_get s3://bucket path/of/object     (keys and endpoint come from AWS_* in the environment)
//
// The object stays.
#include <hydrant.hpp>

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t object_bytes = 20 * 1024 * 1024 + 3, range_bytes = 1024 * 1024;
constexpr std::uint64_t range_start = 12345678;

// Prints what went wrong, and tells whether the call was good.
template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (done) {
        return true;
    }
    const hydrant::error &error = done.error();
    const auto view = error.view();
    std::fprintf(stderr, "%s: %s\n", what, error.message());
    if (view.http_status != 0) {
        std::fprintf(stderr, "  HTTP status %d, S3 code %s, request id %s, tries %u\n",
                     int(view.http_status), view.s3_code, view.request_id, unsigned(view.attempts));
    }
    if (error.is_retriable()) {
        std::fprintf(stderr, "  It may work later.\n");
    }
    return false;
}

bool put_and_get(const hydrant::store &store, const char *key, const std::vector<unsigned char> &data) {
    std::vector<unsigned char> range(range_bytes);
    auto put = store.put(key, hydrant::bytes_of(data.data(), data.size()));
    if (!good("put", put)) {
        return false;
    }
    auto known = store.stat(key);
    if (!good("stat", known)) {
        return false;
    }
    std::printf("%s: %llu bytes, tag %s\n", key, static_cast<unsigned long long>(known->size_bytes),
                known->etag[0] != '\0' ? known->etag : "unknown");
    auto got = store.get_range(key, range_start, hydrant::writable(range.data(), range.size()));
    if (!good("get", got)) {
        return false;
    }
    if (known->size_bytes != data.size() || *got != range.size() ||
        std::memcmp(range.data(), data.data() + range_start, range.size()) != 0) {
        std::fprintf(stderr, "%s: what came back is not what was put\n", key);
        return false;
    }
    std::printf("%s: %zu bytes from offset %llu are as they were put\n", key, *got,
                static_cast<unsigned long long>(range_start));
    return true;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s URI KEY\n", argc > 0 ? argv[0] : "put_get");
        return 1;
    }
    std::vector<unsigned char> data(object_bytes);
    for (std::size_t i = 0; i < data.size(); i++) {
        data[i] = static_cast<unsigned char>(unsigned(i) * 2654435761u >> 13);
    }
    auto config = hydrant::engine::default_config();
    config.cores = 1;
    config.pool_bytes = 64 * 1024 * 1024;
    auto engine = hydrant::engine::create(config);
    if (!good("engine", engine)) {
        return 1;
    }
    auto store = engine->open(argv[1]);
    return good(argv[1], store) && put_and_get(*store, argv[2], data) ? 0 : 1;
}

// Uploads what a producer thread makes, of a length that nobody knows before its end: the thread writes
// straight into memory of the pool, and full parts go out meanwhile. upload_stream.c in C++.
//
//     ./upload_stream s3://bucket        or mem://example
#include <hydrant.hpp>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace {

constexpr std::size_t object_bytes = 19 * 1024 * 1024 + 5, step_bytes = 100 * 1000;

std::byte byte_at(std::size_t at) { return std::byte(static_cast<unsigned char>(at * 2654435761u >> 13)); }

template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
    }
    return done.has_value();
}

// Produces the object. The writer is the calling thread's alone.
bool produce(hydrant::writer &writer) {
    for (std::size_t done = 0; done < object_bytes;) {
        auto room = writer.reserve();
        if (!good("reserve", room)) {
            return false;
        }
        const std::size_t size = std::min({room->size(), step_bytes, object_bytes - done});
        for (std::size_t i = 0; i < size; i++) {
            (*room)[i] = byte_at(done + i);
        }
        if (!good("commit", writer.commit(size))) {
            return false;
        }
        done += size;
    }
    return true;
}

bool is_right(const hydrant::store &store) {
    auto object = store.get("stream");
    if (!good("get", object)) {
        return false;
    }
    const auto bytes = object->bytes();
    std::size_t right = 0;
    while (right < bytes.size() && bytes[right] == byte_at(right)) {
        right++;
    }
    return right == object_bytes && bytes.size() == object_bytes;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: upload_stream URI\n");
        return 1;
    }
    auto engine = hydrant::engine::create();
    if (!good("engine", engine)) {
        return 1;
    }
    auto store = engine->open(argv[1]);
    if (!good(argv[1], store)) {
        return 1;
    }
    auto writer = store->write("stream");
    if (!good("writer", writer)) {
        return 1;
    }
    bool produced = false;
    std::thread producer([&] { produced = produce(*writer); });
    producer.join();
    // One that is not finished is aborted: nothing is visible then, and nothing stays behind.
    const bool done = produced && good("finish", writer->finish()) && is_right(*store);
    std::puts(done ? "the object is what was produced" : "the object is not there, or other");
    return done ? 0 : 1;
}

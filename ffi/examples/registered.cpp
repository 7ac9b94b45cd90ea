// Reads a large object into memory of its own that was made known to the engine: the bytes go straight
// from the socket to their place. registered.c in C++.
//
//     ./registered s3://bucket        or mem://example
#include <hydrant.hpp>

#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <vector>

namespace {

constexpr std::size_t object_bytes = 24 * 1024 * 1024, piece_bytes = 4 * 1024 * 1024;
constexpr std::size_t pieces = object_bytes / piece_bytes;

template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
    }
    return done.has_value();
}

// Memory on huge pages where the system gives them.
class mapping {
  public:
    mapping() {
        const int access = PROT_READ | PROT_WRITE, shared = MAP_PRIVATE | MAP_ANONYMOUS;
        data_ = mmap(nullptr, object_bytes, access, shared | MAP_HUGETLB, -1, 0);
        if (data_ == MAP_FAILED) {
            data_ = mmap(nullptr, object_bytes, access, shared, -1, 0);
        }
    }
    mapping(const mapping &) = delete;
    mapping &operator=(const mapping &) = delete;
    ~mapping() {
        if (*this) {
            munmap(data_, object_bytes);
        }
    }
    explicit operator bool() const { return data_ != MAP_FAILED; }
    unsigned char *data() const { return static_cast<unsigned char *>(data_); }

  private:
    void *data_;
};

// Reads all pieces at the same time; tells how many came whole.
std::size_t read_pieces(const hydrant::store &store, hydrant::queue &queue,
                        const hydrant::memory &known, unsigned char *memory) {
    std::vector<hyd_request> batch;
    for (std::size_t i = 0; i < pieces; i++) {
        auto request = hydrant::request(HYD_OP_GET_RANGE, "large");
        request.offset = i * piece_bytes;
        request.data = memory + i * piece_bytes;
        request.data_len = piece_bytes;
        request.mem = known.get();
        batch.push_back(request);
    }
    auto accepted = queue.submit(store, batch.data(), batch.size());
    std::size_t whole = 0;
    // What was accepted is reaped in any case: it has the memory until then.
    if (good("submit", accepted)) {
        auto reaped = queue.wait(
            [&](hydrant::completion &each) {
                whole += each.ok() && each.bytes() == piece_bytes ? 1 : 0;
            },
            *accepted);
        (void)good("wait", reaped);
    }
    return whole;
}

} // namespace

int main(int argc, char **argv) {
    const mapping memory;
    if (argc != 2 || !memory) {
        std::fprintf(stderr, "usage: registered URI\n");
        return 1;
    }
    std::vector<unsigned char> object(object_bytes);
    for (std::size_t i = 0; i < object.size(); i++) {
        object[i] = static_cast<unsigned char>(unsigned(i) * 2654435761u >> 13);
    }
    auto engine = hydrant::engine::create();
    if (!good("engine", engine)) {
        return 1;
    }
    auto store = engine->open(argv[1]);
    auto queue = engine->make_queue(pieces);
    auto known = engine->register_memory(hydrant::writable(memory.data(), object_bytes));
    if (!good(argv[1], store) || !good("queue", queue) || !good("register", known) ||
        !good("put", store->put("large", hydrant::bytes_of(object.data(), object.size())))) {
        return 1;
    }
    std::printf("the kernel %s the memory\n", known->is_pinned() ? "pins" : "does not pin");
    const bool done = read_pieces(*store, *queue, *known, memory.data()) == pieces &&
                      std::memcmp(memory.data(), object.data(), object_bytes) == 0;
    std::puts(done ? "the whole object is in its place" : "it is not");
    return done ? 0 : 1;
}

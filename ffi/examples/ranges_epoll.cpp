// Reads a thousand ranges of an object through one queue, in a loop that waits with epoll, as it would
// for its other descriptors: ranges_epoll.c in C++.
//
//     ./ranges_epoll s3://bucket        or mem://example
#include <hydrant.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t ranges = 1000, range_bytes = 4096, depth = 128, object_bytes = 4 * 1024 * 1024;

template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
    }
    return done.has_value();
}

std::uint64_t offset_of(std::uint64_t range) {
    return range * 7919 % (object_bytes - range_bytes);
}

// The memory outlives the queue, so that no request is under way when it goes.
struct reader {
    const hydrant::store &store;
    const std::vector<unsigned char> &object;
    std::vector<unsigned char> memory = std::vector<unsigned char>(ranges *range_bytes);
    std::size_t submitted = 0, right = 0, done = 0;

    // Submits what the queue has room for. A full one takes a part of the batch, or nothing.
    bool submit_more(hydrant::queue &queue) {
        std::vector<hyd_request> batch;
        for (std::size_t i = submitted; i < ranges && batch.size() < depth; i++) {
            auto request = hydrant::request(HYD_OP_GET_RANGE, "object", i);
            request.offset = offset_of(i);
            request.data = memory.data() + i * range_bytes;
            request.data_len = range_bytes;
            batch.push_back(request);
        }
        auto accepted = queue.submit(store, batch.data(), batch.size());
        if (!good("submit", accepted)) {
            return false;
        }
        submitted += *accepted;
        return true;
    }

    // Reaps what is there.
    bool reap(hydrant::queue &queue) {
        auto reaped = queue.wait(
            [&](hydrant::completion &each) {
                const std::uint64_t range = each.user_data();
                const auto *expected = object.data() + offset_of(range);
                const auto *got = memory.data() + range * range_bytes;
                if (!each.ok()) {
                    std::fprintf(stderr, "range: %s\n", each.error().message());
                }
                right += each.ok() && std::memcmp(got, expected, range_bytes) == 0 ? 1 : 0;
                done++;
            },
            0, 0);
        return good("reap", reaped);
    }
};

bool loop(hydrant::queue &queue, reader &reader) {
    auto descriptor = queue.descriptor();
    if (!good("descriptor", descriptor)) {
        return false;
    }
    const int poller = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, *descriptor, &event) != 0) {
        std::perror("epoll");
        return false;
    }
    bool well = true;
    while (well && reader.done < ranges) {
        well = reader.submit_more(queue);
        if (well && epoll_wait(poller, &event, 1, -1) < 0 && errno != EINTR) {
            std::perror("epoll_wait");
            well = false;
        }
        well = well && reader.reap(queue);
    }
    close(poller);
    return well;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: ranges_epoll URI\n");
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
    if (!good(argv[1], store) ||
        !good("put", store->put("object", hydrant::bytes_of(object.data(), object.size())))) {
        return 1;
    }
    reader all{*store, object};
    auto queue = engine->make_queue(depth);
    if (!good("queue", queue)) {
        return 1;
    }
    const bool well = loop(*queue, all);
    std::printf("%zu ranges are right\n", all.right);
    // Where the loop broke off, what is still under way ends here, before its memory goes.
    return good("stop", engine->stop()) && well && all.right == ranges ? 0 : 1;
}

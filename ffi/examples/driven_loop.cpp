// An engine without threads of its own, in a loop written by hand that also has something else to wait
// for: here a timer that ticks. driven_loop.c in C++.
//
//     ./driven_loop s3://bucket        or mem://example
#include <hydrant.hpp>

#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <string>
#include <sys/timerfd.h>
#include <unistd.h>

namespace {

constexpr int objects = 100;
constexpr std::string_view content = "what they all contain";

template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
    }
    return done.has_value();
}

// Submits the writing of all objects; keys are copied, and what the objects contain lies still.
bool submit_all(const hydrant::store &store, hydrant::queue &queue) {
    for (int i = 0; i < objects; i++) {
        const std::string key = "object-" + std::to_string(i);
        auto request = hydrant::request(HYD_OP_PUT, key);
        request.data = const_cast<char *>(content.data());
        request.data_len = content.size();
        if (!good("submit", queue.submit(store, request))) {
            return false;
        }
    }
    return true;
}

// Reaps what is there into `done`; whether all of it was written.
bool reap(hydrant::queue &queue, int &done) {
    bool well = true;
    auto reaped = queue.wait(
        [&](hydrant::completion &each) {
            if (!each.ok()) {
                std::fprintf(stderr, "put: %s\n", each.error().message());
                well = false;
            }
            done++;
        },
        0, 0);
    return good("reap", reaped) && well;
}

bool loop(hydrant::engine &engine, hydrant::queue &queue, int timer) {
    const itimerspec ticking = {{0, 1000 * 1000}, {0, 1000 * 1000}};
    auto descriptor = engine.descriptor();
    if (timer < 0 || timerfd_settime(timer, 0, &ticking, nullptr) != 0 ||
        !good("descriptor", descriptor)) {
        return false;
    }
    pollfd both[2] = {{timer, POLLIN, 0}, {*descriptor, POLLIN, 0}};
    unsigned long long ticks = 0;
    int done = 0;
    while (done < objects) {
        // A few turns at a time, so that the rest of the loop has its share.
        auto more = engine.run(8);
        if (!good("run", more) || !reap(queue, done)) {
            return false;
        }
        if (poll(both, 2, *more || done == objects ? 0 : -1) < 0 && errno != EINTR) {
            std::perror("poll");
            return false;
        }
        std::uint64_t expired = 0;
        if (read(timer, &expired, sizeof expired) == ssize_t(sizeof expired)) {
            ticks += expired;
        }
    }
    std::printf("%d objects, %llu ticks meanwhile\n", done, ticks);
    return true;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: driven_loop URI\n");
        return 1;
    }
    auto config = hydrant::engine::default_config();
    config.flags = HYD_ENGINE_DRIVEN;
    auto engine = hydrant::engine::create(config);
    if (!good("engine", engine)) {
        return 1;
    }
    auto store = engine->open(argv[1]);
    auto queue = engine->make_queue();
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const bool done = good(argv[1], store) && good("queue", queue) && submit_all(*store, *queue) &&
                      loop(*engine, *queue, timer);
    close(timer);
    // The engine goes first: what is still under way completes then, and the queue may go.
    (void)hydrant::engine(std::move(*engine));
    std::puts(done ? "the loop is through" : "the loop broke off");
    return done ? 0 : 1;
}

// A function that throws out of queue::wait leaves nothing behind.
#include <hydrant.hpp>

#include <cstdio>
#include <stdexcept>

static bool check(bool good, const char *what) {
    if (!good) {
        std::fprintf(stderr, "not so: %s\n", what);
    }
    return good;
}

int main() {
    auto config = hydrant::engine::default_config();
    config.cores = 1;
    config.pool_bytes = 32 << 20;
    auto engine = hydrant::engine::create(config);
    if (!check(engine.has_value(), "an engine")) {
        return 1;
    }
    auto store = engine->open("mem://throwing");
    auto queue = engine->make_queue();
    if (!check(store && queue && store->put("key", hydrant::bytes_of("bytes")), "an object")) {
        return 1;
    }
    hyd_request requests[3];
    for (auto &request : requests) {
        request = hydrant::request(HYD_OP_GET_RANGE, "key");
        request.data_len = 5;
    }
    if (!check(queue->submit(*store, requests, 3).has_value(), "submitted")) {
        return 1;
    }
    int seen = 0;
    try {
        (void)queue->wait(
            [&](hydrant::completion &) {
                seen++;
                throw std::runtime_error("from the program");
            },
            3);
        return 1;
    } catch (const std::runtime_error &) {
    }
    auto stats = engine->stats(), of_core = engine->stats_of_core(0);
    if (!check(stats && of_core && seen == 1, "one was seen") ||
        !check(of_core->polls > 0 && !engine->stats_of_core(99), "a core tells its own") ||
        !check(stats->pool_bytes_lent == 0, "the buffers of all three are back")) {
        return 1;
    }
    std::puts("nothing is left");
}

// Puts, reads and lists objects from C++: blocking calls, a stream, and a queue of requests.
//
//     c++ -std=c++17 round_trip.cpp $(pkg-config --cflags --libs hydrant) -o round_trip
//     ./round_trip mem://example
//     ./round_trip s3://bucket         (keys and endpoint come from AWS_* in the environment)
#include <hydrant.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// Says what failed.
template <class T> bool good(const char *what, const hydrant::result<T> &done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
    }
    return done.has_value();
}

bool stream(const hydrant::store &store, const std::string &line, int lines) {
    auto writer = store.write("stream", "text/plain");
    if (!good("open a stream", writer)) {
        return false;
    }
    for (int i = 0; i < lines; i++) {
        if (!good("write", writer->write(hydrant::bytes_of(line)))) {
            return false;
        }
    }
    return good("finish", writer->finish());
}

// Reads every hundredth line, all at the same time.
bool ranges(const hydrant::engine &engine, const hydrant::store &store, const std::string &line,
            int lines) {
    auto queue = engine.make_queue();
    if (!good("queue", queue)) {
        return false;
    }
    std::vector<hyd_request> requests;
    for (int i = 0; i < lines; i += 100) {
        auto request = hydrant::request(HYD_OP_GET_RANGE, "stream", std::uint64_t(i));
        request.offset = std::uint64_t(i) * line.size();
        request.data_len = line.size();
        requests.push_back(request);
    }
    std::size_t sent = 0, done = 0, right = 0;
    while (done < requests.size()) {
        auto accepted = queue->submit(store, requests.data() + sent, requests.size() - sent);
        if (!good("submit", accepted)) {
            return false;
        }
        sent += *accepted;
        auto reaped = queue->wait([&](hydrant::completion &each) {
            done++;
            right += each.ok() && hydrant::text_of(each.buffer().bytes()) == line ? 1 : 0;
        });
        if (!good("wait", reaped)) {
            return false;
        }
    }
    std::printf("%zu of %zu lines are as they were written\n", right, requests.size());
    return right == requests.size();
}

bool listed(const hydrant::store &store) {
    auto list = store.list("");
    if (!good("list", list)) {
        return false;
    }
    for (;;) {
        auto entry = list->next();
        if (!good("next", entry)) {
            return false;
        }
        if (!*entry) {
            return true;
        }
        const auto &found = **entry;
        std::printf("%.*s: %llu bytes\n", int(found.key.size()), found.key.data(),
                    static_cast<unsigned long long>(found.size_bytes));
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s URI\n", argv[0]);
        return 1;
    }
    auto config = hydrant::engine::default_config();
    config.cores = 1;
    auto engine = hydrant::engine::create(config);
    if (!good("engine", engine)) {
        return 1;
    }
    auto store = engine->open(argv[1]);
    if (!good(argv[1], store) || !good("put", store->put("greeting", hydrant::bytes_of("hello")))) {
        return 1;
    }
    auto greeting = store->get("greeting");
    if (!good("get", greeting) || hydrant::text_of(greeting->bytes()) != "hello") {
        return 1;
    }
    auto missing = store->get("missing");
    if (missing || missing.error().status() != HYD_E_NOT_FOUND) {
        return 1;
    }
    const std::string line = "one line of many, each like the others\n";
    if (!stream(*store, line, 10000) || !ranges(*engine, *store, line, 10000) || !listed(*store)) {
        return 1;
    }
    return good("remove", store->remove("greeting")) ? 0 : 1;
}

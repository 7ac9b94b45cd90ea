// What of hydrant.hpp the examples do not call: on a store in memory, on a bucket of S3, on one that is
// made, and on a peer that takes anything and tells what it was told to.
//
//     faces MEMORY BUCKET NEW_BUCKET PEER ACCESS_KEY_ID SECRET_ACCESS_KEY FOLDER
#include <hydrant.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace std::string_literals;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

namespace {

// What came of a call that must be good.
template <class T> T must(const char *what, hydrant::result<T> done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
        std::exit(1);
    }
    return std::move(done).value();
}
void must(const char *what, hydrant::result<void> done) {
    if (!done) {
        std::fprintf(stderr, "%s: %s\n", what, done.error().message());
        std::exit(1);
    }
    std::move(done).value();
}

template <class T> hyd_status status_of(const hydrant::result<T> &done) {
    return done ? HYD_OK : done.error().status();
}

bool is(const hydrant::store &store, const char *key, std::string_view expected) {
    return hydrant::text_of(must(key, store.get(key)).bytes()) == expected;
}

void the_library(const hydrant::engine &engine) {
    CHECK(std::string_view(hydrant::version()).substr(0, 8) == "hydrant ");
    const auto asked = must("probe", hydrant::probe()), running = must("caps", engine.caps());
    CHECK(asked.kernel == std::string_view(running.kernel) && asked.kernel[0] != '\0');
    CHECK(must("report", engine.report()).find("kernel: ") != std::string::npos);
    CHECK(must("metrics", engine.metrics()).find("hydrant_") != std::string::npos);
    CHECK(hydrant::set_log(nullptr) && !hydrant::set_log(nullptr, nullptr, 99));
}

void errors(const hydrant::store &store) {
    auto missing = store.get("missing");
    CHECK(!missing);
    const hydrant::error &error = missing.error();
    hydrant::error copied = error;
    CHECK(copied.status() == HYD_E_NOT_FOUND && !copied.is_retriable());
    CHECK(std::string_view(copied.message()) == error.message());
    CHECK(copied.view().message != error.view().message);
    const hydrant::error bare(HYD_E_AGAIN, nullptr), again = bare;
    CHECK(again.status() == HYD_E_AGAIN && again.message() == bare.message());
    copied = bare;
    CHECK(copied.status() == HYD_E_AGAIN);
    copied = error;
    const hydrant::error taken = std::move(missing).error();
    CHECK(std::string_view(copied.message()) == taken.message());
    hydrant::result<void> nothing;
    CHECK(nothing.has_value());
    const hydrant::result<int> seven = 7, also = seven;
    CHECK(seven.value() == 7 && *also == 7 && *seven.operator->() == 7);
    const hydrant::result<int> failed = hydrant::unexpected(bare);
    const auto copy = failed;
    CHECK(!copy && copy.error().status() == HYD_E_AGAIN);
}

// Options that are none open nothing, least of all with other settings.
void empty_options(const hydrant::engine &engine) {
    hydrant::options anonymous;
    must("anonymous", anonymous.set("anonymous", "true"));
    hydrant::options moved = std::move(anonymous);
    CHECK(!anonymous && moved);
    CHECK(status_of(engine.open("s3://bucket", anonymous)) == HYD_E_INVALID);
    CHECK(status_of(engine.open("mem://moved", moved)) == HYD_OK);
}

void buffers(const hydrant::engine &engine, const hydrant::store &store) {
    auto lent = must("lend", engine.lend(5));
    CHECK(lent && lent.memory().size() >= 5);
    for (std::size_t i = 0; i < 5; i++) {
        lent.memory()[i] = std::byte{'a'};
    }
    auto writer = must("writer", store.write("given", "text/plain"));
    must("give", writer.write(std::move(lent), 5));
    CHECK(!lent);
    must("finish", writer.finish());
    CHECK(is(store, "given", "aaaaa"));
    auto unwanted = must("writer", store.write("unwanted"));
    must("write", unwanted.write(hydrant::bytes_of("x")));
    must("cancel", unwanted.cancel());
    CHECK(!unwanted && status_of(store.get("unwanted")) == HYD_E_NOT_FOUND);
    hydrant::attributes said;
    CHECK(must("stat", store.stat("given", hydrant::get_options(), &said)).size_bytes == 5);
    CHECK(said.view().content_type == "text/plain"s);
    auto one = must("get", store.get("given")), other = one.share();
    CHECK(other.get() == one.get());
    one = std::move(other);
    CHECK(one && !other && one.bytes().size() == 5 && hydrant::buffer(one.release()));
}

void many_ranges(const hydrant::store &store) {
    char memory[4] = {};
    hyd_range ranges[2] = {};
    ranges[0] = {0, memory, 2, 0, 0, 0};
    ranges[1] = {3, memory + 2, 2, 0, 0, 0};
    must("ranges", store.get_ranges("given", ranges, 2));
    CHECK(std::string_view(memory, 4) == "aaaa");
    hyd_object_range of_objects[1] = {};
    of_objects[0].key = "given";
    of_objects[0].key_len = 5;
    of_objects[0].range = {1, memory, 3, 0, 0, 0};
    must("ranges of objects", store.get_ranges(of_objects, 1, hydrant::ranges_options()));
    CHECK(of_objects[0].range.read_len == 3);
}

void copies(const hydrant::store &store, const std::string &folder) {
    const std::string file = folder + "/faces";
    auto report = hydrant::empty_copy_report();
    must("copy", store.copy("given", store, "copied", hydrant::copy_options(), &report));
    CHECK(report.bytes == 5);
    must("to a file", store.get_to_file("copied", file));
    must("from a file", store.put_from_file("back", file));
    CHECK(must("verify", store.verify("given", store, "back", hydrant::verify_options())).bytes == 5);
    hyd_object_meta meta = HYD_OBJECT_META_INIT;
    CHECK(hyd_stat(store.handle(), "back", 4, nullptr, &meta, nullptr, nullptr) == HYD_OK);
    const hyd_text keys[] = {{"copied", 6}, {"back", 4}};
    hyd_status results[2] = {1, 1};
    must("remove", store.remove(keys, 2, results));
    CHECK(results[0] == HYD_OK && results[1] == HYD_OK);
    must("put", store.put("some/one", hydrant::bytes_of("x")));
    hyd_delete_report gone = HYD_DELETE_REPORT_INIT;
    must("remove all", store.remove_prefix("some/", &gone));
    CHECK(gone.deleted == 1);
}

void listing(const hydrant::store &store) {
    auto list = must("list", store.list("g"));
    auto entry = must("next", list.next());
    CHECK(entry && entry->key == "given");
    CHECK(!must("next", list.next()) && must("token", list.token()).empty());
}

// A stream by requests, one that is cancelled, and one of memory that is known.
void requests(const hydrant::engine &engine, const hydrant::store &store) {
    auto queue = must("queue", engine.make_queue());
    auto writer = must("writer", store.write("queued"));
    const auto bytes = hydrant::bytes_of("bytes of a stream");
    std::uint64_t id = 0;
    CHECK(must("written", writer.written()).written_bytes == 0);
    must("flush", writer.flush());
    const auto halves = {must("sum", hydrant::sum_of(HYD_CHECKSUM_CRC32C, hydrant::bytes_of("bytes "))),
                         must("sum", hydrant::sum_of(HYD_CHECKSUM_CRC32C, hydrant::bytes_of("of a stream")))};
    const auto both = must("sum", hydrant::sum_then(*halves.begin(), halves.begin()[1], 11));
    CHECK(both.value == std::string_view(must("sum", hydrant::sum_of(HYD_CHECKSUM_CRC32C, bytes)).value));
    CHECK(must("uri", store.uri_of("queued")).find("queued") != std::string::npos);
    must("write", queue.submit(store, hydrant::write_request(writer, bytes, 7), &id));
    CHECK(must("wait", queue.wait([&](hydrant::completion &each) {
              CHECK(each && each.user_data() == 7 && each.id() == id);
          })) == 1);
    must("finish", queue.submit(store, hydrant::finish_request(writer)));
    (void)writer.release();
    must("wait", queue.wait([](hydrant::completion &each) { CHECK(each.ok()); }));
    CHECK(is(store, "queued", "bytes of a stream") && !queue.cancel(id));
    queue.wake();
    CHECK(must("woken", queue.wait([](hydrant::completion &) {})) == 0);

    auto page = hydrant::request(HYD_OP_LIST_PAGE, "queued");
    must("page", queue.submit(store, page));
    must("wait", queue.wait([](hydrant::completion &each) {
        auto entry = must("next", each.list().next());
        CHECK(entry && entry->key == "queued");
    }));
    CHECK(must("descriptor", queue.descriptor()) >= 0);
}

void presigns(const hydrant::store &store) {
    hyd_get_options get = hydrant::get_options();
    get.version_id = "v7";
    auto options = hydrant::presign_options();
    options.get = &get;
    const auto request = must("presign", store.presign(HYD_PRESIGN_GET, "given", 60, options));
    CHECK(request.view().method == "GET"s);
    CHECK(std::string_view(request.view().url).find("versionId=v7") != std::string_view::npos);
}

// Keys that the program provides open the bucket; none do not.
hydrant::store opened_by(const hydrant::engine &engine, const char *uri, const char *id,
                         const char *secret) {
    hydrant::options none, given;
    must("none", none.set_credentials([]() -> std::optional<hydrant::credentials> { return {}; }));
    auto closed = must("open", engine.open(uri, none));
    CHECK(status_of(closed.get("given")) == HYD_E_CONFIG);
    must("region", given.set("region", "us-east-1"));
    must("some", given.set_credentials([=]() -> std::optional<hydrant::credentials> {
        return hydrant::credentials{id, secret, "", 0};
    }));
    return must("open", engine.open(uri, given));
}

void buckets(const hydrant::store &bucket, const hydrant::store &fresh) {
    auto all = must("buckets", bucket.buckets());
    const auto found = must("next", all.next());
    CHECK(found && found->name == "c-programs");
    CHECK(!must("next", all.next()));
    CHECK(status_of(fresh.stat_bucket()) == HYD_E_NOT_FOUND);
    must("create", fresh.create_bucket());
    must("stat", fresh.stat_bucket());
    must("remove", fresh.remove_bucket());
    auto uploads = must("uploads", bucket.uploads());
    CHECK(!must("next", uploads.next()));
    CHECK(status_of(bucket.abort_upload({"given", "no-such-upload", 0})) == HYD_E_NOT_FOUND);
}

// An upload in parts, of which the server copies one.
void by_hand(const hydrant::store &bucket) {
    auto upload = must("begin", bucket.begin_multipart("by hand", hydrant::put_options(), HYD_CHECKSUM_CRC32C));
    auto again = must("open", bucket.open_multipart("by hand", upload.id()));
    const std::string large(5 << 20, 'l');
    hyd_uploaded_part parts[2] = {must("put", upload.put(1, hydrant::bytes_of(large))),
                                  must("copy", again.copy(2, bucket, "given", hydrant::part_source()))};
    auto listed = must("parts", upload.parts());
    const auto first = must("next", listed.next());
    CHECK(first && first->number == 1 && first->size_bytes == large.size());
    CHECK(must("next", listed.next()) && !must("next", listed.next()));
    auto wanted = hydrant::complete_options();
    wanted.object_bytes = large.size();
    CHECK(status_of(upload.complete(parts, 2, wanted)) == HYD_E_OTHER);
    must("complete", upload.complete(parts, 2));
    CHECK(is(bucket, "by hand", large + "aaaaa"));
    auto told = must("stat", bucket.stat_s3("by hand"));
    CHECK(told.view().size_bytes == large.size() + 5);
    CHECK(status_of(again.abort()) == HYD_E_NOT_FOUND);
    hyd_delete_object object = {};
    object.key = "by hand";
    object.key_len = 7;
    must("remove", bucket.remove_objects(&object, 1, hydrant::delete_options()));
    CHECK(object.status == HYD_OK && status_of(bucket.get("by hand")) == HYD_E_NOT_FOUND);
}

// What the peer tells.
void told(const hydrant::store &peer) {
    CHECK(std::string_view(must("locate", peer.locate_bucket()).region) == "eu-central-1");
    CHECK(must("versioning", peer.versioning()) == HYD_VERSIONING_ENABLED);
    must("suspend", peer.set_versioning(HYD_VERSIONING_SUSPENDED));
    auto versions = must("versions", peer.versions());
    const auto version = must("next", versions.next());
    CHECK(version && version->key == "a" && version->version_id == "2" && version->is_latest);
    CHECK(must("about", versions.about()).owner_id == "me");
    must("remove", peer.remove_version("a", "2"));
    auto uploads = must("uploads", peer.uploads());
    CHECK(must("next", uploads.next()) && must("about", uploads.about()).owner_id.empty());
    CHECK(must("next", uploads.next()) && must("about", uploads.about()).initiator_id == "somebody");
    auto asking = hydrant::s3_list_options();
    asking.delimiter = '/';
    auto rolled = must("uploads", peer.uploads("a b", asking));
    CHECK(must("next", rolled.next())->is_prefix && !must("next", rolled.next())->is_prefix);
    auto rolled_versions = must("versions", peer.versions("a b", asking));
    CHECK(must("next", rolled_versions.next())->is_prefix && !must("next", rolled_versions.next())->is_prefix);
    asking.flags = HYD_S3_LIST_OWNERS;
    auto objects = must("list", peer.list("a b", asking));
    CHECK(must("next", objects.next())->is_prefix && must("next", objects.next())->size_bytes == 5);
    const auto whose = must("about", objects.about());
    CHECK(whose.owner_id == "me" && whose.checksum_type == "COMPOSITE" && whose.restore == HYD_RESTORE_DONE);
    auto upload = must("open", peer.open_multipart("parted", "a/b"));
    auto uploaded = must("parts", upload.parts());
    CHECK(must("next", uploaded.next()) && must("about", uploaded.about()).storage_class == "GLACIER");
    auto account = must("buckets", peer.buckets());
    CHECK(must("next", account.next()) && must("about", account.about()).owner_name == "myself");
    auto copied = must("copy", peer.copy_s3("a source", peer, "copied", hydrant::s3_copy_options()));
    CHECK(copied.view().source_version_id == "v1"s);
    CHECK((must("signer", peer.signer()).flags & HYD_SIGNER_SIGNS) != 0);
    auto parts = must("parts", peer.parts("parts"));
    const auto part = must("next", parts.next());
    CHECK(parts.total() == 3 && part && part->number == 1 && part->algorithm == "CRC64NVME");
    const auto tags = must("tags", peer.tags("tagged"));
    CHECK(tags.size() == 2 && tags.begin()->name == "team"s && tags.end()[-1].value == "1"s);
    must("set", peer.set_tags("tagged", tags.begin(), tags.size()));
    CHECK(hydrant::text_of(must("part", peer.get_part("described", 2, 100)).bytes()) == "hello");
    auto put = must("put", peer.put("versioned", hydrant::bytes_of("x")));
    CHECK(put.version_id == "v2"s && put.checksum_algorithm == HYD_CHECKSUM_CRC64NVME);
}

// What only S3 has.
void refused(const hydrant::store &memory) {
    for (hyd_status status :
         {status_of(memory.create_bucket(hydrant::bucket_options())),
          status_of(memory.remove_bucket(hydrant::s3_get_options())), status_of(memory.stat_bucket()),
          status_of(memory.locate_bucket()), status_of(memory.versioning()),
          status_of(memory.set_versioning(HYD_VERSIONING_ENABLED)), status_of(memory.versions()),
          status_of(memory.remove_version("given", "v1")), status_of(memory.parts("given")),
          status_of(memory.signer()), status_of(memory.copy_s3("given", memory, "copied")),
          status_of(memory.tags("given")), status_of(memory.set_tags("given", nullptr, 0)),
          status_of(memory.presign(HYD_PRESIGN_GET, "given", 60))}) {
        CHECK(status == HYD_E_UNSUPPORTED);
    }
    auto s3 = hydrant::s3_put_options();
    auto put = hydrant::put_options();
    put.s3 = &s3;
    CHECK(status_of(memory.put("given", hydrant::bytes_of("x"), put)) == HYD_E_UNSUPPORTED);
}

} // namespace

int main(int argc, char **argv) {
    CHECK(argc == 8);
    auto config = hydrant::engine::default_config();
    config.cores = 1;
    config.pool_bytes = 64 << 20;
    auto limits = hydrant::engine_limits();
    limits.ops_in_flight = 512;
    config.limits = &limits;
    auto engine = must("engine", hydrant::engine::create(config));
    auto memory = must("memory", engine.open(argv[1]));
    auto bucket = opened_by(engine, argv[2], argv[5], argv[6]);
    auto fresh = opened_by(engine, argv[3], argv[5], argv[6]);
    auto peer = opened_by(engine, argv[4], argv[5], argv[6]);
    the_library(engine);
    empty_options(engine);
    for (const hydrant::store *store : {&memory, &bucket}) {
        errors(*store);
        buffers(engine, *store);
        many_ranges(*store);
        copies(*store, argv[7]);
        listing(*store);
        requests(engine, *store);
    }
    presigns(bucket);
    buckets(bucket, fresh);
    by_hand(bucket);
    told(peer);
    refused(memory);
    auto left = hydrant::engine::nothing_left();
    must("stop", engine.stop(-1, &left));
    CHECK(left.struct_size == sizeof left && status_of(memory.get("given")) == HYD_E_CANCELLED);
    std::puts("all faces are shown");
}

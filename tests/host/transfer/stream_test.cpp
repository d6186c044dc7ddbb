// SPDX-License-Identifier: Apache-2.0
// What is written into a stream comes out of it, and what is not whole comes out of it not at all.
#include "tests/host/transfer/streams.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::transfer;

namespace {

Error refusal_of(const std::string& bytes) {
    ListTaker taker;
    const auto read = read_into(taker, bytes);
    REQUIRE_FALSE(read);
    return read.error();
}

}  // namespace

TEST_CASE("every kind of entry comes out of a stream as it went in", "[transfer]") {
    std::vector<Item> items{directory("a"), file("a/file", "content"), file("a/empty", "")};
    items[1].entry.mode = 04755;
    items[1].entry.uid = 33;
    items[1].entry.gid = 65535;
    items[1].entry.modified = {.seconds = 1'700'000'000, .nanoseconds = 123'456'789};
    items[1].entry.attributes = {{"user.note", std::string("a\0b\n=", 5)},
                                 {"trusted.overlay.opaque", "y"}};
    items.push_back({.entry = {.kind = Kind::hard_link, .path = "a/hard", .target = "a/file"}});
    items.push_back({.entry = {.kind = Kind::symbolic_link,
                               .path = "a/link",
                               .mode = 0777,
                               .target = "../../../etc/shadow"}});
    items.push_back({.entry = {.kind = Kind::fifo, .path = "a/pipe", .mode = 0600}});
    items.push_back({.entry = {.kind = Kind::whiteout, .path = "gone"}});
    const auto step = GENERATE(std::size_t{1}, std::size_t{511}, std::size_t{1} << 20);
    ListTaker taker;
    const auto read = read_into(taker, stream_of(items), step);
    INFO((read ? "" : read.error().message));
    REQUIRE(read);
    CHECK(read->size() == 64);
    items.insert(items.begin(), directory(""));
    REQUIRE(taker.items.size() == items.size());
    CHECK(taker.ended == items.size());
    for (std::size_t at = 0; at < items.size(); ++at) {
        const auto& wanted = items[at].entry;
        const auto& got = taker.items[at].entry;
        CAPTURE(wanted.path);
        CHECK(got.path == wanted.path);
        CHECK(got.kind == wanted.kind);
        CHECK(got.mode == wanted.mode);
        CHECK(got.uid == wanted.uid);
        CHECK(got.gid == wanted.gid);
        CHECK(got.modified.seconds == wanted.modified.seconds);
        CHECK(got.modified.nanoseconds == wanted.modified.nanoseconds);
        CHECK(got.size == wanted.size);
        CHECK(got.target == wanted.target);
        CHECK(got.attributes == wanted.attributes);
        CHECK(taker.items[at].content == items[at].content);
    }
}

TEST_CASE("names are bytes, of any language or none, as long as the kernel takes", "[transfer]") {
    const std::string long_name(255, 'n');
    const std::string deep = [&] {
        std::string path = long_name;
        while (path.size() + 256 < path_bytes_max) path += "/" + long_name;
        return path;
    }();
    std::vector<Item> items;
    for (std::size_t end = deep.find('/'); end != std::string::npos; end = deep.find('/', end + 1))
        items.push_back(directory(deep.substr(0, end)));
    items.push_back(file(deep, "x"));
    for (const std::string name : {"new\nline", "\xff\xfe", "sp ace", "ünïcode", "'\"$", "-"})
        items.push_back(file(name, name));
    ListTaker taker;
    const auto read = read_into(taker, stream_of(items));
    INFO((read ? "" : read.error().message));
    REQUIRE(read);
    for (std::size_t at = 0; at < items.size(); ++at)
        CHECK(taker.items[at + 1].entry.path == items[at].entry.path);
}

TEST_CASE("holes take no room in a stream and are holes behind it", "[transfer]") {
    constexpr std::int64_t size = std::int64_t{64} << 20;
    Item some = file("some", std::string(size, '\0'));
    some.entry.extents = {{.offset = 4096, .bytes = 4096}, {.offset = size - 10, .bytes = 10}};
    for (std::size_t at = 4096; at < 8192; ++at) some.content[at] = 'x';
    for (std::size_t at = size - 10; at < size; ++at) some.content[at] = 'y';
    Item none = file("none", std::string(1 << 20, '\0'));
    none.entry.extents.clear();
    Item ends_in_one = file("ends", "abc" + std::string(1 << 16, '\0'));
    ends_in_one.entry.extents = {{.offset = 0, .bytes = 3}};
    const auto bytes = stream_of({some, none, ends_in_one, file("after", "z")});
    CHECK(bytes.size() < 40'000);
    ListTaker taker;
    const auto read = read_into(taker, bytes);
    INFO((read ? "" : read.error().message));
    REQUIRE(read);
    CHECK(taker.data_bytes == 4096 + 10 + 3 + 1);
    CHECK(taker.items[1].content == some.content);
    CHECK(taker.items[2].content == none.content);
    CHECK(taker.items[3].content == ends_in_one.content);
    CHECK(taker.items[4].content == "z");
}

TEST_CASE("a stream cut anywhere is refused", "[transfer]") {
    const auto bytes = stream_of({directory("a"), file("a/file", std::string(3000, 'x'))});
    for (std::size_t length = 0; length + 1024 < bytes.size(); length += 97) {
        CAPTURE(length);
        const auto error = refusal_of(bytes.substr(0, length));
        CHECK(error.code == ErrorCode::invalid_argument);
    }
}

TEST_CASE("a stream with one byte changed is refused, or says the same", "[transfer]") {
    const auto whole = stream_of({directory("a"), file("a/file", std::string(600, 'x'))});
    ListTaker untouched;
    const auto digest = read_into(untouched, whole).value();
    int refused = 0;
    for (std::size_t at = 0; at < whole.size(); at += 13) {
        auto bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x41);
        ListTaker taker;
        const auto read = read_into(taker, bytes);
        if (read) CHECK(*read == digest);  // padding, and what tar says twice
        refused += read ? 0 : 1;
    }
    CHECK(refused > 50);
    const auto content = whole.find(std::string(100, 'x'));
    auto bytes = whole;
    bytes[content + 5] = 'y';
    CHECK(refusal_of(bytes).message.contains("another digest"));
}

TEST_CASE("what a stream may not hold is refused, with the reason", "[transfer]") {
    const auto refusal = [](Item item) {
        return refusal_of(stream_of({directory("a"), std::move(item)})).message;
    };
    for (const auto* path : {"../x", "a/../../x", "/etc/passwd", "a//b", "a/./b"}) {
        CAPTURE(path);
        const auto said = refusal(file(path, "x"));
        CHECK((said.contains("plain names") || said.contains("no layer")));
    }
    CHECK(refusal(file("b/x", "x")).contains("before its directory"));
    CHECK(refusal({.entry = {.kind = Kind::hard_link, .path = "x", .target = "../../shadow"}})
              .contains("plain names"));
    Item foreign = file("x", "x");
    foreign.entry.uid = 65536;
    CHECK(refusal(foreign).contains("owner"));
    Item marked = file("x", "x");
    marked.entry.attributes = {{"trusted.overlay.redirect", "/etc"}};
    CHECK(refusal(marked).contains("attribute"));
    CHECK(refusal({.entry = {.kind = Kind::symbolic_link, .path = "x", .target = ""}}) != "");
}

TEST_CASE("a stream that is not what its manifest says is refused", "[transfer]") {
    const auto refusal = [](const std::function<void(Manifest&)>& wrong) {
        return refusal_of(stream_of({file("x", "xyz")}, small_manifest(), wrong)).message;
    };
    CHECK(refusal([](Manifest& one) { one.layers[0].entries = 1; }).contains("more in it"));
    CHECK(refusal([](Manifest& one) { one.layers[0].bytes = 1; }).contains("more in it"));
    CHECK(refusal([](Manifest& one) { one.layers[0].entries = 9; }).contains("not whole"));
    CHECK(refusal([](Manifest& one) { one.layers[0].bytes = 9; }).contains("not whole"));
    CHECK(refusal([](Manifest& one) { one.layers.push_back(one.layers[0]); }).contains("less"));
}

TEST_CASE("bytes of another kind are no export", "[transfer]") {
    for (const auto& bytes : {std::string(), std::string("hello"), std::string(4096, '\0'),
                              std::string(100'000, 'x'), std::string("\x1f\x8b\x08\0", 4)}) {
        const auto error = refusal_of(bytes);
        CHECK(error.code == ErrorCode::invalid_argument);
        CHECK_FALSE(error.message.empty());
    }
}

TEST_CASE("a source that fails says why", "[transfer]") {
    StreamReader reader([](std::span<char>) -> Result<std::size_t> {
        return fail(ErrorCode::timed_out, "nobody moved");
    });
    const auto manifest = reader.manifest();
    REQUIRE_FALSE(manifest);
    CHECK(manifest.error().code == ErrorCode::timed_out);
}

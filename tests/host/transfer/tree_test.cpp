// SPDX-License-Identifier: Apache-2.0
// Real files into a stream and out of it, under other owners. Needs root, for whiteouts and
// attributes of the trusted kind.
#include "base/files.h"
#include "host/transfer/tree_make.h"
#include "host/transfer/tree_walk.h"
#include "tests/host/transfer/streams.h"
#include "tests/support/privilege.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>

using namespace berth;
using namespace berth::transfer;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t base_before = 1'000'000, base_after = 3'000'000;

/// On a disk, because not every file system has all attributes; gone with the test.
struct Place {
    Place() {
        fs::create_directories(from);
        fs::create_directories(to);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { (void)remove_tree(path); }
    fs::path path = fs::path("/var/tmp") / ("berth-transfer-" + random_hex(4));
    fs::path from = path / "from", to = path / "to";
};

void write(const fs::path& path, std::string_view content) {
    REQUIRE(write_file_atomically(path, content, {.durable = false}));
}

struct stat status_of(const fs::path& path) {
    struct stat status{};
    CAPTURE(path.string());
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

/// The stream of one layer.
std::string stream_of_tree(const fs::path& tree, std::int64_t base) {
    Manifest manifest = small_manifest();
    manifest.layers = {{.created_at = "then"}};
    REQUIRE(walk_tree(tree, base, {}, [&](const Entry& entry, const Fd&) -> Result<> {
        ++manifest.layers[0].entries;
        for (const auto& extent : entry.extents) manifest.layers[0].bytes += extent.bytes;
        return {};
    }));
    std::string bytes;
    StreamWriter writer(into(bytes));
    REQUIRE(writer.manifest(manifest));
    REQUIRE(walk_tree(tree, base, {}, [&](const Entry& entry, const Fd& file) -> Result<> {
        BERTH_TRY(writer.begin(0, entry));
        return read_extents(entry, file, {}, [&](std::int64_t offset, std::string_view piece) {
            return writer.content(offset, piece);
        });
    }));
    REQUIRE(writer.finish());
    return bytes;
}

Result<std::string> make_tree(const std::string& bytes, const fs::path& to) {
    TreeMaker maker(to, base_after, {});
    auto digest = read_into(maker, bytes);
    if (digest) REQUIRE(maker.finish());
    return digest;
}

void furnish(const fs::path& top) {
    fs::create_directories(top / "a/b");
    write(top / "a/file", "content");
    REQUIRE(::link((top / "a/file").c_str(), (top / "a/b/hard").c_str()) == 0);
    fs::create_symlink("/etc/shadow", top / "a/link");
    REQUIRE(::mkfifo((top / "a/pipe").c_str(), 0640) == 0);
    REQUIRE(::mknod((top / "gone").c_str(), S_IFCHR, makedev(0, 0)) == 0);
    write(top / "a/sparse", "head");
    REQUIRE(::truncate((top / "a/sparse").c_str(), 8 << 20) == 0);
    for (const auto* name : {"", "a", "a/b", "a/file", "a/link", "a/pipe", "gone", "a/sparse"})
        REQUIRE(::lchown((top / name).c_str(), base_before + 33, base_before + 44) == 0);
    REQUIRE(::chmod((top / "a/file").c_str(), 06755) == 0);
    REQUIRE(::chmod((top / "a/b").c_str(), 01777) == 0);
    REQUIRE(::lsetxattr((top / "a/b").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
    REQUIRE(::lsetxattr((top / "a/file").c_str(), "user.note", "hello", 5, 0) == 0);
    const std::array<timespec, 2> times{timespec{1'000'000'000, 5}, timespec{1'100'000'000, 7}};
    for (const auto* name : {"a/file", "a/b", "a"})
        REQUIRE(::utimensat(AT_FDCWD, (top / name).c_str(), times.data(), 0) == 0);
}

}  // namespace

TEST_CASE("a tree comes out of a stream with everything but its owners' numbers", "[transfer]") {
    if (!privileged()) return;
    const Place place;
    furnish(place.from);
    const auto bytes = stream_of_tree(place.from, base_before);
    CHECK(bytes.size() < 100'000);
    const auto digest = make_tree(bytes, place.to);
    INFO((digest ? "" : digest.error().message));
    REQUIRE(digest);
    const auto made = place.to / "0";
    for (const auto* name :
         {"", "a", "a/b", "a/file", "a/b/hard", "a/link", "a/pipe", "gone", "a/sparse"}) {
        CAPTURE(name);
        const auto before = status_of(place.from / name);
        const auto after = status_of(made / name);
        CHECK(after.st_mode == before.st_mode);
        CHECK(after.st_uid == base_after + 33);
        CHECK(after.st_gid == base_after + 44);
        CHECK(after.st_nlink == before.st_nlink);
        CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
        CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
        if (!S_ISDIR(before.st_mode)) CHECK(after.st_size == before.st_size);
    }
    CHECK(read_file(made / "a/b/hard").value() == "content");
    CHECK(fs::read_symlink(made / "a/link") == "/etc/shadow");
    CHECK(status_of(made / "a/sparse").st_blocks <= status_of(place.from / "a/sparse").st_blocks);
    std::array<char, 16> value{};
    CHECK(::lgetxattr((made / "a/b").c_str(), "trusted.overlay.opaque", value.data(), 16) == 1);
    CHECK(::lgetxattr((made / "a/file").c_str(), "user.note", value.data(), 16) == 5);
    // And once more from there: the same files are the same stream, whoever owns them on disk.
    CHECK(stream_of_tree(made, base_after) == bytes);
}

TEST_CASE("rules of a directory for what is made in it do not reach what it had", "[transfer]") {
    if (!privileged()) return;
    const Place place;
    fs::create_directory(place.from / "d");
    write(place.from / "d/file", "x");
    const std::string rules(
        "\2\0\0\0\1\0\7\0\xff\xff\xff\xff\4\0\5\0\xff\xff\xff\xff\x20\0\0\0"
        "\xff\xff\xff\xff",
        28);
    REQUIRE(::lsetxattr((place.from / "d").c_str(), "system.posix_acl_default", rules.data(),
                        rules.size(), 0) == 0);
    REQUIRE(make_tree(stream_of_tree(place.from, 0), place.to));
    std::array<char, 64> value{};
    CHECK(::lgetxattr((place.to / "0/d").c_str(), "system.posix_acl_default", value.data(), 64) ==
          28);
    CHECK(::lgetxattr((place.to / "0/d/file").c_str(), "system.posix_acl_access", value.data(),
                      64) < 0);
}

TEST_CASE("sockets stay behind, and a device is refused by name", "[transfer]") {
    if (!privileged()) return;
    const Place place;
    REQUIRE(::mknod((place.from / "socket").c_str(), S_IFSOCK | 0600, 0) == 0);
    REQUIRE(make_tree(stream_of_tree(place.from, 0), place.to));
    CHECK_FALSE(fs::exists(place.to / "0/socket"));
    REQUIRE(::mknod((place.from / "zero").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0);
    const auto walked =
        walk_tree(place.from, 0, {}, [](const Entry&, const Fd&) -> Result<> { return {}; });
    REQUIRE_FALSE(walked);
    CHECK(walked.error().message.contains("/zero"));
}

TEST_CASE("nothing is made outside of a layer, whatever links are in it", "[transfer]") {
    if (!privileged()) return;
    const Place place;
    const auto outside = place.path / "outside";
    fs::create_directory(outside);
    const Item link{.entry = {.kind = Kind::symbolic_link, .path = "d", .target = outside}};
    // A directory of the same name, then what lies in it: the second one cannot be made.
    CHECK_FALSE(make_tree(stream_of({link, directory("d"), file("d/x", "x")}), place.to));
    // A hard link through the symbolic one, and one to a directory.
    write(outside / "secret", "s");
    const auto bytes =
        stream_of({link, {.entry = {.kind = Kind::hard_link, .path = "h", .target = "d/secret"}}});
    fs::create_directory(place.path / "other");
    CHECK_FALSE(make_tree(bytes, place.path / "other"));
    CHECK(status_of(outside / "secret").st_nlink == 1);
    CHECK(fs::directory_iterator(outside)->path().filename() == "secret");
}

TEST_CASE("a cancelled walk and a cancelled make end", "[transfer]") {
    if (!privileged()) return;
    const Place place;
    furnish(place.from);
    std::stop_source stop;
    stop.request_stop();
    const auto walked = walk_tree(place.from, base_before, stop.get_token(),
                                  [](const Entry&, const Fd&) -> Result<> { return {}; });
    CHECK(walked.error().code == ErrorCode::unavailable);
    TreeMaker maker(place.to, base_after, stop.get_token());
    CHECK(read_into(maker, stream_of({file("x", "x")})).error().code == ErrorCode::unavailable);
}

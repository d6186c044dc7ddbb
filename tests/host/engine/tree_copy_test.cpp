// SPDX-License-Identifier: Apache-2.0
// Everything that an overlay's layer can hold comes out of a copy as it went in. Needs root, for
// whiteouts and attributes of the trusted kind.
#include "host/engine/lxc/tree_copy.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

using namespace berth;
using namespace berth::engine;
namespace fs = std::filesystem;

namespace {

/// On a disk, because not every file system has all attributes; gone with the test.
struct Place {
    Place() { fs::create_directories(path / "from"); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { (void)remove_tree(path); }
    fs::path path = fs::path("/var/tmp") / ("berth-copy-" + random_hex(4));
    fs::path from = path / "from", to = path / "to";
};

struct stat status_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

void write(const fs::path& path, std::string_view content) {
    REQUIRE(write_file_atomically(path, content, {.durable = false}));
}

std::string attribute(const fs::path& path, const char* name) {
    std::array<char, 256> value{};
    const auto size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "" : std::string(value.data(), static_cast<std::size_t>(size));
}

void set_attribute(const fs::path& path, const char* name, std::string_view value) {
    REQUIRE(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) == 0);
}

}  // namespace

TEST_CASE("a copy has the same owners, modes, times and attributes", "[engine]") {
    if (!privileged()) return;
    const Place place;
    fs::create_directories(place.from / "a/b");
    write(place.from / "a/b/file", "content");
    REQUIRE(::lchown((place.from / "a/b/file").c_str(), 2'000'005, 2'000'006) == 0);
    REQUIRE(::chmod((place.from / "a/b/file").c_str(), 06751) == 0);
    REQUIRE(::chmod((place.from / "a").c_str(), 01777) == 0);
    set_attribute(place.from / "a/b/file", "user.note", "hello");
    set_attribute(place.from / "a/b/file", "security.capability",
                  std::string("\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
    set_attribute(place.from / "a/b", "trusted.overlay.opaque", "y");
    set_attribute(place.from / "a/b", "trusted.overlay.origin", "of another mount");
    const std::array<timespec, 2> times{timespec{1'000'000'000, 5}, timespec{1'100'000'000, 7}};
    for (const auto* name : {"a/b/file", "a/b", "a"})
        REQUIRE(::utimensat(AT_FDCWD, (place.from / name).c_str(), times.data(), 0) == 0);

    const auto copied = copy_tree(place.from, place.to, {});
    REQUIRE(copied);
    CHECK(copied->entries == 3);
    CHECK(copied->bytes > 0);
    for (const auto* name : {"a/b/file", "a/b", "a"}) {
        CAPTURE(name);
        const auto before = status_of(place.from / name);
        const auto after = status_of(place.to / name);
        CHECK(after.st_mode == before.st_mode);
        CHECK(after.st_uid == before.st_uid);
        CHECK(after.st_gid == before.st_gid);
        CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
        CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    }
    CHECK(read_file(place.to / "a/b/file").value() == "content");
    CHECK(attribute(place.to / "a/b/file", "user.note") == "hello");
    CHECK(attribute(place.to / "a/b/file", "security.capability").size() == 20);
    CHECK(attribute(place.to / "a/b", "trusted.overlay.opaque") == "y");
    CHECK(attribute(place.to / "a/b", "trusted.overlay.origin").empty());
}

TEST_CASE("links stay links, and what is no file stays what it is", "[engine]") {
    if (!privileged()) return;
    const Place place;
    fs::create_directories(place.from / "d");
    write(place.from / "one", "x");
    fs::create_hard_link(place.from / "one", place.from / "d/two");
    fs::create_symlink("/etc/shadow", place.from / "link");
    set_attribute(place.from / "link", "trusted.note", "on a link");
    REQUIRE(::mknod((place.from / "whiteout").c_str(), S_IFCHR, makedev(0, 0)) == 0);
    REQUIRE(::mkfifo((place.from / "pipe").c_str(), 0640) == 0);
    REQUIRE(::mknod((place.from / "socket").c_str(), S_IFSOCK | 0600, 0) == 0);

    REQUIRE(copy_tree(place.from, place.to, {}));
    CHECK(status_of(place.to / "one").st_ino == status_of(place.to / "d/two").st_ino);
    CHECK(status_of(place.to / "one").st_nlink == 2);
    CHECK(fs::read_symlink(place.to / "link") == "/etc/shadow");
    CHECK(attribute(place.to / "link", "trusted.note") == "on a link");
    CHECK(S_ISCHR(status_of(place.to / "whiteout").st_mode));
    CHECK(status_of(place.to / "whiteout").st_rdev == makedev(0, 0));
    CHECK(S_ISFIFO(status_of(place.to / "pipe").st_mode));
    CHECK(S_ISSOCK(status_of(place.to / "socket").st_mode));
}

TEST_CASE("holes stay holes", "[engine]") {
    if (!privileged()) return;
    const Place place;
    write(place.from / "sparse", "head");
    constexpr off_t size = 64 * 1024 * 1024;
    REQUIRE(::truncate((place.from / "sparse").c_str(), size) == 0);
    const auto copied = copy_tree(place.from, place.to, {});
    REQUIRE(copied);
    CHECK(status_of(place.to / "sparse").st_size == size);
    CHECK(status_of(place.to / "sparse").st_blocks * 512 < 1024 * 1024);
    CHECK(copied->bytes < 1024 * 1024);
}

TEST_CASE("a copy ends when nobody wants it or its time is up", "[engine]") {
    if (!privileged()) return;
    const Place place;
    write(place.from / "file", "x");
    std::stop_source cancel;
    cancel.request_stop();
    CHECK(copy_tree(place.from, place.to, {.cancelled = cancel.get_token()}).error().code ==
          ErrorCode::unavailable);
    (void)remove_tree(place.to);
    CHECK(copy_tree(place.from, place.to, {.deadline = {}}).error().code == ErrorCode::timed_out);
    CHECK_FALSE(copy_tree(place.from, place.to, {}));  // it is there, in part
}

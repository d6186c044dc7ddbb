// SPDX-License-Identifier: Apache-2.0
// Real mounts, in a mount namespace of the test's own. Needs root.
#include "host/engine/lxc/rootfs.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace berth;
using namespace berth::engine;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t uid_base = 2'000'000;

#define EXPECT(condition)                                                                      \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            return false;                                                                      \
        }                                                                                      \
    } while (false)

/// Runs `body` on a fresh base and directory, in a process with mounts of its own.
template <class Body>
bool with_mounts(Body body) {
    const fs::path place = fs::path("/var/tmp") / ("berth-rootfs-" + random_hex(4));
    fs::create_directories(place / "base/etc");
    (void)write_file_atomically(place / "base/etc/hello", "from the image", {.durable = false});
    (void)fs::create_directories(place / "share");
    (void)write_file_atomically(place / "share/file", "from the host", {.durable = false});
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                        body(place)
                    ? 0
                    : 1);
    int status = 1;
    (void)::waitpid(pid, &status, 0);
    (void)remove_tree(place);
    return status == 0;
}

uid_t owner_of(const fs::path& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_uid : 0;
}

}  // namespace

TEST_CASE("a root shows the image's files as the container's own and leaves the image alone",
          "[engine]") {
    if (!privileged()) return;
    const auto layering = GENERATE(Layering::best, Layering::by_path);
    CHECK(with_mounts([layering](const fs::path& place) {
        const Rootfs rootfs(place / "box", layering);
        EXPECT(rootfs.create(uid_base));
        EXPECT(rootfs.mount(place / "base", uid_base));
        EXPECT(rootfs.mount(place / "base", uid_base));  // again changes nothing
        EXPECT(read_file(rootfs.path() / "etc/hello").value_or("") == "from the image");
        EXPECT(owner_of(rootfs.path() / "etc/hello") == uid_base);
        EXPECT(rootfs.seed({.path = "etc/hello", .content = "from the seed"}, uid_base));
        EXPECT(rootfs.seed({.path = "etc/new/file", .content = "x", .mode = 0600}, uid_base));
        EXPECT(owner_of(rootfs.path() / "etc/new/file") == uid_base);
        EXPECT(read_file(place / "base/etc/hello").value_or("") == "from the image");
        EXPECT(!fs::exists(place / "base/etc/new"));
        EXPECT(rootfs.destroy());
        EXPECT(rootfs.destroy());
        EXPECT(!fs::exists(place / "box"));
        return true;
    }));
}

TEST_CASE("many roots are mounted at once", "[engine]") {
    if (!privileged()) return;
    CHECK(with_mounts([](const fs::path& place) {
        // Each makes children of its own, and none may wait for another's.
        constexpr int threads = 16, turns = 20;
        std::atomic<int> failures = 0;
        {
            std::vector<std::jthread> mounting;
            for (int number = 0; number < threads; ++number) {
                mounting.emplace_back([&failures, &place, number] {
                    const Rootfs rootfs(place / std::to_string(number));
                    for (int turn = 0; turn < turns; ++turn) {
                        const bool fine = rootfs.create(uid_base) &&
                                          rootfs.mount(place / "base", uid_base) &&
                                          rootfs.destroy();
                        if (!fine) ++failures;
                    }
                });
            }
        }
        EXPECT(failures == 0);
        return true;
    }));
}

TEST_CASE("a share is read-only, and a symbolic link in its way is refused", "[engine]") {
    if (!privileged()) return;
    CHECK(with_mounts([](const fs::path& place) {
        const Rootfs rootfs(place / "box");
        EXPECT(rootfs.create(uid_base));
        EXPECT(rootfs.mount(place / "base", uid_base));
        EXPECT(rootfs.expose(place / "share", "usr/lib/berth", uid_base));
        EXPECT(rootfs.expose(place / "share", "usr/lib/berth", uid_base));
        EXPECT(read_file(rootfs.path() / "usr/lib/berth/file").value_or("") == "from the host");
        EXPECT(::open((rootfs.path() / "usr/lib/berth/file").c_str(), O_WRONLY) < 0 &&
               errno == EROFS);
        fs::create_directory_symlink("/etc", rootfs.path() / "trap");
        const auto refused = rootfs.expose(place / "share", "trap/berth", uid_base);
        EXPECT(!refused && refused.error().code == ErrorCode::busy);
        const auto seeded = rootfs.seed({.path = "trap/passwd", .content = "x"}, uid_base);
        EXPECT(!seeded);
        EXPECT(rootfs.destroy());
        EXPECT(read_file(place / "share/file").value_or("") == "from the host");
        return true;
    }));
}

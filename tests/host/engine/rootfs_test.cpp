// SPDX-License-Identifier: Apache-2.0
// Real mounts, in a mount namespace of the test's own. Needs root.
#include "host/engine/lxc/rootfs.h"

#include "base/files.h"
#include "host/engine/lxc/tree_copy.h"
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

TEST_CASE("a root on layers of other containers shows their files as its own", "[engine]") {
    if (!privileged()) return;
    const auto layering = GENERATE(Layering::best, Layering::by_path);
    CHECK(with_mounts([layering](const fs::path& place) {
        constexpr std::int64_t second_base = 3'000'000, third_base = 4'000'000;
        (void)fs::create_directories(place / "base/opt/old");
        (void)write_file_atomically(place / "base/etc/gone", "x", {.durable = false});
        const Rootfs first(place / "first", layering);
        EXPECT(first.create(uid_base));
        EXPECT(first.mount(place / "base", uid_base));
        EXPECT(first.seed({.path = "srv/one", .content = "1", .mode = 04755}, uid_base));
        EXPECT(first.seed({.path = "etc/gone", .content = "", .absent = true}, uid_base));
        EXPECT(::rmdir((first.path() / "opt/old").c_str()) == 0);
        EXPECT(::mkdir((first.path() / "opt/old").c_str(), 0700) == 0);  // opaque now
        EXPECT(::chmod(first.path().c_str(), 0711) == 0);
        EXPECT(copy_tree(first.upper({}), place / "layer1", {}));

        const Root on_first{.name = "a", .layers = {{place / "layer1", uid_base}}};
        const Rootfs second(place / "second", layering);
        EXPECT(second.create(second_base, on_first));
        EXPECT(second.mount(place / "base", second_base, on_first));
        EXPECT(owner_of(second.path() / "srv/one") == second_base);
        EXPECT(owner_of(second.path()) == second_base);
        EXPECT(!fs::exists(second.path() / "etc/gone"));
        EXPECT(second.seed({.path = "srv/two", .content = "2"}, second_base));
        EXPECT(copy_tree(second.upper(on_first), place / "layer2", {}));

        const Root on_both{
            .name = "", .layers = {{place / "layer2", second_base}, {place / "layer1", uid_base}}};
        const Rootfs third(place / "third", layering);
        EXPECT(third.create(third_base, on_both));
        EXPECT(third.mount(place / "base", third_base, on_both));
        for (const auto* name : {"srv/one", "srv/two", "etc/hello"})
            EXPECT(owner_of(third.path() / name) == third_base);
        struct stat status{};
        EXPECT(::stat((third.path() / "srv/one").c_str(), &status) == 0);
        EXPECT((status.st_mode & 07777) == 04755);
        EXPECT(::stat(third.path().c_str(), &status) == 0 && (status.st_mode & 07777) == 0711);
        for (const auto& rootfs : {first, second, third}) EXPECT(rootfs.destroy());
        EXPECT(!fs::exists(place / "second"));
        return true;
    }));
}

TEST_CASE("of several roots one is kept", "[engine]") {
    if (!privileged()) return;
    CHECK(with_mounts([](const fs::path& place) {
        const Rootfs rootfs(place / "box");
        EXPECT(rootfs.create(uid_base));
        EXPECT(rootfs.create(uid_base, {.name = "new", .layers = {}}));
        EXPECT(fs::exists(place / "box/upper") && fs::exists(place / "box/upper-new"));
        EXPECT(rootfs.keep({.name = "new", .layers = {}}));
        EXPECT(!fs::exists(place / "box/upper") && !fs::exists(place / "box/work"));
        EXPECT(fs::exists(place / "box/upper-new") && fs::exists(place / "box/work-new"));
        EXPECT(fs::exists(place / "box/rootfs"));
        return true;
    }));
}

TEST_CASE("a seed edits a line, and removes a file, only where there is one", "[engine]") {
    if (!privileged()) return;
    CHECK(with_mounts([](const fs::path& place) {
        const Rootfs rootfs(place / "box");
        EXPECT(rootfs.create(uid_base));
        EXPECT(rootfs.mount(place / "base", uid_base));
        const SeedFile edit{.path = "etc/hosts", .content = "b", .instead_of = "a"};
        EXPECT(rootfs.seed(edit, uid_base));
        EXPECT(!fs::exists(rootfs.path() / "etc/hosts"));
        EXPECT(rootfs.seed({.path = "etc/hosts", .content = "x a\na\na y\n"}, uid_base));
        EXPECT(rootfs.seed(edit, uid_base));
        EXPECT(read_file(rootfs.path() / "etc/hosts").value_or("") == "x a\nb\na y\n");
        EXPECT(rootfs.seed({.path = "no/such/file", .content = "", .absent = true}, uid_base));
        EXPECT(!fs::exists(rootfs.path() / "no"));
        return true;
    }));
}

TEST_CASE("a file seeded again is overwritten, and whatever else stands there now goes",
          "[engine]") {
    if (!privileged()) return;
    CHECK(with_mounts([](const fs::path& place) {
        const Rootfs rootfs(place / "box");
        EXPECT(rootfs.create(uid_base));
        EXPECT(rootfs.mount(place / "base", uid_base));
        const auto file = rootfs.path() / "etc/name", other = rootfs.path() / "etc/other";
        const auto read = [](const fs::path& path) { return read_file(path).value_or(""); };
        EXPECT(rootfs.seed({.path = "etc/name", .content = "standby\n"}, uid_base));
        EXPECT(rootfs.seed_again({.path = "etc/name", .content = "ada\n"}, uid_base));
        EXPECT(read(file) == "ada\n");
        fs::create_hard_link(file, other);
        EXPECT(rootfs.seed_again({.path = "etc/name", .content = "bob\n"}, uid_base));
        EXPECT(read(file) == "bob\n" && read(other) == "ada\n");
        fs::remove(file);
        fs::create_symlink("other", file);
        EXPECT(rootfs.seed_again({.path = "etc/name", .content = "cid\n"}, uid_base));
        EXPECT(fs::is_regular_file(fs::symlink_status(file)));
        EXPECT(read(file) == "cid\n" && read(other) == "ada\n");
        EXPECT(rootfs.seed_again({.path = "new/name", .content = "x"}, uid_base));
        EXPECT(read(rootfs.path() / "new/name") == "x");
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

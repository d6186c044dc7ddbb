// SPDX-License-Identifier: Apache-2.0
// What a device needs in a container's root, with whatever the container has put in the way. Real
// mounts, in a mount namespace of the test's own. Needs root.
#include "host/engine/lxc/driver_files.h"

#include "host/engine/lxc/mounts.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <thread>

using namespace berth;
using namespace berth::engine;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t uid_base = 2'000'000;

/// A root that is a mount, as a container's is, and files of the host.
struct Box {
    TemporaryDirectory place;
    fs::path root = place.path() / "root", host = place.path() / "host",
             stands = place.path() / "stands";

    Box() {
        fs::create_directories(root);
        REQUIRE(::mount("tmpfs", root.c_str(), "tmpfs", 0, nullptr) == 0);
        for (const auto* directory : {"usr/lib/berth", "etc", "proc", "dev", "run"})
            fs::create_directories(root / directory);
        fs::create_directory_symlink("usr/lib", root / "lib");
        place.write("host/lib.so.550", "a library");
        place.write("host/data/file", "data");
    }
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;
    ~Box() {
        for (std::size_t index = 0; index < 4; ++index)
            (void)unmount_all(stands / fmt::format("run-{}", index));
        (void)::umount2(root.c_str(), MNT_DETACH);
    }

    [[nodiscard]] Result<> put(const DriverFiles& files) const {
        return place_driver_files(files, root, stands, uid_base);
    }
    [[nodiscard]] Result<> mount(std::string inside) const {
        return put({.mounts = {{.host_path = host / "lib.so.550", .inside = std::move(inside)}}});
    }
};

/// Runs it where its mounts are nobody else's.
template <class Body>
void with_own_mounts(Body body) {
    if (!privileged()) return;
    std::thread([&] {
        REQUIRE(::unshare(CLONE_FS | CLONE_NEWNS) == 0);
        REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        body();
    }).join();
}

unsigned long flags_of(const fs::path& path) {
    struct statvfs status{};
    return ::statvfs(path.c_str(), &status) == 0 ? status.f_flag : 0;
}

}  // namespace

TEST_CASE("a device's files are seen inside, read-only, by the links of the image", "[engine]") {
    with_own_mounts([] {
        const Box box;
        REQUIRE(box.put(
            {.mounts = {{.host_path = box.host / "lib.so.550", .inside = "/lib/new/lib.so.550"},
                        {.host_path = box.host / "data",
                         .inside = "/opt/data",
                         .writable = true,
                         .executable = false}},
             .links = {{.path = "/lib/new/lib.so", .target = "lib.so.550"}},
             .modes = {{.path = "/lib/new", .mode = 0700}},
             .library_folders = {"/usr/lib/new"}}));
        CHECK(read_file(box.root / "usr/lib/new/lib.so").value() == "a library");
        CHECK((flags_of(box.root / "usr/lib/new/lib.so.550") &
               (ST_RDONLY | ST_NOSUID | ST_NODEV)) == (ST_RDONLY | ST_NOSUID | ST_NODEV));
        CHECK(read_file(box.root / "opt/data/file").value() == "data");
        CHECK((flags_of(box.root / "opt/data") & (ST_RDONLY | ST_NOEXEC)) == ST_NOEXEC);
        CHECK(read_file(box.root / "etc/ld.so.conf.d/00-berth-devices.conf")
                  .value()
                  .ends_with("\n/usr/lib/new\n"));
        struct stat status{};
        REQUIRE(::lstat((box.root / "usr/lib/new").c_str(), &status) == 0);
        CHECK(status.st_uid == uid_base);
        CHECK((status.st_mode & 07777) == 0700);
        REQUIRE(::lstat((box.root / "usr/lib/new/lib.so").c_str(), &status) == 0);
        CHECK(status.st_uid == uid_base);
    });
}

TEST_CASE("what belongs into /run waits for it, confined already", "[engine]") {
    with_own_mounts([] {
        const Box box;
        const DriverFiles files{
            .mounts = {{.host_path = box.host / "data/file", .inside = "/run/nvidia/socket"},
                       {.host_path = box.host / "data", .inside = "/run/data"}}};
        REQUIRE(box.put(files));
        CHECK_FALSE(fs::exists(box.root / "run/nvidia"));
        const auto waiting = run_mounts(files, box.stands);
        REQUIRE(waiting.size() == 2);
        CHECK(waiting[0].inside == "run/nvidia/socket");
        CHECK_FALSE(waiting[0].directory);
        CHECK(waiting[1].directory);
        CHECK(read_file(waiting[0].stand).value() == "data");
        CHECK((flags_of(waiting[1].stand) & ST_RDONLY) != 0);
    });
}

TEST_CASE("links that a container has made lead nothing out of it, nor over what confines it",
          "[engine]") {
    with_own_mounts([] {
        const Box box;
        fs::create_directory_symlink(box.host, box.root / "out");
        fs::create_directory_symlink("../../../../../..", box.root / "up");
        fs::create_directory_symlink("/usr/lib/berth", box.root / "sly");
        fs::create_directory_symlink("/proc", box.root / "kernel");
        fs::create_directory_symlink("/gone", box.root / "dangling");
        // As the container sees it: the same path below its own root, where nothing is.
        CHECK(box.mount("/out/x").error().code == ErrorCode::busy);
        CHECK_FALSE(fs::exists(box.host / "x"));
        REQUIRE(box.mount("/up/y"));
        CHECK(fs::exists(box.root / "y"));
        CHECK(box.mount("/sly/sshd_config").error().code == ErrorCode::denied);
        CHECK(box.mount("/kernel/x").error().code == ErrorCode::denied);
        CHECK(box.mount("/dangling/x").error().code == ErrorCode::busy);
        CHECK(box.put({.links = {{.path = "/sly/a", .target = "b"}}}).error().code ==
              ErrorCode::denied);
        CHECK(box.put({.modes = {{.path = "/sly", .mode = 0777}}}).error().code == ErrorCode::busy);
        // Nor into what is mounted there.
        REQUIRE(::mount("tmpfs", (box.root / "usr/lib/berth").c_str(), "tmpfs", 0, nullptr) == 0);
        CHECK(box.mount("/usr/lib/berth/x").error().code == ErrorCode::busy);
    });
}

TEST_CASE("what the container has of its own stays, and what is missing on the host is named",
          "[engine]") {
    with_own_mounts([] {
        const Box box;
        box.place.write("root/opt/own.so", "its own");
        fs::create_symlink("old", box.root / "opt/link");
        const auto link = [&](const std::string& path) {
            return box.put({.links = {{.path = path, .target = "new"}}});
        };
        CHECK(link("/opt/own.so").error().code == ErrorCode::busy);
        CHECK(read_file(box.root / "opt/own.so").value() == "its own");
        REQUIRE(link("/opt/link"));
        REQUIRE(link("/opt/link"));
        CHECK(fs::read_symlink(box.root / "opt/link") == "new");
        CHECK(box.mount("/opt/link").error().code ==
              ErrorCode::busy);                                    // a file, and there is a link
        CHECK(box.mount("/opt").error().code == ErrorCode::busy);  // and a directory
        const auto gone = box.put({.mounts = {{.host_path = box.host / "gone", .inside = "/x"}}});
        CHECK(gone.error().code == ErrorCode::not_found);
        CHECK(gone.error().message.contains("host/gone"));
        CHECK(box.put({.modes = {{.path = "/nothing", .mode = 0700}}}).error().code ==
              ErrorCode::busy);
    });
}

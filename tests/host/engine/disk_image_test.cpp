// SPDX-License-Identifier: Apache-2.0
// Real disk images, on real loop devices. Needs root and mkfs.ext4.
#include "host/engine/lxc/disk_image.h"

#include "base/files.h"
#include "host/engine/lxc/disk_use.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

using namespace berth;
using namespace berth::engine;

namespace {

constexpr std::int64_t mib = 1 << 20;
constexpr int not_kept = -1;

struct Made {
    Made() { REQUIRE(disk.create(32 * mib)); }
    Made(const Made&) = delete;
    Made& operator=(const Made&) = delete;
    ~Made() { unmount(); }
    void unmount() const { (void)::umount2(disk.path().c_str(), MNT_DETACH); }

    TemporaryDirectory directory;
    DiskImage disk{directory.path()};
};

/// How many MiB go into a new file before there is no room; not_kept when they did not last.
int fill(const std::filesystem::path& file, int mib_max) {
    const Fd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const std::string block(mib, 'x');
    for (int done = 0; done < mib_max; ++done) {
        if (::write(out.get(), block.data(), block.size()) != mib) return done;
    }
    // Blocks are given out when they are written.
    return ::fsync(out.get()) == 0 ? mib_max : not_kept;
}

bool works() {
    const TemporaryDirectory scratch;
    return privileged() && DiskImage::works(scratch.path() / "probe");
}

}  // namespace

TEST_CASE("a disk takes what it is held to and no more, also after it is mounted again", "[disk]") {
    if (!works()) return;
    const Made made;
    for (int time = 0; time < 2; ++time) {
        REQUIRE(made.disk.mount());
        REQUIRE(made.disk.mount());  // can be repeated
        REQUIRE(made.disk.hold_to(32 * mib));
        const int fitted = fill(made.disk.path() / "file", 100);
        CHECK(fitted >= 30);
        CHECK(fitted <= 32);
        made.unmount();
    }
    const auto use = made.disk.use();
    REQUIRE(use);
    CHECK_FALSE(use->exact);  // it is not mounted
    CHECK(use->bytes > 30 * mib);
}

TEST_CASE("a disk grows at once, shrinks to what is used, and not beyond what it was made for",
          "[disk]") {
    if (!works()) return;
    const Made made;
    REQUIRE(made.disk.mount());
    REQUIRE(made.disk.hold_to(128 * mib));
    CHECK(fill(made.disk.path() / "file", 100) == 100);
    const auto use = made.disk.use();
    REQUIRE(use);
    CHECK(use->exact);
    CHECK(use->bytes >= 100 * mib);
    const auto small = made.disk.hold_to(64 * mib);
    REQUIRE_FALSE(small);
    CHECK(small.error().code == ErrorCode::busy);
    CHECK(small.error().field == "/disk_bytes");
    const auto large = made.disk.hold_to(4096 * mib);
    REQUIRE_FALSE(large);
    CHECK(large.error().code == ErrorCode::unsupported);
    REQUIRE(made.disk.fill());
    CHECK(fill(made.disk.path() / "other", 10) == 0);
    // What is removed is room again, on the host too.
    REQUIRE(::unlink((made.disk.path() / "file").c_str()) == 0);
    REQUIRE(made.disk.hold_to(64 * mib));
    CHECK(fill(made.disk.path() / "other", 60) == 60);
}

TEST_CASE("a disk that is there is closed to other users, and one that is not is no error",
          "[disk]") {
    if (!works()) return;
    const Made made;
    REQUIRE(made.disk.mount());
    struct stat status{};
    REQUIRE(::stat(made.disk.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    const TemporaryDirectory empty;
    const DiskImage none(empty.path());
    CHECK_FALSE(none.exists());
    CHECK(none.mount());
}

TEST_CASE("a disk that gave up is known, and takes writes again when it is mounted anew",
          "[disk]") {
    if (!works()) return;
    const Made made;
    REQUIRE(made.disk.mount());
    CHECK_FALSE(made.disk.gave_up());
    struct stat status{};
    REQUIRE(::stat(made.disk.path().c_str(), &status) == 0);
    const auto device = std::filesystem::canonical(
        fmt::format("/sys/dev/block/{}:{}", major(status.st_dev), minor(status.st_dev)));
    REQUIRE(write_kernel_file("/sys/fs/ext4" / device.filename() / "trigger_fs_error", "a test"));
    CHECK(made.disk.gave_up());
    made.unmount();
    REQUIRE(made.disk.mount());
    CHECK_FALSE(made.disk.gave_up());
    CHECK(fill(made.disk.path() / "other", 20) == 20);
}

TEST_CASE("a disk that somebody still has open is never there twice", "[disk]") {
    if (!works()) return;
    const Made made;
    const auto device = [&made] {
        struct stat status{};
        REQUIRE(::stat(made.disk.path().c_str(), &status) == 0);
        return status.st_dev;
    };
    REQUIRE(made.disk.mount());
    const auto before = device();
    const Fd held(::open((made.disk.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(held);
    made.unmount();
    REQUIRE(made.disk.mount());
    CHECK(device() == before);
    REQUIRE(::write(held.get(), "x", 1) == 1);
    CHECK(read_file(made.disk.path() / "file").value() == "x");
}

TEST_CASE("files are counted once, and what is a link or elsewhere is not", "[disk]") {
    using namespace std::chrono_literals;
    const TemporaryDirectory directory;
    const auto root = directory.path() / "tree";
    REQUIRE(make_directories(root / "below"));
    const auto empty = disk_use(root, 10s).bytes;
    CHECK(fill(directory.path() / "outside", 4) == 4);
    CHECK(fill(root / "below/file", 2) == 2);
    REQUIRE(::link((root / "below/file").c_str(), (root / "again").c_str()) == 0);
    REQUIRE(::symlink("../outside", (root / "link").c_str()) == 0);
    const auto use = disk_use(root, 10s);
    CHECK(use.exact);
    CHECK(use.bytes - empty >= 2 * mib);
    CHECK(use.bytes - empty < 3 * mib);
    CHECK_FALSE(disk_use(root, -1s).exact);
    CHECK_FALSE(disk_use(root / "nosuch", 10s).exact);
}

// SPDX-License-Identifier: Apache-2.0
// What a container's own disk is made of. Quotas need a file system that is mounted for them:
// tests/system's stock_machine has one.
#include "host/engine/lxc/own_disk.h"

#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <sys/mount.h>

#include <filesystem>

using namespace berth;
using namespace berth::engine;

TEST_CASE("what is no disk of a container's own is told from what is one", "[limits]") {
    constexpr std::int64_t bytes = 16 << 20;
    const TemporaryDirectory directory;
    const OwnDisk disk(directory.path());
    CHECK(disk.by() == DiskBy::none);
    std::filesystem::create_directory(disk.path());  // as a make that was killed leaves it
    CHECK_FALSE(disk.exists());
    CHECK(disk.make_way());
    REQUIRE(disk.create(bytes, 1'000'000, DiskBy::image));
    CHECK(disk.by() == DiskBy::image);
}

TEST_CASE("the best means is one that works, and its trial leaves nothing", "[limits]") {
    if (!privileged()) return;
    const TemporaryDirectory directory;
    const auto scratch = directory.path() / "probe";
    const auto best = OwnDisk::best(scratch);
    CHECK(std::filesystem::is_empty(directory.path()));
    if (best == DiskBy::none) return;
    std::filesystem::create_directory(scratch);
    const OwnDisk disk(scratch);
    constexpr std::uint32_t project = 1'065'536;
    REQUIRE(disk.create(16 << 20, project, best));
    REQUIRE(disk.mount());
    CHECK(disk.by() == best);
    CHECK(disk.hold_to(8 << 20));
    CHECK(disk.use());
    CHECK(disk.make_way());
    (void)::umount2(disk.path().c_str(), MNT_DETACH);
}

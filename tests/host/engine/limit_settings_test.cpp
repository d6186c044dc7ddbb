// SPDX-License-Identifier: Apache-2.0
// Limits as files, on this machine's control groups and on made-up trees of the layouts that it
// does not have.
#include "host/engine/lxc/limit_settings.h"

#include "base/files.h"
#include "host/engine/lxc/disk.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <linux/magic.h>

#include <map>

using namespace berth;
using namespace berth::engine;

namespace fs = std::filesystem;

namespace {

constexpr Limits limits{.memory_bytes = 1 << 26,
                        .cpu_percent = 50,
                        .processes = 40,
                        .swap_bytes = 1 << 20,
                        .io_bytes_per_second = 1 << 22,
                        .io_operations_per_second = 100};
constexpr Limits plain{.memory_bytes = 1 << 26, .cpu_percent = 50, .processes = 40};

/// What a directory of a made-up tree is: its file ".type" says so.
long made_up(const fs::path& path) {
    const auto type = read_file(path / ".type");
    if (!type) return -1;
    return *type == "cgroup2" ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
}

void put(const fs::path& path, std::string_view content) {
    REQUIRE(make_directories(path.parent_path()));
    REQUIRE(write_file_atomically(path, content, {.durable = false}));
}

Cgroups unified(const fs::path& root, std::string_view controllers) {
    put(root / ".type", "cgroup2");
    put(root / "cgroup.controllers", controllers);
    return Cgroups::probe(root, made_up).value();
}

Cgroups legacy(const fs::path& root, bool swap, bool throttles) {
    for (const auto* controller : {"memory", "cpu", "pids", "blkio"})
        put(root / controller / ".type", "cgroup");
    if (swap) put(root / "memory/memory.memsw.limit_in_bytes", "9223372036854771712\n");
    if (throttles) put(root / "blkio/blkio.throttle.read_bps_device", "");
    return Cgroups::probe(root, made_up).value();
}

std::map<std::string, std::string> files(const Limits& wanted, const Cgroups& cgroups,
                                         std::string_view disk = "8:0") {
    std::map<std::string, std::string> found;
    const auto settings = limit_settings(wanted, cgroups, disk).value();
    for (const auto& one : settings) found.emplace(one.file, one.value);
    return found;
}

}  // namespace

TEST_CASE("on the unified hierarchy swap and the disk's speed have files of their own",
          "[limits]") {
    const TemporaryDirectory directory;
    const auto cgroups = unified(directory.path(), "cpu io memory pids\n");
    CHECK(cgroups.layout() == CgroupLayout::unified);
    const auto all = files(limits, cgroups);
    CHECK(all.at("memory.max") == "67108864");
    CHECK(all.at("memory.swap.max") == "1048576");
    CHECK(all.at("io.max") == "8:0 rbps=4194304 wbps=4194304 riops=100 wiops=100");
    CHECK(files(plain, cgroups).at("memory.swap.max") == "0");
    const auto settings = limit_settings(plain, cgroups, "8:0").value();
    for (const auto& one : settings) CHECK((one.file == "io.max") == (one.value == one.none));
}

TEST_CASE("on the older hierarchies swap counts with the memory", "[limits]") {
    const TemporaryDirectory directory;
    const auto cgroups = legacy(directory.path(), true, true);
    CHECK(cgroups.layout() == CgroupLayout::legacy);
    const auto all = files(limits, cgroups);
    CHECK(all.at("memory.limit_in_bytes") == "67108864");
    CHECK(all.at("memory.memsw.limit_in_bytes") == "68157440");
    CHECK(files(plain, cgroups).at("memory.memsw.limit_in_bytes") == "67108864");
    CHECK(all.at("blkio.throttle.read_bps_device") == "8:0 4194304");
    CHECK(all.at("blkio.throttle.write_iops_device") == "8:0 100");
}

TEST_CASE("a limit that has no means is refused by name, and not asked for it is left out",
          "[limits]") {
    const TemporaryDirectory directory;
    const auto refused = [](const Limits& wanted, const Cgroups& cgroups, std::string_view disk) {
        const auto settings = limit_settings(wanted, cgroups, disk);
        REQUIRE_FALSE(settings);
        CHECK(settings.error().code == ErrorCode::unsupported);
        CHECK_FALSE(settings.error().hint.empty());
        return settings.error().field;
    };
    auto wanted = plain;
    SECTION("swap, where the kernel does not count it") {
        const auto cgroups = legacy(directory.path(), false, true);
        CHECK(files(plain, cgroups).count("memory.memsw.limit_in_bytes") == 0);
        wanted.swap_bytes = 1;
        CHECK(refused(wanted, cgroups, "8:0") == "/swap_bytes");
    }
    SECTION("the disk's speed, where the kernel has no throttles") {
        const auto cgroups = legacy(directory.path(), true, false);
        CHECK(limit_settings(plain, cgroups, "8:0"));
        wanted.io_bytes_per_second = 1 << 20;
        CHECK(refused(wanted, cgroups, "8:0") == "/io_bytes_per_second");
    }
    SECTION("the disk's speed, where the unified hierarchy does not have it") {
        const auto cgroups = unified(directory.path(), "cpu memory pids\n");
        wanted.io_operations_per_second = 100;
        CHECK(refused(wanted, cgroups, "8:0") == "/io_operations_per_second");
    }
    SECTION("the disk's speed, where files lie on no disk") {
        const auto cgroups = unified(directory.path(), "cpu io memory pids\n");
        CHECK(limit_settings(plain, cgroups, ""));
        wanted.io_bytes_per_second = 1 << 20;
        CHECK(refused(wanted, cgroups, "") == "/io_bytes_per_second");
    }
}

TEST_CASE("limits of a group change both ways, and all of them or none", "[limits]") {
    if (!privileged()) return;
    const auto cgroups = Cgroups::probe().value();
    const std::string group = "berth-limits-test";
    const auto disk = disk_under("/var/tmp");
    for (const auto* controller :
         {"memory", "cpu", "pids", cgroups.legacy("blkio") ? "blkio" : "io"}) {
        const auto made = cgroups.directory(controller, group);
        if (made) (void)make_directories(*made);
    }
    const auto memory = cgroups.directory("memory", group).value();
    const auto file = memory / (cgroups.legacy("memory") ? "memory.limit_in_bytes" : "memory.max");
    const auto is = [&file] { return std::stoll(read_file(file).value()); };
    auto wanted = plain;
    for (const std::int64_t bytes : {1 << 26, 1 << 28, 1 << 25}) {
        wanted.memory_bytes = bytes;
        if (limits_swap(cgroups)) wanted.swap_bytes = bytes / 2;
        if (limits_io(cgroups) && !disk.empty()) wanted.io_bytes_per_second = bytes;
        const auto applied = apply_limits(wanted, cgroups, disk, group);
        CAPTURE(bytes, applied ? "" : applied.error().message);
        CHECK(applied);
        CHECK(is() == bytes);
    }
    // A number of no disk: the kernel refuses what comes last.
    if (limits_io(cgroups)) {
        wanted.memory_bytes = 1 << 27;
        CHECK_FALSE(apply_limits(wanted, cgroups, "4095:77", group));
        CHECK(is() == 1 << 25);
    }
    CHECK(apply_limits(plain, cgroups, disk, group));
    CHECK(is() == plain.memory_bytes);
    cgroups.remove(group);
}

TEST_CASE("a part of a disk is known by its disk", "[limits]") {
    const TemporaryDirectory sysfs;
    const auto device = sysfs.path() / "devices/pci0/block/sda";
    put(device / "dev", "8:0\n");
    put(device / "sda1/dev", "8:1\n");
    put(device / "sda1/partition", "1\n");
    REQUIRE(make_directories(sysfs.path() / "dev/block"));
    fs::create_directory_symlink("../../devices/pci0/block/sda", sysfs.path() / "dev/block/8:0");
    fs::create_directory_symlink("../../devices/pci0/block/sda/sda1",
                                 sysfs.path() / "dev/block/8:1");
    CHECK(disk_of("8:0", sysfs.path()) == "8:0");
    CHECK(disk_of("8:1", sysfs.path()) == "8:0");
    CHECK(disk_of("8:2", sysfs.path()).empty());
    CHECK(disk_under("/proc").empty());
}

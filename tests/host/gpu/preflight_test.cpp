// SPDX-License-Identifier: Apache-2.0
// What may be wrong with a GPU, each with its reason, and what to do.
#include "host/gpu/preflight.h"

#include "host/gpu/inventory.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace berth;
using namespace berth::gpu;

namespace {

/// "reason" or "reason!", which blocks, of all findings, in their order.
std::string reasons(const std::vector<Finding>& findings) {
    std::string out;
    for (const auto& finding : findings) {
        CHECK_FALSE(finding.message.empty());
        CHECK_FALSE(finding.next.empty());
        out += fmt::format("{}{} ", to_string(finding.reason), finding.blocks ? "!" : "");
    }
    return out;
}

Gpu one(const Sysfs& machine, std::string_view address) {
    const auto gpus = inventory(machine.roots()).value();
    for (const auto& gpu : gpus) {
        if (gpu.address.to_string() == address) return gpu;
    }
    throw std::runtime_error("no such GPU");
}

std::string found(const Sysfs& machine, std::string_view address) {
    return reasons(examine(one(machine, address), machine.roots()));
}

}  // namespace

TEST_CASE("a GPU that is well has nothing said of it", "[gpu]") {
    CHECK(found(*made_up::four_nvidia(), "0000:41:00.0").empty());
    CHECK(found(*made_up::two_amd(), "0000:e3:00.0").empty());
    CHECK(found(*made_up::three_intel(), "0000:33:00.0").empty());
    CHECK(found(*made_up::screens_alone(), "0000:03:00.0").empty());
}

TEST_CASE("what keeps a GPU from a container blocks it", "[gpu]") {
    CHECK(found(*made_up::no_driver(), "0000:0b:00.0") == "no_driver! ");
    CHECK(found(*made_up::vfio(), "0000:0b:00.0") == "vfio_bound! ");

    const auto machine = made_up::four_nvidia();
    machine->write("proc/devices", "Character devices:\n195 nvidia\n");
    CHECK(found(*machine, "0000:41:00.0") == "node_missing! ");
    machine->remove("proc/driver/nvidia/gpus/0000:41:00.0");
    CHECK(found(*machine, "0000:41:00.0") == "driver_silent! ");
}

TEST_CASE("libraries of another version than the kernel's module block, of the same one do not",
          "[gpu]") {
    const auto machine = made_up::four_nvidia();
    const std::filesystem::path libraries = machine->root() / "lib/x86_64-linux-gnu";
    machine->write("lib/x86_64-linux-gnu/libnvidia-ml.so.550.54.15", "");
    std::filesystem::create_symlink("libnvidia-ml.so.550.54.15", libraries / "libnvidia-ml.so.1");
    CHECK(found(*machine, "0000:41:00.0").empty());
    machine->write("module/nvidia/version", "550.90.07\n");
    const auto findings = examine(one(*machine, "0000:41:00.0"), machine->roots());
    CHECK(reasons(findings) == "version_mismatch! ");
    CHECK(findings[0].message ==
          "the kernel's module is NVIDIA 550.90.07, and the libraries are 550.54.15");
    CHECK(health_of(one(*machine, "0000:41:00.0"), machine->roots()) == "version_mismatch");
    machine->remove("module/nvidia/version");  // then the driver's own file tells
    CHECK(found(*machine, "0000:41:00.0").empty());
}

TEST_CASE("what only weakens a GPU does not block it", "[gpu]") {
    const auto machine = made_up::two_amd();
    machine->remove("class/kfd");
    CHECK(found(*machine, "0000:e3:00.0") == "node_missing ");
    machine->write("bus/pci/devices/0000:e3:00.0/ras/umc_err_count", "ue: 2\nce: 0\n");
    CHECK(found(*machine, "0000:e3:00.0") == "node_missing ecc_errors ");
}

TEST_CASE("NVIDIA's tool tells errors and persistence, and if it cannot, that", "[gpu]") {
    const auto machine = made_up::four_nvidia();
    const auto gpu = one(*machine, "0000:41:00.0");
    const auto report = [&](std::optional<bool> persistence, std::optional<std::int64_t> errors) {
        return reasons(examine_report(gpu, std::vector{SmiReport{.address = gpu.address,
                                                                 .persistence = persistence,
                                                                 .uncorrected_errors = errors}}));
    };
    CHECK(report(true, 0).empty());
    CHECK(report({}, {}).empty());
    CHECK(report(false, 3) == "ecc_errors persistence_off ");
    CHECK(reasons(examine_report(gpu, std::vector<SmiReport>{})) == "driver_silent ");
    CHECK(reasons(examine_report(gpu, fail(ErrorCode::not_found, "no such program"))) ==
          "driver_silent ");
    CHECK(
        examine_report(one(*made_up::two_amd(), "0000:e3:00.0"), std::vector<SmiReport>{}).empty());
}

TEST_CASE("processes that have it open are named, but for the one that keeps it loaded", "[gpu]") {
    if (!privileged()) return;
    const auto machine = made_up::four_nvidia();
    const auto roots = machine->roots();
    std::filesystem::create_directories(roots.dev / "dri");
    // Stands in for a card: /dev/null's numbers, and no other process of this tree has it.
    REQUIRE(::mknod((roots.dev / "nvidia2").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
    REQUIRE(::mknod((roots.dev / "nvidia1").c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0);
    const auto process = [&](int pid, std::string_view command, const char* node) {
        machine->write(fmt::format("proc/{}/comm", pid), fmt::format("{}\n", command));
        std::filesystem::create_directories(roots.proc / fmt::format("{}/fd", pid));
        std::filesystem::create_symlink(roots.dev / node, roots.proc / fmt::format("{}/fd/3", pid));
    };
    process(41, "python3", "nvidia2");
    process(42, "nvidia-persiste", "nvidia2");
    process(43, "Xorg", "nvidia1");
    const auto gpu = one(*machine, "0000:41:00.0");
    const auto findings = examine_use(gpu, roots);
    CHECK(reasons(findings) == "in_use ");
    CHECK(findings[0].message == "processes have it open: 41 (python3)");
    CHECK(examine_use(one(*machine, "0000:0b:00.0"), roots).empty());
}

TEST_CASE("a spec that is not used is a finding of the whole host", "[gpu]") {
    const auto machine = made_up::two_amd();
    machine->write("etc-cdi/a.json", "{}");
    const auto findings = examine_specs(cdi::Specs::read(machine->roots()));
    CHECK(reasons(findings) == "cdi_unusable ");
    CHECK_FALSE(findings[0].address);
    CHECK(findings[0].message.contains("a.json"));
}

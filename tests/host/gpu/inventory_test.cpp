// SPDX-License-Identifier: Apache-2.0
// The inventory of machines that we do not have, as trees like their /sys.
#include "host/gpu/inventory.h"

#include "tests/support/catch.h"
#include "tests/support/made_up_sysfs.h"

using namespace berth;
using namespace berth::gpu;
namespace fs = std::filesystem;

namespace {

constexpr unsigned int vga = 0x0300, three_d = 0x0302, display = 0x0380, accelerator = 0x1200;
constexpr unsigned int nvidia = 0x10de, amd = 0x1002, intel = 0x8086, aspeed = 0x1a03;

}  // namespace

TEST_CASE("two NVIDIA GPUs and the server's VGA chip are listed by address, and nothing else") {
    const Sysfs sysfs({
        {.address = "0000:41:00.0",
         .pci_class = three_d,
         .vendor = nvidia,
         .device = 0x2330,
         .driver = "nvidia",
         .numa_node = 1,
         .iommu_group = 11,
         .drm = {"card0", "renderD128"}},
        {.address = "0000:01:00.0",
         .pci_class = three_d,
         .vendor = nvidia,
         .device = 0x2330,
         .driver = "nvidia",
         .numa_node = 0,
         .iommu_group = 10,
         .drm = {"renderD130", "card2"}},
        {.address = "0000:c3:00.0",
         .pci_class = vga,
         .vendor = aspeed,
         .device = 0x2000,
         .driver = "ast",
         .drm = {"card1"}},
        {.address = "0000:00:1f.3", .pci_class = 0x0403, .vendor = intel, .device = 0x7ad0},
    });
    const auto gpus = inventory({.sysfs = sysfs.root()}).value();
    REQUIRE(gpus.size() == 3);

    CHECK(gpus[0].address.to_string() == "0000:01:00.0");
    CHECK(gpus[0].kind == Kind::three_d);
    CHECK(gpus[0].vendor_id == nvidia);
    CHECK(gpus[0].device_id == 0x2330);
    CHECK(gpus[0].vendor == "NVIDIA Corporation");
    CHECK(gpus[0].device.contains("H100"));
    CHECK(gpus[0].driver == "nvidia");
    CHECK(gpus[0].numa_node == 0);
    CHECK(gpus[0].iommu_group == 10);
    // The nodes are this function's own: their numbers do not follow the order of addresses.
    CHECK(gpus[0].drm_nodes == std::vector<std::string>{"/dev/dri/card2", "/dev/dri/renderD130"});

    CHECK(gpus[1].address.to_string() == "0000:41:00.0");
    CHECK(gpus[1].numa_node == 1);
    CHECK(gpus[1].drm_nodes == std::vector<std::string>{"/dev/dri/card0", "/dev/dri/renderD128"});

    CHECK(gpus[2].address.to_string() == "0000:c3:00.0");
    CHECK(gpus[2].kind == Kind::management);
    CHECK(gpus[2].driver == "ast");
    CHECK_FALSE(gpus[2].numa_node);
    CHECK_FALSE(gpus[2].iommu_group);
}

TEST_CASE("a GPU is one by its class, whatever drives it") {
    const auto [pci_class, vendor, kind] = GENERATE(table<unsigned int, unsigned int, Kind>({
        {display, amd, Kind::display},            // an Instinct card
        {accelerator, intel, Kind::accelerator},  // a Gaudi card
        {0x0301, amd, Kind::display},             // XGA, and what else base class 03 may hold
        {0x1280, nvidia, Kind::accelerator},
    }));
    const Sysfs sysfs({{.address = "0000:81:00.0", .pci_class = pci_class, .vendor = vendor}});
    const auto gpus = inventory({.sysfs = sysfs.root()}).value();
    REQUIRE(gpus.size() == 1);
    CHECK(gpus[0].kind == kind);
    CHECK_FALSE(gpus[0].driver);
    CHECK(gpus[0].drm_nodes.empty());
}

TEST_CASE("ids that pci.ids does not know are shown as numbers") {
    const Sysfs sysfs({
        {.address = "0000:01:00.0", .pci_class = vga, .vendor = 0xfeed, .device = 0xbeef},
        {.address = "0000:02:00.0", .pci_class = vga, .vendor = nvidia, .device = 0xffff},
    });
    const auto gpus = inventory({.sysfs = sysfs.root()}).value();
    REQUIRE(gpus.size() == 2);
    CHECK(gpus[0].vendor == "vendor feed");
    CHECK(gpus[0].device == "device beef");
    CHECK(gpus[1].vendor == "NVIDIA Corporation");
    CHECK(gpus[1].device == "device ffff");
}

TEST_CASE("the functions of one card, and cards in other domains, keep their full addresses") {
    const Sysfs sysfs({
        {.address = "0001:00:00.0", .pci_class = three_d, .vendor = nvidia, .device = 0x2342},
        {.address = "0000:ff:1f.7", .pci_class = vga, .vendor = nvidia, .device = 0x2342},
        {.address = "0000:ff:1f.0", .pci_class = vga, .vendor = nvidia, .device = 0x2342},
    });
    const auto gpus = inventory({.sysfs = sysfs.root()}).value();
    REQUIRE(gpus.size() == 3);
    CHECK(gpus[0].address.to_string() == "0000:ff:1f.0");
    CHECK(gpus[1].address.to_string() == "0000:ff:1f.7");
    CHECK(gpus[2].address.to_string() == "0001:00:00.0");
}

TEST_CASE("a host without GPUs has an empty list, and one without a PCI bus no list at all") {
    const Sysfs none({{.address = "0000:00:03.0", .pci_class = 0x0200, .vendor = 0x1af4}});
    CHECK(inventory({.sysfs = none.root()}).value().empty());
    CHECK(inventory({.sysfs = Sysfs({}).root()}).value().empty());

    const TemporaryDirectory no_bus;
    const auto refused = inventory({.sysfs = no_bus.path()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
    CHECK(refused.error().message.contains((no_bus.path() / "bus/pci").string()));
}

TEST_CASE("an error within libpci is a result: no end of the process, and no descriptor lost") {
    const Sysfs sysfs({{.address = "0000:01:00.0", .pci_class = vga, .vendor = nvidia}});
    fs::create_directory(sysfs.root() / "bus/pci/devices/0000:09:00.0");  // unplugged meanwhile
    const auto open_files = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{});
    };
    const auto before = open_files();
    const auto refused = inventory({.sysfs = sysfs.root()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
    CHECK(refused.error().message.starts_with("libpci: "));
    CHECK(refused.error().message.contains("0000:09:00.0"));
    CHECK(open_files() == before);
}

// SPDX-License-Identifier: Apache-2.0
// The one grammar for GPUs: what each input chooses, or what is said of it.
#include "host/gpu/selector.h"

#include "host/gpu/inventory.h"
#include "host/gpu/selector_text.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"

#include <fmt/ranges.h>

using namespace berth;
using namespace berth::gpu;

namespace {

/// Two domains, three vendors, MIG, a virtual function, a board's screen: by address
/// 0000:03:00.0 ASPEED, 0000:0b:00.0 RTX 4090 (index 0), 0000:41:00.0 A100 with MIG 1/0 and 2/0
/// (1), 0000:4d:00.0 Intel (2) and its function 0000:4d:00.1, 0001:0b:00.0 AMD (3).
std::vector<Gpu> many() {
    const auto gpu = [](const char* address, Kind kind, std::uint16_t vendor, const char* device,
                        const char* driver) {
        return Gpu{.address = PciAddress::parse(address).value(),
                   .kind = kind,
                   .vendor_id = vendor,
                   .device_id = 1,
                   .vendor = "vendor",
                   .device = device,
                   .driver = driver};
    };
    std::vector<Gpu> gpus{
        gpu("0000:03:00.0", Kind::management, 0x1a03, "ASPEED Graphics Family", "ast"),
        gpu("0000:0b:00.0", Kind::vga, 0x10de, "AD102 [GeForce RTX 4090]", "nvidia"),
        gpu("0000:41:00.0", Kind::three_d, 0x10de, "GA100 [A100 SXM4 80GB]", "nvidia"),
        gpu("0000:4d:00.0", Kind::display, 0x8086, "DG2 [Data Center GPU Flex 170]", "i915"),
        gpu("0000:4d:00.1", Kind::display, 0x8086, "DG2 [Data Center GPU Flex 170]", "i915"),
        gpu("0001:0b:00.0", Kind::display, 0x1002, "Aldebaran [Instinct MI210]", "amdgpu")};
    gpus[1].nvidia = NvidiaFacts{.minor = 0, .uuid = made_up::uuid(1)};
    gpus[1].memory_bytes = 24LL << 30;
    gpus[1].numa_node = 0;
    gpus[2].nvidia = NvidiaFacts{.minor = 1,
                                 .uuid = made_up::uuid(2),
                                 .mig = {{.gpu_instance = 1,
                                          .compute_instance = 0,
                                          .uuid = "MIG-0a0b0c0d-0000-5000-8000-000000000001"},
                                         {.gpu_instance = 2, .compute_instance = 0}}};
    gpus[2].memory_bytes = 80LL << 30;
    gpus[2].numa_node = 1;
    gpus[4].physical_function = gpus[3].address;
    gpus[5].memory_bytes = 64LL << 30;
    return gpus;
}

/// What was chosen, or "FIELD: MESSAGE".
std::string chosen(const std::vector<Gpu>& inventory, const std::vector<std::string>& selectors,
                   const Taken& taken = {}) {
    const auto result = select(inventory, selectors, "/gpus", taken);
    if (!result) return fmt::format("{}: {}", result.error().field, result.error().message);
    std::vector<std::string> names;
    for (const auto& one : *result) names.push_back(one.to_string());
    return fmt::format("{}", fmt::join(names, " "));
}

struct Row {
    std::string input;
    std::string outcome;  // what is chosen, or how the complaint begins behind its field
};

}  // namespace

TEST_CASE("a selector chooses one GPU, however it is written", "[gpu]") {
    const auto row = GENERATE(values<Row>({
        {"0000:0b:00.0", "0000:0b:00.0"},
        {"0000:0B:00.0", "0000:0b:00.0"},
        {"0001:0b:00.0", "0001:0b:00.0"},
        {"41:00.0", "0000:41:00.0"},
        {"4D:00.0", "0000:4d:00.0"},
        {"4d:00.1", "0000:4d:00.1"},
        {"00000000:41:00.0", "0000:41:00.0"},  // as nvidia-smi writes it
        {"0000:41:00.0/mig/1/0", "0000:41:00.0/mig/1/0"},
        {"41:00.0/MIG/2/0", "0000:41:00.0/mig/2/0"},
        {"0", "0000:0b:00.0"},
        {"1", "0000:41:00.0"},
        {"2", "0000:4d:00.0"},
        {"3", "0001:0b:00.0"},
        {"00", "0000:0b:00.0"},
        {"GPU-00000001-1111-2222-3333-000000000001", "0000:0b:00.0"},
        {"gpu-00000002-1111-2222-3333-000000000002", "0000:41:00.0"},
        {"MIG-0a0b0c0d-0000-5000-8000-000000000001", "0000:41:00.0/mig/1/0"},
        {"MIG-0A0B0C0D-0000-5000-8000-000000000001", "0000:41:00.0/mig/1/0"},
        {"MIG-GPU-00000002-1111-2222-3333-000000000002/2/0", "0000:41:00.0/mig/2/0"},
        {"vendor=nvidia", "0000:0b:00.0"},
        {"vendor=NVIDIA,model=~4090", "0000:0b:00.0"},
        {"model~mi210", "0001:0b:00.0"},
        {"model=AD102 [GeForce RTX 4090]", "0000:0b:00.0"},
        {"vendor=nvidia,model=~4090,memory>=24GiB", "0000:0b:00.0"},
        {"memory>24GiB", "0000:41:00.0"},
        {"memory<=65536MiB,vendor=amd", "0001:0b:00.0"},
        {"memory>=26GB,memory<=70GiB", "0001:0b:00.0"},
        {"memory=24GiB", "0000:0b:00.0"},
        {"driver=amdgpu", "0001:0b:00.0"},
        {"numa=1", "0000:41:00.0"},
        {"vendor=nvidia,count=2", "0000:0b:00.0 0000:41:00.0"},
        {"count=4", "0000:0b:00.0 0000:41:00.0 0000:4d:00.0 0001:0b:00.0"},
    }));
    CAPTURE(row.input);
    CHECK(chosen(many(), {row.input}) == row.outcome);
}

TEST_CASE("what names no GPU gets a message that says why", "[gpu]") {
    const auto row = GENERATE(values<Row>({
        {"", "is empty: write an address (0000:0b:00.0), an index (0), a UUID"},
        {"-1", "'-1' names no GPU: write an address"},
        {"abc", "'abc' names no GPU: write an address"},
        {"1.5", "'1.5' names no GPU: write an address"},
        {" 0", "' 0' names no GPU: write an address"},
        {"0,1", "'0,1' names no GPU: write an address"},
        {"/dev/nvidia0", "'/dev/nvidia0' names no GPU: write an address"},
        {"foo:bar",
         "'foo:bar' is no PCI address: write [domain:]bus:device.function in hexadecimal"},
        {"0000:0b:00", "'0000:0b:00' is no PCI address"},
        {"0000:0b:20.0", "'0000:0b:20.0' is no PCI address"},
        {"0000:0b:00.8", "'0000:0b:00.8' is no PCI address"},
        {"b:0.0", "'b:0.0' is no PCI address"},
        {"00010000:0b:00.0", "'00010000:0b:00.0' is no PCI address"},
        {"0000:0b:00.0/1", "'0000:0b:00.0/1' has something behind the address"},
        {"0000:0b:00.0/mig/1", "'0000:0b:00.0/mig/1' names no MIG instance"},
        {"99999999999999999999", "'99999999999999999999' is too large for an index"},
        {"4", "GPU 4 is out of range: this host has 4 GPUs, 0 to 3"},
        {"0b:00.0",
         "'0b:00.0' is in more than one domain: 0000:0b:00.0 (AD102 [GeForce RTX 4090]), "
         "0001:0b:00.0 (Aldebaran [Instinct MI210])"},
        {"0000:99:00.0", "there is no GPU at 0000:99:00.0; this host has 0000:0b:00.0 (AD102"},
        {"99:00.0", "there is no GPU at 0000:99:00.0; this host has"},
        {"0000:03:00.0",
         "0000:03:00.0 (ASPEED Graphics Family) is the screen of the board's "
         "management controller, which computes nothing"},
        {"0000:41:00.0/mig/7/0",
         "0000:41:00.0 (GA100 [A100 SXM4 80GB]) has no MIG instance 7/0; it "
         "has 1/0, 2/0"},
        {"0000:0b:00.0/mig/1/0",
         "0000:0b:00.0 (AD102 [GeForce RTX 4090]) has no MIG instance 1/0; "
         "it has none"},
        {"GPU-1234", "'GPU-1234' is no whole UUID"},
        {"GPU-00000003-1111-2222-3333-000000000003", "there is no GPU 'GPU-00000003"},
        {"MIG-00000003-1111-2222-3333-000000000003", "no MIG instance is known by 'MIG-00000003"},
        {"MIG-GPU-00000002-1111-2222-3333-000000000002",
         "'MIG-GPU-00000002-1111-2222-3333-"
         "000000000002' names no MIG instance"},
        {"vendor=acme", "'vendor=acme' asks for vendor 'acme': it is nvidia, amd, intel or other"},
        {"colour=red", "'colour=red' asks for 'colour': a GPU has vendor, model"},
        {"vendor=", "'vendor=' has no value for vendor"},
        {"=nvidia", "'=nvidia' has '=nvidia', which is no condition"},
        {"vendor=nvidia,", "'vendor=nvidia,' has '', which is no condition"},
        {"vendor=nvidia,vendor=amd", "'vendor=nvidia,vendor=amd' asks for vendor twice"},
        {"vendor>nvidia", "'vendor>nvidia' compares vendor with '>'"},
        {"vendor=~nv", "'vendor=~nv' compares vendor with '=~'"},
        {"memory>=lots", "'memory>=lots' asks for memory 'lots': write a whole number"},
        {"memory>=1.5GiB", "'memory>=1.5GiB' asks for memory '1.5gib'"},
        {"memory>=99999999999TiB", "'memory>=99999999999TiB' asks for memory"},
        {"count=0", "'count=0' asks for 0 GPUs: 1 to 64 can be asked for"},
        {"count=65", "'count=65' asks for 65 GPUs"},
        {"numa=x", "'numa=x' has no number for numa"},
        {"count=5", "5 GPUs that fit this are wanted; there are 4: 0000:0b:00.0 (AD102"},
        {"vendor=other", "1 GPU that fit this is wanted; there is none; this host has"},
        {"vendor=intel,memory>=1GiB",
         "1 GPU that fit this is wanted; there is none; of unknown "
         "memory: 0000:4d:00.0 (DG2"},
        {std::string("0\n"), "has control characters"},
        {std::string(300, '1'), "is longer than 256 bytes"},
    }));
    CAPTURE(row.input);
    const auto said = chosen(many(), {row.input});
    CAPTURE(said);
    CHECK(said.starts_with("/gpus/0: " + row.outcome));
}

TEST_CASE("on a host without GPUs, that is what is said", "[gpu]") {
    const auto none = inventory(made_up::screens_alone()->roots()).value();
    CHECK(chosen(none, {"0"}) == "/gpus/0: GPU 0 is out of range: this host has no GPU");
    CHECK(chosen(none, {"0b:00.0"}) ==
          "/gpus/0: there is no GPU at 0000:0b:00.0; this host has no GPU");
    CHECK(chosen(none, {}).empty());
}

TEST_CASE("one GPU cannot be named twice, in whatever two ways", "[gpu]") {
    CHECK(chosen(many(), {"0", "0b:00.0"}).starts_with("/gpus/1: '0b:00.0' is in more"));
    CHECK(chosen(many(), {"0", "0000:0b:00.0"}) == "/gpus/1: GPU 0000:0b:00.0 is named twice");
    CHECK(chosen(many(), {"1", "41:00.0/mig/1/0"}) ==
          "/gpus/1: 0000:41:00.0 and 0000:41:00.0/mig/1/0 are the same GPU");
    CHECK(chosen(many(), {"41:00.0/mig/2/0", "41:00.0/mig/1/0"}) ==
          "0000:41:00.0/mig/2/0 0000:41:00.0/mig/1/0");
}

TEST_CASE("a wish takes nothing that is named beside it, before or behind", "[gpu]") {
    CHECK(chosen(many(), {"vendor=nvidia", "0"}) == "0000:41:00.0 0000:0b:00.0");
    CHECK(chosen(many(), {"count=1", "count=1"}) == "0000:0b:00.0 0000:41:00.0");
    CHECK(chosen(many(), {"vendor=nvidia,count=2", "vendor=nvidia"})
              .starts_with("/gpus/1: 1 GPU that fit this is wanted; there is none"));
}

TEST_CASE("a wish passes over what is taken, and what has no usable driver", "[gpu]") {
    auto gpus = many();
    const auto first = gpus[1].address;
    const Taken taken = [&](const Chosen& one) {
        return one.address == first ? std::optional<std::string>("held by 'ada'") : std::nullopt;
    };
    CHECK(chosen(gpus, {"vendor=nvidia"}, taken) == "0000:41:00.0");
    CHECK(chosen(gpus, {"0"}, taken) == "0000:0b:00.0");  // who names it may hear who has it
    const std::vector<std::string> two{"vendor=nvidia,count=2"};
    const auto refused = select(gpus, two, "/gpus", taken);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().message.contains("of 2, 1 are free: 0000:41:00.0"));
    CHECK(refused.error().message.contains("taken are 0000:0b:00.0"));
    CHECK(refused.error().message.ends_with("held by 'ada'"));

    gpus[2].driver = "vfio-pci";
    gpus[1].driver.reset();
    CHECK(
        chosen(gpus, {"vendor=nvidia"})
            .starts_with("/gpus/0: 1 GPU that fit this is wanted; there is none; without a usable "
                         "driver: 0000:0b:00.0"));
    CHECK(chosen(gpus, {"1"}) == "0000:41:00.0");  // numbers do not depend on drivers
}

TEST_CASE("what is stored is read back, and nothing else is", "[gpu]") {
    for (const auto* text : {"0000:41:00.0", "0000:41:00.0/mig/1/0", "ffff:ff:1f.7/mig/13/6"})
        CHECK(Chosen::parse(text).value().to_string() == text);
    for (const auto* text :
         {"", "41:00.0", "0000:41:00.0/", "0000:41:00.0/mig/1", "0", "0000:41:00.0/mig/01/0",
          "0000:41:00.0/mig/1/0/", "0000:41:00.0/mig/-1/0", "0000:4A:00.0"})
        CHECK(Chosen::parse(text).error().code == ErrorCode::invalid_argument);
}

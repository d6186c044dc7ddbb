// SPDX-License-Identifier: Apache-2.0
// libpci reports an error through a callback that must not return, and exits the process by
// default. Here it jumps back to the guarded() that made the call, past frames of C alone.
#include "host/gpu/inventory.h"

#include "host/gpu/attributes.h"
#include "host/gpu/nvidia.h"

#include <fmt/format.h>
extern "C" {
#include <pci/pci.h>
}

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <system_error>

namespace berth::gpu {
namespace {

namespace fs = std::filesystem;

struct Escape {
    std::jmp_buf jump;
    std::array<char, 256> message;
};
thread_local Escape escape;  // libpci hands its callbacks no context of ours

[[gnu::noreturn, gnu::format(printf, 1, 2)]] void on_error(char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    (void)std::vsnprintf(escape.message.data(), escape.message.size(), format, arguments);
    va_end(arguments);
    std::longjmp(escape.jump, 1);  // NOLINT(cert-err52-cpp): nothing between has a destructor
}

[[gnu::format(printf, 1, 2)]] void ignore(char* /*format*/, ...) {}

/// Calls into libpci; on its error, the message. `call` and what it calls must own nothing.
template <class Call>
Result<> guarded(Call call) {
    if (setjmp(escape.jump) != 0) {  // NOLINT(cert-err52-cpp)
        return fail(ErrorCode::unavailable, fmt::format("libpci: {}", escape.message.data()));
    }
    call();
    return {};
}

struct CleanUp {
    void operator()(pci_access* access) const noexcept { pci_cleanup(access); }
};
using Access = std::unique_ptr<pci_access, CleanUp>;

struct Ids {
    unsigned int vendor;
    unsigned int device;  // any: 0xffff
};
constexpr unsigned int any_device = 0xffff;

/// Screens of management controllers. A server's own cards are always these, and compute nothing.
constexpr std::array management_screens{
    Ids{0x1a03, any_device},  // ASPEED
    Ids{0x102b, any_device},  // Matrox
    Ids{0x126f, any_device},  // Silicon Motion
    Ids{0x19e5, 0x1711},      // Huawei iBMC
    Ids{0x1002, 0x515e},      // ATI ES1000
};
/// Screens of virtual machines.
constexpr std::array emulated_screens{
    Ids{0x1234, 0x1111},      // Bochs, QEMU's standard VGA
    Ids{0x1013, any_device},  // Cirrus Logic
    Ids{0x1b36, 0x0100},      // QXL
    Ids{0x1af4, 0x1050},      // virtio-gpu
    Ids{0x15ad, any_device},  // VMware
    Ids{0x80ee, any_device},  // VirtualBox
    Ids{0x1414, any_device},  // Hyper-V
};

bool among(const auto& list, unsigned int vendor, unsigned int device) {
    return std::ranges::any_of(list, [&](const Ids& ids) {
        return ids.vendor == vendor && (ids.device == any_device || ids.device == device);
    });
}

/// Nothing for what is no GPU and does not look like one.
std::optional<Kind> kind_of(const pci_dev& device) {
    constexpr unsigned int display_controller = 0x03;  // base classes of the PCI code assignment
    constexpr unsigned int processing_accelerator = 0x12;
    const unsigned int pci_class = device.device_class;
    if (pci_class >> 8 == processing_accelerator) return Kind::accelerator;
    if (pci_class >> 8 != display_controller) return std::nullopt;
    if (among(management_screens, device.vendor_id, device.device_id)) return Kind::management;
    if (among(emulated_screens, device.vendor_id, device.device_id)) return Kind::emulated;
    if (pci_class == PCI_CLASS_DISPLAY_VGA) return Kind::vga;
    constexpr unsigned int three_d_controller = 0x0302;
    return pci_class == three_d_controller ? Kind::three_d : Kind::display;
}

/// The name in pci.ids, or `fallback`, also when pci.ids cannot be read.
std::string name_of(pci_access* access, int what, unsigned int vendor, unsigned int device,
                    std::string fallback) {
    std::array<char, 256> buffer{};
    const char* name = nullptr;
    const auto looked_up = guarded([&] {
        name = pci_lookup_name(access, buffer.data(), static_cast<int>(buffer.size()),
                               what | PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB, vendor, device);
    });
    return looked_up && name != nullptr ? std::string(name) : std::move(fallback);
}

struct FreeDevice {
    void operator()(pci_dev* device) const noexcept { pci_free_dev(device); }
};
using Device = std::unique_ptr<pci_dev, FreeDevice>;

/// libpci's view of the function at `address`. pci_scan_bus() would find them all by itself, but on
/// an error it leaves its open directory behind, a descriptor each time.
Result<Device> read_device(pci_access* access, const PciAddress& address) {
    std::string text = address.to_string();
    pci_filter at{};
    pci_filter_init(access, &at);
    (void)pci_filter_parse_slot(&at, text.data());  // an address in its canonical form
    Device device(pci_get_dev(access, at.domain, at.bus, at.slot, at.func));
    BERTH_TRY(guarded([&device] {
        (void)pci_fill_info(device.get(),
                            PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_NUMA_NODE | PCI_FILL_CAPS);
    }));
    return device;
}

/// Of a link's capability or status register: the speed's code is in bits 0 to 3, the lanes in 4 to
/// 9 (PCI Express Base Specification, 7.5.3).
std::optional<LinkRate> rate_in(unsigned int value) {
    constexpr std::array decigigatransfers{0, 25, 50, 80, 160, 320, 640};
    const std::size_t speed = value & 0xf;
    const auto lanes = static_cast<int>((value >> 4) & 0x3f);
    if (speed == 0 || speed >= decigigatransfers.size() || lanes == 0) return std::nullopt;
    return LinkRate{.decigigatransfers = decigigatransfers[speed], .lanes = lanes};
}

/// From the function's configuration space; nothing for one without a link, such as those within a
/// processor and virtual functions, whose registers are zero.
std::optional<Link> link_of(pci_dev* device) {
    unsigned int capability = 0, status = 0;
    const auto read = guarded([&] {
        const pci_cap* found = pci_find_cap(device, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
        if (found == nullptr) return;
        const int at = static_cast<int>(found->addr);
        capability = pci_read_long(device, at + PCI_EXP_LNKCAP);
        status = pci_read_word(device, at + PCI_EXP_LNKSTA);
    });
    const auto most = rate_in(capability);
    const auto now = rate_in(status);
    if (!read || !most || !now) return std::nullopt;
    return Link{.now = *now, .most = *most};
}

Gpu describe(pci_access* access, pci_dev& device, const PciAddress& address, Kind kind) {
    const unsigned int vendor = device.vendor_id;
    const unsigned int id = device.device_id;
    const int numa_node = device.numa_node;
    return {
        .address = address,
        .kind = kind,
        .vendor_id = device.vendor_id,
        .device_id = device.device_id,
        .vendor =
            name_of(access, PCI_LOOKUP_VENDOR, vendor, id, fmt::format("vendor {:04x}", vendor)),
        .device = name_of(access, PCI_LOOKUP_DEVICE, vendor, id, fmt::format("device {:04x}", id)),
        .numa_node = numa_node < 0 ? std::nullopt : std::optional<std::int64_t>(numa_node),
        .link = link_of(&device),
    };
}

Result<Access> open_bus(const fs::path& bus) {
    Access access(pci_alloc());
    access->method = PCI_ACCESS_SYS_BUS_PCI;
    access->error = on_error;
    access->warning = ignore;
    access->debug = ignore;
    std::string parameter = "sysfs.path";
    std::string path = bus.string();
    BERTH_TRY(guarded([&] {
        (void)pci_set_param(access.get(), parameter.data(), path.data());
        pci_init(access.get());
    }));
    return access;
}

std::optional<PciAddress> address_behind(const fs::path& link) {
    const auto target = target_of(link);
    if (!target) return std::nullopt;
    const auto address = PciAddress::parse(*target);
    return address ? std::optional(*address) : std::nullopt;
}

std::vector<std::string> drm_nodes_of(const fs::path& device) {
    auto nodes = names_in(device / "drm");
    std::erase_if(nodes, [](const std::string& name) {
        return !number_after(name, "card") && !number_after(name, "renderD");
    });
    for (auto& node : nodes) node.insert(0, "/dev/dri/");
    return nodes;
}

/// Where the drivers that tell it do: amdgpu, i915 and xe.
std::optional<std::int64_t> memory_of(const fs::path& device) {
    if (const auto bytes = number_in(device / "mem_info_vram_total")) return bytes;
    for (const auto& node : names_in(device / "drm")) {
        if (const auto bytes = number_in(device / "drm" / node / "lmem_total_bytes")) return bytes;
    }
    std::int64_t sum = 0;
    for (const auto& name : names_in(device)) {
        if (number_after(name, "tile"))
            sum += number_in(device / name / "physical_vram_size_bytes").value_or(0);
    }
    return sum > 0 ? std::optional(sum) : std::nullopt;
}

void add_what_sysfs_tells(Gpu& gpu, const fs::path& device) {
    gpu.driver = target_of(device / "driver");
    if (const auto group = target_of(device / "iommu_group")) gpu.iommu_group = number(*group);
    gpu.drm_nodes = drm_nodes_of(device);
    gpu.memory_bytes = memory_of(device);
    gpu.virtual_functions_max = number_in(device / "sriov_totalvfs").value_or(0);
    gpu.physical_function = address_behind(device / "physfn");
    for (const auto& name : names_in(device)) {
        if (!number_after(name, "virtfn")) continue;
        if (const auto address = address_behind(device / name))
            gpu.virtual_functions.push_back(*address);
    }
    std::ranges::sort(gpu.virtual_functions);
}

}  // namespace

Result<std::vector<Gpu>> inventory(const Roots& roots) {
    const fs::path bus = roots.sysfs / "bus" / "pci";
    std::error_code problem;
    fs::directory_iterator entry(bus / "devices", problem);
    if (problem) {
        return fail(ErrorCode::unavailable,
                    fmt::format("no PCI bus to read in '{}': {}", bus.string(), problem.message()));
    }
    const auto access = BERTH_TRY(open_bus(bus));
    std::vector<Gpu> gpus;
    for (; !problem && entry != fs::directory_iterator{}; entry.increment(problem)) {
        const auto address = PciAddress::parse(entry->path().filename().string());
        if (!address) continue;  // a domain past ffff: Intel's VMD, which holds disks
        const auto device = BERTH_TRY(read_device(access.get(), *address));
        const auto kind = kind_of(*device);
        if (!kind) continue;
        Gpu gpu = describe(access.get(), *device, *address, *kind);
        add_what_sysfs_tells(gpu, entry->path());
        gpu.nvidia = nvidia::facts_of(*address, roots);
        gpus.push_back(std::move(gpu));
    }
    if (problem) {
        return fail(ErrorCode::unavailable,
                    fmt::format("read '{}': {}", bus.string(), problem.message()));
    }
    std::ranges::sort(gpus, {}, &Gpu::address);
    return gpus;
}

}  // namespace berth::gpu

// SPDX-License-Identifier: Apache-2.0
// libpci reports an error through a callback that must not return, and exits the process by
// default. Here it jumps back to the guarded() that made the call, past frames of C alone.
#include "host/gpu/inventory.h"

#include <fmt/format.h>
extern "C" {
#include <pci/pci.h>
}

#include <algorithm>
#include <array>
#include <charconv>
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

std::optional<Kind> kind_of(unsigned int pci_class) {
    constexpr unsigned int display_controller = 0x03;  // base classes of the PCI code assignment
    constexpr unsigned int processing_accelerator = 0x12;
    if (pci_class >> 8 == processing_accelerator) return Kind::accelerator;
    if (pci_class >> 8 != display_controller) return std::nullopt;
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

/// The last part of where a link leads: the driver's name, or the IOMMU group's number.
std::optional<std::string> target_of(const fs::path& link) {
    std::error_code none;
    const auto target = fs::read_symlink(link, none);
    return none ? std::nullopt : std::optional(target.filename().string());
}

std::optional<std::int64_t> iommu_group_of(const fs::path& device) {
    const std::string digits = target_of(device / "iommu_group").value_or("");
    std::int64_t group = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), group);
    return read.ec == std::errc{} ? std::optional(group) : std::nullopt;
}

std::vector<std::string> drm_nodes_of(const fs::path& device) {
    std::vector<std::string> nodes;
    std::error_code none;  // no DRM driver is bound
    for (fs::directory_iterator entry(device / "drm", none), end; !none && entry != end;
         entry.increment(none)) {
        nodes.push_back("/dev/dri/" + entry->path().filename().string());
    }
    std::ranges::sort(nodes);
    return nodes;
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
        (void)pci_fill_info(device.get(), PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_NUMA_NODE);
    }));
    return device;
}

Gpu describe(pci_access* access, const pci_dev& device, const PciAddress& address, Kind kind,
             const fs::path& directory) {
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
        .driver = target_of(directory / "driver"),
        .numa_node = numa_node < 0 ? std::nullopt : std::optional<std::int64_t>(numa_node),
        .iommu_group = iommu_group_of(directory),
        .drm_nodes = drm_nodes_of(directory),
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

}  // namespace

Result<std::vector<Gpu>> inventory(const fs::path& sysfs_root) {
    const fs::path bus = sysfs_root / "bus" / "pci";
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
        const auto kind = kind_of(device->device_class);
        if (kind) gpus.push_back(describe(access.get(), *device, *address, *kind, entry->path()));
    }
    if (problem) {
        return fail(ErrorCode::unavailable,
                    fmt::format("read '{}': {}", bus.string(), problem.message()));
    }
    std::ranges::sort(gpus, {}, &Gpu::address);
    return gpus;
}

}  // namespace berth::gpu

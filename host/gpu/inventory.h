// SPDX-License-Identifier: Apache-2.0
// Which GPUs this host has, by PCI address, from libpci and sysfs. Border file of <pci/pci.h>.
#pragma once

#include "tools-schema/contract/names.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth::gpu {

enum class Kind : std::uint8_t {
    vga,
    three_d,
    display,
    accelerator
};  // PCI classes 0300, 0302, 0380 (and the rest of 03), 12

struct Gpu {
    PciAddress address;
    Kind kind;
    std::uint16_t vendor_id;
    std::uint16_t device_id;
    std::string vendor;  // from pci.ids; "vendor 10de" when unknown
    std::string device;
    std::optional<std::string> driver;
    std::optional<std::int64_t> numa_node;
    std::optional<std::int64_t> iommu_group;
    std::vector<std::string> drm_nodes;  // "/dev/dri/card0", "/dev/dri/renderD128", sorted
};

/// Every display, 3D and accelerator controller under `sysfs_root` (normally "/sys"), by address.
/// unavailable when the tree has no PCI bus directory that can be read; a host with a PCI bus and
/// no GPU gives an empty list.
[[nodiscard]] Result<std::vector<Gpu>> inventory(const std::filesystem::path& sysfs_root);

}  // namespace berth::gpu

// SPDX-License-Identifier: Apache-2.0
// Which GPUs this host has, by PCI address, from libpci, sysfs and what drivers tell. Border file
// of <pci/pci.h>.
#pragma once

#include "host/gpu/gpu.h"
#include "host/gpu/roots.h"

#include <vector>

namespace berth::gpu {

/// Every display, 3D and accelerator controller, by address.
/// unavailable when the tree has no PCI bus directory that can be read; a host with a PCI bus and
/// no GPU gives an empty list.
[[nodiscard]] Result<std::vector<Gpu>> inventory(const Roots& roots);

}  // namespace berth::gpu

// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of devices that come, go and change. Pure: bytes in, values out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::gpu {

struct Uevent {
    std::string action;     // "add", "remove", "bind", "unbind", "change", …
    std::string path;       // below /sys
    std::string subsystem;  // "pci", "drm", "module", …
    std::string pci_class;  // "30200", of PCI functions
};

/// One message of the kernel's; nothing for anything else, such as those that udev sends on.
[[nodiscard]] std::optional<Uevent> parse_uevent(std::string_view bytes);

/// Whether it may be about a GPU or its driver.
[[nodiscard]] bool concerns_gpus(const Uevent& event);

}  // namespace berth::gpu

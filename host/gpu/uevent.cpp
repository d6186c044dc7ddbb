// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/uevent.h"

#include <algorithm>
#include <array>

namespace berth::gpu {

std::optional<Uevent> parse_uevent(std::string_view bytes) {
    // "add@/devices/…", then KEY=VALUE, each ended by a NUL.
    const auto first = bytes.substr(0, bytes.find('\0'));
    const auto at = first.find('@');
    if (at == std::string_view::npos || at == 0 || first.size() == bytes.size())
        return std::nullopt;
    Uevent event{.action = std::string(first.substr(0, at)),
                 .path = std::string(first.substr(at + 1)),
                 .subsystem = {},
                 .pci_class = {}};
    if (!event.path.starts_with('/')) return std::nullopt;
    std::string_view rest = bytes.substr(first.size() + 1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\0'), rest.size());
        const auto pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        const auto key = pair.substr(0, equals);
        if (key == "SUBSYSTEM") event.subsystem = pair.substr(equals + 1);
        if (key == "PCI_CLASS") event.pci_class = pair.substr(equals + 1);
    }
    return event;
}

bool concerns_gpus(const Uevent& event) {
    if (event.subsystem == "drm" || event.subsystem == "accel") return true;
    if (event.subsystem == "pci") {
        // Six digits without leading zeros: 30000 is a VGA controller, 120000 an accelerator.
        constexpr std::size_t display_length = 5, accelerator_length = 6;
        return (event.pci_class.size() == display_length && event.pci_class.starts_with('3')) ||
               (event.pci_class.size() == accelerator_length && event.pci_class.starts_with("12"));
    }
    if (event.subsystem != "module") return false;
    constexpr std::array<std::string_view, 7> drivers{"nvidia", "nvidia_uvm", "amdgpu", "i915",
                                                      "xe",     "nouveau",    "radeon"};
    const auto name = event.path.substr(event.path.rfind('/') + 1);
    return std::ranges::find(drivers, name) != drivers.end();
}

}  // namespace berth::gpu

// SPDX-License-Identifier: Apache-2.0
// A directory that looks like /sys of a machine that we do not have.
#pragma once

#include "host/gpu/roots.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

struct Function {
    std::string address;
    unsigned int pci_class = 0;
    unsigned int vendor = 0;
    unsigned int device = 0;
    std::string driver = {};
    int numa_node = -1;
    int iommu_group = -1;
    std::vector<std::string> drm = {};
    // What the PCI Express link does and can do: the code of its speed (4: 16 GT/s) and its lanes.
    unsigned int link_speed = 0, link_lanes = 0, link_speed_max = 0, link_lanes_max = 0;
    std::vector<std::pair<std::string, std::string>> files = {};  // more attributes: name, content
    std::vector<std::pair<std::string, std::string>> links =
        {};  // to other functions: name, address
};

/// The first 256 bytes of its configuration space, as `lspci -xxx` would dump them: identity, and
/// one capability, PCI Express, which tells the link.
inline std::string config_of(const Function& function) {
    std::string bytes(256, '\0');
    const auto put = [&](std::size_t at, std::size_t width, unsigned int value) {
        for (std::size_t byte = 0; byte < width; ++byte)
            bytes[at + byte] = static_cast<char>((value >> (8 * byte)) & 0xff);
    };
    put(0x00, 2, function.vendor);
    put(0x02, 2, function.device);
    put(0x09, 3, function.pci_class << 8);
    if (function.link_lanes_max == 0) return bytes;
    put(0x06, 2, 0x0010);  // it has a list of capabilities
    put(0x34, 1, 0x60);    // which begins there
    put(0x60, 2, 0x0010);  // PCI Express, and the last
    put(0x60 + 0x0c, 4, function.link_speed_max | function.link_lanes_max << 4);
    put(0x60 + 0x12, 2, function.link_speed | function.link_lanes << 4);
    return bytes;
}

/// These PCI functions, as libpci and sysfs show them.
class Sysfs {
public:
    explicit Sysfs(const std::vector<Function>& functions) {
        std::filesystem::create_directories(root() / "bus/pci/devices");
        for (const auto& function : functions) add(function);
    }
    [[nodiscard]] const std::filesystem::path& root() const { return directory_.path(); }
    /// /proc, /dev and the others of that machine are directories beside /sys's.
    [[nodiscard]] gpu::Roots roots() const {
        return {.sysfs = root(),
                .proc = root() / "proc",
                .dev = root() / "dev",
                .etc_cdi = root() / "etc-cdi",
                .var_run_cdi = root() / "run-cdi",
                .libraries = root() / "lib",
                .nvidia_smi = root() / "nvidia-smi"};
    }
    void write(const std::filesystem::path& file, std::string_view content) const {
        directory_.write(file, content);
    }
    void remove(const std::filesystem::path& file) const {
        std::filesystem::remove_all(root() / file);
    }
    /// A function more.
    void add(const Function& function) const {
        const std::filesystem::path at =
            std::filesystem::path("bus/pci/devices") / function.address;
        directory_.write(at / "vendor", fmt::format("0x{:04x}\n", function.vendor));
        directory_.write(at / "device", fmt::format("0x{:04x}\n", function.device));
        directory_.write(at / "class", fmt::format("0x{:04x}00\n", function.pci_class));
        directory_.write(at / "irq", "0\n");
        directory_.write(at / "numa_node", fmt::format("{}\n", function.numa_node));
        std::string resource;
        for (int region = 0; region < 7; ++region) {
            resource += fmt::format("0x{0:016x} 0x{0:016x} 0x{0:016x}\n", 0);
        }
        directory_.write(at / "resource", resource);
        directory_.write(at / "config", config_of(function));
        for (const auto& node : function.drm)
            directory_.write(
                at / "drm" / node / "dev",
                fmt::format("226:{}\n", node.substr(node.find_first_of("0123456789"))));
        for (const auto& [name, content] : function.files) directory_.write(at / name, content);
        for (const auto& [name, address] : function.links)
            std::filesystem::create_directory_symlink(".." / std::filesystem::path(address),
                                                      root() / at / name);
        link(at / "driver", "bus/pci/drivers", function.driver);
        const int group = function.iommu_group;
        link(at / "iommu_group", "kernel/iommu_groups", group < 0 ? "" : std::to_string(group));
    }
    /// Binds a function to another driver; "" to none.
    void bind(const std::string& address, const std::string& driver) const {
        const auto at = std::filesystem::path("bus/pci/devices") / address / "driver";
        std::filesystem::remove(root() / at);
        link(at, "bus/pci/drivers", driver);
    }

private:
    void link(const std::filesystem::path& from, const std::filesystem::path& directory,
              const std::string& name) const {
        if (name.empty()) return;
        std::filesystem::create_directories(root() / directory / name);
        std::filesystem::create_directory_symlink(root() / directory / name, root() / from);
    }

    TemporaryDirectory directory_;
};

}  // namespace berth

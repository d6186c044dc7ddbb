// SPDX-License-Identifier: Apache-2.0
// A directory that looks like /sys of a machine that we do not have.
#pragma once

#include "tests/support/temporary_directory.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
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
};

/// These PCI functions, as libpci and sysfs show them.
class Sysfs {
public:
    explicit Sysfs(const std::vector<Function>& functions) {
        std::filesystem::create_directories(root() / "bus/pci/devices");
        for (const auto& function : functions) add(function);
    }
    [[nodiscard]] const std::filesystem::path& root() const { return directory_.path(); }

private:
    void add(const Function& function) {
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
        directory_.write(at / "config", std::string(256, '\0'));
        for (const auto& node : function.drm)
            directory_.write(at / "drm" / node / "dev", "226:0\n");
        link(at / "driver", "bus/pci/drivers", function.driver);
        const int group = function.iommu_group;
        link(at / "iommu_group", "kernel/iommu_groups", group < 0 ? "" : std::to_string(group));
    }
    void link(const std::filesystem::path& from, const std::filesystem::path& directory,
              const std::string& name) {
        if (name.empty()) return;
        std::filesystem::create_directories(root() / directory / name);
        std::filesystem::create_directory_symlink(root() / directory / name, root() / from);
    }

    TemporaryDirectory directory_;
};

}  // namespace berth

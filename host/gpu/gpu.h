// SPDX-License-Identifier: Apache-2.0
// What a GPU is: values alone, as inventory() reads them.
#pragma once

#include "tools-schema/contract/names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::gpu {

/// PCI classes 0300, 0302, 0380 (and the rest of 03) and 12; and what only looks like a GPU.
enum class Kind : std::uint8_t {
    vga,
    three_d,
    display,
    accelerator,
    management,  // the screen of a server's management controller: ASPEED, Matrox and their like
    emulated     // the screen of a virtual machine
};

enum class Vendor : std::uint8_t { nvidia, amd, intel, other };

/// How fast a PCI Express link is: gigatransfers a second, times ten (2.5 is 25), and its lanes.
struct LinkRate {
    int decigigatransfers = 0;
    int lanes = 0;
    bool operator==(const LinkRate&) const = default;
};

/// What the link does now, which is less while an idle GPU saves power, and what it can do.
struct Link {
    LinkRate now;
    LinkRate most;
    bool operator==(const Link&) const = default;
};

/// One instance of a GPU that is cut by NVIDIA's MIG: a compute instance of a GPU instance.
struct MigInstance {
    int gpu_instance = 0;
    int compute_instance = 0;
    std::optional<std::string> uuid = {};  // "MIG-…", where a CDI spec tells it: no file does
    bool operator==(const MigInstance&) const = default;
};

/// What NVIDIA's driver tells of a GPU that it drives.
struct NvidiaFacts {
    std::optional<int> minor = {};         // N of /dev/nvidiaN
    std::optional<std::string> uuid = {};  // "GPU-…"
    std::optional<std::string> model = {};
    std::vector<MigInstance> mig = {};  // those that there are, by number
    bool operator==(const NvidiaFacts&) const = default;
};

struct Gpu {
    PciAddress address;
    Kind kind;
    std::uint16_t vendor_id;
    std::uint16_t device_id;
    std::string vendor;  // from pci.ids; "vendor 10de" when unknown
    std::string device;
    std::optional<std::string> driver = {};
    std::optional<std::int64_t> numa_node = {};
    std::optional<std::int64_t> iommu_group = {};
    std::vector<std::string> drm_nodes = {};  // "/dev/dri/card0", "/dev/dri/renderD128", sorted
    std::optional<Link> link = {};            // nothing without a PCI Express capability
    std::optional<std::int64_t> memory_bytes =
        {};                                  // its own, where its driver tells; never guessed
    std::optional<NvidiaFacts> nvidia = {};  // where NVIDIA's driver tells of it
    std::int64_t virtual_functions_max = 0;  // SR-IOV: how many it can have
    std::vector<PciAddress> virtual_functions = {};    // and those that there are
    std::optional<PciAddress> physical_function = {};  // of which this is a virtual one

    [[nodiscard]] Vendor maker() const;
    /// Whether it computes: screens of boards and virtual machines do not.
    [[nodiscard]] bool real() const { return kind != Kind::management && kind != Kind::emulated; }
    /// Whether it is counted when GPUs are chosen by number or by what they are. Virtual functions
    /// are not, so that making some changes the number of no other.
    [[nodiscard]] bool counts() const { return real() && !physical_function; }
};

/// "nvidia", "amd", "intel" or "other"
[[nodiscard]] std::string_view to_string(Vendor vendor);

/// What one has chosen, and what is stored of it: a GPU, or one MIG instance of it.
struct Chosen {
    PciAddress address;
    std::optional<std::pair<int, int>> mig = {};  // GPU instance, compute instance

    /// "0000:41:00.0" or "0000:41:00.0/mig/1/0": the one canonical spelling.
    [[nodiscard]] std::string to_string() const;
    /// invalid_argument on anything but that spelling.
    [[nodiscard]] static Result<Chosen> parse(std::string_view text);
    auto operator<=>(const Chosen&) const = default;
};

}  // namespace berth::gpu

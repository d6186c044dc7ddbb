// SPDX-License-Identifier: Apache-2.0
// How this host mounts its cgroup controllers, and the groups that berth has in them.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace berth::engine {

enum class CgroupLayout : std::uint8_t { unified, hybrid, legacy };

/// The cgroup file systems as mounted under one root, normally /sys/fs/cgroup.
class Cgroups {
public:
    /// unavailable when nothing is mounted there.
    [[nodiscard]] static Result<Cgroups> probe(
        const std::filesystem::path& root = "/sys/fs/cgroup");

    [[nodiscard]] CgroupLayout layout() const { return layout_; }
    /// Whether that controller is a v1 hierarchy of its own.
    [[nodiscard]] bool legacy(std::string_view controller) const;
    /// Whether the unified hierarchy offers that controller.
    [[nodiscard]] bool unified(std::string_view controller) const;

    /// Whether any hierarchy has `group`.
    [[nodiscard]] bool exists(std::string_view group) const;
    /// The processes in `group` and below it, over all hierarchies.
    [[nodiscard]] std::vector<pid_t> processes(std::string_view group) const;
    /// Removes `group` and what is below it in all hierarchies; what still has processes stays.
    void remove(std::string_view group) const;
    /// Holds every process of `group` and below it; timed_out, and nothing held, when one cannot
    /// be.
    [[nodiscard]] Result<> freeze(std::string_view group) const;
    /// Lets them go on; a group that is not held, or not there, is fine.
    [[nodiscard]] Result<> thaw(std::string_view group) const;
    [[nodiscard]] bool frozen(std::string_view group) const;
    /// The names of the groups directly below `group`.
    [[nodiscard]] std::vector<std::string> children(std::string_view group) const;

private:
    CgroupLayout layout_ = CgroupLayout::unified;
    std::vector<std::filesystem::path> hierarchies_;
    std::vector<std::string> unified_controllers_;
    std::filesystem::path root_;
};

}  // namespace berth::engine

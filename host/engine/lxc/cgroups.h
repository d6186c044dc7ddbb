// SPDX-License-Identifier: Apache-2.0
// How this host mounts its cgroup controllers, and the groups that berth has in them.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::engine {

enum class CgroupLayout : std::uint8_t { unified, hybrid, legacy };

/// The cgroup file systems as mounted under one root, normally /sys/fs/cgroup.
class Cgroups {
public:
    /// The magic number of the file system at a path, or -1; tests make one up.
    using FileSystemOf = long (*)(const std::filesystem::path& path);
    [[nodiscard]] static long file_system_of(const std::filesystem::path& path);

    /// unavailable when nothing is mounted there.
    [[nodiscard]] static Result<Cgroups> probe(const std::filesystem::path& root = "/sys/fs/cgroup",
                                               FileSystemOf look = file_system_of);

    [[nodiscard]] CgroupLayout layout() const { return layout_; }
    /// Whether that controller is a v1 hierarchy of its own.
    [[nodiscard]] bool legacy(std::string_view controller) const;
    /// Whether the unified hierarchy offers that controller.
    [[nodiscard]] bool unified(std::string_view controller) const;
    /// Whether that v1 hierarchy has that file, which depends on how the kernel was built.
    [[nodiscard]] bool legacy_file(std::string_view controller, std::string_view file) const;

    /// The processes in `group` and below it, over all hierarchies.
    [[nodiscard]] std::vector<pid_t> processes(std::string_view group) const;
    /// Moves a process into a group `name` of its own below `group`, where a service manager looks
    /// for what was there before it and takes that for its own.
    [[nodiscard]] Result<> set_apart(std::string_view group, std::string_view name,
                                     pid_t process) const;
    /// Removes `group` and what is below it in all hierarchies; what still has processes stays.
    void remove(std::string_view group) const;
    /// The names of the groups directly below `group`.
    [[nodiscard]] std::vector<std::string> children(std::string_view group) const;
    /// The directory of `group` in the hierarchy that has that controller; unsupported when none
    /// has. "freezer" is in every unified hierarchy.
    [[nodiscard]] Result<std::filesystem::path> directory(std::string_view controller,
                                                          std::string_view group) const;

    /// The directory of `group` in the unified hierarchy, whatever controllers that has; nothing
    /// where there is none.
    [[nodiscard]] std::optional<std::filesystem::path> unified_directory(
        std::string_view group) const;

private:
    CgroupLayout layout_ = CgroupLayout::unified;
    std::vector<std::filesystem::path> hierarchies_;
    std::vector<std::string> legacy_controllers_;  // names of v1 hierarchies, links among them
    std::vector<std::string> unified_controllers_;
    std::filesystem::path root_;
    std::filesystem::path unified_root_;  // "": there is no unified hierarchy
};

}  // namespace berth::engine

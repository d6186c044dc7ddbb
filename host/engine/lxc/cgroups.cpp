// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/cgroups.h"

#include "base/fault.h"
#include "base/files.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

/// The directories below and including `top`, deepest first.
std::vector<fs::path> tree(const fs::path& top) {
    std::vector<fs::path> out;
    std::error_code gone;
    if (!fs::is_directory(top, gone)) return out;
    out.push_back(top);
    for (fs::recursive_directory_iterator entry(top, gone), end; !gone && entry != end;
         entry.increment(gone)) {
        if (entry->is_directory(gone)) out.push_back(entry->path());
    }
    std::ranges::sort(out, std::greater{},
                      [](const fs::path& path) { return path.native().size(); });
    return out;
}

}  // namespace

long Cgroups::file_system_of(const fs::path& path) {
    struct statfs status{};
    return ::statfs(path.c_str(), &status) == 0 ? static_cast<long>(status.f_type) : -1;
}

Result<Cgroups> Cgroups::probe(const fs::path& root, FileSystemOf look) {
    Cgroups found;
    found.root_ = root;
    if (look(root) == CGROUP2_SUPER_MAGIC) {
        found.hierarchies_.push_back(root);
        found.unified_root_ = root;
        found.unified_controllers_ = words(BERTH_TRY(read_file(root / "cgroup.controllers")));
        return found;
    }
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root, ignored)) {
        const long kind = look(entry.path());
        if (kind == CGROUP_SUPER_MAGIC)
            found.legacy_controllers_.push_back(entry.path().filename());
        if (entry.is_symlink(ignored)) continue;  // "cpu" may be a link to "cpu,cpuacct"
        if (kind == CGROUP_SUPER_MAGIC) found.hierarchies_.push_back(entry.path());
        if (kind == CGROUP2_SUPER_MAGIC) {
            found.hierarchies_.push_back(entry.path());
            found.unified_root_ = entry.path();
            found.unified_controllers_ =
                words(BERTH_TRY(read_file(entry.path() / "cgroup.controllers")));
            found.layout_ = CgroupLayout::hybrid;
        }
    }
    if (found.hierarchies_.empty())
        return fail(ErrorCode::unavailable,
                    fmt::format("no cgroup file system is mounted at '{}'", root.string()));
    if (found.layout_ != CgroupLayout::hybrid) found.layout_ = CgroupLayout::legacy;
    return found;
}

bool Cgroups::legacy(std::string_view controller) const {
    return std::ranges::find(legacy_controllers_, controller) != legacy_controllers_.end();
}

bool Cgroups::unified(std::string_view controller) const {
    return std::ranges::find(unified_controllers_, controller) != unified_controllers_.end();
}

bool Cgroups::legacy_file(std::string_view controller, std::string_view file) const {
    std::error_code ignored;
    return legacy(controller) && fs::exists(root_ / controller / file, ignored);
}

Result<fs::path> Cgroups::directory(std::string_view controller, std::string_view group) const {
    if (legacy(controller)) return root_ / controller / group;
    const bool always_there = controller == "freezer" && !unified_root_.empty();
    if (always_there || unified(controller)) return unified_root_ / group;
    return fail(make_error(ErrorCode::unsupported,
                           fmt::format("this kernel offers no '{}' cgroup controller", controller))
                    .call("system_info", Json::object()));
}

std::optional<fs::path> Cgroups::unified_directory(std::string_view group) const {
    return unified_root_.empty() ? std::nullopt : std::optional(unified_root_ / group);
}

std::vector<pid_t> Cgroups::processes(std::string_view group) const {
    std::set<pid_t> found;
    for (const auto& hierarchy : hierarchies_) {
        for (const auto& directory : tree(hierarchy / group)) {
            const auto listed = read_file(directory / "cgroup.procs");
            if (!listed) continue;  // it went away while we looked
            for (const auto& pid : words(*listed)) found.insert(static_cast<pid_t>(std::stol(pid)));
        }
    }
    found.erase(0);  // a process of another pid namespace
    return {found.begin(), found.end()};
}

Result<> Cgroups::set_apart(std::string_view group, std::string_view name, pid_t process) const {
    constexpr std::string_view managers = "systemd";  // a v1 hierarchy without a controller
    std::vector<fs::path> above;
    if (!unified_root_.empty()) above.push_back(unified_root_ / group);
    if (legacy(managers)) above.push_back(root_ / managers / group);
    for (const auto& directory : above) {
        BERTH_TRY(make_directories(directory / name, 0755));
        BERTH_TRY(fault::at("engine.set_apart"));
        BERTH_TRY(write_kernel_file(directory / name / "cgroup.procs", std::to_string(process)));
    }
    return {};
}

void Cgroups::remove(std::string_view group) const {
    for (const auto& hierarchy : hierarchies_) {
        for (const auto& directory : tree(hierarchy / group)) (void)::rmdir(directory.c_str());
    }
}

std::vector<std::string> Cgroups::children(std::string_view group) const {
    std::set<std::string> found;
    for (const auto& hierarchy : hierarchies_) {
        std::error_code gone;
        for (const auto& entry : fs::directory_iterator(hierarchy / group, gone)) {
            if (entry.is_directory(gone)) found.insert(entry.path().filename());
        }
    }
    return {found.begin(), found.end()};
}

}  // namespace berth::engine

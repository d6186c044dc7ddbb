// SPDX-License-Identifier: Apache-2.0
// Holding all processes of a group still. The unified hierarchy's freezer is taken where the group
// is in one, because what it holds can still be killed; else that of the v1 controller.
#include "base/files.h"
#include "host/engine/lxc/cgroups.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>

#include <chrono>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto freeze_time_max = 5s;  // for a process that is deep in the kernel to come out of it
constexpr int moment_ms = 1;

bool is_unified(const fs::path& path) {
    struct statfs status{};
    return ::statfs(path.c_str(), &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

/// The unified hierarchy's directory of that group.
std::string unified_directory(const std::vector<fs::path>& hierarchies, std::string_view group) {
    std::error_code none;
    for (const auto& hierarchy : hierarchies) {
        const auto directory = hierarchy / group;
        if (is_unified(hierarchy) && fs::exists(directory / "cgroup.freeze", none))
            return directory;
    }
    return "";
}

bool is_frozen(const fs::path& unified, const fs::path& legacy) {
    if (!unified.empty()) {
        const auto events = read_file(unified / "cgroup.events");
        if (events && events->contains("frozen 1")) return true;
    }
    const auto state = read_file(legacy / "freezer.state");
    return state && state->starts_with("FROZEN");
}

}  // namespace

bool Cgroups::frozen(std::string_view group) const {
    return is_frozen(unified_directory(hierarchies_, group), root_ / "freezer" / group);
}

Result<> Cgroups::freeze(std::string_view group) const {
    const fs::path unified = unified_directory(hierarchies_, group);
    const fs::path legacy = root_ / "freezer" / group;
    const auto deadline = std::chrono::steady_clock::now() + freeze_time_max;
    while (!is_frozen(unified, legacy)) {
        // Written again and again, because a v1 group can miss a process that was just forked.
        const auto wrote = unified.empty() ? write_kernel_file(legacy / "freezer.state", "FROZEN")
                                           : write_kernel_file(unified / "cgroup.freeze", "1");
        if (wrote && is_frozen(unified, legacy)) break;
        if (wrote && std::chrono::steady_clock::now() < deadline) {
            (void)::poll(nullptr, 0, moment_ms);
            continue;
        }
        (void)thaw(group);
        if (!wrote) return fail(Error(wrote.error()).in("freeze the container"));
        return fail(ErrorCode::timed_out, "a process inside cannot be held still now");
    }
    return {};
}

Result<> Cgroups::thaw(std::string_view group) const {
    const fs::path unified = unified_directory(hierarchies_, group);
    const fs::path legacy = root_ / "freezer" / group;
    std::error_code none;
    if (!unified.empty()) BERTH_TRY(write_kernel_file(unified / "cgroup.freeze", "0"));
    if (fs::exists(legacy / "freezer.state", none))
        BERTH_TRY(write_kernel_file(legacy / "freezer.state", "THAWED"));
    return {};
}

}  // namespace berth::engine

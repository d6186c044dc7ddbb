// SPDX-License-Identifier: Apache-2.0
// What a container may use and what it uses: control groups, a disk of its own, and the rates of
// its network card.
#include "base/fault.h"
#include "base/rollback.h"
#include "host/engine/lxc/disk_use.h"
#include "host/engine/lxc/limit_settings.h"
#include "host/engine/lxc/lxc_engine.h"
#include "host/engine/lxc/rootfs.h"
#include "host/engine/lxc/shares.h"
#include "host/engine/lxc/usage.h"
#include "host/net/rates.h"

#include <fmt/format.h>

namespace berth::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto disk_use_time_max = 2s;  // to count files for a call that somebody waits for

net::Rates rates_of(const Limits& limits) {
    return {.receive = limits.receive_bytes_per_second, .send = limits.send_bytes_per_second};
}

}  // namespace

Result<> LxcEngine::check(const Limits& limits) const {
    const auto refuse = [](std::string_view what, std::string_view field) {
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("{} cannot be limited on this machine", what))
                        .at(field)
                        .next("leave it out; system_info says why"));
    };
    BERTH_TRY(limit_settings(limits, cgroups_, disk_));
    if (limits.disk_bytes > 0 && means_.disk == DiskBy::none)
        return refuse("the disk", "/disk_bytes");
    if (rates_of(limits) == net::Rates{} || means_.rates) return {};
    return refuse("the network", limits.receive_bytes_per_second > 0 ? "/receive_bytes_per_second"
                                                                     : "/send_bytes_per_second");
}

Result<> LxcEngine::check_share(const Share& share, std::int64_t uid_base) const {
    (void)BERTH_TRY(open_share(share, uid_base));
    return {};
}

Result<> LxcEngine::open_disk(const Rootfs& rootfs) {
    BERTH_TRY(rootfs.disk().mount());
    return rootfs.disk().make_way();
}

Result<> LxcEngine::hold_disk(const Rootfs& rootfs, const Limits& limits) {
    if (limits.disk_bytes == 0) return {};
    auto held = rootfs.disk().hold_to(limits.disk_bytes);
    // It was fuller when its limit was made smaller; then it takes nothing more.
    if (!held && held.error().code == ErrorCode::busy) return rootfs.disk().fill();
    return held;
}

Result<> LxcEngine::limit_rates(std::string_view id, const Limits& limits) {
    return net::limit_rates(host_interface(id), detour_interface(id), rates_of(limits));
}

Result<> LxcEngine::limit(std::string_view id, const Limits& from, const Limits& to) {
    BERTH_TRY(fault::at("engine.limit"));
    Rollback undo;
    const Rootfs rootfs(directory(id));
    if (from.disk_bytes != to.disk_bytes) {
        BERTH_TRY(rootfs.disk().hold_to(to.disk_bytes));
        undo.on_failure(
            [rootfs, from]() noexcept { (void)rootfs.disk().hold_to(from.disk_bytes); });
    }
    if (running(id)) {
        if (means_.rates) {
            undo.on_failure([id, from]() noexcept { (void)limit_rates(id, from); });
            BERTH_TRY(limit_rates(id, to));
        }
        BERTH_TRY(apply_limits(to, cgroups_, disk_, payload_group(options_.cgroup, id)));
    }
    undo.keep();
    return {};
}

Result<Usage> LxcEngine::usage(const Spec& spec) {
    const Rootfs rootfs(directory(spec.id));
    Usage found{.disk = {}, .disk_by = rootfs.disk().by()};
    const bool limited = found.disk_by != DiskBy::none;
    const bool runs = running(spec.id);
    found.disk = limited ? BERTH_TRY(rootfs.disk().use())
                         : disk_use(rootfs.upper(spec.root), disk_use_time_max);
    if (!limited && runs) found.disk.exact = false;  // files come and go meanwhile
    found.running = running_use(spec.id);
    return found;
}

std::optional<RunningUse> LxcEngine::running_use(std::string_view id) {
    if (!running(id)) return std::nullopt;
    return engine::running_use(cgroups_, payload_group(options_.cgroup, id), host_interface(id));
}

std::optional<DiskUse> LxcEngine::own_disk_use(std::string_view id) {
    const OwnDisk disk(directory(id));
    if (!disk.exists()) return std::nullopt;
    const auto used = disk.use();
    return used ? std::optional(*used) : std::nullopt;
}

}  // namespace berth::engine

// SPDX-License-Identifier: Apache-2.0
// GPUs that containers hold. What is stored is an address; the nodes behind it are looked up at
// every start, because the kernel numbers them anew.
#include "base/fault.h"
#include "host/container/container_service.h"
#include "host/container/device_nodes.h"
#include "host/gpu/cdi.h"
#include "host/gpu/nodes.h"
#include "host/gpu/selector.h"
#include "host/warning/kinds.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace berth::container {
namespace {

/// Which card it is, so that another one in its slot is not taken for it.
std::string card_of(const gpu::Gpu& gpu) {
    if (gpu.nvidia && gpu.nvidia->uuid) return *gpu.nvidia->uuid;
    return fmt::format("{:04x}:{:04x}", gpu.vendor_id, gpu.device_id);
}

/// Whether who has one of them may use what the other one is.
bool overlap(const gpu::Chosen& one, const gpu::Chosen& other) {
    return one.address == other.address && (!one.mig || !other.mig || one.mig == other.mig);
}

/// What of this machine could be meant by a lease whose GPU is not where it was.
std::string candidates(const std::vector<gpu::Gpu>& inventory, const std::string& card) {
    std::vector<std::string> found;
    for (const auto& gpu : inventory) {
        if (gpu.real() && card_of(gpu) == card) found.push_back(gpu.address.to_string());
    }
    if (found.empty()) return "this machine has none like it now";
    return fmt::format("the same card is, or one like it, at {}", fmt::join(found, ", "));
}

/// Containarium counted every card, in an order of its own; berth counts what computes. Where there
/// are others too, nobody can tell any more which one a number meant.
Result<> check_old_number(const std::vector<gpu::Gpu>& inventory, const std::string& id) {
    const bool number = id.find_first_not_of("0123456789") == std::string::npos;
    std::vector<std::string> counted, others;
    for (const auto& gpu : inventory)
        (gpu.counts() ? counted : others).push_back(gpu.address.to_string());
    if (!number || others.empty() || counted.empty()) return {};
    return fail(
        make_error(ErrorCode::invalid_argument,
                   fmt::format("GPU {} may be any of {}: the old form counted {} too, which "
                               "are no GPUs to compute with",
                               id, fmt::join(counted, ", "), fmt::join(others, ", ")))
            .at("/gpu/id")
            .next(fmt::format("call with gpus: [\"{}\"], or another address", counted.front()))
            .call("gpu_list", Json::object()));
}

/// The GPU of a lease, if it is still the one that was there; unavailable, with what might be it.
Result<gpu::Gpu> same_card(const std::vector<gpu::Gpu>& inventory, const store::GpuLease& lease,
                           const gpu::Chosen& chosen, const std::string& container) {
    auto found = gpu::find(inventory, chosen.address);
    if (found && card_of(*found) == lease.card) return found;
    return fail(make_error(ErrorCode::unavailable,
                           fmt::format("GPU {} is {}; {}", lease.gpu,
                                       found ? fmt::format("another card now ({} instead of {})",
                                                           card_of(*found), lease.card)
                                             : "not in this machine any more",
                                       candidates(inventory, lease.card)))
                    .next("give this one back with gpu_detach, and attach another with gpu_attach")
                    .call("gpu_detach", {{"container", container}, {"gpus", {lease.gpu}}}));
}

}  // namespace

/// By whom a GPU is held, since when, and how long at the most.
std::string ContainerService::told_of(const store::GpuLease& lease) {
    const auto holder = containers_.find_by_id(lease.container_id);
    std::string name = lease.container_id, until = "until it is deleted or gives it back";
    if (holder && *holder) {
        name = (*holder)->name;
        if (const auto at = (*holder)->life.expires_at; at > 0) {
            const auto when = std::chrono::system_clock::time_point(std::chrono::milliseconds(at));
            until = fmt::format("until {} at the latest", to_rfc3339(when));
        }
    }
    return fmt::format("held by container '{}' since {}, {}", name, lease.since, until);
}

Error ContainerService::held_error(const gpu::Chosen& wanted, const store::GpuLease& lease) {
    return make_error(ErrorCode::busy,
                      fmt::format("GPU {} is {}", wanted.to_string(), told_of(lease)))
        .next("choose another; gpu_list says which are free")
        .call("gpu_list", Json::object());
}

/// One that `row` may not share: another container holds the same, and not for the same caller.
Result<std::optional<store::GpuLease>> ContainerService::holder_of(
    const store::Container& row, const std::string& caller, const gpu::Chosen& wanted,
    const std::vector<store::GpuLease>& leases) {
    for (const auto& lease : leases) {
        const auto held = BERTH_TRY(gpu::Chosen::parse(lease.gpu));
        if (lease.container_id == row.id || !overlap(held, wanted)) continue;
        if (!options_.gpus_shared_by_owner || caller.empty() || lease.owner != caller) return lease;
    }
    return std::nullopt;
}

Result<std::vector<gpu::Gpu>> ContainerService::inventory_for(const CreateWish& wish) {
    if (wish.gpus.empty() && wish.devices.empty()) return std::vector<gpu::Gpu>{};
    auto inventory = BERTH_TRY(rooms_.gpus.list());
    if (wish.gpus_in_old_form) BERTH_TRY(check_old_number(inventory, wish.gpus.front()));
    return inventory;
}

Result<std::vector<std::string>> ContainerService::lease(const store::Container& row,
                                                         const std::vector<std::string>& gpus,
                                                         const std::string& caller,
                                                         const std::vector<gpu::Gpu>& inventory) {
    std::vector<std::string> leased;
    if (gpus.empty()) return leased;
    const auto leases = BERTH_TRY(devices_.leases());
    const auto owns = [&](const gpu::Chosen& chosen) {
        return std::ranges::any_of(leases, [&](const store::GpuLease& lease) {
            return lease.container_id == row.id && lease.gpu == chosen.to_string();
        });
    };
    const auto taken = [&](const gpu::Chosen& chosen) -> std::optional<std::string> {
        if (owns(chosen)) return "held by the container itself";
        const auto holder = holder_of(row, caller, chosen, leases);
        if (!holder) return holder.error().message;
        return *holder ? std::optional(told_of(**holder)) : std::nullopt;
    };
    const auto chosen = BERTH_TRY(gpu::select(inventory, gpus, "/gpus", taken));
    for (std::size_t index = 0; index < chosen.size(); ++index) {
        const auto field =
            chosen.size() == gpus.size() ? fmt::format("/gpus/{}", index) : std::string("/gpus");
        if (const auto holder = BERTH_TRY(holder_of(row, caller, chosen[index], leases)))
            return fail(held_error(chosen[index], *holder).at(field));
        if (owns(chosen[index])) continue;
        const auto gpu = BERTH_TRY(gpu::find(inventory, chosen[index].address));
        leased.push_back(chosen[index].to_string());
        BERTH_TRY(devices_.insert({.container_id = row.id,
                                   .gpu = leased.back(),
                                   .card = card_of(gpu),
                                   .since = to_rfc3339(rooms_.clock.wall()),
                                   .owner = caller}));
    }
    return leased;
}

Result<> ContainerService::lease_opened(const store::Container& row, const gpu::cdi::Edits& edits,
                                        std::string caller,
                                        const std::vector<gpu::Gpu>& inventory) {
    const auto leases = BERTH_TRY(devices_.leases());
    std::map<std::string, store::GpuLease> own;
    for (const auto& lease : leases) {
        if (lease.container_id != row.id) continue;
        own.emplace(lease.gpu, lease);
        if (lease.by_cdi && caller.empty()) caller = lease.owner;
    }
    for (const auto& chosen : gpu::opened_by(edits.device_nodes, inventory, rooms_.gpus.roots())) {
        if (const auto holder = BERTH_TRY(holder_of(row, caller, chosen, leases)))
            return fail(held_error(chosen, *holder).at("/devices"));
        if (own.erase(chosen.to_string()) > 0) continue;
        const auto gpu = BERTH_TRY(gpu::find(inventory, chosen.address));
        BERTH_TRY(devices_.insert({.container_id = row.id,
                                   .gpu = chosen.to_string(),
                                   .card = card_of(gpu),
                                   .since = to_rfc3339(rooms_.clock.wall()),
                                   .by_cdi = true,
                                   .owner = caller}));
    }
    for (const auto& [name, lease] : own) {
        if (lease.by_cdi) BERTH_TRY(devices_.remove(row.id, name));
    }
    return {};
}

Result<std::vector<engine::Device>> ContainerService::nodes_of(
    const store::Container& row, const std::vector<store::GpuLease>& leases) {
    std::vector<engine::Device> devices;
    if (leases.empty()) return devices;
    const auto inventory = BERTH_TRY(rooms_.gpus.list());
    for (const auto& lease : leases) {
        if (lease.by_cdi) continue;  // a spec's nodes are as the spec has them
        const auto chosen = BERTH_TRY(gpu::Chosen::parse(lease.gpu));
        const auto gpu = BERTH_TRY(same_card(inventory, lease, chosen, row.name));
        for (const auto& node : BERTH_TRY(gpu::nodes_of(gpu, chosen, rooms_.gpus.roots())))
            add_new(devices, to_engine(node));
    }
    return devices;
}

Result<View> ContainerService::attach_gpus(const ContainerName& name,
                                           const std::vector<std::string>& gpus,
                                           const std::string& caller, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "attach GPUs to", waiting));
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto inventory = BERTH_TRY(rooms_.gpus.list());
    std::vector<std::string> leased;
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        leased = BERTH_TRY(lease(*row, gpus, caller, inventory));
        return leased.empty() ? Result<>{} : containers_.count_change(row->id);
    }));
    Rollback undo;
    undo.on_failure([this, &row, &leased]() noexcept {
        for (const auto& gpu : leased) {
            // What somebody inside has opened already stays the container's, lest another gets it.
            if (rooms_.engine.running(row->id)) {
                const auto begun = own_leases(*row, {gpu});
                if (!begun || !take_devices(*row, *begun)) continue;
            }
            (void)devices_.remove(row->id, gpu);
        }
    });
    BERTH_TRY(fault::at("gpu.leased"));
    if (!leased.empty() && rooms_.engine.running(row->id)) {
        auto given = give_devices(*row);
        if (!given) {
            return fail(std::move(given).error().in(
                fmt::format("attach GPUs to container '{}'", row->name)));
        }
    }
    undo.keep();
    rooms_.events.container(row->name, "updated");
    return view(BERTH_TRY(find(row->name)));
}

Result<std::vector<store::GpuLease>> ContainerService::own_leases(
    const store::Container& row, const std::vector<std::string>& gpus) {
    const auto leases = BERTH_TRY(devices_.leases_of(row.id));
    std::vector<store::GpuLease> found;
    for (std::size_t index = 0; index < gpus.size(); ++index) {
        const auto field = fmt::format("/gpus/{}", index);
        auto wanted = gpus[index];
        const auto has = [&] { return std::ranges::find(leases, wanted, &store::GpuLease::gpu); };
        if (has() == leases.end()) {  // not the spelling that is stored, unless the GPU is gone
            auto chosen = gpu::select(BERTH_TRY(rooms_.gpus.list()), std::span(&wanted, 1), "");
            if (!chosen) return fail(std::move(chosen).error().at(field));
            wanted = chosen->front().to_string();
        }
        if (has() == leases.end()) {
            return fail(make_error(ErrorCode::not_found,
                                   fmt::format("container '{}' has no GPU {}", row.name, wanted))
                            .at(field)
                            .call("container_get", {{"name", row.name}}));
        }
        if (has()->by_cdi) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("container '{}' has GPU {} by one of its CDI "
                                               "devices, which it keeps until it is deleted",
                                               row.name, wanted))
                            .at(field)
                            .call("container_get", {{"name", row.name}}));
        }
        if (std::ranges::find(found, *has()) == found.end()) found.push_back(*has());
    }
    return found;
}

Result<View> ContainerService::detach_gpus(const ContainerName& name,
                                           const std::vector<std::string>& gpus,
                                           const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "detach GPUs from", waiting));
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto leaving = BERTH_TRY(own_leases(*row, gpus));
    Rollback undo;
    if (rooms_.engine.running(row->id)) {
        undo.on_failure([this, &row]() noexcept { (void)give_devices(*row); });
        BERTH_TRY(take_devices(*row, leaving));
    }
    const auto held_by_cdi = BERTH_TRY(devices_.cdi_of(row->id));
    const auto inventory =
        held_by_cdi.empty() ? std::vector<gpu::Gpu>{} : BERTH_TRY(rooms_.gpus.list());
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        for (const auto& lease : leaving) BERTH_TRY(devices_.remove(row->id, lease.gpu));
        if (!leaving.empty()) BERTH_TRY(containers_.count_change(row->id));
        if (held_by_cdi.empty()) return {};
        // What one of its CDI devices opens too stays its own by that.
        const auto edits =
            BERTH_TRY(gpu::cdi::Specs::read(rooms_.gpus.roots()).resolve(held_by_cdi, "/devices"));
        return lease_opened(*row, edits, "", inventory);
    }));
    undo.keep();
    rooms_.warnings.resolve(warning::gpu_unusable, warning::container_entity(row->name));
    rooms_.events.container(row->name, "updated");
    return view(BERTH_TRY(find(row->name)));
}

Result<> ContainerService::take_devices(const store::Container& row,
                                        const std::vector<store::GpuLease>& leaving) {
    auto staying = BERTH_TRY(devices_.leases_of(row.id));
    std::erase_if(staying, [&](const store::GpuLease& lease) {
        return std::ranges::find(leaving, lease) != leaving.end();
    });
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    auto had = BERTH_TRY(spec_of(row, image));
    auto devices = nodes_of(row, leaving);
    if (devices) had.devices = *std::move(devices);
    if (const auto more = devices ? add_cdi(row, leaving, had) : fail(devices.error()); !more) {
        return fail(make_error(ErrorCode::busy,
                               fmt::format("container '{}' is running, and what it has of that GPU "
                                           "cannot be found any more: {}",
                                           row.name, more.error().message))
                        .at("/container")
                        .next("stop it first")
                        .call("container_stop", {{"name", row.name}}));
    }
    // Some nodes are those of all GPUs of a kind, and some a CDI device's too.
    auto kept = BERTH_TRY(spec_of(row, image));
    kept.devices = BERTH_TRY(nodes_of(row, staying));
    BERTH_TRY(add_cdi(row, staying, kept));
    for (const auto& device : had.devices) {
        const bool stays = std::ranges::any_of(kept.devices, [&](const engine::Device& other) {
            return other.path == device.path ||
                   (other.type == device.type && other.major == device.major &&
                    other.minor == device.minor);
        });
        if (stays) continue;
        auto removed = rooms_.engine.remove_device(kept, device);
        if (!removed) return fail(std::move(removed).error().at("/container"));
    }
    return {};
}

Result<std::vector<std::string>> ContainerService::rehearse_attach(
    const ContainerName& name, const std::vector<std::string>& gpus, const std::string& caller) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto inventory = BERTH_TRY(rooms_.gpus.list());
    std::vector<std::string> leased;
    BERTH_TRY(rooms_.database.rehearse([&]() -> Result<> {
        leased = BERTH_TRY(lease(*row, gpus, caller, inventory));
        return {};
    }));
    return leased;
}

Result<std::vector<std::string>> ContainerService::rehearse_detach(
    const ContainerName& name, const std::vector<std::string>& gpus) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    std::vector<std::string> leaving;
    for (const auto& lease : BERTH_TRY(own_leases(*row, gpus))) leaving.push_back(lease.gpu);
    return leaving;
}

Result<std::map<gpu::Chosen, std::string>> ContainerService::gpu_holders() {
    std::map<gpu::Chosen, std::string> held;
    for (const auto& lease : BERTH_TRY(devices_.leases())) {
        const auto row = BERTH_TRY(containers_.find_by_id(lease.container_id));
        auto& names = held[BERTH_TRY(gpu::Chosen::parse(lease.gpu))];
        names += fmt::format("{}{}", names.empty() ? "" : ", ", row ? row->name : "");
    }
    return held;
}

}  // namespace berth::container

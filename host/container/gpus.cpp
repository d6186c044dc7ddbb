// SPDX-License-Identifier: Apache-2.0
// GPUs that containers hold, and the devices that a start gives them for it. What is stored is an
// address; the nodes behind it are looked up at every start, because the kernel numbers them anew.
#include "base/fault.h"
#include "host/container/container_service.h"
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

constexpr std::string_view owner_label = "owner";

/// Which card it is, so that another one in its slot is not taken for it.
std::string card_of(const gpu::Gpu& gpu) {
    if (gpu.nvidia && gpu.nvidia->uuid) return *gpu.nvidia->uuid;
    return fmt::format("{:04x}:{:04x}", gpu.vendor_id, gpu.device_id);
}

/// Whether who has one of them may use what the other one is.
bool overlap(const gpu::Chosen& one, const gpu::Chosen& other) {
    return one.address == other.address && (!one.mig || !other.mig || one.mig == other.mig);
}

engine::Device to_engine(const gpu::DeviceNode& node) {
    return {.path = node.path,
            .type = node.type,
            .major = node.major,
            .minor = node.minor,
            .access = node.access,
            .mode = node.mode,
            .uid = node.uid,
            .gid = node.gid};
}

void add_new(std::vector<engine::Device>& devices, const engine::Device& device) {
    if (std::ranges::find(devices, device.path, &engine::Device::path) == devices.end())
        devices.push_back(device);
}

std::string label_of(const store::Container& row, std::string_view key) {
    const auto found = row.labels.find(std::string(key));
    return found == row.labels.end() ? "" : found->second;
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

Error ContainerService::held_error(const gpu::Chosen& wanted, const store::GpuLease& lease) {
    const auto holder = containers_.find_by_id(lease.container_id);
    std::string name = lease.container_id, until = "until it is deleted or gives it back";
    if (holder && *holder) {
        name = (*holder)->name;
        if (const auto at = (*holder)->life.expires_at; at > 0) {
            const auto when = std::chrono::system_clock::time_point(std::chrono::milliseconds(at));
            until = fmt::format("until {} at the latest", to_rfc3339(when));
        }
    }
    return make_error(ErrorCode::busy, fmt::format("GPU {} is held by container '{}' since {}, {}",
                                                   wanted.to_string(), name, lease.since, until))
        .next("choose another; gpu_list says which are free")
        .call("gpu_list", Json::object());
}

/// Those that `row` may not share: another container holds the same, and is not of the same owner.
Result<std::optional<store::GpuLease>> ContainerService::holder_of(
    const store::Container& row, const gpu::Chosen& wanted,
    const std::vector<store::GpuLease>& leases) {
    for (const auto& lease : leases) {
        const auto held = BERTH_TRY(gpu::Chosen::parse(lease.gpu));
        if (lease.container_id == row.id || !overlap(held, wanted)) continue;
        const auto owner = options_.gpus_shared_by_owner ? label_of(row, owner_label) : "";
        if (owner.empty()) return lease;
        const auto other = BERTH_TRY(containers_.find_by_id(lease.container_id));
        if (!other || label_of(*other, owner_label) != owner) return lease;
    }
    return std::nullopt;
}

Result<std::vector<gpu::Gpu>> ContainerService::inventory_for(
    const std::vector<std::string>& gpus) {
    if (gpus.empty()) return std::vector<gpu::Gpu>{};
    return rooms_.gpus.list();
}

Result<std::vector<std::string>> ContainerService::lease(const store::Container& row,
                                                         const std::vector<std::string>& gpus,
                                                         const std::vector<gpu::Gpu>& inventory) {
    std::vector<std::string> leased;
    if (gpus.empty()) return leased;
    const auto leases = BERTH_TRY(devices_.leases());
    const auto taken = [&](const gpu::Chosen& chosen) {
        const auto holder = holder_of(row, chosen, leases);
        const bool own = std::ranges::any_of(leases, [&](const store::GpuLease& lease) {
            return lease.container_id == row.id && lease.gpu == chosen.to_string();
        });
        return own || !holder || holder->has_value();
    };
    const auto chosen = BERTH_TRY(gpu::select(inventory, gpus, "/gpus", taken));
    for (std::size_t index = 0; index < chosen.size(); ++index) {
        const auto field =
            chosen.size() == gpus.size() ? fmt::format("/gpus/{}", index) : std::string("/gpus");
        if (const auto holder = BERTH_TRY(holder_of(row, chosen[index], leases)))
            return fail(held_error(chosen[index], *holder).at(field));
        const auto name = chosen[index].to_string();
        const bool own = std::ranges::any_of(leases, [&](const store::GpuLease& lease) {
            return lease.container_id == row.id && lease.gpu == name;
        });
        if (own) continue;
        const auto gpu = BERTH_TRY(gpu::find(inventory, chosen[index].address));
        BERTH_TRY(devices_.insert({.container_id = row.id,
                                   .gpu = name,
                                   .card = card_of(gpu),
                                   .since = to_rfc3339(rooms_.clock.wall())}));
        leased.push_back(name);
    }
    return leased;
}

Result<> ContainerService::reserve_devices(const store::Container& row,
                                           const std::vector<std::string>& names) {
    if (names.empty()) return {};
    BERTH_TRY(check_edits(
        BERTH_TRY(gpu::cdi::Specs::read(rooms_.gpus.roots()).resolve(names, "/devices"))));
    for (const auto& name : names) BERTH_TRY(devices_.insert_cdi(row.id, name));
    return {};
}

Result<std::vector<engine::Device>> ContainerService::nodes_of(
    const store::Container& row, const std::vector<store::GpuLease>& leases) {
    std::vector<engine::Device> devices;
    if (leases.empty()) return devices;
    const auto inventory = BERTH_TRY(rooms_.gpus.list());
    for (const auto& lease : leases) {
        const auto chosen = BERTH_TRY(gpu::Chosen::parse(lease.gpu));
        const auto gpu = BERTH_TRY(same_card(inventory, lease, chosen, row.name));
        for (const auto& node : BERTH_TRY(gpu::nodes_of(gpu, chosen, rooms_.gpus.roots())))
            add_new(devices, to_engine(node));
    }
    return devices;
}

Result<> ContainerService::add_devices(const store::Container& row, engine::Spec& spec) {
    const auto given = [&]() -> Result<> {
        spec.devices = BERTH_TRY(nodes_of(row, BERTH_TRY(devices_.leases_of(row.id))));
        const auto names = BERTH_TRY(devices_.cdi_of(row.id));
        if (names.empty()) return {};
        const auto edits =
            BERTH_TRY(gpu::cdi::Specs::read(rooms_.gpus.roots()).resolve(names, "/devices"));
        for (const auto& node : edits.device_nodes) add_new(spec.devices, to_engine(node));
        spec.environment = edits.environment;
        return check_edits(edits);
    }();
    const auto entity = warning::container_entity(row.name);
    if (given) {
        rooms_.warnings.resolve(warning::gpu_unusable, entity);
        return {};
    }
    // Of one that is being created, its caller is told and nothing stays.
    if (row.phase == store::Phase::ready) {
        rooms_.warnings.raise({.type = warning::gpu_unusable,
                               .severity = warning::Severity::error,
                               .entity = entity,
                               .message = given.error().message,
                               .next = given.error().hint});
    }
    return given;
}

/// Nothing that a spec wants is left out without a word.
Result<> ContainerService::check_edits(const gpu::cdi::Edits& edits) {
    const auto refuse = [](std::string what) {
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("the CDI spec wants {}, which berth does not do",
                                           std::move(what)))
                        .at("/devices")
                        .next("use a device whose spec has nodes and variables alone, or 'gpus'")
                        .call("gpu_list", Json::object()));
    };
    if (!edits.hooks.empty())
        return refuse(fmt::format("the program '{}' to be run", edits.hooks.front().path));
    if (!edits.mounts.empty())
        return refuse(fmt::format("'{}' to be mounted", edits.mounts.front().host_path));
    if (!edits.additional_gids.empty()) return refuse("more groups for its processes");
    return {};
}

Result<> ContainerService::give_devices(const store::Container& row) {
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    auto spec = BERTH_TRY(spec_of(row, image));
    BERTH_TRY(add_devices(row, spec));
    for (const auto& device : spec.devices) BERTH_TRY(rooms_.engine.add_device(spec, device));
    return {};
}

Result<View> ContainerService::attach_gpus(const ContainerName& name,
                                           const std::vector<std::string>& gpus,
                                           const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "attach GPUs to", waiting));
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto inventory = BERTH_TRY(inventory_for(gpus));
    std::vector<std::string> leased;
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        leased = BERTH_TRY(lease(*row, gpus, inventory));
        return {};
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
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        for (const auto& lease : leaving) BERTH_TRY(devices_.remove(row->id, lease.gpu));
        return {};
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
    const auto spec = BERTH_TRY(spec_of(row, image));
    // Some nodes are those of all GPUs of a kind.
    std::set<std::string> kept;
    for (const auto& device : BERTH_TRY(nodes_of(row, staying))) kept.insert(device.path);
    const auto devices = nodes_of(row, leaving);
    if (!devices) {
        return fail(make_error(ErrorCode::busy,
                               fmt::format("container '{}' is running, and what it has of that GPU "
                                           "cannot be found any more: {}",
                                           row.name, devices.error().message))
                        .at("/container")
                        .next("stop it first")
                        .call("container_stop", {{"name", row.name}}));
    }
    for (const auto& device : *devices) {
        if (kept.contains(device.path)) continue;
        auto removed = rooms_.engine.remove_device(spec, device);
        if (!removed) return fail(std::move(removed).error().at("/container"));
    }
    return {};
}

Result<std::vector<std::string>> ContainerService::rehearse_attach(
    const ContainerName& name, const std::vector<std::string>& gpus) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto inventory = BERTH_TRY(inventory_for(gpus));
    std::vector<std::string> leased;
    BERTH_TRY(rooms_.database.rehearse([&]() -> Result<> {
        leased = BERTH_TRY(lease(*row, gpus, inventory));
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

// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/transfer_service.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/rollback.h"
#include "host/transfer/tree_make.h"
#include "host/transfer/tree_walk.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

namespace berth::transfer {
namespace {

constexpr std::int64_t room_left_min = std::int64_t{64} * 1024 * 1024;
constexpr int hundred = 100;
constexpr std::size_t note_bytes_max = 1024;  // of names, which come out of the stream

/// Tells how far it is, in hundredths and not more often.
class Percent {
public:
    Percent(const container::Waiting& waiting, std::int64_t total, std::string_view doing)
        : waiting_(waiting), total_(std::max<std::int64_t>(total, 1)), doing_(doing) {}
    void add(std::int64_t more) {
        done_ += more;
        const auto now = static_cast<int>(std::min(done_, total_) * hundred / total_);
        if (now == told_ || !waiting_.report) return;
        told_ = now;
        waiting_.report(now, hundred, doing_);
    }

private:
    const container::Waiting& waiting_;
    std::int64_t total_;
    std::string_view doing_;
    std::int64_t done_ = 0;
    int told_ = -1;
};

std::int64_t weight_of(const Manifest& manifest) {
    std::int64_t total = 0;
    for (const auto& layer : manifest.layers) total += layer.entries + layer.bytes;
    return total;
}

/// Passes on what it gets, and tells how far that is.
class Watched final : public EntryTaker {
public:
    Watched(EntryTaker& taker, Percent& percent) : taker_(taker), percent_(percent) {}
    Result<> begin(std::size_t layer, const Entry& entry) override {
        percent_.add(1);
        return taker_.begin(layer, entry);
    }
    Result<> content(std::int64_t offset, std::string_view bytes) override {
        percent_.add(static_cast<std::int64_t>(bytes.size()));
        return taker_.content(offset, bytes);
    }
    Result<> end() override { return taker_.end(); }

private:
    EntryTaker& taker_;
    Percent& percent_;
};

/// "a, b", or as many as a note has room for and the number of the others.
std::string listed(const std::vector<std::string>& names) {
    std::string text;
    std::size_t told = 0;
    for (; told < names.size() && text.size() + names[told].size() <= note_bytes_max; ++told)
        text += (told == 0 ? "" : ", ") + names[told];
    if (told == names.size()) return text;
    return text + fmt::format("{}{} more", told == 0 ? "" : " and ", names.size() - told);
}

std::vector<std::string> notes_of(const Manifest& manifest, const ImportWish& wish,
                                  const container::View& view) {
    std::vector<std::string> notes{
        fmt::format("SSH answers on port {} with a new host key", view.row.ssh_port)};
    if (!wish.keep_identity)
        notes.emplace_back("/etc/machine-id is new, and host keys in /etc/ssh are gone");
    if (wish.ports == PortsWish::none && !manifest.ports.empty())
        notes.push_back(fmt::format("its {} forwards were left out", manifest.ports.size()));
    if (wish.ports == PortsWish::free && !manifest.ports.empty())
        notes.emplace_back("its forwards have other ports of the host");
    if (manifest.shares > 0)
        notes.push_back(fmt::format("its {} shares of the host's directories were left out{}{}",
                                    manifest.shares, manifest.share_paths.empty() ? "" : ": ",
                                    listed(manifest.share_paths)));
    if (!manifest.gpus.empty())
        notes.push_back(
            fmt::format("it does not hold the GPUs that it held: {}", listed(manifest.gpus)));
    if (!manifest.devices.empty())
        notes.push_back(fmt::format("its CDI devices were left out: {}", listed(manifest.devices)));
    if (manifest.ttl_seconds > 0)
        notes.push_back(fmt::format("it is deleted {} seconds from now", manifest.ttl_seconds));
    return notes;
}

}  // namespace

/// A layer and all below it, each behind what it stands on.
Result<> TransferService::add_chain(Plan& plan, const std::string& top) {
    auto chain = BERTH_TRY(rows_.chain(top));
    for (auto& layer : std::views::reverse(chain)) {
        if (std::ranges::find(plan.layers, layer.id, &store::Layer::id) != plan.layers.end())
            continue;
        plan.pins.emplace_back(layers_, layer.id);
        plan.layers.push_back(std::move(layer));
    }
    return {};
}

Result<TransferService::Plan> TransferService::plan_of(const ExportWish& wish,
                                                       const engine::Spec& spec) {
    const auto view = BERTH_TRY(containers_.get(wish.container));
    auto like = BERTH_TRY(containers_.wish_like(wish.container));
    Plan plan{.manifest = {.name = wish.container, .image = like.image}, .layers = {}};
    auto& manifest = plan.manifest;
    manifest.written_at = to_rfc3339(clock_.wall());
    manifest.image_digest = like.origin->image_digest;
    manifest.limits = like.limits;
    manifest.life = view.row.life;
    manifest.ttl_seconds = like.ttl_seconds;
    manifest.no_new_privileges = like.no_new_privileges;
    manifest.nesting = like.nesting;
    manifest.guest_socket = view.row.guest_socket;
    manifest.shares = static_cast<std::int64_t>(view.row.shares.size());
    for (const auto& share : view.row.shares) manifest.share_paths.push_back(share.path);
    manifest.gpus = view.gpus;
    manifest.devices = BERTH_TRY(devices_.cdi_of(view.row.id));
    for (const auto& [key, value] : like.labels)
        manifest.labels.push_back(BERTH_TRY(Label::parse(fmt::format("{}={}", key, value))));
    for (const auto& variable : like.environment)
        manifest.environment.push_back(BERTH_TRY(EnvAssignment::parse(variable)));
    for (const auto& port : view.ports)
        manifest.ports.push_back({.protocol = port.protocol,
                                  .host_port = port.host_port,
                                  .container_port = port.container_port});
    manifest.ssh_keys = std::move(like.ssh_keys);
    const auto kept =
        wish.snapshots ? BERTH_TRY(snapshots_.list(spec.id)) : std::vector<store::Snapshot>{};
    for (const auto& one : kept) BERTH_TRY(add_chain(plan, one.layer_id));
    const auto under = BERTH_TRY(rows_.root_of(spec.id));
    if (under) BERTH_TRY(add_chain(plan, under->layer_id));
    const auto place_of = [&plan](const std::string& id) {
        const auto found = std::ranges::find(plan.layers, id, &store::Layer::id);
        return found == plan.layers.end() ? -1 : found - plan.layers.begin();
    };
    for (const auto& one : kept)
        manifest.snapshots.push_back({.name = BERTH_TRY(SnapshotName::parse(one.name)),
                                      .description = one.description,
                                      .created_at = one.created_at,
                                      .layer = place_of(one.layer_id)});
    for (const auto& layer : plan.layers)
        manifest.layers.push_back(
            {.parent = place_of(layer.parent), .created_at = layer.created_at});
    return plan;
}

Result<Exported> TransferService::write(const ExportWish& wish, const ByteSink& sink,
                                        const container::Waiting& waiting) {
    const auto pin = layers_.new_layer();
    std::optional<Plan> plan;
    Rollback away;  // kept in no case: the copy is for this stream alone
    BERTH_TRY(containers_.change(
        wish.container, "export", waiting, [&](const engine::Spec& spec) -> Result<> {
            plan = BERTH_TRY(plan_of(wish, spec));
            auto layer = BERTH_TRY(
                layers_.take(spec, plan->manifest.image_digest, pin.id(), waiting.cancelled));
            const auto found = std::ranges::find(plan->layers, layer.parent, &store::Layer::id);
            plan->manifest.layers.push_back(
                {.parent = found == plan->layers.end() ? -1 : found - plan->layers.begin(),
                 .created_at = layer.created_at});
            plan->layers.push_back(std::move(layer));
            return {};
        }));
    away.on_failure([this, id = pin.id()]() noexcept { layers_.discard(id); });
    auto written = [&]() -> Result<Exported> {
        BERTH_TRY(fault::at("export.write"));
        return write_plan(*plan, sink, waiting);
    }();
    plan.reset();
    layers_.collect();  // what was pinned until now and nobody stands on
    if (written) return written;
    return fail(std::move(written).error().in(
        fmt::format("export container '{}'", wish.container.to_string())));
}

Result<Exported> TransferService::write_plan(Plan& plan, const ByteSink& sink,
                                             const container::Waiting& waiting) {
    const auto walk = [&](std::size_t at, const EntryVisit& visit) {
        const auto& layer = plan.layers[at];
        return walk_tree(layers_.tree(layer.id), layer.uid_base, waiting.cancelled, visit);
    };
    Exported exported;
    // Layers do not change, so what is counted is what will be written.
    for (std::size_t at = 0; at < plan.layers.size(); ++at) {
        auto& told = plan.manifest.layers[at];
        BERTH_TRY(walk(at, [&told](const Entry& entry, const Fd&) -> Result<> {
            ++told.entries;
            for (const auto& extent : entry.extents) told.bytes += extent.bytes;
            return {};
        }));
        exported.entries += told.entries;
    }
    Percent percent(waiting, weight_of(plan.manifest), "writing the export");
    StreamWriter writer(sink);
    BERTH_TRY(writer.manifest(plan.manifest));
    for (std::size_t at = 0; at < plan.layers.size(); ++at) {
        BERTH_TRY(walk(at, [&](const Entry& entry, const Fd& file) -> Result<> {
            percent.add(1);
            BERTH_TRY(writer.begin(at, entry));
            return read_extents(entry, file, waiting.cancelled,
                                [&](std::int64_t offset, std::string_view bytes) {
                                    percent.add(static_cast<std::int64_t>(bytes.size()));
                                    return writer.content(offset, bytes);
                                });
        }));
    }
    exported.sha256 = BERTH_TRY(writer.finish());
    return exported;
}

Result<> TransferService::check_room(const Manifest& manifest) const {
    struct statvfs status{};
    if (::statvfs(options_.state_dir.c_str(), &status) != 0)
        return fail(system_error("look how much room there is", errno));
    const auto free = static_cast<std::int64_t>(status.f_bavail * status.f_frsize);
    std::int64_t wanted = room_left_min;
    for (const auto& layer : manifest.layers) {
        if (layer.bytes <= free - wanted) {
            wanted += layer.bytes;
            continue;
        }
        return fail(
            make_error(ErrorCode::quota_exceeded,
                       fmt::format("its files take more than the {} bytes that are free", free))
                .at("/file")
                .next("make room on the host's disk"));
    }
    return {};
}

Result<> TransferService::check(const Manifest& manifest, const ImportWish& wish) const {
    const auto name = wish.name.value_or(manifest.name);
    if (containers_.get(name)) {
        return fail(make_error(ErrorCode::already_exists,
                               fmt::format("there is a container '{}' already", name.to_string()))
                        .at("/name")
                        .next("choose another name, or look at that container")
                        .call("container_get", {{"name", name.to_string()}}));
    }
    BERTH_TRY(containers_.check_nesting(manifest.nesting, "/file"));
    if (!images_.find_digest(manifest.image_digest)) {
        return fail(
            make_error(ErrorCode::not_found,
                       fmt::format("it stands on image '{}' with the digest {}, which is not on "
                                   "this host",
                                   manifest.image.to_string(), manifest.image_digest))
                .at("/file")
                .next(fmt::format(
                    "copy the directory sha256-{} of the other host's image "
                    "directory into this one's, and import again",
                    manifest.image_digest.substr(manifest.image_digest.find(':') + 1))));
    }
    return check_room(manifest);
}

container::CreateWish TransferService::wish_of(const Manifest& manifest, const ImportWish& wish,
                                               const std::string& layer_id) const {
    container::CreateWish create{.name = wish.name.value_or(manifest.name),
                                 .image = manifest.image,
                                 .limits = manifest.limits,
                                 .ports = {},
                                 .ssh_keys = manifest.ssh_keys,
                                 .start = wish.start,
                                 .no_new_privileges = manifest.no_new_privileges,
                                 .nesting = manifest.nesting,
                                 .guest_socket = manifest.guest_socket,
                                 .life = manifest.life,
                                 .ttl_seconds = manifest.ttl_seconds,
                                 .origin = container::Origin{.layer_id = layer_id,
                                                             .image_digest = manifest.image_digest,
                                                             .container = manifest.name.to_string(),
                                                             .elsewhere = true,
                                                             .keeps_identity = wish.keep_identity}};
    for (const auto& label : manifest.labels) {
        const auto& text = label.to_string();
        const auto key = text.substr(0, text.find('='));
        create.labels.emplace(key, text.substr(key.size() + 1));
    }
    for (const auto& variable : manifest.environment)
        create.environment.push_back(variable.to_string());
    if (wish.ports == PortsWish::none) return create;
    for (const auto& port : manifest.ports) {
        container::PortWish again{.container_port = port.container_port, .protocol = port.protocol};
        if (wish.ports == PortsWish::keep) again.host_port = port.host_port;
        create.ports.push_back(std::move(again));
    }
    return create;
}

Result<> TransferService::record(const Manifest& manifest, const std::vector<store::Layer>& layers,
                                 const std::string& id) {
    for (const auto& layer : layers) BERTH_TRY(rows_.insert(layer));
    for (const auto& one : manifest.snapshots)
        BERTH_TRY(snapshots_.insert({.container_id = id,
                                     .name = one.name.to_string(),
                                     .description = one.description,
                                     .layer_id = layers[static_cast<std::size_t>(one.layer)].id,
                                     .created_at = one.created_at}));
    return fault::at("import.record");
}

Result<Manifest> TransferService::look(const ImportWish& wish, const ByteSource& source) {
    StreamReader reader(source);
    auto manifest = BERTH_TRY(reader.manifest());
    BERTH_TRY(check(manifest, wish));
    return manifest;
}

Result<Imported> TransferService::read(const ImportWish& wish, const ByteSource& source,
                                       const container::Waiting& waiting) {
    StreamReader reader(source);
    const auto manifest = BERTH_TRY(reader.manifest());
    BERTH_TRY(check(manifest, wish));
    const auto stage = BERTH_TRY(layers_.make_stage());
    Rollback away;  // kept in no case: what is whole has left it by then
    away.on_failure([stage]() noexcept { (void)remove_tree(stage); });
    BERTH_TRY(fault::at("import.unpack"));
    TreeMaker maker(stage, options_.uid_base, waiting.cancelled);
    Percent percent(waiting, weight_of(manifest), "unpacking its files");
    Watched watched(maker, percent);
    auto sha256 = BERTH_TRY(reader.read(manifest, watched));
    BERTH_TRY(maker.finish());
    BERTH_TRY(fault::at("import.place"));

    std::vector<store::Layer> layers;
    std::vector<std::string> ids;
    for (const auto& told : manifest.layers) {
        const auto at = layers.size();
        layers.push_back(
            {.id = snapshot::LayerStore::random_layer_id(),
             .parent = told.parent < 0 ? "" : layers[static_cast<std::size_t>(told.parent)].id,
             .image_digest = manifest.image_digest,
             .uid_base = options_.uid_base,
             .bytes = maker.bytes_on_disk()[at],
             .created_at = told.created_at});
        ids.push_back(layers.back().id);
    }
    Rollback undo;
    undo.on_failure([this, ids]() noexcept { layers_.discard_unknown(ids); });
    for (std::size_t at = 0; at < ids.size(); ++at)
        BERTH_TRY(layers_.place(stage / std::to_string(at), ids[at]));
    auto create = wish_of(manifest, wish, ids.back());
    create.with_row = [&](const std::string& id) { return record(manifest, layers, id); };
    auto view = containers_.create(create, waiting);
    if (!view) {
        auto error = std::move(view).error();
        if (error.field.starts_with("/ports"))
            error.field = "/ports";
        else if (error.field != "/name" && !error.field.empty())
            error.field = "/file";
        return fail(std::move(error));
    }
    undo.keep();
    auto notes = notes_of(manifest, wish, *view);
    return Imported{.view = *std::move(view),
                    .sha256 = std::move(sha256),
                    .snapshots = static_cast<std::int64_t>(manifest.snapshots.size()),
                    .notes = std::move(notes)};
}

}  // namespace berth::transfer

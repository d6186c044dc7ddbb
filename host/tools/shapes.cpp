// SPDX-License-Identifier: Apache-2.0
#include "host/tools/shapes.h"

#include <fmt/format.h>

namespace berth::tools {
namespace {

/// Names in the store were checked when they came in.
ContainerName name_of(const std::string& text) {
    return ContainerName::parse(text).value();
}

ContainerState state_of(container::State state) {
    switch (state) {
        case container::State::creating:
            return ContainerState::creating;
        case container::State::running:
            return ContainerState::running;
        case container::State::paused:
            return ContainerState::paused;
        case container::State::stopped:
            return ContainerState::stopped;
        case container::State::deleting:
            return ContainerState::deleting;
    }
    std::unreachable();
}

std::vector<Label> to_labels(const store::Labels& labels) {
    std::vector<Label> out;
    for (const auto& [key, value] : labels)
        out.push_back(Label::parse(fmt::format("{}={}", key, value)).value());
    return out;
}

}  // namespace

Result<std::vector<container::View>> one_or_all(container::ContainerService& containers,
                                                const std::optional<ContainerName>& name) {
    if (!name) return containers.list();
    auto view = containers.get(*name);
    if (!view) return fail(std::move(view).error().at("/container"));
    return std::vector{*std::move(view)};
}

PortForward to_forward(const store::Port& port, const std::string& container) {
    return {.container = name_of(container),
            .protocol = port.protocol == "udp" ? Protocol::udp : Protocol::tcp,
            .host_port = port.host_port,
            .container_port = port.container_port};
}

namespace {

DiskUse::By to_means(engine::DiskBy means) {
    switch (means) {
        case engine::DiskBy::image:
            return DiskUse::By::image;
        case engine::DiskBy::project_quota:
            return DiskUse::By::project_quota;
        case engine::DiskBy::none:
            break;
    }
    return DiskUse::By::none;
}

std::string time_text(std::int64_t milliseconds_since_1970) {
    return to_rfc3339(
        std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds_since_1970)));
}

RestartPolicy to_policy(store::Restart restart) {
    switch (restart) {
        case store::Restart::no:
            return RestartPolicy::no;
        case store::Restart::on_failure:
            return RestartPolicy::on_failure;
        case store::Restart::always:
            return RestartPolicy::always;
    }
    std::unreachable();
}

Limits to_limits(const store::Limits& limits) {
    return {.memory_bytes = limits.memory_bytes,
            .cpu_percent = limits.cpu_percent,
            .processes = limits.processes,
            .swap_bytes = limits.swap_bytes,
            .disk_bytes = limits.disk_bytes,
            .io_bytes_per_second = limits.io_bytes_per_second,
            .io_operations_per_second = limits.io_operations_per_second,
            .receive_bytes_per_second = limits.receive_bytes_per_second,
            .send_bytes_per_second = limits.send_bytes_per_second};
}

Lifecycle to_lifecycle(const store::Container& row) {
    Lifecycle out{.restart = to_policy(row.life.restart),
                  .protected_ = row.life.is_protected,
                  .idle_stop_seconds = row.life.idle_stop_seconds,
                  .delete_after_stop = row.life.after_stop != store::AfterStop::keep,
                  .wake = row.life.wake,
                  .restarts = row.last_end.restarts};
    if (row.life.expires_at > 0) out.expires_at = time_text(row.life.expires_at);
    if (row.last_end.at > 0) {
        out.ended_at = time_text(row.last_end.at);
        out.ended = from_string<Lifecycle::Ended>(row.last_end.how);
    }
    return out;
}

}  // namespace

store::Restart to_restart(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::no:
            return store::Restart::no;
        case RestartPolicy::on_failure:
            return store::Restart::on_failure;
        case RestartPolicy::always:
            return store::Restart::always;
    }
    std::unreachable();
}

Container to_container(const container::View& view) {
    const auto& row = view.row;
    Container out{.name = name_of(row.name),
                  .id = row.id,
                  .state = state_of(view.state),
                  .image = ImageName::parse(row.image).value(),
                  .created_at = row.created_at,
                  .ipv4 = row.ipv4,
                  .uid_base = row.uid_base,
                  .etag = container::etag_of(row),
                  .limits = to_limits(row.limits),
                  .lifecycle = to_lifecycle(row),
                  .no_new_privileges = row.no_new_privileges,
                  .nesting = row.nesting,
                  .shares = {},
                  .guest_socket = row.guest_socket,
                  .gpus = view.gpus,
                  .ssh = {.port = row.ssh_port,
                          .user = "root",
                          .host_key = row.host_key,
                          .keys = view.ssh_keys},
                  .ports = {},
                  .labels = to_labels(row.labels),
                  .env = {}};
    for (const auto& variable : row.environment)
        out.env.push_back(EnvAssignment::parse(variable).value());
    for (const auto& port : view.ports) out.ports.push_back(to_forward(port, row.name));
    for (const auto& share : row.shares)
        out.shares.push_back({.host_path = AbsolutePath::parse(share.host_path).value(),
                              .path = AbsolutePath::parse(share.path).value(),
                              .writable = share.writable});
    return out;
}

Json to_target(const container::View& view) {
    auto shown = to_container(view);
    shown.env.clear();  // the etag tells of a change
    return encode(shown);
}

ContainerUsage::Output to_usage(const container::View& view, const engine::Usage& used,
                                const std::optional<container::LastOomKill>& killed) {
    ContainerUsage::Output out{
        .name = name_of(view.row.name),
        .state = state_of(view.state),
        .limits = to_limits(view.row.limits),
        .disk = {.bytes = used.disk.bytes, .exact = used.disk.exact, .by = to_means(used.disk_by)}};
    if (const auto& now = used.running) {
        out.running = RunningUse{.memory_bytes = now->memory_bytes,
                                 .cpu_ms = now->cpu_ms,
                                 .processes = now->processes,
                                 .received_bytes = now->received_bytes,
                                 .sent_bytes = now->sent_bytes,
                                 .oom_kills = now->oom_kills,
                                 .disk_read_bytes = now->disk_read_bytes,
                                 .disk_written_bytes = now->disk_written_bytes};
        if (const auto& waited = now->pressure)
            out.running->pressure = Pressure{.cpu_ms = waited->cpu_us / 1000,
                                             .memory_ms = waited->memory_us / 1000,
                                             .io_ms = waited->io_us / 1000};
    }
    if (killed)
        out.last_oom_kill = OomKill{.process = killed->process, .at = to_rfc3339(killed->at)};
    return out;
}

ContainerSummary to_summary(const container::View& view) {
    return {.name = name_of(view.row.name),
            .state = state_of(view.state),
            .image = ImageName::parse(view.row.image).value(),
            .ipv4 = view.row.ipv4,
            .ssh_port = view.row.ssh_port,
            .labels = to_labels(view.row.labels)};
}

OutputStream to_stream(const exec::Output& output) {
    OutputStream stream{.text = output.text,
                        .bytes = output.bytes,
                        .omitted_bytes = output.omitted_bytes,
                        .lossy = output.lossy};
    if (output.kept_as.empty()) return stream;
    stream.output_id = OutputId::parse(output.kept_as).value();
    stream.kept_bytes = output.kept_bytes;
    return stream;
}

container::PortWish to_wish(std::int64_t container_port, std::optional<std::int64_t> host_port,
                            Protocol protocol) {
    return {.container_port = container_port,
            .host_port = host_port,
            .protocol = protocol == Protocol::udp ? "udp" : "tcp"};
}

namespace {

Result<store::Labels> labels_of(const std::vector<Label>& labels) {
    store::Labels out;
    for (std::size_t index = 0; index < labels.size(); ++index) {
        const auto& label = labels[index].to_string();
        const auto key = label.substr(0, label.find('='));
        if (!out.emplace(key, label.substr(key.size() + 1)).second) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("the label '{}' is there twice", key))
                            .at(fmt::format("/labels/{}", index)));
        }
    }
    return out;
}

store::Environment environment_of(const std::vector<EnvAssignment>& variables) {
    store::Environment out;
    for (const auto& variable : variables) out.push_back(variable.to_string());
    return out;
}

}  // namespace

Result<container::UpdateWish> wish_of(const ContainerUpdate::Input& in) {
    auto labels = BERTH_TRY(labels_of(in.labels));
    container::UpdateWish wish{.etag = in.etag.value_or(""),
                               .limits = {.memory_bytes = in.memory_bytes,
                                          .cpu_percent = in.cpu_percent,
                                          .processes = in.processes,
                                          .swap_bytes = in.swap_bytes,
                                          .disk_bytes = in.disk_bytes,
                                          .io_bytes_per_second = in.io_bytes_per_second,
                                          .io_operations_per_second = in.io_operations_per_second,
                                          .receive_bytes_per_second = in.receive_bytes_per_second,
                                          .send_bytes_per_second = in.send_bytes_per_second},
                               .labels = std::move(labels),
                               .labels_removed = in.remove_labels,
                               .restart = {},
                               .is_protected = in.protected_,
                               .ttl_seconds = in.ttl_seconds,
                               .idle_stop_seconds = in.idle_stop_seconds,
                               .delete_after_stop = in.delete_after_stop,
                               .no_new_privileges = in.no_new_privileges,
                               .shares = {},
                               .shares_removed = {},
                               .environment = {},
                               .guest_socket = in.guest_socket,
                               .wake = in.wake};
    for (const auto& share : in.shares)
        wish.shares.push_back({.host_path = share.host_path.to_string(),
                               .path = share.path.to_string(),
                               .writable = share.writable});
    for (const auto& path : in.remove_shares) wish.shares_removed.push_back(path.to_string());
    if (in.env) wish.environment = environment_of(*in.env);
    if (in.restart) wish.restart = to_restart(*in.restart);
    return wish;
}

Result<container::CreateWish> wish_of(const ContainerCreate::Input& in) {
    container::CreateWish wish{
        .name = in.name,
        .image = in.image,
        .limits = {.memory_bytes = in.memory_bytes,
                   .cpu_percent = in.cpu_percent,
                   .processes = in.processes,
                   .disk_bytes = in.disk_bytes},
        .ports = {},
        .ssh_keys = in.ssh_keys,
        .start = in.start,
        .nesting = in.nesting,
        .environment = environment_of(in.env),
        .gpus = in.gpus,
        .devices = in.devices,
        .life = {.restart = to_restart(in.restart),
                 .is_protected = in.protected_,
                 .idle_stop_seconds = in.idle_stop_seconds,
                 .after_stop =
                     in.delete_after_stop ? store::AfterStop::remove : store::AfterStop::keep},
        .ttl_seconds = in.ttl_seconds};
    if (in.gpu) {
        if (!in.gpus.empty())
            return fail(make_error(ErrorCode::invalid_argument, "is the old form of 'gpus'")
                            .at("/gpu")
                            .next("leave it out"));
        wish.gpus = {in.gpu->id};
        wish.gpus_in_old_form = true;
    }
    for (const auto& port : in.ports)
        wish.ports.push_back(to_wish(port.container_port, port.host_port, port.protocol));
    wish.labels = BERTH_TRY(labels_of(in.labels));
    return wish;
}

container::Waiting to_waiting(const Call& call) {
    container::Waiting waiting{.cancelled = call.cancelled};
    if (call.report) {
        waiting.report = [report = call.report](int done, int total, std::string_view doing) {
            report({.done = static_cast<double>(done),
                    .total = static_cast<double>(total),
                    .message = std::string(doing)});
        };
    }
    return waiting;
}

}  // namespace berth::tools

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

Container to_container(const container::View& view) {
    const auto& row = view.row;
    Container out{.name = name_of(row.name),
                  .id = row.id,
                  .state = state_of(view.state),
                  .image = ImageName::parse(row.image).value(),
                  .created_at = row.created_at,
                  .ipv4 = row.ipv4,
                  .uid_base = row.uid_base,
                  .limits = {.memory_bytes = row.memory_bytes,
                             .cpu_percent = row.cpu_percent,
                             .processes = row.processes},
                  .ssh = {.port = row.ssh_port,
                          .user = "root",
                          .host_key = row.host_key,
                          .keys = view.ssh_keys},
                  .ports = {},
                  .labels = to_labels(row.labels)};
    for (const auto& port : view.ports) out.ports.push_back(to_forward(port, row.name));
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
    return {.text = output.text,
            .bytes = output.bytes,
            .omitted_bytes = output.omitted_bytes,
            .lossy = output.lossy};
}

container::PortWish to_wish(std::int64_t container_port, std::optional<std::int64_t> host_port,
                            Protocol protocol) {
    return {.container_port = container_port,
            .host_port = host_port,
            .protocol = protocol == Protocol::udp ? "udp" : "tcp"};
}

Result<container::CreateWish> wish_of(const ContainerCreate::Input& in) {
    container::CreateWish wish{.name = in.name,
                               .image = in.image,
                               .limits = {.memory_bytes = in.memory_bytes,
                                          .cpu_percent = in.cpu_percent,
                                          .processes = in.processes},
                               .ports = {},
                               .ssh_keys = in.ssh_keys,
                               .start = in.start};
    for (const auto& port : in.ports)
        wish.ports.push_back(to_wish(port.container_port, port.host_port, port.protocol));
    for (std::size_t index = 0; index < in.labels.size(); ++index) {
        const auto& label = in.labels[index].to_string();
        const auto key = label.substr(0, label.find('='));
        if (!wish.labels.emplace(key, label.substr(key.size() + 1)).second) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("the label '{}' is there twice", key))
                            .at(fmt::format("/labels/{}", index)));
        }
    }
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

// SPDX-License-Identifier: Apache-2.0
#include "host/tools/previews.h"

#include "host/tools/shapes.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::tools {
namespace {

/// "container 'ada' (running, 2 ports)"
std::string words_for(const container::View& view) {
    return fmt::format("container '{}' ({}, {} port{})", view.row.name,
                       to_string(to_container(view).state), view.ports.size(),
                       view.ports.size() == 1 ? "" : "s");
}

Preview of(const container::View& view, std::string would) {
    return {.would = std::move(would), .target = encode(to_container(view))};
}

/// The container, if it is neither being made nor being deleted. `at` is the argument that names
/// it.
Result<container::View> ready(container::ContainerService& containers, const ContainerName& name,
                              std::string_view at) {
    auto view = containers.get(name);
    if (!view) return fail(std::move(view).error().at(at));
    if (view->state == container::State::running || view->state == container::State::stopped) {
        return view;
    }
    return fail(
        make_error(ErrorCode::busy,
                   fmt::format("container '{}' is being {}", name.to_string(),
                               view->state == container::State::creating ? "created" : "deleted"))
            .at(at)
            .next("wait a moment and call container_get"));
}

/// The forward of that port of the host and the container it leads to; nothing when there is none.
Result<std::optional<std::pair<store::Port, container::View>>> forward_of(
    container::ContainerService& containers, Protocol protocol, std::int64_t host_port) {
    for (auto& view : BERTH_TRY(containers.list())) {
        const auto found = std::ranges::find_if(view.ports, [&](const store::Port& port) {
            return port.protocol == to_string(protocol) && port.host_port == host_port;
        });
        if (found != view.ports.end()) return std::pair(*found, std::move(view));
    }
    return std::nullopt;
}

Result<> require_free(container::ContainerService& containers, Protocol protocol,
                      std::optional<std::int64_t> host_port, std::string_view at) {
    if (!host_port) return {};
    const auto taken = BERTH_TRY(forward_of(containers, protocol, *host_port));
    if (!taken) return {};
    return fail(make_error(ErrorCode::already_exists,
                           fmt::format("{} port {} already leads to container '{}', port {}",
                                       to_string(protocol), *host_port, taken->second.row.name,
                                       taken->first.container_port))
                    .at(at)
                    .next("choose another host_port, leave it out to get a free one, or call "
                          "port_remove first"));
}

}  // namespace

Result<Preview> preview(container::ContainerService& containers, const image::ImageStore& images,
                        const ContainerCreate::Input& in) {
    const auto image = BERTH_TRY(images.find(in.image));
    const auto views = BERTH_TRY(containers.list());
    const auto name = in.name.to_string();
    if (std::ranges::any_of(views, [&](const auto& view) { return view.row.name == name; })) {
        return fail(
            make_error(ErrorCode::already_exists, fmt::format("there is a container '{}'", name))
                .at("/name")
                .next("choose another name, or look at it with container_get"));
    }
    for (std::size_t i = 0; i < in.ports.size(); ++i) {
        BERTH_TRY(require_free(containers, in.ports[i].protocol, in.ports[i].host_port,
                               fmt::format("/ports/{}/host_port", i)));
    }
    return Preview{.would =
                       fmt::format("create container '{}' of image {} with {} port{}{}", name,
                                   image.name, in.ports.size(), in.ports.size() == 1 ? "" : "s",
                                   in.start ? ", and start it" : "")};
}

Result<Preview> preview(container::ContainerService& containers, const ContainerDelete::Input& in) {
    const auto view = BERTH_TRY(containers.get(in.name));
    if (!in.force && view.state == container::State::running) {
        return fail(
            make_error(ErrorCode::busy, fmt::format("container '{}' is running", view.row.name))
                .at("/name")
                .next("call container_stop first, or pass force: true"));
    }
    return of(view, fmt::format("delete {} with its files and keys, for good", words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerStart::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.name, "/name"));
    return of(view, view.state == container::State::running
                        ? fmt::format("change nothing: {} runs already", words_for(view))
                        : fmt::format("start {}", words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerStop::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.name, "/name"));
    return of(view,
              view.state == container::State::stopped
                  ? fmt::format("change nothing: {} is stopped already", words_for(view))
                  : fmt::format("stop {} within {} seconds", words_for(view), in.timeout_seconds));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerExec::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    if (view.state != container::State::running) {
        return fail(
            make_error(ErrorCode::busy, fmt::format("container '{}' is stopped", view.row.name))
                .at("/container")
                .next("call container_start"));
    }
    return of(view, fmt::format("run {} as {} in {}", in.argv.front(), in.user.to_string(),
                                words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const PortAdd::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    BERTH_TRY(require_free(containers, in.protocol, in.host_port, "/host_port"));
    const auto from = in.host_port ? fmt::format("port {}", *in.host_port) : "a free port";
    return of(view, fmt::format("make {} {} of the host lead to port {} of {}",
                                to_string(in.protocol), from, in.container_port, words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const PortRemove::Input& in) {
    const auto found = BERTH_TRY(forward_of(containers, in.protocol, in.host_port));
    if (!found) {
        return fail(
            make_error(ErrorCode::not_found, fmt::format("{} port {} is not forwarded",
                                                         to_string(in.protocol), in.host_port))
                .at("/host_port")
                .next("call port_list"));
    }
    return of(found->second, fmt::format("stop leading {} port {} of the host to port {} of {}",
                                         to_string(in.protocol), in.host_port,
                                         found->first.container_port, words_for(found->second)));
}

Result<Preview> preview(container::ContainerService& containers, const SshKeyAdd::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    return of(view,
              fmt::format("let the {} key log in to {}", in.public_key.type(), words_for(view)));
}

}  // namespace berth::tools

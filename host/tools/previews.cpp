// SPDX-License-Identifier: Apache-2.0
#include "host/tools/previews.h"

#include "host/ssh/keys.h"
#include "host/tools/shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace berth::tools {
namespace {

/// "container 'ada' (running, 2 ports)"
std::string words_for(const container::View& view) {
    return fmt::format("container '{}' ({}, {} port{})", view.row.name,
                       to_string(to_container(view).state), view.ports.size(),
                       view.ports.size() == 1 ? "" : "s");
}

Preview of(const container::View& view, std::string would) {
    return {.would = std::move(would), .target = to_target(view)};
}

/// The container, if it is neither being made nor being deleted. `at` is the argument that names
/// it.
Result<container::View> ready(container::ContainerService& containers, const ContainerName& name,
                              std::string_view at) {
    auto view = containers.get(name);
    if (!view) return fail(std::move(view).error().at(at));
    if (view->row.phase == store::Phase::ready) return view;
    return fail(
        make_error(ErrorCode::busy,
                   fmt::format("container '{}' is being {}", name.to_string(),
                               view->state == container::State::creating ? "created" : "deleted"))
            .at(at)
            .next("wait a moment")
            .call("container_get", {{"name", name.to_string()}}));
}

}  // namespace

Result<Preview> preview(container::ContainerService& containers, const ContainerCreate::Input& in,
                        const std::string& caller) {
    auto wish = BERTH_TRY(wish_of(in));
    wish.caller = caller;
    const auto view = BERTH_TRY(containers.rehearse_create(wish));
    const auto& row = view.row;
    return Preview{
        .would = fmt::format(
            "create container '{}' of image {} with {} port{}{}{}", row.name, row.image,
            in.ports.size(), in.ports.size() == 1 ? "" : "s",
            view.gpus.empty() ? "" : fmt::format(" and GPU {}", fmt::join(view.gpus, ", ")),
            in.start ? ", and start it" : "")};
}

Result<Preview> preview(container::ContainerService& containers, const ContainerDelete::Input& in) {
    const auto view = BERTH_TRY(containers.get(in.name));
    if (view.row.life.is_protected && view.row.phase == store::Phase::ready)
        return fail(container::protected_error(view.row));
    if (!in.force &&
        (view.state == container::State::running || view.state == container::State::paused)) {
        return fail(
            make_error(ErrorCode::busy, fmt::format("container '{}' is running", view.row.name))
                .at("/name")
                .next("pass force: true, or stop it first")
                .call("container_stop", {{"name", view.row.name}}));
    }
    return of(view, fmt::format("delete {} with its files and keys, for good", words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerStart::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.name, "/name"));
    if (view.state == container::State::paused)
        return fail(container::paused_error(view.row, "/name"));
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
    if (view.state == container::State::paused)
        return fail(container::paused_error(view.row, "/container"));
    const bool stopped = view.state != container::State::running;
    if (stopped && !view.row.life.wake)
        return fail(container::stopped_error(view.row, "/container"));
    return of(view, fmt::format("{}run {} as {} in {}", stopped ? "start it, and " : "",
                                in.argv.front(), in.user.to_string(), words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerUpdate::Input& in) {
    const auto view = BERTH_TRY(containers.rehearse_update(in.name, BERTH_TRY(wish_of(in))));
    return of(view, fmt::format("change {} to what target shows{}", words_for(view),
                                in.env ? fmt::format(", and its env to {} variable{}, which it "
                                                     "does not show",
                                                     in.env->size(), in.env->size() == 1 ? "" : "s")
                                       : ""));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerPause::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.name, "/name"));
    if (view.state == container::State::stopped) return fail(container::stopped_error(view.row));
    return of(view, view.state == container::State::paused
                        ? fmt::format("change nothing: {} is paused already", words_for(view))
                        : fmt::format("pause {}", words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const ContainerResume::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.name, "/name"));
    if (view.state == container::State::stopped) return fail(container::stopped_error(view.row));
    return of(view, view.state == container::State::running
                        ? fmt::format("change nothing: {} runs already", words_for(view))
                        : fmt::format("let {} go on", words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const GpuAttach::Input& in,
                        const std::string& caller) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    const auto gpus = BERTH_TRY(containers.rehearse_attach(in.container, in.gpus, caller));
    return of(view, gpus.empty() ? fmt::format("change nothing: {} has them", words_for(view))
                                 : fmt::format("have {} hold GPU {}", words_for(view),
                                               fmt::join(gpus, ", ")));
}

Result<Preview> preview(container::ContainerService& containers, const GpuDetach::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    const auto gpus = BERTH_TRY(containers.rehearse_detach(in.container, in.gpus));
    return of(view, fmt::format("take GPU {} from {}", fmt::join(gpus, ", "), words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const PortAdd::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    const auto port = BERTH_TRY(containers.rehearse_add_port(
        in.container, to_wish(in.container_port, in.host_port, in.protocol)));
    const auto from = in.host_port ? fmt::format("{} port {}", port.protocol, port.host_port)
                                   : fmt::format("a free {} port", port.protocol);
    return of(view, fmt::format("make {} of the host lead to port {} of {}", from,
                                in.container_port, words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const PortRemove::Input& in) {
    const auto [port, view] =
        BERTH_TRY(containers.find_port(std::string(to_string(in.protocol)), in.host_port));
    return of(view,
              fmt::format("stop leading {} port {} of the host to port {} of {}", port.protocol,
                          port.host_port, port.container_port, words_for(view)));
}

Result<Preview> preview(container::ContainerService& containers, const SshKeyAdd::Input& in) {
    const auto view = BERTH_TRY(ready(containers, in.container, "/container"));
    return of(view, fmt::format("let the {} key {} log in to {}", in.public_key.type(),
                                ssh::fingerprint(in.public_key), words_for(view)));
}

}  // namespace berth::tools

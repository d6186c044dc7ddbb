// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/backend_watch.h"

#include "mcp-server/offer/allowed_calls.h"
#include "mcp-server/offer/catalogue_tasks.h"
#include "mcp-server/offer/host_resources.h"
#include "mcp-server/protocol/results.h"

#include <algorithm>

namespace berth::mcp {
namespace {

using std::chrono::milliseconds;

/// What is looked up to tell others of it is not worth waiting longer for.
constexpr std::chrono::seconds look_max{10};
constexpr std::size_t names_per_look = 999;

Asked looking(const std::stop_token& stop) {
    return {.call = {.deadline = std::chrono::steady_clock::now() + look_max, .cancelled = stop}};
}

}  // namespace

BackendWatch::BackendWatch(Follow follow, Invoker& invoker, Hub& hub, Backoff backoff)
    : follow_(std::move(follow)),
      invoker_(invoker),
      hub_(hub),
      backoff_(backoff),
      random_(std::random_device{}()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void BackendWatch::run(const std::stop_token& stop) {
    milliseconds pause = backoff_.first;
    while (!stop.stop_requested()) {
        bool connected = false;
        follow_(
            stop,
            [&] {
                connected = true;
                all_changed(stop);
            },
            [&](const Json& event) { heard(event, stop); });
        if (stop.stop_requested()) return;
        if (connected) {
            pause = backoff_.first;
            host_changed();  // it reads differently while berthd is away
        }
        wait(stop, pause);
        pause = std::min(pause * 2, backoff_.longest);
    }
}

void BackendWatch::wait(const std::stop_token& stop, milliseconds longest) {
    std::uniform_int_distribution<milliseconds::rep> between(longest.count() / 2, longest.count());
    std::unique_lock lock(mutex_);
    never_.wait_for(lock, stop, milliseconds(between(random_)), [] { return false; });
}

void BackendWatch::heard(const Json& event, const std::stop_token& stop) {
    const std::string kind = text_member(event, "kind");
    if (kind == "container") {
        const std::string name = text_member(event, "name");
        const std::string change = text_member(event, "change");
        hub_.resource_updated(std::string(container_scheme) + name);
        hub_.resource_updated(std::string(log_scheme) + name);
        if (change == "created" || change == "deleted") hub_.resources_changed();
        hub_.resource_updated(host_uri);  // it counts containers
    } else if (kind == "operation") {
        operation_changed(text_member(event, "id"), stop);
    } else if (kind == "warning") {
        hub_.resource_updated(std::string(warning_scheme) + text_member(event, "id"));
        host_changed();  // host://system counts them
    } else if (kind == "gpu") {
        hub_.resource_updated(gpus_uri);
    } else if (kind == "missed") {
        all_changed(stop);
    }
}

void BackendWatch::operation_changed(const std::string& id, const std::stop_token& stop) {
    const auto task = CatalogueTasks(invoker_).get(id, looking(stop));
    if (task) hub_.task_changed(id, task_members(*task));
}

void BackendWatch::host_changed() {
    hub_.resource_updated(host_uri);
    hub_.resource_updated(warning_uri);
}

void BackendWatch::all_changed(const std::stop_token& stop) {
    hub_.resources_changed();
    host_changed();
    hub_.resource_updated(gpus_uri);
    if (const auto list = warnings_for(looking(stop), invoker_, true)) {
        for (const Json& warning : list->value("warnings", Json::array()))
            hub_.resource_updated(std::string(warning_scheme) + text_member(warning, "id"));
    }
    ContainerPage page{.more = true};
    std::string after;
    while (page.more && !stop.stop_requested()) {
        auto next = container_names(looking(stop), invoker_, after, names_per_look);
        if (!next || next->names.empty()) return;
        page = *std::move(next);
        after = page.names.back();
        for (const auto& name : page.names) {
            hub_.resource_updated(std::string(container_scheme) + name);
            hub_.resource_updated(std::string(log_scheme) + name);
        }
    }
}

}  // namespace berth::mcp

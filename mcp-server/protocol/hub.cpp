// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/hub.h"

#include "mcp-server/protocol/results.h"

#include <fmt/format.h>

#include <vector>

namespace berth::mcp {
namespace {

Json to_json(const std::optional<jsonrpc::Id>& id) {
    if (!id) return nullptr;
    return std::visit([](const auto& value) { return Json(value); }, *id);
}

}  // namespace

Hub::Subscription::Subscription(Hub& hub, Interest interest, std::optional<jsonrpc::Id> id,
                                Sink sink)
    : hub_(hub), interest_(std::move(interest)), id_(to_json(id)), sink_(std::move(sink)) {
    const std::scoped_lock lock(hub_.mutex_);
    hub_.subscriptions_.insert(this);
}

Hub::Subscription::~Subscription() {
    const std::scoped_lock lock(hub_.mutex_);
    hub_.subscriptions_.erase(this);
}

void Hub::Subscription::watch(const std::string& uri) {
    const std::scoped_lock lock(hub_.mutex_);
    interest_.uris.insert(uri);
}

void Hub::Subscription::unwatch(const std::string& uri) {
    const std::scoped_lock lock(hub_.mutex_);
    interest_.uris.erase(uri);
}

std::size_t Hub::Subscription::watched() const {
    const std::scoped_lock lock(hub_.mutex_);
    return interest_.uris.size();
}

std::unique_ptr<Hub::Subscription> Hub::subscribe(Interest interest, std::optional<jsonrpc::Id> id,
                                                  Sink sink) {
    return std::make_unique<Subscription>(*this, std::move(interest), std::move(id),
                                          std::move(sink));
}

void Hub::publish(std::string_view method, Json params,
                  const std::function<bool(const Interest&)>& wanted) {
    const std::scoped_lock lock(mutex_);
    std::vector<Subscription*> interested;
    for (Subscription* one : subscriptions_) {
        if (wanted(one->interest_)) interested.push_back(one);
    }
    for (Subscription* one : interested) {
        if (!subscriptions_.contains(one)) continue;  // ended by a sink before it
        Json message = {{"jsonrpc", "2.0"}, {"method", method}};
        Json own = params;
        if (!one->id_.is_null()) own["_meta"][subscription_key] = one->id_;
        if (!own.empty()) message["params"] = std::move(own);
        one->sink_(to_text(message));
    }
}

void Hub::tools_changed() {
    publish("notifications/tools/list_changed", Json::object(),
            [](const Interest& interest) { return interest.tools; });
}

void Hub::prompts_changed() {
    publish("notifications/prompts/list_changed", Json::object(),
            [](const Interest& interest) { return interest.prompts; });
}

void Hub::resources_changed() {
    publish("notifications/resources/list_changed", Json::object(),
            [](const Interest& interest) { return interest.resources; });
}

void Hub::resource_updated(const std::string& uri) {
    publish("notifications/resources/updated", {{"uri", uri}},
            [&](const Interest& interest) { return interest.uris.contains(uri); });
}

void Hub::task_changed(const std::string& id, const Json& task) {
    publish("notifications/tasks", task,
            [&](const Interest& interest) { return interest.tasks.contains(id); });
}

}  // namespace berth::mcp

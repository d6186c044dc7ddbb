// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/session.h"

#include <fmt/format.h>

namespace berth::mcp {

Session::Session(std::string version, Json capabilities)
    : version_(std::move(version)), capabilities_(std::move(capabilities)) {}

void Session::agree(std::string version, Json capabilities) {
    const std::scoped_lock lock(mutex_);
    version_ = std::move(version);
    capabilities_ = std::move(capabilities);
}

std::string Session::version() const {
    const std::scoped_lock lock(mutex_);
    return version_;
}

Json Session::capabilities() const {
    const std::scoped_lock lock(mutex_);
    return capabilities_;
}

void Session::set_level(LogLevel level) {
    const std::scoped_lock lock(mutex_);
    level_ = level;
}

LogLevel Session::level() const {
    const std::scoped_lock lock(mutex_);
    return level_;
}

Session::Running::Running(std::shared_ptr<Session> session, jsonrpc::Id id)
    : session_(std::move(session)), id_(std::move(id)) {
    const std::scoped_lock lock(session_->mutex_);
    session_->running_.emplace(id_, this);
}

Session::Running::~Running() {
    const std::scoped_lock lock(session_->mutex_);
    const auto [first, last] = session_->running_.equal_range(id_);
    for (auto one = first; one != last; ++one) {
        if (one->second != this) continue;
        session_->running_.erase(one);
        return;
    }
}

void Session::cancel(const jsonrpc::Id& id) {
    std::vector<std::stop_source> sources;
    {
        const std::scoped_lock lock(mutex_);
        const auto [first, last] = running_.equal_range(id);
        for (auto one = first; one != last; ++one) sources.push_back(one->second->source_);
    }
    // Outside the lock: what stops may end the request and so come back here.
    for (auto& source : sources) (void)source.request_stop();
}

std::expected<Json, Fault> Session::ask(Exchange& exchange, const std::string& method,
                                        const Json& params, const std::stop_token& stop) {
    std::string id;
    {
        const std::scoped_lock lock(mutex_);
        id = fmt::format("berth-{}", ++asked_);
        questions_.emplace(id, Question{});
    }
    exchange.send(
        to_text({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}));
    std::unique_lock lock(mutex_);
    (void)answered_.wait_for(lock, stop, answer_max,
                             [&] { return questions_.at(id).answer.has_value(); });
    auto answer = std::move(questions_.extract(id).mapped().answer);
    if (!answer) {
        return fault(200, jsonrpc::internal_error,
                     fmt::format("the client did not answer {}", method));
    }
    if (answer->error) {
        return fault(200, implementation_error,
                     fmt::format("the client refused {}: {}", method, answer->error->message));
    }
    return std::move(answer->result);
}

bool Session::take_answer(const jsonrpc::Response& response) {
    if (!response.id || !std::holds_alternative<std::string>(*response.id)) return false;
    const std::scoped_lock lock(mutex_);
    const auto found = questions_.find(std::get<std::string>(*response.id));
    if (found == questions_.end()) return false;
    found->second.answer = response;
    answered_.notify_all();
    return true;
}

bool Session::watch(const std::string& uri) {
    std::shared_ptr<Hub::Subscription> subscription;
    {
        const std::scoped_lock lock(mutex_);
        if (uris_.size() >= watched_max && !uris_.contains(uri)) return false;
        uris_.insert(uri);
        subscription = subscription_;
    }
    if (subscription) subscription->watch(uri);
    return true;
}

void Session::unwatch(const std::string& uri) {
    std::shared_ptr<Hub::Subscription> subscription;
    {
        const std::scoped_lock lock(mutex_);
        uris_.erase(uri);
        subscription = subscription_;
    }
    if (subscription) subscription->unwatch(uri);
}

void Session::attach(Hub& hub, const Interest& lists, Hub::Sink sink) {
    Interest interest = lists;
    {
        const std::scoped_lock lock(mutex_);
        interest.uris = uris_;
    }
    std::shared_ptr subscription =
        hub.subscribe(std::move(interest), std::nullopt, std::move(sink));
    const std::scoped_lock lock(mutex_);
    subscription.swap(subscription_);
}

void Session::detach() {
    std::shared_ptr<Hub::Subscription> subscription;
    const std::scoped_lock lock(mutex_);
    subscription.swap(subscription_);
}

}  // namespace berth::mcp

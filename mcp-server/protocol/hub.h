// SPDX-License-Identifier: Apache-2.0
// Who wants to hear of which changes. Publishers never wait: a subscriber's sink must not block.
#pragma once

#include "mcp-server/jsonrpc/message.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace berth::mcp {

/// At most so many resources or tasks in one subscription.
inline constexpr std::size_t watched_max = 1024;

struct Interest {
    bool tools = false;
    bool prompts = false;
    bool resources = false;
    std::set<std::string, std::less<>> uris = {};
    std::set<std::string, std::less<>> tasks = {};
};

class Hub {
public:
    using Sink = std::function<void(const std::string& message)>;

    /// One subscriber, until it is destroyed.
    class Subscription {
    public:
        Subscription(Hub& hub, Interest interest, std::optional<jsonrpc::Id> id, Sink sink);
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;
        ~Subscription();

        void watch(const std::string& uri);
        void unwatch(const std::string& uri);
        [[nodiscard]] std::size_t watched() const;

    private:
        friend Hub;
        Hub& hub_;
        Interest interest_;
        Json id_;  // a modern subscription's, sent with every message; null for a legacy one
        Sink sink_;
    };

    Hub() = default;
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// `id` is that of the subscriptions/listen request; none for a legacy session. The hub must
    /// outlive the subscription.
    [[nodiscard]] std::unique_ptr<Subscription> subscribe(Interest interest,
                                                          std::optional<jsonrpc::Id> id, Sink sink);

    void tools_changed();
    void prompts_changed();
    void resources_changed();
    void resource_updated(const std::string& uri);
    /// `task` has the members of a tasks/get result.
    void task_changed(const std::string& id, const Json& task);

private:
    void publish(std::string_view method, Json params,
                 const std::function<bool(const Interest&)>& wanted);

    // Recursive: a sink may end its own subscription.
    mutable std::recursive_mutex mutex_;
    std::set<Subscription*> subscriptions_;
};

}  // namespace berth::mcp

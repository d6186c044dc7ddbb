// SPDX-License-Identifier: Apache-2.0
// What is going on with one client that has a line of its own: a process on stdio, or a legacy HTTP
// session. Modern requests over HTTP have none. Safe from many threads.
#pragma once

#include "mcp-server/protocol/exchange.h"
#include "mcp-server/protocol/hub.h"
#include "mcp-server/protocol/offer.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

namespace berth::mcp {

/// How long a person may take to answer what the server asks.
inline constexpr std::chrono::seconds answer_max{600};

class Session {
public:
    Session() = default;
    Session(std::string version, Json capabilities);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // What initialize agreed on; the version is "" before.
    void agree(std::string version, Json capabilities);
    [[nodiscard]] std::string version() const;
    [[nodiscard]] Json capabilities() const;

    /// Legacy clients get log messages from this level on.
    void set_level(LogLevel level);
    [[nodiscard]] LogLevel level() const;

    /// A request being answered: known by its id from construction to destruction.
    class Running {
    public:
        Running(std::shared_ptr<Session> session, jsonrpc::Id id);
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running();
        /// Stops when the client cancels the request; then it wants no answer.
        [[nodiscard]] std::stop_token cancelled() const { return source_.get_token(); }

    private:
        friend Session;
        std::shared_ptr<Session> session_;
        jsonrpc::Id id_;
        std::stop_source source_;
    };
    void cancel(const jsonrpc::Id& id);

    /// Asks the client something and waits for its answer: the result, or a Fault when it fails,
    /// takes longer than answer_max, or `stop` comes first.
    [[nodiscard]] std::expected<Json, Fault> ask(Exchange& exchange, const std::string& method,
                                                 const Json& params, const std::stop_token& stop);
    /// False for an answer to nothing that was asked.
    bool take_answer(const jsonrpc::Response& response);

    // The resources it watches. Changes go to `sink` from attach to detach.
    /// False when it watches too many already.
    [[nodiscard]] bool watch(const std::string& uri);
    void unwatch(const std::string& uri);
    void attach(Hub& hub, const Interest& lists, Hub::Sink sink);
    void detach();

private:
    struct Question {
        std::optional<jsonrpc::Response> answer;
    };

    mutable std::mutex mutex_;
    std::condition_variable_any answered_;
    std::string version_;
    Json capabilities_ = Json::object();
    LogLevel level_ = LogLevel::info;
    std::multimap<jsonrpc::Id, Running*> running_;
    std::map<std::string, Question, std::less<>> questions_;
    std::uint64_t asked_ = 0;
    std::set<std::string, std::less<>> uris_;
    std::shared_ptr<Hub::Subscription> subscription_;
};

}  // namespace berth::mcp

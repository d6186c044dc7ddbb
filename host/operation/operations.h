// SPDX-License-Identifier: Apache-2.0
// Runs the calls that change something. Long ones get a thread of their own, so that they can be
// handed out as operations and outlive their caller; what has a request_id happens once, also when
// berthd dies in between.
#pragma once

#include "base/clock.h"
#include "host/events/events.h"
#include "host/operation/run.h"
#include "host/store/database.h"
#include "tools-schema/registry/runner.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace berth::operation {

/// "op_" and 26 characters that nobody guesses.
[[nodiscard]] std::string random_id();

struct Options {
    std::size_t operations_running_max = 256;  // each has a thread
    std::int64_t operations_kept_max = 1000;
    std::chrono::seconds operation_kept = std::chrono::hours(1);  // after its end
    std::int64_t requests_kept_max = 4096;
    std::chrono::seconds request_kept = std::chrono::hours(24);
    std::chrono::milliseconds heartbeat = std::chrono::seconds(5);
    std::chrono::milliseconds undo_wait = std::chrono::seconds(30);  // for work told to stop
    std::function<std::string()> make_id = random_id;
};

class Operations final : public Runner {
public:
    /// What becomes of a call with a request_id that berthd's own end has cut short.
    struct Recovery {
        /// Looked up before the work begins: what is there then.
        std::function<Json(const ToolSpec& tool, const Json& arguments)> before;
        /// When the same call comes again: its answer, when it was done all the same; nothing,
        /// when it is to be run again. `since` is when it was first asked for.
        std::function<std::optional<Json>(const ToolSpec& tool, const Json& arguments,
                                          const Json& before, const std::string& since)>
            settle;
    };

    Operations(store::Database& database, const Clock& clock, events::Events& events,
               Options options = {});
    /// Stops, as stop() does.
    ~Operations() override;

    void recover_with(Recovery recovery) { recovery_ = std::move(recovery); }

    /// Once, before the first call: operations that the last berthd did not end have failed.
    [[nodiscard]] Result<> recover();

    [[nodiscard]] Result<Json> run(const ToolSpec& tool, const CommonArguments& common,
                                   const Json& arguments, const Call& call, Work work) override;

    // By id. A caller sees its own operations, and callers on this machine see all.

    /// Waits for its end, but no longer than `wait` or than the call lasts.
    [[nodiscard]] Result<State> get(const std::string& id, const Call& call,
                                    std::chrono::milliseconds wait);
    /// Newest first; how they ended is for get() to tell.
    [[nodiscard]] Result<std::vector<State>> list(const std::string& caller);
    /// Tells it to stop, and gives it a moment to do so. One that has ended stays as it is.
    [[nodiscard]] Result<State> cancel(const std::string& id, const Call& call);

    /// Tells everything to stop and waits until it has; new calls are refused. May be repeated.
    void stop();

private:
    using Key = std::pair<std::string, std::string>;  // caller, request_id

    /// A place in the order of things for one call: a run, or the result of one before it.
    struct Claim {
        std::shared_ptr<Run> run = nullptr;  // nullptr: it is done, with `result`
        Json result = nullptr;
        bool fresh = false;  // whoever holds this claim has to do the work
        std::optional<store::Request> cut_short = {};  // what berthd's end has left of it
    };

    [[nodiscard]] std::shared_ptr<Run> new_run(const ToolSpec& tool, const Json& arguments,
                                               const std::string& caller,
                                               std::optional<store::Request> request) const;
    [[nodiscard]] Result<Claim> claim(const ToolSpec& tool, const std::string& request_id,
                                      const Json& arguments, const std::string& caller);
    [[nodiscard]] Work settled(const ToolSpec& tool, const Json& arguments,
                               std::optional<store::Request> cut_short, Work work) const;
    [[nodiscard]] std::shared_ptr<Run> find_live(const Key& key);
    [[nodiscard]] Result<> start(const std::shared_ptr<Run>& run, const ToolSpec& tool, Work work,
                                 const Call& call);
    [[nodiscard]] Result<Json> begin(const std::shared_ptr<Run>& run, const ToolSpec& tool,
                                     std::optional<Run::Time> background_at, const Call& call,
                                     Work work);
    void finish(const std::shared_ptr<Run>& run, Result<Json> outcome);
    [[nodiscard]] store::Operation end_of(Run& run, const Result<Json>& outcome);

    [[nodiscard]] Result<Json> attend(const std::shared_ptr<Run>& run,
                                      std::optional<Run::Time> background_at, const Call& call);
    [[nodiscard]] Result<Json> left(const std::shared_ptr<Run>& run, const Call& call);
    [[nodiscard]] Result<bool> hand_out(const std::shared_ptr<Run>& run);

    /// The run that works on it, or nullptr when it has ended.
    [[nodiscard]] std::shared_ptr<Run> find_working(const std::string& id);
    [[nodiscard]] Result<State> find(const std::string& id, const std::string& caller);
    void reap();
    [[nodiscard]] bool is_stopping();
    [[nodiscard]] std::string now() const;
    [[nodiscard]] std::string expiry() const;  // of what ends now

    store::Operations rows_;
    store::Requests requests_;
    const Clock& clock_;
    events::Events& events_;
    const Options options_;
    Recovery recovery_;

    std::mutex requests_mutex_;  // one claim at a time; taken before mutex_
    std::mutex mutex_;           // of what follows; nothing waits while it is held
    bool stopping_ = false;
    std::map<Key, std::shared_ptr<Run>> by_request_;
    std::map<std::string, std::shared_ptr<Run>> by_id_;  // those handed out that still work
    std::map<std::shared_ptr<Run>, std::jthread> working_;
    std::vector<std::jthread> ended_;  // to be joined
    std::condition_variable idle_;     // something has left working_
};

}  // namespace berth::operation

// SPDX-License-Identifier: Apache-2.0
// Keeps containers as they are wanted without anybody's call: notices when an init ends by itself,
// starts what is to run, stops what nobody uses, deletes what has had its time. It looks when
// something has changed or is due, and not in between.
#pragma once

#include "base/fd.h"
#include "host/container/container_service.h"
#include "host/container/schedule.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace berth::container {

/// Starts and stops that go on at once; each may take seconds.
inline constexpr std::size_t keeper_workers = 8;

class Keeper {
public:
    /// Without workers everything is done by whoever calls look().
    Keeper(ContainerService& containers, engine::ContainerEngine& engine, const Clock& clock,
           EventSource& events, warning::Warnings& warnings, std::size_t workers = keeper_workers);
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;
    ~Keeper();

    /// Looks at everything, and from then on whenever there is reason to.
    void start();

    /// Ends that. What is being started is stopped again; it is wanted all the same.
    void stop();

    /// Does what is due, or hands it to the workers; how long nothing is due then.
    std::chrono::milliseconds look();

private:
    using Steady = std::chrono::steady_clock::time_point;

    enum class Outcome : std::uint8_t { fine, failed, again, again_now, not_started };
    using Work = std::function<Outcome(const std::stop_token&)>;

    struct Kept {
        std::string id = {};
        Fd watch = {};                         // while it runs
        std::shared_ptr<const Fd> ended = {};  // that watch, until its end is noted
        bool at_work = false;
        Steady up_since = {};
        Steady start_not_before = {};
        Steady look_at = Steady::max();
        schedule::Backoff backoff = {};
        bool flapping = false;  // and a warning says so
    };
    struct Job {
        std::string name;
        std::string id;
        Work work;
    };
    struct Done {
        std::string name;
        std::string id;
        Outcome outcome;
    };

    void run(const std::stop_token& stopping);
    void serve(const std::stop_token& stopping);
    void hear(const Json& event);
    void wake() const;
    void apply(const Done& done);
    [[nodiscard]] std::set<std::string> names_to_look_at();
    void consider(const std::string& name);
    void note_end(const store::Container& row, Kept& kept);
    void act(const store::Container& row, Kept& kept, const schedule::Next& next);
    /// Raises that warning when this end was one too many, and resolves it when it is over.
    void blame(const std::string& name, Kept& kept);
    void forgive(const store::Container& row, Kept& kept);
    [[nodiscard]] Outcome outcome_of(const store::Container& row, const Result<>& done);
    void submit(const store::Container& row, Kept& kept, Work work);

    ContainerService& containers_;
    engine::ContainerEngine& engine_;
    const Clock& clock_;
    warning::Warnings& warnings_;
    const bool inline_;
    Fd wake_;

    std::map<std::string, Kept> kept_;  // by name; of the one thread that looks

    std::mutex inbox_mutex_;
    std::set<std::string> changed_;
    bool all_changed_ = true;
    std::vector<Done> done_;

    std::mutex jobs_mutex_;
    std::condition_variable_any jobs_filled_;
    std::deque<Job> jobs_;

    std::unique_ptr<EventSubscription> subscription_;
    std::size_t workers_;
    std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace berth::container

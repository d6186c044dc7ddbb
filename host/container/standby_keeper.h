// SPDX-License-Identifier: Apache-2.0
// Keeps as many containers booted and waiting as are wanted: boots one more when one has been
// claimed, and takes away what is no longer wanted or no longer runs. It gives way to whoever
// creates a container at that moment.
#pragma once

#include "host/container/container_service.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace berth::container {

/// Containers of all templates together.
inline constexpr std::int64_t standby_max = 1000;

/// So many containers like `wish` (its name does not matter) wait.
struct StandbyTemplate {
    CreateWish wish;
    std::size_t count = 0;
};

class StandbyKeeper {
public:
    StandbyKeeper(ContainerService& containers, warning::Warnings& warnings,
                  std::vector<StandbyTemplate> templates);
    StandbyKeeper(const StandbyKeeper&) = delete;
    StandbyKeeper& operator=(const StandbyKeeper&) = delete;
    ~StandbyKeeper();

    /// Looks now, and from then on whenever there is reason to, in a thread of its own.
    void start();
    /// Ends that; those that wait go on waiting for the next berthd.
    void stop();

    /// Does one thing of what there is to do; false when all is as wanted, or must wait.
    bool step(const std::stop_token& stopping = {});

    [[nodiscard]] std::size_t wanted() const;

private:
    struct Kept {
        StandbyTemplate wanted;
        std::string made_as = {};  // as its image is now; "": it cannot be made at all
    };

    void run(const std::stop_token& stopping);
    void look_at_images();
    bool adopt_one(const std::stop_token& stopping);
    bool drain_one();
    bool remove_one();
    bool fill_one(const std::stop_token& stopping);
    void blame(const Error& error);

    ContainerService& containers_;
    warning::Warnings& warnings_;
    std::vector<Kept> kept_;
    std::vector<Waiter> found_;    // of an earlier berthd, not looked at yet
    std::vector<Waiter> leaving_;  // to be removed, and again when that has failed
    std::chrono::steady_clock::time_point fill_not_before_ = {};
    std::chrono::steady_clock::time_point remove_not_before_ = {};
    std::chrono::seconds pause_{0};  // after a fill that failed
    bool failed_ = false;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool has_changed_ = false;
    std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace berth::container

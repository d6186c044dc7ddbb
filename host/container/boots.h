// SPDX-License-Identifier: Apache-2.0
// When the init of a container begins that has proved to answer: as soon as no create is under way.
// A boot takes several times the processor time of a create, and nobody waits for its end; so of a
// hundred creates at once each answers before the first boot.
#pragma once

#include "host/container/under_way.h"
#include "host/engine/container_engine.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace berth::container {

/// However many creates there are, an init waits no longer than this.
inline constexpr std::chrono::milliseconds boot_waits_max{2000};

class Boots {
public:
    Boots(engine::ContainerEngine& engine, UnderWay& creates);
    Boots(const Boots&) = delete;
    Boots& operator=(const Boots&) = delete;
    /// Those that wait begin, too, when the engine goes.
    ~Boots() = default;

    void add(std::string id);

private:
    struct Waiting {
        std::string id;
        std::chrono::steady_clock::time_point not_after;
    };
    void run(const std::stop_token& stopping);

    engine::ContainerEngine& engine_;
    UnderWay& creates_;
    std::mutex mutex_;
    std::condition_variable_any added_;
    std::deque<Waiting> waiting_;
    std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace berth::container

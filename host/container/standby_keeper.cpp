// SPDX-License-Identifier: Apache-2.0
#include "host/container/standby_keeper.h"

#include "base/log.h"
#include "base/turns.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace berth::container {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto look_again_after = 5s;  // whether an image has changed, or one has ended
constexpr auto give_way_max = 2s;      // then one is booted although others create
constexpr auto pause_first = 2s;       // after a failure, and twice as long after the next
constexpr auto pause_max = 5min;
constexpr std::string_view standby_entity = "standby";

}  // namespace

StandbyKeeper::StandbyKeeper(ContainerService& containers, warning::Warnings& warnings,
                             std::vector<StandbyTemplate> templates)
    : containers_(containers), warnings_(warnings) {
    for (auto& wanted : templates) kept_.push_back({.wanted = std::move(wanted)});
    containers_.waiting_room().on_change([this] {
        {
            const std::lock_guard lock(mutex_);
            has_changed_ = true;
        }
        changed_.notify_one();
    });
    auto found = containers_.found_waiting();
    if (found) found_ = *std::move(found);
}

StandbyKeeper::~StandbyKeeper() {
    stop();
    containers_.waiting_room().on_change({});
}

void StandbyKeeper::start() {
    if (kept_.empty() && found_.empty()) return;
    thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

void StandbyKeeper::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

std::size_t StandbyKeeper::wanted() const {
    std::size_t sum = 0;
    for (const auto& one : kept_) sum += one.wanted.count;
    return sum;
}

void StandbyKeeper::run(const std::stop_token& stopping) {
    go_last();
    while (!stopping.stop_requested()) {
        if (step(stopping)) continue;
        std::unique_lock lock(mutex_);
        (void)changed_.wait_for(lock, stopping, look_again_after,
                                [this] { return std::exchange(has_changed_, false); });
    }
}

bool StandbyKeeper::step(const std::stop_token& stopping) {
    look_at_images();
    return adopt_one(stopping) || drain_one() || fill_one(stopping);
}

void StandbyKeeper::look_at_images() {
    for (auto& kept : kept_) {
        auto now = containers_.made_as(kept.wanted.wish);
        if (!now && !failed_) blame(now.error());
        kept.made_as = now ? *std::move(now) : "";
    }
}

bool StandbyKeeper::adopt_one(const std::stop_token& stopping) {
    if (found_.empty()) return false;
    const Waiter one = std::move(found_.back());
    found_.pop_back();
    const bool wanted = std::ranges::find(kept_, one.made_as, &Kept::made_as) != kept_.end();
    if (wanted && containers_.still_runs(one) && containers_.adopt_standby(one, stopping))
        return true;
    containers_.remove_standby(one);
    return true;
}

bool StandbyKeeper::drain_one() {
    std::map<std::string, std::size_t> room;
    for (const auto& kept : kept_) room[kept.made_as] += kept.wanted.count;
    const auto& waiting = containers_.waiting_room();
    for (auto& [made_as, count] : room) count = std::max(waiting.count(made_as), count) - count;
    // What is left in `room` is how many there are too many of each.
    const auto gone = containers_.waiting_room().take_if([&](const Waiter& one) {
        const auto too_many = room.find(one.made_as);
        return too_many == room.end() || too_many->second > 0 || !containers_.still_runs(one);
    });
    if (!gone) return false;
    containers_.remove_standby(*gone);
    return true;
}

bool StandbyKeeper::fill_one(const std::stop_token& stopping) {
    if (Steady::now() < fill_not_before_) return false;
    std::map<std::string, std::size_t> wanted;
    for (const auto& kept : kept_) {
        if (kept.made_as.empty()) continue;
        wanted[kept.made_as] += kept.wanted.count;
        if (containers_.waiting_room().count(kept.made_as) >= wanted[kept.made_as]) continue;
        // Whoever creates a container now has a caller who waits; what is booted here has none yet.
        (void)containers_.creates_under_way().wait_none(stopping, give_way_max);
        if (stopping.stop_requested()) return false;
        const auto filled = containers_.fill_standby(kept.wanted.wish, stopping);
        if (stopping.stop_requested()) return false;
        if (!filled) {
            blame(filled.error());
            pause_ = std::clamp<std::chrono::seconds>(2 * pause_, pause_first, pause_max);
            fill_not_before_ = Steady::now() + pause_;
            return false;
        }
        pause_ = 0s;
        if (std::exchange(failed_, false))
            warnings_.resolve(warning::standby_not_filled, standby_entity);
        return true;
    }
    return false;
}

void StandbyKeeper::blame(const Error& error) {
    failed_ = true;
    warnings_.raise(
        {.type = warning::standby_not_filled,
         .severity = warning::Severity::warning,
         .entity = std::string(standby_entity),
         .message = fmt::format("containers of [[standby]] are not booted, so creates "
                                "take longer: {}",
                                error.message),
         .next = error.hint.empty() ? "remove the cause; it is tried again" : error.hint});
}

}  // namespace berth::container

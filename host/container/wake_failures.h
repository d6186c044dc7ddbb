// SPDX-License-Identifier: Apache-2.0
// Why a container could last not be woken, so that of many who wait for that only one has tried.
#pragma once

#include "tools-schema/contract/result.h"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace berth::container {

class WakeFailures {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// A try that ended at that time; one that went well forgets those before.
    void note(const std::string& id, Time ended, const Result<>& tried) {
        const std::lock_guard lock(mutex_);
        failed_.erase(id);
        if (!tried) failed_.emplace(id, Failure{.ended = ended, .error = tried.error()});
    }

    /// What somebody who has waited since then is told: of a try that ended meanwhile.
    [[nodiscard]] std::optional<Error> since(std::string_view id, Time then) {
        const std::lock_guard lock(mutex_);
        const auto found = failed_.find(id);
        if (found == failed_.end() || found->second.ended <= then) return std::nullopt;
        return found->second.error;
    }

    void forget(std::string_view id) {
        const std::lock_guard lock(mutex_);
        if (const auto found = failed_.find(id); found != failed_.end()) failed_.erase(found);
    }

private:
    struct Failure {
        Time ended;
        Error error;
    };
    std::mutex mutex_;
    std::map<std::string, Failure, std::less<>> failed_;
};

}  // namespace berth::container

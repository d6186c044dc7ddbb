// SPDX-License-Identifier: Apache-2.0
// A lock for each name. Whoever waits for one can stop waiting.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

namespace berth::container {

class KeyedLock {
public:
    /// Holds the name until it is destroyed.
    class Held {
    public:
        Held(KeyedLock& lock, std::string name) : lock_(&lock), name_(std::move(name)) {}
        Held(Held&& other) noexcept
            : lock_(std::exchange(other.lock_, nullptr)), name_(std::move(other.name_)) {}
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        Held& operator=(Held&&) = delete;
        ~Held() {
            if (lock_ != nullptr) lock_->release(name_);
        }

    private:
        KeyedLock* lock_;
        std::string name_;
    };

    /// Waits until nobody else holds that name; nothing when `cancelled` came first.
    [[nodiscard]] std::optional<Held> hold(const std::string& name,
                                           const std::stop_token& cancelled = {}) {
        std::unique_lock lock(mutex_);
        const auto is_free = [this, &name] { return !held_.contains(name); };
        if (!released_.wait(lock, cancelled, is_free)) return std::nullopt;
        held_.insert(name);
        return std::make_optional<Held>(*this, name);
    }

private:
    void release(const std::string& name) {
        {
            const std::lock_guard lock(mutex_);
            held_.erase(name);
        }
        released_.notify_all();  // few wait, and which of them may go on is for them to see
    }

    std::mutex mutex_;
    std::condition_variable_any released_;
    std::set<std::string> held_;
};

}  // namespace berth::container

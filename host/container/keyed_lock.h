// SPDX-License-Identifier: Apache-2.0
// A mutex for each name, made when first wanted and gone when nobody holds or waits for it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace berth::container {

class KeyedLock {
public:
    /// Holds the name until it is destroyed.
    class Held {
    public:
        explicit Held(std::shared_ptr<std::mutex> mutex)
            : mutex_(std::move(mutex)), lock_(*mutex_) {}

    private:
        std::shared_ptr<std::mutex> mutex_;
        std::unique_lock<std::mutex> lock_;
    };

    /// Waits until nobody else holds that name.
    [[nodiscard]] Held hold(const std::string& name) {
        std::shared_ptr<std::mutex> mutex;
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(mutexes_, [](const auto& item) { return item.second.expired(); });
            auto& known = mutexes_[name];
            mutex = known.lock();
            if (!mutex) known = mutex = std::make_shared<std::mutex>();
        }
        return Held(std::move(mutex));
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<std::mutex>> mutexes_;
};

}  // namespace berth::container

// SPDX-License-Identifier: Apache-2.0
// Follows the kernel's log for processes that were killed for want of memory, so that whoever uses
// a container hears of it at once and by name.
#pragma once

#include "base/fd.h"
#include "host/container/container_service.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string_view>
#include <thread>

namespace berth::container {

class OomWatch {
public:
    /// Tells `containers` of what is logged from now on, and of what has been since the last one
    /// that `memory` knows of, a file which is kept for the next berthd. unavailable where the log
    /// cannot be read; then kills are only counted.
    [[nodiscard]] static Result<std::unique_ptr<OomWatch>> start(ContainerService& containers,
                                                                 std::filesystem::path memory);
    OomWatch(const OomWatch&) = delete;
    OomWatch& operator=(const OomWatch&) = delete;
    ~OomWatch();

private:
    OomWatch(ContainerService& containers, std::filesystem::path memory, Fd log, Fd wake)
        : containers_(containers),
          memory_(std::move(memory)),
          log_(std::move(log)),
          wake_(std::move(wake)) {}
    void follow(const std::stop_token& stopping);
    void note(std::string_view record);
    /// All that was there is read.
    void caught_up();

    ContainerService& containers_;
    std::filesystem::path memory_;
    Fd log_;
    Fd wake_;
    // What has a higher number is news; while nothing is remembered of this boot, nothing is that
    // is there already.
    std::uint64_t told_ = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t read_ = 0;
    bool live_ = false;  // what comes is read as it is logged
    bool unsaved_ = true;
    std::jthread thread_;
};

}  // namespace berth::container

// SPDX-License-Identifier: Apache-2.0
// A process that has no descriptor left, for as long as one of these is there.
#pragma once

#include "base/fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include <chrono>
#include <vector>

namespace berth {

class NoDescriptors {
public:
    NoDescriptors() {
        (void)::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur = descriptors;
        (void)::setrlimit(RLIMIT_NOFILE, &few);
        for (Fd one(::open("/dev/null", O_RDONLY | O_CLOEXEC)); one;
             one.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)))
            taken_.push_back(std::move(one));
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

    /// Room for one.
    void give_one_back() { taken_.pop_back(); }

private:
    static constexpr rlim_t descriptors = 256;
    rlimit before_{};
    std::vector<Fd> taken_;
};

/// The processor time that this process uses meanwhile.
inline std::chrono::nanoseconds processor_time_within(std::chrono::milliseconds time) {
    const auto used = [] {
        timespec now{};
        (void)::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    };
    const auto before = used();
    const timespec pause{.tv_sec = time.count() / 1000, .tv_nsec = time.count() % 1000 * 1'000'000};
    (void)::nanosleep(&pause, nullptr);
    return used() - before;
}

}  // namespace berth

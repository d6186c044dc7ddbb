// SPDX-License-Identifier: Apache-2.0
// Follows the kernel's log for processes that were killed for want of memory, so that whoever uses
// a container hears of it at once and by name.
#pragma once

#include "base/fd.h"
#include "host/container/container_service.h"

#include <memory>
#include <thread>

namespace berth::container {

class OomWatch {
public:
    /// Tells `containers` of what is logged from now on. unavailable where the log cannot be read;
    /// then kills are only counted.
    [[nodiscard]] static Result<std::unique_ptr<OomWatch>> start(ContainerService& containers);
    OomWatch(const OomWatch&) = delete;
    OomWatch& operator=(const OomWatch&) = delete;
    ~OomWatch();

private:
    OomWatch(ContainerService& containers, Fd log, Fd wake)
        : containers_(containers), log_(std::move(log)), wake_(std::move(wake)) {}
    void follow(const std::stop_token& stopping);

    ContainerService& containers_;
    Fd log_;
    Fd wake_;
    std::jthread thread_;
};

}  // namespace berth::container

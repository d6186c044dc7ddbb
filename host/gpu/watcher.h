// SPDX-License-Identifier: Apache-2.0
// Notices GPUs that go, come, or lose their driver, by what the kernel tells of its devices. It
// looks at the inventory when there is reason to, tells listeners what is different, and keeps
// warnings of what is wrong.
#pragma once

#include "base/fd.h"
#include "host/events/events.h"
#include "host/gpu/gpu.h"
#include "host/gpu/roots.h"
#include "host/warning/warnings.h"

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace berth::gpu {

/// Events come in bursts: a look waits until there was none for this long, or for the second.
inline constexpr auto quiet_time = std::chrono::milliseconds(200);
inline constexpr auto wait_max = std::chrono::seconds(2);

/// A socket that gets the kernel's messages about devices, in this network namespace.
[[nodiscard]] Result<Fd> open_uevents();

class Watcher {
public:
    /// Looks once, and then whenever `uevents` says something that may be about GPUs. Listeners
    /// hear {"kind":"gpu","address":"0000:41:00.0","change":"added"|"removed"|"changed"}.
    /// After each look but the first, `looked` is called. All must outlive this.
    Watcher(Fd uevents, Roots roots, events::Events& events, warning::Warnings& warnings,
            std::function<void()> looked = {});
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher();

private:
    void run(const std::stop_token& stopping);
    /// Whether one of the messages that are there may be about a GPU.
    [[nodiscard]] bool read_all();
    void look();
    void look_again(const std::vector<Gpu>& now);
    void compare(const Gpu& before, const Gpu& now);
    void tell(const PciAddress& address, std::string_view change);
    void tell_gone(const Gpu& gpu);
    void tell_driver_lost(const Gpu& gpu, const std::string& driver);

    const Fd uevents_;
    const Fd wake_;
    const Roots roots_;
    events::Events& events_;
    warning::Warnings& warnings_;
    const std::function<void()> looked_;
    std::map<PciAddress, Gpu> known_;
    std::map<PciAddress, std::string> driver_lost_;  // and which one it was
    std::set<std::string, std::less<>> let_go_;      // GPUs and drivers that were parted meanwhile
    bool first_ = true;
    std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace berth::gpu

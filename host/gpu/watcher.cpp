// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/watcher.h"

#include "base/files.h"
#include "base/log.h"
#include "host/gpu/inventory.h"
#include "host/gpu/uevent.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace berth::gpu {
namespace {

using Clock = std::chrono::steady_clock;

std::string entity_of(const PciAddress& address) {
    return fmt::format("{}{}", warning::gpu_entities, address.to_string());
}

/// What is told of as "changed" when it is different.
bool same(const Gpu& one, const Gpu& other) {
    return one.vendor_id == other.vendor_id && one.device_id == other.device_id &&
           one.driver == other.driver && one.drm_nodes == other.drm_nodes &&
           one.nvidia == other.nvidia && one.virtual_functions == other.virtual_functions;
}

int milliseconds_until(Clock::time_point due) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

}  // namespace

Result<Fd> open_uevents() {
    constexpr unsigned int kernel_group = 1;  // what udev sends on has another
    constexpr int buffer_bytes = 1024 * 1024;
    Fd socket(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    if (!socket) return fail(system_error("open a socket for the kernel's device events", errno));
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes,
                       sizeof(buffer_bytes));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kernel_group;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        return fail(system_error("listen to the kernel's device events", errno));
    return socket;
}

Watcher::Watcher(Fd uevents, Roots roots, events::Events& events, warning::Warnings& warnings,
                 std::function<void()> looked)
    : uevents_(std::move(uevents)),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      roots_(std::move(roots)),
      events_(events),
      warnings_(warnings),
      looked_(std::move(looked)) {
    look();
    thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

Watcher::~Watcher() {
    thread_.request_stop();
    (void)::eventfd_write(wake_.get(), 1);
}

void Watcher::run(const std::stop_token& stopping) {
    auto due = Clock::time_point::max(), latest = Clock::time_point::max();
    while (!stopping.stop_requested()) {
        std::array polled{pollfd{uevents_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
        const bool waiting = due != Clock::time_point::max();
        (void)::poll(polled.data(), polled.size(), waiting ? milliseconds_until(due) : -1);
        if (polled[0].revents & (POLLHUP | POLLNVAL)) return;
        if (polled[0].revents != 0 && read_all()) {
            if (!waiting) latest = Clock::now() + wait_max;
            due = std::min(Clock::now() + quiet_time, latest);
        }
        if (due > Clock::now()) continue;
        due = latest = Clock::time_point::max();
        look();
        if (looked_) looked_();
    }
}

bool Watcher::read_all() {
    constexpr std::size_t event_bytes_max = 16 * 1024;  // the kernel's are of 2 KiB at most
    constexpr int messages_max = 1024;                  // before it is somebody else's turn
    std::array<char, event_bytes_max> buffer{};
    bool concern = false;
    for (int count = 0; count < messages_max; ++count) {
        sockaddr_nl sender{};
        socklen_t length = sizeof(sender);
        const auto got = ::recvfrom(uevents_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&sender), &length);
        if (got < 0 && errno == ENOBUFS) {
            concern = true;  // some were lost, so nobody knows what of
            continue;
        }
        if (got <= 0) return concern;
        // Only what the kernel itself sends has no sender.
        if (length >= sizeof(sender) && sender.nl_family == AF_NETLINK && sender.nl_pid != 0)
            continue;
        const auto event = parse_uevent({buffer.data(), static_cast<std::size_t>(got)});
        if (!event || !concerns_gpus(*event)) continue;
        concern = true;
        const bool parts = event->action == "unbind" ||
                           (event->subsystem == "module" && event->action == "remove");
        if (parts) let_go_.insert(event->path.substr(event->path.rfind('/') + 1));
    }
    return concern;
}

void Watcher::look() {
    const auto found = inventory(roots_);
    if (!found) {
        // A function that went just now; its own event makes this look again.
        log::debug("GPUs could not be listed", {{"error", found.error().message}});
        return;
    }
    if (!first_) {
        look_again(*found);
    } else {
        // What was gone when the last berthd noticed may be back.
        for (const auto& gpu : *found) {
            warnings_.resolve(warning::gpu_gone, entity_of(gpu.address));
            if (gpu.driver) warnings_.resolve(warning::gpu_driver_lost, entity_of(gpu.address));
        }
    }
    first_ = false;
    let_go_.clear();
    known_.clear();
    for (const auto& gpu : *found) known_.emplace(gpu.address, gpu);
}

void Watcher::look_again(const std::vector<Gpu>& now) {
    std::set<PciAddress> there;
    for (const auto& gpu : now) {
        there.insert(gpu.address);
        const auto before = known_.find(gpu.address);
        if (before != known_.end()) {
            compare(before->second, gpu);
            continue;
        }
        warnings_.resolve(warning::gpu_gone, entity_of(gpu.address));
        tell(gpu.address, "added");
    }
    for (const auto& [address, gpu] : known_) {
        if (there.contains(address)) continue;
        driver_lost_.erase(address);
        warnings_.resolve(warning::gpu_driver_lost, entity_of(address));
        // Virtual functions come and go by somebody's wish.
        if (gpu.counts()) tell_gone(gpu);
        tell(address, "removed");
    }
}

void Watcher::compare(const Gpu& before, const Gpu& now) {
    const auto lost = driver_lost_.find(now.address);
    if (lost != driver_lost_.end() && now.driver) {
        driver_lost_.erase(lost);
        warnings_.resolve(warning::gpu_driver_lost, entity_of(now.address));
    }
    if (before.driver && !now.driver) {
        driver_lost_.emplace(now.address, *before.driver);
        tell_driver_lost(now, *before.driver);
    }
    const bool parted =
        let_go_.contains(now.address.to_string()) || (now.driver && let_go_.contains(*now.driver));
    if (parted && now.driver && before.driver == now.driver) {
        // It was away between two looks, and with it whatever used the GPU.
        tell_driver_lost(now, *now.driver);
        warnings_.resolve(warning::gpu_driver_lost, entity_of(now.address));
        tell(now.address, "changed");
        return;
    }
    if (!same(before, now)) tell(now.address, "changed");
}

void Watcher::tell(const PciAddress& address, std::string_view change) {
    events_.publish({{"kind", "gpu"}, {"address", address.to_string()}, {"change", change}});
}

void Watcher::tell_gone(const Gpu& gpu) {
    warnings_.raise({.type = warning::gpu_gone,
                     .severity = warning::Severity::error,
                     .entity = entity_of(gpu.address),
                     .message = fmt::format("GPU {} ({}) is gone from the PCI bus",
                                            gpu.address.to_string(), gpu.device),
                     .next =
                         "see what the kernel's log says of it; if it was taken out, delete this "
                         "warning"});
}

void Watcher::tell_driver_lost(const Gpu& gpu, const std::string& driver) {
    warnings_.raise({.type = warning::gpu_driver_lost,
                     .severity = warning::Severity::warning,
                     .entity = entity_of(gpu.address),
                     .message = fmt::format("driver '{}' has let go of GPU {} ({})", driver,
                                            gpu.address.to_string(), gpu.device),
                     .next = "load the driver again, then start anew whatever used the GPU"});
}

}  // namespace berth::gpu

// SPDX-License-Identifier: Apache-2.0
// How everything that there is of a container goes, whatever it was at.
#include "base/fault.h"
#include "base/files.h"
#include "host/engine/lxc/lxc_engine.h"
#include "host/engine/lxc/rootfs.h"
#include "host/net/links.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto end_time_max = 10s;         // for killed processes to be gone
constexpr int end_moment_ms = 100;         // for one of them, before looking again
constexpr auto link_end_time_max = 300ms;  // for the kernel to remove a link with its namespace
constexpr int link_end_moment_ms = 10;

/// Pids of liblxc monitors, by the title that they give themselves right after the fork.
std::vector<pid_t> titled_monitors(const std::string& lxc_path, std::string_view id) {
    std::vector<pid_t> found;
    std::error_code gone;
    const std::string title = fmt::format("[lxc monitor] {} {}", lxc_path, id);
    for (const auto& entry : fs::directory_iterator("/proc", gone)) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{})
            continue;
        const auto cmdline = read_file(entry.path() / "cmdline", 65536);
        if (cmdline && (*cmdline == title || cmdline->starts_with(title + '\0')))
            found.push_back(pid);
    }
    return found;
}

/// Kills the processes and waits until each has ended, or a moment has passed.
void kill_and_wait(const std::vector<pid_t>& processes) {
    std::vector<Fd> handles;
    for (const pid_t pid : processes) {
        Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (handle && ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0) == 0)
            handles.push_back(std::move(handle));
    }
    for (const Fd& handle : handles) {
        pollfd polled{handle.get(), POLLIN, 0};
        (void)::poll(&polled, 1, end_moment_ms);
    }
}

}  // namespace

std::vector<pid_t> LxcEngine::processes(std::string_view id) const {
    auto found = cgroups_.processes(payload_group(options_.cgroup, id));
    for (const auto& monitoring :
         {cgroups_.processes(monitor_group(options_.cgroup, id)), titled_monitors(lxc_path(), id)})
        found.insert(found.end(), monitoring.begin(), monitoring.end());
    std::erase(found, ::getpid());  // wherever somebody has moved us
    return found;
}

bool LxcEngine::monitored(std::string_view id) const {
    return !cgroups_.processes(monitor_group(options_.cgroup, id)).empty() ||
           !titled_monitors(lxc_path(), id).empty();
}

Result<> LxcEngine::kill_processes(std::string_view id) const {
    const auto deadline = std::chrono::steady_clock::now() + end_time_max;
    for (auto left = processes(id); !left.empty(); left = processes(id)) {
        if (std::chrono::steady_clock::now() > deadline)
            return fail(ErrorCode::unavailable,
                        fmt::format("process {} of container {} does not end", left.front(), id));
        kill_and_wait(left);
    }
    return fault::at("engine.stopped");
}

Result<> LxcEngine::end_processes(std::string_view id) const {
    BERTH_TRY(kill_processes(id));
    remove_groups(id);
    return remove_links(id);
}

Result<> LxcEngine::remove_links(std::string_view id) {
    // The kernel removes the pair with its namespace, but in its own time; the name must be free
    // now.
    if (net::link_exists(detour_interface(id))) BERTH_TRY(net::delete_link(detour_interface(id)));
    return net::delete_link(host_interface(id));
}

void LxcEngine::remove_groups(std::string_view id) const {
    cgroups_.remove(payload_group(options_.cgroup, id));
    cgroups_.remove(monitor_group(options_.cgroup, id));
}

Result<> LxcEngine::kill(std::string_view id) {
    BERTH_TRY(fault::at("engine.kill"));
    let_go_on(id);
    return kill_processes(id);
}

Result<> LxcEngine::destroy(std::string_view id) {
    BERTH_TRY(fault::at("engine.destroy"));
    let_go_on(id);
    BERTH_TRY(kill_processes(id));
    remove_groups(id);
    way_in_.forget(id);
    BERTH_TRY(Rootfs(directory(id)).destroy());
    // To ask for the link's end makes whoever makes another one wait; mostly the kernel is quicker.
    const auto asked_at = std::chrono::steady_clock::now() + link_end_time_max;
    while (net::link_exists(host_interface(id)) && std::chrono::steady_clock::now() < asked_at)
        (void)::poll(nullptr, 0, link_end_moment_ms);
    BERTH_TRY(remove_links(id));
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = inits_.find(id); found != inits_.end()) inits_.erase(found);
    }
    monitors_->forget(id);
    (void)::unlink(
        fmt::format("/run/lxc/lock/{}/.{}", lxc_path().relative_path().string(), id).c_str());
    return {};
}

}  // namespace berth::engine

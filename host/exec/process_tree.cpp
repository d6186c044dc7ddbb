// SPDX-License-Identifier: Apache-2.0
#include "host/exec/process_tree.h"

#include "base/fd.h"
#include "base/files.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace berth::exec {
namespace {

using Clock = std::chrono::steady_clock;

struct Process {
    pid_t parent = 0;
    char state = '?';
};

/// One line of /proc/<pid>/stat (proc(5)): the name in parentheses may hold anything.
std::optional<Process> read_process(pid_t pid) {
    constexpr std::size_t stat_bytes_max = 4096;
    const auto text = read_file(fmt::format("/proc/{}/stat", pid), stat_bytes_max);
    if (!text) return std::nullopt;
    const auto after_name = text->rfind(')');
    if (after_name == std::string::npos || after_name + 4 >= text->size()) return std::nullopt;
    Process process{.parent = 0, .state = (*text)[after_name + 2]};
    const char* number = text->data() + after_name + 4;
    if (std::from_chars(number, text->data() + text->size(), process.parent).ec != std::errc{})
        return std::nullopt;
    return process;
}

std::map<pid_t, Process> all_processes() {
    std::map<pid_t, Process> found;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{})
            continue;
        if (const auto process = read_process(pid)) found.emplace(pid, *process);
    }
    return found;
}

/// The descendants of `root` that are alive.
std::vector<pid_t> descendants(pid_t root) {
    const auto processes = all_processes();
    std::multimap<pid_t, pid_t> children;
    for (const auto& [pid, process] : processes) children.emplace(process.parent, pid);
    std::vector<pid_t> found;
    std::vector<pid_t> to_visit{root};
    while (!to_visit.empty()) {
        const auto [first, last] = children.equal_range(to_visit.back());
        to_visit.pop_back();
        for (auto child = first; child != last; ++child) {
            to_visit.push_back(child->second);
            if (processes.at(child->second).state != 'Z') found.push_back(child->second);
        }
    }
    return found;
}

/// A handle on `pid`, if it is still the child of somebody who was its parent when we looked: a pid
/// may have been given to a stranger since.
Fd handle_on(pid_t pid, pid_t parent) {
    Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const auto now = read_process(pid);
    return handle && now && now->parent == parent ? std::move(handle) : Fd();
}

bool signal(const Fd& handle, int number) {
    return handle && ::syscall(SYS_pidfd_send_signal, handle.get(), number, nullptr, 0) == 0;
}

}  // namespace

Result<> kill_descendants(pid_t root, std::chrono::milliseconds time_max) {
    // Everything on the machine descends from 0 and 1: no mistake may lead there.
    if (root <= 1) return fail(ErrorCode::internal, fmt::format("{} is no supervisor", root));
    const auto deadline = Clock::now() + time_max;
    std::map<pid_t, Fd> stopped;
    for (bool over = false; !over;) {
        const auto found = descendants(root);
        if (found.empty()) return {};
        over = Clock::now() >= deadline;
        bool fresh = false;
        for (const pid_t pid : found) {
            const auto process = read_process(pid);
            if (!process || stopped.contains(pid)) continue;
            Fd handle = handle_on(pid, process->parent);
            fresh |= signal(handle, SIGSTOP);
            stopped.insert_or_assign(pid, std::move(handle));
        }
        if (fresh && !over)
            continue;  // what these started before they stopped shows in the next look
        for (const auto& [pid, handle] : stopped) (void)signal(handle, SIGKILL);
        for (const auto& [pid, handle] : stopped) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
            pollfd polled{handle.get(), POLLIN, 0};
            if (handle && left > 0) (void)::poll(&polled, 1, static_cast<int>(left));
        }
        stopped.clear();
    }
    return fail(
        ErrorCode::unavailable,
        fmt::format("{} of its processes were killed and do not end", descendants(root).size()));
}

}  // namespace berth::exec

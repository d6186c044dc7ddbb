// SPDX-License-Identifier: Apache-2.0
#include "host/view/lxcfs.h"

#include "base/files.h"
#include "base/log.h"
#include "base/subprocess.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <utility>

namespace berth::view {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto start_time_max = 10s;
constexpr auto start_moment = 20ms;  // before it is asked again whether it serves
constexpr auto end_time_max = 5s;
constexpr auto first_pause = 500ms;  // before it is started again; then twice as long each time
constexpr auto longest_pause = 60s;
constexpr auto forever = std::chrono::milliseconds(-1);

fs::path pid_file(const fs::path& directory) {
    return directory.string() + ".pid";
}

bool answers(const fs::path& directory) {
    const auto meminfo = read_file(directory / "proc/meminfo");
    return meminfo && meminfo->starts_with("MemTotal:");
}

/// The process that says it serves that directory, and is an lxcfs that was told so.
Fd process_of(const fs::path& directory) {
    const auto text = read_file(pid_file(directory));
    pid_t pid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc{})
        return {};
    Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const auto argv = read_file(fmt::format("/proc/{}/cmdline", pid));
    if (process && argv && argv->contains(directory.string() + '\0') && argv->contains("lxcfs"))
        return process;
    return {};
}

void unmount(const fs::path& directory) {
    constexpr int layers_max = 16;
    for (int layer = 0; layer < layers_max; ++layer) {
        if (::umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
    }
}

bool has_ended(const Fd& process) {
    pollfd polled{process.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
}

void kill_and_wait(const Fd& process) {
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) return;
    pollfd polled{process.get(), POLLIN, 0};
    (void)::poll(&polled, 1, static_cast<int>(std::chrono::milliseconds(end_time_max).count()));
}

}  // namespace

std::unique_ptr<Lxcfs> Lxcfs::start(LxcfsOptions options, Changed changed, Fate fate) {
    std::unique_ptr<Lxcfs> lxcfs(new Lxcfs(std::move(options), std::move(changed), std::move(fate),
                                           Fd(::eventfd(0, EFD_CLOEXEC))));
    lxcfs->thread_ = std::jthread(
        [raw = lxcfs.get()](const std::stop_token& stopping) { raw->watch(stopping); });
    return lxcfs;
}

Lxcfs::~Lxcfs() {
    thread_.request_stop();
    (void)::eventfd_write(wake_.get(), 1);
}

Result<Fd> Lxcfs::find_or_start() const {
    const auto& directory = options_.directory;
    if (Fd found = process_of(directory)) {
        if (answers(directory)) return found;
        kill_and_wait(found);
    }
    unmount(directory);  // of one that has ended
    BERTH_TRY(make_directories(directory));
    if (::access(options_.program.c_str(), X_OK) != 0)
        return fail(system_error(fmt::format("run '{}'", options_.program.string()), errno));
    // It never goes to the background by itself, and must not end with us.
    (void)BERTH_TRY(
        run_checked({.argv = {"setsid", "--fork", options_.program.string(), "--foreground",
                              "--enable-cfs", "--enable-loadavg", "--pidfile",
                              pid_file(directory).string(), directory.string()},
                     .timeout = start_time_max,
                     .inherit_output = true}));
    const auto deadline = std::chrono::steady_clock::now() + start_time_max;
    while (std::chrono::steady_clock::now() < deadline) {
        Fd started = process_of(directory);
        if (started && answers(directory)) return started;
        if (!wait({}, start_moment)) break;
    }
    return fail(ErrorCode::unavailable, "lxcfs was started and does not answer");
}

void Lxcfs::begin() {
    auto process = find_or_start();
    const bool was_missing = std::exchange(missing_, !process);
    if (!process) {
        unmount(options_.directory);
        if (!was_missing) changed_({}, &process.error());
        return;
    }
    process_ = *std::move(process);
    changed_(options_.directory, nullptr);
}

bool Lxcfs::wait(const Fd& ended, std::chrono::milliseconds time_max) const {
    std::array<pollfd, 2> polled{pollfd{wake_.get(), POLLIN, 0}, pollfd{ended.get(), POLLIN, 0}};
    while (::poll(polled.data(), polled.size(), static_cast<int>(time_max.count())) < 0 &&
           errno == EINTR) {
    }
    return polled[0].revents == 0;
}

void Lxcfs::watch(const std::stop_token& stopping) {
    std::chrono::milliseconds pause = 0ms;
    begin();
    while (!stopping.stop_requested()) {
        if (process_) {
            if (!wait(process_, longest_pause)) return;
            if (!has_ended(process_)) {
                pause = 0ms;
                fate_(false);
                if (!wait(process_, forever)) return;
            }
            log::warning("lxcfs has ended", {{"directory", options_.directory}});
            process_.reset();
            fate_(true);
        }
        if (pause > 0ms && !wait({}, pause)) return;
        pause = std::clamp<std::chrono::milliseconds>(pause * 2, first_pause, longest_pause);
        begin();
    }
}

void Lxcfs::end(const fs::path& directory) {
    if (const Fd process = process_of(directory)) kill_and_wait(process);
    unmount(directory);
    (void)::unlink(pid_file(directory).c_str());
    (void)::rmdir(directory.c_str());
}

}  // namespace berth::view

// SPDX-License-Identifier: Apache-2.0
#include "host/container/oom_watch.h"

#include "base/files.h"
#include "base/log.h"
#include "host/container/oom_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

namespace berth::container {
namespace {

constexpr const char* kernel_log = "/dev/kmsg";
constexpr std::size_t record_bytes_max = 8192;  // CONSOLE_EXT_LOG_MAX of the kernel

/// Numbers of the log begin anew with each boot.
std::string this_boot() {
    return read_file("/proc/sys/kernel/random/boot_id").value_or("");
}

/// What was remembered in this boot: its id, which ends a line, and a number.
std::optional<std::uint64_t> remembered(const std::filesystem::path& memory) {
    const auto text = read_file(memory).value_or("");
    const auto boot = this_boot();
    std::uint64_t sequence = 0;
    if (boot.empty() || !text.starts_with(boot) ||
        std::from_chars(text.data() + boot.size(), text.data() + text.size(), sequence).ec !=
            std::errc{})
        return std::nullopt;
    return sequence;
}

}  // namespace

Result<std::unique_ptr<OomWatch>> OomWatch::start(ContainerService& containers,
                                                  std::filesystem::path memory) {
    Fd log(::open(kernel_log, O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // from its oldest record on
    if (!log) return fail(system_error("read the kernel's log", errno));
    Fd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake) return fail(system_error("make an event", errno));
    std::unique_ptr<OomWatch> watch(
        new OomWatch(containers, std::move(memory), std::move(log), std::move(wake)));
    if (const auto told = remembered(watch->memory_)) watch->told_ = *told;
    watch->thread_ = std::jthread(
        [raw = watch.get()](const std::stop_token& stopping) { raw->follow(stopping); });
    return watch;
}

OomWatch::~OomWatch() {
    thread_.request_stop();
    (void)::eventfd_write(wake_.get(), 1);
}

void OomWatch::follow(const std::stop_token& stopping) {
    std::array<char, record_bytes_max> record{};
    std::array<pollfd, 2> polled{pollfd{log_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    while (!stopping.stop_requested()) {
        const ssize_t got = ::read(log_.get(), record.data(), record.size());
        if (got > 0) {
            note({record.data(), static_cast<std::size_t>(got)});
        } else if (got < 0 && errno == EAGAIN) {
            caught_up();
            (void)::poll(polled.data(), polled.size(), -1);
        } else if (got == 0 || (errno != EPIPE && errno != EINTR)) {  // EPIPE: some were lost
            return log::warning("the kernel's log cannot be followed any more",
                                {{"errno", std::to_string(errno)}});
        }
    }
}

void OomWatch::note(std::string_view record) {
    const auto place = log_place_of(record);
    if (!place) return;
    read_ = place->sequence;
    const auto kill = oom_kill_of(record);
    if (!kill) return;
    if (live_) {
        containers_.note_oom_kill(*kill);
    } else {
        timespec now{};
        (void)::clock_gettime(CLOCK_MONOTONIC, &now);
        const auto up = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
        containers_.note_past_oom_kill(
            *kill, std::chrono::duration_cast<std::chrono::milliseconds>(up - place->since_boot),
            place->sequence <= told_);
    }
    unsaved_ = true;
}

void OomWatch::caught_up() {
    live_ = true;
    if (!std::exchange(unsaved_, false)) return;
    const auto saved = write_file_atomically(memory_, fmt::format("{}{}\n", this_boot(), read_),
                                             {.durable = false});  // it says nothing after a boot
    if (!saved)
        log::warning("what was read of the kernel's log cannot be remembered",
                     {{"cause", saved.error().message}});
}

}  // namespace berth::container

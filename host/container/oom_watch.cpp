// SPDX-License-Identifier: Apache-2.0
#include "host/container/oom_watch.h"

#include "base/files.h"
#include "base/log.h"
#include "host/container/oom_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace berth::container {
namespace {

constexpr const char* kernel_log = "/dev/kmsg";
constexpr std::size_t record_bytes_max = 8192;  // CONSOLE_EXT_LOG_MAX of the kernel

}  // namespace

Result<std::unique_ptr<OomWatch>> OomWatch::start(ContainerService& containers) {
    Fd log(::open(kernel_log, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!log || ::lseek(log.get(), 0, SEEK_END) < 0)
        return fail(system_error("read the kernel's log", errno));
    Fd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake) return fail(system_error("make an event", errno));
    std::unique_ptr<OomWatch> watch(new OomWatch(containers, std::move(log), std::move(wake)));
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
            const auto kill = oom_kill_of({record.data(), static_cast<std::size_t>(got)});
            if (kill) containers_.note_oom_kill(*kill);
        } else if (got < 0 && errno == EAGAIN) {
            (void)::poll(polled.data(), polled.size(), -1);
        } else if (got == 0 || (errno != EPIPE && errno != EINTR)) {  // EPIPE: some were lost
            return log::warning("the kernel's log cannot be followed any more",
                                {{"errno", std::to_string(errno)}});
        }
    }
}

}  // namespace berth::container

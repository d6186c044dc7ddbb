// SPDX-License-Identifier: Apache-2.0
#include "sentinel/access/access_log.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "tools-schema/contract/json.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <limits>
#include <utility>

namespace berth::sentinel {
namespace {

// Whole lines in one write: to a pipe it is not mixed with others' (pipe(7)), and to a file that
// is being appended to, not with those of a process that takes over.
constexpr std::size_t batch_bytes_max = PIPE_BUF;
constexpr unsigned file_mode = 0640;
constexpr std::int64_t stop_ms_max = 1'000;
constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

std::int64_t access_clock_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

std::string access_line(const Access& access) {
    Json line{{"time", to_rfc3339(access.ended_at)}, {"source", access.source.to_string()}};
    if (!access.server_name.empty()) line["sni"] = access.server_name;
    if (!access.pool.empty()) line["pool"] = access.pool;
    if (!access.protocol.empty()) line["protocol"] = access.protocol;
    line["outcome"] = access.outcome;
    if (!access.reason.empty()) line["reason"] = access.reason;
    if (const auto* const address = std::get_if<SocketAddress>(&access.destination)) {
        line["address"] = address->to_string();
    } else if (const auto* const tunnel = std::get_if<TunnelPort>(&access.destination)) {
        line["tunnel"] = Json{{"session", tunnel->session}};
        if (tunnel->port != 0) line["tunnel"]["port"] = tunnel->port;
    }
    if (access.streams) line["streams"] = *access.streams;
    line["bytes_from_client"] = access.bytes_from_client;
    line["bytes_to_client"] = access.bytes_to_client;
    line["duration_ms"] = access.duration_ms;
    return to_text(line) + "\n";
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::filesystem::path& file) {
    std::unique_ptr<AccessLog> log(new AccessLog(file));
    log->stop_at_ms_ = never_ms;
    log->out_ = BERTH_TRY(log->open_file());
    log->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!log->wake_) return fail(system_error("make an eventfd for the access log", errno));
    log->writer_ = std::thread([&one = *log] { one.run(); });
    return log;
}

Result<Fd> AccessLog::open_file() const {
    const bool standard = file_ == "-";
    Fd opened(standard
                  ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                  : ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, file_mode));
    if (opened) return opened;
    return fail(system_error("open the access log " + file_.string(), errno)
                    .next("give --access-log a file in a directory that the sentinel's user can "
                          "write to, or - for standard output"));
}

AccessLog::~AccessLog() {
    if (!writer_.joinable()) return;
    stop_at_ms_ = access_clock_ms() + stop_ms_max;
    (void)::eventfd_write(wake_.get(), 1);
    writer_.join();
}

void AccessLog::put(Access&& access) noexcept {
    if (!queue_.put(access)) {
        ++dropped_;
        return;
    }
    // The writer says that it sleeps before it looks for the last time.
    if (asleep_ && asleep_.exchange(false)) (void)::eventfd_write(wake_.get(), 1);
}

Result<> AccessLog::reopen() {
    if (file_ == "-") return {};
    auto opened = BERTH_TRY(open_file());
    const std::scoped_lock lock(mutex_);
    next_ = std::move(opened);
    return {};
}

void AccessLog::run() {
    std::string lines;
    Access access;
    std::uint64_t count = 0;
    while (true) {
        while (queue_.take(access)) {
            const std::string line = access_line(access);
            if (lines.size() + line.size() > batch_bytes_max) write(lines, std::exchange(count, 0));
            lines += line;
            ++count;
        }
        if (count > 0) write(lines, std::exchange(count, 0));
        if (stop_at_ms_ != never_ms && queue_.empty()) return;
        rest();
    }
}

void AccessLog::rest() {
    asleep_ = true;
    if (queue_.empty() && stop_at_ms_ == never_ms) {
        pollfd polled{.fd = wake_.get(), .events = POLLIN, .revents = 0};
        (void)::poll(&polled, 1, -1);
    }
    asleep_ = false;
    eventfd_t woken = 0;
    (void)::eventfd_read(wake_.get(), &woken);
}

/// Lines that cannot be written are dropped: those that come behind them may be.
void AccessLog::write(std::string& lines, std::uint64_t count) {
    {
        const std::scoped_lock lock(mutex_);
        if (next_) out_ = std::move(next_);
    }
    std::string_view left = lines;
    int problem = 0;
    while (!left.empty() && problem == 0) {
        if (!await_room()) {
            problem = ETIMEDOUT;
            break;
        }
        const ssize_t sent = ::write(out_.get(), left.data(), left.size());
        if (sent >= 0) {
            left.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno != EINTR && errno != EAGAIN) {
            problem = errno;
        }
    }
    lines.clear();
    (problem == 0 ? written_ : dropped_) += count;
    if (problem != 0 && !failing_) {
        log::error("the access log cannot be written",
                   {{"file", file_.string()}, {"why", system_error("write", problem).message}});
    }
    failing_ = problem != 0;
}

/// False when the log is to end, and whoever reads the pipe does not.
bool AccessLog::await_room() const {
    while (true) {
        const bool ending = stop_at_ms_ != never_ms;
        const std::int64_t left =
            ending ? std::max<std::int64_t>(0, stop_at_ms_ - access_clock_ms()) : -1;
        std::array<pollfd, 2> polled{
            {{.fd = out_.get(), .events = POLLOUT, .revents = 0},
             {.fd = ending ? -1 : wake_.get(), .events = POLLIN, .revents = 0}}};
        if (::poll(polled.data(), polled.size(), static_cast<int>(left)) < 0) continue;
        if (polled[0].revents != 0) return true;
        if (left == 0) return false;
        eventfd_t woken = 0;
        (void)::eventfd_read(wake_.get(), &woken);
    }
}

}  // namespace berth::sentinel

// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/open_file.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace berth::transfer {
namespace {

using namespace std::chrono_literals;

constexpr auto stands_still_max = 10min;
constexpr int look_again_ms = 100;  // whether the call was cancelled

std::unexpected<Error> unusable(std::string_view why) {
    return fail(make_error(ErrorCode::invalid_argument, std::string(why))
                    .at("/file")
                    .next("pass a regular file, a pipe or a socket, opened for it"));
}

}  // namespace

Result<OpenFile> OpenFile::of(int descriptor, Use use, std::stop_token cancelled) {
    struct stat status{};
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || ::fstat(descriptor, &status) != 0)
        return fail(system_error("look at the file that was passed along", errno));
    const int access = flags & O_ACCMODE;
    const bool fits = (flags & O_PATH) == 0 &&
                      (access == O_RDWR || access == (use == Use::read ? O_RDONLY : O_WRONLY));
    if (!fits)
        return unusable(use == Use::read
                            ? "the file that was passed along is not open for reading"
                            : "the file that was passed along is not open for writing");
    if (S_ISREG(status.st_mode))
        return OpenFile(Kind::file, descriptor, Fd(), std::move(cancelled));
    if (S_ISSOCK(status.st_mode))
        return OpenFile(Kind::socket, descriptor, Fd(), std::move(cancelled));
    if (!S_ISFIFO(status.st_mode))
        return unusable("what was passed along is no file, no pipe and no socket");
    Fd pipe(::open(fmt::format("/proc/self/fd/{}", descriptor).c_str(),
                   (use == Use::read ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC));
    if (!pipe) return fail(system_error("open the pipe that was passed along", errno));
    return OpenFile(Kind::pipe, descriptor, std::move(pipe), std::move(cancelled));
}

Result<> OpenFile::wait_for(short events) const {
    const auto deadline = std::chrono::steady_clock::now() + stands_still_max;
    while (std::chrono::steady_clock::now() < deadline) {
        if (cancelled_.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
        pollfd polled{end(), events, 0};
        if (::poll(&polled, 1, look_again_ms) > 0) return {};
    }
    return fail(ErrorCode::timed_out, "nobody moved at the other end");
}

Result<> OpenFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        if (cancelled_.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
        const auto wrote = kind_ == Kind::socket ? ::send(end(), bytes.data(), bytes.size(),
                                                          MSG_DONTWAIT | MSG_NOSIGNAL)
                                                 : ::write(end(), bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0 && errno == EAGAIN && !is_file()) {
            BERTH_TRY(wait_for(POLLOUT));
            continue;
        }
        if (wrote < 0 && (errno == EPIPE || errno == ECONNRESET))
            return fail(ErrorCode::unavailable, "nobody reads at the other end");
        if (wrote < 0) return fail(system_error("write the export", errno));
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
        bytes_ += wrote;
    }
    return {};
}

Result<std::size_t> OpenFile::read(std::span<char> into) {
    for (;;) {
        if (cancelled_.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
        const auto got = kind_ == Kind::socket
                             ? ::recv(end(), into.data(), into.size(), MSG_DONTWAIT)
                             : ::read(end(), into.data(), into.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN && !is_file()) {
            BERTH_TRY(wait_for(POLLIN));
            continue;
        }
        if (got < 0) return fail(system_error("read the export", errno));
        bytes_ += got;
        return static_cast<std::size_t>(got);
    }
}

Result<> OpenFile::sync() {
    if (!is_file() || ::fsync(descriptor_) == 0) return {};
    return fail(system_error("write the export to the disk", errno));
}

}  // namespace berth::transfer

// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/watched_file.h"

#include "base/fd.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace berth::auth {
namespace {

bool same_time(const timespec& one, const timespec& other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

Result<Fd> open_file(const std::filesystem::path& path, struct stat& status) {
    // O_NONBLOCK: a FIFO of that name must not hold the server up.
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return fail(system_error(fmt::format("read '{}'", path.string()), errno));
    }
    return fd;
}

Result<> check_trusted(const struct stat& status, const std::filesystem::path& path,
                       mode_t forbidden) {
    if (!S_ISREG(status.st_mode)) {
        return fail(ErrorCode::denied, fmt::format("'{}' is not a file", path.string()));
    }
    constexpr mode_t all_bits = 07777;
    if ((status.st_mode & forbidden) != 0) {
        return fail(make_error(ErrorCode::denied,
                               fmt::format("'{}' has mode {:04o}, which lets others at it",
                                           path.string(), status.st_mode & all_bits))
                        .next(fmt::format("chmod {:04o} {}", status.st_mode & all_bits & ~forbidden,
                                          path.string())));
    }
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return fail(make_error(ErrorCode::denied,
                               fmt::format("'{}' belongs to uid {}", path.string(), status.st_uid))
                        .next("give it to root"));
    }
    return {};
}

Result<std::string> read_checked(const Fd& fd, const struct stat& status,
                                 const std::filesystem::path& path,
                                 const WatchedFileOptions& options) {
    BERTH_TRY(check_trusted(status, path, options.forbidden_mode));
    std::string content;
    std::array<char, 16384> chunk{};
    for (;;) {
        const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error(fmt::format("read '{}'", path.string()), errno));
        if (got == 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(got));
        if (content.size() > options.bytes_max) {
            return fail(ErrorCode::quota_exceeded, fmt::format("'{}' has more than {} bytes",
                                                               path.string(), options.bytes_max));
        }
    }
}

}  // namespace

Result<std::string> read_trusted_file(const std::filesystem::path& path,
                                      const WatchedFileOptions& options) {
    struct stat status{};
    const Fd fd = BERTH_TRY(open_file(path, status));
    return read_checked(fd, status, path, options);
}

Result<std::optional<std::string>> WatchedFile::changed() {
    const auto now = clock_->steady();
    if (looked_at_ && now - *looked_at_ < watched_file_interval) return std::nullopt;
    looked_at_ = now;
    auto content = read_if_new();
    if (!content) forget();
    return content;
}

Result<std::optional<std::string>> WatchedFile::read_if_new() {
    struct stat status{};
    const Fd fd = BERTH_TRY(open_file(path_, status));
    const Stamp stamp{.inode = status.st_ino,
                      .size = status.st_size,
                      .modified = status.st_mtim,
                      .status_changed = status.st_ctim};
    if (stamp_ && stamp_->inode == stamp.inode && stamp_->size == stamp.size &&
        same_time(stamp_->modified, stamp.modified) &&
        same_time(stamp_->status_changed, stamp.status_changed)) {
        return std::nullopt;
    }
    auto content = BERTH_TRY(read_checked(fd, status, path_, options_));
    stamp_ = stamp;
    return content;
}

}  // namespace berth::auth

// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

namespace berth {
namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { (void)::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

constexpr int tree_depth_max = 4096;  // deeper than any path the kernel resolves at once

Result<> remove_at(int parent, const char* name, dev_t device, int depth);

/// Empties the directory open at `fd`, entry by entry, staying on `device`.
Result<> empty_directory(Fd fd, dev_t device, int depth) {
    if (depth > tree_depth_max)
        return fail(ErrorCode::quota_exceeded, "directory tree too deep to remove");
    const Directory entries(::fdopendir(fd.get()));
    if (!entries) return fail(system_error("read directory", errno));
    const int at = fd.release();  // closed with the DIR
    while (const dirent* entry =
               ::readdir(entries.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        BERTH_TRY(remove_at(at, entry->d_name, device, depth));
    }
    return {};
}

Result<> remove_at(int parent, const char* name, dev_t device, int depth) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
    const int unlink_errno = errno;
    if (unlink_errno != EISDIR && unlink_errno != EPERM)
        return fail(system_error(fmt::format("remove '{}'", name), unlink_errno));
    Fd directory(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory)
        return fail(system_error(fmt::format("open '{}' to remove it", name),
                                 errno == ENOTDIR ? unlink_errno : errno));
    struct stat status{};
    if (::fstat(directory.get(), &status) != 0) return fail(system_error("stat", errno));
    if (status.st_dev != device)
        return fail(ErrorCode::busy, fmt::format("'{}' is a mount point", name));
    BERTH_TRY(empty_directory(std::move(directory), device, depth + 1));
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return fail(system_error(fmt::format("remove directory '{}'", name), errno));
    return {};
}

Result<> sync_directory(const std::filesystem::path& directory) {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return fail(system_error(fmt::format("sync '{}'", directory.string()), errno));
    return {};
}

}  // namespace

Error system_error(std::string_view doing, int errno_value) {
    const auto code = [errno_value] {
        switch (errno_value) {
            case ENOENT:
                return ErrorCode::not_found;
            case EEXIST:
                return ErrorCode::already_exists;
            case EACCES:
            case EPERM:
                return ErrorCode::denied;
            case ENOSPC:
            case EDQUOT:
            case EMFILE:
            case ENFILE:
                return ErrorCode::quota_exceeded;
            default:
                return ErrorCode::unavailable;
        }
    }();
    return make_error(code,
                      fmt::format("{}: {}", doing, std::generic_category().message(errno_value)));
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail(system_error(fmt::format("read '{}'", path.string()), errno));
    std::string content;
    std::array<char, 16384> chunk{};
    for (;;) {
        const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error(fmt::format("read '{}'", path.string()), errno));
        if (got == 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(got));
        if (content.size() > bytes_max)
            return fail(ErrorCode::quota_exceeded,
                        fmt::format("'{}' has more than {} bytes", path.string(), bytes_max));
    }
}

Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                               const WriteOptions& options) {
    const std::filesystem::path temporary = path.string() + ".new-" + random_hex(4);
    const std::string doing = fmt::format("write '{}'", path.string());
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                 options.mode));
    if (!fd) return fail(system_error(doing, errno));
    const auto written = [&]() -> Result<> {
        BERTH_TRY(write_all(fd.get(), content));
        if (::fchmod(fd.get(), options.mode) != 0) return fail(system_error(doing, errno));
        if (::fchown(fd.get(), options.owner, options.group) != 0)
            return fail(system_error(doing, errno));
        if (options.durable && ::fsync(fd.get()) != 0) return fail(system_error(doing, errno));
        if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(system_error(doing, errno));
        return {};
    }();
    if (!written) {
        (void)::unlink(temporary.c_str());
        return fail(written.error());
    }
    return options.durable ? sync_directory(path.parent_path()) : Result<>{};
}

Result<> write_kernel_file(const std::filesystem::path& path, std::string_view content) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string doing = fmt::format("write '{}' to '{}'", content, path.string());
    if (!fd) return fail(system_error(doing, errno));
    if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
        return fail(system_error(doing, errno));
    return {};
}

Result<> make_directories(const std::filesystem::path& path, mode_t mode) {
    if (path.has_parent_path() && path.parent_path() != path) {
        struct stat status{};
        if (::stat(path.parent_path().c_str(), &status) != 0)
            BERTH_TRY(make_directories(path.parent_path(), mode));
    }
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return fail(system_error(fmt::format("make directory '{}'", path.string()), errno));
    return {};
}

Result<> remove_tree(const std::filesystem::path& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return fail(system_error(fmt::format("remove '{}'", path.string()), errno));
    }
    auto removed = remove_at(AT_FDCWD, path.c_str(), status.st_dev, 0);
    if (!removed)
        return fail(std::move(removed).error().in(fmt::format("remove '{}'", path.string())));
    return {};
}

void remove_empty_directories(std::filesystem::path deepest, const std::filesystem::path& top) {
    while (deepest != top && ::rmdir(deepest.c_str()) == 0) deepest = deepest.parent_path();
}

Result<> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return fail(system_error("write", errno));
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> random(bytes);
    for (std::size_t filled = 0; filled < bytes;) {
        const ssize_t got = ::getrandom(random.data() + filled, bytes - filled, 0);
        if (got > 0) filled += static_cast<std::size_t>(got);
    }
    return fmt::format("{:02x}", fmt::join(random, ""));
}

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/tree_copy.h"

#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t entries_max = 20'000'000;  // several whole distributions
constexpr std::size_t chunk_bytes =
    std::size_t{16} * 1024 * 1024;  // between two looks at the clock
constexpr std::size_t plain_chunk_bytes = std::size_t{256} * 1024;
constexpr std::int64_t block_bytes = 512;  // what st_blocks counts

/// What overlayfs notes of one mount and would misread in another layer's place; the rest of its
/// attributes say what the tree is.
constexpr std::array notes_of_a_mount{
    std::string_view("trusted.overlay.origin"), std::string_view("trusted.overlay.impure"),
    std::string_view("trusted.overlay.nlink"), std::string_view("trusted.overlay.uuid"),
    std::string_view("trusted.overlay.upper")};

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { (void)::closedir(directory); }
};

Error copy_failed(std::string_view doing, const std::string& path) {
    return system_error(fmt::format("{} '{}'", doing, path), errno);
}

/// A directory below `root`, whatever its own names have been turned into.
Fd open_below(const Fd& root, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return Fd(
        static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
}

/// A path for the calls on attributes, which know no descriptor of a directory.
std::string path_in(const Fd& directory, const std::string& name) {
    return fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
}

bool cannot(int error) {
    return error == EOPNOTSUPP || error == EXDEV || error == EINVAL || error == ENOTTY ||
           error == ENOSYS;
}

class TreeCopy {
public:
    TreeCopy(Fd from, Fd to, const CopyBounds& bounds)
        : from_(std::move(from)), to_(std::move(to)), bounds_(bounds) {}

    Result<Copied> run() {
        while (!directories_.empty()) {
            const std::string path = std::move(directories_.back());
            directories_.pop_back();
            BERTH_TRY(copy_directory(path));
        }
        return copied_;
    }

private:
    struct Place {
        const Fd& from;
        const Fd& to;
        const std::string& name;
        const std::string& path;
        const struct stat& status;
    };

    Result<> within_bounds() const {
        if (bounds_.cancelled.stop_requested())
            return fail(ErrorCode::unavailable, "was cancelled");
        if (std::chrono::steady_clock::now() > bounds_.deadline)
            return fail(ErrorCode::timed_out, "there is more to copy than time for it");
        if (copied_.entries > entries_max)
            return fail(ErrorCode::quota_exceeded,
                        fmt::format("there are more than {} files to copy", entries_max));
        return {};
    }

    Result<> copy_directory(const std::string& path) {
        const Fd from = open_below(from_, path);
        if (!from) return fail(copy_failed("open", path));
        const Fd to = open_below(to_, path);
        if (!to) return fail(copy_failed("open the copy of", path));
        struct stat status{};
        if (::fstat(from.get(), &status) != 0) return fail(copy_failed("look at", path));
        BERTH_TRY(copy_entries(from, to, path));
        // Last of all, because every new entry touches its directory and inherits its rules.
        BERTH_TRY(copy_attributes(
            {.from = from, .to = to, .name = self_, .path = path, .status = status}));
        return count(to, self_);
    }

    Result<> copy_entries(const Fd& from, const Fd& to, const std::string& path) {
        const int again = ::openat(from.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const std::unique_ptr<DIR, CloseDirectory> listing(again < 0 ? nullptr
                                                                     : ::fdopendir(again));
        if (!listing) return fail(copy_failed("list", path));
        for (errno = 0; const dirent* entry = ::readdir(listing.get()); errno = 0) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            BERTH_TRY(copy_entry(from, to, name, path == "." ? name : path + "/" + name));
        }
        if (errno != 0) return fail(copy_failed("list", path));
        return {};
    }

    Result<> copy_entry(const Fd& from, const Fd& to, const std::string& name,
                        const std::string& path) {
        ++copied_.entries;
        BERTH_TRY(within_bounds());
        struct stat status{};
        if (::fstatat(from.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return fail(copy_failed("look at", path));
        if (S_ISDIR(status.st_mode)) {
            if (::mkdirat(to.get(), name.c_str(), 0700) != 0)
                return fail(copy_failed("copy", path));
            directories_.push_back(path);
            return {};
        }
        if (status.st_nlink > 1) {
            const auto [first, fresh] =
                links_.try_emplace(std::pair(status.st_dev, status.st_ino), path);
            if (!fresh) {
                if (::linkat(to_.get(), first->second.c_str(), to.get(), name.c_str(), 0) != 0)
                    return fail(copy_failed("link", path));
                return {};
            }
        }
        const Place place{.from = from, .to = to, .name = name, .path = path, .status = status};
        BERTH_TRY(make(place));
        BERTH_TRY(copy_attributes(place));
        return count(to, name);
    }

    Result<> make(const Place& place) {
        if (S_ISREG(place.status.st_mode)) return copy_file(place);
        if (S_ISLNK(place.status.st_mode)) {
            std::array<char, PATH_MAX> target{};
            const ssize_t length = ::readlinkat(place.from.get(), place.name.c_str(), target.data(),
                                                target.size() - 1);
            if (length < 0 || ::symlinkat(target.data(), place.to.get(), place.name.c_str()) != 0)
                return fail(copy_failed("copy", place.path));
            return {};
        }
        if (::mknodat(place.to.get(), place.name.c_str(), (place.status.st_mode & S_IFMT) | 0600,
                      place.status.st_rdev) != 0)
            return fail(copy_failed("copy", place.path));
        return {};
    }

    Result<> copy_file(const Place& place) {
        const Fd from(::openat(place.from.get(), place.name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC));
        if (!from) return fail(copy_failed("open", place.path));
        const Fd to(::openat(place.to.get(), place.name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!to) return fail(copy_failed("copy", place.path));
        if (place.status.st_size == 0) return {};
        if (clones_) {
            if (::ioctl(to.get(), FICLONE, from.get()) == 0) {
                copied_.exact = false;  // blocks that two files share are counted for both
                return {};
            }
            if (!cannot(errno)) return fail(copy_failed("copy", place.path));
            clones_ = false;
        }
        off_t at = 0;
        while (at < place.status.st_size) {
            const off_t data = ::lseek(from.get(), at, SEEK_DATA);
            if (data < 0 && errno == ENXIO) break;  // a hole to the end
            if (data < 0) return fail(copy_failed("copy", place.path));
            const off_t end = ::lseek(from.get(), data, SEEK_HOLE);
            if (end < 0) return fail(copy_failed("copy", place.path));
            BERTH_TRY(copy_range(from, to, data, end, place.path));
            at = end;
        }
        if (::ftruncate(to.get(), place.status.st_size) != 0)
            return fail(copy_failed("copy", place.path));
        return {};
    }

    Result<> copy_range(const Fd& from, const Fd& to, off_t at, off_t end,
                        const std::string& path) {
        while (at < end) {
            BERTH_TRY(within_bounds());
            const auto wanted = std::min(static_cast<std::size_t>(end - at), chunk_bytes);
            off_t read_at = at;
            off_t write_at = at;
            const ssize_t moved =
                ranges_ ? ::copy_file_range(from.get(), &read_at, to.get(), &write_at, wanted, 0)
                        : copy_plainly(from, to, at, wanted);
            if (moved < 0 && ranges_ && cannot(errno)) {
                ranges_ = false;
                continue;
            }
            if (moved < 0 && errno == EINTR) continue;
            if (moved < 0) return fail(copy_failed("copy", path));
            if (moved == 0) break;  // it has become shorter
            at += moved;
        }
        return {};
    }

    ssize_t copy_plainly(const Fd& from, const Fd& to, off_t at, std::size_t wanted) {
        buffer_.resize(plain_chunk_bytes);
        const ssize_t got =
            ::pread(from.get(), buffer_.data(), std::min(wanted, buffer_.size()), at);
        if (got <= 0) return got;
        return ::pwrite(to.get(), buffer_.data(), static_cast<std::size_t>(got), at);
    }

    /// The order matters: a change of owner takes set-user-id bits and capabilities away.
    Result<> copy_attributes(const Place& place) {
        const struct stat& status = place.status;
        if (::fchownat(place.to.get(), place.name.c_str(), status.st_uid, status.st_gid,
                       AT_SYMLINK_NOFOLLOW) != 0)
            return fail(copy_failed("copy the owner of", place.path));
        if (!S_ISLNK(status.st_mode) &&
            ::fchmodat(place.to.get(), place.name.c_str(), status.st_mode & 07777, 0) != 0)
            return fail(copy_failed("copy the mode of", place.path));
        BERTH_TRY(copy_extended(place));
        const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
        if (::utimensat(place.to.get(), place.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
            return fail(copy_failed("copy the times of", place.path));
        return {};
    }

    Result<> copy_extended(const Place& place) {
        const std::string from = path_in(place.from, place.name);
        names_.resize(XATTR_LIST_MAX);
        const ssize_t length = ::llistxattr(from.c_str(), names_.data(), names_.size());
        if (length < 0 && errno == EOPNOTSUPP) return {};
        if (length < 0) return fail(copy_failed("list the attributes of", place.path));
        const std::string to = path_in(place.to, place.name);
        for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
            const std::string name(names_.data() + at);
            at += name.size() + 1;
            if (std::ranges::find(notes_of_a_mount, name) != notes_of_a_mount.end()) continue;
            buffer_.resize(std::max(buffer_.size(), std::size_t{XATTR_SIZE_MAX}));
            const ssize_t size =
                ::lgetxattr(from.c_str(), name.c_str(), buffer_.data(), XATTR_SIZE_MAX);
            if (size < 0 || ::lsetxattr(to.c_str(), name.c_str(), buffer_.data(),
                                        static_cast<std::size_t>(size), 0) != 0)
                return fail(
                    copy_failed(fmt::format("copy the attribute '{}' of", name), place.path));
        }
        return {};
    }

    Result<> count(const Fd& directory, const std::string& name) {
        struct stat status{};
        if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return fail(copy_failed("look at the copy of", name));
        copied_.bytes += status.st_blocks * block_bytes;
        return {};
    }

    Fd from_, to_;
    const CopyBounds& bounds_;
    Copied copied_;
    bool clones_ = true;
    bool ranges_ = true;
    const std::string self_ = ".";
    std::vector<std::string> directories_{"."};
    std::map<std::pair<dev_t, ino_t>, std::string> links_;
    std::vector<char> buffer_, names_;
};

}  // namespace

Result<Copied> copy_tree(const fs::path& from, const fs::path& to, const CopyBounds& bounds) {
    Fd source(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!source) return fail(copy_failed("open", from.string()));
    if (::mkdir(to.c_str(), 0700) != 0) return fail(copy_failed("make", to.string()));
    Fd target(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return fail(copy_failed("open", to.string()));
    return TreeCopy(std::move(source), std::move(target), bounds).run();
}

}  // namespace berth::engine

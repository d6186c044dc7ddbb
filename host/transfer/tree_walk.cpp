// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/tree_walk.h"

#include "base/files.h"
#include "host/transfer/attributes.h"
#include "host/transfer/pax.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

namespace berth::transfer {
namespace {

constexpr std::size_t piece_bytes = std::size_t{256} * 1024;

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { (void)::closedir(directory); }
};

std::unexpected<Error> walk_failed(std::string_view doing, const std::string& path) {
    return fail(system_error(fmt::format("{} '/{}'", doing, path), errno));
}

std::unexpected<Error> cancelled_error() {
    return fail(ErrorCode::unavailable, "was cancelled");
}

Fd open_below(const Fd& root, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    const auto* const name = path.empty() ? "." : path.c_str();
    return Fd(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof(how))));
}

class TreeWalk {
public:
    TreeWalk(Fd root, std::int64_t uid_base, const std::stop_token& cancelled,
             const EntryVisit& visit)
        : root_(std::move(root)), uid_base_(uid_base), cancelled_(cancelled), visit_(visit) {}

    Result<> run() {
        struct stat status{};
        if (::fstat(root_.get(), &status) != 0) return walk_failed("look at", "");
        BERTH_TRY(visit_of(root_, ".", "", status));
        BERTH_TRY(enter(""));
        while (!open_.empty()) {
            if (open_.back().names.empty()) {
                open_.pop_back();
                continue;
            }
            const auto name = std::move(open_.back().names.back());
            open_.back().names.pop_back();
            BERTH_TRY(step(open_.back().path, name));
        }
        return {};
    }

private:
    struct Open {
        std::string path;
        std::vector<std::string> names;  // still to be visited, the next one last
    };

    /// Reads the names of a directory; they are few enough for memory, all of a layer may not be.
    Result<> enter(const std::string& path) {
        const Fd directory = open_below(root_, path);
        const int again = directory ? ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0) : -1;
        const std::unique_ptr<DIR, CloseDirectory> listing(again < 0 ? nullptr
                                                                     : ::fdopendir(again));
        if (!listing) return walk_failed("open", path);
        Open open{.path = path, .names = {}};
        errno = 0;
        while (const dirent* entry = ::readdir(listing.get())) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") open.names.emplace_back(name);
        }
        if (errno != 0) return walk_failed("list", path);
        std::ranges::sort(open.names, std::greater{});
        open_.push_back(std::move(open));
        return {};
    }

    Result<> step(const std::string& parent, const std::string& name) {
        if (cancelled_.stop_requested()) return cancelled_error();
        if (!directory_ || directory_path_ != parent) {
            directory_ = open_below(root_, parent);
            directory_path_ = parent;
        }
        if (!directory_) return walk_failed("open", parent);
        const auto path = parent.empty() ? name : parent + "/" + name;
        struct stat status{};
        if (::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return walk_failed("look at", path);
        if (S_ISSOCK(status.st_mode)) return {};
        BERTH_TRY(visit_of(directory_, name, path, status));
        return S_ISDIR(status.st_mode) ? enter(path) : Result<>();
    }

    Result<> visit_of(const Fd& directory, const std::string& name, const std::string& path,
                      const struct stat& status) {
        Entry entry{
            .path = path,
            .mode = status.st_mode & 07777,
            .uid = inside_id(status.st_uid, uid_base_),
            .gid = inside_id(status.st_gid, uid_base_),
            .modified = {.seconds = status.st_mtim.tv_sec, .nanoseconds = status.st_mtim.tv_nsec}};
        // How tar writes a fraction before 1970 differs between readers.
        if (entry.modified.seconds < 0) entry.modified.nanoseconds = 0;
        entry.kind = BERTH_TRY(kind_of(status, path));
        if (entry.kind != Kind::directory && status.st_nlink > 1) {
            const auto [first, fresh] =
                links_.try_emplace(std::pair(status.st_dev, status.st_ino), path);
            if (!fresh) {
                entry.kind = Kind::hard_link;
                entry.target = first->second;
                return visit_(entry, Fd());
            }
        }
        if (entry.kind == Kind::symbolic_link) {
            std::array<char, PATH_MAX> target{};
            const auto length =
                ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
            if (length < 0) return walk_failed("read", path);
            entry.target.assign(target.data(), static_cast<std::size_t>(length));
        }
        BERTH_TRY(add_attributes(directory, name, entry));
        if (entry.kind != Kind::file || status.st_size == 0) return visit_(entry, Fd());
        const Fd file(::openat(directory.get(), name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC));
        if (!file) return walk_failed("open", path);
        entry.size = status.st_size;
        BERTH_TRY(add_extents(file, entry));
        return visit_(entry, file);
    }

    static Result<Kind> kind_of(const struct stat& status, const std::string& path) {
        if (S_ISREG(status.st_mode)) return Kind::file;
        if (S_ISDIR(status.st_mode)) return Kind::directory;
        if (S_ISLNK(status.st_mode)) return Kind::symbolic_link;
        if (S_ISFIFO(status.st_mode)) return Kind::fifo;
        if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0)) return Kind::whiteout;
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("'/{}' is a device, which no export can carry", path))
                        .next("remove it inside the container"));
    }

    Result<> add_extents(const Fd& file, Entry& entry) const {
        for (off_t at = 0; at < entry.size;) {
            const off_t data = ::lseek(file.get(), at, SEEK_DATA);
            if (data < 0 && errno == ENXIO) break;  // a hole to the end
            off_t end = data < 0 ? -1 : ::lseek(file.get(), data, SEEK_HOLE);
            if (end < 0) return walk_failed("look for holes in", entry.path);
            if (entry.extents.size() + 1 == extents_max) end = entry.size;
            entry.extents.push_back({.offset = data, .bytes = std::min(end, entry.size) - data});
            at = end;
        }
        return {};
    }

    Result<> add_attributes(const Fd& directory, const std::string& name, Entry& entry) {
        const auto place = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
        names_.resize(XATTR_LIST_MAX);
        const auto length = ::llistxattr(place.c_str(), names_.data(), names_.size());
        if (length < 0 && errno == EOPNOTSUPP) return {};
        if (length < 0) return walk_failed("list the attributes of", entry.path);
        for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
            const std::string attribute(names_.data() + at);
            at += attribute.size() + 1;
            value_.resize(XATTR_SIZE_MAX);
            const auto size =
                ::lgetxattr(place.c_str(), attribute.c_str(), value_.data(), value_.size());
            if (size < 0) return walk_failed("read an attribute of", entry.path);
            const std::string value(value_.data(), static_cast<std::size_t>(size));
            auto inside = inside_attribute(attribute, value, uid_base_);
            if (!inside) return fail(std::move(inside).error().in("/" + entry.path));
            if (*inside) entry.attributes.emplace(attribute, **std::move(inside));
        }
        return {};
    }

    Fd root_;
    std::int64_t uid_base_;
    const std::stop_token& cancelled_;
    const EntryVisit& visit_;
    std::vector<Open> open_;
    Fd directory_;  // the one of the last step
    std::string directory_path_;
    std::map<std::pair<dev_t, ino_t>, std::string> links_;
    std::vector<char> names_, value_;
};

}  // namespace

Result<> walk_tree(const std::filesystem::path& tree, std::int64_t uid_base,
                   const std::stop_token& cancelled, const EntryVisit& visit) {
    Fd root(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root) return walk_failed("open", tree.string());
    return TreeWalk(std::move(root), uid_base, cancelled, visit).run();
}

Result<> read_extents(const Entry& entry, const Fd& file, const std::stop_token& cancelled,
                      const std::function<Result<>(std::int64_t, std::string_view)>& take) {
    std::vector<char> piece(piece_bytes);
    for (const auto& extent : entry.extents) {
        for (std::int64_t done = 0; done < extent.bytes;) {
            if (cancelled.stop_requested()) return cancelled_error();
            const auto wanted =
                std::min(static_cast<std::size_t>(extent.bytes - done), piece.size());
            const auto got = ::pread(file.get(), piece.data(), wanted, extent.offset + done);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return walk_failed("read", entry.path);
            if (got == 0)
                return fail(ErrorCode::internal,
                            fmt::format("'/{}' became shorter while it was read", entry.path));
            BERTH_TRY(take(extent.offset + done, {piece.data(), static_cast<std::size_t>(got)}));
            done += got;
        }
    }
    return {};
}

}  // namespace berth::transfer

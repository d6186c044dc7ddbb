// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/tree_make.h"

#include "base/files.h"
#include "host/transfer/attributes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace berth::transfer {
namespace {

constexpr std::int64_t block_bytes = 512;  // what st_blocks counts
const std::string self = ".";

std::unexpected<Error> make_failed(std::string_view doing, const std::string& path) {
    return fail(system_error(fmt::format("{} '/{}'", doing, path), errno));
}

Fd open_below(const Fd& root, const std::string& path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    const auto* const name = path.empty() ? self.c_str() : path.c_str();
    return Fd(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof(how))));
}

bool is_above(const std::string& directory, const std::string& path) {
    return directory.empty() || path == directory || path.starts_with(directory + "/");
}

std::string name_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

Result<> TreeMaker::begin_layer(std::size_t layer) {
    BERTH_TRY(finish());
    const auto path = top_ / std::to_string(layer);
    // Only root comes by until each file has its owner and its mode.
    if (::mkdir(path.c_str(), 0700) != 0) return make_failed("make the layer", path.string());
    root_ = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root_) return make_failed("open the layer", path.string());
    bytes_.push_back(0);
    return {};
}

/// A directory gets its attributes when nothing more is made in it: each new entry touches its
/// times, and would inherit its access lists.
Result<> TreeMaker::leave_all_but(const std::string& directory) {
    while (!open_.empty() && !is_above(open_.back().path, directory)) {
        const Entry left = std::move(open_.back());
        open_.pop_back();
        const Fd opened = open_below(root_, left.path, O_RDONLY | O_DIRECTORY);
        if (!opened) return make_failed("open", left.path);
        BERTH_TRY(describe(opened, self, left));
    }
    return {};
}

Result<> TreeMaker::enter(const std::string& directory) {
    BERTH_TRY(leave_all_but(directory));
    if (parent_ && parent_path_ == directory) return {};
    parent_ = open_below(root_, directory, O_RDONLY | O_DIRECTORY);
    parent_path_ = directory;
    return parent_ ? Result<>() : make_failed("open", directory);
}

Result<> TreeMaker::begin(std::size_t layer, const Entry& entry) {
    if (cancelled_.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
    entry_ = entry;
    if (entry.path.empty()) {
        BERTH_TRY(begin_layer(layer));
        open_.push_back(entry);
        return {};
    }
    BERTH_TRY(enter(parent_of(entry.path)));
    return make(name_of(entry.path));
}

Result<> TreeMaker::make(const std::string& name) {
    const auto at = parent_.get();
    switch (entry_.kind) {
        case Kind::file:
            file_ = Fd(::openat(at, name.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
            return file_ ? Result<>() : make_failed("make", entry_.path);
        case Kind::directory:
            if (::mkdirat(at, name.c_str(), 0700) != 0) return make_failed("make", entry_.path);
            open_.push_back(entry_);
            return {};
        case Kind::symbolic_link:
            if (::symlinkat(entry_.target.c_str(), at, name.c_str()) == 0) return {};
            return make_failed("make", entry_.path);
        case Kind::hard_link:
            return link(name);
        case Kind::fifo:
            if (::mknodat(at, name.c_str(), S_IFIFO | 0600, 0) == 0) return {};
            return make_failed("make", entry_.path);
        case Kind::whiteout:
            if (::mknodat(at, name.c_str(), S_IFCHR | 0600, makedev(0, 0)) == 0) return {};
            return make_failed("make", entry_.path);
    }
    std::unreachable();
}

Result<> TreeMaker::link(const std::string& name) {
    const Fd target = open_below(root_, parent_of(entry_.target), O_PATH | O_DIRECTORY);
    const auto first = name_of(entry_.target);
    struct stat status{};
    if (!target || ::fstatat(target.get(), first.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(status.st_mode))
        return fail(ErrorCode::invalid_argument, "a hard link in it leads to nothing");
    if (::linkat(target.get(), first.c_str(), parent_.get(), name.c_str(), 0) != 0)
        return make_failed("link", entry_.path);
    return {};
}

Result<> TreeMaker::content(std::int64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        if (cancelled_.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
        const auto wrote = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return make_failed("write", entry_.path);
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
        offset += wrote;
    }
    return {};
}

Result<> TreeMaker::end() {
    if (entry_.kind == Kind::directory || entry_.kind == Kind::hard_link) return {};
    if (entry_.kind == Kind::file) {
        const Fd file = std::move(file_);
        if (::ftruncate(file.get(), entry_.size) != 0) return make_failed("write", entry_.path);
    }
    return describe(parent_, name_of(entry_.path), entry_);
}

Result<> TreeMaker::finish() {
    if (open_.empty()) return {};
    BERTH_TRY(leave_all_but(""));
    const Entry top = std::move(open_.back());
    open_.clear();
    parent_.reset();
    return describe(root_, self, top);
}

/// The order matters: a change of owner takes set-user-id bits and capabilities away.
Result<> TreeMaker::describe(const Fd& directory, const std::string& name, const Entry& entry) {
    if (::fchownat(directory.get(), name.c_str(), static_cast<uid_t>(uid_base_ + entry.uid),
                   static_cast<gid_t>(uid_base_ + entry.gid), AT_SYMLINK_NOFOLLOW) != 0)
        return make_failed("give an owner to", entry.path);
    if (entry.kind != Kind::symbolic_link &&
        ::fchmodat(directory.get(), name.c_str(), entry.mode, 0) != 0)
        return make_failed("give a mode to", entry.path);
    const auto place = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
    for (const auto& [attribute, inside] : entry.attributes) {
        const auto value = BERTH_TRY(outside_attribute(attribute, inside, uid_base_));
        if (::lsetxattr(place.c_str(), attribute.c_str(), value.data(), value.size(), 0) != 0)
            return make_failed(fmt::format("give the attribute {} to", attribute), entry.path);
    }
    const timespec modified{.tv_sec = entry.modified.seconds,
                            .tv_nsec = entry.modified.nanoseconds};
    const std::array times{modified, modified};
    if (::utimensat(directory.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
        return make_failed("give times to", entry.path);
    struct stat status{};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return make_failed("look at", entry.path);
    bytes_.back() += status.st_blocks * block_bytes;
    return {};
}

}  // namespace berth::transfer

// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/shares.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::engine {
namespace {

std::string name_of(const Share& share) {
    return (share.allowed / share.below).string();
}

/// An id of a person or a service, which a container may have too. Root is none, and neither are
/// those that containers get.
bool is_ordinary(std::int64_t id) {
    return id > 0 && id < ids_per_container;
}

bool is_own(std::int64_t id, std::int64_t uid_base) {
    return id >= uid_base && id < uid_base + ids_per_container;
}

/// What is said when a share's directory could not be opened.
Error not_opened(const Share& share, int problem) {
    if (problem == ELOOP)
        return make_error(ErrorCode::invalid_argument,
                          fmt::format("'{}' leads through a symbolic link", name_of(share)))
            .at("/host_path")
            .next("name the directory by its real path");
    auto error = system_error(fmt::format("open '{}'", name_of(share)), problem);
    if (problem == ENOTDIR) error.code = ErrorCode::invalid_argument;
    return std::move(error).at("/host_path").next("name a directory that is there");
}

Result<Fd> open_shared_directory(const Share& share) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    Fd directory(static_cast<int>(
        ::syscall(SYS_openat2, AT_FDCWD, share.allowed.c_str(), &how, sizeof(how))));
    if (directory && !share.below.empty())
        directory = open_below(directory.get(), share.below.c_str());
    if (!directory) return fail(not_opened(share, errno));
    return directory;
}

Result<ShareOwner> owner_of(const Share& share, const Fd& directory) {
    struct stat status{};
    if (::fstat(directory.get(), &status) != 0)
        return fail(failed(fmt::format("look at '{}'", name_of(share))));
    return ShareOwner{.user = status.st_uid,
                      .group = status.st_gid,
                      .open_to_all = (status.st_mode & S_IWOTH) != 0};
}

/// With `ids`, if it is one: true when the file systems there can show other ids.
Result<bool> confine(const Fd& tree, const Share& share, const Fd& ids) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (!share.writable) attributes.attr_set |= MOUNT_ATTR_RDONLY;
    // What the host mounts there from now on would come without any of this.
    attributes.propagation = MS_PRIVATE;
    if (ids) {
        attributes.attr_set |= MOUNT_ATTR_IDMAP;
        attributes.userns_fd = static_cast<__u64>(ids.get());
    }
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof(attributes)) == 0)
        return true;
    if (ids && (errno == EINVAL || errno == EPERM)) return false;
    return fail(failed(fmt::format("confine the share '{}'", name_of(share))));
}

}  // namespace

IdMap ids_of_share(std::int64_t owner, std::int64_t uid_base) {
    if (!is_ordinary(owner)) return {};
    IdMap map{{.on_disk = owner, .seen = uid_base + owner, .count = 1},
              {.on_disk = uid_base, .seen = uid_base, .count = owner}};
    const auto next = owner + 1;
    if (next < ids_per_container)
        map.push_back({.on_disk = uid_base + next,
                       .seen = uid_base + next,
                       .count = ids_per_container - next});
    return map;
}

Result<> check_writable(const ShareOwner& owner, std::int64_t uid_base) {
    const auto fits = [uid_base](std::int64_t id) {
        return is_ordinary(id) || is_own(id, uid_base);
    };
    if (owner.open_to_all || (fits(owner.user) && fits(owner.group))) return {};
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("nobody in the container could write there: the directory "
                                       "belongs to user {} and group {}",
                                       owner.user, owner.group))
                    .at("/host_path")
                    .next(fmt::format("have the operator give it to a user and a group from 1 to "
                                      "{}, or share it read-only",
                                      ids_per_container - 1)));
}

Result<Fd> open_share(const Share& share, std::int64_t uid_base) {
    const Fd directory = BERTH_TRY(open_shared_directory(share));
    const auto owner = BERTH_TRY(owner_of(share, directory));
    if (share.writable) BERTH_TRY(check_writable(owner, uid_base));
    Fd tree(::open_tree(directory.get(), "",
                        AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) return fail(failed(fmt::format("open '{}'", name_of(share))));
    const IdMap own{{.on_disk = uid_base, .seen = uid_base, .count = ids_per_container}};
    const auto users = ids_of_share(owner.user, uid_base);
    const auto groups = ids_of_share(owner.group, uid_base);
    Fd ids;
    if (!users.empty() || !groups.empty())
        ids = BERTH_TRY(user_namespace(users.empty() ? own : users, groups.empty() ? own : groups));
    if (BERTH_TRY(confine(tree, share, ids))) return tree;
    if (!share.writable) {  // then its owner is seen as nobody, and no more
        (void)BERTH_TRY(confine(tree, share, {}));
        return tree;
    }
    return fail(make_error(ErrorCode::unsupported,
                           fmt::format("the file system of '{}', or one mounted below it, cannot "
                                       "show other ids, so nothing there can be written safely",
                                       name_of(share)))
                    .at("/host_path")
                    .next("share it read-only, or a directory on ext4, XFS or btrfs"));
}

}  // namespace berth::engine

// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/driver_files.h"

#include "base/files.h"
#include "host/engine/lxc/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view run_prefix = "/run/";
// First by name, since the linker's cache prefers what comes first.
constexpr std::string_view linker_list = "/etc/ld.so.conf.d/00-berth-devices.conf";
// Where the kernel's files, init's and berth's are, or will be.
constexpr std::array<std::string_view, 5> confining{"proc", "sys", "dev", "run", guest_files};

/// As the container itself would find it, but through no mount.
Fd open_inside(const Fd& root, const fs::path& path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return Fd(
        static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
}

Error in_the_way(std::string_view path, int problem) {
    return make_error(ErrorCode::busy,
                      fmt::format("'{}' cannot be reached in the container: {}", path,
                                  system_error("follow it", problem).message))
        .next(
            "remove what stands in its way inside, or have the device's CDI spec name another "
            "path");
}

bool lies_below(const fs::path& path, const fs::path& top) {
    return std::mismatch(top.begin(), top.end(), path.begin(), path.end()).first == top.end();
}

/// Where a descriptor really is, from the root on.
Result<fs::path> real_place(const Fd& root, const Fd& at) {
    std::error_code problem;
    const auto name = [&](const Fd& descriptor) {
        return fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor.get()), problem);
    };
    const auto whole = name(at), top = name(root);
    if (problem) return fail(system_error("look where a path leads", problem.value()));
    return whole.lexically_relative(top);
}

struct Place {
    Fd directory;
    std::string name;
};

/// The directory of `path`, made where it is missing, and what is to be there.
Result<Place> place_in(const Fd& root, const fs::path& path, std::int64_t uid_base) {
    const auto owner = static_cast<uid_t>(uid_base);
    fs::path so_far = "/";
    Fd at = open_inside(root, so_far, O_DIRECTORY);
    for (const auto& part : path.parent_path().relative_path()) {
        so_far /= part;
        Fd next = open_inside(root, so_far, O_DIRECTORY);
        if (!next && errno == ENOENT) {
            if (::mkdirat(at.get(), part.c_str(), 0755) != 0 ||
                ::fchownat(at.get(), part.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
                return fail(in_the_way(so_far.string(), errno));
            next = open_inside(root, so_far, O_DIRECTORY);
        }
        if (!next) return fail(in_the_way(so_far.string(), errno));
        at = std::move(next);
    }
    const auto real = (BERTH_TRY(real_place(root, at)) / path.filename()).lexically_normal();
    const bool confines = std::ranges::any_of(confining, [&](std::string_view kept) {
        return lies_below(real, kept) || lies_below(kept, real);
    });
    if (confines)
        return fail(make_error(ErrorCode::denied,
                               fmt::format("'{}' leads to '/{}' in the container, where nothing of "
                                           "a device may be",
                                           path.string(), real.string()))
                        .next("remove the link that leads there from the container"));
    return Place{.directory = std::move(at), .name = path.filename()};
}

/// The host's file as a detached mount that nothing inside can open up.
Result<Fd> confined_tree(const DriverMount& mount) {
    const auto flags = static_cast<unsigned>(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                             (mount.recursive ? AT_RECURSIVE : 0));
    Fd tree(::open_tree(AT_FDCWD, mount.host_path.c_str(), flags));
    if (!tree) {
        auto error = failed(fmt::format("open '{}', which the device's CDI spec wants mounted",
                                        mount.host_path.string()));
        return fail(
            std::move(error).next("generate the CDI spec anew, as after each update of the "
                                  "driver"));
    }
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (!mount.writable) attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (!mount.executable) attributes.attr_set |= MOUNT_ATTR_NOEXEC;
    attributes.propagation = MS_PRIVATE;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof(attributes)) != 0)
        return fail(failed(fmt::format("confine the mount of '{}'", mount.host_path.string())));
    return tree;
}

bool is_directory(const Fd& descriptor) {
    struct stat status{};
    return ::fstat(descriptor.get(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// What is mounted on has to be of the same kind; an empty file or directory stays there after.
Result<Fd> target_in(const Fd& root, const fs::path& path, bool directory, std::int64_t uid_base) {
    const auto [parent, name] = BERTH_TRY(place_in(root, path, uid_base));
    constexpr std::uint64_t no_link = O_NOFOLLOW;
    Fd target(::openat(parent.get(), name.c_str(), O_PATH | no_link | O_CLOEXEC));
    if (!target && errno == ENOENT) {
        const auto owner = static_cast<uid_t>(uid_base);
        const bool made = directory ? ::mkdirat(parent.get(), name.c_str(), 0755) == 0
                                    : ::mknodat(parent.get(), name.c_str(), S_IFREG | 0644, 0) == 0;
        if (!made || ::fchownat(parent.get(), name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
            return fail(failed(fmt::format("make '{}' in the container", path.string())));
        target = Fd(::openat(parent.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    }
    struct stat status{};
    if (!target || ::fstat(target.get(), &status) != 0)
        return fail(in_the_way(path.string(), errno));
    if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode) != directory)
        return fail(in_the_way(path.string(), directory ? ENOTDIR : EEXIST));
    return target;
}

Result<> attach(const Fd& tree, const Fd& target, std::string_view path) {
    if (::move_mount(tree.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
        return {};
    return fail(failed(fmt::format("mount '{}' in the container", path)));
}

Result<> stand_by(const Fd& tree, const fs::path& stand) {
    BERTH_TRY(make_directories(stand.parent_path()));
    (void)::remove(stand.c_str());  // of another start, perhaps of the other kind
    if (is_directory(tree))
        BERTH_TRY(make_directories(stand));
    else
        BERTH_TRY(write_file_atomically(stand, "", {.durable = false}));
    const Fd target(::open(stand.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return fail(failed(fmt::format("open '{}'", stand.string())));
    return attach(tree, target, stand.string());
}

Result<> link_inside(const Fd& root, const DriverLink& link, std::int64_t uid_base) {
    const auto [parent, name] = BERTH_TRY(place_in(root, link.path, uid_base));
    struct stat status{};
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        // A file of the image's own is not berth's to replace; a link, which was ours, is.
        if (!S_ISLNK(status.st_mode)) return fail(in_the_way(link.path, EEXIST));
        if (::unlinkat(parent.get(), name.c_str(), 0) != 0)
            return fail(failed(fmt::format("replace '{}' in the container", link.path)));
    }
    const auto owner = static_cast<uid_t>(uid_base);
    if (::symlinkat(link.target.c_str(), parent.get(), name.c_str()) != 0 ||
        ::fchownat(parent.get(), name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
        return fail(failed(fmt::format("make the link '{}' in the container", link.path)));
    return {};
}

Result<> set_mode(const Fd& root, const DriverMode& wanted, std::int64_t uid_base) {
    const auto [parent, name] = BERTH_TRY(place_in(root, wanted.path, uid_base));
    const Fd file(::openat(parent.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || S_ISLNK(status.st_mode))
        return fail(in_the_way(wanted.path, file ? ELOOP : errno));
    // What is mounted there is the host's.
    if (is_mount_point(file.get(), "")) return {};
    if (::chmod(fmt::format("/proc/self/fd/{}", file.get()).c_str(), wanted.mode) != 0)
        return fail(failed(fmt::format("change the mode of '{}' in the container", wanted.path)));
    return {};
}

Result<> write_linker_list(const Fd& root, const std::vector<std::string>& folders,
                           std::int64_t uid_base) {
    std::string text = "# Written by berth at each start, for the devices of this container.\n";
    for (const auto& folder : folders) text += folder + "\n";
    const auto [parent, name] = BERTH_TRY(place_in(root, linker_list, uid_base));
    if (::unlinkat(parent.get(), name.c_str(), 0) != 0 && errno != ENOENT)
        return fail(in_the_way(linker_list, errno));
    const Fd out(::openat(parent.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    const auto owner = static_cast<uid_t>(uid_base);
    if (!out || ::fchown(out.get(), owner, owner) != 0)
        return fail(failed(fmt::format("write '{}' in the container", linker_list)));
    return write_all(out.get(), text);
}

fs::path stand_of(const fs::path& stands, std::size_t index) {
    return stands / fmt::format("run-{}", index);
}

}  // namespace

Result<> place_driver_files(const DriverFiles& files, const fs::path& root, const fs::path& stands,
                            std::int64_t uid_base) {
    const Fd top = BERTH_TRY(open_directory(root));
    for (std::size_t index = 0; index < files.mounts.size(); ++index) {
        const auto& mount = files.mounts[index];
        const Fd tree = BERTH_TRY(confined_tree(mount));
        if (mount.inside.starts_with(run_prefix)) {
            BERTH_TRY(stand_by(tree, stand_of(stands, index)));
            continue;
        }
        const Fd target = BERTH_TRY(target_in(top, mount.inside, is_directory(tree), uid_base));
        BERTH_TRY(attach(tree, target, mount.inside));
    }
    for (const auto& link : files.links) BERTH_TRY(link_inside(top, link, uid_base));
    for (const auto& mode : files.modes) BERTH_TRY(set_mode(top, mode, uid_base));
    if (files.library_folders.empty()) return {};
    return write_linker_list(top, files.library_folders, uid_base);
}

std::vector<RunMount> run_mounts(const DriverFiles& files, const fs::path& stands) {
    std::vector<RunMount> found;
    for (std::size_t index = 0; index < files.mounts.size(); ++index) {
        if (!files.mounts[index].inside.starts_with(run_prefix)) continue;
        const auto stand = stand_of(stands, index);
        found.push_back({.stand = stand,
                         .inside = files.mounts[index].inside.substr(1),
                         .directory = fs::is_directory(stand)});
    }
    return found;
}

}  // namespace berth::engine

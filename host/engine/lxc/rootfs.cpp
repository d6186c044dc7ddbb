// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/rootfs.h"

#include "base/files.h"
#include "base/rollback.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ranges>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

Error failed(std::string_view doing) {
    return system_error(doing, errno);
}

/// A user namespace with the container's id map, held open by its descriptor alone. Only a process
/// can carry a new namespace to where its map can be written, so one is made and let go.
Result<Fd> user_namespace(std::int64_t uid_base) {
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    const pid_t parent = ::getpid();
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid < 0) return fail(failed("make a user namespace"));
    if (pid == 0) {  // only system calls here: the parent has threads
        // It waits to be killed, and not for a pipe to close: children that other threads make at
        // the same time would hold each other's pipes open, for ever.
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (::getppid() == parent) (void)::pause();
        ::_exit(0);
    }
    const std::string map = fmt::format("0 {} {}", uid_base, ids_per_container);
    auto mapped = write_kernel_file(fmt::format("/proc/{}/uid_map", pid), map);
    if (mapped) mapped = write_kernel_file(fmt::format("/proc/{}/gid_map", pid), map);
    Fd descriptor(::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC));
    const Error open_error = failed("open the user namespace");
    (void)::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (!mapped) return fail(mapped.error());
    if (!descriptor) return fail(open_error);
    return descriptor;
}

/// `path` as a detached mount in which the ids 0…65535 on disk appear as the container's.
Result<Fd> id_mapped(const fs::path& path, std::int64_t uid_base) {
    const Fd ids = BERTH_TRY(user_namespace(uid_base));
    Fd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) return fail(failed(fmt::format("open the image's tree '{}'", path.string())));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(ids.get());
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
        return fail(failed("map the image's ids"));
    return tree;
}

bool is_mount_point(int directory, const char* path) {
    struct statx status{};
    if (::statx(directory, path, AT_NO_AUTOMOUNT | (*path == '\0' ? AT_EMPTY_PATH : 0), STATX_MODE,
                &status) != 0)
        return false;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/// Opens one step below `parent`, never through a symbolic link.
Fd open_step(int parent, const std::string& name) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
    return Fd(static_cast<int>(::syscall(SYS_openat2, parent, name.c_str(), &how, sizeof(how))));
}

Result<Fd> open_directory(const fs::path& path) {
    Fd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail(failed(fmt::format("open '{}'", path.string())));
    return directory;
}

/// Walks to `inside` below `root`, making directories that are missing.
Result<Fd> walk(const fs::path& root, std::string_view inside, std::int64_t uid_base) {
    Fd at = BERTH_TRY(open_directory(root));
    for (const auto part : std::views::split(inside, '/')) {
        const std::string name(std::string_view{part});
        Fd next = open_step(at.get(), name);
        if (!next && errno == ENOENT) {
            const auto owner = static_cast<uid_t>(uid_base);
            if (::mkdirat(at.get(), name.c_str(), 0755) != 0 ||
                ::fchownat(at.get(), name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
                return fail(failed(fmt::format("make '/{}' in the container", inside)));
            next = open_step(at.get(), name);
        }
        if (!next) {
            return fail(
                make_error(ErrorCode::busy, fmt::format("'/{}' in the container is not made of "
                                                        "plain directories, and berth needs it",
                                                        inside))
                    .next("remove what stands there, or delete the container"));
        }
        at = std::move(next);
    }
    return at;
}

/// Names the layers by descriptor, so that the id-mapped tree need not stand anywhere (Linux 6.13).
/// False when the kernel is older.
Result<bool> layer_by_descriptor(const Fd& overlay, const Fd& lower, const fs::path& directory) {
    const Fd upper = BERTH_TRY(open_directory(directory / "upper"));
    const Fd work = BERTH_TRY(open_directory(directory / "work"));
    if (::fsconfig(overlay.get(), FSCONFIG_SET_FD, "lowerdir+", nullptr, lower.get()) != 0) {
        if (errno == EINVAL) return false;
        return fail(failed("set the overlay's lower layer"));
    }
    if (::fsconfig(overlay.get(), FSCONFIG_SET_FD, "upperdir", nullptr, upper.get()) != 0 ||
        ::fsconfig(overlay.get(), FSCONFIG_SET_FD, "workdir", nullptr, work.get()) != 0) {
        return fail(failed("set the overlay's upper layer"));
    }
    return true;
}

/// Names the layers by path, for which the id-mapped tree must stand somewhere for a moment.
Result<> layer_by_path(const Fd& overlay, const Fd& lower, const fs::path& directory) {
    const fs::path stand = directory / "lower";
    BERTH_TRY(make_directories(stand));
    if (::move_mount(lower.get(), "", AT_FDCWD, stand.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return fail(failed("attach the image's tree"));
    for (const auto& [key, layer] : {std::pair{"lowerdir", stand},
                                     {"upperdir", directory / "upper"},
                                     {"workdir", directory / "work"}}) {
        if (::fsconfig(overlay.get(), FSCONFIG_SET_STRING, key, layer.c_str(), 0) != 0)
            return fail(failed(fmt::format("set the overlay's {}", key)));
    }
    return {};
}

}  // namespace

Result<> Rootfs::create(std::int64_t uid_base) const {
    BERTH_TRY(make_directories(directory_, 0711));
    for (const auto* name : {"rootfs", "upper", "work"})
        BERTH_TRY(make_directories(directory_ / name));
    const auto owner = static_cast<uid_t>(uid_base);
    for (const auto* name : {"upper", "work"}) {
        if (::chown((directory_ / name).c_str(), owner, owner) != 0)
            return fail(failed("give the container its layers"));
    }
    return {};
}

Result<> Rootfs::mount(const fs::path& base, std::int64_t uid_base) const {
    if (is_mount_point(AT_FDCWD, path().c_str())) return {};
    const Fd lower = BERTH_TRY(id_mapped(base, uid_base));
    const Fd overlay(::fsopen("overlay", FSOPEN_CLOEXEC));
    if (!overlay) return fail(failed("open the overlay file system"));
    Rollback detach;
    if (layering_ == Layering::by_path ||
        !BERTH_TRY(layer_by_descriptor(overlay, lower, directory_))) {
        detach.on_failure([lower_path = directory_ / "lower"]() noexcept {
            (void)::umount2(lower_path.c_str(),
                            MNT_DETACH);  // the overlay holds a clone of its own
        });
        BERTH_TRY(layer_by_path(overlay, lower, directory_));
    }
    if (::fsconfig(overlay.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return fail(failed("make the overlay"));
    // Device nodes come from liblxc's own /dev; one in an image, or made by other means, is dead.
    const Fd mounted(::fsmount(overlay.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV));
    if (!mounted ||
        ::move_mount(mounted.get(), "", AT_FDCWD, path().c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return fail(failed("mount the overlay"));
    return {};
}

Result<> Rootfs::seed(const SeedFile& file, std::int64_t uid_base) const {
    const fs::path relative(file.path);
    const Fd directory = BERTH_TRY(walk(path(), relative.parent_path().string(), uid_base));
    const std::string name = relative.filename();
    const std::string doing = fmt::format("write '/{}' in the container", file.path);
    if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
        return fail(failed(doing));
    const Fd out(::openat(directory.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file.mode));
    if (!out) return fail(failed(doing));
    BERTH_TRY(write_all(out.get(), file.content));
    const auto owner = static_cast<uid_t>(uid_base);
    if (::fchmod(out.get(), file.mode) != 0 || ::fchown(out.get(), owner, owner) != 0)
        return fail(failed(doing));
    return {};
}

Result<> Rootfs::expose(const fs::path& host_directory, std::string_view inside,
                        std::int64_t uid_base) const {
    const Fd target = BERTH_TRY(walk(path(), inside, uid_base));
    if (is_mount_point(target.get(), "")) return {};
    const Fd tree(::open_tree(AT_FDCWD, host_directory.c_str(),
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    if (!tree) return fail(failed(fmt::format("open '{}'", host_directory.string())));
    mount_attr attributes{};
    attributes.attr_set =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof(attributes)) != 0)
        return fail(failed("make a share read-only"));
    if (::move_mount(tree.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail(failed(fmt::format("show '/{}' in the container", inside)));
    return {};
}

Result<> Rootfs::destroy() const {
    for (const auto& point : {path(), directory_ / "lower"}) {
        while (is_mount_point(AT_FDCWD, point.c_str())) {
            if (::umount2(point.c_str(), MNT_DETACH) != 0)
                return fail(failed(fmt::format("unmount '{}'", point.string())));
        }
    }
    return remove_tree(directory_);
}

}  // namespace berth::engine

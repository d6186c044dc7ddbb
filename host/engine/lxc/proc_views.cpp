// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/proc_views.h"

#include "base/fault.h"
#include "host/engine/lxc/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr long fuse_magic = 0x65735546;  // FUSE_SUPER_MAGIC, which no header has

struct View {
    const char* path;  // below /, and below the provider
    long covers;       // the file system that it is put over
};
constexpr std::array<View, 8> views{{{"proc/cpuinfo", PROC_SUPER_MAGIC},
                                     {"proc/diskstats", PROC_SUPER_MAGIC},
                                     {"proc/loadavg", PROC_SUPER_MAGIC},
                                     {"proc/meminfo", PROC_SUPER_MAGIC},
                                     {"proc/stat", PROC_SUPER_MAGIC},
                                     {"proc/swaps", PROC_SUPER_MAGIC},
                                     {"proc/uptime", PROC_SUPER_MAGIC},
                                     {"sys/devices/system/cpu/online", SYSFS_MAGIC}}};

/// The provider's file as a mount that stands nowhere yet; none when it has no such file.
Fd detached(const fs::path& provider, const View& view) {
    if (provider.empty()) return {};
    Fd tree(
        ::open_tree(AT_FDCWD, (provider / view.path).c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    mount_attr attributes{};
    attributes.attr_set =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    attributes.propagation = MS_PRIVATE;
    if (tree &&
        ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
        tree.reset();
    return tree;
}

/// The file of that path in the container, through no symbolic link.
Fd open_inside(const View& view) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string path = fmt::format("/{}", view.path);
    return Fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
}

/// Takes away what a provider shows there, also one that has ended, and which nobody can ask then.
void uncover(const View& view) {
    constexpr int layers_max = 4;  // more than we ever put there
    for (int layer = 0; layer < layers_max; ++layer) {
        const Fd there = open_inside(view);
        struct statfs status{};
        if (!there) return;
        const bool asked = ::fstatfs(there.get(), &status) == 0;
        if (asked ? status.f_type != fuse_magic : errno != ENOTCONN) return;
        const std::string path = fmt::format("/{}", view.path);
        if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
    }
}

/// On a thread that is thrown away: it can never leave the container's mounts again.
Result<> enter_and_show(const Fd& mounts, std::vector<Fd> trees) {
    if (::unshare(CLONE_FS) != 0 || ::setns(mounts.get(), CLONE_NEWNS) != 0)
        return fail(failed("enter the container's mounts"));
    for (std::size_t index = 0; index < views.size(); ++index) {
        const View& view = views.at(index);
        uncover(view);
        const Fd there = open_inside(view);
        struct statfs status{};
        if (!trees[index] || !there || ::fstatfs(there.get(), &status) != 0 ||
            status.f_type != view.covers)
            continue;
        if (::move_mount(trees[index].get(), "", there.get(), "",
                         MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
            return fail(failed(fmt::format("show /{} in the container", view.path)));
    }
    return {};
}

}  // namespace

Result<> show_views(pid_t init, const fs::path& provider) {
    BERTH_TRY(fault::at("engine.views"));
    const Fd mounts(::open(fmt::format("/proc/{}/ns/mnt", init).c_str(), O_RDONLY | O_CLOEXEC));
    if (!mounts) return fail(failed("find the container's mounts"));
    std::vector<Fd> trees;
    for (const auto& view : views) trees.push_back(detached(provider, view));
    Result<> shown;
    std::jthread([&] { shown = enter_and_show(mounts, std::move(trees)); }).join();
    return shown;
}

}  // namespace berth::engine

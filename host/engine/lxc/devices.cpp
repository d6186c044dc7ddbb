// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/devices.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/files.h"
#include "host/engine/lxc/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <thread>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr mode_t directory_mode = 0710;  // the container's group passes through, and no one else
constexpr std::string_view dev_prefix = "/dev/";

dev_t number_of(const Device& device) {
    return makedev(device.major, device.minor);
}

/// Does `work` in the mount namespace of that process, as an id of the container, on a thread of
/// its own: the one thing that a thread can have for itself.
Result<> inside(pid_t init, std::int64_t uid_base, const std::function<Result<>()>& work) {
    const Fd space(::open(fmt::format("/proc/{}/ns/mnt", init).c_str(), O_RDONLY | O_CLOEXEC));
    if (!space) return fail(failed("open the container's mount namespace"));
    Result<> done = {};
    std::thread([&] {
        const auto owner = static_cast<uid_t>(uid_base);
        if (::unshare(CLONE_FS) != 0 || ::setns(space.get(), CLONE_NEWNS) != 0) {
            done = fail(failed("enter the container's mount namespace"));
            return;
        }
        // These two are a thread's own, and what it makes there has to belong to the container.
        (void)::syscall(SYS_setfsgid, owner);
        (void)::syscall(SYS_setfsuid, owner);
        done = work();
    }).join();
    return done;
}

/// The directory of a device below /dev in this mount namespace, and the device's name there.
Result<std::pair<Fd, std::string>> place_of(const Device& device, std::int64_t uid_base,
                                            bool make) {
    const fs::path path = fs::path(device.path).relative_path();
    return std::pair(BERTH_TRY(walk("/", path.parent_path().string(), uid_base, make)),
                     path.filename().string());
}

/// Takes away what is mounted on that name, however often. The directory becomes this thread's own
/// working directory: of all ways to name what stands in it, the one that needs no path.
Result<> uncover(const Fd& directory, const std::string& name) {
    if (::fchdir(directory.get()) != 0) return fail(failed("enter a directory of the container"));
    while (is_mount_point(directory.get(), name.c_str())) {
        if (::umount2(name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
            return fail(failed(fmt::format("unmount '{}' in the container", name)));
    }
    return {};
}

Result<> cover(const Device& device, const Fd& tree, std::int64_t uid_base) {
    const auto [directory, name] = BERTH_TRY(place_of(device, uid_base, true));
    BERTH_TRY(uncover(directory, name));
    // Only to have something there to mount on; of a start, liblxc has made it.
    Fd file(::openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file && errno == ENOENT)
        file = Fd(::openat(directory.get(), name.c_str(),
                           O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return fail(failed(fmt::format("make '{}' in the container", device.path)));
    // The mount itself is the host's to make.
    (void)::syscall(SYS_setfsuid, ::geteuid());
    if (::move_mount(tree.get(), "", file.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail(failed(fmt::format("mount '{}' in the container", device.path)));
    return {};
}

bool leads_to(const fs::path& entry, const Device& device) {
    struct stat status{};
    if (::stat(entry.c_str(), &status) != 0) return false;
    const bool same_kind = device.type == 'b' ? S_ISBLK(status.st_mode) : S_ISCHR(status.st_mode);
    return same_kind && status.st_rdev == number_of(device);
}

/// Of a socket that is told by the kernel (proc(5), since Linux 5.6).
bool holds_descriptors(const fs::path& entry) {
    constexpr std::string_view field = "\nscm_fds: ";
    const auto text = read_file(entry, 64UL * 1024);
    const auto at = text ? text->find(field) : std::string::npos;
    return at != std::string::npos && (*text)[at + field.size()] != '0';
}

bool any_in(pid_t process, std::string_view directory,
            const std::function<bool(const fs::path&)>& fits) {
    std::error_code problem;
    fs::directory_iterator at(fmt::format("/proc/{}/{}", process, directory), problem);
    for (const fs::directory_iterator end; !problem && at != end; at.increment(problem)) {
        if (fits(at->path())) return true;
    }
    return false;
}

// A '/' of a path, in the name of its node: as sysfs has them.
constexpr char slash_in_names = '!';

}  // namespace

std::string device_rule(const Device& device, std::string_view access) {
    return fmt::format("{} {}:{} {}", device.type, device.major, device.minor, access);
}

fs::path DeviceNodes::path_of(const Device& device) const {
    auto name = device.path.substr(1);
    std::ranges::replace(name, '/', slash_in_names);
    return directory_ / name;
}

std::vector<Device> DeviceNodes::made() const {
    std::vector<Device> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory_, none)) {
        struct stat status{};
        if (::lstat(entry.path().c_str(), &status) != 0) continue;
        auto path = "/" + entry.path().filename().string();
        std::ranges::replace(path, slash_in_names, '/');
        found.push_back({.path = std::move(path),
                         .type = S_ISBLK(status.st_mode) ? 'b' : 'c',
                         .major = gnu_dev_major(status.st_rdev),
                         .minor = gnu_dev_minor(status.st_rdev)});
    }
    return found;
}

Result<> DeviceNodes::make(std::span<const Device> devices, std::int64_t uid_base) const {
    std::error_code problem;
    fs::remove_all(directory_, problem);
    if (problem) return fail(system_error("remove old device nodes", problem.value()));
    for (const auto& device : devices) {
        BERTH_TRY(add(device, uid_base));
        BERTH_TRY(fault::at("engine.nodes"));
    }
    return {};
}

Result<> DeviceNodes::add(const Device& device, std::int64_t uid_base) const {
    const auto plain = fs::path(device.path).lexically_normal().string();
    if (!device.path.starts_with(dev_prefix) || plain != device.path || device.path == dev_prefix) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("'{}' is no place for a device", device.path))
                        .next("have it below /dev"));
    }
    const auto owner = static_cast<uid_t>(uid_base);
    if (::mkdir(directory_.c_str(), directory_mode) != 0 && errno != EEXIST)
        return fail(failed("make the directory of device nodes"));
    if (::chown(directory_.c_str(), 0, owner) != 0 ||
        ::chmod(directory_.c_str(), directory_mode) != 0)
        return fail(failed("prepare the directory of device nodes"));
    struct statvfs system{};
    if (::statvfs(directory_.c_str(), &system) == 0 && (system.f_flag & ST_NODEV) != 0) {
        return fail(make_error(ErrorCode::unsupported,
                               "berthd's state directory lies on a file system that is mounted "
                               "without devices (nodev)")
                        .next("mount it with 'dev', or move the state directory"));
    }
    const auto path = path_of(device);
    const mode_t kind = device.type == 'b' ? S_IFBLK : S_IFCHR;
    (void)::unlink(path.c_str());
    if (::mknod(path.c_str(), kind, number_of(device)) != 0 ||
        ::lchown(path.c_str(), owner + device.uid, owner + device.gid) != 0 ||
        ::chmod(path.c_str(), device.mode) != 0)
        return fail(failed(fmt::format("make the device node '{}'", path.string())));
    return {};
}

Result<> DeviceNodes::mount(const Device& device, pid_t init, std::int64_t uid_base) const {
    const Fd tree(
        ::open_tree(AT_FDCWD, path_of(device).c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) return fail(failed(fmt::format("open the device node of '{}'", device.path)));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    attributes.propagation = MS_PRIVATE;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
        return fail(failed(fmt::format("confine the device node of '{}'", device.path)));
    return inside(init, uid_base, [&] { return cover(device, tree, uid_base); });
}

Result<> DeviceNodes::unmount(const Device& device, pid_t init, std::int64_t uid_base) const {
    return inside(init, uid_base, [&]() -> Result<> {
        const auto [directory, name] = BERTH_TRY(place_of(device, uid_base, false));
        if (!directory) return {};
        (void)::syscall(SYS_setfsuid, ::geteuid());
        BERTH_TRY(uncover(directory, name));
        (void)::unlinkat(directory.get(), name.c_str(), 0);  // the empty file below the mount
        return {};
    });
}

bool same_number(const Device& one, const Device& other) {
    return one.type == other.type && one.major == other.major && one.minor == other.minor;
}

bool same_node(const Device& one, const Device& other) {
    return one.path == other.path && same_number(one, other);
}

std::string_view use_of(pid_t process, const Device& device) {
    if (any_in(process, "fd", [&](const fs::path& entry) { return leads_to(entry, device); }))
        return "has it open";
    if (any_in(process, "map_files",
               [&](const fs::path& entry) { return leads_to(entry, device); }))
        return "has memory mapped from it";
    if (any_in(process, "fdinfo", holds_descriptors)) return descriptors_in_flight;
    return "";
}

}  // namespace berth::engine

// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/disk_image.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "host/engine/lxc/disk_use.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t room_to_grow = 4;              // times the first limit
constexpr std::int64_t made_for_bytes_min = 1 << 30;  // a small one may become an ordinary one
constexpr std::int64_t own_share = 8;  // less than an eighth of a file is ext4's own tables
constexpr mode_t root_only = 0700;
constexpr int free_device_attempts_max = 64;  // others take loop devices too
constexpr const char* mount_options = "discard,noinit_itable,errors=remount-ro";

std::int64_t made_for(std::int64_t file_bytes) {
    return file_bytes - file_bytes / own_share;
}

std::string device_path(std::string_view name) {
    return fmt::format("/dev/{}", name);
}

bool has(const Fd& device, const struct stat& file) {
    loop_info64 info{};
    return device && ::ioctl(device.get(), LOOP_GET_STATUS64, &info) == 0 &&
           info.lo_device == file.st_dev && info.lo_inode == file.st_ino;
}

/// The loop device that has the file already; two for one file would destroy what is on it.
Fd attached(const struct stat& file, std::string& name) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator("/sys/block", none)) {
        if (!fs::exists(entry.path() / "loop", none)) continue;  // it has no file
        name = entry.path().filename();
        Fd device(::open(device_path(name).c_str(), O_RDWR | O_CLOEXEC));
        if (has(device, file)) return device;
    }
    return Fd();
}

/// The file by a mount of its own, because a loop device tells everybody the path of its file, and
/// in that stands the container's id.
Fd open_nameless(const fs::path& file) {
    const Fd alone(::open_tree(AT_FDCWD, file.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    return Fd(alone
                  ? ::open(fmt::format("/proc/self/fd/{}", alone.get()).c_str(), O_RDWR | O_CLOEXEC)
                  : -1);
}

/// A loop device for the file, which lets go of it with the last descriptor or mount.
Result<Fd> attach(const fs::path& file, std::string& name) {
    const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const Fd behind = open_nameless(file);
    struct stat status{};
    if (!control || !behind || ::fstat(behind.get(), &status) != 0)
        return fail(system_error("open a disk image", errno));
    if (Fd device = attached(status, name)) return device;
    loop_config config{};
    config.fd = static_cast<__u32>(behind.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
    for (int attempt = 0; attempt < free_device_attempts_max; ++attempt) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) break;
        name = fmt::format("loop{}", number);
        Fd device(::open(device_path(name).c_str(), O_RDWR | O_CLOEXEC));
        if (device && ::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return device;
        if (errno != EBUSY) break;
    }
    return fail(system_error("attach a disk image", errno));
}

/// The kernel's name of what is mounted there.
Result<std::string> device_name(const fs::path& mounted) {
    struct stat status{};
    if (::stat(mounted.c_str(), &status) != 0)
        return fail(system_error("look at a container's disk", errno));
    std::error_code problem;
    const auto device = fs::canonical(
        fmt::format("/sys/dev/block/{}:{}", major(status.st_dev), minor(status.st_dev)), problem);
    if (problem) return fail(system_error("find a container's disk", problem.value()));
    return device.filename().string();
}

Result<struct statvfs> room(const fs::path& mounted) {
    struct statvfs status{};
    if (::statvfs(mounted.c_str(), &status) != 0)
        return fail(system_error("measure a container's disk", errno));
    return status;
}

std::int64_t used(const struct statvfs& status) {
    return static_cast<std::int64_t>((status.f_blocks - status.f_bfree) * status.f_frsize);
}

}  // namespace

bool DiskImage::works(const fs::path& scratch) {
    const DiskImage probe(scratch);
    const auto clear = [&] {
        (void)::umount2(probe.path().c_str(), MNT_DETACH);
        return remove_tree(scratch).has_value();
    };
    constexpr std::int64_t some = 1 << 24;
    const bool works = clear() && make_directories(scratch) && probe.create(some) &&
                       probe.mount() && probe.hold_to(some);
    return clear() && works;
}

bool DiskImage::exists() const {
    std::error_code ignored;
    return fs::exists(file(), ignored);
}

bool DiskImage::mounted() const {
    struct stat inside{}, outside{};
    return ::stat(path().c_str(), &inside) == 0 && ::stat(directory_.c_str(), &outside) == 0 &&
           inside.st_dev != outside.st_dev;
}

Result<> DiskImage::create(std::int64_t bytes) const {
    BERTH_TRY(make_directories(path(), root_only));
    BERTH_TRY(fault::at("engine.disk"));
    {
        const Fd image(::open(file().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        const auto room = std::max(bytes * room_to_grow, made_for_bytes_min);
        if (!image || ::ftruncate(image.get(), room / (own_share - 1) * own_share) != 0)
            return fail(system_error("make a disk image", errno));
    }
    BERTH_TRY(fault::at("engine.disk.made"));
    // Inodes are bounded with the size, because their tables count for nobody.
    BERTH_TRY(
        run_checked({.argv = {"mkfs.ext4", "-q", "-F", "-m", "0", "-i", "32768", "-O",
                              "^resize_inode", "-J", "size=16", "-E",
                              "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
                              file().string()}}));
    return {};
}

Result<> DiskImage::mount() const {
    if (!exists() || mounted()) return {};
    std::string name;
    const Fd device = BERTH_TRY(attach(file(), name));
    BERTH_TRY(fault::at("engine.disk.mount"));
    if (::mount(device_path(name).c_str(), path().c_str(), "ext4", MS_NODEV | MS_NOSUID,
                mount_options) != 0) {
        return fail(system_error("mount a container's disk", errno)
                        .next("look at the kernel's log; a snapshot of the container can be forked "
                              "into a new one"));
    }
    // Set-user-id programs lie here; containers see them through the overlay alone.
    if (::chmod(path().c_str(), root_only) != 0)
        return fail(system_error("close a container's disk to others", errno));
    return {};
}

bool DiskImage::gave_up() const {
    if (!mounted()) return false;
    const Fd file(::open(path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    return !file && (errno == EROFS || errno == EIO);
}

Result<> DiskImage::hold_to(std::int64_t bytes) const {
    struct stat image{};
    if (::stat(file().c_str(), &image) != 0)
        return fail(system_error("look at a disk image", errno));
    if (bytes > made_for(image.st_size))
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("the container's disk was made for at most {} bytes",
                                           made_for(image.st_size)))
                        .at("/disk_bytes")
                        .next("make another container with that disk_bytes"));
    if (!mounted()) return {};
    const auto status = BERTH_TRY(room(path()));
    if (used(status) > bytes) return fail(used_now(used(status)));
    const auto blocks = static_cast<std::int64_t>(status.f_blocks);
    return keep_back(blocks - bytes / static_cast<std::int64_t>(status.f_frsize));
}

Result<> DiskImage::make_way() const {
    return mounted() ? keep_back(0) : Result<>();
}

Result<> DiskImage::fill() const {
    return keep_back(static_cast<std::int64_t>(BERTH_TRY(room(path())).f_bfree));
}

Result<> DiskImage::keep_back(std::int64_t blocks) const {
    const auto name = BERTH_TRY(device_name(path()));
    return write_kernel_file(fmt::format("/sys/fs/ext4/{}/reserved_clusters", name),
                             std::to_string(std::max<std::int64_t>(blocks, 0)));
}

Result<DiskUse> DiskImage::use() const {
    if (mounted()) return DiskUse{.bytes = used(BERTH_TRY(room(path())))};
    struct stat image{};
    if (::stat(file().c_str(), &image) != 0)
        return fail(system_error("look at a disk image", errno));
    return DiskUse{.bytes = image.st_blocks * stat_block_bytes, .exact = false};
}

}  // namespace berth::engine

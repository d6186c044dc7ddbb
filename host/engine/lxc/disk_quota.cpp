// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/disk_quota.h"

#include "base/fault.h"
#include "base/files.h"
#include "host/engine/lxc/disk_use.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t block_bytes = 1024;  // QIF_DQBLKSIZE, which has a sign in the header
/// Files are bounded with the bytes, as an image's are by its tables.
constexpr std::int64_t bytes_per_file = 8192;
constexpr std::int64_t files_min = 32768;

Error quota_error(std::string_view doing) {
    return system_error(fmt::format("{} a container's disk quota", doing), errno);
}

/// quotactl_fd(2), which needs no name of the disk.
template <typename Argument>
bool control(const Fd& directory, unsigned command, std::uint32_t project, Argument& argument) {
    return ::syscall(SYS_quotactl_fd, directory.get(), QCMD(command, PRJQUOTA), project,
                     &argument) == 0;
}

std::uint32_t project_of(const Fd& directory) {
    fsxattr attributes{};
    if (!directory || ::ioctl(directory.get(), FS_IOC_FSGETXATTR, &attributes) != 0) return 0;
    return (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0 ? attributes.fsx_projid : 0;
}

Fd opened(const fs::path& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

}  // namespace

bool DiskQuota::works(const fs::path& scratch) {
    constexpr std::uint32_t probe_project = 0x62657274;  // far from every range of uids
    const DiskQuota probe(scratch);
    const auto made = [&] {
        if (!remove_tree(scratch) || !make_directories(probe.path(), 0700)) return false;
        fs_quota_statv state{};
        state.qs_version = FS_QSTATV_VERSION1;
        // Some file systems count without holding anybody to it.
        return control(opened(probe.path()), Q_XGETQSTATV, 0, state) &&
               (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0 &&
               probe.create(block_bytes, probe_project) && probe.use() && probe.make_way();
    }();
    return remove_tree(scratch) && made;
}

bool DiskQuota::exists() const {
    return project_of(opened(path())) != 0;
}

Result<> DiskQuota::create(std::int64_t bytes, std::uint32_t project) const {
    BERTH_TRY(make_directories(path(), 0700));  // set-user-id programs lie here
    BERTH_TRY(fault::at("engine.disk"));
    const Fd directory = opened(path());
    fsxattr attributes{};
    if (!directory || ::ioctl(directory.get(), FS_IOC_FSGETXATTR, &attributes) != 0)
        return fail(quota_error("look at"));
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    attributes.fsx_projid = project;
    if (::ioctl(directory.get(), FS_IOC_FSSETXATTR, &attributes) != 0)
        return fail(quota_error("make"));
    BERTH_TRY(fault::at("engine.disk.made"));
    return bound(bytes);
}

Result<> DiskQuota::hold_to(std::int64_t bytes) const {
    const auto used = BERTH_TRY(use()).bytes;
    return used > bytes ? fail(used_now(used)) : bound(bytes);
}

Result<> DiskQuota::make_way() const {
    return bound(0);
}

Result<> DiskQuota::fill() const {
    return bound(std::max(BERTH_TRY(use()).bytes, block_bytes));
}

/// 0 takes the limit away.
Result<> DiskQuota::bound(std::int64_t bytes) const {
    const Fd directory = opened(path());
    if_dqblk limit{};
    limit.dqb_valid = QIF_LIMITS;
    limit.dqb_bhardlimit = static_cast<std::uint64_t>((bytes + block_bytes - 1) / block_bytes);
    if (bytes > 0)
        limit.dqb_ihardlimit =
            static_cast<std::uint64_t>(std::max(bytes / bytes_per_file, files_min));
    if (!directory || !control(directory, Q_SETQUOTA, project_of(directory), limit))
        return fail(quota_error("set"));
    return {};
}

Result<DiskUse> DiskQuota::use() const {
    const Fd directory = opened(path());
    if_dqblk found{};
    if (!directory || !control(directory, Q_GETQUOTA, project_of(directory), found))
        return fail(quota_error("read"));
    return DiskUse{.bytes = static_cast<std::int64_t>(found.dqb_curspace)};
}

}  // namespace berth::engine

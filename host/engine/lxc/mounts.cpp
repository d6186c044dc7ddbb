// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/mounts.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ranges>
#include <string>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t holder_stack_bytes = 64UL * 1024;

/// Waits to be killed, and not for a pipe to close: children that other threads make at the same
/// time would hold each other's pipes open, for ever. Only system calls here, and no memory of its
/// own but the stack.
int hold_namespace(void* parent) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (::getppid() == *static_cast<const pid_t*>(parent)) (void)::pause();
    ::_exit(0);
}

/// As the kernel reads it (user_namespaces(7)).
std::string text_of(const IdMap& map) {
    std::string text;
    for (const auto& [on_disk, seen, count] : map)
        text += fmt::format("{} {} {}\n", on_disk, seen, count);
    return text;
}

}  // namespace

Error failed(std::string_view doing) {
    return system_error(doing, errno);
}

Result<Fd> user_namespace(const IdMap& users, const IdMap& groups) {
    // Only a process can carry a new namespace to where its maps can be written, so one is made and
    // let go. It shares our memory: to copy that would hold up every thread.
    alignas(16) std::array<std::byte, holder_stack_bytes> stack;
    pid_t parent = ::getpid();
    const pid_t pid = ::clone(hold_namespace, stack.data() + stack.size(),
                              CLONE_NEWUSER | CLONE_VM | SIGCHLD, &parent);
    if (pid < 0) return fail(failed("make a user namespace"));
    auto mapped = write_kernel_file(fmt::format("/proc/{}/uid_map", pid), text_of(users));
    if (mapped) mapped = write_kernel_file(fmt::format("/proc/{}/gid_map", pid), text_of(groups));
    Fd descriptor(::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC));
    const Error open_error = failed("open the user namespace");
    (void)::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (!mapped) return fail(mapped.error());
    if (!descriptor) return fail(open_error);
    return descriptor;
}

bool is_mount_point(int directory, const char* path) {
    struct statx status{};
    if (::statx(directory, path, AT_NO_AUTOMOUNT | (*path == '\0' ? AT_EMPTY_PATH : 0), STATX_MODE,
                &status) != 0)
        return false;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<> unmount_all(const fs::path& point) {
    while (is_mount_point(AT_FDCWD, point.c_str())) {
        if (::umount2(point.c_str(), MNT_DETACH) != 0)
            return fail(failed(fmt::format("unmount '{}'", point.string())));
    }
    return {};
}

Fd open_below(int parent, const char* path) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
    return Fd(static_cast<int>(::syscall(SYS_openat2, parent, path, &how, sizeof(how))));
}

Result<Fd> open_directory(const fs::path& path) {
    Fd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail(failed(fmt::format("open '{}'", path.string())));
    return directory;
}

Result<Fd> walk(const fs::path& root, std::string_view inside, std::int64_t uid_base, bool make) {
    Fd at = BERTH_TRY(open_directory(root));
    for (const auto part : std::views::split(inside, '/')) {
        const std::string name(std::string_view{part});
        Fd next = open_below(at.get(), name.c_str());
        if (!next && errno == ENOENT && !make) return Fd();
        if (!next && errno == ENOENT) {
            const auto owner = static_cast<uid_t>(uid_base);
            if (::mkdirat(at.get(), name.c_str(), 0755) != 0 ||
                ::fchownat(at.get(), name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
                return fail(failed(fmt::format("make '/{}' in the container", inside)));
            next = open_below(at.get(), name.c_str());
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

}  // namespace berth::engine

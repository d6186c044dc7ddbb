// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/apparmor_profile.h"

#include "base/files.h"
#include "base/subprocess.h"

#include <fmt/format.h>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

/// What a system container needs is allowed as a whole, and what it never needs is denied: a denial
/// wins over every permission. `abi` is the language of AppArmor 3.0, so that newer kernels do not
/// mediate what this text does not speak of. The paths are those that systemd and liblxc mount at.
constexpr std::string_view rules = R"(
  capability,
  network,
  file,
  dbus,
  unix,
  mount,
  remount,
  umount,
  pivot_root,

  # Among themselves; the host may look at them and end them.
  signal peer=@{profile_name},
  signal (receive) peer=unconfined,
  ptrace peer=@{profile_name},
  ptrace (readby, tracedby) peer=unconfined,

  # The kernel's own code and hardware, and the policy itself.
  deny capability mac_admin,
  deny capability mac_override,
  deny capability sys_module,
  deny capability sys_rawio,
  deny capability sys_time,

  # File systems of disks and of other machines, and those that show the kernel's inside.
  deny mount fstype=(bcachefs, btrfs, erofs, exfat, ext2, ext3, ext4, f2fs, hfs, hfsplus, iso9660, jfs, minix, msdos),
  deny mount fstype=(nilfs2, ntfs, ntfs3, reiserfs, squashfs, udf, ufs, vfat, xfs, zfs, zonefs),
  deny mount fstype=(9p, afs, ceph, cifs, nfs, nfs4, smb3, virtiofs),
  deny mount fstype=(configfs, debugfs, efivarfs, pstore, securityfs, tracefs),

  # What acts on the whole machine.
  deny /proc/sysrq-trigger rwklx,
  deny /proc/kcore rwklx,
  deny /proc/{acpi,bus,fs,irq,scsi}/** wklx,
  deny /proc/sys/{abi,crypto,debug,dev,sunrpc,vm}/** wklx,
  deny /proc/sys/fs/[^bm]*{,/**} wklx,
  deny /proc/sys/kernel/{acct,bpf_*,cad_pid,core_*,ctrl-alt-del,dmesg_restrict,ftrace_*,hotplug,hung_*,io_*} wklx,
  deny /proc/sys/kernel/{kexec_*,kptr_restrict,modprobe,modules_disabled,nmi_*,numa_*,oops_*,panic*,perf_*} wklx,
  deny /proc/sys/kernel/{pid_max,poweroff_cmd,print*,pty/max,randomize_*,sched_*,seccomp/**,soft*,stack_*} wklx,
  deny /proc/sys/kernel/{sysrq,tainted,task_*,threads-max,timer_*,traceoff_*,unknown_*,unprivileged_*,usermodehelper/**} wklx,
  deny /proc/sys/kernel/{watchdog*,yama/**} wklx,
  deny /sys/{block,bus,firmware,hypervisor,kernel,module,power}/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/{debug,security,tracing}/** rwklx,
  deny /dev/{kmem,mem,port} rwklx,
)";

bool enabled() {
    const auto parameter = read_file("/sys/module/apparmor/parameters/enabled");
    return parameter && parameter->starts_with('Y');
}

}  // namespace

std::string apparmor_profile() {
    return fmt::format(
        "abi <abi/3.0>,\ninclude <tunables/global>\n\n"
        "profile {} flags=(attach_disconnected, mediate_deleted) {{{}}}\n",
        apparmor_profile_name, rules);
}

Result<> load_apparmor_profile(const fs::path& directory) {
    if (!enabled()) return fail(ErrorCode::unsupported, "this kernel runs without AppArmor");
    const fs::path source = directory / "apparmor";
    BERTH_TRY(write_file_atomically(source, apparmor_profile()));
    BERTH_TRY(
        run_checked({.argv = {"apparmor_parser", "--replace", "--skip-cache", source.string()}}));
    return {};
}

}  // namespace berth::engine

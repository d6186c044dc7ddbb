# SPDX-License-Identifier: Apache-2.0
"""What no container does to the kernel, its settings, its devices and its file systems.

Each attempt is one that would do no harm if it were let through.
"""
import ctypes
import fcntl
import os
import socket
import stat
import struct
import time

from kernel import (CLONE_NEWCGROUP, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, MNT_DETACH, MS_PRIVATE, MS_REC, Verdict,
                    become_root_of_own_namespace, call, call_32bit, check, in_child, libc, low_memory, mount)
from registry import forbidden

NOWHERE = ctypes.create_string_buffer(4096)


def refused_call(area, says, root, name, *arguments, user=None):
    forbidden(area, says, root, user)(lambda: call(name, *arguments))


# System calls that the seccomp profile refuses, whoever asks.
KERNEL = "the kernel"
refused_call(KERNEL, "load a kernel module", "EPERM", "init_module", NOWHERE, 0, "")
refused_call(KERNEL, "load a kernel module from a file", "EPERM", "finit_module", -1, "", 0)
refused_call(KERNEL, "remove a kernel module", "EPERM", "delete_module", "no_such_module_of_berth", 0)
refused_call(KERNEL, "put another kernel in place", "EPERM", "kexec_load", 0, 0, None, 0)
refused_call(KERNEL, "put another kernel in place from a file", "EPERM", "kexec_file_load", -1, -1, 0, None, 0)
refused_call(KERNEL, "load a BPF program", "EPERM", "bpf", 5, NOWHERE, 0)
refused_call(KERNEL, "measure performance events", "EPERM", "perf_event_open", NOWHERE, 0, -1, -1, 0)
refused_call(KERNEL, "handle page faults in user space", "EPERM", "userfaultfd", 0)
refused_call(KERNEL, "set up io_uring", "ENOSYS", "io_uring_setup", 1, NOWHERE)
refused_call(KERNEL, "enter an io_uring", "ENOSYS", "io_uring_enter", -1, 0, 0, 0, None, 0)
refused_call(KERNEL, "register with an io_uring", "ENOSYS", "io_uring_register", -1, 0, None, 0)
refused_call(KERNEL, "ask the host's keyrings", "ENOSYS", "keyctl", 0, -3, 0)
refused_call(KERNEL, "add a key to a keyring", "ENOSYS", "add_key", "user", "berth", "x", 1, -3)
refused_call(KERNEL, "request a key", "ENOSYS", "request_key", "user", "berth", None, -3)
refused_call(KERNEL, "move pages into a pipe", "EPERM", "vmsplice", -1, NOWHERE, 0, 0)
refused_call(KERNEL, "name a profiler's cookie", "EPERM", "lookup_dcookie", 0, NOWHERE, 0)
refused_call(KERNEL, "use a call that kernels have dropped", "ENOSYS", "_sysctl", NOWHERE)
refused_call(KERNEL, "read the host's kernel log", "EPERM", "syslog", 3, NOWHERE, 4096)
refused_call(KERNEL, "say how loud the host's console is", "EPERM", "syslog", 8, None, 7)


@forbidden(KERNEL, "set up io_uring by the 32-bit gate", "ENOSYS")
def io_uring_32bit():
    in_child(lambda: call_32bit(425, 1, 0))


@forbidden(KERNEL, "load a BPF program by the 32-bit gate", "EPERM")
def bpf_32bit():
    in_child(lambda: call_32bit(357, 5, 0, 0))


@forbidden(KERNEL, "call by the x32 gate", "ENOSYS")
def x32():
    check(libc.syscall(ctypes.c_long(0x40000000 + 425), 1, NOWHERE))


@forbidden(KERNEL, "become root of an own user namespace and load a module", "EPERM")
def module_in_namespace():
    in_child(lambda: (become_root_of_own_namespace(), call("init_module", NOWHERE, 0, "")))


# The machine as a whole.
MACHINE = "the machine"
refused_call(MACHINE, "say what Ctrl-Alt-Del does to the host", "EINVAL", "reboot", 0xfee1dead, 672274793, 0x89ABCDEF, 0,
             user="EPERM")
refused_call(MACHINE, "start to swap to a file", "EPERM", "swapon", "/root/swap", 0)
refused_call(MACHINE, "stop the host's swapping", "EPERM", "swapoff", "/no/swap")
refused_call(MACHINE, "change disk quotas", "EPERM", "quotactl", 0x800007 << 8, "/dev/none", 0, NOWHERE)
refused_call(MACHINE, "change disk quotas by descriptor", "EPERM", "quotactl_fd", -1, 0x800007 << 8, 0, NOWHERE)
refused_call(MACHINE, "account for the host's processes", "EPERM", "acct", None)
refused_call(MACHINE, "use all I/O ports", "EPERM", "iopl", 3)
refused_call(MACHINE, "use one I/O port", "EPERM", "ioperm", 0x80, 1, 1)


@forbidden(MACHINE, "set the clock", "EPERM")
def set_clock():
    now = time.time()
    call("settimeofday", struct.pack("qq", int(now), 0), None)


@forbidden(MACHINE, "set the clock by its newer call", "EPERM")
def set_clock_newer():
    time.clock_settime(time.CLOCK_REALTIME, time.time())


@forbidden(MACHINE, "tune the clock", "EPERM")
def tune_clock():
    timex = ctypes.create_string_buffer(512)
    call("adjtimex", timex)  # reading is for everybody; the answer is written back as it was
    struct.pack_into("I", timex, 0, 0x0010)  # ADJ_STATUS
    call("adjtimex", timex)


@forbidden(MACHINE, "set the hardware clock", ("ENOENT", "EPERM"))
def hardware_clock():
    os.open("/dev/rtc0", os.O_WRONLY)


# Files of the kernel.
FILES = "kernel files"


def not_writable(says, path, root, user=None):
    @forbidden(FILES, says, root, user)
    def attempt():
        os.close(os.open(path, os.O_WRONLY))


def not_readable(says, path, root, user=None):
    @forbidden(FILES, says, root, user)
    def attempt():
        with open(path, "rb", buffering=0) as file:
            if not file.read(64):
                raise Verdict("empty")


READ_ONLY = ("EROFS", "EACCES")
not_writable("say where the host's core dumps go", "/proc/sys/kernel/core_pattern", READ_ONLY)
not_writable("say how the host loads modules", "/proc/sys/kernel/modprobe", (*READ_ONLY, "ENOENT"))
not_writable("say what happens at a panic", "/proc/sys/kernel/panic", READ_ONLY)
not_writable("allow magic keys", "/proc/sys/kernel/sysrq", (*READ_ONLY, "ENOENT"))
not_writable("press a magic key", "/proc/sysrq-trigger", (*READ_ONLY, "ENOENT"))
not_writable("overcommit the host's memory", "/proc/sys/vm/overcommit_memory", READ_ONLY)
not_writable("drop the host's caches", "/proc/sys/vm/drop_caches", READ_ONLY)
not_writable("limit the host's open files", "/proc/sys/fs/file-max", READ_ONLY)
not_writable("turn off address randomisation", "/proc/sys/kernel/randomize_va_space", READ_ONLY)
not_writable("set the host's default limit of socket buffers", "/proc/sys/net/core/rmem_default", (*READ_ONLY, "ENOENT"))
not_writable("move the host's interrupts", "/proc/irq/default_smp_affinity", READ_ONLY)
not_writable("set memory types", "/proc/mtrr", (*READ_ONLY, "ENOENT"))
not_writable("register a helper for hotplug", "/sys/kernel/uevent_helper", (*READ_ONLY, "ENOENT"))
not_writable("make the kernel kill for memory", "/sys/kernel/mm/ksm/run", (*READ_ONLY, "ENOENT"))
not_writable("turn huge pages off", "/sys/kernel/mm/transparent_hugepage/enabled", (*READ_ONLY, "ENOENT"))
not_writable("profile the kernel", "/sys/kernel/profiling", READ_ONLY)
not_writable("find PCI devices anew", "/sys/bus/pci/rescan", (*READ_ONLY, "ENOENT"))
not_writable("turn a processor off", "/sys/devices/system/cpu/cpu1/online", (*READ_ONLY, "ENOENT"))
MASKED = ("empty", "EACCES", "EPERM", "ENOENT")
not_readable("read the host's memory as a core file", "/proc/kcore", MASKED)
not_readable("read the kernel's messages", "/proc/kmsg", MASKED)
not_readable("see the host's keys", "/proc/keys", MASKED)
not_readable("see the host's timers", "/proc/timer_list", MASKED)
not_readable("see how the host schedules", "/proc/sched_debug", MASKED)
not_readable("see the host's interrupts", "/proc/interrupts", MASKED)
not_readable("see where page frames are used", "/proc/kpageflags", MASKED)
not_readable("see the kernel's allocations", "/proc/vmallocinfo", MASKED)
not_readable("see the kernel's slabs", "/proc/slabinfo", MASKED)
not_readable("see the host's firmware tables", "/sys/firmware/acpi/tables/DSDT", MASKED)
not_readable("see how much power the host draws", "/sys/devices/virtual/powercap/intel-rapl/enabled", MASKED)
not_readable("look into the kernel's debugging files", "/sys/kernel/debug/sched/debug", MASKED)
not_readable("look into the kernel's traces", "/sys/kernel/tracing/trace", MASKED)


def no_addresses(says, path, column):
    @forbidden(FILES, says, "hidden")
    def attempt():
        with open(path) as file:
            seen = {line.split()[0].split("-")[column].strip("0") for line in list(file)[:200]}
        if not seen or seen == {""}:
            raise Verdict("hidden")


no_addresses("learn where the kernel's symbols are", "/proc/kallsyms", 0)
no_addresses("learn where the host's memory is", "/proc/iomem", 0)


@forbidden(FILES, "unmount what covers a kernel file, and press a magic key", (*READ_ONLY, "ENOENT"), "EPERM")
def uncovered():
    def work():
        call("unshare", CLONE_NEWNS)
        call("umount2", "/proc/sysrq-trigger", MNT_DETACH)
        os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    in_child(work)


def in_nested_namespaces(kind, then):
    """With that file system mounted anew at /mnt, uncovered, as the root of a user namespace of its own has it."""
    def work():
        become_root_of_own_namespace(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        in_child(lambda: (mount(kind, "/mnt", kind), then()))
    in_child(work)


@forbidden(FILES, "mount a /proc without covers from a user namespace of its own", "EPERM")
def nested_proc():
    in_nested_namespaces("proc", lambda: None)


@forbidden(FILES, "mount a /sys without covers from a user namespace of its own", "EPERM")
def nested_sys():
    in_nested_namespaces("sysfs", lambda: None)


@forbidden(FILES, "press a magic key in such a /proc", "EPERM")
def nested_key():
    in_nested_namespaces("proc", lambda: os.close(os.open("/mnt/sysrq-trigger", os.O_WRONLY)))


@forbidden(FILES, "say in such a /proc where the host's core dumps go", "EPERM")
def nested_setting():
    in_nested_namespaces("proc", lambda: os.close(os.open("/mnt/sys/kernel/core_pattern", os.O_WRONLY)))


@forbidden(FILES, "remount the kernel's settings for writing, and change one", READ_ONLY, "EPERM")
def remounted():
    def work():
        call("unshare", CLONE_NEWNS)
        mount(None, "/proc/sys", None, 32 | 4096)  # MS_REMOUNT | MS_BIND
        os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    in_child(work)


@forbidden(FILES, "lower the score by which the kernel chooses whom to kill", "EACCES")
def oom_score():
    with open("/proc/self/oom_score_adj") as file:
        now = int(file.read())
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(max(-1000, now - 500)))


# Devices.
DEVICES = "devices"


def no_node(says, kind, major, minor, root="EPERM"):
    @forbidden(DEVICES, says, root)
    def attempt():
        path = f"/tmp/node-{os.getpid()}-{major}-{minor}"
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
        os.unlink(path)


no_node("make a node of the host's memory", stat.S_IFCHR, 1, 1)
no_node("make a node of the kernel's log", stat.S_IFCHR, 1, 11)
no_node("make a node of a disk", stat.S_IFBLK, 8, 0)
no_node("make a node of a virtual disk", stat.S_IFBLK, 254, 0)
no_node("make a node of a loop device", stat.S_IFBLK, 7, 0)
no_node("make a node of the host's console", stat.S_IFCHR, 5, 1)
no_node("make a node of KVM", stat.S_IFCHR, 10, 232)
no_node("make a node of TUN", stat.S_IFCHR, 10, 200)
for _path, _what in (("mem", "the host's memory"), ("kmsg", "the kernel's log"), ("port", "I/O ports"),
                     ("sda", "a disk"), ("vda", "a virtual disk"), ("loop-control", "loop devices"),
                     ("kvm", "KVM"), ("vhost-vsock", "virtual sockets"), ("cpu/0/msr", "processor registers"),
                     ("mapper/control", "the device mapper"), ("vsock", "the hypervisor's socket"),
                     ("fuse", "FUSE, for file systems of its own"), ("net/tun", "TUN, for links of its own")):
    forbidden(DEVICES, f"open {_what}", ("ENOENT", "EPERM", "EACCES"))(
        lambda path=_path: os.open(f"/dev/{path}", os.O_RDONLY | os.O_NONBLOCK))


@forbidden(DEVICES, "put a letter into a terminal's input", "EPERM")
def tiocsti():
    master, slave = os.openpty()
    fcntl.ioctl(slave, 0x5412, b"x")


@forbidden(DEVICES, "put a letter into a terminal's input by a number with more bits", "EPERM")
def tiocsti_wide():
    master, slave = os.openpty()
    check(libc.ioctl(slave, ctypes.c_ulong(0x100005412), b"x"))


@forbidden(DEVICES, "use the console's clipboard", "EPERM")
def tioclinux():
    master, slave = os.openpty()
    fcntl.ioctl(slave, 0x541C, b"\x02")


# File systems.
MOUNTS = "mounts"


def no_mount(says, source, kind, root="EPERM", data=None):
    @forbidden(MOUNTS, says, root, "EPERM")
    def attempt():
        def work():
            call("unshare", CLONE_NEWNS)
            mount(None, "/", None, MS_REC | MS_PRIVATE)
            mount(source, "/mnt", kind, 0, data)
        in_child(work)


no_mount("mount a block file system", "/dev/vda", "ext4", ("EPERM", "EACCES", "ENOENT"))
no_mount("mount the kernel's debugging files", "none", "debugfs", ("EPERM", "EACCES"))
no_mount("mount the kernel's traces", "none", "tracefs", ("EPERM", "EACCES"))
no_mount("mount the kernel's security files", "none", "securityfs", ("EPERM", "EACCES", "ENODEV"))
no_mount("mount the kernel's configuration files", "none", "configfs", ("EPERM", "EACCES", "ENODEV"))
no_mount("mount the firmware's variables", "none", "efivarfs", ("EPERM", "EACCES", "ENODEV"))
no_mount("mount device nodes of the host", "none", "devtmpfs", "EPERM")
no_mount("mount an NFS share", "127.0.0.1:/", "nfs", ("EPERM", "EACCES", "ENODEV"), "addr=127.0.0.1")
no_mount("make a new cgroup hierarchy", "none", "cgroup", ("EPERM", "ENODEV"), "none,name=berthprobe")


@forbidden(MOUNTS, "open a file of the host by its handle", "EPERM")
def by_handle():
    handle = ctypes.create_string_buffer(136)
    struct.pack_into("II", handle, 0, 8, 1)
    call("open_by_handle_at", os.open("/", os.O_RDONLY), handle, 0)


@forbidden(MOUNTS, "watch the files of all processes", "EPERM")
def watch_all():
    call("fanotify_init", 0x04, os.O_RDONLY)  # FAN_CLASS_CONTENT


@forbidden(MOUNTS, "make a device node usable on a file system of one's own", ("EPERM", "EACCES"))
def node_on_tmpfs():
    def work():
        become_root_of_own_namespace(CLONE_NEWNS)
        mount("none", "/mnt", "tmpfs")
        os.mknod("/mnt/mem", stat.S_IFCHR | 0o600, os.makedev(1, 1))
    in_child(work)


# Control groups.
GROUPS = "control groups"
UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def _own_mount(controller):
    """The container's own group at /mnt/cg. In v2 what is below it belongs to the container, limits too."""
    call("unshare", CLONE_NEWNS | (0 if UNIFIED else CLONE_NEWCGROUP))
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("none", "/mnt", "tmpfs")
    os.mkdir("/mnt/cg")
    if UNIFIED:
        mount("none", "/mnt/cg", "cgroup2")
    else:
        mount("none", "/mnt/cg", "cgroup", 0, controller)


def no_write(says, controller, name, unified=None, root=("EACCES", "EPERM", "ENOENT", "EROFS")):
    @forbidden(GROUPS, says, root, "EPERM")
    def attempt():
        def work():
            _own_mount(controller)
            os.close(os.open(f"/mnt/cg/{unified if UNIFIED and unified else name}", os.O_WRONLY))
        in_child(work)


no_write("have a program of its own run by the host when a group empties", "memory", "release_agent")
no_write("raise its own memory limit", "memory", "memory.limit_in_bytes", "memory.max")
no_write("raise its own limit of processes", "pids", "pids.max", "pids.max")
no_write("raise its own share of the processors", "cpu", "cpu.cfs_quota_us", "cpu.max")
no_write("give itself devices", "devices", "devices.allow")


@forbidden(GROUPS, "leave its control group for one above", ("ENOENT", "EACCES", "EPERM", "EROFS"), ("EPERM", "ENOENT"))
def leave_group():
    def work():
        _own_mount("memory")
        os.close(os.open("/mnt/cg/../../cgroup.procs", os.O_WRONLY))
    in_child(work)


@forbidden(GROUPS, "see a control group above its own", "own only")
def groups_above():
    with open("/proc/self/mountinfo") as file:
        roots = [line.split()[3] for line in file if " - cgroup" in line]
    with open("/proc/self/cgroup") as file:
        paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
    if not any(".." in path for path in roots + paths):
        raise Verdict("own only")
    raise Verdict(f"{roots} {paths}")


# Sockets.
SOCKETS = "socket families"
for _family, _name in ((38, "the kernel's ciphers"), (40, "virtual machines and the hypervisor"), (21, "RDS"),
                       (30, "TIPC"), (29, "CAN"), (31, "Bluetooth"), (44, "XDP"), (33, "RxRPC"), (41, "KCM"),
                       (43, "SMC"), (9, "X.25"), (3, "amateur radio"), (26, "LLC")):
    forbidden(SOCKETS, f"open a socket for {_name}", "EAFNOSUPPORT")(
        lambda family=_family: check(libc.socket(family, socket.SOCK_DGRAM, 0)))


@forbidden(SOCKETS, "open a socket for the kernel's ciphers by a number with more bits", "EAFNOSUPPORT")
def alg_wide():
    check(libc.syscall(ctypes.c_long(41), ctypes.c_long(0x100000000 + 38), 5, 0))


@forbidden(SOCKETS, "open a socket for virtual machines by the 32-bit gate", "EAFNOSUPPORT")
def vsock_32bit():
    in_child(lambda: call_32bit(359, 40, 1, 0))


@forbidden(SOCKETS, "open a socket by the 32-bit call that hides its arguments", "ENOSYS")
def vsock_socketcall():
    def work():
        page, address = low_memory(struct.pack("<3I", 40, 1, 0))
        call_32bit(102, 1, address)
    in_child(work)

# SPDX-License-Identifier: Apache-2.0
"""What people do in a machine of their own, and a container must therefore allow."""
import ctypes
import fcntl
import glob
import mmap
import os
import pty
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from kernel import (CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, MS_BIND, MS_PRIVATE, MS_REC,
                    become_root_of_own_namespace, call, check, in_child, libc, mount)
from registry import FACTS, needed


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-200:]}")
    return done.stdout


def runs(area, says, *argv, user="allowed"):
    needed(area, says, user)(lambda: run(*argv))


def as_root(work):
    """Ordinary users are told EPERM by whichever program they ask, in its own words."""
    if os.getuid() != 0:
        raise PermissionError(1, "root's alone")
    work()


SYSTEM = "system"


@needed(SYSTEM, "an init that is process 1")
def init():
    assert os.stat("/proc/1").st_uid == 0 and "systemd" in open("/proc/1/comm").read()


@needed(SYSTEM, "systemd that is up, or up but for units that it names")
def systemd():
    done = subprocess.run(["systemctl", "is-system-running", "--wait"], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() in ("running", "degraded"), done
    failed = run("systemctl", "list-units", "--failed", "--no-legend", "--plain").split("\n")
    names = {line.split()[0] for line in failed if line}
    assert names <= set(FACTS["failed_units_allowed"]), names


@needed(SYSTEM, "a service started and stopped", "EPERM")
def service():
    as_root(lambda: (run("systemd-run", "--unit=berth-probe", "sleep", "60"),
                     run("systemctl", "stop", "berth-probe")))


@needed(SYSTEM, "a timer that fires", "EPERM")
def timer():
    def work():
        mark = "/tmp/timer-mark"
        run("systemd-run", "--unit=berth-probe-timer", "--on-active=100ms", "--timer-property=AccuracySec=10ms",
            "touch", mark)
        end = time.monotonic() + 30
        while not os.path.exists(mark):
            assert time.monotonic() < end, "it did not fire"
            time.sleep(0.05)
        os.unlink(mark)
    as_root(work)


needed(SYSTEM, "a journal", "EPERM")(lambda: as_root(lambda: run("journalctl", "-n", "1", "--no-pager")))
runs(SYSTEM, "packages listed", "dpkg", "-l", "bash")
runs(SYSTEM, "a package's dependencies worked out", "apt-get", "-s", "-q", "remove", "sudo")


@needed(SYSTEM, "a package built, installed and removed", "EPERM")
def package():
    def work():
        with tempfile.TemporaryDirectory() as directory:
            os.makedirs(f"{directory}/p/DEBIAN")
            os.makedirs(f"{directory}/p/opt/berthprobe")
            open(f"{directory}/p/opt/berthprobe/file", "w").close()
            os.chmod(f"{directory}/p", 0o755)
            with open(f"{directory}/p/DEBIAN/control", "w") as control:
                control.write("Package: berthprobe\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n")
            run("dpkg-deb", "--build", "--root-owner-group", f"{directory}/p", f"{directory}/p.deb")
            run("dpkg", "-i", f"{directory}/p.deb")
            assert os.path.exists("/opt/berthprobe/file")
            run("dpkg", "-P", "berthprobe")
    as_root(work)


runs(SYSTEM, "a locale", "locale")


@needed(SYSTEM, "another host name", "EPERM")
def hostname():
    name = socket.gethostname()
    socket.sethostname(name + "x")
    socket.sethostname(name)


USERS = "users and rights"


@needed(USERS, "a user added, become and removed", "EPERM")
def users():
    def work():
        run("useradd", "-m", "probeuser")
        try:
            assert run("su", "-", "probeuser", "-c", "id -un").strip() == "probeuser"
            assert run("sudo", "-n", "-u", "probeuser", "id", "-un").strip() == "probeuser"
        finally:
            run("userdel", "-r", "-f", "probeuser")
    as_root(work)


@needed(USERS, "programs that run as their owner, for an ordinary user")
def setuid():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        # passwd(1) reads root's own file for whoever asks about himself
        name = run("id", "-un").strip()
        assert name in run("passwd", "-S", name)


@needed(USERS, "rights on a program, by setcap", "EPERM")
def setcap():
    def work():
        path = "/tmp/with-capability"
        run("cp", "/bin/true", path)
        run("setcap", "cap_net_bind_service+ep", path)
        assert "cap_net_bind_service" in run("getcap", path)
        os.unlink(path)
    as_root(work)


@needed(USERS, "files given to another user", "EPERM")
def chown():
    with tempfile.NamedTemporaryFile() as file:
        os.chown(file.name, 1234, 1234)


@needed(USERS, "an own user namespace, as unshare -Ur has")
def user_namespace():
    in_child(become_root_of_own_namespace)


@needed(USERS, "namespaces as container programs use them: user, mount, pid, network, IPC and name")
def all_namespaces():
    in_child(lambda: become_root_of_own_namespace(
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))


@needed(USERS, "a changed root", "EPERM")
def chroot():
    in_child(lambda: os.chroot("/usr"))


FILES = "files and mounts"


def in_own_mounts(work):
    def alone():
        if os.getuid():
            become_root_of_own_namespace(CLONE_NEWNS)
        else:
            call("unshare", CLONE_NEWNS)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        work()
    in_child(alone)


@needed(FILES, "an own tmpfs")
def tmpfs():
    in_own_mounts(lambda: (mount("none", "/mnt", "tmpfs"), open("/mnt/file", "w").close()))


@needed(FILES, "an own bind mount")
def bind():
    in_own_mounts(lambda: mount("/etc", "/mnt", None, MS_BIND))


@needed(FILES, "an own bind mount of all there is, with what is mounted below")
def bind_all():
    in_own_mounts(lambda: mount("/", "/mnt", None, MS_BIND | MS_REC))


@needed(FILES, "an own overlay, on a tmpfs")
def overlay():
    def work():
        mount("none", "/mnt", "tmpfs")
        for name in ("upper", "work", "all"):
            os.mkdir(f"/mnt/{name}")
        mount("overlay", "/mnt/all", "overlay", 0, "lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work")
        open("/mnt/all/new", "w").close()
    in_own_mounts(work)


@needed(FILES, "a /proc of an own process namespace", "EPERM")
def own_proc():
    def work():
        call("unshare", CLONE_NEWNS | CLONE_NEWPID)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        in_child(lambda: mount("proc", "/mnt", "proc"))
    in_child(work)


@needed(FILES, "special files: fifo and socket")
def special_files():
    with tempfile.TemporaryDirectory() as directory:
        os.mkfifo(f"{directory}/fifo")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{directory}/socket")


@needed(FILES, "extended attributes and hard links")
def attributes():
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        os.setxattr(file.name, "user.berth", b"x")
        os.link(file.name, file.name + ".link")
        os.unlink(file.name + ".link")


@needed(FILES, "locks on files")
def locks():
    with tempfile.NamedTemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)


@needed(FILES, "changes of files watched")
def inotify():
    with tempfile.TemporaryDirectory() as directory:
        watcher = call("inotify_init1", 0)
        check(libc.inotify_add_watch(watcher, directory.encode(), 0x100))
        open(f"{directory}/new", "w").close()
        assert b"new" in os.read(watcher, 4096)
        os.close(watcher)


@needed(FILES, "large files with holes")
def holes():
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        os.posix_fallocate(file.fileno(), 0, 65536)
        file.truncate(1 << 33)


PROCESSES = "processes and memory"


@needed(PROCESSES, "a child traced, as strace and gdb do")
def trace():
    pid = os.fork()
    if pid == 0:
        libc.ptrace(0, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSTOPPED(status)
    check(libc.ptrace(7, pid, 0, 0))
    assert os.waitpid(pid, 0)[1] == 0


@needed(PROCESSES, "the memory of a child read")
def read_child():
    value = ctypes.create_string_buffer(b"berth", 8)
    copy = ctypes.create_string_buffer(8)
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    try:
        vector = [struct.pack("PN", ctypes.addressof(buffer), 8) for buffer in (copy, value)]
        call("process_vm_readv", pid, vector[0], 1, vector[1], 1, 0)
        assert copy.value == b"berth"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@needed(PROCESSES, "a thousand processes within the limit")
def thousand():
    pids = []
    try:
        for _ in range(1000):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            pids.append(pid)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@needed(PROCESSES, "limits lowered")
def lower_limit():
    in_child(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)))


@needed(PROCESSES, "as many open files as a database wants")
def many_files():
    def work():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert hard >= 4096, hard  # 524,288 where berthd may raise its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    in_child(work)


@needed(PROCESSES, "memory locked within the limit")
def lock_memory():
    page = mmap.mmap(-1, 65536)
    check(libc.mlock(ctypes.byref(ctypes.c_char.from_buffer(page)), ctypes.c_size_t(65536)))


@needed(PROCESSES, "niceness raised, and a batch class chosen")
def nice():
    in_child(lambda: (os.nice(5), os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))))


@needed(PROCESSES, "a process held by descriptor")
def pidfd():
    os.close(os.pidfd_open(os.getpid()))


@needed(PROCESSES, "events: epoll, eventfd, timerfd, signalfd")
def events():
    with select.epoll() as waiting:
        event = call("eventfd2", 0, 0)
        waiting.register(event, select.EPOLLIN)
        os.write(event, struct.pack("Q", 1))
        assert waiting.poll(1)
        os.close(event)
    for descriptor in (libc.timerfd_create(1, 0), libc.signalfd(-1, ctypes.create_string_buffer(128), 0)):
        os.close(check(descriptor))


@needed(PROCESSES, "a file in memory, executed")
def memfd():
    file = os.memfd_create("true")
    with open("/bin/true", "rb") as program:
        os.write(file, program.read())
    run(f"/proc/self/fd/{file}", pass_fds=(file,))
    os.close(file)


@needed(PROCESSES, "memory that is written and then run, as compilers at run time do")
def just_in_time():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page[0:6] = b"\xb8\x2a\0\0\0\xc3"  # mov eax, 42; ret
    assert ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() == 42


@needed(PROCESSES, "shared memory and /dev/shm")
def shared_memory():
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(65536)
        with mmap.mmap(file.fileno(), 65536) as memory:
            memory[0] = 1


@needed(PROCESSES, "System V shared memory and semaphores")
def system_v():
    memory = call("shmget", 0, 65536, 0o600)
    call("shmctl", memory, 0, None)
    semaphores = call("semget", 0, 4, 0o600)
    call("semctl", semaphores, 0, 0)


@needed(PROCESSES, "message queues")
def queues():
    name = f"berth-{os.getpid()}"
    os.close(call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o600, None))
    call("mq_unlink", name)


TERMINALS = "devices and terminals"


@needed(TERMINALS, "a terminal of its own")
def terminal():
    master, slave = pty.openpty()
    assert os.ttyname(slave).startswith("/dev/pts/")
    os.write(master, b"x\n")
    assert os.read(slave, 16) == b"x\n"
    os.close(master), os.close(slave)


for _name in ("null", "zero", "full", "random", "urandom", "ptmx"):
    needed(TERMINALS, f"/dev/{_name}")(lambda name=_name: os.close(os.open(f"/dev/{name}", os.O_RDWR | os.O_NOCTTY)))


NETWORK = "its own network"
runs(NETWORK, "ping to the host's bridge", "ping", "-c", "1", "-W", "5", "10.86.0.1")
runs(NETWORK, "ping to itself", "ping", "-c", "1", "-W", "5", "127.0.0.1")


@needed(NETWORK, "raw sockets", "EPERM")
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@needed(NETWORK, "packet sockets", "EPERM")
def packet():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()


@needed(NETWORK, "netlink, as ip(8) uses it")
def netlink():
    run("ip", "-j", "address")


@needed(NETWORK, "links and addresses of its own", "EPERM")
def links():
    as_root(lambda: (run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"), run("ip", "address", "add", "10.1.2.3/24", "dev", "probe0"),
                     run("ip", "link", "del", "probe0")))


@needed(NETWORK, "network settings of its own", "EACCES")
def settings():
    with open("/proc/sys/net/ipv4/ip_forward", "r+") as file:
        now = file.read()
        file.seek(0)
        file.write(now)


def _table(message, flags):
    """One nftables table, made or removed by netlink, as nft(8) does."""
    def one(kind, flags, sequence, family, resource, body=b""):
        payload = struct.pack("=BBH", family, 0, socket.htons(resource)) + body
        return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload
    name = b"probe\0\0\0"
    attribute = struct.pack("=HH", 4 + 6, 1) + name
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.bind((0, 0))
        netlink.settimeout(5)
        netlink.send(one(0x10, 1, 1, 0, 10) + one(10 << 8 | message, flags | 1 | 4, 2, 1, 0, attribute) + one(0x11, 1, 3, 0, 10))
        error = -struct.unpack("=i", netlink.recv(4096)[16:20])[0]
    if error:
        raise OSError(error, os.strerror(error))


@needed(NETWORK, "a firewall of its own", "EPERM")
def firewall():
    _table(0, 0x400)  # NFT_MSG_NEWTABLE, NLM_F_CREATE
    _table(2, 0)  # NFT_MSG_DELTABLE


@needed(NETWORK, "low ports, and services on all addresses", "EACCES")
def low_port():
    with socket.socket() as server:
        server.bind(("0.0.0.0", 81))
        server.listen()


@needed(NETWORK, "sockets of IPv6 and of Unix")
def other_sockets():
    for family in (socket.AF_INET6, socket.AF_UNIX):
        socket.socket(family).close()


@needed(NETWORK, "an SSH service", "EACCES")
def sshd():
    as_root_or = "/usr/lib/berth/sshd_config"
    if os.getuid():
        open(glob.glob("/usr/lib/berth/host_key")[0]).close()
    else:
        run("/usr/sbin/sshd", "-t", "-f", as_root_or)


@needed(NETWORK, "the name of a machine from its hosts file")
def names():
    assert socket.gethostbyname(socket.gethostname()).startswith("127.")

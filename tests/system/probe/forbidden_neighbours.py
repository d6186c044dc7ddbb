# SPDX-License-Identifier: Apache-2.0
"""What no container does to others, to the host's network, or through what berth puts into it."""
import ctypes
import glob
import os
import re
import resource
import socket
import stat
import struct
import subprocess

from kernel import (CLONE_NEWNS, MS_BIND, MS_REMOUNT, Verdict, become_root_of_own_namespace, call,
                    in_child, mount)
from registry import FACTS, forbidden

# Other containers: their names are in FACTS["others"], a list of words.
OTHERS = "other containers"


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""


def not_named(says, look):
    @forbidden(OTHERS, says, "not seen")
    def attempt():
        text = look()
        seen = [word for word in FACTS["others"] if re.search(rf"(?<![0-9a-zA-Z]){re.escape(word)}(?![0-9a-zA-Z])", text)]
        if not seen:
            raise Verdict("not seen")
        raise Verdict(f"seen: {seen}")


def _of_processes(name):
    own = str(os.getpid())  # its own arguments are the list of words
    return "\n".join(_read(path) for path in glob.glob(f"/proc/[0-9]*/{name}") if path.split("/")[2] != own)


not_named("see the processes of another", lambda: _of_processes("cmdline").replace("\0", "\n"))
not_named("see another in the environment of a process", lambda: _of_processes("environ").replace("\0", "\n"))
not_named("see another in the control groups of a process", lambda: _of_processes("cgroup"))
not_named("see the mounts of another", lambda: _of_processes("mountinfo"))
not_named("see the control groups of another",
          lambda: "\n".join(os.path.join(top, *names) if names else top for top, names, _ in os.walk("/sys/fs/cgroup")))
not_named("see the network links of another",
          lambda: " ".join(os.listdir("/sys/class/net")) + _read("/proc/net/dev") + " ".join(
              _read(path) for path in glob.glob("/sys/class/net/*/*alias")))
not_named("see the sockets of another", lambda: _read("/proc/net/unix") + _read("/proc/net/tcp"))
not_named("see another in its own hosts file", lambda: _read("/etc/hosts") + _read("/etc/hostname"))
not_named("see another in the files that berth puts into a container",
          lambda: "\n".join(_read(path) for path in glob.glob("/run/berth/*") + glob.glob("/.berth/*") + glob.glob("/dev/berth/*")))
not_named("see another in a terminal's list", lambda: " ".join(os.listdir("/dev/pts")) + " ".join(os.listdir("/dev")))
not_named("see the shared memory of another", lambda: _read("/proc/sysvipc/shm") + " ".join(os.listdir("/dev/shm")))


@forbidden(OTHERS, "signal a process of the host", "ESRCH")
def signal_host():
    os.kill(FACTS["host_pid"], 0)


@forbidden(OTHERS, "trace a process of the host", "ESRCH")
def trace_host():
    call("ptrace", 0x4206, FACTS["host_pid"], 0, 0)  # PTRACE_SEIZE


@forbidden(OTHERS, "read the memory of a process of the host", "ESRCH")
def read_host():
    buffer = ctypes.create_string_buffer(8)
    vector = struct.pack("PN", ctypes.addressof(buffer), 8)
    call("process_vm_readv", FACTS["host_pid"], vector, 1, vector, 1, 0)


@forbidden(OTHERS, "open a process of the host by descriptor", "ESRCH")
def pidfd_host():
    call("pidfd_open", FACTS["host_pid"], 0)


@forbidden(OTHERS, "become a user beyond its own range", "EINVAL")
def foreign_uid():
    in_child(lambda: os.setuid(65536 + 5))


@forbidden(OTHERS, "give a file to a user beyond its own range", "EINVAL", ("EPERM", "EINVAL"))
def foreign_owner():
    path = f"/tmp/owned-{os.getpid()}"
    open(path, "w").close()
    try:
        os.chown(path, 65536 + 5, -1)
    finally:
        os.unlink(path)


@forbidden(OTHERS, "map users beyond its own range into a namespace", "EPERM")
def foreign_map():
    def work():
        reader, writer = os.pipe()
        inside, release = os.pipe()
        pid = os.fork()
        if pid == 0:
            call("unshare", 0x10000000)
            os.write(writer, b".")
            os.read(inside, 1)
            os._exit(0)
        os.read(reader, 1)
        try:
            with open(f"/proc/{pid}/uid_map", "w") as file:
                file.write("0 65536 1000")
        finally:
            os.write(release, b".")
            os.waitpid(pid, 0)
    in_child(work)


@forbidden(OTHERS, "raise a limit of a process above what it was given", "EPERM")
def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
    except ValueError as error:  # how Python tells EPERM here
        raise PermissionError(1, str(error)) from error


@forbidden(OTHERS, "leave a core dump", "none")
def core_dump():
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 1:
        raise Verdict(f"limit {resource.getrlimit(resource.RLIMIT_CORE)}")
    pid = os.fork()
    if pid == 0:
        os.chdir("/tmp")
        os.abort()
    if not os.WCOREDUMP(os.waitpid(pid, 0)[1]):
        raise Verdict("none")


@forbidden(OTHERS, "run above all others' priority", "EPERM", "EPERM")
def priority():
    in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10)))


# Networks.
NETWORK = "networks"


def _connect(address, port, family=socket.AF_INET):
    with socket.socket(family) as client:
        client.settimeout(2)
        client.connect((address, port))


def unreachable(says, where, port, root=("ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT")):
    forbidden(NETWORK, says, root)(lambda: _connect(FACTS[where], FACTS[port]))


unreachable("reach a service of the host at the bridge's address", "gateway", "host_port")
unreachable("reach a service of the host at its other address", "host_address", "host_port")
unreachable("reach a service of another container directly", "other_address", "other_port")


def _frame(destination_mac, source_mac, kind, payload):
    def mac(text):
        return bytes.fromhex(text.replace(":", ""))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    wire.send(mac(destination_mac) + mac(source_mac) + struct.pack("!H", kind) + payload)
    return wire


def _own_mac():
    return _read("/sys/class/net/eth0/address").strip()


@forbidden(NETWORK, "reach a service of another by the route of the host's bridge", ("ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT", "EPERM"),
           "EPERM")
def by_route():
    subprocess.run(["ip", "route", "replace", FACTS["other_address"], "via", FACTS["gateway"]], check=False,
                   capture_output=True)
    try:
        if os.getuid() != 0:
            raise PermissionError(1, "routes are root's")
        _connect(FACTS["other_address"], FACTS["other_port"])
    finally:
        subprocess.run(["ip", "route", "del", FACTS["other_address"]], check=False, capture_output=True)


@forbidden(NETWORK, "get an answer from another by ARP", "ETIMEDOUT", "EPERM")
def arp():
    wire = _frame("ff:ff:ff:ff:ff:ff", _own_mac(), 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + bytes.fromhex(
        _own_mac().replace(":", "")) + socket.inet_aton(FACTS["own_address"]) + bytes(6) + socket.inet_aton(FACTS["other_address"]))
    answers = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    answers.bind(("eth0", 0x0806))
    answers.settimeout(1.5)
    wire.close()
    while True:
        frame = answers.recv(2048)
        if frame[20:22] == b"\0\2" and frame[28:32] == socket.inet_aton(FACTS["other_address"]):
            return


@forbidden(NETWORK, "create a link in the host's network", "ESRCH", ("EPERM", "ESRCH"))
def link_to_host():
    done = subprocess.run(["ip", "link", "add", "berthprobe", "type", "veth", "peer", "name", "out", "netns",
                           str(FACTS["host_pid"])], capture_output=True, text=True)
    if done.returncode == 0:
        subprocess.run(["ip", "link", "del", "berthprobe"], check=False)
        return
    raise OSError(3 if "No such process" in done.stderr or "Invalid" in done.stderr else 1, done.stderr)


# What berth itself puts in, and the known ways out.
BERTH = "berth's own files and helper"


def guest_files():
    return FACTS["guest_files"]


@forbidden(BERTH, "write to the files that berth shows read-only", "EROFS", ("EACCES", "EROFS"))
def write_guest_files():
    os.close(os.open(f"{guest_files()}/authorized_keys", os.O_WRONLY))


@forbidden(BERTH, "replace a file that berth shows read-only", "EROFS", ("EACCES", "EROFS"))
def replace_guest_file():
    os.unlink(f"{guest_files()}/authorized_keys")


@forbidden(BERTH, "remount berth's read-only files for writing", "EPERM")
def remount_guest_files():
    def work():
        call("unshare", CLONE_NEWNS)
        mount(None, guest_files(), None, MS_REMOUNT | MS_BIND)
        os.close(os.open(f"{guest_files()}/authorized_keys", os.O_WRONLY))
    in_child(work)


@forbidden(BERTH, "make berth's read-only files writable by their attributes", "EPERM")
def attributes_of_guest_files():
    def work():
        call("unshare", CLONE_NEWNS)
        attributes = struct.pack("QQQQ", 0, 1, 0, 0)  # clear MOUNT_ATTR_RDONLY
        call("mount_setattr", -100, guest_files(), 0, attributes, len(attributes))
    in_child(work)


@forbidden(BERTH, "write through a copy of berth's read-only mount", "EROFS", "EPERM")
def copy_of_guest_files():
    def work():
        call("unshare", CLONE_NEWNS)
        mount(guest_files(), "/mnt", None, MS_BIND)
        os.close(os.open("/mnt/authorized_keys", os.O_WRONLY))
    in_child(work)


@forbidden(BERTH, "unmount berth's read-only files to put others there", "EINVAL")
def unmount_guest_files():
    def work():
        become_root_of_own_namespace(CLONE_NEWNS) if os.getuid() else call("unshare", CLONE_NEWNS)
        call("umount2", guest_files(), 0)
    in_child(work)


@forbidden(BERTH, "inherit a descriptor of berth's", "three")
def descriptors():
    # Of a shell that berth started: the test looks, and tells here what it saw.
    if FACTS["descriptors"] == ["0", "1", "2"]:
        raise Verdict("three")
    raise Verdict(str(FACTS["descriptors"]))


@forbidden(BERTH, "find its working directory outside", "inside")
def working_directory():
    for path in glob.glob("/proc/[0-9]*/cwd"):
        try:
            where = os.readlink(path)
        except OSError:
            continue
        if not where.startswith("/") or "unreachable" in where:
            raise Verdict(where)
    raise Verdict("inside")


@forbidden(BERTH, "overwrite the helper that berth runs commands with", ("ETXTBSY", "EACCES", "EPERM", "EROFS"), "EACCES")
def overwrite_helper():
    found = False
    for status in glob.glob("/proc/[0-9]*/comm"):
        if _read(status).strip() == "berth-agent":
            found = True
            os.close(os.open(os.path.join(os.path.dirname(status), "exe"), os.O_WRONLY))
    if not found:
        raise Verdict("no helper")


@forbidden(BERTH, "reach a descriptor of the helper that leads outside", "inside", ("EACCES", "inside"))
def helper_descriptors():
    outside = []
    for status in glob.glob("/proc/[0-9]*/comm"):
        if _read(status).strip() != "berth-agent":
            continue
        directory = os.path.join(os.path.dirname(status), "fd")
        for name in os.listdir(directory):
            kind = os.stat(os.path.join(directory, name)).st_mode
            where = os.readlink(os.path.join(directory, name))
            if (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind)) and not where.startswith("/memfd:"):
                outside.append(f"{name} {where}")
    raise Verdict("inside" if not outside else str(outside))


@forbidden(BERTH, "see more than its own root through the helper's root", "same")
def helper_root():
    own = os.stat("/")
    for status in glob.glob("/proc/[0-9]*/comm"):
        if _read(status).strip() == "berth-agent":
            try:
                root = os.stat(os.path.join(os.path.dirname(status), "root"))
            except PermissionError:
                continue
            if (root.st_dev, root.st_ino) != (own.st_dev, own.st_ino):
                raise Verdict("another root")
    raise Verdict("same")


@forbidden(BERTH, "leave a changed root by a kept descriptor, above its own root", "same")
def chroot_escape():
    own = os.stat("/")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid():
                become_root_of_own_namespace()
            kept = os.open("/", os.O_RDONLY)
            os.makedirs("/tmp/chroot-probe", exist_ok=True)
            os.chroot("/tmp/chroot-probe")
            os.fchdir(kept)
            for _ in range(64):
                os.chdir("..")
            os.chroot(".")
            top = os.stat("/")
            os.write(writer, b"same" if (top.st_dev, top.st_ino) == (own.st_dev, own.st_ino) else b"another root")
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        raise Verdict(answer.read())


@forbidden(BERTH, "move the root aside and find the host below", "no host")
def pivot():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become_root_of_own_namespace(CLONE_NEWNS) if os.getuid() else call("unshare", CLONE_NEWNS)
            mount(None, "/", None, 16384 | (1 << 18))
            mount("none", "/mnt", "tmpfs")
            os.makedirs("/mnt/old")
            call("pivot_root", "/mnt", "/mnt/old")
            os.chdir("/old")
            seen = os.path.exists("/old" + FACTS["host_only_path"])
            os.write(writer, b"the host" if seen else b"no host")
        except OSError as error:
            os.write(writer, b"no host" if error.errno in (1, 22) else str(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        raise Verdict(answer.read())


@forbidden(BERTH, "join the init of the container from a user namespace of its own", "none")
def setuid_in_namespace():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become_root_of_own_namespace()
            call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), CLONE_NEWNS)
            os.write(writer, b"joined init")
        except OSError:
            os.write(writer, b"none")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        raise Verdict(answer.read())

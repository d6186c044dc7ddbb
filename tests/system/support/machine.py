# SPDX-License-Identifier: Apache-2.0
"""A machine of its own for a test: a network and mount namespace, and a second network `outside`.

The namespaces are held by one sleeping process each and have no name, so that they end with it,
whatever happens. Everything that is the host's runs inside, started by `nsenter`.
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

HOST_ADDRESS = "192.0.2.1"
OUTSIDE_ADDRESS = "192.0.2.2"

# A fresh /sys shows the namespace's own links; the cgroup mounts below it are carried over, and where the kernel's
# security modules are spoken to is mounted again.
PREPARE = """
mount --make-rslave / && mkdir "$1" && mount --rbind /sys/fs/cgroup "$1" && mount -t sysfs sysfs /sys &&
mount --rbind "$1" /sys/fs/cgroup && umount -l "$1" && rmdir "$1" &&
{ mount -t securityfs securityfs /sys/kernel/security || true; } && ip link set lo up && echo held && exec sleep infinity
"""

# What a test sends to a port: `tcp|udp ADDRESS PORT`; prints the answer, or fails.
DIAL = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
with socket.socket(socket.AF_INET, kind) as s:
    s.settimeout(3)
    s.connect((sys.argv[2], int(sys.argv[3])))
    s.send(b"?")
    print(s.recv(4096).decode())
"""

# What answers there: `NAME ADDRESS PORT` says its name and who asked, over TCP and UDP.
ECHO = """
import select, socket, sys
name, at = sys.argv[1], (sys.argv[2], int(sys.argv[3]))
tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind(at), tcp.listen(), udp.bind(at)
print("listening", flush=True)
while True:
    for ready in select.select([tcp, udp], [], [])[0]:
        if ready is udp:
            _, peer = udp.recvfrom(64)
            udp.sendto(f"{name} {peer[0]}".encode(), peer)
        else:
            peer, address = tcp.accept()
            with peer:
                peer.sendall(f"{name} {address[0]}".encode())
"""


def die_with_parent():
    """So that a test that is killed takes its helpers along."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition, what, seconds=20.0):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.05)


class Machine:
    def __init__(self, scratch: Path):
        self.scratch = scratch
        self._host = self.hold(["unshare", "--net", "--mount", "sh", "-c", PREPARE, "sh", str(scratch / "cgroups")])
        self._outside = self.hold(["unshare", "--net", "sh", "-c", "ip link set lo up && echo held && exec sleep infinity"])
        host, outside = str(self._host.pid), str(self._outside.pid)
        self._ip("link", "add", "uplink", "netns", host, "type", "veth", "peer", "name", "world", "netns", outside)
        for run, link, address in ((self.run, "uplink", HOST_ADDRESS), (self.outside, "world", OUTSIDE_ADDRESS)):
            run(["ip", "address", "add", address + "/24", "dev", link])
            run(["ip", "link", "set", link, "up"])
        self._mounts_at_start = self.mounts()

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    @staticmethod
    def hold(argv):
        """A process that has made a namespace, says so, and sleeps there."""
        holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        if holder.stdout.readline() != "held\n":
            raise RuntimeError("a namespace could not be set up; this needs root")
        return holder

    def pid(self):
        """A process that is inside."""
        return self._host.pid

    def outside_pid(self):
        """A process that is outside."""
        return self._outside.pid

    def enter(self, argv):
        """The command line that runs argv on this machine."""
        return ["nsenter", "--target", str(self._host.pid), "--net", "--mount", "--", *map(str, argv)]

    def enter_outside(self, argv):
        return ["nsenter", "--target", str(self._outside.pid), "--net", "--", *map(str, argv)]

    def run(self, argv, check=True, **options):
        return _run(self.enter(argv), check, **options)

    def outside(self, argv, check=True, **options):
        return _run(self.enter_outside(argv), check, **options)

    def start(self, argv, **options):
        """A process that ends with the test; the caller ends it earlier."""
        options.setdefault("preexec_fn", die_with_parent)
        return subprocess.Popen(self.enter(argv), **options)

    def serve(self, name, address, port):
        """An echo service on the host itself."""
        service = self.start(["python3", "-c", ECHO, name, address, port], stdout=subprocess.PIPE, text=True)
        assert service.stdout.readline() == "listening\n"
        return service

    def mounts(self):
        """Mount point and type of each mount: fields 5 and, after the dash, 1 of mountinfo."""
        lines = Path(f"/proc/{self._host.pid}/mountinfo").read_text().splitlines()
        return Counter(f"{line.split()[4]} {line.partition(' - ')[2].split()[0]}" for line in lines)

    def new_mounts(self):
        return sorted((self.mounts() - self._mounts_at_start).elements())

    def links(self):
        """The links by name, without those that were there at the start."""
        links = json.loads(self.run(["ip", "-j", "link"]).stdout)
        return sorted(link["ifname"] for link in links if link["ifname"] not in ("lo", "uplink"))

    def listeners(self):
        """The TCP ports at which something listens."""
        return sorted(line.split()[3] for line in self.run(["ss", "-Htln"]).stdout.splitlines())

    def rules(self):
        """The ruleset, without what changes by itself."""
        def plain(value):
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items() if k not in ("handle", "metainfo", "packets", "bytes")}
            return [plain(item) for item in value] if isinstance(value, list) else value
        rules = json.loads(self.run(["nft", "-j", "list", "ruleset"]).stdout)["nftables"]
        return [plain(rule) for rule in rules if "metainfo" not in rule]

    def close(self):
        for holder in (self._host, self._outside):
            holder.kill()
            holder.wait()
            holder.stdout.close()


def _run(argv, check, **options):
    options.setdefault("timeout", 120)
    options.setdefault("text", True)
    done = subprocess.run(argv, capture_output=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv[-8:]} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return done


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes():
    """(pid, command line, cgroup text, uid) of every process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
                       (entry / "cgroup").read_text(), os.stat(entry).st_uid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked

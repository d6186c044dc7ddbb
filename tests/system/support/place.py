# SPDX-License-Identifier: Apache-2.0
"""Machines of a test that are networks alone, each with a line to one in the middle and to no other.

The test itself may step into one: what it starts then, and whoever it talks to, is there.
"""
import ctypes
import os
import signal
import subprocess

from support import long_line
from support.machine import Machine, die_with_parent

CLONE_NEWNET = 0x40000000
# Who connects gets nothing back, not even a refusal; what the machine itself begins goes on.
NOBODY_IN = ("add table inet inbound; add chain inet inbound in { type filter hook input priority 0; policy drop; }; "
             "add rule inet inbound in iif lo accept; add rule inet inbound in ct state established accept")
# As when the power is cut, or a router has forgotten: no byte comes or goes, and nobody is told.
DARK = ("add table inet dark; add chain inet dark in { type filter hook prerouting priority -400; policy drop; }; "
        "add rule inet dark in iif lo accept; add chain inet dark out { type filter hook output priority -400; policy drop; }; "
        "add rule inet dark out oif lo accept")


class Place:
    """It ends with the test, whatever happens."""

    def __init__(self):
        self._holder = Machine.hold(["unshare", "--net", "sh", "-c", "ip link set lo up && echo held && exec sleep infinity"])

    def enter(self, argv):
        """The command line that runs argv there."""
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--", *map(str, argv)]

    def run(self, argv, **options):
        return subprocess.run(self.enter(argv), check=True, capture_output=True, text=True, timeout=60, **options).stdout

    def start(self, argv):
        """A process that ends with the test; the caller ends it earlier."""
        return subprocess.Popen(self.enter(argv), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def connect(self, other, line, own, others):
        """A line between both, with these addresses at its ends."""
        subprocess.run(["ip", "link", "add", line, "netns", str(self._holder.pid), "type", "veth", "peer", "name", line, "netns",
                        str(other._holder.pid)], check=True)
        for place, address in ((self, own), (other, others)):
            place.run(["ip", "address", "add", address + "/24", "dev", line])
            place.run(["ip", "link", "set", line, "up"])

    def connect_far(self, other, line, own, others, bits_per_second, round_trip_seconds):
        """A long line, which a process of its own carries; how to end that."""
        told, tell = os.pipe()
        carrier = os.fork()
        if carrier == 0:
            die_with_parent()
            long_line.carry(self._holder.pid, other._holder.pid, line, bits_per_second, round_trip_seconds, lambda: os.write(tell, b"!"))
        os.read(told, 1)
        os.close(told)
        os.close(tell)
        for place, address, far in ((self, own, others), (other, others, own)):
            place.run(["ip", "link", "set", line, "txqueuelen", "10000", "up"])
            place.run(["ip", "address", "add", address, "dev", line])
            place.run(["ip", "route", "add", far, "dev", line, "src", address])

        def end():
            os.kill(carrier, signal.SIGKILL)
            os.waitpid(carrier, 0)
        return end

    def let_nobody_in(self):
        self.run(["nft", NOBODY_IN])

    def go_dark(self):
        self.run(["nft", DARK])

    def be_back(self):
        self.run(["nft", "delete table inet dark"])

    def step_in(self):
        """This thread, and what it starts from now on, is there; how to go back."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self._holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _set_namespace(there)
        os.close(there)

        def go_back():
            _set_namespace(home)
            os.close(home)
        return go_back

    def close(self):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()


def _set_namespace(descriptor):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")

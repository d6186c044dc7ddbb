# SPDX-License-Identifier: Apache-2.0
"""A long line between two network namespaces: so many bits a second, so far, and a queue of one round trip.

It carries packets between two TUN devices in this process, and so needs no netem of the kernel's. What reads or writes
the devices needs root.
"""
import ctypes
import fcntl
import os
import select
import struct
import time
from collections import deque

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000  # linux/if_tun.h
CLONE_NEWNET = 0x40000000
PACKET_BYTES_MAX = 65536
READS_PER_TURN = 64


def open_device(namespace_pid, name):
    """A TUN device in the network namespace of that process; this process stays in it."""
    namespace = os.open(f"/proc/{namespace_pid}/ns/net", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Direction:
    def __init__(self, source, target, bits_per_second, one_way_seconds):
        self.source, self._target = source, target
        self._seconds_per_byte, self._delay = 8 / bits_per_second, one_way_seconds
        self._under_way = deque()
        self._free_at = 0.0  # when the link has sent what it was given

    def take(self, now):
        for _ in range(READS_PER_TURN):
            try:
                packet = os.read(self.source, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            begin = max(self._free_at, now)
            if begin - now > 2 * self._delay:
                continue  # the queue is full
            self._free_at = begin + len(packet) * self._seconds_per_byte
            self._under_way.append((self._free_at + self._delay, packet))

    def give(self, now):
        while self._under_way and self._under_way[0][0] <= now:
            try:
                os.write(self._target, self._under_way.popleft()[1])
            except OSError:
                pass  # a link that is down loses packets

    def due(self):
        return self._under_way[0][0] if self._under_way else float("inf")


def carry(one_pid, other_pid, name, bits_per_second, round_trip_seconds, ready):
    """Until it is killed. Says `ready()` when both devices are there."""
    devices = [open_device(pid, name) for pid in (one_pid, other_pid)]
    ready()
    ways = [Direction(*pair, bits_per_second, round_trip_seconds / 2) for pair in (devices, devices[::-1])]
    while True:
        wait = min(way.due() for way in ways) - time.monotonic()
        readable = select.select(devices, [], [], max(0.0, min(wait, 1.0)))[0]
        now = time.monotonic()
        for way in ways:
            if way.source in readable:
                way.take(now)
            way.give(now)

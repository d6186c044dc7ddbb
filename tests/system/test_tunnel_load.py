#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many streams through one tunnel, and much through one stream, in little memory.

BERTH_TUNNEL_MIB says how much; 10 GiB every night.
"""
import hashlib
import os
import re
import resource
import select
import socket
import threading
import time
from pathlib import Path

from support.sentinel import main, read_all, read_some
from support.tunnel import TunnelCase

MIB = 1024 * 1024
MUCH_MIB = int(os.environ.get("BERTH_TUNNEL_MIB", "1024"))
STREAMS = 1000
MESSAGE = 64 * 1024
# What one stream may have under way (16 MiB of window, and what sockets hold), twice, and the programs themselves.
PEAK_MIB_MAX = 128
DESCRIPTORS = 512  # what the host begins with: it takes as many as it may have


def peak_mib(process):
    """The most memory it had at any time."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) // 1024


class Load(TunnelCase):
    def check_memory(self, sentinel, tunnel):
        peaks = {name: peak_mib(one.process) for name, one in (("sentinel", sentinel), ("host", tunnel))}
        self.assertLess(max(peaks.values()), PEAK_MIB_MAX, peaks)
        return peaks

    def test_one_reader_who_stands_still_stops_none_of_a_thousand(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * STREAMS, limits[1]), limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        sentinel, backend, tunnel = self.ready(descriptors=DESCRIPTORS)
        stalled, sender = self.visit(sentinel, backend)
        sender.setblocking(False)
        sent = 0
        while sent < 64 * MIB and select.select([], [sender], [], 1)[1]:
            sent += sender.send(b"x" * MIB)
        self.assertLess(sent, 64 * MIB)
        others = [self.visit(sentinel, backend) for _ in range(STREAMS - 1)]
        question, answer = os.urandom(MESSAGE), os.urandom(MESSAGE)
        for client, _ in others:
            client.sendall(question)
        for _, primary in others:
            self.assertEqual(read_some(primary, MESSAGE), question)
            primary.sendall(answer)
        for client, _ in others:
            self.assertEqual(read_some(client, MESSAGE), answer)
        sender.setblocking(True)
        sender.shutdown(socket.SHUT_WR)
        self.assertEqual(len(read_all(stalled)[0]), sent)
        print(f"{STREAMS} streams; peaks in MiB {self.check_memory(sentinel, tunnel)}")

    def test_much_is_carried_whole_in_little_memory(self):
        sentinel, backend, tunnel = self.ready()
        client, primary = self.visit(sentinel, backend)
        sent, got = hashlib.sha256(), hashlib.sha256()

        def send():
            block = bytearray(os.urandom(MIB))
            for number in range(MUCH_MIB):
                block[:8] = number.to_bytes(8, "big")  # so that each has its place
                sent.update(block)
                primary.sendall(block)
            primary.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        begun = time.monotonic()
        sender.start()
        size, buffer = 0, memoryview(bytearray(MIB))
        while count := client.recv_into(buffer):
            size += count
            got.update(buffer[:count])
        sender.join()
        rate = MUCH_MIB / (time.monotonic() - begun)
        self.assertEqual((size, got.hexdigest()), (MUCH_MIB * MIB, sent.hexdigest()))
        print(f"{MUCH_MIB} MiB at {rate:.0f} MiB/s, sha256 {got.hexdigest()}; peaks in MiB {self.check_memory(sentinel, tunnel)}")


if __name__ == "__main__":
    main()

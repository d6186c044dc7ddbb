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

from support.machine import wait_until
from support.sentinel import ALERT_INTERNAL, alert, hello, main, read_all, read_some
from support.tunnel import TunnelCase
from test_sentinel_registry import RegistryCase, UnixHttp

MIB = 1024 * 1024
MUCH_MIB = int(os.environ.get("BERTH_TUNNEL_MIB", "1024"))
STREAMS = 1000
STREAMS_MAX = 2048  # of a session
MESSAGE = 64 * 1024
# What one stream may have under way (16 MiB of window, and what sockets hold), twice, and the programs themselves.
PEAK_MIB_MAX = 128 * (4 if os.environ.get("BERTH_SANITIZE") else 1)  # sanitizers keep what was freed
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

    def test_one_visitor_too_many_is_told_so_at_once(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * STREAMS_MAX, limits[1]), limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        access = self.state / "access"
        sentinel, backend, _ = self.ready("--access-log", access, descriptors=DESCRIPTORS)
        admin = lambda path: RegistryCase.exchange(UnixHttp(self.state / "admin.sock"), "GET", path, None, None)[1]
        wait_until(lambda: admin("/status")["tunnelling"]["streams_open"] == 0, "the probe's stream to end")
        visits = [self.visit(sentinel, backend) for _ in range(STREAMS_MAX)]
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertIn('\nberth_sentinel_connections_total{outcome="tunnel_full"} 1\n', admin("/metrics"))
        wait_until(lambda: '"outcome":"tunnel_full"' in access.read_text(), "the line in the log")
        for one in visits.pop():
            one.close()
        wait_until(lambda: admin("/status")["tunnelling"]["streams_open"] < STREAMS_MAX, "the visitor to be gone")
        visits.append(self.visit(sentinel, backend))
        for client, primary in visits:
            primary.sendall(b"still here")
            self.assertEqual(read_some(client, 10), b"still here")

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

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tunnel's host vanishes without a word: its visitors learn of it soon, and nobody else's do."""
import contextlib
import os
import signal
import time
import unittest

from support.machine import wait_until
from support.place import Place
from support.sentinel import ALERT_INTERNAL, Backend, Recorder, alert, hello, keep_talking, main, read_all, read_some
from support.tunnel import PROD, TunnelCase
from test_tunnel import named

PORT, FRONT_ADDRESS, HOST_ADDRESS = 8443, "203.0.113.1", "203.0.113.2"
AWAY = (alert(ALERT_INTERNAL), "end")
VISITORS = 20
SOON = 10  # seconds: one until it is doubted, three of patience, and slow machines; without them it would be 25


def drain(connection):
    connection.sendall(b"\x16")
    while connection.recv(1 << 16):
        pass


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
class Elsewhere(TunnelCase):
    """The sentinel where the test is, and lab's host on a machine of its own."""

    def setUp(self):
        super().setUp()
        self.middle, self.lab = Place(), Place()
        for place in (self.middle, self.lab):
            self.addCleanup(place.close)
        self.connect()
        self.addCleanup(self.middle.step_in())
        self.sentinel = self.front("--listen", f"0.0.0.0:{PORT}", "--access-log", self.state / "access", "--health-interval",
                                   "3600", start=lambda: None)

    def connect(self):
        self.middle.connect(self.lab, "line", FRONT_ADDRESS, HOST_ADDRESS)

    def open_lab(self, service):
        """Its service is where the sentinel is, and reached from lab's machine as anything else would be."""
        return self.tunnel(PORT, service.port, "--forward", f"80={FRONT_ADDRESS}:{service.port}", "--visitors-port", "80", host=FRONT_ADDRESS,
                           enter=self.lab.enter([]))


class Vanishing(Elsewhere):
    def setUp(self):
        super().setUp()
        self.service = self.backend(Recorder, address=FRONT_ADDRESS)
        self.tunnel_of_lab = self.open_lab(self.service)
        probe = self.service.next()
        probe.sendall(b"\x16")
        self.tunnel_of_lab.joined()
        probe.close()
        prod = self.backend(Backend, named(b"prod"))
        self.tunnel(PORT, prod.port, pool="prod", hostname="prod.test", token=PROD).joined()

    def check_prod(self):
        self.assertEqual(self.sentinel.ask(hello(b"prod.test")), (b"\x16prod", "end"))

    def check_that_lab_is_given_up(self):
        """By a visitor who comes, and with him those who are there."""
        early, early_service = self.visit(self.sentinel, self.service)
        early_service.sendall(b"some")
        read_some(early, 4)
        yield
        late = self.sentinel.say(hello(b"lab.test"))
        self.check_prod()
        late.settimeout(SOON)
        self.assertEqual(read_all(late), AWAY)
        self.assertEqual(read_all(early), (b"", "reset"))
        # From then on nobody waits.
        self.assertEqual(self.sentinel.ask(hello(b"lab.test")), AWAY)
        self.check_prod()
        self.assertIn("no sign of life for 3 s", self.sentinel.log())
        wait_until(lambda: '"reason":"silent"' in (self.state / "access").read_text(), "the line in the log")

    def check_that_lab_comes_back(self):
        def answer(connection):
            with contextlib.suppress(OSError):  # a visitor of before may be gone
                connection.sendall(b"\x16")
            connection.close()
        wait_until(lambda: self.tunnel_of_lab.states().count("joined") > 1 or not self.service.none() and answer(self.service.next()),
                   "the tunnel to be back", seconds=40)

    def test_a_machine_that_is_cut_off(self):
        steps = self.check_that_lab_is_given_up()
        next(steps)
        self.lab.go_dark()
        self.assertRaises(StopIteration, next, steps)
        self.lab.be_back()
        self.check_that_lab_comes_back()

    def test_a_program_that_is_stopped(self):
        steps = self.check_that_lab_is_given_up()
        next(steps)
        self.tunnel_of_lab.process.send_signal(signal.SIGSTOP)
        self.assertRaises(StopIteration, next, steps)
        self.tunnel_of_lab.process.send_signal(signal.SIGCONT)
        self.check_that_lab_comes_back()


class Slow(Elsewhere):
    """A line of 200 kbit/s: what one visitor sends holds up everything behind it for many seconds."""

    def connect(self):
        self.addCleanup(self.middle.connect_far(self.lab, "line", FRONT_ADDRESS, HOST_ADDRESS, 2e5, 0.6))

    def test_a_host_that_is_slow_to_answer_is_not_given_up(self):
        tunnel = self.open_lab(self.backend(Backend, drain, address=FRONT_ADDRESS)).joined()
        keep_talking(self.sentinel.say(hello(b"lab.test")), talkers=1)
        for _ in range(VISITORS):  # each of whom wants to know whether it is there
            time.sleep(1)  # as long as a peer may be quiet before it is doubted
            self.sentinel.say(hello(b"lab.test"))
        self.assertEqual(tunnel.states(), ["joined"])
        self.assertNotIn("a tunnel is closed", self.sentinel.log())


if __name__ == "__main__":
    main()

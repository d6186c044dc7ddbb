#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tunnel's host vanishes without a word: its visitors learn of it soon, and nobody else's do."""
import contextlib
import os
import signal
import unittest

from support.machine import wait_until
from support.place import Place
from support.sentinel import ALERT_INTERNAL, Backend, Recorder, alert, hello, main, read_all, read_some
from support.tunnel import PROD, TunnelCase
from test_tunnel import named

PORT, FRONT_ADDRESS, HOST_ADDRESS = 8443, "203.0.113.1", "203.0.113.2"
AWAY = (alert(ALERT_INTERNAL), "end")
SOON = 8  # seconds: a second of doubt, three of patience, and slow machines; without them it would be 25


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
class Vanishing(TunnelCase):
    """The sentinel where the test is, lab's host on a machine of its own, and prod's on the sentinel's."""

    def setUp(self):
        super().setUp()
        self.middle, self.lab = Place(), Place()
        for place in (self.middle, self.lab):
            self.addCleanup(place.close)
        self.middle.connect(self.lab, "line", FRONT_ADDRESS, HOST_ADDRESS)
        self.addCleanup(self.middle.step_in())
        self.sentinel = self.front("--listen", f"0.0.0.0:{PORT}", "--access-log", self.state / "access", start=lambda: None)
        # Its service listens on the sentinel's machine, and is reached from lab's as anything else would be.
        self.service = self.backend(Recorder, address=FRONT_ADDRESS)
        self.tunnel_of_lab = self.tunnel(PORT, self.service.port, "--forward", f"80={FRONT_ADDRESS}:{self.service.port}", "--visitors-port",
                                         "80", host=FRONT_ADDRESS, enter=self.lab.enter([]))
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


if __name__ == "__main__":
    main()

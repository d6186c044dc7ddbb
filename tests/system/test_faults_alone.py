#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What berthd does without a call is made to fail, and then to die, at its steps: it is done in the end, and nothing is left.

The points are those of base/fault.h, as in test_faults.py."""
import contextlib
import os
import signal
import sys
from pathlib import Path

from support.host import HostCase, main
from support.machine import wait_until
from test_faults import ALONE_POINTS, listed_points
from test_standby import COUNT, StandbyHost

SOON = 60  # a step that failed is tried again after 10 s
OF_A_NOTE = (*ALONE_POINTS, "engine.stop", "engine.stopped")
# What an end by itself comes by until the container runs again.
OF_A_RESTART = (*OF_A_NOTE, "engine.launched", "net.confine", "ssh.listen", "container.started")
OF_A_REMOVAL = ("container.delete", "engine.unmount", "container.remove")
OF_A_FILL = ("container.reserve", "engine.mount", "engine.launched", "net.confine", "ssh.prove", "container.ready")


def with_deaths(points):
    """Each point at which berthd is made to fail, and to die."""
    return [wish for point in points for wish in (point, f"{point} kill")]


class Case(HostCase):
    def setUp(self):
        super().setUp()
        self.host.create("warm", processes=100)  # liblxc leaves groups for monitors that end, once
        self.host.rpc("container_stop", {"name": "warm", "timeout_seconds": 0})
        self.host.delete("warm")
        self.before = self.seen()

    def seen(self):
        return {**self.host.picture(), "lost loops": self.host.lost_loops()}

    @contextlib.contextmanager
    def case(self, wish, **more):
        with self.subTest(wish=wish, **more):
            try:
                yield
                try:
                    wait_until(lambda: self.seen() == self.before, "nothing is left", SOON)
                except AssertionError:
                    self.assertEqual(self.seen(), self.before)
            finally:
                self.host.fault.unlink(missing_ok=True)

    def comes_by(self, wish):
        """Waits until that has come true."""
        wait_until(lambda: not self.host.fault.exists(), "berthd comes by that point", SOON)
        if wish.endswith(" kill"):
            self.host.daemon.wait(10)
            self.host.start()


class Upkeep(Case):
    def get(self, name):
        return self.host.rpc("container_get", {"name": name, "response_format": "detailed"})

    def becomes(self, name, state):
        wait_until(lambda: self.get(name)["state"] == state, f"it is {state}", SOON)

    def kill_init(self, name):
        pid = self.host.init_pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "init has ended")

    @contextlib.contextmanager
    def box(self, **more):
        self.host.create("ada", ports=[{"container_port": 80}], **more)
        try:
            yield
        finally:
            if self.host.is_dead():
                self.host.start()
            if self.host.rpc("container_list", {})["total"]:
                self.host.delete("ada")

    def test_one_that_ends_comes_back(self):
        for wish in with_deaths(OF_A_RESTART):
            with self.case(wish), self.box(restart="on-failure"):
                self.host.fault.write_text(wish)
                self.kill_init("ada")
                self.comes_by(wish)
                self.becomes("ada", "running")
                self.assertEqual(self.host.output("ada", "echo", "back"), "back\n")

    def test_an_end_that_could_not_be_noted_at_first_is_noted(self):
        for point in OF_A_NOTE:
            for restart, state in (("no", "stopped"), ("on-failure", "running")):
                with self.case(point, restart=restart), self.box(restart=restart):
                    self.host.fault.write_text(point)
                    self.kill_init("ada")
                    self.comes_by(point)
                    wait_until(lambda: "ended" in self.get("ada")["lifecycle"], "its end is known", SOON)
                    self.becomes("ada", state)
                    self.assertEqual(self.get("ada")["lifecycle"]["restarts"], int(restart != "no"))

    def test_one_whose_time_is_over_goes(self):
        for wish in with_deaths(OF_A_REMOVAL):
            with self.case(wish), self.box():
                self.host.fault.write_text(wish)
                self.host.rpc("container_update", {"name": "ada", "ttl_seconds": 1})
                self.comes_by(wish)
                wait_until(lambda: not self.host.rpc("container_list", {})["total"], "it is gone", SOON)


class Standby(Case):
    @classmethod
    def setUpClass(cls):
        cls.host = StandbyHost()
        cls.addClassCleanup(cls.host.close)

    def setUp(self):
        self.host.filled()
        super().setUp()

    def seen(self):
        """How much there is of everything: each that waits has another id and address."""
        return {what: len(things) for what, things in super().seen().items() if what != "rules"}

    def end_one(self):
        victim = sorted(self.host.guests())[0]
        groups = list(Path("/sys/fs/cgroup").rglob(f"{self.host.cgroup}/{victim}"))
        for pid in {pid for group in groups for file in group.rglob("cgroup.procs") for pid in file.read_text().split()}:
            with contextlib.suppress(ProcessLookupError):  # with its init
                os.kill(int(pid), signal.SIGKILL)

    def test_one_that_has_ended_goes_and_another_waits(self):
        for wish in with_deaths((*OF_A_REMOVAL, *OF_A_FILL)):
            with self.case(wish):
                self.host.fault.write_text(wish)
                self.end_one()
                self.comes_by(wish)
                self.host.filled()
                wait_until(lambda: len(self.host.guests()) == COUNT, "none is left over", SOON)


if __name__ == "__main__":
    if not listed_points():
        print("skipped: this build has no points of failure (BERTH_FAULTS)")
        sys.exit(77)
    main()

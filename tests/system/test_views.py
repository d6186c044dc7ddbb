#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""In a container free shows what it may use, and goes on working whatever becomes of who makes that."""
import os
import shutil
import signal
import sys
from pathlib import Path

from support.host import HostCase, main
from support.machine import wait_until
from support.scratch import scratch

MIB = 1 << 20
LXCFS = Path("/usr/bin/lxcfs")


class Views(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.program = scratch() / "lxcfs"
        cls.addClassCleanup(shutil.rmtree, cls.program.parent)
        shutil.copy(LXCFS, cls.program)
        cls.flags = ("--lxcfs", str(cls.program))
        super().setUpClass()
        wait_until(cls.provider, "lxcfs runs")
        cls.host.create("ada", memory_bytes=256 * MIB, cpu_percent=100)
        cls.addClassCleanup(cls.host.delete, "ada")

    @classmethod
    def provider(cls):
        """The pid of the lxcfs that serves this host, once it does."""
        serves = cls.host.machine.run(["cat", cls.host.runtime / "lxcfs/proc/meminfo"], check=False).returncode == 0
        return serves and int((cls.host.runtime / "lxcfs.pid").read_text())

    def total(self, name="ada"):
        return int(self.host.output(name, "free", "-b").splitlines()[1].split()[1])

    def shows_its_own(self, name="ada", wanted=256 * MIB):
        done = self.host.exec(name, "free", "-b")
        return done["exit_code"] == 0 and int(done["stdout"]["text"].splitlines()[1].split()[1]) == wanted

    def host_total(self):
        return int(Path("/proc/meminfo").read_text().split()[1]) * 1024

    def missing(self):
        listed = self.host.rpc("warning_list", {"entity": "feature/proc_views"})["warnings"]
        return [one for one in listed if one["status"] != "resolved"]

    def test_free_shows_the_limit_also_when_it_changes(self):
        self.assertEqual(self.total(), 256 * MIB)
        self.host.rpc("container_update", {"name": "ada", "memory_bytes": 512 * MIB})
        self.assertEqual(self.total(), 512 * MIB)
        self.host.rpc("container_update", {"name": "ada", "memory_bytes": 256 * MIB})
        self.assertEqual(self.total(), 256 * MIB)
        self.assertEqual(self.host.output("ada", "sh", "-c", "free -b | awk '/Swap/ {print $2}'"), "0\n")

    def test_processors_and_the_time_since_the_start_are_its_own(self):
        count = lambda: self.host.output("ada", "grep", "-c", "^processor", "/proc/cpuinfo")
        self.assertEqual(count(), "1\n")
        if os.cpu_count() > 1:
            self.host.rpc("container_update", {"name": "ada", "cpu_percent": 200})
            self.assertEqual(count(), "2\n")
            self.host.rpc("container_update", {"name": "ada", "cpu_percent": 100})
        uptime = float(self.host.output("ada", "cat", "/proc/uptime").split()[0])
        self.assertLess(uptime, float(Path("/proc/uptime").read_text().split()[0]) - 60)
        for name in ("stat", "loadavg", "swaps", "diskstats"):
            self.assertEqual(self.host.exec("ada", "cat", f"/proc/{name}")["exit_code"], 0, name)

    def test_an_ordinary_user_sees_it_and_nobody_can_change_it(self):
        self.assertIn(str(256 * 1024), self.host.output("ada", "head", "-1", "/proc/meminfo", user="nobody"))
        for attempt in ("echo 1 >/proc/meminfo", "echo 1 >/proc/uptime"):
            self.assertNotEqual(self.host.exec("ada", "sh", "-c", attempt)["exit_code"], 0, attempt)

    def test_it_outlives_berthd_and_is_found_again(self):
        before = self.provider()
        for crash in (False, True):
            self.host.kill() if crash else self.host.stop()
            self.assertEqual(self.provider(), before)
            self.host.start()
            wait_until(self.shows_its_own, "it shows its own")
            self.assertEqual(self.provider(), before)

    def test_one_that_ends_is_started_again_and_shown_in_all(self):
        self.host.create("bob", memory_bytes=128 * MIB)
        self.addCleanup(self.host.delete, "bob")
        before = self.provider()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self.provider() and self.provider() != before, "another serves")
        wait_until(lambda: self.shows_its_own("ada") and self.shows_its_own("bob", 128 * MIB), "both show their own")
        wait_until(lambda: not self.missing(), "and nothing is missed")
        mounts = self.host.output("ada", "grep", "-c", "/proc/meminfo", "/proc/self/mountinfo")
        self.assertEqual(mounts, "1\n")

    def test_one_that_keeps_ending_is_a_warning_until_it_has_stayed_up(self):
        def ended():
            listed = self.host.rpc("warning_list", {"entity": "service/lxcfs", "response_format": "detailed"})
            return listed["warnings"][0] if listed["warnings"] else {"count": 0, "status": ""}
        before = ended()["count"]
        for times in range(1, 4):
            wait_until(self.shows_its_own, "it serves, and berthd knows")
            os.kill(self.provider(), signal.SIGKILL)
            wait_until(lambda: ended()["count"] == before + times, "its end is counted")
        self.assertEqual(("service_ended", "new"), (ended()["type"], ended()["status"]))
        self.assertIn("kernel's log", ended()["next"])
        wait_until(lambda: ended()["status"] == "resolved", "it has stayed up", 80)

    def test_without_one_containers_run_and_see_the_host_and_that_is_a_warning(self):
        hidden = self.program.with_suffix(".away")
        self.program.rename(hidden)
        try:
            os.kill(self.provider(), signal.SIGKILL)
            wait_until(self.missing, "it is missed")
            self.assertEqual(self.total(), self.host_total())
            self.host.create("cyd", memory_bytes=128 * MIB)
            self.addCleanup(self.host.delete, "cyd")
            self.assertEqual(self.total("cyd"), self.host_total())
            self.host.rpc("container_stop", {"name": "cyd", "timeout_seconds": 0})
            self.host.rpc("container_start", {"name": "cyd"})
        finally:
            hidden.rename(self.program)
        wait_until(lambda: self.shows_its_own("ada") and self.shows_its_own("cyd", 128 * MIB), "it is shown again", 70)
        wait_until(lambda: not self.missing(), "and nothing is missed")


if __name__ == "__main__":
    if not LXCFS.exists():
        print("skipped: there is no lxcfs")
        sys.exit(77)
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of berthd: nothing half made is left, nothing acknowledged is lost, nothing running stops."""
import http.client
import os
import signal
import time
from pathlib import Path

from support.host import IMAGES, HostCase, main, program, run_in_thread
from support.machine import processes, wait_until

POINTS = 20


class Crash(HostCase):
    def still(self, name):
        return any(box["name"] == name for box in self.host.rpc("container_list", {})["containers"])

    def empty(self):
        """What the host looks like without containers; a teardown may go on for a moment."""
        picture = self.host.picture()
        return picture if not picture["containers"] and not picture["owned"] else None

    def test_a_create_cut_short_anywhere_is_whole_or_gone(self):
        self.host.create("warm")
        self.host.delete("warm")
        before = wait_until(self.empty, "the host is empty")
        began = time.monotonic()
        self.host.create("ada", ports=[{"container_port": 80}])
        whole = time.monotonic() - began
        self.host.delete("ada")

        outcomes = []
        for point in range(POINTS):
            with self.subTest(point=point):
                creating = run_in_thread(lambda: self.host.create("ada", ports=[{"container_port": 80}]))
                time.sleep(whole * (point + 0.5) / POINTS)
                self.host.kill()
                try:
                    acknowledged = bool(creating(30))
                except (OSError, http.client.HTTPException, ValueError):
                    acknowledged = False
                self.host.start()
                there = self.still("ada")
                outcomes.append("acknowledged" if acknowledged else "whole" if there else "gone")
                self.assertTrue(there or not acknowledged, "an acknowledged container is lost")
                if there:
                    box = self.host.rpc("container_get", {"name": "ada"})
                    self.assertEqual((box["state"], len(box["ports"])), ("running", 1))
                    self.assertEqual(self.host.output("ada", "echo", "whole"), "whole\n")
                    self.host.delete("ada")
                wait_until(lambda: self.host.picture() == before, "nothing of it is left", 15)
        print(f"create takes {whole * 1000:.0f} ms; killed at {POINTS} points: {' '.join(outcomes)}")
        self.assertIn("gone", outcomes, "no kill came early enough to cut a create short")

    def test_running_containers_never_notice(self):
        self.host.create("bob", ports=[{"container_port": 80}])
        self.addCleanup(self.host.delete, "bob")
        before = self.host.init_pid("bob"), self.host.rpc("container_get", {"name": "bob"})
        self.host.output("bob", "sh", "-c", "setsid sleep 17320 >/dev/null 2>&1 </dev/null &")
        for crash in (True, False):
            with self.subTest(crash=crash):
                self.host.restart(crash=crash)
                self.assertEqual((self.host.init_pid("bob"), self.host.rpc("container_get", {"name": "bob"})), before)
                self.assertEqual(self.host.output("bob", "pgrep", "-cf", "[s]leep 17320"), "1\n")
                self.assertEqual(self.host.exec("bob", "sh", "-c", "sleep 60", timeout_seconds=1)["timed_out"], True)

    def test_the_process_that_starts_containers_may_be_killed(self):
        children = Path(f"/proc/{self.host.daemon.pid}/task/{self.host.daemon.pid}/children")

        def launchers():
            pids = children.read_text().split()
            return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == "berth-launcher"]

        def told():
            return [one["count"] for one in self.host.rpc("warning_list", {})["warnings"]
                    if one["entity"] == "service/berth-launcher" and one["status"] == "new"]

        for name in ("eve", "fay"):
            self.host.create(name)
            self.addCleanup(self.host.delete, name)
        self.assertEqual(told(), [])
        for count in range(1, 4):
            [launcher] = launchers()
            os.kill(int(launcher), signal.SIGKILL)
            wait_until(lambda: ") Z " in Path(f"/proc/{launcher}/stat").read_text(), "it has ended")
            for name in ("eve", "fay"):  # of the second, which ran meanwhile, the new process holds nothing
                self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
                self.host.rpc("container_start", {"name": name})
                self.assertEqual(self.host.output(name, "echo", "here"), "here\n")
            self.assertEqual((len(launchers()), launcher in launchers()), (1, False))
            held = [os.readlink(entry) for entry in Path(f"/proc/{launchers()[0]}/fd").iterdir()]
            self.assertEqual(sum(target.startswith("socket:") for target in held), 1, held)
            # By which the next berthd knows whether a start of this one's is under way.
            self.assertIn(str(self.host.state / "lock"), held)
            self.assertEqual(told(), [count])
        self.host.restart()
        self.assertEqual(told(), [])

    def test_a_container_that_ended_meanwhile_is_started_again(self):
        self.host.create("cyd", restart="on-failure")
        self.addCleanup(self.host.delete, "cyd")
        pid = self.host.init_pid("cyd")
        self.host.kill()
        self.host.machine.run(["kill", "-9", str(pid)])
        self.host.start()
        wait_until(lambda: self.host.rpc("container_get", {"name": "cyd"})["state"] == "running", "it runs again")
        self.assertEqual(self.host.rpc("container_start", {"name": "cyd"})["state"], "running")  # when it does for sure
        self.assertNotEqual(self.host.init_pid("cyd"), pid)
        self.assertEqual(self.host.output("cyd", "echo", "again"), "again\n")

    def test_a_delete_cut_short_is_finished(self):
        before = wait_until(self.empty, "the host is empty")
        for delay in (0.0, 0.01, 0.03, 0.06, 0.1):
            with self.subTest(delay=delay):
                self.host.create("dora")
                deleting = run_in_thread(lambda: self.host.delete("dora"))
                time.sleep(delay)
                self.host.kill()
                try:
                    deleting(30)
                except (OSError, http.client.HTTPException, ValueError):
                    pass  # not acknowledged
                self.host.start()
                if self.still("dora") and self.host.rpc("container_get", {"name": "dora"})["state"] != "deleting":
                    self.host.delete("dora")
                wait_until(lambda: self.host.picture() == before, "nothing of it is left", 15)

    def test_what_a_killed_image_build_left_goes_with_the_next(self):
        images = self.host.root / "images"
        images.mkdir()
        for entry in IMAGES.iterdir():
            if entry.is_dir():
                (images / entry.name).symlink_to(entry)
        (images / ".import-killed/rootfs").mkdir(parents=True)
        self.host.machine.run([program("berthd"), *self.host.config, "--image-dir", images, "image", "build", "debian-12"])
        self.assertFalse((images / ".import-killed").exists())
        self.assertTrue((images / "names/debian-12").exists())


class Teardown(HostCase):
    def test_a_teardown_waits_for_what_a_killed_berthd_had_under_way(self):
        self.host.create("ada")
        children = [int(pid) for path in Path(f"/proc/{self.host.daemon.pid}/task").glob("*/children")
                    for pid in path.read_text().split()]
        launcher = next(pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "berth-launcher\n")
        os.kill(launcher, signal.SIGSTOP)  # as one that is in the middle of a start
        self.host.kill()
        tearing = run_in_thread(lambda: self.host.machine.run([program("berthd"), *self.host.flags, "teardown"]))
        wait_until(self.teardown_waits, "the teardown wants the lock")
        os.kill(launcher, signal.SIGCONT)
        tearing(30)
        wait_until(lambda: not self.host.leftovers(), "everything is gone")

    def teardown_waits(self):
        """Whether it has the lock's file open, which it asks for again and again then."""
        for pid, command, *_ in processes():
            if str(self.host.state) in command and command.endswith(" teardown "):
                return any(os.path.realpath(file) == str(self.host.state / "lock") for file in Path(f"/proc/{pid}/fd").iterdir())
        return False


if __name__ == "__main__":
    main()

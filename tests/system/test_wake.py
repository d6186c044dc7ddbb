#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stopped container starts when somebody uses it: once, however many come, and for nobody when that is not wanted."""
import subprocess
import time

from support.host import HostCase, ToolError, main, program, run_in_thread
from support.machine import wait_until


class Wake(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = cls.host.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.key], check=True)
        cls.host.create("ada", ssh_keys=[cls.key.with_suffix(".pub").read_text().strip()])
        cls.addClassCleanup(cls.host.delete, "ada")
        said = cls.host.rpc("ssh_config", {})
        (cls.host.root / "ssh_config").write_text(said["config"])
        (cls.host.root / "known_hosts").write_text(said["known_hosts"])

    def setUp(self):
        super().setUp()
        self.update(wake=True, idle_stop_seconds=0)
        self.stop()

    def update(self, **changes):
        return self.host.rpc("container_update", {"name": "ada", **changes})

    def stop(self):
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})

    def state(self):
        return self.host.rpc("container_get", {"name": "ada"})["state"]

    def starts(self):
        return self.host.log_tail(10000).count("a container was woken by use")

    def ssh(self, *command):
        return self.host.machine.run(["ssh", "-F", self.host.root / "ssh_config", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30",
                                      "-o", f"UserKnownHostsFile={self.host.root / 'known_hosts'}", "-i", self.key,
                                      "ada", *command], check=False)

    def test_a_command_wakes_it_also_after_a_restart_of_berthd(self):
        for crash in (None, False, True):
            with self.subTest(crash=crash):
                if crash is not None:
                    self.stop()
                    self.host.restart(crash)
                self.assertEqual(self.state(), "stopped")
                self.assertEqual(self.host.output("ada", "echo", "awake"), "awake\n")
                self.assertEqual(self.state(), "running")

    def test_a_login_wakes_it_also_after_a_restart_of_berthd(self):
        for crash in (None, True):
            with self.subTest(crash=crash):
                if crash is not None:
                    self.stop()
                    self.host.restart(crash)
                done = self.ssh("hostname")
                self.assertEqual((done.stdout, done.returncode), ("ada\n", 0), done.stderr)

    def test_many_at_once_wake_it_once_and_all_are_served(self):
        before = self.starts()
        commands = [run_in_thread(lambda: self.host.output("ada", "echo", "here")) for _ in range(12)]
        logins = [run_in_thread(lambda: self.ssh("echo here")) for _ in range(4)]
        self.assertEqual([wait() for wait in commands], ["here\n"] * 12)
        self.assertEqual([wait().stdout for wait in logins], ["here\n"] * 4)
        self.assertEqual(self.starts(), before + 1)

    def test_one_that_nobody_uses_stops_and_wakes_and_an_open_login_keeps_it(self):
        self.assertEqual(self.host.output("ada", "true"), "")
        self.update(idle_stop_seconds=2)
        wait_until(lambda: self.state() == "stopped", "nobody uses it", 20)
        login = run_in_thread(lambda: self.ssh("sleep 6; echo done"))
        wait_until(lambda: self.state() == "running", "the login wakes it", 20)
        time.sleep(4)
        self.assertEqual(self.state(), "running", "while somebody is logged in")
        self.assertEqual(login().stdout, "done\n")
        wait_until(lambda: self.state() == "stopped", "nobody uses it", 20)
        slow = run_in_thread(lambda: self.host.output("ada", "sh", "-c", "sleep 5; echo done"))
        self.assertEqual(slow(), "done\n")  # a command that runs is use too

    def test_without_it_nothing_wakes(self):
        self.update(wake=False)
        error = self.refused("busy", "/container", "container_exec", {"container": "ada", "argv": ["true"]})
        self.assertIn("container_start", error.hint)
        self.assertIn("refused", self.ssh("true").stderr)
        self.assertEqual(self.state(), "stopped")

    def test_a_wake_that_fails_says_why_and_leaves_it_stopped(self):
        if not self.faults():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        self.host.fault.write_text("engine.launch")
        with self.assertRaises(ToolError) as failed:
            self.host.exec("ada", "true")
        self.assertIn("engine.launch", failed.exception.message)
        self.assertEqual(self.state(), "stopped")
        self.assertEqual(self.ssh("echo again").stdout, "again\n")

    @staticmethod
    def faults():
        return subprocess.run([program("berthd"), "faults"], capture_output=True).returncode == 0


if __name__ == "__main__":
    main()

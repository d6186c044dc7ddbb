#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers that are booted and wait: each is claimed once, as somebody's own, and nothing of it is ever left."""
import contextlib
import http.client
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.host import IMAGES, Host, HostCase, ToolError, main
from support.machine import wait_until
from support.scratch import scratch
from test_faults import STANDBY_POINTS, listed_points

COUNT = 4
TABLE = "version = 1\n[[standby]]\ncount = {}\nprocesses = {}\nmemory_bytes = 536870912\n"
FITTING = {"memory_bytes": 536870912, "processes": 4000}
CUT_SHORT = (OSError, http.client.HTTPException, ValueError)
CALLERS = 16


class StandbyHost(Host):
    """A host whose file is written before berthd starts."""

    def start(self):
        if not hasattr(self, "table"):
            self.table = TABLE.format(COUNT, FITTING["processes"])
        (self.root / "config.toml").write_text(self.table)
        super().start()

    def waiting(self):
        return self.rpc("system_info", {})["standby"]

    def filled(self, count=COUNT):
        wait_until(lambda: self.waiting() == count, f"{count} containers wait", 120)

    def claimable(self, name, **more):
        return self.create(name, **FITTING, **more)

    def guests(self):
        """The ids of all there are, waiting or not."""
        self.settle()
        return {path.name for path in (self.state / "containers").iterdir() if (path / "guest").exists()}


class Standby(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.host = StandbyHost()
        cls.addClassCleanup(cls.host.close)

    def setUp(self):
        super().setUp()
        self.host.filled()

    def tearDown(self):
        for box in self.host.rpc("container_list", {"limit": 1000})["containers"]:
            self.host.delete(box["name"])

    def test_nobody_sees_those_that_wait(self):
        self.assertEqual(self.host.rpc("container_list", {})["total"], 0)
        self.assertEqual(self.host.rpc("system_info", {})["containers"], 0)
        self.assertEqual(len(self.host.guests()), COUNT)

    def test_a_claimed_container_is_its_callers_own(self):
        key = self.host.root / "key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        waited = self.host.guests()
        boxes = [self.host.claimable(name, ports=[{"container_port": 80}], labels=["of=us"],
                                     ssh_keys=[key.with_suffix(".pub").read_text().strip()]) for name in ("ada", "bob")]
        for box in boxes:
            self.assertIn(box["id"], waited)
            self.assertEqual((box["state"], box["labels"], len(box["ports"])), ("running", ["of=us"], 1))
            for command in (["hostname"], ["cat", "/etc/hostname"], ["uname", "-n"]):
                self.assertEqual(self.host.output(box["name"], *command).strip(), box["name"])
            self.assertIn(f"127.0.1.1 {box['name']}\n", self.host.output(box["name"], "cat", "/etc/hosts"))
            self.host.serve(box["name"], 80)
            self.assertTrue(self.host.dial("tcp", "127.0.0.1", box["ports"][0]["host_port"]).startswith(box["name"] + " "))
            entry = self.host.rpc("ssh_config", {"container": box["name"]})
            (self.host.root / "known_hosts").write_text(entry["known_hosts"])
            (self.host.root / "ssh").write_text(
                entry["config"].replace("~/.ssh/berth_known_hosts", str(self.host.root / "known_hosts")))
            login = self.host.machine.run(["ssh", "-F", self.host.root / "ssh", "-i", key, "-o", "BatchMode=yes",
                                           box["name"], "hostname"])
            self.assertEqual(login.stdout.strip(), box["name"])
        self.assertNotEqual(*(box["ssh"]["host_key"] for box in boxes))
        ids = [self.host.output(box["name"], "cat", "/etc/machine-id") for box in boxes]
        self.assertNotEqual(*ids)
        self.assertNotEqual(*(box["ipv4"] for box in boxes))

    def test_a_stop_and_a_start_keep_its_name_and_address(self):
        before = self.host.claimable("ada")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "ada"})
        after = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})
        self.assertEqual((after["id"], after["ipv4"], after["ssh"]), (before["id"], before["ipv4"], before["ssh"]))
        self.assertEqual(self.host.output("ada", "hostname"), "ada\n")

    def test_each_is_claimed_once_and_never_again(self):
        seen = set()
        for _ in range(2):
            with ThreadPoolExecutor(CALLERS) as pool:
                boxes = list(pool.map(lambda number: self.host.claimable(f"box{number}"), range(CALLERS)))
            ids = {box["id"] for box in boxes}
            self.assertEqual(len(ids), CALLERS)
            self.assertFalse(ids & seen, "one was handed out again")
            seen |= ids
            self.tearDown()
            self.host.filled()
        self.assertFalse(self.host.guests() & seen)

    def test_berthd_killed_at_any_moment_of_a_claim_loses_and_leaks_none(self):
        if not set(STANDBY_POINTS) <= set(listed_points()):
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        for point in STANDBY_POINTS:
            with self.subTest(point=point):
                before = self.host.guests()
                self.host.fault.write_text(f"{point} kill")
                with self.assertRaises(CUT_SHORT):
                    self.host.claimable("ada")
                self.host.daemon.wait(10)
                self.host.start()
                self.assertEqual(self.host.rpc("container_list", {})["total"], 0)
                self.host.filled()
                kept = before & self.host.guests()
                # One whose claim was never committed waits again; the others are gone with the caller's row.
                self.assertEqual(len(kept), COUNT if point == "standby.claim" else COUNT - 1)
                self.assertEqual(len(self.host.guests()), COUNT)

    def test_a_power_cut_loses_none_that_was_claimed_though_the_disk_may_lose_that_it_was_done(self):
        if "standby.ready" not in listed_points():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        self.host.fault.write_text("standby.ready kill")  # the disk has all but that
        with self.assertRaises(CUT_SHORT):
            self.host.claimable("ada", env=["WHO=ada"], ports=[{"container_port": 80}])
        self.host.daemon.wait(10)
        self.host.lose_power()
        self.host.start()
        box = wait_until(lambda: self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"}), "it is there")
        wait_until(lambda: self.host.rpc("container_get", {"name": "ada"})["state"] == "running", "it runs")
        self.assertEqual(len(box["ports"]), 1)
        self.assertEqual(self.host.output("ada", "sh", "-c", "hostname; cat /etc/hostname; echo $WHO"), "ada\nada\nada\n")
        self.host.filled()
        self.assertEqual(len(self.host.guests()), COUNT + 1)

    def test_a_claim_that_fails_is_undone(self):
        if not set(STANDBY_POINTS) <= set(listed_points()):
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        for point in STANDBY_POINTS:
            with self.subTest(point=point):
                before = self.host.guests()
                self.host.fault.write_text(point)
                if point == "standby.claim":  # nothing has been touched: it waits on
                    with self.assertRaises(ToolError):
                        self.host.claimable("ada")
                    self.assertLessEqual(before, self.host.guests())
                else:  # it is spoilt, and the caller gets another
                    self.host.claimable("ada")
                    self.host.delete("ada")
                self.assertFalse(self.host.fault.exists())
                self.host.filled()
                # While the claim had one, another may have been begun in its place.
                wait_until(lambda: len(self.host.guests()) == COUNT, "none is left over", 60)

    def test_a_restart_keeps_them_and_another_template_replaces_them(self):
        before = self.host.guests()
        self.host.restart(crash=True)
        self.host.filled()
        self.assertEqual(self.host.guests(), before)
        self.host.table = TABLE.format(2, 3000)
        self.host.restart()
        wait_until(lambda: self.host.waiting() == 2 and len(self.host.guests()) == 2, "the new ones wait", 120)
        self.assertFalse(self.host.guests() & before)
        self.host.table = "version = 1\n"
        self.host.restart()
        wait_until(lambda: not self.host.guests(), "none waits", 60)
        del self.host.table
        self.host.restart()

    def test_one_that_has_ended_is_replaced(self):
        before = self.host.guests()
        victim = sorted(before)[0]
        groups = Path("/sys/fs/cgroup").rglob(f"{self.host.cgroup}/{victim}")
        inits = [path for group in groups for path in group.rglob("cgroup.procs")]
        for pid in {pid for path in inits for pid in path.read_text().split()}:
            subprocess.run(["kill", "-9", pid], check=False)
        wait_until(lambda: victim not in self.host.guests() and self.host.waiting() == COUNT, "another waits", 120)

    def test_a_claim_takes_less_than_a_create(self):
        claims, creates = [], []
        for number in range(COUNT):
            for into, limits in ((claims, FITTING), (creates, {**FITTING, "processes": 3999})):
                self.host.filled()
                begun = time.perf_counter()
                self.host.create("ada", **limits)
                into.append((time.perf_counter() - begun) * 1000)
                self.host.delete("ada")
        claim, create = statistics.median(claims), statistics.median(creates)
        print(f"\na claim {claim:.1f} ms, a create {create:.1f} ms (n = {COUNT})")
        self.assertLess(claim, create)


class ImagesHost(StandbyHost):
    table = TABLE.format(2, FITTING["processes"])


class AnotherImage(HostCase):
    """The name of the image leads to other content than those that wait were booted from."""

    @classmethod
    def setUpClass(cls):
        cls.images = scratch()
        cls.addClassCleanup(shutil.rmtree, cls.images)
        (cls.images / "names").mkdir()
        old = (IMAGES / "names/debian-12").resolve()
        (cls.images / old.name).symlink_to(old)
        new = cls.images / f"sha256-{'a' * 64}"
        subprocess.run(["cp", "-a", "--reflink=auto", old, new], check=True)
        manifest = json.loads((new / "manifest.json").read_text())
        (new / "manifest.json").write_text(json.dumps({**manifest, "digest": new.name.replace("-", ":")}))
        (new / "rootfs/etc/of-the-new").touch()
        cls.old, cls.new = old.name, new.name
        cls.name(cls.old)
        cls.host = ImagesHost(images=cls.images)
        cls.addClassCleanup(cls.host.close)

    @classmethod
    def name(cls, directory):
        """As an import does: whoever looks finds the one or the other."""
        link = cls.images / "names/debian-12"
        link.with_suffix(".new").symlink_to(f"../{directory}")
        os.replace(link.with_suffix(".new"), link)

    def setUp(self):
        super().setUp()
        self.host.kill()
        self.name(self.old)
        self.host.start()
        of = f"SELECT 1 FROM containers WHERE image_digest = '{self.old.replace('-', ':')}'"
        def filled():
            with contextlib.closing(sqlite3.connect(f"file:{self.host.state}/berth.db?mode=ro", uri=True)) as store:
                return self.host.waiting() == len(self.host.guests()) == len(store.execute(of).fetchall()) == 2

        wait_until(filled, "two of the old image wait", 120)

    def is_of_the_new(self, name):
        return self.host.exec(name, "test", "-e", "/etc/of-the-new")["exit_code"] == 0

    def create(self, name):
        box = self.host.claimable(name)
        self.addCleanup(self.host.delete, name)
        return box

    def test_those_of_the_old_image_go_and_are_claimed_by_nobody(self):
        self.create("mine")
        self.host.filled(2)
        waited = self.host.guests()
        self.name(self.new)
        at_once = self.create("ada")  # before anybody has looked for another image
        self.assertNotIn(at_once["id"], waited)
        self.assertTrue(self.is_of_the_new("ada"))

        mine = self.host.rpc("container_get", {"name": "mine"})["id"]
        others = lambda: self.host.guests() - {mine, at_once["id"]}
        wait_until(lambda: self.host.waiting() == 2 and not others() & waited and len(others()) == 2, "others wait", 120)
        waiting = others()
        self.assertIn(self.create("bob")["id"], waiting)
        self.assertTrue(self.is_of_the_new("bob"))
        self.host.rpc("container_stop", {"name": "mine", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "mine"})
        self.assertFalse(self.is_of_the_new("mine"), "what was handed out has another image now")

    def test_those_of_the_old_image_that_berthd_finds_when_it_starts_go(self):
        waited = self.host.guests()
        self.host.kill()
        self.name(self.new)
        self.host.start()
        wait_until(lambda: self.host.waiting() == 2 and not self.host.guests() & waited, "others wait", 120)
        box = self.create("ada")
        self.assertNotIn(box["id"], waited)
        self.assertTrue(self.is_of_the_new("ada"))


if __name__ == "__main__":
    main()

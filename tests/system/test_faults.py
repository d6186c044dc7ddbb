#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""At every step of every change berthd is made to fail, and then to die there: all is as before, or done.

The points are those of base/fault.h, in a build with BERTH_FAULTS. One that is not in POINTS below, or that its
change does not reach, is a failure here.
"""
import contextlib
import http.client
import json
import re
import shutil
import sqlite3
import subprocess
import sys

from support.gpus import MadeUpMachine, stand_ins
from support.host import HostCase, ToolError, main, program
from support.machine import wait_until
from support.scratch import scratch

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a"
PORT = {"protocol": "tcp", "host_port": 31999}
PROCESSES = 4096  # what containers have unless they are told otherwise
SHARED = "/usr/share/common-licenses"  # a directory that each machine has
MOUNTED = {"cdiVersion": "0.6.0", "kind": "acme.com/card", "devices": [{"name": "a", "containerEdits": {
    "mounts": [{"hostPath": SHARED, "containerPath": path, "options": ["ro"]} for path in ("/opt/acme", "/run/acme")]}}]}
NAMED, IN_ADA = {"name": "ada"}, {"container": "ada"}

EXTRA = ("container_create", {"name": "extra", "ports": [{"container_port": 80}]})
SLOW = ("container_update", {"name": "extra", "receive_bytes_per_second": 1 << 20, "send_bytes_per_second": 1 << 20})
WRITTEN = ("container_export", {**IN_ADA, "file": "new.tar"})
TAKEN = ("snapshot_create", {**IN_ADA, "name": "new"})
# What is called, and what is called before, where a running `ada` with a snapshot `base` is not enough.
CHANGES = {
    "create": (("container_create", {"name": "new", "ports": [{"container_port": 80}]}),),
    "start": (("container_start", NAMED), ("container_stop", {**NAMED, "timeout_seconds": 0})),
    "stop": (("container_stop", {**NAMED, "timeout_seconds": 0}),),
    "delete": (("container_delete", {"name": "extra", "force": True}), EXTRA),
    "update": (("container_update", {**NAMED, "processes": PROCESSES - 1, "env": ["A=1"]}),),
    "pause": (("container_pause", NAMED),),
    "resume": (("container_resume", NAMED), ("container_pause", NAMED)),
    "port_add": (("port_add", {**IN_ADA, **PORT, "container_port": 81}),),
    "port_remove": (("port_remove", PORT), ("port_add", {**IN_ADA, **PORT, "container_port": 81})),
    "key_add": (("ssh_key_add", {"container": "extra", "public_key": KEY}), EXTRA),
    "snapshot": (TAKEN,),
    "snapshot_delete": (("snapshot_delete", {**IN_ADA, "snapshot": "new"}), TAKEN),
    "fork": (("container_fork", {**IN_ADA, "names": ["new"]}),),
    "attach": (("gpu_attach", {**IN_ADA, "gpus": ["0"]}),),
    "detach": (("gpu_detach", {**IN_ADA, "gpus": ["0"]}), ("gpu_attach", {**IN_ADA, "gpus": ["0"]})),
    "equip": (("container_create", {"name": "new", "devices": ["acme.com/card=a"]}),),
    "create_on_a_disk": (("container_create", {"name": "new", "disk_bytes": 64 << 20}),),
    "slow": (SLOW, EXTRA),
    "start_slow": (("container_start", {"name": "extra"}), EXTRA, SLOW, ("container_stop", {"name": "extra", "timeout_seconds": 0})),
    "create_with_a_gpu": (("container_create", {"name": "new", "gpus": ["0"]}),),
    "export": (WRITTEN,),
    "import": (("container_import", {"file": "new.tar", "name": "new"}), WRITTEN),
    "restore": (("snapshot_restore", {**IN_ADA, "snapshot": "base", "restart": True}),),
}
NEEDS = {"create_on_a_disk": "disk_quota", "slow": "network_rate", "start_slow": "network_rate"}  # the feature of system_info
POINTS = {
    "container.reserve": "create", "ssh.host_files": "create", "engine.layers": "create", "engine.mount": "create",
    "engine.mount.attach": "create", "engine.seed": "create", "ssh.keys": "create", "engine.share": "create", "engine.shares": "start",
    "guest.listen": "create", "engine.disk": "create_on_a_disk", "engine.disk.made": "create_on_a_disk",
    "engine.disk.mount": "create_on_a_disk", "engine.nodes": "create_with_a_gpu", "engine.set_apart": "create",
    "engine.views": "create", "net.rates": "slow", "net.rates.detour": "start_slow",
    "engine.launch": "start", "engine.launched": "start", "net.confine": "create", "net.confine.address": "start",
    "ssh.listen": "start", "agent.inject": "create", "ssh.prove": "create", "net.forwards": "port_remove",
    "container.ready": "create", "container.started": "start", "container.stop": "stop", "engine.stop": "stop restore",
    "container.delete": "delete", "engine.kill": "delete", "engine.stopped": "delete restore", "container.retire": "delete",
    "engine.destroy": "delete", "engine.unmount": "delete", "engine.remove_files": "delete", "container.remove": "delete",
    "port.added": "port_add", "port.removed": "port_remove", "ssh.key_added": "key_add", "engine.limit": "update", "container.update": "update",
    "engine.equip": "equip", "engine.device_add": "attach", "engine.device_made": "attach",
    "engine.device_remove": "detach", "engine.device_denied": "detach", "gpu.leased": "attach",
    "engine.freeze": "pause", "engine.thaw": "resume snapshot", "snapshot.begin": "snapshot", "snapshot.copy": "snapshot",
    "snapshot.place": "fork", "snapshot.placed": "snapshot", "snapshot.record": "snapshot", "fork.record": "fork",
    "export.write": "export", "import.unpack": "import", "import.place": "import", "import.record": "import",
    "restore.prepare": "restore", "restore.record": "restore", "restore.recorded": "restore",
    "snapshot.remove": "snapshot_delete", "layer.discard": "snapshot_delete",
}
REACHED = [(point, change) for point, changes in POINTS.items() for change in changes.split()]
# Reached by test_standby.py, whose host has containers that wait.
STANDBY_POINTS = ("standby.claim", "engine.rename", "standby.named", "standby.ready")
# And these by test_faults_alone.py: what nobody has called for comes by them.
ALONE_POINTS = ("container.ended",)
# What a start of berthd comes by when it finds a half-made container, and `ada` running; in that order.
OF_A_START = ("restore.recorded", "engine.destroy", "engine.stopped", "engine.unmount", "engine.remove_files",
              "net.forwards", "ssh.keys", "guest.listen", "ssh.listen", "engine.limit")
CUT_SHORT = (OSError, http.client.HTTPException, ValueError)  # what a call sees of a berthd that dies
# The call is done by then; what is left goes with the next start of berthd.
AFTERWARDS = ("engine.destroy", "engine.unmount", "engine.remove_files", "container.remove")  # its caller has heard by then
# The wait for SSH tries again, and so does the removal; views are no must.
OVERCOME = ("agent.inject", "engine.views", *AFTERWARDS)
CLEARED_BY_THE_NEXT_START = ("restore.recorded", "layer.discard")


def listed_points():
    listed = subprocess.run([program("berthd"), "faults"], capture_output=True, text=True)
    return listed.stdout.split() if listed.returncode == 0 else []


def shape(seen):
    """The same for two containers of which one came after the other: without ids, addresses and numbers."""
    return {**{what: len(things) for what, things in seen.items() if what != "rows"}, "rows": seen["rows"],
            "containers": [(box["name"], box["state"], len(box["ports"])) for box in seen["containers"]],
            "forwards": json.dumps(seen["rules"]).count('"concat"')}


class Faults(HostCase):
    flags = ("--shares-allowed", SHARED)

    @classmethod
    def setUpClass(cls):
        root = scratch()
        cls.addClassCleanup(shutil.rmtree, root)
        machine = MadeUpMachine(root / "sys", stand_ins())
        (machine.root / "cdi/acme.json").write_text(json.dumps(MOUNTED))
        cls.flags += machine.flags()
        super().setUpClass()
        cls.host.create("ada")
        cls.host.rpc("snapshot_create", {**IN_ADA, "name": "base"})
        cls.host.rpc("container_update", {**NAMED, "shares": [{"host_path": SHARED, "path": "/srv/shared"}]})
        cls.host.rpc(*CHANGES["restore"][0])
        cls.addClassCleanup(cls.host.delete, "ada")

    def setUp(self):
        super().setUp()
        self.back()
        self.begin = self.seen()

    def seen(self):
        """All that a change may touch, and how many rows the store has of each kind."""
        seen = {**self.host.picture(), "lost loops": self.host.lost_loops()}
        for box in seen["containers"]:
            del box["etag"]  # counts updates
        names = re.compile(r"(upper|work)-[0-9a-f]+$")  # each restore makes one of a new name
        # A start that fails leaves the socket that nobody came to; the next start takes it away.
        seen["owned"] = [names.sub(r"\1", path) for path in seen["owned"] if "/way-in-" not in path]
        seen["snapshots"] = self.host.rpc("snapshot_list", {})["snapshots"]
        seen["exports"] = sorted(path.name for path in (self.host.state / "exports").glob("*"))
        seen["layers"] = sorted(path.name for path in (self.host.state / "layers").iterdir())
        with sqlite3.connect(f"file:{self.host.state}/berth.db?mode=ro", uri=True) as store:
            seen["rows"] = {table: store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                            for table in ("containers", "ports", "ssh_keys", "snapshots", "layers", "gpu_leases")}
        store.close()
        return seen

    def back(self):
        """Away with whatever a change may have made."""
        for box in self.host.rpc("container_list", {})["containers"]:
            if box["name"] != "ada":
                self.host.delete(box["name"])
        for file in (self.host.state / "exports").glob("*"):
            file.unlink()
        ada = self.host.rpc("container_get", {**NAMED, "response_format": "detailed"})
        if ada["state"] != "running":
            self.host.rpc("container_resume" if ada["state"] == "paused" else "container_start", NAMED)
        if ada["limits"]["processes"] != PROCESSES:
            self.host.rpc("container_update", {**NAMED, "processes": PROCESSES, "env": []})
        if "gpus" in ada:
            self.host.rpc("gpu_detach", {**IN_ADA, "gpus": ada["gpus"]})
        for port in ada["ports"]:
            self.host.rpc("port_remove", {key: port[key] for key in PORT})
        for snapshot in self.host.rpc("snapshot_list", IN_ADA)["snapshots"]:
            if snapshot["name"] != "base":
                self.host.rpc("snapshot_delete", {**IN_ADA, "snapshot": snapshot["name"]})

    def becomes(self, *wanted, of=lambda seen: seen):
        """Waits a moment for what the kernel, or berthd after a start, still has to do."""
        latest = []

        def is_so():
            latest[:] = [of(self.seen())]
            return latest[0] in wanted

        try:
            wait_until(is_so, "it is as before, or done", 15)
        except AssertionError:
            self.assertIn(latest[0], wanted)

    def answers(self):
        for box in self.host.rpc("container_list", {})["containers"]:
            if box["state"] == "running":
                self.assertEqual(self.host.output(box["name"], "echo", "here"), "here\n")

    def points(self):
        """What changes come by for which this machine has the means."""
        return [(point, change) for point, change in REACHED
                if change not in NEEDS or self.host.feature(NEEDS[change])["available"]]

    def prepare(self, change):
        call, *first = CHANGES[change]
        for before in first:
            self.host.rpc(*before)
        return call, self.seen()

    def test_there_is_no_other_point(self):
        self.assertEqual(set(listed_points()), set(POINTS) | set(STANDBY_POINTS) | set(ALONE_POINTS))

    def test_a_change_that_fails_at_any_step_is_undone_and_works_then(self):
        for point, change in self.points():
            with self.subTest(point=point, change=change):
                call, before = self.prepare(change)
                self.host.fault.write_text(point)
                if point in CLEARED_BY_THE_NEXT_START:
                    self.host.rpc(*call)
                    self.host.restart()
                elif point in OVERCOME:
                    self.host.rpc(*call)
                else:
                    with self.assertRaises(ToolError) as failed:
                        self.host.rpc(*call)
                    self.assertIn(point, failed.exception.message)
                    if change != "delete":  # one that has begun is only ever finished
                        self.becomes(before)
                    self.host.rpc(*call)
                wait_until(lambda: not self.host.fault.exists(), "the change comes by that point")
                self.answers()
                self.back()
                self.becomes(self.begin)
            self.host.fault.unlink(missing_ok=True)

    def test_a_change_cut_short_at_any_step_is_whole_or_gone(self):
        outcomes, done = {}, {}
        for change in {change: None for _, change in self.points()}:
            call, *first = CHANGES[change]
            for one in (*first, call):
                self.host.rpc(*one)
            done[change] = shape(self.seen())
            self.back()
        for point, change in self.points():
            with self.subTest(point=point, change=change):
                call, before = self.prepare(change)
                self.host.fault.write_text(f"{point} kill")
                with contextlib.suppress(*CUT_SHORT) if point in AFTERWARDS else self.assertRaises(CUT_SHORT):
                    self.host.rpc(*call)
                self.host.daemon.wait(10)
                self.host.start()
                # Whether it is stopped is decided; it may take its time to shut down.
                ends = {"start": [shape(before)], "start_slow": [shape(before)], "stop": [done["stop"]]}.get(change, [shape(before), done[change]])
                self.becomes(*ends, of=shape)
                outcomes[point] = "gone" if shape(self.seen()) == shape(before) else "whole"
                self.answers()
                self.back()
                self.becomes(self.begin)
            self.host.fault.unlink(missing_ok=True)
        print("\n" + " ".join(f"{point}: {outcome}" for point, outcome in outcomes.items()))

    def test_a_start_of_berthd_that_is_cut_short_is_made_good_by_the_next(self):
        call, _ = self.prepare(POINTS["container.ready"])
        self.host.fault.write_text("container.ready kill")
        with self.assertRaises(CUT_SHORT):
            self.host.rpc(*call)
        self.host.daemon.wait(10)
        for point in OF_A_START:
            with self.subTest(point=point):
                self.host.fault.write_text(f"{point} kill")
                with self.assertRaises(AssertionError, msg="berthd lives"):
                    self.host.start()
                self.assertTrue(self.host.is_dead())
        self.host.fault.unlink(missing_ok=True)
        self.host.start()
        self.becomes(self.begin)
        self.answers()


if __name__ == "__main__":
    if not listed_points():
        print("skipped: this build has no points of failure (BERTH_FAULTS)")
        sys.exit(77)
    main()

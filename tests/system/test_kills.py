#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of berthd at random moments of a mixed load: nothing acknowledged is lost, nothing is left over.

Each worker has containers of its own, so it knows what was acknowledged and what is in doubt: the one call that was
under way. BERTH_KILLS says how often berthd is killed, BERTH_SEED repeats a run as far as threads let it.
"""
import base64
import http.client
import os
import random
import sqlite3
import threading
import time
from pathlib import Path
from collections import Counter

from support.host import FEW_SLOTS, HostCase, ToolError, main
from support.machine import wait_until
from test_standby import FITTING, TABLE, StandbyHost

KILLS = int(os.environ.get("BERTH_KILLS", "25"))  # 200 every night
SEED = int(os.environ.get("BERTH_SEED", str(random.randrange(2**32))))
WORKERS = 4
BOXES_PER_WORKER_MAX = 2
LOAD_SECONDS = (0.02, 1.2)
WAITING = 2  # containers that are booted ahead
PROCESSES = (2000, 3000, 4000)  # what limits are changed between
DISK_BYTES = 64 << 20
SETTLE_SECONDS = 40  # a container may take 30 s to shut down
GONE = (OSError, http.client.HTTPException, ValueError)  # what a call sees of a berthd that dies


OF_STATE = {"running": ("exec", "exec", "stop", "pause", "snapshot"), "paused": ("resume", "resume", "stop"),
            "stopped": ("start", "start")}
KINDS = ("links", "mounts", "cgroups", "listeners", "loops")  # of which each container has some
KEY_HEAD = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"


class WaitingHost(StandbyHost):
    table = TABLE.format(WAITING, FITTING["processes"])


class Box:
    """What was acknowledged of a container."""

    def __init__(self, state="running", processes=FITTING["processes"], keys=0):
        self.state, self.processes, self.keys = state, processes, keys
        self.ports, self.snapshots = set(), set()

    def twin(self):
        """What a fork of it, or an import, is from the begin."""
        return Box(processes=self.processes, keys=self.keys)

    @classmethod
    def seen(cls, box, snapshots):
        """What is there, as a call tells of it."""
        found = cls(box["state"], box["limits"]["processes"], box["ssh"]["keys"])
        found.ports, found.snapshots = {port["host_port"] for port in box["ports"]}, snapshots
        return found


class Worker:
    def __init__(self, number, host):
        self.random, self.host, self.prefix = random.Random(f"{SEED}/{number}"), host, f"w{number}"
        self.boxes, self.made = {}, 0
        self.exported = None  # a file, and what was acknowledged of whoever it is of
        self.doubt = None  # (what, container, detail) of the call that is under way
        self.done, self.failures = Counter(), []

    def work(self):
        try:
            while True:
                what, name = self.choose()
                getattr(self, what)(name)
                self.done[what] += 1
                self.doubt = None
        except GONE:
            pass
        except ToolError as error:
            self.failures.append(f"{self.doubt}: {error}")

    def choose(self):
        may = []
        if len(self.boxes) < BOXES_PER_WORKER_MAX:
            may += [("create", None)] * 3
        for name, box in self.boxes.items():
            may += [("port_add", name), ("delete", name)]
            may += [("update", name), ("key_add", name), *((what, name) for what in OF_STATE[box.state])]
            may += [("port_remove", name)] * bool(box.ports)
            may += [("snapshot_delete", name), ("restore", name)] * bool(box.snapshots)
            may += [("export", name)] * (self.exported is None)
            if len(self.boxes) < BOXES_PER_WORKER_MAX:
                may += [("fork", name)] * 2
        if self.exported and len(self.boxes) < BOXES_PER_WORKER_MAX:
            may += [("import_it", None)] * 2
        return self.random.choice(may)

    def new_name(self):
        self.made += 1
        return f"{self.prefix}-{self.made}"

    def call(self, what, name, detail, method, params):
        self.doubt = (what, name, detail)
        return self.host.rpc(method, params, timeout=60)

    def create(self, _):
        """One that waits fits, unless it is to have a disk of its own."""
        name = self.new_name()
        more = {"disk_bytes": DISK_BYTES} if self.has_disks and self.random.random() < 0.3 else {}
        made = self.call("create", name, None, "container_create",
                         {"name": name, "response_format": "detailed", "ports": [{"container_port": 80}], **FITTING, **more})
        self.boxes[name] = Box()
        self.boxes[name].ports = {port["host_port"] for port in made["ports"]}

    def fork(self, name):
        new = self.new_name()
        self.call("create", new, None, "container_fork", {"container": name, "names": [new]})
        self.boxes[new] = self.boxes[name].twin()

    def export(self, name):
        file = f"{self.new_name()}.tar"
        self.call("export", name, None, "container_export", {"container": name, "file": file, "snapshots": False})
        self.exported = (file, self.boxes[name].twin())

    def import_it(self, _):
        new, (file, box) = self.new_name(), self.exported
        self.call("create", new, None, "container_import", {"file": file, "name": new, "ports": "none"})
        self.boxes[new] = box
        (self.host.state / "exports" / file).unlink()
        self.exported = None

    def exec(self, name):
        self.call("exec", name, None, "container_exec", {"container": name, "argv": ["true"]})

    def stop(self, name):
        self.call("state", name, None, "container_stop", {"name": name, "timeout_seconds": 0})
        self.boxes[name].state = "stopped"

    def start(self, name):
        self.call("state", name, None, "container_start", {"name": name})
        self.boxes[name].state = "running"

    def pause(self, name):
        self.call("state", name, None, "container_pause", {"name": name})
        self.boxes[name].state = "paused"

    def resume(self, name):
        self.call("state", name, None, "container_resume", {"name": name})
        self.boxes[name].state = "running"

    def update(self, name):
        processes = self.random.choice(PROCESSES)
        self.call("update", name, None, "container_update", {"name": name, "processes": processes})
        self.boxes[name].processes = processes

    def key_add(self, name):
        key = f"ssh-ed25519 {base64.b64encode(KEY_HEAD + self.random.randbytes(32)).decode()} load"
        self.call("key", name, None, "ssh_key_add", {"container": name, "public_key": key})
        self.boxes[name].keys += 1

    def restore(self, name):
        old = self.random.choice(sorted(self.boxes[name].snapshots))
        self.call("restore", name, None, "snapshot_restore", {"container": name, "snapshot": old, "restart": True})
        if self.boxes[name].state == "paused":
            self.boxes[name].state = "running"

    def snapshot(self, name):
        new = f"s{time.monotonic_ns()}"
        self.call("snapshot", name, new, "snapshot_create", {"container": name, "name": new})
        self.boxes[name].snapshots.add(new)

    def snapshot_delete(self, name):
        old = self.random.choice(sorted(self.boxes[name].snapshots))
        self.call("snapshot", name, old, "snapshot_delete", {"container": name, "snapshot": old})
        self.boxes[name].snapshots.discard(old)

    def port_add(self, name):
        added = self.call("port", name, None, "port_add", {"container": name, "container_port": 81})
        self.boxes[name].ports.add(added["host_port"])

    def port_remove(self, name):
        port = self.random.choice(sorted(self.boxes[name].ports))
        self.call("port", name, port, "port_remove", {"protocol": "tcp", "host_port": port})
        self.boxes[name].ports.discard(port)

    def delete(self, name):
        self.call("delete", name, None, "container_delete", {"name": name, "force": True})
        del self.boxes[name]


class Kills(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.host = WaitingHost(*FEW_SLOTS)
        cls.addClassCleanup(cls.host.close)
        Worker.has_disks = cls.host.feature("disk_quota")["available"]

    def counts(self):
        """What there is of things that each container has some of."""
        picture = self.host.picture()
        with sqlite3.connect(f"file:{self.host.state}/berth.db?mode=ro", uri=True) as store:
            rows = dict(store.execute("SELECT name, wanted_running FROM containers"))
            layers = {row[0] for row in store.execute("SELECT id FROM layers")}
        store.close()
        directories = self.host.state / "layers"
        return {"containers": {box["name"]: box for box in picture["containers"]}, "wanted": rows,
                "layer rows": layers, "layers": {path.name for path in directories.iterdir()} if directories.exists() else set(),
                "ids": {path.name for path in (self.host.state / "containers").iterdir()},
                "waiting": self.host.waiting(), **{kind: len(picture[kind]) for kind in KINDS},
                "lost loops": self.host.lost_loops(),
                "exports": {path.name for path in (self.host.state / "exports").glob("*")},
                "forwards": sum(len(thing["map"].get("elem", [])) for thing in picture["rules"] if "map" in thing)}

    def learn(self):
        """How much of each kind a container has: running, paused and stopped, with a disk of its own and without."""
        one = {"name": "one"}

        def measured():
            wait_until(lambda: self.host.waiting() == WAITING, "as many wait as are to", SETTLE_SECONDS)
            now = self.counts()
            return Counter({kind: now[kind] for kind in KINDS})

        def changed(call, state):
            call()
            wait_until(lambda: self.host.rpc("container_get", {"name": "one"})["state"] == state, f"it is {state}")

        # One that was deleted, or is stopped, has its link for a moment.
        def without_a_link(links):
            wait_until(lambda: len(self.host.machine.links()) == links and self.host.waiting() == WAITING, "its link is gone",
                       SETTLE_SECONDS)
            return measured()

        self.empty = without_a_link(1 + WAITING)
        self.each = {}
        for disk in (False, True)[:1 + Worker.has_disks]:
            self.host.create("one", **FITTING, **({"disk_bytes": DISK_BYTES} if disk else {}))
            self.each["running", disk] = measured() - self.empty
            changed(lambda: self.host.rpc("container_pause", one), "paused")
            self.each["paused", disk] = measured() - self.empty
            changed(lambda: self.host.rpc("container_resume", one), "running")
            changed(lambda: self.host.rpc("container_stop", {**one, "timeout_seconds": 0}), "stopped")
            self.each["stopped", disk] = without_a_link(1 + WAITING) - self.empty
            self.host.delete("one")
            self.assertEqual(without_a_link(1 + WAITING), self.empty)

    def leaks(self, now):
        """What is not as it should be around the containers that there are; nothing, if all is well."""
        boxes = now["containers"].values()
        wrong = [f"{box['name']} is {box['state']}" for box in boxes
                 if box["state"] not in (("running", "paused") if now["wanted"][box["name"]] else ("stopped",))]
        if now["waiting"] != WAITING:
            wrong.append(f"{now['waiting']} wait")
        states = Counter(box["state"] for box in boxes)
        of_each = [self.each.get((box["state"], box["limits"].get("disk_bytes", 0) > 0), Counter()) for box in boxes]
        for kind, of_empty in self.empty.items():
            should = of_empty + sum(of_one[kind] for of_one in of_each)
            # What is stopped has its root mounted until that is restored; then, not before it starts.
            loose = self.each["stopped", False]["mounts"] * states["stopped"] if kind == "mounts" else 0
            if not should - loose <= now[kind] <= should:
                wrong.append(f"{now[kind]} {kind} instead of {should}")
                wrong += [f"{path} is nobody's" for path in self.groups_of_none(now) if kind == "cgroups"]
        if now["lost loops"]:
            wrong.append(f"loop devices {now['lost loops']} of files that are gone")
        if not {box["id"] for box in boxes} <= now["ids"] or len(now["ids"]) != len(boxes) + now["waiting"]:
            wrong.append(f"directories {now['ids']}")
        if now["layers"] != now["layer rows"]:
            wrong.append(f"layers {now['layers'] ^ now['layer rows']}")
        if now["forwards"] != sum(len(box["ports"]) for box in boxes):
            wrong.append(f"{now['forwards']} forwards")
        if len({box["uid_base"] for box in boxes}) != len(now["containers"]):
            wrong.append("two containers with the same uids")
        return wrong

    def groups_of_none(self, now):
        running = now["ids"] - {box["id"] for box in now["containers"].values() if box["state"] == "stopped"}
        return [path for path in self.host.cgroups() if Path(path).name not in running and not Path(path).name.startswith(self.host.cgroup)]

    def settled(self):
        latest = []

        def is_so():
            latest[:] = [self.counts()]
            return not self.leaks(latest[0])

        try:
            wait_until(is_so, "all is as the store says", SETTLE_SECONDS)
        except AssertionError:
            self.maxDiff = None
            self.assertEqual(self.leaks(latest[0]), [], self.host.log_tail())
        return latest[0]

    def compare(self, worker, now, snapshots):
        """Everything that was acknowledged is there, nothing else is but what is in doubt; then the worker learns it."""
        what, in_doubt, detail = worker.doubt or (None, None, None)
        there = {name: box for name, box in now["containers"].items() if name.startswith(worker.prefix + "-")}
        for name in set(there) ^ set(worker.boxes):
            self.assertTrue(what in ("create", "delete") and name == in_doubt, f"{name} is {'there' if name in there else 'lost'}")
        for name, box in there.items():
            found = Box.seen(box, snapshots.get(name, set()))
            known = worker.boxes.get(name)
            if known:
                doubtful = what if name == in_doubt else None
                # An export halts a container that runs while it copies.
                self.assertTrue(found.state == known.state or doubtful in ("state", "restore", "export", "snapshot", "create"),
                                f"{name} is {found.state}, was {known.state}")
                self.assertTrue(found.processes == known.processes or doubtful == "update", f"processes of {name}")
                self.assertLessEqual(abs(found.keys - known.keys), int(doubtful == "key"), f"keys of {name}")
                changed = found.ports ^ known.ports
                self.assertLessEqual(len(changed), 1 if doubtful == "port" else 0, f"ports of {name}: {changed}")
                changed = found.snapshots ^ known.snapshots
                self.assertLessEqual(changed, {detail} if doubtful == "snapshot" else set(), f"snapshots of {name}")
            worker.boxes[name] = found
            if (what, in_doubt) == ("restore", name):
                # It may have been told to shut down, and nobody knows when it does.
                self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
                found.state = "stopped"
            if found.state == "running":
                self.assertEqual(self.host.output(name, "echo", "here"), "here\n")
        for name in set(worker.boxes) - set(there):
            del worker.boxes[name]
        mine = {file for file in now["exports"] if file.startswith(worker.prefix + "-")}
        acknowledged = {worker.exported[0]} if worker.exported else set()
        self.assertTrue(mine == acknowledged or what in ("export", "create"), f"exports {mine}, of {acknowledged}")
        for file in mine - acknowledged:
            (self.host.state / "exports" / file).unlink()
        worker.exported = worker.exported if mine & acknowledged else None
        worker.doubt = None

    def test_nothing_acknowledged_is_lost_and_nothing_is_left(self):
        print(f"BERTH_KILLS={KILLS} BERTH_SEED={SEED}", flush=True)
        self.learn()
        moments = random.Random(SEED)
        workers = [Worker(number, self.host) for number in range(WORKERS)]
        cut_short = Counter()
        for kill in range(KILLS):
            threads = [threading.Thread(target=worker.work, daemon=True) for worker in workers]
            for thread in threads:
                thread.start()
            time.sleep(moments.uniform(*LOAD_SECONDS))
            self.host.kill()
            for thread in threads:
                thread.join(90)
                self.assertFalse(thread.is_alive(), "a call goes on without berthd")
            self.assertEqual([failure for worker in workers for failure in worker.failures], [],
                             f"before kill {kill}:\n{self.host.log_tail()}")
            cut_short.update(worker.doubt[0] for worker in workers if worker.doubt)
            with self.subTest(kill=kill, doubts=[worker.doubt for worker in workers]):
                self.host.start()
            now = self.settled()
            snapshots = {}
            for snapshot in self.host.rpc("snapshot_list", {"limit": 1000})["snapshots"]:
                snapshots.setdefault(snapshot["container"], set()).add(snapshot["name"])
            for worker in workers:
                with self.subTest(kill=kill, worker=worker.prefix, doubt=worker.doubt):
                    self.compare(worker, now, snapshots)
        print(f"acknowledged: {dict(sum((worker.done for worker in workers), Counter()))}; cut short: {dict(cut_short)}")
        for worker in workers:
            for name in worker.boxes:
                self.host.delete(name)
        self.assertEqual(self.settled()["containers"], {})
        self.assertGreater(sum(cut_short.values()), 0, "no kill cut a call short")


if __name__ == "__main__":
    main()

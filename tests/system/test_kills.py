#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of berthd at random moments of a mixed load: nothing acknowledged is lost, nothing is left over.

Each worker has containers of its own, so it knows what was acknowledged and what is in doubt: the one call that was
under way. BERTH_KILLS says how often berthd is killed, BERTH_SEED repeats a run as far as threads let it.
"""
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

KILLS = int(os.environ.get("BERTH_KILLS", "25"))  # 200 every night
SEED = int(os.environ.get("BERTH_SEED", str(random.randrange(2**32))))
WORKERS = 4
BOXES_PER_WORKER_MAX = 2
LOAD_SECONDS = (0.02, 1.2)
SETTLE_SECONDS = 40  # a container may take 30 s to shut down
GONE = (OSError, http.client.HTTPException, ValueError)  # what a call sees of a berthd that dies


class Box:
    """What was acknowledged of a container."""

    def __init__(self):
        self.running, self.ports, self.snapshots = True, set(), set()


class Worker:
    def __init__(self, number, host):
        self.random, self.host, self.prefix = random.Random(f"{SEED}/{number}"), host, f"w{number}"
        self.boxes, self.made = {}, 0
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
            may += [("exec", name), ("exec", name), ("stop", name), ("snapshot", name)] if box.running else [("start", name)] * 2
            may += [("port_remove", name)] * bool(box.ports) + [("snapshot_delete", name)] * bool(box.snapshots)
            if len(self.boxes) < BOXES_PER_WORKER_MAX:
                may += [("fork", name)] * 2
        return self.random.choice(may)

    def new_name(self):
        self.made += 1
        return f"{self.prefix}-{self.made}"

    def call(self, what, name, detail, method, params):
        self.doubt = (what, name, detail)
        return self.host.rpc(method, params, timeout=60)

    def create(self, _):
        name = self.new_name()
        made = self.call("create", name, None, "container_create",
                         {"name": name, "response_format": "detailed", "ports": [{"container_port": 80}]})
        self.boxes[name] = Box()
        self.boxes[name].ports = {port["host_port"] for port in made["ports"]}

    def fork(self, name):
        new = self.new_name()
        self.call("create", new, None, "container_fork", {"container": name, "names": [new]})
        self.boxes[new] = Box()

    def exec(self, name):
        self.call("exec", name, None, "container_exec", {"container": name, "argv": ["true"]})

    def stop(self, name):
        self.call("state", name, None, "container_stop", {"name": name, "timeout_seconds": 0})
        self.boxes[name].running = False

    def start(self, name):
        self.call("state", name, None, "container_start", {"name": name})
        self.boxes[name].running = True

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
    flags = FEW_SLOTS

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
                "links": len(picture["links"]), "mounts": len(picture["mounts"]), "cgroups": len(picture["cgroups"]),
                "forwards": sum(len(thing["map"].get("elem", [])) for thing in picture["rules"] if "map" in thing)}

    def learn(self):
        """How many links, mounts and control groups a container has, running and stopped."""
        self.host.create("warm")
        self.host.rpc("container_stop", {"name": "warm", "timeout_seconds": 0})  # liblxc makes its pivot groups with the first
        self.host.delete("warm")
        kinds = ("links", "mounts", "cgroups")

        def measured():
            now = self.counts()
            return Counter({kind: now[kind] for kind in kinds})

        wait_until(lambda: self.counts()["links"] == 1, "the bridge alone is left")
        self.empty = measured()
        self.host.create("one")
        self.of_running = measured() - self.empty
        self.host.rpc("container_stop", {"name": "one", "timeout_seconds": 0})
        wait_until(lambda: self.counts()["links"] == 1, "its link is gone")
        self.of_stopped = measured() - self.empty
        self.host.delete("one")

    def leaks(self, now):
        """What is not as it should be around the containers that there are; nothing, if all is well."""
        boxes = now["containers"].values()
        states = Counter(box["state"] for box in boxes)
        wrong = [f"{box['name']} is {box['state']}" for box in boxes
                 if box["state"] != ("running" if now["wanted"][box["name"]] else "stopped")]
        for kind, of_empty in self.empty.items():
            should = of_empty + states["running"] * self.of_running[kind] + states["stopped"] * self.of_stopped[kind]
            if now[kind] != should:
                wrong.append(f"{now[kind]} {kind} instead of {should}")
                wrong += [f"{path} is nobody's" for path in self.groups_of_none(boxes) if kind == "cgroups"]
        if now["ids"] != {box["id"] for box in boxes}:
            wrong.append(f"directories {now['ids']}")
        if now["layers"] != now["layer rows"]:
            wrong.append(f"layers {now['layers'] ^ now['layer rows']}")
        if now["forwards"] != sum(len(box["ports"]) for box in boxes):
            wrong.append(f"{now['forwards']} forwards")
        if len({box["uid_base"] for box in boxes}) != len(now["containers"]):
            wrong.append("two containers with the same uids")
        return wrong

    def groups_of_none(self, boxes):
        running = {box["id"] for box in boxes if box["state"] == "running"}
        return [path for path in self.host.cgroups() if Path(path).name not in running and not Path(path).name.startswith(self.host.cgroup)]

    def settled(self):
        latest = []

        def is_so():
            latest[:] = [self.counts()]
            return not self.leaks(latest[0])

        try:
            wait_until(is_so, "all is as the store says", SETTLE_SECONDS)
        except AssertionError:
            self.assertEqual(self.leaks(latest[0]), [])
        return latest[0]

    def compare(self, worker, now, snapshots):
        """Everything that was acknowledged is there, nothing else is but what is in doubt; then the worker learns it."""
        what, in_doubt, detail = worker.doubt or (None, None, None)
        there = {name: box for name, box in now["containers"].items() if name.startswith(worker.prefix + "-")}
        for name in set(there) ^ set(worker.boxes):
            self.assertTrue(what in ("create", "delete") and name == in_doubt, f"{name} is {'there' if name in there else 'lost'}")
        for name, box in there.items():
            found = Box()
            found.running = box["state"] == "running"
            found.ports = {port["host_port"] for port in box["ports"]}
            found.snapshots = snapshots.get(name, set())
            known = worker.boxes.get(name)
            if known:
                doubtful = what if name == in_doubt else None
                self.assertTrue(found.running == known.running or doubtful == "state", f"{name} is {box['state']}")
                changed = found.ports ^ known.ports
                self.assertLessEqual(len(changed), 1 if doubtful == "port" else 0, f"ports of {name}: {changed}")
                changed = found.snapshots ^ known.snapshots
                self.assertLessEqual(changed, {detail} if doubtful == "snapshot" else set(), f"snapshots of {name}")
            worker.boxes[name] = found
            if found.running:
                self.assertEqual(self.host.output(name, "echo", "here"), "here\n")
        for name in set(worker.boxes) - set(there):
            del worker.boxes[name]
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
            self.assertEqual([failure for worker in workers for failure in worker.failures], [], f"before kill {kill}")
            cut_short.update(worker.doubt[0] for worker in workers if worker.doubt)
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

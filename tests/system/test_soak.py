#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Create, exec, delete, again and again: afterwards berthd holds what it held before, and so does the machine.

BERTH_SOAK_CYCLES says how often; 10,000 every night.
"""
import os
import re
import sqlite3
import threading
from pathlib import Path

from support.host import FEW_SLOTS, HostCase, main
from support.machine import wait_until

CYCLES = int(os.environ.get("BERTH_SOAK_CYCLES", "500"))
THREADS = 4  # so that the machine, and not the waiting for one container, is the limit
WARM_UP_CYCLES = 20  # until every thread and cache is there
# Memory that is given back to the allocator is not given back to the kernel at once, so this is a bound and no
# equality: a leak of 20 KB a cycle is over it after 500.
RSS_GROWTH_KIB_MAX = 10 * 1024
# What tells of the past and is bounded by itself: rows of these may stay.
HISTORY = {"operations", "requests", "warnings", "last_slot"}


class Soak(HostCase):
    flags = FEW_SLOTS

    def cycles(self, count):
        numbers, lock, failures = iter(range(count)), threading.Lock(), []

        def work(prefix):
            while not failures:
                with lock:
                    if next(numbers, None) is None:
                        return
                try:
                    self.host.create(prefix, ports=[{"container_port": 80}])
                    if self.host.output(prefix, "echo", "here") != "here\n":
                        raise AssertionError("the command said something else")
                    self.host.delete(prefix)
                except Exception as error:  # told in the main thread
                    failures.append(error)

        threads = [threading.Thread(target=work, args=(f"soak-{number}",)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def launcher(self):
        children = Path(f"/proc/{self.host.daemon.pid}/task/{self.host.daemon.pid}/children").read_text().split()
        [pid] = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "berth-launcher"]
        return int(pid)

    def memory_kib(self):
        return {name: int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
                for name, pid in (("berthd", self.host.daemon.pid), ("launcher", self.launcher()))}

    def held(self):
        """All that has to be as it was."""
        pids = {"berthd": self.host.daemon.pid, "launcher": self.launcher()}
        with sqlite3.connect(f"file:{self.host.state}/berth.db?mode=ro", uri=True) as store:
            tables = {row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            rows = {table: store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in tables - HISTORY if not table.startswith("sqlite_")}
        store.close()
        return {"picture": self.host.picture(), "rows": rows,
                "descriptors": {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()},
                "threads": {name: len(os.listdir(f"/proc/{pid}/task")) for name, pid in pids.items()},
                "files": sorted(str(path) for path in self.host.state.rglob("*")),
                "locks": sorted(str(path) for path in Path("/run/lxc/lock").rglob("*") if self.host.root.name in str(path)),
                "processes": len(self.host.our_processes())}

    def test_what_is_made_and_deleted_leaves_nothing(self):
        self.cycles(WARM_UP_CYCLES)
        own = {self.host.daemon.pid, self.launcher()}
        wait_until(lambda: len(self.host.our_processes()) == len(own), "the last containers' processes are reaped")
        before, memory_before = self.held(), self.memory_kib()
        self.cycles(CYCLES)
        latest = []

        def is_so():
            latest[:] = [self.held()]
            return latest[0] == before

        try:
            wait_until(is_so, "all is as before", 15)
        except AssertionError:
            self.maxDiff = None
            self.assertEqual(latest[0], before)
        memory = self.memory_kib()
        print(f"{CYCLES} cycles; descriptors {before['descriptors']}; KiB {memory_before} before, {memory} after")
        for name, kib in memory.items():
            self.assertLess(kib - memory_before[name], RSS_GROWTH_KIB_MAX, f"memory of {name}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a list takes while creates are under way, beside how long it takes when nothing is.

    sudo BERTH_BIN=build/release python3 tests/bench/list_during_creates.py [CREATES]

Prints both and their ratio, how long the creates took, and how late a thread wakes up meanwhile that only sleeps: what
the machine itself cannot do any better. Whoever lists goes before all others (SCHED_FIFO), so that berthd is timed, and
not how long this client waits for a processor itself.
"""
import http.client
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import Host, ToolError, UnixConnection  # noqa: E402

BODY = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "container_list", "params": {}})
HEADERS = {"Content-Type": "application/json"}
LISTS = 500
PAUSE = 0.002  # between two lists while creates are under way


def listed(connection):
    began = time.perf_counter()
    connection.request("POST", "/rpc", BODY, HEADERS)
    total = json.loads(connection.getresponse().read())["result"]["total"]
    return (time.perf_counter() - began) * 1000, total


def summary(what, times):
    ordered = sorted(times)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{what:>32}: {len(ordered)} times, p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {ordered[-1]:.2f} ms")
    return p99


def main():
    creates = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    host = Host()
    try:
        connection = UnixConnection(host.socket, 60)
        host.create("first")
        alone = summary("alone", [listed(connection)[0] for _ in range(LISTS)])
        failures = []

        def create(number):
            try:
                host.create(f"box{number}")
            except (OSError, http.client.HTTPException, ToolError) as error:  # told below
                failures.append(str(error))

        began_all = time.perf_counter()
        threads = [threading.Thread(target=create, args=(number,)) for number in range(creates)]
        for thread in threads:
            thread.start()
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        times, late = [], []
        while any(thread.is_alive() for thread in threads):
            times.append(listed(connection)[0])
            began = time.perf_counter()
            time.sleep(PAUSE)
            late.append((time.perf_counter() - began - PAUSE) * 1000)
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began_all
        print(f"{creates} creates took {took:.2f} s")
        during = summary(f"with {creates} creates in flight", times)
        summary("late to wake up meanwhile", late)
        print(f"{'p99 during / alone':>32}: {during / alone:.1f}; {len(failures)} creates failed {failures[:1]}")
        containers = host.rpc("container_list", {"limit": 1000})["total"]
        summary(f"alone, with {containers} containers", [listed(connection)[0] for _ in range(LISTS)])
        connection.close()
    finally:
        host.close()


if __name__ == "__main__":
    main()

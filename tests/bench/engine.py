#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast containers come and go through berth-mcp, beside Incus, LXD, and lxc-start with lxc-attach, on the same
image in the same run.

usage: sudo BERTH_BIN=build/release tests/bench/engine.py [RUNS] [AT_ONCE]

Incus and LXD take part where they are installed (managers.py says what to install).

A claim is a create that finds a container of [[standby]] waiting. Both kinds of create alternate, so that the noise
of the machine falls on both, and each measure begins when the boots and removals of the last one are over. Machines are
noisy: read the medians and the ratios, never one absolute time. lxc-start is spared work that berth does: its container
is privileged, nothing maps ids, and nobody proves that it answers."""
import contextlib
import functools
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import Host  # noqa: E402
from support.machine import processes, wait_until  # noqa: E402
from support.mcp import Inside, McpHttp  # noqa: E402

import managers  # noqa: E402
from first_path import Times, peer  # noqa: E402

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
AT_ONCE = int(sys.argv[2]) if len(sys.argv) > 2 else 100
PORT = 7420
WAITING = {"processes": 4000}
COLD = {"processes": 4001}


class StandbyHost(Host):
    def start(self):
        """berthd has a configuration of its own; that of berth-mcp knows no standby."""
        config = self.root / "berthd.toml"
        config.write_text(f"version = 1\n[[standby]]\ncount = 2\nprocesses = {WAITING['processes']}\n")
        at = self.flags.index("--config") + 1
        self.flags[at] = str(config)
        super().start()

    def filled(self):
        wait_until(lambda: self.rpc("system_info", {})["standby"] == 2, "two wait", 120)


def call(client, tool, **arguments):
    result = client.tool(tool, **arguments)
    if result.get("isError"):
        raise AssertionError(result)
    return result


class Kept(Inside):
    """One connection for all calls of a client, as a program has it."""

    def close(self):
        pass


def memory_kib(host):
    """Proportional set size of what is ours: berthd, and of all containers monitors and helpers."""
    sums = {"berthd": 0, "berth-monitor": 0, "berth-agent": 0}
    for pid, _, cgroup, _ in processes():
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            ours = pid == host.daemon.pid if name == "berthd" else f"/{host.cgroup}" in str(cgroup)
            if name in sums and ours:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                sums[name] += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, ProcessLookupError):
            pass  # it has ended
    return sums


def managed(manager, times):
    def create_and_exec():
        manager.create("ada")
        manager.exec("ada")

    times.measure(f"{manager.kind}: create .. first exec done", create_and_exec)
    times.measure(f"{manager.kind}: exec", lambda: manager.exec("ada"))
    times.measure(f"{manager.kind}: delete", lambda: manager.delete("ada"))


def one_by_one(host, client, times, peers):
    def create_and_exec(limits):
        call(client, "container_create", name="ada", **limits)
        call(client, "container_exec", container="ada", argv=["true"])

    for number in range(RUNS):
        for what, limits in (("cold create", COLD), ("claim", WAITING)):
            host.filled()
            managers.quiet()
            times.measure(f"berth: {what} .. first exec done", lambda limits=limits: create_and_exec(limits))
            times.measure("berth: exec", lambda: call(client, "container_exec", container="ada", argv=["true"]))
            times.measure("berth: delete", lambda: call(client, "container_delete", name="ada", force=True))
        managers.quiet()
        peer(host, number, times)
        for manager in peers:
            managers.quiet()
            managed(manager, times)


def ratios(times):
    mine = statistics.median(times["berth: cold create .. first exec done"])
    for kind in managers.KINDS:
        theirs = times.get(f"{kind}: create .. first exec done")
        if theirs:
            print(f"a cold create of berth is {statistics.median(theirs) / mine:.1f} times faster than one of {kind}")


def at_once(host, client, times):
    idle = memory_kib(host)

    def create(number):
        times.measure(f"berth: each of {AT_ONCE} creates at once, cold",
                      lambda: call(client, "container_create", name=f"box{number}", **COLD))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create, range(AT_ONCE)))
    time.sleep(5)  # boots end
    for _ in range(RUNS):
        times.measure(f"berth: list of {AT_ONCE}", lambda: call(client, "container_list", limit=1000))
    full = memory_kib(host)
    print({what: f"{(full[what] - idle[what]) / AT_ONCE:.0f} KiB a container" for what in full})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: call(client, "container_delete", name=f"box{number}", force=True), range(AT_ONCE)))


def main():
    host = StandbyHost()
    times = Times()
    server = None
    try:
        server = host.start_mcp_http(PORT)
        connection = Kept(host.machine, PORT)
        client = McpHttp(lambda: connection)
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(managers.Manager(kind)) for kind in managers.KINDS if managers.there(kind)]
            for manager in peers:  # the first create of each unpacks its image
                manager.create("first")
                manager.delete("first")
            one_by_one(host, client, times, peers)
        at_once(host, McpHttp(functools.partial(Inside, host.machine, PORT)), times)
    finally:
        if server:
            server.terminate()
            server.wait(30)
        host.close()
    times.report()
    ratios(times)


if __name__ == "__main__":
    main()

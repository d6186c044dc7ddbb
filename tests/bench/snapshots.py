#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a snapshot takes, for how long its container stands still, and what ten forks cost beyond ten starts.

    sudo BERTH_BIN=build/release python3 tests/bench/snapshots.py [RUNS]

The pause is seen from inside: the longest gap between two ticks of a process that ticks every millisecond.
"""
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import Host  # noqa: E402

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
FORKS = 10
TICK = """
import sys, time
last, worst = time.monotonic(), 0.0
while not __import__("os").path.exists("/run/enough"):
    time.sleep(0.001)
    now = time.monotonic()
    worst, last = max(worst, now - last), now
    open("/run/worst", "w").write(str(worst * 1000))
"""


def timed(call):
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def report(what, values):
    ordered = sorted(values)
    print(f"{what:58} {len(values):4} {statistics.median(values):8.1f} {ordered[-1]:8.1f}", flush=True)


def snapshots(host, what):
    def one(number):
        return timed(lambda: host.rpc("snapshot_create", {"container": "web", "name": f"b{number}"}))

    report(f"snapshot of a running container, {what}", [one(number) for number in range(RUNS)])
    size = host.rpc("snapshot_list", {"container": "web"})["snapshots"][-1]["bytes"]
    print(f"{'':4}of {size / 1e6:.1f} MB")
    for number in range(RUNS):
        host.rpc("snapshot_delete", {"container": "web", "snapshot": f"b{number}"})


def main():
    host = Host()
    try:
        print(f"{'what':58} {'n':>4} {'p50':>8} {'max':>8}  ms")
        host.create("web")
        host.output("web", "sh", "-c", 'setsid python3 -c "$1" >/dev/null 2>&1 </dev/null &', "sh", TICK)
        snapshots(host, "as created")
        print(f"{'':4}longest gap inside {float(host.output('web', 'cat', '/run/worst')):.1f} ms")
        host.output("web", "touch", "/run/enough")
        names = [f"f{number}" for number in range(FORKS)]
        plain, forks, stopped = [], [], []
        for _ in range(max(3, RUNS // 5)):
            fork = {"container": "web", "names": names}
            stopped.append(timed(lambda: host.rpc("container_fork", {**fork, "start": False})))
            plain.append(timed(lambda: [host.rpc("container_start", {"name": name}) for name in names]))
            for name in names:
                host.delete(name)
            forks.append(timed(lambda: host.rpc("container_fork", fork)))
            for name in names:
                host.delete(name)
        report(f"{FORKS} forks, not started", stopped)
        report(f"{FORKS} forks, started, four at once", forks)
        report("for comparison: their starts alone, one by one", plain)
        host.output("web", "sh", "-c", "for n in $(seq 2000); do head -c 50000 /dev/urandom > /srv/$n; done")
        snapshots(host, "with 2,000 more files")
    finally:
        host.close()


if __name__ == "__main__":
    main()

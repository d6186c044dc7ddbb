#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand live containers on one host: how long each takes, what a list of all costs, and our memory for each.

    sudo BERTH_BIN=build/release python3 tests/bench/thousand.py [COUNT]

They are of the base image with a small init in place of systemd: a static program that reaps, and ends when it is told.
Linux gives a bridge 1,023 ports, so that is the most of one host.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
IMAGES = Path(os.environ["BERTH_IMAGE_DIR"])
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
AT_A_TIME = 4
LISTS = 50
INIT = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
int main(void) {
    signal(SIGRTMIN + 3, end);
    for (;;) {
        while (waitpid(-1, 0, 0) > 0) {}
        sleep(1);
    }
}
"""


def small_images(directory):
    """A copy of the base image whose init is ours."""
    shutil.copytree(IMAGES / "names", directory / "names", symlinks=True)
    digest = os.path.basename(os.readlink(IMAGES / "names/debian-12"))
    subprocess.run(["cp", "-a", IMAGES / digest, directory / digest], check=True)
    source, init = directory / "init.c", directory / digest / "rootfs/usr/sbin/init"
    source.write_text(INIT)
    init.unlink()
    subprocess.run(["gcc", "-O2", "-static", "-o", init, source], check=True)


def used_mib():
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(values["MemTotal"].split()[0]) - int(values["MemAvailable"].split()[0])) / 1024


def timed(call):
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def report(what, values):
    values = sorted(values)
    print(f"{what:40} {len(values):5} {statistics.median(values):9.2f} {values[int(len(values) * 0.99)]:9.2f} {values[-1]:9.2f}",
          flush=True)


def at_a_time(call):
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda number: timed(lambda: call(f"box{number}")), range(COUNT)))


def main():
    with tempfile.TemporaryDirectory(prefix="berth-bench-", dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        small_images(Path(directory))
        os.environ["BERTH_IMAGE_DIR"] = directory
        from engine import memory_kib  # noqa: PLC0415: reads where the images are
        from support.host import Host  # noqa: PLC0415
        host = Host("--ssh-ports", f"20000-{20000 + COUNT + 10}")
        try:
            print(f"{'what':40} {'n':>5} {'p50':>9} {'p99':>9} {'max':>9}  ms")
            before, ours = used_mib(), memory_kib(host)
            report(f"create, {AT_A_TIME} at a time", at_a_time(lambda name: host.rpc("container_create", {"name": name})))
            after = {what: memory_kib(host)[what] - ours[what] for what in ours}
            total = host.rpc("container_list", {"limit": 1000})
            assert total["total"] == COUNT, total["total"]
            assert {box["state"] for box in total["containers"]} == {"running"}
            report(f"list of {COUNT}", [timed(lambda: host.rpc("container_list", {"limit": 1000})) for _ in range(LISTS)])
            report("exec in one of them", [timed(lambda: host.rpc("container_exec", {"container": f"box{number}", "argv": ["true"]}))
                                           for number in range(0, COUNT, max(1, COUNT // LISTS))])
            print(f"memory of all kinds {(used_mib() - before) / COUNT:.1f} MiB a container; ours in KiB",
                  {what: round(kib / COUNT) for what, kib in after.items()})
            report(f"delete, {AT_A_TIME} at a time",
                   at_a_time(lambda name: host.rpc("container_delete", {"name": name, "force": True})))
        finally:
            host.close()


if __name__ == "__main__":
    main()

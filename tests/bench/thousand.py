#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand live containers on one host: how long each takes, what a list of all costs, and our memory for each.

    sudo BERTH_BIN=build/release python3 tests/bench/thousand.py [COUNT]

They are of the base image with a small init in place of systemd.
Linux gives a bridge 1,023 ports, so that is the most of one host.
"""
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.small_image import make_small_image  # noqa: E402

IMAGES = Path(os.environ["BERTH_IMAGE_DIR"])
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
AT_A_TIME = 4
LISTS = 50


def used_mib():
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(values["MemTotal"].split()[0]) - int(values["MemAvailable"].split()[0])) / 1024


def at_a_time(times, what, call):
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda number: times.measure(what, lambda: call(f"box{number}")), range(COUNT)))


def main():
    with tempfile.TemporaryDirectory(prefix="berth-bench-", dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        make_small_image(IMAGES, Path(directory))
        os.environ["BERTH_IMAGE_DIR"] = directory
        from engine import memory_kib  # noqa: PLC0415: reads where the images are
        from first_path import Times  # noqa: PLC0415
        from support.host import Host  # noqa: PLC0415
        host = Host("--ssh-ports", f"20000-{20000 + COUNT + 10}")
        try:
            times, before, ours = Times(), used_mib(), memory_kib(host)
            at_a_time(times, f"create, {AT_A_TIME} at a time", lambda name: host.rpc("container_create", {"name": name}))
            after = {what: memory_kib(host)[what] - ours[what] for what in ours}
            total = host.rpc("container_list", {"limit": 1000})
            assert total["total"] == COUNT, total["total"]
            assert {box["state"] for box in total["containers"]} == {"running"}
            for number in range(LISTS):
                name = f"box{number * COUNT // LISTS}"
                times.measure(f"list of {COUNT}", lambda: host.rpc("container_list", {"limit": 1000}))
                times.measure("exec in one of them", lambda: host.rpc("container_exec", {"container": name, "argv": ["true"]}))
            print(f"memory of all kinds {(used_mib() - before) / COUNT:.1f} MiB a container; ours in KiB",
                  {what: round(kib / COUNT) for what, kib in after.items()})
            at_a_time(times, f"delete, {AT_A_TIME} at a time", lambda name: host.rpc("container_delete", {"name": name, "force": True}))
            times.report()
        finally:
            host.close()


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long the first path takes, beside lxc-start and lxc-attach on the same image in the same run.

usage: sudo BERTH_BIN=build/release tests/bench/first_path.py [RUNS]

Machines are noisy: read the ratios and the medians, never one absolute time. The peer is spared work that
berth does: its container is privileged, so nothing maps ids, and nobody proves that it answers. The one
login to it would need a resident sshd, so there is no peer for logins."""
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import IMAGES, Host  # noqa: E402

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
PEER = """
lxc.include = /usr/share/lxc/config/common.conf
lxc.rootfs.path = overlay:{base}:{upper}
lxc.uts.name = {name}
lxc.apparmor.profile = unconfined
lxc.net.0.type = veth
lxc.net.0.link = berth0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.86.200.{last}/16
lxc.net.0.ipv4.gateway = 10.86.0.1
"""


class Times(dict):
    def measure(self, what, action):
        begun = time.perf_counter()
        action()
        self.setdefault(what, []).append((time.perf_counter() - begun) * 1000)

    def report(self):
        print(f"{'what':58} {'n':>4} {'p50':>8} {'p99':>8} {'max':>8}  ms")
        for what, values in self.items():
            ordered = sorted(values)
            p99 = ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]
            print(f"{what:58} {len(values):4} {statistics.median(values):8.1f} {p99:8.1f} {ordered[-1]:8.1f}")


def berth(host, key, times):
    ssh = ["ssh", "-F", str(host.root / "config"), "-i", str(key), "-o", "BatchMode=yes", "ada", "true"]

    def create_and_exec():
        host.create("ada", ssh_keys=[key.with_suffix(".pub").read_text().strip()])
        host.output("ada", "true")

    def create_and_login():
        create_and_exec()
        entry = host.rpc("ssh_config", {"container": "ada"})
        (host.root / "known_hosts").write_text(entry["known_hosts"])
        (host.root / "config").write_text(entry["config"].replace("~/.ssh/berth_known_hosts", str(host.root / "known_hosts")))
        host.machine.run(ssh)

    times.measure("berth: create .. first exec done", create_and_exec)
    times.measure("berth: exec round trip", lambda: host.output("ada", "true"))
    times.measure("berth: delete", lambda: host.delete("ada"))
    times.measure("berth: create .. first ssh login done", create_and_login)
    times.measure("berth: further ssh login", lambda: host.machine.run(ssh))
    host.delete("ada")


def peer(host, number, times):
    place = host.root / "peer"
    name, upper = f"peer{number}", place / f"upper{number}"
    upper.mkdir(parents=True)
    config = place / f"{name}.conf"
    base = next(IMAGES.glob("names/debian-12")).resolve() / "rootfs"
    config.write_text(PEER.format(base=base, upper=upper, name=name, last=number % 200 + 10))
    attach = ["lxc-attach", "-P", place, "-n", name, "--", "true"]

    def start_and_attach():
        host.machine.run(["lxc-start", "-P", place, "-n", name, "-f", config])
        host.machine.run(attach)

    times.measure("lxc-start .. first lxc-attach done", start_and_attach)
    times.measure("lxc-attach round trip", lambda: host.machine.run(attach))
    host.machine.run(["lxc-stop", "-P", place, "-n", name, "-k"], check=False)


def main():
    host = Host()
    times = Times()
    try:
        key = host.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        for number in range(RUNS):
            berth(host, key, times)
            peer(host, number, times)
    finally:
        host.close()
    times.report()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What berthd is started with and finds on its machine: neither its own limits nor programs that are not there, nor how big
an image is, make a difference for containers."""
import os
import re
import resource
import subprocess
from pathlib import Path

from support.host import IMAGES, Host, HostCase, main
from support.machine import wait_until
from test_standby import FITTING, TABLE, StandbyHost

# As "Max ..." of /proc/PID/limits says (proc(5)): what docs/isolation.md promises, and the rest of berth's table.
UNLIMITED = resource.RLIM_INFINITY
PROMISED = {"open files": (resource.RLIMIT_NOFILE, 1024, 524288), "processes": (resource.RLIMIT_NPROC, UNLIMITED, UNLIMITED),
            "core file size": (resource.RLIMIT_CORE, 1, 1), "stack size": (resource.RLIMIT_STACK, 8 << 20, UNLIMITED),
            "locked memory": (resource.RLIMIT_MEMLOCK, 8 << 20, 8 << 20), "realtime priority": (resource.RLIMIT_RTPRIO, 0, 0)}
CAP_SYS_RESOURCE = 24
# Where berthd may not raise a limit, a container gets what berthd has at most; then only those in force are odd.
MAY_RAISE = bool(int(re.search(r"CapEff:\s+(\w+)", Path("/proc/self/status").read_text())[1], 16) >> CAP_SYS_RESOURCE & 1)
ODD = {"nofile": ("900", "4096"), "nproc": ("4000", "5000"), "core": ("4096", "65536"), "stack": ("1048576", "4194304"),
       "memlock": ("65536", "65536")}
# Those that systemd does not set anew for a service.
OF_A_SERVICE = ("open files", "core file size", "stack size", "locked memory", "realtime priority")
UNIT = "[Service]\nType=oneshot\nExecStart=/bin/cp /proc/self/limits /root/of-a-service\n"
# Programs that a create has no business with; every start of one of them fails.
USELESS = ("/bin/sh", "/bin/bash", "/usr/bin/newuidmap", "/usr/bin/newgidmap")
COVER = """
while [ "$1" != -- ]; do if [ -e "$1" ]; then mount --bind /bin/false "$(realpath "$1")"; fi; shift; done
shift; exec "$@"
"""
ENTRIES_MAX = 50  # of a container that has not been started


class OddHost(Host):
    wrapper = ("prlimit", *(f"--{name}={soft}:{hard if MAY_RAISE else ''}" for name, (soft, hard) in ODD.items()))


class BareHost(StandbyHost):
    wrapper = ("unshare", "--mount", "sh", "-c", COVER, "sh", *USELESS, "--")
    table = TABLE.format(1, FITTING["processes"])


class Limits(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.host = OddHost()
        cls.addClassCleanup(cls.host.close)
        key = cls.host.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        cls.host.create("ada", ssh_keys=[key.with_suffix(".pub").read_text().strip()])
        entry = cls.host.rpc("ssh_config", {"container": "ada"})
        known = cls.host.root / "known_hosts"
        known.write_text(entry["known_hosts"])
        (cls.host.root / "ssh").write_text(entry["config"].replace("~/.ssh/berth_known_hosts", str(known)))
        cls.ssh = ["ssh", "-F", cls.host.root / "ssh", "-i", key, "-o", "BatchMode=yes", "ada"]

    def as_promised(self, text, names=tuple(PROMISED)):
        rows = {line[:26].strip(): line[26:].split()[:2] for line in text.splitlines()}
        self.assertEqual({name: rows[f"Max {name}"] for name in names}, {name: self.promised(*PROMISED[name]) for name in names})

    @staticmethod
    def promised(kind, soft, hard):
        at_most = UNLIMITED if MAY_RAISE else resource.getrlimit(kind)[1]
        return ["unlimited" if least == UNLIMITED else str(least)
                for least in (min((limit, at_most), key=lambda one: one % 2**64) for limit in (soft, hard))]

    def test_berthd_has_the_odd_ones(self):
        # But for descriptors, of which it takes as many as it may.
        self.assertIn(ODD["stack"][0], Path(f"/proc/{self.host.daemon.pid}/limits").read_text())

    def test_a_command_has_berths(self):
        self.as_promised(self.host.output("ada", "cat", "/proc/self/limits"))

    def test_init_has_berths(self):
        text = self.host.output("ada", "cat", "/proc/1/limits")
        self.as_promised(text, ("processes", "core file size", "stack size", "realtime priority"))  # systemd raises its own others

    def test_a_login_has_berths(self):
        self.as_promised(self.host.machine.run([*self.ssh, "cat", "/proc/self/limits"]).stdout)

    def test_a_service_has_berths(self):
        self.host.output("ada", "sh", "-c", 'cat >/etc/systemd/system/look.service', stdin=UNIT)
        wait_until(lambda: self.host.exec("ada", "systemctl", "start", "look")["exit_code"] == 0, "systemd starts it")
        self.as_promised(self.host.output("ada", "cat", "/root/of-a-service"), OF_A_SERVICE)


class Programs(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.host = BareHost()
        cls.addClassCleanup(cls.host.close)

    def test_no_shell_and_no_newuidmap_is_started_for_a_container(self):
        inside = ["nsenter", "--target", str(self.host.daemon.pid), "--mount"]
        for path in filter(os.path.exists, USELESS):
            self.assertEqual(subprocess.run([*inside, path, "-c", "true"]).returncode, 1, f"{path} is not covered")
        self.host.filled(1)
        waited = self.host.guests()
        for name, more in (("claimed", FITTING), ("cold", {"processes": 100}), ("on-a-disk", {"disk_bytes": 64 << 20})):
            if "disk_bytes" in more and not self.host.feature("disk_quota")["available"]:
                continue
            box = self.host.create(name, ports=[{"container_port": 80}], **more)
            self.assertEqual(box["id"] in waited, name == "claimed")
            self.assertEqual(self.host.output(name, "echo", "here"), "here\n")
            self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
            self.host.rpc("container_start", {"name": name})
            self.host.delete(name)


class Size(HostCase):
    def test_a_create_makes_as_few_files_as_it_needs_whatever_the_image_has(self):
        box = self.host.create("ada", start=False)
        of_the_image = sum(len(files) for _, _, files in os.walk((IMAGES / "names/debian-12").resolve() / "rootfs"))
        self.assertGreater(of_the_image, 100 * ENTRIES_MAX)
        self.assertLess(len(self.upper(box["id"])), ENTRIES_MAX, self.upper(box["id"]))
        self.host.delete("ada")

    def upper(self, id):
        """What a container has of its own; the rest is seen through its mount."""
        top = self.host.state / "containers" / id / "upper"
        return [os.path.join(path, name) for path, names, files in os.walk(top) for name in names + files]


if __name__ == "__main__":
    main()

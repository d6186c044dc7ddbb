#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What these tests find on this machine's kernel holds on Debian 12's own, whose kernel is older, has AppArmor and
project quotas, and gives cgroup v2 alone: the same programs and tests run on one, which is booted here.

BERTH_STOCK_TESTS names the tests, with commas between. The processor is emulated, because a KVM within a virtual machine may be there and yet
boot nothing; so what takes seconds elsewhere takes a minute.
"""
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from support.host import BIN, IMAGES, main, program
from support.machine import die_with_parent, free_port, wait_until
from support.scratch import scratch

SOURCE = Path(__file__).resolve().parents[2]
TESTS = os.environ.get("BERTH_STOCK_TESTS", "apparmor,environment,limits -k a_disk_ -k full_disk").split(",")
PROGRAMS = ("berthd", "berth", "berth-mcp", "berth-agent", "lxc-contract")
PACKAGES = ("systemd-sysv", "udev", "linux-image-amd64", "initramfs-tools", "openssh-server", "openssh-client", "apparmor",
            "iproute2", "nftables", "procps", "e2fsprogs", "lxcfs", "python3", "curl",
            # Of the tests that others may name, some compile what they run inside.
            *(("gcc", "libc6-dev") if "BERTH_STOCK_TESTS" in os.environ else ()))
BOOT_SECONDS = 400
# What mounts the root needs it, which is to have project quotas.
QUOTAS = 'd="$1"/usr/share/initramfs-tools/modules.d && mkdir -p "$d" && echo quota_v2 > "$d"/quotas'
NETWORK = "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n"


def output(*argv, **options):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **options).stdout


def archive():
    """The suites of Debian 12 as this machine reads them, for mmdebstrap's standard input."""
    found = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)",
                   "Identifier: Packages")
    rows = (line.split(" ") for line in found.splitlines() if line.startswith("Debian main "))
    return "".join(sorted({f"deb {uri} {suite} main\n" for _, _, suite, uri in rows
                           if suite in ("bookworm", "bookworm-updates", "bookworm-security")}))


def libraries():
    """The packages of what our programs are linked with; dpkg knows those of every machine by other paths."""
    files = set()
    for name in PROGRAMS:
        linked = subprocess.run(["ldd", program(name)], capture_output=True, text=True)
        files |= {os.path.realpath(line.split()[2]) for line in linked.stdout.splitlines() if "=> /" in line}
    known = subprocess.run(["dpkg", "-S", *files], capture_output=True, text=True).stdout
    return sorted({line.split(":")[0] for line in known.splitlines()})


def proxies():
    found = {}
    for scheme in ("http", "https"):
        value = output("apt-config", "dump", "--format", "%v", f"Acquire::{scheme}::Proxy").strip()
        if value:
            found[f"{scheme}_proxy"] = value
    return found


@unittest.skipIf(os.environ.get("BERTH_SANITIZE"), "NOT RUN: a sanitizer and an emulated processor are too slow together")
class StockMachine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = scratch()
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        root = cls.scratch / "root"
        try:
            # In mounts of its own, so that none is left below what is removed when this is cut short.
            output("unshare", "--mount", "mmdebstrap", "--variant=minbase", "--format=directory",
                   f"--include={','.join([*PACKAGES, *libraries()])}", f"--essential-hook={QUOTAS}", "bookworm",
                   str(root), "-", input=archive(), env={**os.environ, **proxies(), "TMPDIR": str(cls.scratch)})
        except subprocess.CalledProcessError as failed:
            raise AssertionError(failed.stderr[-2000:])
        cls.furnish(root)
        cls.boot(root)

    @classmethod
    def furnish(cls, root):
        """Our programs, the base image and the tests, at the same paths; and a way in."""
        for name in PROGRAMS:
            at = root / str(Path(program(name)).relative_to("/"))
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(program(name), at)
        for tree in (SOURCE / "tests/system", IMAGES):
            at = root / str(tree.relative_to("/"))
            at.parent.mkdir(parents=True, exist_ok=True)
            output("cp", "-a", str(tree), str(at))
        (root / "etc/fstab").write_text("/dev/vda / ext4 prjquota 0 1\n")
        (root / "etc/hostname").write_text("stock\n")
        (root / "etc/systemd/network/10.network").write_text(NETWORK)
        output("chroot", str(root), "systemctl", "enable", "systemd-networkd", "ssh")
        cls.key = cls.scratch / "key"
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(cls.key))
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(f"{cls.key}.pub", root / "root/.ssh/authorized_keys")

    @classmethod
    def boot(cls, root):
        disk, kernel, first = cls.scratch / "disk", cls.scratch / "kernel", cls.scratch / "initrd"
        for name, at in (("vmlinuz", kernel), ("initrd.img", first)):
            shutil.copy(next((root / "boot").glob(f"{name}-*")), at)
        output("mkfs.ext4", "-q", "-O", "quota,project", "-d", str(root), str(disk), "8G")
        output("rm", "-rf", "--one-file-system", str(root))
        cls.port = free_port()
        cls.console = cls.scratch / "console"
        cls.machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3G", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", f"file:{cls.console}", "-kernel", kernel, "-initrd", first,
             "-append", "root=/dev/vda rw rootflags=prjquota console=ttyS0 quiet", "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe",
             # Nothing but this machine's loopback is reached from inside, and nothing but SSH from outside.
             "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{cls.port}-:22",
             "-device", "virtio-net-pci,netdev=net,romfile="],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        cls.addClassCleanup(cls.machine.stderr.close)
        cls.addClassCleanup(cls.machine.wait)
        cls.addClassCleanup(cls.machine.kill)
        wait_until(cls.is_up, "the machine lets in", BOOT_SECONDS)

    @classmethod
    def is_up(cls):
        if cls.machine.poll() is not None:
            raise AssertionError(f"the machine ended: {cls.machine.stderr.read()[-1000:]}")
        return cls.inside("true", timeout=60).returncode == 0

    @classmethod
    def inside(cls, command, timeout):
        return subprocess.run(
            ["ssh", "-F", "none", "-q", "-i", cls.key, "-p", str(cls.port), "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "root@127.0.0.1", command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def test_it_is_another_kernel_with_apparmor_and_cgroup_v2_alone(self):
        self.assertTrue(self.inside("uname -r", 60).stdout.startswith("6.1."))
        self.assertEqual(self.inside("cat /sys/module/apparmor/parameters/enabled", 60).stdout, "Y\n")
        self.assertEqual(self.inside("stat -f -c %T /sys/fs/cgroup", 60).stdout, "cgroup2fs\n")

    def test_the_tests_pass_there_too(self):
        for test in TESTS:
            with self.subTest(test):
                name, _, options = test.partition(" ")
                began = time.monotonic()
                run = self.inside(f"BERTH_BIN={BIN} BERTH_IMAGE_DIR={IMAGES} PYTHONDONTWRITEBYTECODE=1 BERTH_TEST_SECONDS=3000 "
                                  f"python3 {SOURCE}/tests/system/test_{name}.py {options} 2>&1", 3600)
                print(f"{test}: {time.monotonic() - began:.0f} s", flush=True)
                self.assertEqual(run.returncode, 0, run.stdout[-4000:])


if __name__ == "__main__":
    main()

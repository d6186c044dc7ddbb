#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The probe suite (tests/system/probe): what a container cannot do, and what it can, each with its errno."""
import base64
import importlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import unittest
import zlib
from pathlib import Path

from support.host import SOURCE, HostCase, main
from support.machine import HOST_ADDRESS

PROBE = Path(__file__).parent / "probe"
# Of the base image, inside a container: nothing else may have failed.
FAILED_UNITS_ALLOWED = ["sys-kernel-debug.mount", "sys-kernel-tracing.mount"]
# Modules that the suite uses and a small Python is without.
LIBRARY = ("json", "ctypes", "_ctypes", "mmap", "resource", "fcntl", "termios", "tty", "pty")
HOST_PORT, OTHER_PORT = 7788, 7789
# What comes of attempts in a container with `nesting`, where that is something else: docs/nesting.md tells it.
NESTING = {"open FUSE, for file systems of its own": ["allowed"],
           "open TUN, for links of its own": ["allowed"],
           "mount a /proc without covers from a user namespace of its own": ["allowed"],
           "mount a /sys without covers from a user namespace of its own": ["allowed"],
           "press a magic key in such a /proc": ["EACCES", "ENOENT"],
           "say in such a /proc where the host's core dumps go": ["EACCES"]}


def has_gate_of_32_bits():
    """Whether this kernel takes 32-bit system calls at all: getpid by that gate, outside of any container."""
    knock = "import sys; sys.path.insert(0, sys.argv[1]); import kernel; kernel.call_32bit(20)"
    return subprocess.run([sys.executable, "-c", knock, PROBE], capture_output=True).returncode == 0


GATE_OF_32_BITS = has_gate_of_32_bits()


def packed():
    """The suite, and what the image's small Python lacks of the library: a compressed tar."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        def whole(info):
            info.uid = info.gid = 0
            info.mode |= 0o444
            return None if "__pycache__" in info.name or "/test" in info.name else info
        tar.add(PROBE, "probe", filter=whole)
        for name in LIBRARY:
            file = getattr(importlib.import_module(name), "__file__", None)  # none: it is in the program itself
            if file:
                path = Path(file).parent if file.endswith("__init__.py") else Path(file)
                tar.add(path, path.name, filter=whole)
    return archive.getvalue()


class Table(unittest.TestCase):
    def test_the_page_has_the_table_of_what_is_tried(self):
        done = subprocess.run([sys.executable, PROBE, "--table"], capture_output=True, text=True, check=True)
        page = (SOURCE / "docs/isolation.md").read_text()
        self.assertTrue(page.endswith(done.stdout.rstrip("\n") + "\n"),
                        "docs/isolation.md does not end with what `python3 tests/system/probe --table` prints")


class Probe(HostCase):
    asked = {}  # of the container that is looked at
    differing = {}  # what comes of an attempt there, and nowhere else

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.host.create("ada", processes=4096, **cls.asked)
        cls.other = cls.host.create("bob")
        inside = cls.host.output("ada", "python3", "--version").split()[1]
        if inside.split(".")[:2] != list(platform.python_version_tuple()[:2]):
            raise unittest.SkipTest(f"the image has Python {inside}, and this machine's modules do not fit it")
        cls.host.output("ada", "sh", "-c", "mkdir /opt/probe && base64 -d | tar -xz -C /opt/probe && useradd -m ann",
                        stdin=base64.b64encode(packed()).decode())
        cls.host.serve("bob", OTHER_PORT)
        cls.host.output("bob", "sh", "-c", "setsid sleep 98765 >/dev/null 2>&1 </dev/null &")
        cls.service = cls.host.machine.serve("host", "0.0.0.0", HOST_PORT)
        cls.addClassCleanup(cls.end_service)

    @classmethod
    def end_service(cls):
        cls.service.kill()
        cls.service.communicate()

    def facts(self):
        # The parent of what looks is a shell that berth has started; a shell's own descriptors are these three.
        look = "python3 -c 'import os; print(*sorted(os.listdir(f\"/proc/{os.getppid()}/fd\")))'; true"
        return {"others": ["bob", self.other["id"], str(self.other["uid_base"]), self.other["ipv4"], "98765"],
                "host_pid": os.getpid(), "own_address": self.own["ipv4"], "other_address": self.other["ipv4"],
                "other_port": OTHER_PORT, "host_port": HOST_PORT, "host_address": HOST_ADDRESS,
                "gateway": self.host.output("ada", "ip", "route", "show", "default").split()[2],
                "guest_files": "/usr/lib/berth", "host_only_path": str(self.host.root),
                "failed_units_allowed": FAILED_UNITS_ALLOWED,
                "descriptors": self.host.output("ada", "sh", "-c", look).split()}

    def verdicts(self, user):
        line = self.host.output("ada", "python3", "/opt/probe/probe", json.dumps(self.facts()), user=user,
                                env=["PYTHONPATH=/opt/probe", "PYTHONDONTWRITEBYTECODE=1"], timeout_seconds=240)
        return json.loads(zlib.decompress(base64.b64decode(line)))

    def judge(self, user):
        verdicts = self.verdicts(user)
        counts = {kind: sum(one["kind"] == kind for one in verdicts) for kind in ("forbidden", "needed")}
        self.assertGreaterEqual(counts["forbidden"], 60)
        self.assertGreaterEqual(counts["needed"], 40)
        for one in verdicts:
            with self.subTest(f"{one['kind']}: {one['says']}", user=user):
                # Who knocks where the kernel has no gate is killed by it, and nothing is left to forbid.
                gone = ["killed"] if "32-bit" in one["says"] and not GATE_OF_32_BITS else []
                self.assertIn(one["verdict"], self.differing.get(one["says"], [*one["expected"], *gone]))

    def test_root_inside_does_what_is_needed_and_nothing_forbidden(self):
        self.judge("root")

    def test_a_user_inside_does_what_is_needed_and_nothing_forbidden(self):
        self.judge("ann")


class NestingProbe(Probe):
    """The same, where containers may run inside: as forbidden, but for what the page names."""
    asked = {"nesting": True}
    differing = NESTING

    def test_the_page_tells_what_is_weaker(self):
        page = (SOURCE / "docs/nesting.md").read_text()
        self.assertEqual([says for says in NESTING if says not in page], [])


if __name__ == "__main__":
    main()

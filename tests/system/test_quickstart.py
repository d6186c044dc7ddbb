#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first command of the README, on a machine whose every place that it writes to is a layer of its own: it ends
with a container that one can `ssh` into, may be run again, and uninstall.sh leaves nothing."""
import json
import shutil
import unittest
from pathlib import Path

from support.host import IMAGES, SOURCE, main
from support.machine import Machine
from support.scratch import scratch

WRITTEN = ("/etc", "/usr/local", "/root", "/var/log", "/var/lib")
# The base image is the one of the other tests; how it is built is shown by its use.
PREPARE = """
set -e
for place in %s; do
    layers=$1$place
    mkdir -p "$layers/upper" "$layers/work"
    mount -t overlay overlay -o "lowerdir=$place,upperdir=$layers/upper,workdir=$layers/work" "$place"
done
mount -t tmpfs tmpfs /run
mkdir /run/lock
mkdir -m 700 "$1/state"  # as an image build leaves it, for root alone
# An overlay's upper layer may not lie on an overlay, so the state is on the disk itself.
ln -s "$1/state" /var/lib/berth
cp -a "$2" /var/lib/berth/images
""" % " ".join(WRITTEN)
BUILD_SECONDS = 1500  # on a machine that does other things too


class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if list(Path("/sys/fs/cgroup").glob("*/berth")) or Path("/sys/fs/cgroup/berth").exists():
            raise unittest.SkipTest("berth is running on this machine")
        cls.scratch = scratch()
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.machine = Machine(cls.scratch)
        cls.addClassCleanup(cls.machine.close)
        cls.machine.run(["sh", "-c", PREPARE, "sh", cls.scratch, IMAGES])
        cls.addClassCleanup(lambda: cls.script("uninstall.sh", "--yes", check=False))

    @classmethod
    def script(cls, name, *arguments, **options):
        return cls.machine.run([SOURCE / "scripts" / name, *arguments], timeout=BUILD_SECONDS, **options).stdout

    def shell(self, command):
        return self.machine.run(["sh", "-c", command]).stdout

    def files(self):
        listed = self.shell("cd / && find %s -xdev \\( -type f -o -type l \\)" % " ".join(WRITTEN)).splitlines()
        # SSH keys are the person's own from the moment they are made; the source tree, the compiler's cache and the
        # backups of /etc/group are kept.
        own = (f"{SOURCE}/", *(f"{place}/.cache/ccache/" for place in WRITTEN))
        return {path for path in listed if "/.ssh/id_" not in path and not path.startswith(own) and not path.endswith("-")}

    def test_from_nothing_to_a_login_and_back(self):
        before = self.files(), self.machine.links(), self.machine.rules()
        said = self.script("quickstart.sh")
        self.assertIn("ssh demo", said)
        self.assertIn("http://127.0.0.1:7420/mcp", said)
        self.assertEqual(self.shell("ssh -o BatchMode=yes demo hostname"), "demo\n")

        with self.subTest("the client configuration that it prints starts a server"):
            line = next(line for line in said.splitlines() if "mcpServers" in line)
            server = json.loads(line)["mcpServers"]["berth"]
            asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
            answer = self.machine.run([server["command"], *server["args"]], input=asked + "\n").stdout
            self.assertIn('"serverInfo"', answer)

        with self.subTest("berth-mcp is nobody special"):
            users = set(self.shell("ps -o user= -C berth-mcp").split())
            self.assertEqual(users, {"berth"})

        with self.subTest("again is safe"):
            container = self.shell("berth container get demo --json")
            self.script("quickstart.sh")
            self.assertEqual(json.loads(self.shell("berth container get demo --json"))["id"], json.loads(container)["id"])

        with self.subTest("a daemon that is killed comes back, and finds the container"):
            self.shell("pkill -9 -x berthd; until berth container exec demo -- true 2>/dev/null; do sleep 0.1; done")

        self.script("uninstall.sh", "--yes")
        after = self.files(), self.machine.links(), self.machine.rules()
        self.assertEqual(after[0] - before[0], set())
        self.assertEqual(after[1:], before[1:])
        self.assertEqual(self.machine.run(["pgrep", "-x", "berthd|berth-mcp|berth-agent"], check=False).stdout, "")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Engines that need a machine are held to the contract of host/engine/container_engine.h: the cases of
tests/host/engine/contract, which unit tests' engine passes too, on real containers."""
import os
import shutil
import subprocess
import unittest

from support.host import IMAGES, UIDS_PER_HOST, main, program, unused_uids
from support.machine import Machine, processes, wait_until
from support.scratch import scratch


class Contract(unittest.TestCase):
    def setUp(self):
        self.root = scratch()
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        (self.root / "shared").mkdir()
        self.machine = Machine(self.root)
        self.addCleanup(self.machine.close)
        for words in (("link", "add", "contract0", "type", "bridge"), ("address", "add", "10.99.0.1/24", "dev", "contract0"),
                      ("link", "set", "contract0", "up")):
            self.machine.run(["ip", *words])
        self.uids = unused_uids()

    def ours(self):
        return [line for line in processes() if self.uids <= line[-1] < self.uids + UIDS_PER_HOST]

    def groups(self):
        found = []
        for top, names, _ in os.walk("/sys/fs/cgroup"):
            found += [os.path.join(top, name) for name in names if name.startswith(self.root.name)]
            names[:] = [name for name in names if not name.startswith(self.root.name)]
        return found

    def test_liblxc_keeps_the_contract_and_leaves_nothing(self):
        run = self.machine.run([program("lxc-contract")], check=False, timeout=500, env={
            **os.environ, "BERTH_CONTRACT_DIR": str(self.root), "BERTH_CONTRACT_CGROUP": self.root.name,
            "BERTH_CONTRACT_UIDS": str(self.uids), "BERTH_IMAGE_DIR": str(IMAGES)})
        print(run.stdout[-3000:])
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        wait_until(lambda: not self.ours(), "no process is left")
        self.assertEqual(self.machine.links(), ["contract0"])
        self.assertEqual(self.machine.new_mounts(), [])
        self.assertEqual(list((self.root / "containers").iterdir()), [])
        for group in self.groups():
            left = [os.path.join(top, name) for top, names, _ in os.walk(group, topdown=False) for name in names]
            # liblxc leaves an empty one of its own, for monitors that end.
            self.assertEqual([path for path in left if not path.endswith("lxc.pivot")], [])
            subprocess.run(["rmdir", *left, group], check=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After all system tests: nothing of theirs is left on the machine."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from support.machine import processes
from support.scratch import OURS, PLACE, cgroups


class Clean(unittest.TestCase):
    def test_no_process_is_left(self):
        left = [f"{pid}: {command}" for pid, command, cgroup, _ in processes() if OURS in command or OURS in cgroup]
        self.assertEqual(left, [])

    def test_no_cgroup_is_left(self):
        self.assertEqual(cgroups(OURS), [])

    def test_no_mount_is_left(self):
        left = {line for path in Path("/proc").glob("[0-9]*/mountinfo") for line in self.lines(path) if OURS in line}
        self.assertEqual(left, set())

    @staticmethod
    def lines(path):
        try:
            return path.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, OSError):
            return []  # it ended while we looked

    def test_no_network_namespace_of_a_container_is_left(self):
        """Those of the tests themselves have no name and end with their holder."""
        left = {os.readlink(path) for path in Path("/proc").glob("[0-9]*/ns/net") if OURS in self.command(path)}
        self.assertEqual(left, set())

    @staticmethod
    def command(path):
        try:
            return (path.parents[1] / "cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def test_no_bridge_or_rule_is_left(self):
        if Path("/run/berth/berthd.sock").exists():
            self.skipTest("an installed berthd has its own")
        links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
        self.assertEqual([link["ifname"] for link in links if link["ifname"].startswith("berth")], [])
        tables = subprocess.run(["nft", "-j", "list", "tables"], capture_output=True, check=True).stdout
        self.assertNotIn(b'"berth', tables)

    def test_no_file_is_left(self):
        self.assertEqual(list(PLACE.glob(OURS + "*")), [])

    def test_no_sanitizer_has_found_anything(self):
        """In a build with sanitizers; without them nobody writes reports."""
        found = [path.read_text(errors="replace") for path in Path(os.environ.get("BERTH_REPORTS", "/nonexistent")).glob("report.*")]
        self.assertFalse(found, "\n".join(found[:5]))


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit(77)
    unittest.main(verbosity=2)

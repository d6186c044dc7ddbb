#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth-mcp needs no privilege but one: the group that may use berthd's socket."""
import json
import os
import shutil
import subprocess

from support.host import SOCKET_GID, HostCase, main, program

NOBODY = 65534


class McpUser(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = shutil.copy(program("berth-mcp"), cls.host.root)  # where everybody may read it

    def converse(self, groups, *calls):
        """Runs berth-mcp as an ordinary user and returns the tools' results."""
        requests = [{"method": "initialize", "id": 0, "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}},
            {"method": "notifications/initialized"}]
        requests += [{"method": "tools/call", "id": i, "params": {"name": name, "arguments": arguments}}
                     for i, (name, arguments) in enumerate(calls, 1)]
        argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", *groups, "--no-new-privs",
                self.server, *self.host.mcp_stdio_argv()[1:]]
        server = self.host.machine.start(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            results = []
            for request in requests:  # one after the other, as answers may come in any order
                server.stdin.write(json.dumps({"jsonrpc": "2.0", **request}) + "\n")
                server.stdin.flush()
                if "id" in request:
                    results.append(json.loads(server.stdout.readline())["result"])
            server.stdin.close()
            self.assertEqual(server.wait(10), 0, "it ends when its input ends")
            return results[1:]
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_a_member_of_the_group_creates_and_deletes(self):
        created, deleted = self.converse([f"--groups={SOCKET_GID}"], ("container_create", {"name": "ada"}),
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


if __name__ == "__main__":
    main()

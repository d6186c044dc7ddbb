#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may call berth-mcp, which tools they see, what asks first, and what a restart loses: nothing."""
import json

from support.host import HostCase, main, program
from support.machine import wait_until
from support.mcp import LEGACY, Inside, McpHttp, request

PORT = 7421
FORM = {"elicitation": {}}
POLICY = """
version = 1
[policy]
default = "allow"
[policy.tools]
container_delete = "confirm"
[[policy.rules]]
tool = "container_*"
label = "env=prod"
action = "deny"
"""


class McpCase(HostCase):
    """Each test starts the servers it wants; they end with it."""

    def serve(self, *flags, port=PORT):
        server = self.host.start_mcp_http(port, *flags)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.terminate)
        return server

    def client(self, headers=None, port=PORT):
        return McpHttp(lambda: Inside(self.host.machine, port), headers)

    def config(self, text):
        path = self.host.root / "mcp.toml"
        path.write_text(text)
        return "--config", str(path)

    def names(self, client, **headers):
        return [tool["name"] for tool in client.ask("tools/list", headers=headers)["tools"]]

    def refused(self, *flags):
        run = self.host.machine.run([program("berth-mcp"), *self.host.mcp_flags(PORT, *flags)], check=False)
        self.assertNotEqual(0, run.returncode)
        return run.stderr


class Access(McpCase):
    def test_names_and_origins_of_strangers_are_refused(self):
        self.serve()
        for headers in ({"Host": "evil.example.com"}, {"Origin": "http://evil.example.com"}):
            for path in ("/mcp", "/rpc"):
                status, _, answer, _ = self.client(headers).post(b"{}", path=path)
                self.assertEqual((403, -32000), (status, answer["error"]["code"]))

    def test_it_does_not_listen_beyond_loopback_without_authentication(self):
        self.assertIn("authenticat", self.refused("--listen", "0.0.0.0:7422"))

    def test_a_token_opens_what_its_scopes_say(self):
        file = self.host.root / "tokens.json"
        add = self.host.machine.run([program("berth-mcp"), "--tokens-file", file, "token", "add", "ci", "--scope",
                                     "container.read"])
        token = next(word for word in add.stdout.split() if word.startswith("berth_"))
        self.assertNotIn(token, file.read_text())
        self.serve("--tokens-file", str(file))
        for headers in ({}, {"Authorization": "Bearer berth_" + "x" * 43}):
            status, answered, answer, _ = self.client(headers).post({"jsonrpc": "2.0", "id": 1, "method": "ping"})
            self.assertEqual(401, status)
            self.assertIn("Bearer", answered["WWW-Authenticate"])
            self.assertIn("error", answer)
        client = self.client({"Authorization": f"Bearer {token}"})
        names = self.names(client)
        self.assertIn("container_list", names)
        self.assertNotIn("container_delete", names)
        self.assertFalse(client.tool("container_list").get("isError"))
        status, answered, _, _ = client.post(request("tools/call", {"name": "container_delete", "arguments": {}}))
        self.assertEqual(403, status)
        self.assertIn("insufficient_scope", answered["WWW-Authenticate"])
        self.assertIn("container.write", answered["WWW-Authenticate"])
        _, _, answer, _ = client.post({"jsonrpc": "2.0", "id": 1, "method": "container_delete", "params": {}}, path="/rpc")
        self.assertEqual(-32601, answer["error"]["code"])
        self.assertNotIn(token, (self.host.root / "berthd.log").read_text(errors="replace"))

    def test_a_caller_that_asks_too_often_waits(self):
        self.serve("--requests-per-second", "1", "--burst", "2")
        client = self.client()
        statuses = [client.post({"jsonrpc": "2.0", "id": 1, "method": "system_info", "params": {}}, path="/rpc")[:2]
                    for _ in range(4)]
        self.assertEqual(200, statuses[0][0])
        self.assertEqual(429, statuses[-1][0])
        self.assertGreater(int(statuses[-1][1]["Retry-After"]), 0)

    def test_a_session_goes_on_after_a_restart(self):
        server = self.serve()
        client = self.client()
        _, headers, _, _ = client.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
        session = {"Mcp-Session-Id": headers["Mcp-Session-Id"]}
        server.kill()
        server.wait()
        self.serve()
        status, _, answer, _ = client.post({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)
        self.assertEqual(200, status)
        self.assertIn("tools", answer["result"])


class Choice(McpCase):
    def test_read_only_lists_and_calls_nothing_that_changes(self):
        self.serve("--read-only")
        client = self.client()
        tools = client.ask("tools/list")["tools"]
        self.assertTrue(tools)
        self.assertTrue(all(tool["annotations"]["readOnlyHint"] for tool in tools))
        with self.assertRaisesRegex(AssertionError, "-32602"):
            client.tool("container_create", name="ada")
        self.assertIn("configured to offer", client.ask("server/discover")["instructions"])

    def test_a_header_narrows_and_never_widens(self):
        self.serve("--toolsets", "container,admin", "--exclude-tools", "container_delete")
        client = self.client()
        everything = self.names(client)
        self.assertNotIn("port_add", everything)
        self.assertNotIn("container_delete", everything)
        self.assertEqual(["system_info"], self.names(client, **{"X-MCP-Tools": "system_info,port_add"}))
        self.assertEqual(sorted(everything), everything)
        status, _, answer, _ = client.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"X-MCP-Toolsets": "contaner"})
        self.assertEqual(400, status)
        self.assertIn("container", answer["error"]["message"])
        with self.assertRaisesRegex(AssertionError, "-32602"):
            client.call("container_create", {"name": "ada"}, headers={"X-MCP-Readonly": "true"})

    def test_a_toolset_that_does_not_exist_stops_the_start(self):
        self.assertIn("container", self.refused("--toolsets", "contaner"))


class Policy(McpCase):
    def setUp(self):
        super().setUp()
        self.serve(*self.config(POLICY))
        self.mcp = self.client()
        self.host.create("ada")
        self.addCleanup(lambda: self.host.rpc("container_delete", {"name": "ada", "force": True})
                        if self.exists("ada") else None)

    def exists(self, name):
        return name in [one["name"] for one in self.host.rpc("container_list", {})["containers"]]

    def delete(self, capabilities=None, again=None, **more):
        return self.mcp.call("container_delete", {"name": "ada", "force": True, **more}, capabilities, **(again or {}))

    def question(self):
        asked = self.delete(FORM)
        self.assertEqual("input_required", asked["resultType"])
        return asked

    def answer(self, asked, action="accept", **content):
        return self.delete(FORM, {"requestState": asked["requestState"],
                                  "inputResponses": {"confirm": {"action": action, "content": content}}})

    def test_a_person_is_asked_and_agrees_once(self):
        asked = self.question()
        self.assertIn("ada", asked["inputRequests"]["confirm"]["params"]["message"])
        for action, content in (("decline", {}), ("accept", {"confirm": False})):
            self.assertFalse(self.answer(asked, action, **content).get("isError"))
            self.assertTrue(self.exists("ada"))
            asked = self.question()
        self.assertFalse(self.answer(asked, confirm=True).get("isError"))
        self.assertFalse(self.exists("ada"))
        self.host.create("ada")
        self.answer(asked, confirm=True)
        self.assertTrue(self.exists("ada"), "an answer is good for one call")

    def test_an_answer_is_for_the_target_as_it_was(self):
        asked = self.question()
        self.host.rpc("container_stop", {"name": "ada"})
        late = self.answer(asked, confirm=True)
        self.assertTrue(late["isError"])
        self.assertEqual("busy", late["structuredContent"]["error"]["code"])
        self.assertTrue(self.exists("ada"))

    def test_a_client_that_cannot_ask_gets_a_token_for_the_same_call(self):
        refused = self.delete()
        error = refused["structuredContent"]["error"]
        self.assertEqual("needs_confirmation", error["code"])
        self.assertTrue(self.exists("ada"))
        token = error["details"]["confirm_token"]
        self.assertIn(token, refused["content"][0]["text"])
        other = self.mcp.tool("container_delete", name="ada", force=False, confirm_token=token)
        self.assertTrue(other["isError"])
        self.assertTrue(self.exists("ada"))
        fresh = self.delete()["structuredContent"]["error"]["details"]["confirm_token"]
        self.assertFalse(self.delete(confirm_token=fresh).get("isError"))
        self.assertFalse(self.exists("ada"))

    def test_a_label_protects_and_scripts_meet_the_same_gate(self):
        self.host.create("vault", labels=["env=prod"])
        self.addCleanup(self.host.delete, "vault")
        denied = self.mcp.tool("container_stop", name="vault")
        self.assertEqual("denied", denied["structuredContent"]["error"]["code"])
        self.assertEqual("running", self.host.rpc("container_get", {"name": "vault"})["state"])
        for name, code in (("vault", "denied"), ("ada", "needs_confirmation")):
            _, _, answer, _ = self.mcp.post({"jsonrpc": "2.0", "id": 1, "method": "container_delete",
                                             "params": {"name": name, "force": True}}, path="/rpc")
            self.assertEqual(code, answer["error"]["data"]["code"])
            self.assertTrue(self.exists(name))


class Recovery(McpCase):
    def test_it_answers_without_berthd_says_so_and_recovers(self):
        self.host.stop()
        try:
            self.serve()
            client = self.client()
            self.assertGreater(len(self.names(client)), 10)
            for tool, arguments in (("container_list", {}), ("container_create", {"name": "ada"})):
                result = client.tool(tool, **arguments)
                self.assertTrue(result["isError"])
                self.assertEqual("unavailable", result["structuredContent"]["error"]["code"])
                self.assertIn("berthd", result["content"][0]["text"])
            self.assertEqual(["host://system", "host://gpus", "warning://host"],
                             [one["uri"] for one in client.ask("resources/list")["resources"]])
            warnings = client.ask("resources/read", {"uri": "warning://host"})["contents"][0]["text"]
            self.assertIn("berthd", json.dumps(json.loads(warnings)))
        finally:
            self.host.start()
        wait_until(lambda: not client.tool("container_list").get("isError"), "it has found berthd again")


if __name__ == "__main__":
    main()

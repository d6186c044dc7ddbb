#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every tool is reachable over MCP, over JSON-RPC and on the command line, and says the same on each."""
import json

from support.host import SOURCE, HostCase, ToolError, main
from support.mcp import Inside, McpHttp

# Those of berth-sentinel, and those that berthd answers.
ELSEWHERE = {"host_list", "pool_get", "pool_list", "token_create", "token_revoke"}
NAMES = sorted({path.stem for path in (SOURCE / "tools-schema/tools").glob("*.json")} - ELSEWHERE)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmPzHYQVJGQBHSQoDDhgXVzBhX5PrvOAnmGqNSVQ1sY t"
NOBODY = {"container": "nobody"}
OPERATION = "op_" + "0" * 26
WARNING = "wn_" + "0" * 26
# Arguments that every host answers alike: with a result for what only reads, with not_found for the rest.
ARGUMENTS = {
    "container_create": {"name": "ada", "image": "no-such-image"},
    "container_delete": {"name": "nobody"},
    "container_exec": {**NOBODY, "argv": ["true"]},
    "container_export": NOBODY,
    "container_import": {"file": "nosuch.tar"},
    "container_fork": {**NOBODY, "names": ["ada"]},
    "container_get": {"name": "nobody"},
    "container_list": {},
    "container_logs": NOBODY,
    "output_read": {"container": "nobody", "output_id": 32 * "0"},
    "container_pause": {"name": "nobody"},
    "container_resume": {"name": "nobody"},
    "container_start": {"name": "nobody"},
    "container_stop": {"name": "nobody"},
    "container_update": {"name": "nobody", "processes": 100},
    "container_usage": {"name": "nobody"},
    "gpu_attach": {**NOBODY, "gpus": ["0"]},
    "gpu_detach": {**NOBODY, "gpus": ["0"]},
    "gpu_list": {},
    "gpu_validate": {},
    "operation_cancel": {"id": OPERATION},
    "operation_get": {"id": OPERATION},
    "operation_list": {},
    "port_add": {**NOBODY, "container_port": 80},
    "port_list": {},
    "port_remove": {"host_port": 1},
    "snapshot_create": NOBODY,
    "snapshot_delete": {**NOBODY, "snapshot": "s1"},
    "snapshot_list": {},
    "snapshot_restore": {**NOBODY, "snapshot": "clean"},
    "ssh_config": {},
    "ssh_key_add": {**NOBODY, "public_key": KEY},
    "system_info": {},
    "warning_get": {"id": WARNING},
    "warning_list": {},
    "warning_update": {"id": WARNING, "action": "delete"},
}
CHANGES_BY_ITSELF = ("uptime_seconds", "free_bytes", "memory_free_bytes", "load")


def command_line(tool, arguments):
    """The words a person types for these arguments."""
    cli = json.loads((SOURCE / f"tools-schema/tools/{tool}.json").read_text())["cli"]
    options, words = [], []
    for name, value in arguments.items():
        if name in cli.get("positional", []):
            words.append((cli["positional"].index(name), value))
        else:
            options += ["--" + name.replace("_", "-"), str(value)]
    positional = []
    for _, value in sorted(words, key=lambda pair: pair[0]):
        positional += value if isinstance(value, list) else [str(value)]
    return [*cli["verb"], *options, *positional]


def stable(value):
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in CHANGES_BY_ITSELF}
    return [stable(item) for item in value] if isinstance(value, list) else value


class Parity(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.host.start_mcp_http(7420, "--toolsets", "all")
        cls.mcp = McpHttp(lambda: Inside(cls.host.machine, 7420))

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(10)
        super().tearDownClass()

    def by_mcp(self, tool, arguments):
        result = self.mcp.tool(tool, **arguments)
        if result.get("isError"):
            return "error", result["structuredContent"]["error"]["code"]
        return "result", stable(result["structuredContent"])

    def by_script(self, tool, arguments):
        message = {"jsonrpc": "2.0", "id": 1, "method": tool, "params": arguments}
        _, _, answer, _ = self.mcp.post(message, path="/rpc")
        if "error" in answer:
            return "error", answer["error"]["data"]["code"]
        return "result", stable(answer["result"])

    def by_socket(self, tool, arguments):
        try:
            return "result", stable(self.host.rpc(tool, arguments))
        except ToolError as problem:
            return "error", problem.code

    def by_person(self, tool, arguments):
        run = self.host.cli("--json", *command_line(tool, arguments), check=False)
        if run.returncode != 0:
            return "error", json.loads(run.stderr)["error"]["code"]
        return "result", stable(json.loads(run.stdout))

    def test_every_tool_is_in_the_table(self):
        self.assertEqual(NAMES, sorted(ARGUMENTS))
        listed = self.mcp.ask("tools/list")["tools"]
        self.assertEqual(NAMES, sorted(tool["name"] for tool in listed if tool["name"] not in ELSEWHERE))

    def test_every_tool_says_the_same_on_every_way_to_it(self):
        for tool, arguments in ARGUMENTS.items():
            with self.subTest(tool):
                expected = self.by_socket(tool, arguments)
                self.assertIn(expected[0], ("result", "error"))
                if expected[0] == "error":
                    self.assertEqual("not_found", expected[1])
                self.assertEqual(expected, self.by_mcp(tool, arguments))
                self.assertEqual(expected, self.by_script(tool, arguments))
                self.assertEqual(expected, self.by_person(tool, arguments))

    def test_a_batch_of_scripts_is_answered_in_order(self):
        batch = [{"jsonrpc": "2.0", "id": number, "method": method, "params": {}}
                 for number, method in enumerate(("container_list", "nonsense", "system_info"))]
        _, _, answers, _ = self.mcp.post(json.dumps(batch).encode(), path="/rpc")
        self.assertEqual([0, 1, 2], [answer["id"] for answer in answers])
        self.assertEqual(-32601, answers[1]["error"]["code"])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input to every tool: a clear error that names the field and the next step, and nothing changed."""
import json

from support.host import SOURCE, HostCase, main

OF_THE_SENTINEL = ("host_list", "pool_get", "pool_list", "token_create", "token_revoke")
TOOLS = {path.stem: json.loads(path.read_text()) for path in sorted((SOURCE / "tools-schema/tools").glob("*.json"))
         if path.stem not in OF_THE_SENTINEL}
TYPES = json.loads((SOURCE / "tools-schema/types.json").read_text())["$defs"]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example"
NAMES = ("ContainerName", "ImageName", "UserName")
BAD_NAMES = ("../web", "a/b", "/etc", "", "-web", "Web", "a" * 65, "web\n", "web\u0000", "w eb", "wéb")

# Arguments that the schema accepts, whether or not the call would then succeed.
VALID = {"container_create": {"name": "new"}, "container_get": {"name": "web"}, "container_start": {"name": "web"},
         "container_stop": {"name": "web"}, "container_delete": {"name": "web"}, "port_remove": {"host_port": 9},
         "container_exec": {"container": "web", "argv": ["true"]}, "port_add": {"container": "web", "container_port": 81},
         "container_logs": {"container": "web"}, "operation_get": {"id": "op_" + 26 * "0"}, "operation_cancel": {"id": "op_" + 26 * "0"},
         "ssh_key_add": {"container": "web", "public_key": KEY}, "container_fork": {"container": "web", "names": ["ada"]},
         "snapshot_create": {"container": "web"}, "snapshot_delete": {"container": "web", "snapshot": "clean"},
         "snapshot_restore": {"container": "web", "snapshot": "clean"}, "container_pause": {"name": "web"},
         "container_resume": {"name": "web"}, "container_update": {"name": "web"},
         "container_export": {"container": "web", "file": "new.tar"}, "container_import": {"file": "web.tar", "name": "new"},
         "gpu_attach": {"container": "web", "gpus": ["0"]}, "gpu_detach": {"container": "web", "gpus": ["0"]},
         "container_usage": {"name": "web"}, "output_read": {"container": "web", "output_id": 32 * "0"},
         "warning_get": {"id": "wn_" + 26 * "0"}, "warning_update": {"id": "wn_" + 26 * "0", "action": "delete"}}


def resolved(schema):
    """The schema with its reference followed, and the type's name."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return ({**TYPES[name], **schema} if name else schema), name


def wrong_values(schema):
    """Values that are not of the schema's type, or out of its bounds. (null is as good as absent.)"""
    schema, name = resolved(schema)
    kind = schema["type"]
    values = {"string": [7, True, [], {}], "integer": ["7", 1.5, True, [], 2**70], "boolean": ["true", 1, []],
              "array": ["x", {}, 7], "object": ["x", [], 7]}[kind]
    if name in NAMES:
        values += BAD_NAMES
    if "enum" in schema:
        values += ["nosuch"]
    if "minimum" in schema:
        values += [schema["minimum"] - 1]
    if "maximum" in schema:
        values += [schema["maximum"] + 1]
    if schema.get("minItems", 0) > 0:
        values += [[]]
    return values


class BadInput(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("web", ports=[{"container_port": 80, "host_port": 8000}], ssh_keys=[KEY])
        cls.host.rpc("snapshot_create", {"container": "web", "name": "clean"})
        cls.host.rpc("container_export", {"container": "web", "file": "web.tar"})
        cls.before = cls.host.picture()

    def setUp(self):
        super().setUp()
        self.problems = []

    def tearDown(self):
        shown = "\n".join(self.problems[:30])
        self.assertFalse(self.problems, f"{len(self.problems)} calls went wrong:\n{shown}")
        self.assertEqual(self.host.picture(), self.before, "something changed")

    def expect(self, code, field, tool, arguments):
        """As refused(), of many calls: all that go wrong are shown together."""
        try:
            self.refused(code, field, tool, arguments)
        except AssertionError as problem:
            self.problems.append(f"{tool} {str(arguments)[:120]}: {problem}")

    def test_every_tool_is_tried(self):
        served = {tool for tool in TOOLS if not self.unknown(tool)}
        self.assertEqual(served, set(TOOLS))

    def unknown(self, method):
        answer = self.host.rpc_raw(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"x": 1}}).encode())
        return answer["error"]["code"] == -32601

    def test_an_unknown_tool_is_named_and_its_neighbour_suggested(self):
        answer = self.host.rpc_raw(b'{"jsonrpc":"2.0","id":1,"method":"container_lst","params":{}}')
        self.assertIn("container_list", json.dumps(answer["error"]))

    def test_an_unknown_field_is_named(self):
        for tool in TOOLS:
            self.expect("invalid_argument", "/nosuch", tool, {**VALID.get(tool, {}), "nosuch": 1})

    def test_a_field_of_a_wrong_type_or_out_of_bounds_is_named(self):
        for tool, declared in TOOLS.items():
            for field, schema in declared["inputSchema"]["properties"].items():
                for value in wrong_values(schema):
                    self.expect("invalid_argument", f"/{field}", tool, {**VALID.get(tool, {}), field: value})

    def test_an_item_of_a_wrong_type_is_named(self):
        for tool, declared in TOOLS.items():
            for field, schema in declared["inputSchema"]["properties"].items():
                if schema["type" if "type" in schema else "$ref"] != "array":
                    continue
                for value in wrong_values(schema["items"]):
                    self.expect("invalid_argument", f"/{field}/0", tool, {**VALID.get(tool, {}), field: [value]})

    def test_a_required_field_that_is_missing_is_named(self):
        for tool, declared in TOOLS.items():
            for field in declared["inputSchema"]["required"]:
                rest = {key: value for key, value in VALID[tool].items() if key != field}
                self.expect("invalid_argument", f"/{field}", tool, rest)

    def test_an_unknown_container_is_not_found(self):
        for tool, declared in TOOLS.items():
            for field, schema in declared["inputSchema"]["properties"].items():
                if resolved(schema)[1] == "ContainerName" and tool not in ("container_create", "container_import") and field not in ("after", "prefix"):
                    self.expect("not_found", f"/{field}", tool, {**VALID.get(tool, {}), field: "nosuch"})

    def test_every_example_of_an_error_gives_it(self):
        for tool, declared in TOOLS.items():
            for example in declared["examples"]:
                if "error" in example:
                    self.expect(example["error"], example.get("field", ""), tool, example["arguments"])

    def test_what_is_taken_or_missing_is_named(self):
        taken = {"container_port": 80, "host_port": 8000}
        cases = (("already_exists", "/name", "container_create", {"name": "web"}),
                 ("not_found", "/image", "container_create", {"name": "new", "image": "nosuch"}),
                 ("already_exists", "/ports/0/host_port", "container_create", {"name": "new", "ports": [taken]}),
                 (("already_exists", "invalid_argument"), "/ports/1/host_port", "container_create",
                  {"name": "new", "ports": [{"container_port": 1, "host_port": 8001}, {"container_port": 2, "host_port": 8001}]}),
                 ("invalid_argument", "/ports/0/container_port", "container_create", {"name": "new", "ports": [{}]}),
                 ("invalid_argument", "/ports/0/nosuch", "container_create",
                  {"name": "new", "ports": [{"container_port": 1, "nosuch": 1}]}),
                 ("invalid_argument", "/ssh_keys/0", "container_create", {"name": "new", "ssh_keys": ["x" * 50]}),
                 ("already_exists", "/host_port", "port_add", {"container": "web", "container_port": 81, "host_port": 8000}),
                 ("not_found", "/host_port", "port_remove", {"host_port": 8000, "protocol": "udp"}),
                 ("not_found", "/id", "warning_get", {"id": "wn_" + 26 * "0"}),
                 ("busy", "/name", "container_delete", {"name": "web"}))
        for code, field, tool, arguments in cases:
            self.expect(code, field, tool, arguments)

    def test_a_body_that_is_no_call_gets_an_error_and_no_more(self):
        for body, number in ((b"", -32700), (b"{", -32700), (b"\xff\xfe", -32700), (b"7", -32600), (b"{}", -32600),
                             (b'{"jsonrpc":"2.0","id":1}', -32600), (b'{"jsonrpc":"1.0","id":1,"method":"gpu_list"}', -32600),
                             (b'{"jsonrpc":"2.0","id":1,"method":"gpu_list","params":[]}', -32602),
                             (b'{"jsonrpc":"2.0","id":1,"method":"gpu_list","params":7}', (-32600, -32602)),
                             (b'{"a":' * 10000, -32700)):
            with self.subTest(body[:60]):
                found = self.host.rpc_raw(body)["error"]["code"]
                self.assertIn(found, number if isinstance(number, tuple) else (number,))

    def test_the_command_line_says_the_same_with_its_exit_code(self):
        for code, words in ((3, ["container", "get", "nosuch"]), (4, ["container", "create", "web"]),
                            (2, ["container", "create", "../web"]), (5, ["container", "delete", "web"]),
                            (2, ["container", "create", "new", "--memory-bytes", "lots"])):
            with self.subTest(words):
                done = self.host.cli(*words, check=False)
                self.assertEqual(done.returncode, code, done)
                self.assertTrue(done.stderr and not done.stdout, done)


if __name__ == "__main__":
    main()

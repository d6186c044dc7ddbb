#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an agent does about an error: it makes the call under `next` exactly as it stands, and that either puts the
fault right or shows what was missing. Where only a person or the caller can decide, the hint says so in words and
there is no call, so that no program makes it unasked. Each test is one real fault."""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from support.host import HostCase, main, program
from support.machine import free_port, wait_until
from support.mcp import Inside, McpHttp, McpStdio, request

FAULTS_MIN = 30
MIB = 1 << 20
FORWARDS = (30000, 30001, 30002)
HOST_ROOM = 6  # the SSH ports of the flags below
PROTECTED_POLICY = """version = 1
[policy]
default = "allow"
[policy.tools]
container_delete = "confirm"
container_stop = "deny"
"""


class Agent:
    """berth-mcp over stdio, and its tools as functions."""

    def __init__(self, host, *flags):
        argv = [program("berth-mcp"), *(() if "--config" in flags else host.config), "--stdio", "--socket",
                str(host.socket), *map(str, flags)]
        process = host.machine.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=host.log)
        self.client, self.asked = McpStdio(process), 0

    def ask(self, tool, arguments):
        self.asked += 1
        return self.client.ask(request("tools/call", {"name": tool, "arguments": arguments}, id=self.asked))

    def answer(self, tool, arguments):
        """(the answer, None) or (None, the error)."""
        answer = self.ask(tool, arguments)
        if "error" in answer:
            raise AssertionError(f"{tool} {arguments}: {answer}")
        result = answer["result"]
        if result.get("isError"):
            return None, {**result["structuredContent"]["error"], "text": result["content"][0]["text"]}
        return result["structuredContent"], None

    def do(self, tool, /, **arguments):
        done, error = self.answer(tool, arguments)
        if error:
            raise AssertionError(f"{tool} {arguments}: {error}")
        return done


class FaultCase(HostCase):
    def agent_with(self, *flags):
        agent = Agent(self.host, *flags)
        self.addCleanup(agent.client.close)
        return agent

    def fault(self, code, tool, arguments, agent=None):
        done, error = (agent or self.agent).answer(tool, arguments)
        self.assertIsNone(done, "it went well, and was to fail")
        self.assertEqual(error["code"], code, error)
        self.assertTrue(error["message"] and error["hint"] and error["retry"], error)
        self.assertIn(error["hint"], error["text"], "an agent that reads text alone is told the same")
        return error

    def next_of(self, code, tool, arguments, next_tool):
        """Makes the call that the error names, verbatim, and returns its answer."""
        error = self.fault(code, tool, arguments)
        self.assertIn("next", error, error)
        self.assertEqual(error["next"]["tool"], next_tool, error)
        words = f"call {next_tool} {json.dumps(error['next']['arguments'], separators=(',', ':'), ensure_ascii=False)}"
        self.assertTrue(error["hint"].endswith(words), error)
        return self.agent.do(error["next"]["tool"], **error["next"]["arguments"])

    def mended(self, code, tool, arguments, next_tool):
        """After that call the first one works as it was."""
        self.next_of(code, tool, arguments, next_tool)
        return self.agent.do(tool, **arguments)

    def in_words(self, code, tool, arguments, says, agent=None):
        """Nobody can make a call for it: the hint says who has to do what."""
        error = self.fault(code, tool, arguments, agent)
        self.assertNotIn("next", error)
        self.assertRegex(error["hint"], says)
        return error


class NextCall(FaultCase):
    flags = ("--forward-ports", f"{FORWARDS[0]}-{FORWARDS[-1]}", "--ssh-ports", f"20000-{20000 + HOST_ROOM - 1}")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agent = Agent(cls.host, "--toolsets", "all")
        cls.addClassCleanup(cls.agent.client.close)
        cls.agent.do("container_create", name="ada")
        cls.agent.do("container_create", name="bob", start=False)

    def tearDown(self):
        """ada runs and bob is stopped, neither with forwards or snapshots, and there is no other."""
        if self.host.is_dead():
            self.host.start()
        for port in self.agent.do("port_list")["ports"]:
            self.agent.do("port_remove", host_port=port["host_port"], protocol=port["protocol"])
        for snapshot in self.agent.do("snapshot_list")["snapshots"]:
            self.agent.do("snapshot_delete", container=snapshot["container"], snapshot=snapshot["name"])
        for box in self.agent.do("container_list")["containers"]:
            if box["name"] not in ("ada", "bob"):
                self.agent.do("container_delete", name=box["name"], force=True)
        self.agent.do("container_resume" if self.state("ada") == "paused" else "container_start", name="ada")
        if self.state("bob") != "stopped":
            self.agent.do("container_stop", name="bob", timeout_seconds=1)

    def state(self, name):
        return self.agent.do("container_get", name=name)["state"]

    def test_the_faults_are_as_many_as_promised(self):
        faults = [name for case in (NextCall, Escalations) for name in dir(case) if name.startswith("test_fault_")]
        self.assertGreaterEqual(len(faults), FAULTS_MIN)

    # Names

    def test_fault_a_name_that_is_nearly_right(self):
        found = self.next_of("not_found", "container_get", {"name": "adda"}, "container_get")
        self.assertEqual(found["name"], "ada")

    def test_fault_a_name_that_is_nothing_like_any(self):
        found = self.next_of("not_found", "container_exec", {"container": "qqqqqqqq", "argv": ["true"]},
                             "container_list")
        self.assertEqual([box["name"] for box in found["containers"]], ["ada", "bob"])

    def test_fault_a_name_that_is_taken(self):
        found = self.next_of("already_exists", "container_create", {"name": "ada"}, "container_get")
        self.assertEqual((found["name"], found["state"]), ("ada", "running"))

    def test_fault_a_fork_of_a_name_that_is_taken(self):
        found = self.next_of("already_exists", "container_fork", {"container": "ada", "names": ["bob"]}, "container_get")
        self.assertEqual(found["name"], "bob")

    def test_fault_an_image_that_is_not_there(self):
        found = self.next_of("not_found", "container_create", {"name": "cyd", "image": "debian-99"}, "system_info")
        self.assertIn("debian-12", [image["name"] for image in found["images"]])

    def test_fault_a_background_call_that_failed(self):
        taken = self.agent.do("port_add", container="ada", container_port=80)["host_port"]
        begun = self.agent.do("container_create", name="cyd", background=True,
                              ports=[{"container_port": 80, "host_port": taken}])["operation"]
        call = {"id": begun["id"]}
        if begun["status"] == "working":  # it may have failed before it was told of
            call = json.loads(re.search(r"call operation_get (\{.*?\})", begun["next"])[1])
        ended = self.agent.do("operation_get", **{**call, "wait_seconds": 30})
        self.assertEqual((ended["status"], ended["error"]["code"]), ("failed", "already_exists"))
        found = self.agent.do(ended["error"]["next"]["tool"], **ended["error"]["next"]["arguments"])
        self.assertEqual([port["host_port"] for port in found["ports"]], [taken])

    # States

    def test_fault_a_command_in_a_stopped_container(self):
        done = self.mended("busy", "container_exec", {"container": "bob", "argv": ["true"]}, "container_start")
        self.assertEqual(done["exit_code"], 0)

    def test_fault_a_command_in_a_paused_container(self):
        self.agent.do("container_pause", name="ada")
        done = self.mended("busy", "container_exec", {"container": "ada", "argv": ["true"]}, "container_resume")
        self.assertEqual(done["exit_code"], 0)

    def test_fault_a_command_in_a_container_that_ended_by_itself(self):
        self.agent.do("container_start", name="bob")
        os.kill(self.host.init_pid("bob"), signal.SIGKILL)
        wait_until(lambda: "ended" in self.agent.do("container_get", name="bob", response_format="detailed")["lifecycle"],
                   "its end is known")
        self.mended("busy", "container_exec", {"container": "bob", "argv": ["true"]}, "container_start")

    def test_fault_the_start_of_a_paused_container(self):
        self.agent.do("container_pause", name="ada")
        self.mended("busy", "container_start", {"name": "ada"}, "container_resume")

    def test_fault_the_pause_of_a_stopped_container(self):
        self.mended("busy", "container_pause", {"name": "bob"}, "container_start")
        self.agent.do("container_resume", name="bob")

    def test_fault_the_resumption_of_a_stopped_container(self):
        self.mended("busy", "container_resume", {"name": "bob"}, "container_start")

    def test_fault_the_log_of_a_stopped_container(self):
        self.mended("busy", "container_logs", {"container": "bob"}, "container_start")

    def test_fault_a_command_in_a_container_that_is_being_created(self):
        arguments = {"container": "cyd", "argv": ["true"]}
        with self.host.held("engine.launch"):
            self.agent.do("container_create", name="cyd", background=True)
            wait_until(lambda: self.agent.answer("container_get", {"name": "cyd"})[0], "its row is there")
            error = self.fault("busy", "container_exec", arguments)
            self.assertIn("being created", error["message"])
            self.assertEqual(error["next"]["tool"], "container_get")
        get = error["next"]["arguments"]
        wait_until(lambda: self.agent.do("container_get", **get)["state"] == "running", "it runs", 60)
        self.assertEqual(self.agent.do("container_exec", **arguments)["exit_code"], 0)

    def test_fault_the_deletion_of_a_running_container(self):
        self.agent.do("container_create", name="cyd")
        self.mended("busy", "container_delete", {"name": "cyd"}, "container_stop")

    def test_fault_a_change_of_what_has_changed_since(self):
        stale = self.agent.do("container_get", name="ada")["etag"]
        self.agent.do("container_update", name="ada", labels=["a=1"])
        change = {"name": "ada", "etag": stale, "remove_labels": ["a"]}
        found = self.next_of("busy", "container_update", change, "container_get")
        self.assertEqual(found["labels"], ["a=1"])
        self.agent.do("container_update", **{**change, "etag": found["etag"]})

    # Ports

    def test_fault_a_port_of_another_container(self):
        taken = self.agent.do("port_add", container="ada", container_port=80)["host_port"]
        wanted = {"container": "bob", "container_port": 81, "host_port": taken}
        added = self.next_of("already_exists", "port_add", wanted, "port_add")
        self.assertEqual((added["container"], added["container_port"]), ("bob", 81))
        self.assertNotEqual(added["host_port"], taken)

    def test_fault_a_port_of_a_service_of_the_host(self):
        port = free_port()
        service = self.host.machine.serve("host", "0.0.0.0", str(port))
        self.addCleanup(service.stdout.close)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        wanted = {"container": "ada", "container_port": 80, "host_port": port, "protocol": "udp"}
        added = self.next_of("busy", "port_add", wanted, "port_add")
        self.assertEqual((added["container"], added["protocol"]), ("ada", "udp"))

    def test_fault_a_port_that_is_kept_for_ssh(self):
        added = self.next_of("busy", "port_add", {"container": "ada", "container_port": 80, "host_port": 20001}, "port_add")
        self.assertIn(added["host_port"], FORWARDS)

    def test_fault_a_container_with_a_port_that_is_taken(self):
        taken = self.agent.do("port_add", container="ada", container_port=80)["host_port"]
        wanted = {"name": "cyd", "start": False, "ports": [{"container_port": 80, "host_port": taken}]}
        found = self.next_of("already_exists", "container_create", wanted, "port_list")
        self.assertEqual([(port["container"], port["host_port"]) for port in found["ports"]], [("ada", taken)])

    def test_fault_no_port_is_free(self):
        for number in range(len(FORWARDS)):
            self.agent.do("port_add", container="ada", container_port=80 + number)
        wanted = {"container": "bob", "container_port": 80}
        found = self.next_of("quota_exceeded", "port_add", wanted, "port_list")
        self.agent.do("port_remove", host_port=found["ports"][0]["host_port"])
        self.agent.do("port_add", **wanted)

    def test_fault_the_removal_of_a_forward_that_is_none(self):
        there = self.agent.do("port_add", container="ada", container_port=80)["host_port"]
        found = self.next_of("not_found", "port_remove", {"host_port": 9}, "port_list")
        self.assertEqual([port["host_port"] for port in found["ports"]], [there])

    # Commands

    def test_fault_a_user_that_is_not_there(self):
        found = self.next_of("invalid_argument", "container_exec", {"container": "ada", "argv": ["id"], "user": "eve"},
                             "container_exec")
        self.assertIn("\nnobody:", found["stdout"]["text"])

    def test_fault_a_directory_that_is_not_there(self):
        done = self.mended("invalid_argument", "container_exec",
                           {"container": "ada", "argv": ["pwd"], "cwd": "/srv/it's new"}, "container_exec")
        self.assertEqual(done["stdout"]["text"], "/srv/it's new\n")

    def test_fault_an_offset_behind_the_end_of_an_output(self):
        done = self.agent.do("container_exec", container="ada", argv=["seq", "20000"], output_bytes_max=1024)
        read = self.next_of("invalid_argument", "output_read",
                            {"container": "ada", "output_id": done["stdout"]["output_id"], "offset": 1 << 30}, "output_read")
        self.assertTrue(read["content"].startswith("1\n2\n"))

    def test_fault_a_command_that_takes_longer_than_allowed(self):
        command = {"container": "ada", "argv": ["sleep", "2"], "timeout_seconds": 1}
        done = self.agent.ask("container_exec", command)["result"]
        self.assertTrue(done["structuredContent"]["timed_out"], done)
        wish = re.match("timed out and was killed; more (.*) give it longer", done["content"][0]["text"])[1]
        self.assertEqual(self.agent.do("container_exec", **{**command, wish: 60})["exit_code"], 0)

    def test_fault_a_command_that_wants_more_memory_than_there_is(self):
        self.agent.do("container_create", name="cyd", memory_bytes=128 * MIB)
        command = {"container": "cyd", "argv": ["dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1"]}
        done = self.agent.ask("container_exec", command)["result"]
        self.assertEqual(done["structuredContent"].get("signal"), "SIGKILL", done)
        tool, field = re.search("its memory was full: ([a-z_]+) with ([a-z_]+) gives more", done["content"][0]["text"]).groups()
        self.agent.do(tool, name="cyd", **{field: 512 * MIB})
        self.assertEqual(self.agent.do("container_exec", **command)["exit_code"], 0)

    def test_fault_a_container_that_does_not_answer_in_time(self):
        command = {"container": "ada", "argv": ["true"]}
        self.agent.do("container_exec", **command)
        helpers = [pid for pid in self.processes_of("ada") if "berth-agent" in Path(f"/proc/{pid}/cmdline").read_text()]
        self.assertTrue(helpers)
        for pid in helpers:
            os.kill(pid, signal.SIGSTOP)
        try:
            error = self.agent.answer("container_exec", command)[1]
        finally:
            for pid in helpers:
                os.kill(pid, signal.SIGCONT)
        self.assertEqual((error["code"], error["retry"]), ("timed_out", "yes"))
        self.assertIn("Trying the same call again can help.", error["text"])
        self.assertEqual(self.agent.do("container_exec", **command)["exit_code"], 0)

    def processes_of(self, name):
        """Those whose pid namespace is that of its init."""
        def namespace(pid):
            try:
                return os.readlink(f"/proc/{pid}/ns/pid")
            except OSError:
                return None
        its = namespace(self.host.init_pid(name))
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and namespace(pid) == its]

    # Snapshots

    def test_fault_a_snapshot_that_is_not_there(self):
        self.agent.do("snapshot_create", container="bob", name="first")
        found = self.next_of("not_found", "snapshot_restore", {"container": "bob", "snapshot": "frist"}, "snapshot_list")
        self.assertEqual([one["name"] for one in found["snapshots"]], ["first"])

    def test_fault_a_snapshot_of_a_name_that_is_taken(self):
        self.agent.do("snapshot_create", container="bob", name="first")
        found = self.next_of("already_exists", "snapshot_create", {"container": "bob", "name": "first"}, "snapshot_list")
        self.assertEqual([one["name"] for one in found["snapshots"]], ["first"])

    def test_fault_the_restoration_of_a_running_container(self):
        self.agent.do("snapshot_create", container="ada", name="first")
        self.mended("busy", "snapshot_restore", {"container": "ada", "snapshot": "first"}, "container_stop")

    # The host

    def test_fault_an_operation_that_is_not_there(self):
        found = self.next_of("not_found", "operation_get", {"id": "op_" + "0" * 26}, "operation_list")
        self.assertIn("operations", found)

    def test_fault_a_warning_that_is_not_there(self):
        found = self.next_of("not_found", "warning_get", {"id": "wn_" + "0" * 26}, "warning_list")
        self.assertIn("warnings", found)

    def test_fault_more_labels_than_a_container_has(self):
        self.agent.do("container_update", name="bob", labels=[f"l{number}=" for number in range(32)])
        wanted = {"name": "bob", "labels": ["more="]}
        found = self.next_of("quota_exceeded", "container_update", wanted, "container_get")
        keys = [label.partition("=")[0] for label in found["labels"]]
        self.agent.do("container_update", **wanted, remove_labels=keys)

    def test_fault_a_host_that_is_full(self):
        for number in range(HOST_ROOM - 2):
            self.agent.do("container_create", name=f"cyd{number}", start=False)
        wanted = {"name": "dan", "start": False}
        found = self.next_of("quota_exceeded", "container_create", wanted, "container_list")
        self.agent.do("container_delete", name=found["containers"][-1]["name"])
        self.agent.do("container_create", **wanted)

    def test_the_command_line_tells_the_call_as_a_command_that_can_be_pasted(self):
        refused = self.host.cli("container", "exec", "--cwd", "/srv/it's here", "ada", "--", "pwd", check=False)
        self.assertEqual(refused.returncode, 2, refused)
        command = re.search(r"; (berth .*)$", refused.stderr, re.MULTILINE)[1]
        done = self.host.machine.run(["sh", "-c", command.replace("berth ", f"{program('berth')} ", 1)],
                                     env=self.host.environment(), check=False)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
        self.assertEqual(self.host.cli("container", "exec", "--cwd", "/srv/it's here", "ada", "--", "pwd").stdout,
                         "/srv/it's here\n")

    def test_json_on_the_command_line_has_the_same_call(self):
        refused = self.host.cli("--json", "container", "get", "adda", check=False)
        self.assertEqual(json.loads(refused.stderr)["error"]["next"],
                         {"tool": "container_get", "arguments": {"name": "ada"}})


class Escalations(FaultCase):
    """What no call can put right, or none that should be made without somebody's word."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agent = Agent(cls.host, "--toolsets", "all")
        cls.addClassCleanup(cls.agent.client.close)
        cls.agent.do("container_create", name="ada")

    def refusal(self, agent, tool, arguments):
        return agent.ask(tool, arguments)["error"]

    def test_fault_the_deletion_of_what_is_protected(self):
        self.agent.do("container_update", name="ada", protected=True)
        self.addCleanup(self.agent.do, "container_update", name="ada", protected=False)
        self.in_words("denied", "container_delete", {"name": "ada", "force": True}, "^ask whoever protected it")

    def test_fault_what_a_person_has_to_confirm(self):
        policy = self.host.root / "policy.toml"
        policy.write_text(PROTECTED_POLICY)
        agent = self.agent_with("--config", policy, "--toolsets", "all")
        self.in_words("needs_confirmation", "container_delete", {"name": "ada", "force": True}, "^ask the person", agent)

    def test_fault_what_the_policy_denies(self):
        policy = self.host.root / "policy.toml"
        policy.write_text(PROTECTED_POLICY)
        agent = self.agent_with("--config", policy)
        self.in_words("denied", "container_stop", {"name": "ada"}, "ask the operator", agent)

    def test_fault_a_next_step_that_is_not_offered(self):
        self.agent.do("container_pause", name="ada")
        self.addCleanup(self.agent.do, "container_resume", name="ada")
        agent = self.agent_with()
        error = self.in_words("busy", "container_exec", {"container": "ada", "argv": ["true"]},
                              r"the operator can offer it \(toolset 'container'\)", agent)
        self.assertIn('container_resume {"name":"ada"}', error["hint"])

    def test_fault_a_tool_that_is_not_offered(self):
        refused = self.refusal(self.agent_with(), "snapshot_list", {})
        self.assertIn("ask the operator", refused["data"]["hint"])

    def test_fault_a_server_that_only_reads(self):
        refused = self.refusal(self.agent_with("--read-only"), "container_start", {"name": "ada"})
        self.assertIn("ask the operator", refused["data"]["hint"])

    def test_fault_a_tool_that_is_nearly_right(self):
        refused = self.refusal(self.agent, "container_lists", {})
        meant = re.search("did you mean '(.*)'", refused["data"]["hint"])[1]
        self.assertIn("ada", [box["name"] for box in self.agent.do(meant)["containers"]])

    def test_fault_a_field_that_is_nearly_right(self):
        error = self.in_words("invalid_argument", "container_get", {"nam": "ada"}, "^correct that and call container_get")
        self.assertIn("'name'", error["message"])

    def test_fault_a_key_that_is_none(self):
        error = self.in_words("invalid_argument", "ssh_key_add", {"container": "ada", "public_key": "ssh-rsa nothing"},
                              "^correct that")
        self.assertEqual(error["field"], "/public_key")

    def test_fault_a_program_that_is_not_there(self):
        self.in_words("invalid_argument", "container_exec", {"container": "ada", "argv": ["pythn"]}, "^name a program")

    def test_fault_a_command_line_that_is_too_long(self):
        self.in_words("invalid_argument", "container_exec", {"container": "ada", "argv": ["echo", *["x" * 30000] * 240]},
                      "stdin|correct that")

    def test_fault_an_output_that_is_gone(self):
        self.in_words("not_found", "output_read", {"container": "ada", "output_id": "0" * 32}, "^run the command again")

    def test_fault_a_request_id_that_means_another_call(self):
        first = {"container": "ada", "argv": ["true"], "request_id": "one"}
        self.agent.do("container_exec", **first)
        self.in_words("invalid_argument", "container_exec", {**first, "argv": ["false"]}, "^use a request_id of its own")

    def test_fault_a_cancelled_operation(self):
        with self.host.held("engine.launch"):
            begun = self.agent.do("container_create", name="cyd", background=True)["operation"]
            self.agent.do("operation_cancel", id=begun["id"])
        ended = self.agent.do("operation_get", id=begun["id"], wait_seconds=30)
        self.assertEqual(ended["status"], "cancelled", ended)
        self.assertRegex(ended["next"], "^call container_create again if it is wanted after all")
        self.agent.do("container_create", name="cyd", start=False)

    def test_fault_a_caller_that_asks_too_often(self):
        port = 7431
        server = self.host.start_mcp_http(port, "--requests-per-second", "1", "--burst", "2")
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.terminate)
        client = McpHttp(lambda: Inside(self.host.machine, port))
        call = request("tools/call", {"name": "container_get", "arguments": {"name": "ada"}})

        def refusal():
            status, _, answer, _ = client.post(call)
            return answer["error"]["message"] if status == 429 else None
        says = next(filter(None, (refusal() for _ in range(20))))
        time.sleep(int(re.fullmatch("too many requests; wait ([0-9]+) ms", says)[1]) / 1000)
        status, _, answer, _ = client.post(call)
        self.assertEqual((status, answer["result"]["structuredContent"]["name"]), (200, "ada"))

    def test_fault_berthd_is_down(self):
        self.host.stop()
        try:
            self.in_words("unavailable", "container_list", {}, "^start berthd")
        finally:
            self.host.start()


if __name__ == "__main__":
    main()

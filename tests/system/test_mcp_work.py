#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What agents do with berth-mcp that takes time: progress, cancelling, tasks, operations, and hearing of changes."""
import json
import subprocess

from support.host import HostCase, main
from support.machine import wait_until
from support.mcp import TASKS, Inside, McpHttp, McpStdio, events, request, routing

PORT = 7423
WITH_TASKS = {"extensions": {TASKS: {}}}


class Work(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_server()
        cls.mcp = McpHttp(lambda: Inside(cls.host.machine, PORT))
        cls.host.create("ada")

    @classmethod
    def start_server(cls):
        cls.server = cls.host.start_mcp_http(PORT)

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(10)
        super().tearDownClass()

    def stdio(self):
        process = self.host.machine.start(self.host.mcp_stdio_argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=self.host.log)
        return McpStdio(process)

    def sleeping(self, seconds):
        listed = self.host.output("ada", "ps", "-eo", "args").splitlines()
        return f"sleep {seconds}" in listed

    def sleep(self, seconds, **more):
        return {"name": "container_exec", "arguments": {"container": "ada", "argv": ["sleep", str(seconds)], **more}}

    def test_long_work_tells_its_progress(self):
        message = request("tools/call", self.sleep(6), progressToken="p")
        _, _, answer, before = self.mcp.post(message)
        self.assertEqual(0, answer["result"]["structuredContent"]["exit_code"])
        self.assertTrue(before)
        self.assertTrue(all(one["method"] == "notifications/progress" for one in before))
        done = [one["params"]["progress"] for one in before]
        self.assertEqual(sorted(set(done)), done)

    def test_a_client_that_leaves_takes_its_processes_along(self):
        message = request("tools/call", self.sleep(901))
        connection = Inside(self.host.machine, PORT)
        connection.request("POST", "/mcp", json.dumps(message), {"Content-Type": "application/json", **routing(message)})
        wait_until(lambda: self.sleeping(901), "it runs")
        connection.close()
        wait_until(lambda: not self.sleeping(901), "it is gone", 2)

    def test_a_cancel_on_stdio_takes_them_along_too(self):
        client = self.stdio()
        for number in range(20):
            client.send(request("tools/call", self.sleep(902 + number), id=number))
        wait_until(lambda: all(self.sleeping(902 + number) for number in range(20)), "all run")
        for number in range(20):
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        wait_until(lambda: not any(self.sleeping(902 + number) for number in range(20)), "all are gone", 3)
        self.assertEqual("last", client.ask(request("tools/list", id="last"))["id"])
        self.assertEqual(0, client.close())

    def test_a_task_outlives_the_server(self):
        created = self.mcp.ask("tools/call", self.sleep(4), WITH_TASKS)
        self.assertEqual(("task", "working"), (created["resultType"], created["status"]))
        self.server.kill()
        self.server.wait()
        self.start_server()
        wait_until(lambda: self.mcp.ask("tasks/get", {"taskId": created["taskId"]}, WITH_TASKS)["status"] == "completed",
                   "it is completed")
        task = self.mcp.ask("tasks/get", {"taskId": created["taskId"]}, WITH_TASKS)
        self.assertEqual(0, task["result"]["structuredContent"]["exit_code"])

    def test_a_task_is_cancelled_and_quick_work_is_none(self):
        self.assertEqual("complete", self.mcp.ask("tools/call", self.sleep(0), WITH_TASKS)["resultType"])
        created = self.mcp.ask("tools/call", self.sleep(931), WITH_TASKS)
        task = {"taskId": created["taskId"]}
        self.mcp.ask("tasks/cancel", task, WITH_TASKS)
        wait_until(lambda: self.mcp.ask("tasks/get", task, WITH_TASKS)["status"] == "cancelled", "it is cancelled")
        wait_until(lambda: not self.sleeping(931), "its process is gone", 2)
        with self.assertRaisesRegex(AssertionError, "-32602"):
            self.mcp.ask("tasks/get", {"taskId": "op_" + "0" * 26}, WITH_TASKS)

    def test_a_client_without_tasks_gets_an_operation(self):
        answer = self.mcp.ask("tools/call", self.sleep(1, background=True))
        operation = answer["structuredContent"]["operation"]
        self.assertIn(operation["id"], answer["content"][0]["text"])
        ended = self.mcp.tool("operation_get", id=operation["id"], wait_seconds=20)["structuredContent"]
        self.assertEqual("completed", ended["status"])
        self.assertEqual(0, ended["result"]["exit_code"])

    def test_resources_are_read_and_watched(self):
        self.assertEqual("running", json.loads(self.read("container://ada"))["state"])
        self.assertIn("systemd", self.read("log://ada"))
        uris = [one["uri"] for one in self.mcp.ask("resources/list")["resources"]]
        self.assertIn("container://ada", uris)
        with self.assertRaisesRegex(AssertionError, "-32602"):
            self.read("container://nobody")
        message = request("subscriptions/listen", {"notifications": {"resourcesListChanged": True,
                                                                     "resourceSubscriptions": ["container://ada"]}})
        connection = Inside(self.host.machine, PORT)
        connection.request("POST", "/mcp", json.dumps(message), {"Content-Type": "application/json", **routing(message)})
        stream = events(connection.getresponse())
        self.assertEqual("notifications/subscriptions/acknowledged", next(stream)["method"])
        self.host.create("bob")
        self.assertEqual("notifications/resources/list_changed", next(stream)["method"])
        self.host.delete("bob")
        self.host.rpc("container_stop", {"name": "ada"})
        wait_until(lambda: next(stream).get("params", {}).get("uri") == "container://ada", "the update comes")
        connection.close()
        self.host.rpc("container_start", {"name": "ada"})

    def read(self, uri):
        return self.mcp.ask("resources/read", {"uri": uri})["contents"][0]["text"]

    def test_names_are_completed_and_prompts_bring_what_they_need(self):
        found = self.mcp.ask("completion/complete", {"ref": {"type": "ref/resource", "uri": "container://{name}"},
                                                     "argument": {"name": "name", "value": "a"}})["completion"]
        self.assertEqual(["ada"], found["values"])
        prompts = [prompt["name"] for prompt in self.mcp.ask("prompts/list")["prompts"]]
        self.assertIn("diagnose_container", prompts)
        diagnosis = self.mcp.ask("prompts/get", {"name": "diagnose_container", "arguments": {"container": "ada"}})
        self.assertIn("running", json.dumps(diagnosis))

    def test_64_listens_hold_up_nothing(self):
        message = request("subscriptions/listen", {"notifications": {"resourcesListChanged": True}})
        streams = []
        for _ in range(64):
            connection = Inside(self.host.machine, PORT)
            connection.request("POST", "/mcp", json.dumps(message), {"Content-Type": "application/json", **routing(message)})
            streams.append((connection, events(connection.getresponse())))
        for _, stream in streams:
            self.assertEqual("notifications/subscriptions/acknowledged", next(stream)["method"])
        calling = Inside(self.host.machine, PORT)
        calls = request("server/discover")
        for _ in range(1000):
            calling.request("POST", "/mcp", json.dumps(calls), {"Content-Type": "application/json", **routing(calls)})
            answer = calling.getresponse()
            self.assertEqual(200, answer.status, answer.read())
            answer.read()
        for connection in (calling, *(connection for connection, _ in streams)):
            connection.close()

    def test_200_calls_at_once_all_come_back(self):
        client = self.stdio()
        for number in range(200):
            client.send(request("tools/call", {"name": "container_exec", "arguments": {
                "container": "ada", "argv": ["echo", str(number)]}}, id=number))
        said = {}
        for _ in range(200):
            answer = client.receive()
            said[answer["id"]] = answer["result"]["structuredContent"]["stdout"]["text"]
        self.assertEqual({number: f"{number}\n" for number in range(200)}, said)
        self.assertEqual(0, client.close())

    def test_two_servers_on_stdio_start_side_by_side_and_end_with_their_input(self):
        """As a client does that looks for the newest revision with a process of its own."""
        probe, real = self.stdio(), self.stdio()
        self.assertIn("supportedVersions", probe.ask(request("server/discover", id="probe"))["result"])
        self.assertEqual(0, probe.close())
        self.assertIn("tools", real.ask(request("tools/list"))["result"])
        self.assertEqual(0, real.close())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, is taken back, or is asked for twice, also when berthd dies in between."""
import http.client
import json
import time

from support.host import HostCase, ToolError, UnixConnection, main, run_in_thread
from support.machine import processes, wait_until

TREE = "sleep 27183 & setsid sleep 27183 & (setsid sh -c 'sleep 27183 & sleep 27183' &) ; trap '' TERM; sleep 27183"


def running(command):
    """How many processes of this machine have that command line; those in containers are among them."""
    return sum(command in line for _, line, *_ in processes())


class Operations(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("ada")

    def begin(self, *argv, **more):
        """A command in the background, by its operation's id."""
        return self.host.exec("ada", *argv, background=True, **more)["operation"]["id"]

    def get(self, operation, wait_seconds=0):
        return self.host.rpc("operation_get", {"id": operation, "wait_seconds": wait_seconds})

    def events(self):
        """What /events tells from now on; its first, empty line says that nothing is missed."""
        connection = UnixConnection(self.host.socket, 60)
        self.addCleanup(connection.close)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        self.assertEqual(stream.readline(), b"\n")
        return (json.loads(line) for line in iter(stream.readline, b"") if line.strip())

    # In the background

    def test_a_command_in_the_background_is_asked_for_by_its_id(self):
        operation = self.begin("sh", "-c", "sleep 0.5; echo done")
        state = self.get(operation)
        self.assertEqual((state["status"], state["tool"], state["container"]), ("working", "container_exec", "ada"))
        state = self.get(operation, 50)
        self.assertEqual((state["status"], state["result"]["stdout"]["text"]), ("completed", "done\n"))
        listed = self.host.rpc("operation_list", {})
        self.assertIn(operation, [each["id"] for each in listed["operations"]])

    def test_a_create_in_the_background_makes_the_container(self):
        operation = self.host.create("eve", background=True)["operation"]["id"]
        self.addCleanup(self.host.delete, "eve")
        self.assertEqual(self.get(operation, 50)["status"], "completed")
        self.assertEqual(self.host.output("eve", "echo", "here"), "here\n")

    def test_cancelling_ends_the_whole_tree_at_once(self):
        operation = self.begin("sh", "-c", TREE, timeout_seconds=600)
        wait_until(lambda: running("sleep 27183") >= 5, "all of it runs")
        self.host.rpc("operation_cancel", {"id": operation})
        wait_until(lambda: running("sleep 27183") == 0, "nothing of it is left", 5)
        self.assertEqual(self.get(operation, 10)["status"], "cancelled")
        self.assertEqual(self.host.rpc("operation_cancel", {"id": operation})["status"], "cancelled")

    def test_an_unknown_operation_is_not_found(self):
        for method in ("operation_get", "operation_cancel"):
            self.refused("not_found", "/id", method, {"id": "op_" + "0" * 26})

    # Whoever goes away

    def test_a_caller_that_disconnects_ends_its_command(self):
        with self.assertRaises(TimeoutError):
            self.host.rpc("container_exec", {"container": "ada", "argv": ["sleep", "14143"], "timeout_seconds": 600},
                          timeout=1.0)
        wait_until(lambda: running("sleep 14143") == 0, "it ends with its caller", 10)

    def test_a_caller_that_disconnects_undoes_its_create(self):
        before = self.host.picture()
        with self.host.held("engine.launch"), self.assertRaises(TimeoutError):
            self.host.rpc("container_create", {"name": "gone"}, timeout=0.5)
        wait_until(lambda: self.host.picture() == before, "nothing of it is left", 30)

    # berthd's own end

    def test_a_restart_keeps_what_has_ended_and_marks_what_had_not(self):
        for crash in (True, False):
            with self.subTest(crash=crash):
                ended = self.begin("echo", "kept")
                before = self.get(ended, 50)
                cut = self.begin("sleep", "600", timeout_seconds=600)
                self.host.restart(crash=crash)
                self.assertEqual(self.get(ended), before)
                state = self.get(cut, 10)
                self.assertEqual((state["status"], state["error"]["code"]), ("failed", "unavailable"))
                self.assertIn("call the tool again", state["error"]["hint"])

    def test_a_call_with_a_request_id_happens_once_wherever_berthd_is_killed(self):
        began = time.monotonic()
        self.host.create("warm")
        whole = time.monotonic() - began
        self.host.delete("warm")
        points = 10
        for point in range(points):
            with self.subTest(point=point):
                call = {"name": "once", "ports": [{"container_port": 80}], "request_id": f"once {point}"}
                creating = run_in_thread(lambda call=call: self.host.rpc("container_create", call))
                time.sleep(whole * (point + 0.5) / points)
                self.host.kill()
                try:
                    first = creating(30)
                except (OSError, http.client.HTTPException, ValueError):
                    first = None
                self.host.start()
                again = self.host.rpc("container_create", call)
                self.assertIn(first, (None, again))
                self.assertEqual(self.host.rpc("container_create", call), again)
                self.assertEqual(again["state"], "running")
                self.assertEqual(self.host.output("once", "echo", "there"), "there\n")
                self.assertEqual(self.host.rpc("container_list", {})["total"], 2, "ada, and the one")
                delete = {"name": "once", "force": True, "request_id": f"delete {point}"}
                self.host.rpc("container_delete", delete)
                self.assertTrue(self.host.rpc("container_delete", delete)["deleted"])

    def test_a_request_id_of_another_call_is_refused(self):
        self.host.exec("ada", "true", request_id="mine")
        self.refused("invalid_argument", "/request_id", "container_exec",
                     {"container": "ada", "argv": ["false"], "request_id": "mine"})

    def test_two_callers_of_one_request_get_one_result(self):
        script = "echo x >> /tmp/count; sleep 0.5; wc -l < /tmp/count"
        calls = [run_in_thread(lambda: self.host.exec("ada", "sh", "-c", script, request_id="both")) for _ in range(4)]
        results = [call() for call in calls]
        self.assertEqual({json.dumps(result) for result in results}, {json.dumps(results[0])})
        self.assertEqual(results[0]["stdout"]["text"].strip(), "1")

    # What is told

    def test_the_journal_is_read(self):
        wait_until(lambda: self.host.exec("ada", "test", "-S", "/run/systemd/journal/dev-log")["exit_code"] == 0,
                   "the journal is up, which a container can be without")
        self.host.output("ada", "logger", "--tag", "berth-test", "hello from inside")
        wait_until(lambda: any("hello from inside" in line for line in self.journal(since_seconds=600)), "it is there")
        self.assertEqual(len(self.journal(lines=2)), 2)
        self.assertTrue(self.host.rpc("container_logs", {"container": "ada", "lines": 2})["truncated"])
        self.assertEqual(self.journal(unit="nosuch.service"), [])

    def journal(self, **more):
        return self.host.rpc("container_logs", {"container": "ada", **more})["lines"]

    def test_changes_are_told_as_they_happen(self):
        events = self.events()
        operation = self.host.create("news", background=True)["operation"]["id"]
        self.get(operation, 50)
        self.host.delete("news")
        heard = [next(events) for _ in range(4)]
        self.assertEqual([(event["kind"], event.get("status") or event.get("change")) for event in heard],
                         [("operation", "working"), ("container", "created"), ("operation", "completed"),
                          ("container", "deleted")])
        self.assertEqual({event["id"] for event in heard if event["kind"] == "operation"}, {operation})

    def test_a_dry_run_changes_nothing(self):
        before = self.host.picture()
        for method, params in (("container_create", {"name": "dry", "ports": [{"container_port": 80}]}),
                               ("container_delete", {"name": "ada", "force": True}),
                               ("container_stop", {"name": "ada"}),
                               ("container_exec", {"container": "ada", "argv": ["touch", "/dry"]}),
                               ("port_add", {"container": "ada", "container_port": 80})):
            self.assertTrue(self.host.rpc(method, {**params, "dry_run": True})["would"], method)
        self.assertEqual(self.host.picture(), before)
        with self.assertRaises(ToolError) as caught:
            self.host.rpc("container_create", {"name": "ada", "dry_run": True})
        self.assertEqual(caught.exception.code, "already_exists")


if __name__ == "__main__":
    main()

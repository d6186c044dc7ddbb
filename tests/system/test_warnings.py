#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Warnings of a real host: what it lacks, what keeps ending, what was repaired, and that they are remembered."""
import json
import os
import signal
from pathlib import Path

from support.host import HostCase, UnixConnection, main
from support.machine import wait_until
from support.mcp import Inside, McpHttp, events, request, routing

PORT = 7420


class Warnings(HostCase):
    def list(self, **more):
        return self.host.rpc("warning_list", {"response_format": "detailed", **more})["warnings"]

    def one(self, kind, entity):
        """The warning of that type and entity, whatever its status; None when there is none."""
        return next(iter(self.list(type=kind, entity=entity, acknowledged=True)), None)

    def status(self, kind, entity):
        return (self.one(kind, entity) or {}).get("status")

    def update(self, warning, action):
        return self.host.rpc("warning_update", {"id": warning["id"], "action": action})

    def kill_init(self, name):
        pid = self.host.init_pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "init has ended")

    def ends(self, name, times):
        """Ends its init so often, and returns when it has been started again."""
        changes = (event["change"] for event in self.told() if event.get("name") == name)
        ended = 0
        while ended < times:
            self.kill_init(name)
            for change in changes:
                ended += change == "ended"
                if change == "started":
                    break

    def told(self):
        """What berthd tells from now on."""
        connection = UnixConnection(self.host.socket, 60)
        self.addCleanup(connection.close)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        self.assertEqual(stream.readline(), b"\n")
        return (json.loads(line) for line in iter(stream.readline, b"") if line.strip())

    def test_each_missing_feature_is_a_warning_with_a_next_step(self):
        missing = {f["name"] for f in self.host.rpc("system_info", {})["features"] if not f["available"]}
        features = [w for w in self.list(acknowledged=True) if w["entity"].startswith("feature/")]
        self.assertEqual(missing, {w["entity"].removeprefix("feature/") for w in features})
        self.assertTrue(all(w["message"] and w["next"] for w in features))

    def test_a_flapping_container_is_a_warning_which_lives_as_its_reader_says(self):
        self.host.create("ada", restart="always")
        self.host.create("bob", restart="always")
        new = self.host.rpc("system_info", {})["warnings"]
        told = self.told()
        self.ends("ada", 3)
        first = self.one("container_flapping", "container/ada")
        self.assertEqual(("error", "new"), (first["severity"], first["status"]))
        self.assertIn("container_logs", first["next"])
        self.assertEqual("raised", next(e for e in told if e.get("id") == first["id"])["change"])
        self.assertEqual(new + 1, self.host.rpc("system_info", {})["warnings"])
        # Acknowledged, it is hidden while its count rises, also across a crash of berthd.
        self.assertEqual("acknowledged", self.update(first, "acknowledge")["warning"]["status"])
        self.ends("ada", 1)
        self.assertEqual([], self.list(entity="container/ada"))
        self.host.restart(crash=True)
        self.assertEqual([], self.list(entity="container/ada"))
        again = self.host.rpc("warning_get", {"id": first["id"]})
        self.assertEqual((first["count"] + 1, first["first_seen"]), (again["count"], again["first_seen"]))
        self.assertGreater(again["last_seen"], first["last_seen"])
        # Deleted, it comes back with another id.
        self.assertTrue(self.update(first, "delete")["deleted"])
        self.assertIsNone(self.one("container_flapping", "container/ada"))
        self.ends("ada", 3)
        anew = self.one("container_flapping", "container/ada")
        self.assertNotEqual(first["id"], anew["id"])
        self.assertGreater(anew["first_seen"], again["last_seen"])
        # It is over when the container is not to run; of the one that stayed up there never was any.
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        wait_until(lambda: self.status("container_flapping", "container/ada") == "resolved", "it is over")
        self.refused("invalid_argument", "/action", "warning_update", {"id": anew["id"], "action": "acknowledge"})
        self.assertIsNone(self.one("container_flapping", "container/bob"))
        self.host.delete("ada")
        self.host.delete("bob")

    def test_a_crash_of_berthd_is_a_warning_until_it_was_stopped(self):
        self.host.restart(crash=True)
        self.assertEqual("new", self.status("service_ended", "service/berthd"))
        count = self.one("service_ended", "service/berthd")["count"]
        self.host.restart(crash=True)
        self.assertEqual(count + 1, self.one("service_ended", "service/berthd")["count"])
        self.host.restart()
        self.assertEqual("resolved", self.status("service_ended", "service/berthd"))

    def test_what_a_start_removes_is_told_as_drift(self):
        self.host.create("cyd", start=False)
        self.host.stop()
        self.host.machine.run(["/usr/bin/python3", "-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
                               "db.execute(\"UPDATE containers SET phase = 'deleting'\"); db.commit()",
                               self.host.state / "berth.db"])
        self.host.start()
        self.assertEqual("resolved", self.status("drift", "container/cyd"))
        self.assertEqual([], self.host.rpc("container_list", {})["containers"])

    def test_a_table_that_somebody_has_flushed_is_drift_and_one_that_cannot_be_written_critical(self):
        self.assertIsNone(self.one("drift", "network"))
        self.host.machine.run(["nft", "flush", "ruleset"])
        wait_until(lambda: self.status("drift", "network") == "resolved", "it is put right")
        nft = self.host.machine.run(["sh", "-c", "command -v nft"]).stdout.strip()
        moved = self.host.root / "nft"
        self.host.machine.run(["cp", nft, moved])
        self.host.machine.run(["mount", "--bind", "/bin/false", nft])
        try:
            self.host.machine.run([moved, "flush", "ruleset"])
            wait_until(lambda: self.status("reconcile_failed", "network") == "new", "it is told")
            self.assertEqual("critical", self.one("reconcile_failed", "network")["severity"])
        finally:
            self.host.machine.run(["umount", nft])
        wait_until(lambda: self.status("reconcile_failed", "network") == "resolved", "it is tried again")
        self.assertEqual(2, self.one("drift", "network")["count"])

    def test_warnings_are_resources_that_can_be_watched(self):
        server = self.host.start_mcp_http(PORT)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.terminate)
        client = McpHttp(lambda: Inside(self.host.machine, PORT))

        def read(uri):
            return json.loads(client.ask("resources/read", {"uri": uri})["contents"][0]["text"])

        current = [w for w in self.list() if w["status"] != "resolved"]
        self.assertTrue(current, "this kernel lacks nothing, so the test has nothing to look at")
        self.assertEqual([w["id"] for w in current], [w["id"] for w in read("warning://host")])
        one = current[0]
        uri = "warning://" + one["id"]
        self.assertEqual(one, read(uri))
        found = client.ask("completion/complete", {"ref": {"type": "ref/resource", "uri": "warning://{id}"},
                                                   "argument": {"name": "id", "value": one["id"][:10]}})["completion"]
        self.assertIn(one["id"], found["values"])
        # The tools are offered when asked for; the resources are there for everybody.
        tools = {tool["name"] for tool in client.ask("tools/list")["tools"]}
        self.assertFalse({tool for tool in tools if tool.startswith("warning_")})
        message = request("subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri, "warning://host"]}})
        connection = Inside(self.host.machine, PORT)
        self.addCleanup(connection.close)
        connection.request("POST", "/mcp", json.dumps(message), {"Content-Type": "application/json", **routing(message)})
        stream = events(connection.getresponse())
        self.assertEqual("notifications/subscriptions/acknowledged", next(stream)["method"])
        self.update(one, "acknowledge")
        updated = {next(stream)["params"]["uri"] for _ in range(2)}
        self.assertEqual({uri, "warning://host"}, updated)
        self.assertEqual("acknowledged", read(uri)["status"])

    def test_a_person_reads_them_at_the_terminal(self):
        one = self.list(acknowledged=True)[0]
        shown = self.host.cli("warning", "list", "--acknowledged").stdout
        self.assertIn(one["id"], shown)
        self.assertIn(one["entity"], shown)
        self.assertIn(one["next"], self.host.cli("warning", "get", one["id"]).stdout)


if __name__ == "__main__":
    main()

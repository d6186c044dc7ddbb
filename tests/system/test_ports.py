#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Forwarded ports: from where they can be reached, how long they last, and what they may not take."""
import json

from support.host import HostCase, main
from support.machine import HOST_ADDRESS, OUTSIDE_ADDRESS, wait_until

SERVICE = 8000  # the port inside


class Ports(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("ada")
        cls.host.create("bob")
        cls.host.serve("ada", SERVICE)

    def forward(self, protocol="tcp", **more):
        forward = self.host.rpc("port_add", {"container": "ada", "container_port": SERVICE, "protocol": protocol, **more})
        self.addCleanup(self.remove, forward)
        return forward["host_port"]

    def remove(self, forward):
        ports = self.host.rpc("port_list", {"container": "ada"})["ports"]
        if forward in ports:
            self.host.rpc("port_remove", {"host_port": forward["host_port"], "protocol": forward["protocol"]})

    def assert_reached(self, protocol, port):
        """From everywhere; other machines are seen with their own address."""
        self.assertEqual(self.host.dial(protocol, HOST_ADDRESS, port, outside=True), f"ada {OUTSIDE_ADDRESS}")
        for address in (HOST_ADDRESS, "127.0.0.1"):
            with self.subTest("from the host", protocol=protocol, address=address):
                self.assertRegex(self.host.dial(protocol, address, port), r"^ada ")
        for name in ("ada", "bob"):
            with self.subTest("from a container", protocol=protocol, name=name):
                self.assertRegex(self.host.dial_from(name, protocol, HOST_ADDRESS, port), r"^ada ")

    def test_a_forward_is_reached_from_everywhere(self):
        for protocol in ("tcp", "udp"):
            self.assert_reached(protocol, self.forward(protocol))

    def test_a_chosen_port_is_the_one_forwarded(self):
        self.assertEqual(self.forward(host_port=8080), 8080)
        self.assert_reached("tcp", 8080)

    def test_the_same_number_inside_and_outside_works(self):
        self.forward(host_port=SERVICE)
        self.assert_reached("tcp", SERVICE)

    def test_tcp_and_udp_of_one_port_are_two_forwards(self):
        self.forward("tcp", host_port=8081)
        self.assertEqual(self.host.dial("udp", HOST_ADDRESS, 8081, outside=True), "")
        self.forward("udp", host_port=8081)
        self.assert_reached("udp", 8081)

    def test_removal_stops_it(self):
        port = self.forward()
        self.assert_reached("tcp", port)
        self.host.rpc("port_remove", {"host_port": port})
        self.assertEqual(self.host.dial("tcp", HOST_ADDRESS, port, outside=True), "")
        self.assertEqual(self.host.dial("tcp", "127.0.0.1", port), "")
        self.refused("not_found", "/host_port", "port_remove", {"host_port": port})

    def test_a_forward_comes_and_goes_without_a_process(self):
        """One element of the kernel's map changes: nft is not even there meanwhile."""
        nft = self.host.machine.run(["sh", "-c", "command -v nft"]).stdout.strip()
        self.host.machine.run(["mount", "--bind", "/bin/false", nft])
        try:
            port = self.forward()
            self.assert_reached("tcp", port)
            self.host.rpc("port_remove", {"host_port": port})
            self.assertEqual(self.host.dial("tcp", HOST_ADDRESS, port, outside=True), "")
        finally:
            self.host.machine.run(["umount", nft])

    def test_a_map_that_somebody_has_emptied_is_made_whole_by_itself(self):
        first = self.forward()
        second = self.forward("udp")
        self.host.machine.run(["nft", "flush", "map", "inet", "berth", "forwards"])
        self.assert_soon("tcp", first)
        self.assert_soon("udp", second)

    def test_rules_that_somebody_removes_while_berthd_runs_are_there_again_by_themselves(self):
        """Each time ends when the forward works; that nothing else was opened is asked after each."""
        port = self.forward()
        service = self.host.machine.serve("host", "0.0.0.0", 7777)
        self.addCleanup(service.communicate)
        self.addCleanup(service.kill)
        gateway = self.host.output("ada", "ip", "route", "show", "default").split()[2]
        whole = self.host.machine.rules()
        for harm in ("flush ruleset",
                     "flush chain inet berth input; delete chain inet berth input",
                     "flush chain inet berth guard",
                     "delete table inet berth",
                     "add rule inet berth forward accept",
                     "add element inet berth forwards { tcp . 7070 : 10.86.0.99 . 22 }",
                     "flush ruleset"):
            with self.subTest(harm):
                told = self.drift_count()
                self.host.machine.run(["nft", harm])
                wait_until(lambda: self.host.machine.rules() == whole, "the rules are there again", 5)
                self.assert_soon("tcp", port)
                for address in (gateway, HOST_ADDRESS, "127.0.0.1"):
                    self.assertEqual(self.host.dial_from("ada", "tcp", address, 7777), "")
                wait_until(lambda: self.drift_count() == told + 1, "it was told once", 5)

    def test_what_berthd_changes_itself_is_no_drift_and_rewrites_nothing(self):
        told = self.drift_count()
        handle = self.table_handle()
        for _ in range(5):
            self.host.rpc("port_remove", {"host_port": self.forward()})
        self.host.machine.run(["nft", "add table inet others; add chain inet others input; delete table inet others"])
        self.assertEqual(handle, self.table_handle())
        self.host.machine.run(["nft", "flush chain inet berth guard"])  # which is drift, and told after whatever was before
        wait_until(lambda: self.drift_count() > told, "that is told", 5)
        self.assertEqual(self.drift_count(), told + 1)

    def drift_count(self):
        found = self.host.rpc("warning_list", {"type": "drift", "entity": "network", "acknowledged": True,
                                               "response_format": "detailed"})["warnings"]
        return found[0]["count"] if found else 0

    def table_handle(self):
        """Another one for every table that is made."""
        tables = json.loads(self.host.machine.run(["nft", "-j", "-a", "list", "tables"]).stdout)["nftables"]
        return [table["table"]["handle"] for table in tables if "table" in table]

    def assert_soon(self, protocol, port):
        wait_until(lambda: self.host.dial(protocol, HOST_ADDRESS, port, outside=True) == f"ada {OUTSIDE_ADDRESS}",
                   "the forward works again", 10)

    def test_forwards_outlive_the_daemon(self):
        ports = {protocol: self.forward(protocol) for protocol in ("tcp", "udp")}
        self.host.kill()
        try:
            for protocol, port in ports.items():  # the rules are the kernel's
                self.assertEqual(self.host.dial(protocol, HOST_ADDRESS, port, outside=True), f"ada {OUTSIDE_ADDRESS}")
        finally:
            self.host.start()
        for protocol, port in ports.items():
            self.assert_reached(protocol, port)

    def test_forwards_are_made_again_when_the_rules_are_gone(self):
        port = self.forward()
        self.host.stop()
        self.host.machine.run(["nft", "flush", "ruleset"])
        self.host.start()
        self.assert_reached("tcp", port)

    def test_a_stopped_container_keeps_its_forwards(self):
        self.host.create("cyd", ports=[{"container_port": SERVICE, "host_port": 8090}])
        self.addCleanup(self.host.delete, "cyd")
        self.host.rpc("container_stop", {"name": "cyd", "timeout_seconds": 0})
        self.assertEqual(self.host.rpc("port_list", {"container": "cyd"})["total"], 1)
        self.host.rpc("container_start", {"name": "cyd"})
        self.host.serve("cyd", SERVICE)
        self.assertEqual(self.host.dial("tcp", HOST_ADDRESS, 8090, outside=True), f"cyd {OUTSIDE_ADDRESS}")

    def test_a_deleted_containers_forwards_are_gone_and_free(self):
        self.host.create("dora", ports=[{"container_port": SERVICE, "host_port": 8091}])
        self.host.delete("dora")
        self.assertEqual(self.host.dial("tcp", HOST_ADDRESS, 8091, outside=True), "")
        self.assertEqual(self.forward(host_port=8091), 8091)

    def test_a_port_of_a_service_on_the_host_is_refused(self):
        service = self.host.machine.serve("host", "0.0.0.0", 8082)
        try:
            before = self.host.picture()
            self.refused("busy", "/host_port", "port_add",
                         {"container": "ada", "container_port": SERVICE, "host_port": 8082})
            self.assertEqual(self.host.picture(), before)
            self.assertEqual(self.host.dial("tcp", HOST_ADDRESS, 8082, outside=True), f"host {OUTSIDE_ADDRESS}")
        finally:
            service.kill()
            service.communicate()
        wait_until(lambda: self.forward(host_port=8082) == 8082, "the port is free again")

    def test_a_containers_ssh_port_is_refused(self):
        ssh_port = self.host.rpc("container_get", {"name": "ada"})["ssh"]["port"]
        self.refused("busy", "/host_port", "port_add",
                     {"container": "bob", "container_port": SERVICE, "host_port": ssh_port})


if __name__ == "__main__":
    main()

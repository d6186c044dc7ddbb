#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pools of a file of routes are told of as registered hosts are, by what their clients' connections show."""
import socket

from support.machine import wait_until
from support.sentinel import ALERT_INTERNAL, Backend, alert, hello, main, port_to_keep
from test_sentinel_registry import LAB, RegistryCase, UnixHttp
from test_tunnel import named

WATCHED_MAX = 1000
REFUSED = "does not accept connections of clients: connect: Connection refused"


class Watching(RegistryCase):
    def hosts(self):
        call = {"jsonrpc": "2.0", "id": 1, "method": "host_list", "params": {}}
        return self.exchange(UnixHttp(self.state / "admin.sock"), "POST", "/rpc", call, None,
                             {"Content-Type": "application/json"})[1]["result"]["hosts"]

    def pools(self):
        return {one["pool"]: one.get("reason", "") for one in self.admin("GET", "/status")[1]["static_pools"]}

    def test_one_that_refuses_clients_is_unhealthy_until_one_is_answered(self):
        port = port_to_keep()
        other = self.backend(Backend, named(b""))
        routes = f"lab.test 127.0.0.1:{port} lab\nprod.test 127.0.0.1:{other.port} prod\n*.prod.test 127.0.0.1:{other.port} prod\n"
        sentinel = self.start(routes=routes)
        self.assertEqual(self.pools(), {"lab": "", "prod": ""})
        for name, answer in ((b"lab.test", alert(ALERT_INTERNAL)), (b"prod.test", b"\x16")):
            self.assertEqual(sentinel.ask(hello(name))[0], answer)
        self.assertEqual(self.pools(), {"lab": REFUSED, "prod": ""})
        self.assertIn(f"<td>127.0.0.1:{port}</td><td>{REFUSED}</td>", self.admin("GET", "/")[1])
        self.assertEqual([(host["pool"], host["lease"], host.get("reason", "")) for host in self.hosts()],
                         [("lab", "static", REFUSED), ("prod", "static", "")])
        metrics = self.ask(sentinel, "GET", "/metrics")[1]
        for line in ('static_pool_healthy{pool="lab"} 0', 'static_pool_healthy{pool="prod"} 1', "static_pools_unwatched 0"):
            self.assertIn(f"\nberth_sentinel_{line}\n", metrics)
        own = self.ask(sentinel, "GET", "/status", token=LAB)[1]["static_pools"]
        self.assertEqual([(one["pool"], one["healthy"]) for one in own], [("lab", False)])

        # Another file changes nothing of a pool that stays, and forgets one that goes.
        sentinel.reload(f"new.test 127.0.0.1:{other.port} new\nlab.test 127.0.0.1:{port} lab\n")
        self.assertEqual(self.pools(), {"new": "", "lab": REFUSED})
        service = socket.create_server(("127.0.0.1", port))
        self.addCleanup(service.close)
        client = sentinel.say(hello(b"lab.test"))
        served, _ = service.accept()
        self.addCleanup(served.close)
        served.sendall(b"\x16")
        self.assertEqual(client.recv(1), b"\x16")
        wait_until(lambda: self.pools() == {"new": "", "lab": ""}, "the pool to be healthy")

    def test_of_many_pools_the_first_are_watched_and_the_others_counted(self):
        port = port_to_keep()
        routes = "".join(f"a{number}.test 127.0.0.1:{port} pool-{number}\n" for number in range(WATCHED_MAX + 500))
        sentinel = self.start(routes=routes)
        for number in (WATCHED_MAX - 1, WATCHED_MAX):
            self.assertEqual(sentinel.ask(hello(f"a{number}.test".encode()))[0], alert(ALERT_INTERNAL))
        status = self.admin("GET", "/status")[1]
        self.assertEqual((len(status["static_pools"]), status["static_pools_unwatched"]), (WATCHED_MAX, 500))
        self.assertEqual([one["pool"] for one in status["static_pools"] if not one["healthy"]], [f"pool-{WATCHED_MAX - 1}"])
        self.assertTrue("<p>500 more are not watched</p>" in self.admin("GET", "/")[1])


if __name__ == "__main__":
    main()

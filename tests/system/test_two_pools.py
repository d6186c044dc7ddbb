#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One front, a pool that can be connected to and one that cannot, each on a machine of its own: what visitors get of them."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import unittest

from support.machine import wait_until
from support.place import Place
from support.sentinel import ALERT_INTERNAL, alert, hello, main, make_certificate
from support.tunnel import ALL, FRONT, LAB, PROD, TunnelCase

PORT, CONTROL, SERVICE = 8443, 8888, 4433
# The front's own address on each line, and who is at the other end.
TO_PROD, PROD_HOST = "198.51.100.1", "198.51.100.2"
TO_LAB, LAB_HOST = "203.0.113.1", "203.0.113.2"
TO_WORLD, VISITOR = "192.0.2.1", "192.0.2.2"
BOTH = "both-token-1"
AWAY = (alert(ALERT_INTERNAL), "end")
NAMES = {pool: (f"{pool}.test", f"api.{pool}.test", f"x.apps.{pool}.test") for pool in ("prod", "lab")}


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
class TwoPools(TunnelCase):
    def setUp(self):
        super().setUp()
        self.tokens.write_text(f"{LAB}=lab\n{PROD}=prod\n{ALL}=*\n{BOTH}=lab, prod\n")
        self.middle, self.prod, self.lab, self.world = (self.place() for _ in range(4))
        self.middle.connect(self.prod, "prod", TO_PROD, PROD_HOST)
        self.middle.connect(self.lab, "lab", TO_LAB, LAB_HOST)
        self.middle.connect(self.world, "world", TO_WORLD, VISITOR)
        self.lab.let_nobody_in()
        self.addCleanup(self.middle.step_in())

    def place(self):
        place = Place()
        self.addCleanup(place.close)
        return place

    def serve(self, place, pool):
        """A service of TLS on that machine, with a certificate of its own for the pool's names."""
        make_certificate(self.directory, f"{pool}.test", f"api.{pool}.test", f"*.apps.{pool}.test")
        service = place.start(["openssl", "s_server", "-quiet", "-www", "-accept", str(SERVICE), "-cert", self.directory / f"{pool}.test.pem",
                               "-key", self.directory / f"{pool}.test.key"])
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        wait_until(lambda: f":{SERVICE} " in place.run(["ss", "-Htln"]), "the service to listen")

    def sentinel(self):
        own = self.directory / f"{FRONT}.pem", self.directory / f"{FRONT}.key"
        return self.front("--listen", f"0.0.0.0:{PORT}", "--control", f"0.0.0.0:{CONTROL}", "--control-certificate", own[0], "--control-key",
                          own[1], "--default-pool", "prod", start=lambda: None)

    def register_prod(self):
        """As its host does it, from its own machine."""
        claim = {"pool": "prod", "hostname": "prod.test", "aliases": ["api.prod.test"], "base_domains": ["apps.prod.test"], "port": SERVICE}
        told = json.loads(self.prod.run(["curl", "--silent", "--show-error", "--cacert", self.directory / f"{FRONT}.pem", "--resolve",
                                         f"{FRONT}:{CONTROL}:{TO_PROD}", "--header", f"Authorization: Bearer {PROD}", "--data",
                                         json.dumps(claim), f"https://{FRONT}:{CONTROL}/sentinel/primaries"]))
        self.assertEqual((told["pool"], told["ip"]), ("prod", PROD_HOST), told)

    def open_lab(self, **options):
        """`berth tunnel` on the machine that nobody can connect to."""
        return self.tunnel(PORT, SERVICE, "--alias", "api.lab.test", "--base-domain", "apps.lab.test", host=TO_LAB, enter=self.lab.enter([]),
                           **options)

    def curl(self, name, pool):
        """0 when whoever answers to the name shows that pool's certificate; else why not, as curl says it."""
        return subprocess.run(self.world.enter(["curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--cacert",
                                                self.directory / f"{pool}.test.pem", "--resolve", f"{name}:{PORT}:{TO_WORLD}",
                                                f"https://{name}:{PORT}/"]), timeout=20).returncode

    def check_all(self, pool):
        for name in NAMES[pool]:
            self.assertEqual(self.curl(name, pool), 0, name)

    def test_what_visitors_get_while_hosts_and_the_front_come_and_go(self):
        for place, pool in ((self.prod, "prod"), (self.lab, "lab")):
            self.serve(place, pool)
        sentinel = self.sentinel()
        self.register_prod()
        self.check_all("prod")
        with self.assertRaises(TimeoutError):  # there is no way in
            socket.create_connection((LAB_HOST, SERVICE), 1)
        tunnel = self.open_lab().joined()
        self.check_all("lab")
        # Each has its own, and not the other's.
        self.assertEqual([self.curl("lab.test", "prod"), self.curl("prod.test", "lab")], [60, 60])

        # Lab's host is killed: it is away at once, and never another's.
        tunnel.process.kill()
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the killed host to be away", seconds=2)
        for name in NAMES["lab"]:
            self.assertEqual(sentinel.ask(hello(name.encode())), AWAY, name)
            self.assertEqual(self.curl(name, "prod"), 35, name)  # no certificate at all
        self.check_all("prod")
        tunnel = self.open_lab().joined()
        self.check_all("lab")

        # The front is killed: prod is there with its first visitor, lab with its tunnel.
        sentinel.process.kill()
        sentinel.process.wait()
        wait_until(lambda: "failed" in tunnel.states(), "the tunnel to find nobody")
        begun = time.monotonic()
        sentinel = self.sentinel()
        self.assertEqual(self.curl("prod.test", "prod"), 0)
        tunnel.joined(2)
        self.assertLess(time.monotonic() - begun, 2)
        self.check_all("lab")
        self.check_all("prod")

        # Lab's token is revoked: lab alone is cut.
        self.tokens.write_text(f"{PROD}=prod\n")
        begun = time.monotonic()
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the names to lead nowhere")
        wait_until(lambda: tunnel.states().count("lost") == 2, "the session to be over")
        self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual(self.curl("lab.test", "prod"), 35)
        self.check_all("prod")

    def test_a_token_is_for_its_pools_on_the_command_line_and_over_http(self):
        self.sentinel()
        may = {LAB: ("lab",), PROD: ("prod",), BOTH: ("lab", "prod"), ALL: ("lab", "prod", ""), "unknown-token": ()}
        tunnels = [(token, pool, self.tunnel(PORT, SERVICE, "--id", f"host-{token}", pool=pool, hostname=None, token=token, host=TO_LAB,
                                             enter=self.lab.enter([]))) for token in may for pool in ("lab", "prod", "")]
        for token, pool, tunnel in tunnels:
            with self.subTest(token=token, pool=pool):
                if pool in may[token]:
                    wait_until(lambda: tunnel.states() == ["open"], "the tunnel to be open")
                    continue
                code, error = tunnel.refused()
                words = "invalid token" if token == "unknown-token" else f'token not authorized for pool "{pool}"'
                self.assertEqual((code, words in error["message"]), (7, True), error)
        trusted = ssl.create_default_context(cafile=self.directory / f"{FRONT}.pem")
        trusted.check_hostname = False
        for token, pools in may.items():
            for pool in ("lab", "prod"):
                with self.subTest(token=token, pool=pool):
                    connection = http.client.HTTPSConnection(TO_PROD, CONTROL, context=trusted, timeout=20)
                    connection.request("POST", "/sentinel/primaries", json.dumps({"pool": pool, "hostname": f"{pool}.test", "port": SERVICE,
                                                                                  "ip": PROD_HOST}), {"Authorization": f"Bearer {token}"})
                    status = connection.getresponse().status
                    connection.close()
                    self.assertEqual(status, 201 if pool in pools else 403 if pools else 401)


if __name__ == "__main__":
    main()

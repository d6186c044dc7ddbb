#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Daemons of Containarium register and find each other with their own structs: a peer in Go with encoding/json does."""
import json
import subprocess
import sys

from support.go import build_go, has_go
from support.machine import wait_until
from support.sentinel import ALERT_INTERNAL, alert, hello, main, tls_backend
from support.tunnel import ALL, LAB, PROD
from test_sentinel_registry import RegistryCase, answer_of
from test_tunnel_compat import CompatCase, said

TTL = 2


class Registering(CompatCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = build_go("containarium_registry")

    def sentinel(self):
        return self.front("--compat-containarium", "--control", "127.0.0.1:0", "--registration-ttl", str(TTL), "--health-interval", "3600")

    def ask(self, sentinel, method, path, body=None, token=LAB):
        """Status and what the daemon has read of the answer."""
        words = [self.daemon, f"127.0.0.1:{RegistryCase.control_port(sentinel)}", token, method, path]
        done = subprocess.run(words + ([json.dumps(body)] if body else []), capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        status, told = done.stdout.split(" ", 1)
        return int(status), json.loads(told)

    def test_a_daemon_registers_beats_leaves_and_expires(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.sentinel()
        claim = {"pool": "lab", "hostname": "lab.test", "aliases": ["api.lab.test"], "port": lab.port, "backend_id": "lab.test"}
        status, first = self.ask(sentinel, "POST", "/sentinel/primaries", claim)
        self.assertEqual((status, {key: first[key] for key in (*claim, "ip")}), (201, {**claim, "ip": "127.0.0.1"}))
        for name in ("lab.test", "api.lab.test"):
            self.assertEqual(answer_of(sentinel, name), "lab.test", name)
        status, beaten = self.ask(sentinel, "PUT", "/sentinel/primaries/lab")
        self.assertEqual((status, beaten["registered_at"]), (200, first["registered_at"]))
        self.assertGreater(beaten["last_heartbeat"], first["last_heartbeat"])
        # Again it overwrites, and has been there since the first time.
        status, second = self.ask(sentinel, "POST", "/sentinel/primaries", {**claim, "aliases": []})
        self.assertEqual((status, "aliases" in second, second["registered_at"]), (201, False, first["registered_at"]))
        self.assertEqual(self.ask(sentinel, "DELETE", "/sentinel/primaries/lab"), (204, None))
        gone = (404, {"error": "pool not registered"})
        self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/lab"), gone)
        self.assertEqual(self.ask(sentinel, "DELETE", "/sentinel/primaries/lab")[0], 404)
        # Without a beat it is away in time, and its next beat says so, upon which it registers again.
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", claim)[0], 201)
        wait_until(lambda: self.ask(sentinel, "GET", "/sentinel/primaries")[1]["primaries"] == [], "the registration to expire")
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/lab"), gone)
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", claim)[0], 201)
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        status, wrong = self.ask(sentinel, "POST", "/sentinel/primaries", {"pool": "lab", "hostname": ""})
        self.assertEqual((status, bool(wrong["error"])), (400, True))

    def test_peers_and_primaries_are_listed_in_three_forms(self):
        sentinel = self.sentinel()
        for pool, token, hostname in (("lab", LAB, "lab.test"), ("prod", PROD, "prod.test"), ("", ALL, "")):
            self.host(sentinel, said(1, spot_id=f"host-{pool or 'alone'}", token=token, pool=pool, public_hostname=hostname))
        listed = lambda kind, query, token=ALL: self.ask(sentinel, "GET", f"/sentinel/{kind}{query}", token=token)[1][kind]
        alone, lab, prod = ({"id": f"tunnel-host-{name}", "proxy_path": f"/peer/tunnel-host-{name}", "healthy": True} for name in
                            ("alone", "lab", "prod"))
        lab, prod = {**lab, "pool": "lab"}, {**prod, "pool": "prod"}
        self.assertEqual(listed("peers", ""), [alone, lab, prod])
        self.assertEqual(listed("peers", "?pool="), [alone])
        self.assertEqual(listed("peers", "?pool=lab"), [lab])
        self.assertEqual(listed("peers", "", LAB), [lab])
        primaries = lambda query: [(one["pool"], one["hostname"], one["backend_id"]) for one in listed("primaries", query)]
        self.assertEqual(primaries(""), [("lab", "lab.test", "tunnel-host-lab"), ("prod", "prod.test", "tunnel-host-prod")])
        self.assertEqual((primaries("?pool="), primaries("?pool=prod")), ([], [("prod", "prod.test", "tunnel-host-prod")]))


if __name__ == "__main__":
    if not has_go():
        print("skipped: needs golang-go and golang-github-hashicorp-yamux-dev")
        sys.exit(77)
    main()

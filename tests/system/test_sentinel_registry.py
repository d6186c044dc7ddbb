#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts register with the sentinel, and are routed for as long as they may and do."""
import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from support.machine import die_with_parent, wait_until
from support.sentinel import (ALERT_INTERNAL, ALERT_NAME, NOBODY, Backend, Sentinel, SentinelCase, alert, hello, main, make_certificate,
                              port_to_keep, read_all, tls_backend)

PROD, LAB, ALL = "prod-token-1", "lab-token-1", "all-token-1"


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


class RegistryCase(SentinelCase):
    def setUp(self):
        super().setUp()
        self.state = self.directory / "state"
        self.state.mkdir()
        self.tokens = self.directory / "tokens"
        self.tokens.write_text(f"# rules\n{PROD}=prod\n{LAB} = lab , other\n{ALL}=*\n")
        if os.geteuid() == 0:
            os.chown(self.state, NOBODY, NOBODY)

    def start(self, *flags, routes="", control="127.0.0.1:0", **options):
        return super().start(routes, "--state-dir", self.state, "--control", control, "--tunnel-token-file", self.tokens, *flags,
                             **options)

    @staticmethod
    def control_port(sentinel):
        return int(re.findall(r"control port=(\d+)", sentinel.log())[-1])

    def ask(self, sentinel, method, path, body=None, token=ALL, headers=None):
        """Status and document, or text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port(sentinel), timeout=20)
        return self.exchange(connection, method, path, body, token, headers)

    def admin(self, method, path, body=None):
        return self.exchange(UnixHttp(self.state / "admin.sock"), method, path, body, None)

    @staticmethod
    def exchange(connection, method, path, body, token, headers=None):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def primary(self, port, pool="lab", hostname="lab.test", **more):
        return {"pool": pool, "hostname": hostname, "port": port, **more}


def answer_of(sentinel, name):
    """Who answers to that name over TLS: curl's own words."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--insecure", "--max-time", "10", "--connect-to",
                           f"{name}:443:127.0.0.1:{sentinel.port}", f"https://{name}/"], capture_output=True, text=True, timeout=20)
    return done.stdout or f"curl {done.returncode}"


class Registering(RegistryCase):
    def test_a_primary_that_registers_is_reached_by_curl(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_NAME), "end"))
        status, told = self.ask(sentinel, "POST", "/sentinel/primaries",
                                self.primary(lab.port, aliases=["api.lab.test"], base_domains=["apps.test"]), LAB)
        self.assertEqual(status, 201, told)
        self.assertEqual((told["pool"], told["hostname"], told["ip"], told["port"], told["lease"]),
                         ("lab", "lab.test", "127.0.0.1", lab.port, "ttl"))
        for name in ("lab.test", "LAB.test", "api.lab.test", "x.apps.test"):
            self.assertEqual(answer_of(sentinel, name), "lab.test", name)
        self.assertEqual(sentinel.ask(hello(b"apps.test")), (alert(ALERT_NAME), "end"))
        status, told = self.ask(sentinel, "PUT", "/sentinel/primaries/lab", token=LAB)
        self.assertEqual((status, told["hostname"]), (200, "lab.test"))
        self.assertEqual(self.ask(sentinel, "DELETE", "/sentinel/primaries/lab", token=LAB)[0], 204)
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/lab", token=LAB)[1]["error"], "pool not registered")

    def test_a_name_has_one_owner_and_never_the_default_pool_while_its_host_is_away(self):
        prod, lab = self.backend(tls_backend, self.directory, "prod.test"), self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start("--default-pool", "prod")
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(prod.port, "prod", "prod.test"), PROD)[0], 201)
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port), LAB)[0], 201)
        self.assertEqual(answer_of(sentinel, "other.test"), "prod.test")
        status, told = self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(prod.port, "prod", "prod.test", aliases=["Lab.Test"]), PROD)
        self.assertEqual((status, told["code"], told["field"]), (409, "already_exists", "/aliases/0"))
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        self.assertEqual([one["entity"] for one in self.admin("GET", "/status")[1]["warnings"]], ["hostname/lab.test"])
        lab.close()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(self.ask(sentinel, "DELETE", "/sentinel/primaries/lab", token=LAB)[0], 204)
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))

    def test_who_asks_says_who_it_is_and_gets_what_its_token_is_for(self):
        backend = self.backend()
        sentinel = self.start("--tunnel-token-policy", "argv-token-1=lab, prod", "--tunnel-token-policy", "argv-token-1=third",
                              "--tunnel-token=legacy-token")
        arguments = Path(f"/proc/{sentinel.process.pid}/cmdline").read_text()
        self.assertNotIn("argv-token-1", arguments)
        self.assertNotIn("legacy-token", arguments)
        self.assertIn("a token on the command line can be seen", sentinel.log())
        for token, pools in ((PROD, {"prod"}), (LAB, {"lab", "other"}), (ALL, {"prod", "lab", "other", "third", "new"}),
                             ("argv-token-1", {"lab", "prod", "third"}), ("legacy-token", {"prod", "lab", "other", "third", "new"}),
                             ("wrong-token", None), (None, None)):
            for pool in ("prod", "lab", "other", "third", "new"):
                with self.subTest(token=token, pool=pool):
                    wanted = 401 if pools is None else 201 if pool in pools else 403
                    body = self.primary(backend.port, pool, f"{pool}.test")
                    self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", body, token)[0], wanted)
                    self.assertEqual(self.ask(sentinel, "PUT", f"/sentinel/primaries/{pool}", token=token)[0], wanted if wanted != 201 else 200)
                    self.assertEqual(self.ask(sentinel, "GET", f"/sentinel/primaries?pool={pool}", token=token)[0], wanted if wanted != 201 else 200)
        for path in ("/status", "/", "/metrics", "/health", "/sentinel/peers", "/nothing"):
            self.assertEqual(self.ask(sentinel, "GET", path, token=None)[0], 401, path)
        self.assertEqual(self.ask(sentinel, "GET", "/metrics", token=LAB)[0], 403)
        basic = base64.b64encode(f"me:{LAB}".encode()).decode()
        page = self.ask(sentinel, "GET", "/", token=None, headers={"Authorization": f"Basic {basic}"})
        self.assertEqual(page[0], 200)
        self.assertIn("lab.test", page[1])
        self.assertNotIn("prod.test", page[1])

    def test_lists_have_three_forms(self):
        backend = self.backend()
        sentinel = self.start()
        for pool in ("prod", "lab"):
            self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(backend.port, pool, f"{pool}.test"))
        pools = lambda query, token=ALL: [one["pool"] for one in self.ask(sentinel, "GET", f"/sentinel/primaries{query}", token=token)[1]["primaries"]]
        self.assertEqual((pools(""), pools("?pool="), pools("?pool=lab"), pools("?pool=none")), (["lab", "prod"], [], ["lab"], []))
        self.assertEqual(pools("", LAB), ["lab"])
        self.assertEqual(self.ask(sentinel, "GET", "/sentinel/peers")[1], {"peers": []})

    def test_what_is_wrong_is_named_and_changes_nothing(self):
        sentinel = self.start()
        good = self.primary(1)
        for body, field in (({**good, "port": 0}, "/port"), ({**good, "hostname": "no name"}, "/hostname"), ({**good, "more": 1}, "/more"),
                            ({**good, "pool": "No"}, "/pool"), ({**good, "ip": "nowhere"}, "/ip"), ({**good, "aliases": ["a", "1.2.3.4"]}, "/aliases/1")):
            status, told = self.ask(sentinel, "POST", "/sentinel/primaries", body)
            self.assertEqual((status, told.get("field")), (400, field), told)
        for body in ("", "{", "[]", '{"pool":"a","pool":"b"}', "[" * 1000):
            self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", body)[0], 400)
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", '{"x":"' + "y" * 300_000 + '"}')[0], 413)
        self.assertEqual(self.ask(sentinel, "PATCH", "/sentinel/primaries/lab")[0], 405)
        self.assertEqual(self.ask(sentinel, "GET", "/sentinel/primaries")[1], {"primaries": []})

    def test_what_leads_back_to_the_sentinel_is_refused_however_it_is_said(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start("--health-interval", "0.2")
        port = sentinel.port
        status, told = self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(port, ip="127.0.0.1"), LAB)
        self.assertEqual((status, told["field"]), (400, "/ip"), told)
        sentinel.reload(f"loop.test 127.0.0.1:{port} loop\nlab.test 127.0.0.1:{lab.port} lab\n")
        self.assertIn("a route leads back to the sentinel itself", sentinel.log())
        self.assertEqual(sentinel.ask(hello(b"loop.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        (self.directory / "next").mkdir()
        wildcard = Sentinel(self.directory / "next", "", "--state-dir", self.state, "--control", "127.0.0.1:0", "--tunnel-token-file", self.tokens,
                            "--listen", "0.0.0.0:0", "--drain-timeout", "0.1")
        self.addCleanup(wildcard.close)
        other = int(re.findall(r"listening address=0.0.0.0:(\d+)", wildcard.log())[0])
        self.assertEqual(self.ask(wildcard, "POST", "/sentinel/primaries", self.primary(other, ip="127.0.0.1"), LAB)[0], 400)

    def test_a_way_back_that_cannot_be_seen_takes_no_more_than_its_share(self):
        """As a router does that leads the public address back in."""
        lab = self.backend(tls_backend, self.directory, "lab.test")
        places = []
        seen = []

        def back(connection):
            seen.append(connection)
            with socket.create_connection(("127.0.0.1", places[0]), 20) as onward:
                onward.sendall(connection.recv(65536))
                connection.sendall(read_all(onward)[0])
        router = self.backend(Backend, back)
        sentinel = self.start("--connections-per-destination-max", "20",
                              routes=f"loop.test 127.0.0.1:{router.port} loop\nlab.test 127.0.0.1:{lab.port} lab\n")
        places.append(sentinel.port)
        self.assertEqual(sentinel.ask(hello(b"loop.test"))[0], alert(ALERT_INTERNAL))
        self.assertEqual(len(seen), 20)
        self.assertEqual(sentinel.counts()["destination_full"], 1)
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        wait_until(lambda: sentinel.sockets() < 20, "the connections to end")
        self.assertEqual(sentinel.ask(hello(b"loop.test"))[0], alert(ALERT_INTERNAL))
        self.assertEqual(len(seen), 40)

    def test_an_old_client_gets_the_fields_that_it_knows(self):
        backend = self.backend()
        sentinel = self.start("--compat-containarium")
        status, told = self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(backend.port, aliases=["a.test"], ip="127.0.0.1", backend_id="lab.test"))
        self.assertEqual((status, list(told)), (201, ["pool", "hostname", "aliases", "ip", "port", "backend_id", "registered_at", "last_heartbeat"]))


class Surviving(RegistryCase):
    def test_a_killed_sentinel_routes_before_the_first_beat(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start()
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port, base_domains=["apps.test"]), LAB)
        sentinel.process.kill()
        sentinel.process.wait()
        again = self.start()
        self.assertEqual((answer_of(again, "lab.test"), answer_of(again, "x.apps.test")), ("lab.test", "lab.test"))
        self.assertEqual(self.ask(again, "POST", "/sentinel/primaries", self.primary(lab.port, "prod", "lab.test"), PROD)[0], 409)
        self.assertEqual(self.ask(again, "PUT", "/sentinel/primaries/lab", token=LAB)[0], 200)

    def test_a_token_that_leaves_its_file_ends_what_it_registered_within_a_second(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start()
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port), LAB)
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        self.tokens.write_text(f"{ALL}=*\n")
        begun = time.monotonic()
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == (alert(ALERT_INTERNAL), "end"), "the revoked host to be gone")
        self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/lab", token=LAB)[0], 401)

    def test_a_file_of_tokens_with_a_mistake_changes_nothing(self):
        sentinel = self.start()
        self.tokens.write_text("wrong\n")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "tokens and certificates stay as they were" in sentinel.log(), "the complaint")
        self.assertNotIn(LAB, sentinel.log())
        self.assertEqual(self.ask(sentinel, "GET", "/sentinel/primaries?pool=lab", token=LAB)[0], 200)

    def test_no_token_is_to_be_found_in_the_state_directory_or_the_log(self):
        sentinel = self.start()
        for file in [*self.state.iterdir(), sentinel.log_path]:
            if file.is_file():
                self.assertNotIn(LAB.encode(), file.read_bytes())


class Expiring(RegistryCase):
    def test_a_primary_that_does_not_beat_is_away_in_time_and_one_that_does_stays(self):
        lab, prod = self.backend(tls_backend, self.directory, "lab.test"), self.backend(tls_backend, self.directory, "prod.test")
        sentinel = self.start("--registration-ttl", "1.5", "--default-pool", "prod")
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(prod.port, "prod", "prod.test"), PROD)[0], 201)
        begun = time.monotonic()
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port), LAB)[0], 201)
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")
        gone = None
        while time.monotonic() - begun < 4.5:
            self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/prod", token=PROD)[0], 200)
            if gone is None and self.ask(sentinel, "GET", "/sentinel/primaries?pool=lab")[1] == {"primaries": []}:
                gone = time.monotonic() - begun
            time.sleep(0.25)
        self.assertGreaterEqual(gone, 1.5)
        self.assertLess(gone, 3)
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(answer_of(sentinel, "prod.test"), "prod.test")
        self.assertEqual(self.ask(sentinel, "PUT", "/sentinel/primaries/lab", token=LAB)[0], 404)


class Administering(RegistryCase):
    def test_a_token_is_made_shown_once_survives_a_kill_and_is_revoked_within_a_second(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start()
        status, made = self.admin("POST", "/sentinel/tokens", {"id": "ci", "pools": ["lab"]})
        self.assertEqual(status, 201, made)
        self.assertNotIn(made["token"], json.dumps(self.admin("GET", "/sentinel/tokens")[1]))
        self.assertEqual(self.admin("POST", "/sentinel/tokens", {"id": "ci", "pools": ["lab"]})[0], 409)
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/tokens", {"id": "x", "pools": ["lab"]})[0], 404)
        sentinel.process.kill()
        sentinel.process.wait()
        for file in [*self.state.iterdir(), sentinel.log_path]:
            if file.is_file():
                self.assertNotIn(made["token"].encode(), file.read_bytes())
        again = self.start()
        self.assertEqual(self.ask(again, "POST", "/sentinel/primaries", self.primary(lab.port), made["token"])[0], 201)
        self.assertEqual(answer_of(again, "lab.test"), "lab.test")
        begun = time.monotonic()
        self.assertEqual(self.admin("DELETE", "/sentinel/tokens/ci")[0], 204)
        self.assertEqual(again.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual(self.ask(again, "PUT", "/sentinel/primaries/lab", token=made["token"])[0], 401)

    def test_an_administrator_gives_a_name_to_another_pool(self):
        lab, prod = self.backend(tls_backend, self.directory, "lab.test"), self.backend(tls_backend, self.directory, "prod.test")
        sentinel = self.start()
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port, hostname="shop.test"))
        claim = self.primary(prod.port, "prod", "prod.test", aliases=["shop.test"])
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", claim)[0], 409)
        self.assertEqual(self.admin("PUT", "/sentinel/hostnames/shop.test", {"pool": "prod"})[0], 200)
        self.assertEqual(sentinel.ask(hello(b"shop.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", claim)[0], 201)
        self.assertEqual(answer_of(sentinel, "shop.test"), "prod.test")
        self.assertEqual(self.admin("GET", "/status")[1]["warnings"], [])


class Looking(RegistryCase):
    def test_a_daemon_that_accepts_and_does_not_answer_is_unhealthy_within_two_intervals(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        wedged = socket.create_server(("127.0.0.1", 0))  # the kernel accepts for it, and it says nothing, as one that is stopped
        self.addCleanup(wedged.close)
        sentinel = self.start("--health-interval", "1")
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port))
        begun = time.monotonic()
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(wedged.getsockname()[1], "prod", "prod.test"))
        state = lambda: {one["pool"]: one.get("reason", "") for one in self.ask(sentinel, "GET", "/sentinel/primaries")[1]["primaries"]}
        wait_until(lambda: "does not answer" in state()["prod"], "the wedged daemon to be noticed")
        self.assertLess(time.monotonic() - begun, 2.2)
        self.assertEqual(state()["lab"], "")
        lab.close()
        wait_until(lambda: "does not accept" in state()["lab"], "the closed one to be noticed")

    def reasons(self, sentinel):
        return {one["pool"]: one.get("reason", "") for one in self.ask(sentinel, "GET", "/sentinel/primaries")[1]["primaries"]}

    def test_a_stopped_daemon_is_unhealthy_within_two_probes_and_healthy_when_it_goes_on(self):
        make_certificate(self.directory, "lab.test")
        port = port_to_keep()
        daemon = subprocess.Popen(["openssl", "s_server", "-quiet", "-www", "-accept", f"127.0.0.1:{port}", "-cert", self.directory / "lab.test.pem",
                                   "-key", self.directory / "lab.test.key"], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        asked = []

        def count(connection):
            asked.append(connection)
            connection.recv(1 << 16)
            connection.sendall(b"\x16")
        other = self.backend(Backend, count)  # is asked as often
        sentinel = self.start("--health-interval", "1")
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the daemon to listen")
        for pool, at in (("lab", port), ("prod", other.port)):
            self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(at, pool, f"{pool}.test"))[0], 201)
        wait_until(lambda: len(asked) > 1, "the hosts to be asked")
        self.assertEqual(self.reasons(sentinel), {"lab": "", "prod": ""})
        daemon.send_signal(signal.SIGSTOP)
        before = len(asked)
        client = sentinel.say(hello(b"lab.test"))
        wait_until(lambda: "accepts connections and does not answer" in self.reasons(sentinel)["lab"], "the stopped daemon to be noticed")
        self.assertLessEqual(len(asked) - before, 2)
        client.settimeout(1.1)  # a client that waits less says nothing of the host
        with self.assertRaises(TimeoutError):
            client.recv(1)
        client.close()
        wait_until(lambda: "a connection of clients got no byte either" in self.reasons(sentinel)["lab"], "the client's word")
        self.assertEqual(self.reasons(sentinel)["prod"], "")
        daemon.send_signal(signal.SIGCONT)
        wait_until(lambda: self.reasons(sentinel)["lab"] == "", "the daemon to be healthy again")

    def test_clients_that_are_refused_make_a_host_unhealthy_until_one_is_answered(self):
        port = port_to_keep()
        asked = threading.Event()
        other = self.backend(Backend, lambda connection: asked.set())
        sentinel = self.start()
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(other.port, "prod", "prod.test"))
        sentinel.process.kill()
        sentinel.process.wait()
        asked.clear()
        sentinel = self.start("--health-interval", "3600")
        self.assertTrue(asked.wait(20), "the prober asks those that it knows, once")
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(port))
        self.assertEqual(self.reasons(sentinel)["lab"], "")
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertIn("does not accept connections of clients: connect: Connection refused", self.reasons(sentinel)["lab"])
        service = socket.create_server(("127.0.0.1", port))
        self.addCleanup(service.close)
        client = sentinel.say(hello(b"lab.test"))
        served, _ = service.accept()
        self.addCleanup(served.close)  # closed with the hello unread it would be a reset
        served.sendall(b"\x16")
        self.assertEqual(client.recv(1), b"\x16")
        self.assertEqual(self.reasons(sentinel)["lab"], "")

    def black_hole(self):
        """A listener whose queue is full, which drops what comes; and what fills it."""
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(full.close)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        return full

    def ask_for_lab(self, sentinel):
        """How long a client of a host that is off waits for its alert."""
        begun = time.monotonic()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (alert(ALERT_INTERNAL), "end"))
        return time.monotonic() - begun

    def test_a_host_that_is_off_costs_one_client_its_time_and_is_seen_when_it_is_back(self):
        full = self.black_hole()
        sentinel = self.start("--health-interval", "3600", "--connect-timeout", "2")
        sentinel.rest()  # the prober has looked at nobody, and will not again
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(full.getsockname()[1]))
        self.assertGreater(self.ask_for_lab(sentinel), 1.9)
        for _ in range(5):
            self.assertLess(self.ask_for_lab(sentinel), 1)

        def serve():
            with contextlib.suppress(OSError):  # until the test is over
                while True:
                    connection, _ = full.accept()
                    connection.send(b"\x16")
                    self.addCleanup(connection.close)
        threading.Thread(target=serve, daemon=True).start()

        def is_back():
            with sentinel.say(hello(b"lab.test")) as client:
                return client.recv(1) == b"\x16"
        wait_until(is_back, "one client to find it back")
        self.assertTrue(is_back() and is_back())

    def test_what_the_prober_knows_saves_clients_the_wait(self):
        full = self.black_hole()
        sentinel = self.start("--health-interval", "1", "--connect-timeout", "5")
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(full.getsockname()[1]))
        wait_until(lambda: "does not accept" in self.reasons(sentinel)["lab"], "the prober to find out")
        # One of two may be the one who has to try.
        self.assertLess(min(self.ask_for_lab(sentinel), self.ask_for_lab(sentinel)), 1)

    def test_status_is_told_to_people_programs_and_prometheus(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.start(routes=f"static.test 127.0.0.1:{lab.port}\n")
        self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(lab.port))
        self.assertEqual((answer_of(sentinel, "lab.test"), answer_of(sentinel, "static.test")), ("lab.test", "lab.test"))
        wait_until(lambda: self.admin("GET", "/status")[1]["connections"]["open"] == 0, "connections to end")
        status = self.admin("GET", "/status")[1]
        self.assertEqual(status["connections"]["outcomes"]["routed"], 2)
        self.assertGreater(status["connections"]["bytes_to_clients"], 500)
        self.assertEqual(status["routes"], 2)
        metrics = self.ask(sentinel, "GET", "/metrics")[1]
        self.assertIn('berth_sentinel_connections_total{outcome="routed"} 2', metrics)
        self.assertIn('berth_sentinel_registrations{pool="lab",lease="ttl"} 1', metrics)
        page = self.admin("GET", "/")[1]
        self.assertIn("<td>lab.test</td>", page)
        self.assertNotIn("<script", page)


if __name__ == "__main__":
    main()

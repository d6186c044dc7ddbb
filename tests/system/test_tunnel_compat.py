#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts of Containarium open their tunnels too, where that is allowed: a peer in Go with hashicorp/yamux does."""
import hashlib
import json
import os
import subprocess
import sys
import threading

from support.go import build_go, has_go
from support.machine import die_with_parent, wait_until
from support.sentinel import ALERT_INTERNAL, ALERT_NAME, Backend, Recorder, alert, hello, main, read_all, read_some, tls_backend
from support.tunnel import LAB, PROD, TunnelCase
from test_sentinel_registry import UnixHttp, answer_of

MIB = 1024 * 1024
ACCEPTED = '{"ok":true,"assigned_ip":"127.0.0.2"}\n'


def said(port, **more):
    return json.dumps({"token": LAB, "spot_id": "host-a", "ports": [22, port], "pool": "lab", "public_hostname": "lab.test",
                       "public_port": port, **more})


class CompatCase(TunnelCase):
    @classmethod
    def setUpClass(cls):
        cls.program = build_go("containarium_host")

    def host(self, sentinel, hello_line):
        opened = sentinel.log().count("a tunnel is open")
        host = subprocess.Popen([self.program, f"127.0.0.1:{sentinel.port}", hello_line], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, preexec_fn=die_with_parent)

        def end():
            host.kill()
            host.wait()
            host.stdout.close()
        self.addCleanup(end)
        answer = host.stdout.readline()
        # It has its answer before its names are routed.
        wait_until(lambda: sentinel.log().count("a tunnel is open") > opened, "the host to be routed")
        return host, answer


class Talking(CompatCase):
    def test_without_the_flag_there_is_no_answer(self):
        sentinel = self.front()
        self.assertEqual(sentinel.ask(said(1).encode() + b"\n"), (b"", "end"))

    def test_refusals_are_those_of_the_original_byte_for_byte(self):
        sentinel = self.front("--compat-containarium")
        for changes, words in (({"spot_id": ""}, "spot_id is required"), ({"ports": []}, "at least one port is required"),
                               ({"public_port": 0}, "public_port is required when public_hostname is set"),
                               ({"pool": ""}, "pool is required when public_hostname is set"), ({"token": "wrong-token"}, "invalid token"),
                               ({"token": PROD}, r'token not authorized for pool \"lab\"')):
            with self.subTest(words):
                got = sentinel.ask(said(1, **changes).encode() + b"\n")
                self.assertEqual(got, (b'{"ok":false,"error":"' + words.encode() + b'"}\n', "end"))
        for line in (b"{", b"{}" * 3000, b'{"spot_id":1}\n'):
            with sentinel.say(line) as client:
                if line != b"{":
                    self.assertEqual(read_all(client)[0][:12], b'{"ok":false,')

    def test_its_service_is_reached_and_listed(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.front("--compat-containarium")
        _, answer = self.host(sentinel, said(lab.port, public_aliases=["api.lab.test"], public_base_domains=["apps.test"], unknown=1))
        self.assertEqual(answer, ACCEPTED)
        for name in ("lab.test", "api.lab.test", "x.apps.test"):
            self.assertEqual(answer_of(sentinel, name), "lab.test", name)
        admin = UnixHttp(self.state / "admin.sock")
        admin.request("GET", "/sentinel/peers")
        listed = json.loads(admin.getresponse().read())["peers"]
        admin.request("GET", "/sentinel/primaries")
        primary = json.loads(admin.getresponse().read())["primaries"][0]
        admin.close()
        self.assertEqual([(one["id"], one["pool"], one["proxy_path"]) for one in listed], [("tunnel-host-a", "lab", "/peer/tunnel-host-a")])
        self.assertEqual((primary["backend_id"], primary["hostname"], primary["port"]), ("tunnel-host-a", "lab.test", lab.port))

    def test_a_host_that_comes_again_takes_over_and_one_that_is_killed_is_away(self):
        one, two = self.backend(tls_backend, self.directory, "one.test"), self.backend(tls_backend, self.directory, "two.test")
        sentinel = self.front("--compat-containarium")
        old, _ = self.host(sentinel, said(one.port))
        self.assertEqual(answer_of(sentinel, "lab.test"), "one.test")
        new, _ = self.host(sentinel, said(two.port))
        wait_until(lambda: answer_of(sentinel, "lab.test") == "two.test", "the new one to serve")
        old.kill()
        wait_until(lambda: "session=1 " in sentinel.log().split("a tunnel is closed")[-1], "the old session to end")
        self.assertEqual(answer_of(sentinel, "lab.test"), "two.test")
        new.kill()
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == (alert(ALERT_INTERNAL), "end"), "the killed host to be away")
        self.assertEqual(sentinel.ask(hello(b"x.test")), (alert(ALERT_NAME), "end"))

    def test_much_goes_both_ways_and_many_streams_at_a_time(self):
        backend = self.backend(Recorder)
        sentinel = self.front("--compat-containarium")
        self.host(sentinel, said(backend.port))
        request = hello(b"lab.test")
        block = os.urandom(MIB)
        client = sentinel.say(request)
        service = backend.next()
        self.assertEqual(read_some(service, len(request)), request)
        for sender, receiver in ((service, client), (client, service)):
            wanted, got = hashlib.sha256(), hashlib.sha256()

            def send():
                for _ in range(64):
                    wanted.update(block)
                    sender.sendall(block)
            thread = threading.Thread(target=send)
            thread.start()
            for _ in range(64):
                got.update(read_some(receiver, MIB))
            thread.join()
            self.assertEqual(got.hexdigest(), wanted.hexdigest())
        pairs = [(sentinel.say(request), backend.next()) for _ in range(200)]
        for _, primary in pairs:
            self.assertEqual(read_some(primary, len(request)), request)
            primary.sendall(b"answer")
        for visitor, _ in pairs:
            self.assertEqual(read_some(visitor, 6), b"answer")

    def test_a_visitor_that_ends_first_gets_its_answer_all_the_same(self):
        def answer(connection):
            connection.recv(1 << 16)
            connection.sendall(block)
        block = os.urandom(MIB)
        backend = self.backend(Backend, answer)
        sentinel = self.front("--compat-containarium")
        self.host(sentinel, said(backend.port))
        with sentinel.say(hello(b"lab.test")) as client:
            client.shutdown(1)
            self.assertEqual(read_all(client), (block, "end"))


if __name__ == "__main__":
    if not has_go():
        print("skipped: needs golang-go and golang-github-hashicorp-yamux-dev")
        sys.exit(77)
    main()

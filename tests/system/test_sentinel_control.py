#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who reaches the sentinel's control port: nobody keeps the others out, and a certificate is as good as a token."""
import http.client
import socket
import ssl
import time

from support.sentinel import main, make_certificate, read_all
from test_sentinel_registry import LAB, PROD, RegistryCase


class Crowding(RegistryCase):
    def beat_from(self, sentinel, source):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port(sentinel), timeout=3, source_address=(source, 0))
        return self.exchange(connection, "PUT", "/sentinel/primaries/lab", None, LAB)[0]

    def silent(self, sentinel, source, count):
        held = []
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", self.control_port(sentinel)), 5, source_address=(source, 0)))
            self.addCleanup(held[-1].close)
        return held

    def test_who_says_nothing_keeps_no_host_from_beating(self):
        sentinel = self.start()
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(1), LAB)[0], 201)
        kept = http.client.HTTPConnection("127.0.0.1", self.control_port(sentinel), timeout=20)
        self.addCleanup(kept.close)

        def beat_kept():
            kept.request("PUT", "/sentinel/primaries/lab", headers={"Authorization": f"Bearer {LAB}"})
            answer = kept.getresponse()
            answer.read()
            return answer.status
        self.assertEqual(beat_kept(), 200)
        own = kept.sock
        begun = time.monotonic()
        from_one = self.silent(sentinel, "127.0.0.2", 400)
        self.assertEqual(self.beat_from(sentinel, "127.0.0.3"), 200)
        other = self.silent(sentinel, "127.0.0.3", 1)[0]
        for number in range(4, 12):
            self.silent(sentinel, f"127.0.0.{number}", 100)
        self.assertEqual(self.beat_from(sentinel, "127.0.0.3"), 200)
        self.assertEqual((beat_kept(), kept.sock is own), (200, True))
        self.assertLess(time.monotonic() - begun, 3)
        for one in (from_one[0], from_one[-1], other):
            one.settimeout(9)
            self.assertEqual(read_all(one)[0], b"")

    def test_a_request_without_a_token_is_the_connections_last(self):
        sentinel = self.start()
        connection = socket.create_connection(("127.0.0.1", self.control_port(sentinel)), 5)
        with connection:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            got, how = read_all(connection)
        self.assertTrue(got.startswith(b"HTTP/1.1 401"), got)
        self.assertEqual(how, "end")


class Certificates(RegistryCase):
    def test_a_certificate_is_as_good_as_a_token_for_its_pools(self):
        for name in ("control.test", "host.test", "stranger.test"):
            make_certificate(self.directory, name)
            (self.directory / f"{name}.key").chmod(0o644)
        backend = self.backend()
        sentinel = self.start("--control-certificate", self.directory / "control.test.pem", "--control-key", self.directory / "control.test.key",
                              "--tunnel-certificate-policy", f"{self.directory / 'host.test.pem'}=lab")

        def ask(pool, certificate=None, token=None):
            context = ssl.create_default_context(cafile=self.directory / "control.test.pem")
            context.check_hostname = False
            if certificate:
                context.load_cert_chain(self.directory / f"{certificate}.pem", self.directory / f"{certificate}.key")
            connection = http.client.HTTPSConnection("127.0.0.1", self.control_port(sentinel), timeout=20, context=context)
            return self.exchange(connection, "POST", "/sentinel/primaries", self.primary(backend.port, pool, f"{pool}.test"), token)[0]
        self.assertEqual((ask("lab", "host.test"), ask("prod", "host.test"), ask("lab", "stranger.test"), ask("lab"), ask("prod", token=PROD)),
                         (201, 403, 401, 401, 201))

    def test_beyond_loopback_there_is_no_control_without_tls(self):
        with self.assertRaisesRegex(AssertionError, "needs --control-certificate"):
            self.start(control="0.0.0.0:0")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The access log has a line for each connection that is over, and goes on in a new file when asked to."""
import json
import re
import signal
import socket
import threading
import time

from support.machine import wait_until
from support.sentinel import Backend, Recorder, alert, hello, main, read_all, read_some, reset
from support.tunnel import LAB, PROD, TunnelCase


def answer(connection):
    connection.recv(1 << 16)
    connection.sendall(b"\x16" + b"x" * 99)


class Accesses(TunnelCase):
    def setUp(self):
        super().setUp()
        self.file = self.state / "access.log"

    def lines(self, file=None):
        file = file or self.file
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def line(self, **fields):
        """The one line with these fields, when it is there."""
        found = lambda: [one for one in self.lines() if fields.items() <= one.items()]
        wait_until(found, f"a line with {fields}")
        self.assertEqual(len(found()), 1, found())
        return found()[0]

    def logged(self, *flags, routes=""):
        sentinel = self.front("--access-log", self.file, *flags)
        if routes:
            sentinel.reload(routes)
        return sentinel

    def test_a_connection_with_a_pool_is_told_with_both_ends_and_its_bytes(self):
        backend = self.backend(Backend, answer)
        sentinel = self.logged(routes=f"*.test 127.0.0.1:{backend.port} prod\n")
        said = hello(b"A.Test")
        with sentinel.say(said) as client:
            source = "%s:%d" % client.getsockname()
            self.assertEqual(len(read_all(client)[0]), 100)
        line = self.line(outcome="ended")
        self.assertEqual(list(line), ["time", "source", "sni", "pool", "outcome", "address", "bytes_from_client", "bytes_to_client", "duration_ms"])
        self.assertEqual(line | {"time": "", "duration_ms": 0}, {
            "time": "", "source": source, "sni": "a.test", "pool": "prod", "outcome": "ended", "address": f"127.0.0.1:{backend.port}",
            "bytes_from_client": len(said), "bytes_to_client": 100, "duration_ms": 0})
        self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT[\d:]+\.\d{3}Z$")

    def test_bytes_of_bulk_and_a_reset_are_told(self):
        backend = self.backend(Recorder)
        sentinel = self.logged(routes=f"a.test 127.0.0.1:{backend.port} prod\n")
        client, size = sentinel.say(hello()), 8 << 20
        primary = backend.next()
        read_some(primary, len(hello()))
        client.setblocking(True)
        primary.sendall(b"answer")
        read_some(client, 6)
        sender = threading.Thread(target=client.sendall, args=(b"x" * size,))  # more than buffers take, maybe
        sender.start()
        read_some(primary, size)
        sender.join()
        reset(primary)
        self.assertEqual(read_all(client)[1], "reset")
        line = self.line(outcome="reset")
        self.assertEqual((line["bytes_from_client"], line["bytes_to_client"]), (len(hello()) + size, 6))

    def test_every_refusal_has_its_line(self):
        closed = socket.create_server(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        closed.close()
        sentinel = self.logged("--hello-timeout", "0.2", routes=f"a.test 127.0.0.1:{port} prod\n")
        self.assertEqual([len(sentinel.ask(data)[0]) for data in (hello(b"b.test"), hello(b"1.2.3.4"), b"GET / HTTP/1.1\r\n\r\n", hello(), b"\x16\3")],
                         [7, 7, 0, 7, 0])
        self.assertEqual(self.line(outcome="unknown_name")["sni"], "b.test")
        self.assertNotIn("sni", self.line(outcome="bad_name"))
        self.assertEqual(self.line(outcome="not_tls")["bytes_to_client"], 0)
        self.assertEqual(self.line(outcome="primary_down")["pool"], "prod")
        self.assertGreaterEqual(self.line(outcome="hello_timeout")["duration_ms"], 200)
        self.assertEqual(len(self.lines()), 5)

    def test_tunnels_and_their_visitors_are_told_and_no_token_is(self):
        backend = self.backend(Backend, answer)
        sentinel = self.logged()
        self.tunnel(sentinel, backend.port).joined()
        self.assertEqual(len(sentinel.ask(hello(b"lab.test"))[0]), 100)
        self.assertEqual(self.tunnel(sentinel, 1, token=PROD).refused()[0], 7)
        opened = self.line(outcome="tunnel")
        self.assertEqual(self.line(outcome="tunnel_refused", reason="denied")["pool"], "lab")
        session = int(re.search(r"a tunnel is open .*session=(\d+)", sentinel.log()).group(1))
        line = self.line(sni="lab.test", outcome="ended", bytes_from_client=len(hello(b"lab.test")))
        self.assertEqual((line["tunnel"], line["bytes_to_client"]), ({"session": session, "port": 443}, 100))
        self.assertEqual((opened["pool"], opened["tunnel"]), ("lab", {"session": session}))
        for token in (LAB, PROD):
            self.assertNotIn(token, self.file.read_text())

    def test_the_end_of_a_tunnel_is_told_with_its_reason_and_what_it_has_carried(self):
        backend = self.backend(Backend, answer)
        sentinel = self.logged()
        reasons = lambda: [one["reason"] for one in self.lines() if one["outcome"] == "tunnel_ended"]
        began = time.monotonic()
        first = self.tunnel(sentinel, backend.port, "--id", "a").joined()
        sentinel.ask(hello(b"lab.test"))
        self.line(sni="lab.test", bytes_to_client=100, outcome="ended")
        carried = lambda: [one for one in self.lines() if one.get("tunnel") == opened["tunnel"] | {"port": 443}]  # the visitor, and who asked before it
        opened = self.line(outcome="tunnel")
        self.tunnel(sentinel, backend.port, "--id", "a").joined()
        wait_until(lambda: reasons() == ["relieved"], "the first to be relieved")
        line = self.line(outcome="tunnel_ended")
        self.assertEqual(list(line), ["time", "source", "pool", "outcome", "reason", "tunnel", "streams", "bytes_from_client",
                                      "bytes_to_client", "duration_ms"])
        self.assertEqual((line["pool"], line["tunnel"], line["streams"]), ("lab", {"session": opened["tunnel"]["session"]}, len(carried())))
        self.assertEqual(line["source"], opened["source"])
        for direction in ("bytes_from_client", "bytes_to_client"):
            self.assertEqual(line[direction], sum(one[direction] for one in carried()))
        self.assertLessEqual(line["duration_ms"], (time.monotonic() - began) * 1000)
        first.process.kill()
        other = self.tunnel(sentinel, backend.port, "--id", "b", hostname="b.test").joined()
        other.process.kill()
        wait_until(lambda: reasons() == ["relieved", "closed"], "the killed one")
        sentinel.process.terminate()
        sentinel.process.wait(20)
        self.assertEqual(reasons(), ["relieved", "closed", "drained"])

    def test_a_visitor_whose_service_behind_the_tunnel_is_down_is_told_as_one_of_any_pool_that_is(self):
        sentinel = self.logged()
        self.tunnel(sentinel, 1)
        wait_until(lambda: "a tunnel is open" in sentinel.log(), "the tunnel")
        self.assertEqual(sentinel.ask(hello(b"lab.test"))[0], alert(80))
        line = self.line(outcome="primary_down", bytes_from_client=len(hello(b"lab.test")))
        self.assertEqual((line["sni"], line["pool"], line["bytes_to_client"]), ("lab.test", "lab", 0))

    def test_a_renamed_file_is_left_at_sighup_and_what_was_open_at_the_end_is_told(self):
        backend = self.backend(Recorder)
        sentinel = self.logged(routes=f"a.test 127.0.0.1:{backend.port} prod\n")
        sentinel.ask(hello(b"b.test"))
        self.line(outcome="unknown_name")
        old = self.file.rename(self.state / "access.log.1")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(self.file.exists, "the new file")
        sentinel.say(hello())
        backend.next()
        sentinel.process.terminate()
        sentinel.process.wait(20)
        self.assertEqual([one["outcome"] for one in self.lines()], ["stopped"])
        self.assertEqual([one["outcome"] for one in self.lines(old)], ["unknown_name"])

    def test_standard_output_and_who_a_proxy_in_front_tells_of(self):
        sentinel = self.front("--access-log", "-", "--proxy-from", "127.0.0.1/32")
        header = b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + (12).to_bytes(2, "big") + bytes([198, 51, 100, 7, 192, 0, 2, 1]) + (5).to_bytes(2, "big") + (443).to_bytes(2, "big")
        sentinel.ask(header + hello(b"b.test"))
        wait_until(lambda: '"source":"198.51.100.7:5","sni":"b.test","outcome":"unknown_name"' in sentinel.log(), "the line")

    def test_a_place_where_nothing_can_be_written_is_refused_at_the_start(self):
        with self.assertRaisesRegex(AssertionError, "give --access-log a file in a directory"):
            self.front("--access-log", "/nothing/access.log")


if __name__ == "__main__":
    main()

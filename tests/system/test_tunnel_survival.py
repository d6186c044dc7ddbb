#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tunnels, their visitors and their tokens while sentinels are killed, started and taken over from."""
import socket
import threading
import time

from support.machine import wait_until
from support.sentinel import Backend, Recorder, hello, main, port_to_keep, read_all, read_some
from support.tunnel import PROD, TunnelCase
from test_sentinel_registry import RegistryCase, UnixHttp
from test_tunnel import AWAY, named


class Surviving(TunnelCase):
    def administer(self, method, path, body=None):
        status, told = RegistryCase.exchange(UnixHttp(self.state / "admin.sock"), method, path, body, None)
        self.assertLess(status, 300, told)
        return told

    def test_a_tunnel_moves_to_the_process_that_takes_over_and_its_streams_end_where_they_are(self):
        backend = self.backend(Recorder)
        old = self.front("--drain-timeout", "20")
        tunnel = self.tunnel(old, backend.port)
        probe = backend.next()
        probe.sendall(b"\x16")
        tunnel.joined()
        probe.close()
        visitor = old.say(hello(b"lab.test"))
        service = backend.next()
        read_some(service, len(hello(b"lab.test")))
        log = old.log_path.rename(self.directory / "old.log")
        new = self.front(start=lambda: None)
        probe = backend.next()
        probe.sendall(b"\x16")
        tunnel.joined(2)
        probe.close()
        other = new.say(hello(b"lab.test"))
        self.assertEqual(read_some(backend.next(), len(hello(b"lab.test"))), hello(b"lab.test"))
        service.sendall(b"still here")
        self.assertEqual(read_some(visitor, 10), b"still here")
        visitor.close()
        service.close()
        self.assertEqual(old.process.wait(20), 0, log.read_text())
        other.close()

    def test_visitors_wait_for_a_tunnel_that_is_to_come_back_and_for_no_other(self):
        backend = self.backend(Backend, named(b"lab"))
        port = port_to_keep()
        sentinel = self.front("--listen", f"127.0.0.1:{port}", start=lambda: None)
        self.tunnel(port, backend.port).joined()
        gone = self.tunnel(port, backend.port, pool="prod", hostname="prod.test", token=PROD).joined()
        gone.process.kill()
        wait_until(lambda: sentinel.ask(hello(b"prod.test")) == AWAY, "the killed host to be away")
        sentinel.process.kill()
        sentinel.process.wait()
        again = self.front("--listen", f"127.0.0.1:{port}", start=lambda: None)
        begun = time.monotonic()
        early = [again.say(hello(b"lab.test")) for _ in range(50)]
        self.assertEqual({read_all(client) for client in early}, {(b"\x16lab", "end")})
        self.assertEqual(again.ask(hello(b"prod.test")), AWAY)  # when the time is up
        self.assertLess(time.monotonic() - begun, 4)
        begun = time.monotonic()
        self.assertEqual(again.ask(hello(b"prod.test")), AWAY)
        self.assertLess(time.monotonic() - begun, 1)

    def test_new_visitors_notice_nothing_of_a_takeover(self):
        backend = self.backend(Backend, named(b"lab"))
        old = self.front()
        tunnel = self.tunnel(old, backend.port).joined()
        answers, over = [], threading.Event()

        def visit():
            while not over.is_set():
                with socket.create_connection(("127.0.0.1", old.port), 20) as client:
                    client.sendall(hello(b"lab.test"))
                    answers.append(read_all(client))
        visitors = [threading.Thread(target=visit) for _ in range(4)]
        for visitor in visitors:
            visitor.start()
        wait_until(lambda: len(answers) > 50, "some visits")
        old.log_path.rename(self.directory / "old.log")
        self.front("--drain-timeout", "20", start=lambda: None)
        tunnel.joined(2)
        before = len(answers)
        wait_until(lambda: len(answers) > before + 50, "visits to the next process")
        over.set()
        for visitor in visitors:
            visitor.join()
        self.assertEqual(set(answers), {(b"\x16lab", "end")})

    def test_who_has_connected_before_a_takeover_and_speaks_behind_it_is_led_through_the_tunnel(self):
        backend = self.backend(Backend, named(b"lab"))
        old = self.front("--drain-timeout", "20")
        tunnel = self.tunnel(old, backend.port).joined()
        before = old.counts()["accepted"]
        early = [old.connect() for _ in range(5)]
        wait_until(lambda: old.counts()["accepted"] == before + len(early), "them to be taken")
        log = old.log_path.rename(self.directory / "old.log")
        new = self.front(start=lambda: None)
        tunnel.joined(2)
        self.assertEqual(new.ask(hello(b"lab.test")), (b"\x16lab", "end"))
        for client in early:
            client.sendall(hello(b"lab.test"))
        self.assertEqual({read_all(client) for client in early}, {(b"\x16lab", "end")})
        for client in early:
            client.close()
        self.assertEqual(old.process.wait(10), 0, log.read_text())

    def test_a_token_that_is_revoked_is_cut_in_the_process_that_drains_too(self):
        backend = self.backend(Recorder)
        old = self.front("--drain-timeout", "30")
        made = self.administer("POST", "/sentinel/tokens", {"id": "ci", "pools": ["lab"]})["token"]
        kept = self.backend(Recorder)
        tunnels = [self.tunnel(old, backend.port, token=made), self.tunnel(old, kept.port, pool="prod", hostname="prod.test", token=PROD)]
        for tunnel, service in zip(tunnels, (backend, kept)):
            probe = service.next()
            probe.sendall(b"\x16")
            tunnel.joined()
            probe.close()
        visitor, service = self.visit(old, backend)
        other, other_service = self.visit(old, kept, b"prod.test")
        old.log_path.rename(self.directory / "old.log")
        self.front(start=lambda: None)
        begun = time.monotonic()
        self.administer("DELETE", "/sentinel/tokens/ci")
        visitor.settimeout(10)
        self.assertEqual(read_all(visitor), AWAY)
        self.assertLess(time.monotonic() - begun, 1.5)
        other_service.sendall(b"still here")
        self.assertEqual(read_some(other, 10), b"still here")
        for one in (visitor, service, other, other_service):
            one.close()
        self.assertEqual(old.process.wait(20), 0)

    def test_tunnels_are_back_within_two_seconds_of_a_killed_sentinel(self):
        backend = self.backend(Backend, named(b"lab"))
        port = port_to_keep()
        sentinel = self.front("--listen", f"127.0.0.1:{port}", start=lambda: None)
        tunnel = self.tunnel(port, backend.port).joined()
        sentinel.process.kill()
        sentinel.process.wait()
        wait_until(lambda: tunnel.states().count("failed") > 4, "a time without a sentinel")
        again = self.front("--listen", f"127.0.0.1:{port}", start=lambda: None)
        begun = time.monotonic()
        tunnel.joined(2)
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(again.ask(hello(b"lab.test")), (b"\x16lab", "end"))


if __name__ == "__main__":
    main()

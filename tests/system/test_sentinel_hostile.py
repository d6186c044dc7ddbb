#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the sentinel does with clients that are slow, many, or mean harm: each case has one outcome."""
import fcntl
import os
import socket
import time
from pathlib import Path

from support.machine import wait_until
from support.sentinel import (ALERT_DECODE, ALERT_NAME, SentinelCase, alert, block, extension, hello, main,
                              message, port_to_keep, read_all, read_some, records, server_name)

ROUTED, CLOSED = "routed", (b"", "closed")
NAMELESS, BROKEN = (alert(ALERT_NAME), "closed"), (alert(ALERT_DECODE), "closed")


def entry(name, kind=0):
    return bytes([kind]) + block(2, name)


def with_length(content, length):
    return content[:1] + length.to_bytes(3, "big") + content[4:]


GOOD = message()
# name, bytes, outcome: routed byte for byte, or what is answered
CASES = [
    ("plain", hello(), ROUTED),
    ("early data in the same segment", hello() + b"\x17\3\3\0\5hello", ROUTED),
    ("records of 64 bytes", hello(record_bytes=64), ROUTED),
    ("records of one byte", hello(record_bytes=1), ROUTED),
    ("post-quantum", hello(key_share=1216), ROUTED),
    ("8 KB", hello(key_share=8000), ROUTED),
    ("15.9 KB", hello(key_share=15600), ROUTED),
    ("20 KB in two records", hello(key_share=20000), ROUTED),
    ("60 KB", hello(key_share=60000), ROUTED),
    ("60 KB in records of 64 bytes", hello(key_share=60000, record_bytes=64), ROUTED),
    ("60 KB in records of one byte", hello(key_share=60000, record_bytes=1), ROUTED),
    ("upper case", hello(b"A.TEST"), ROUTED),
    ("a dot at the end", hello(b"a.test."), ROUTED),
    ("record version 3.0", hello(version=b"\3\0"), ROUTED),
    ("record version 3.3", hello(version=b"\3\3"), ROUTED),
    ("record version 3.4", hello(version=b"\3\4"), ROUTED),
    ("unknown name", hello(b"other.test"), NAMELESS),
    ("a longer name", hello(b"xa.test"), NAMELESS),
    ("no name", hello(extensions=extension(43, b"\2\3\4")), NAMELESS),
    ("empty name", hello(b""), NAMELESS),
    ("NUL in the name", hello(b"a.test\0.other"), NAMELESS),
    ("NUL behind the name", hello(b"a.test\0"), NAMELESS),
    ("not ASCII", hello("ä.test".encode()), NAMELESS),
    ("IP literal", hello(b"127.0.0.1"), NAMELESS),
    ("IPv6 literal", hello(b"::1"), NAMELESS),
    ("300 bytes", hello(b"a" * 300), NAMELESS),
    ("60000 bytes", hello(b"a" * 60000), NAMELESS),
    ("two dots", hello(b"a.test.."), NAMELESS),
    ("the extension twice, ours first", hello(extensions=server_name(b"a.test") + server_name(b"b.test")), BROKEN),
    ("the extension twice, ours second", hello(extensions=server_name(b"b.test") + server_name(b"a.test")), BROKEN),
    ("two names in the list", hello(extensions=extension(0, block(2, entry(b"a.test") + entry(b"b.test")))), BROKEN),
    ("name of type 7", hello(extensions=server_name(b"a.test", 7)), BROKEN),
    ("inner length too long", hello(extensions=extension(0, b"\0\x99\0\0\6a.test")), BROKEN),
    ("extension length too long", hello(extensions=b"\0\0\x99\x99" + block(2, entry(b"a.test"))), BROKEN),
    ("session id of 33", hello(session_id=33), BROKEN),
    ("message of 16 MB", records(with_length(GOOD, 0xffffff)), BROKEN),
    ("more than 64 KiB", hello(key_share=65287), BROKEN),
    ("a server's hello", records(b"\2" + GOOD[1:]), CLOSED),
    ("record of type 23", b"\x17" + hello()[1:], CLOSED),
    ("record of length 0", b"\x16\3\1\0\0" + hello(), CLOSED),
    ("record of length 65535", b"\x16\3\1\xff\xff" + GOOD, CLOSED),
    ("record version 5.5", hello(version=b"\5\5"), CLOSED),
    ("SSL 2", b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + b"x" * 37, CLOSED),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", CLOSED),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", CLOSED),
    ("a PROXY header of the client's", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" + hello(), CLOSED),
    ("an alert first", b"\x15\3\1\0\2\2\x28", CLOSED),
    ("a change of ciphers first", b"\x14\3\1\0\1\1" + hello(), CLOSED),
    ("nothing at all", None, CLOSED),
    ("half a hello", hello()[:100], CLOSED),
    ("a length that promises more", records(with_length(GOOD, len(GOOD) + 100)), CLOSED),
]


class Matrix(SentinelCase):
    def setUp(self):
        super().setUp()
        self.pool = self.backend()
        self.other = self.backend()
        self.sentinel = self.start(f"a.test 127.0.0.1:{self.pool.port}\nb.test 127.0.0.1:{self.other.port}\n")

    def answer(self, client):
        """What is answered; a reset behind it is an end too, for who sends more than is read."""
        return read_all(client)[0], "closed"

    def check(self, send, outcome):
        client = self.sentinel.connect()
        sent = send(client)
        if outcome == ROUTED:
            primary = self.pool.next()
            self.assertEqual(read_some(primary, len(sent)), sent)
            primary.sendall(b"welcome")
            self.assertEqual(read_some(client, 7), b"welcome")
            client.close()
            self.assertEqual(read_all(primary)[0], b"")
            primary.close()
        else:
            self.assertEqual(self.answer(client), outcome)
            client.close()
        self.assertTrue(self.pool.none() and self.other.none(), "it reached a pool")

    def test_each_hello_has_its_outcome(self):
        def all_at_once(data, outcome):
            def send(client):
                if data:
                    client.sendall(data)
                if outcome == CLOSED:
                    client.shutdown(socket.SHUT_WR)
                return data
            return send
        for name, data, outcome in CASES:
            with self.subTest(name):
                self.check(all_at_once(data, outcome), outcome)

    def test_the_outcome_is_the_same_in_small_segments(self):
        def in_pieces(data, size):
            def send(client):
                for at in range(0, len(data), size):
                    try:
                        client.sendall(data[at:at + size])
                    except (BrokenPipeError, ConnectionResetError):
                        break  # the verdict came before the last byte
                    time.sleep(0.001)
                return data
            return send
        for name, data, outcome in CASES:
            if outcome != CLOSED and len(data) < 4000:
                with self.subTest(name):
                    self.check(in_pieces(data, 97 if outcome == ROUTED else 997), outcome)
        self.check(in_pieces(hello(b"A.Test."), 1), ROUTED)

    def test_nothing_is_left_of_any_of_them(self):
        before = self.sentinel.sockets()
        self.test_each_hello_has_its_outcome()
        wait_until(lambda: self.sentinel.sockets() == before, "their sockets to be closed")


class Limits(SentinelCase):
    def test_a_hello_that_trickles_ends_at_the_deadline(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hello-timeout", "0.5")
        client = sentinel.connect()
        client.settimeout(0.05)
        ended = False
        for byte in hello(key_share=30000):
            try:
                client.sendall(bytes([byte]))
                ended = client.recv(1) == b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                ended = True
            if ended:
                break
        self.assertTrue(ended, "every byte was taken")
        self.assertTrue(backend.none())
        self.assertEqual(sentinel.counts()["hello_timeout"], 1)

    def test_a_client_that_says_nothing_is_ended(self):
        sentinel = self.start("", "--hello-timeout", "0.3")
        self.assertEqual(read_all(sentinel.connect())[0], b"")

    def test_one_source_has_so_many_half_hellos_and_crowds_out_nobody(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hellos-per-source-max", "4", "--hello-timeout", "60")
        waiting = [sentinel.say(hello()[:50]) for _ in range(4)]
        wait_until(lambda: sentinel.counts()["accepted"] == 4, "them to wait")
        self.assertEqual(sentinel.ask(hello()[:50])[0], b"")  # one too many
        elsewhere = sentinel.say(hello()[:50], source="127.0.1.1")
        sentinel.say(hello())  # whole ones need no place
        read_some(backend.next(), len(hello()))
        for client in [*waiting, elsewhere]:
            client.sendall(hello()[50:])
            read_some(backend.next(), len(hello()))
        sentinel.say(hello()[:50]).sendall(hello()[50:])  # the places are free again
        read_some(backend.next(), len(hello()))

    def test_in_all_the_oldest_makes_room(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hellos-max", "3", "--hello-timeout", "60", "--threads", "1")
        waiting = []
        for number in range(4):
            waiting.append(sentinel.say(hello()[:50]))
            wait_until(lambda: sentinel.counts()["accepted"] == number + 1, "it to wait")
        self.assertEqual(read_all(waiting[0])[0], b"")
        for client in waiting[1:]:
            client.sendall(hello()[50:])
            read_some(backend.next(), len(hello()))

    def test_the_oldest_makes_room_also_where_another_loop_has_it(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hellos-max", "1", "--hello-timeout", "60", "--threads", "2")
        for number in range(12):  # the kernel gives each of them to one of two loops
            client = sentinel.say(hello()[:50])
            wait_until(lambda: sentinel.counts()["accepted"] == 2 * number + 1, "it to wait")
            sentinel.say(hello()[:50], source="127.0.1.1")
            wait_until(lambda: sentinel.counts()["accepted"] == 2 * number + 2, "another to come")
            newest = sentinel.clients[-1]
            newest.sendall(hello()[50:])
            read_some(backend.next(), len(hello()))
            client.close()

    def fill(self, sentinel, source, count, key_share=64000):
        """Connections that say nearly all of a hello in the longest form there is, unless they are cut."""
        most = hello(key_share=key_share, record_bytes=1)[:-6]
        for _ in range(count):
            client = sentinel.connect(source)
            try:
                client.sendall(most)
            except OSError:
                pass
        return len(most)

    def test_the_bytes_of_one_source_leave_room_for_those_of_others(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hello-timeout", "60")
        most = self.fill(sentinel, "127.0.0.1", 64 * 1024 * 1024 // 380_000 + 10)
        self.assertGreater(most, 380_000)
        sentinel.settle()
        for key_share in (6000, 600):  # what is left between the longest
            self.fill(sentinel, "127.0.0.1", 20, key_share)
            sentinel.settle()
        self.assertGreater(sentinel.counts()["hello_refused"], 0)
        large = hello(key_share=8000)
        client = sentinel.say(large[:50], source="127.0.1.1")
        sentinel.settle()
        client.sendall(large[50:-50])
        sentinel.settle()
        client.sendall(large[-50:])
        self.assertEqual(read_some(backend.next(), len(large)), large)

    def test_when_bytes_run_out_the_oldest_makes_room(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--hello-timeout", "60", "--threads", "1")
        first = sentinel.say(hello()[:50], source="127.0.1.1")
        wait_until(lambda: sentinel.counts()["accepted"] == 1, "the first to wait")
        for source in range(20):
            self.fill(sentinel, f"127.0.{source + 2}.1", 10)
        self.assertEqual(read_all(first)[0], b"")
        client = sentinel.say(hello()[:50], source="127.0.1.1")
        client.sendall(hello()[50:])
        self.assertEqual(read_some(backend.next(), len(hello())), hello())

    def test_without_descriptors_new_clients_are_turned_away_and_the_others_go_on(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--threads", "1", "--connections-per-destination-max", "100", descriptors=40)
        served = []
        for _ in range(60):
            client = sentinel.say(hello())
            client.settimeout(20)
            served.append(client)
        wait_until(lambda: sentinel.counts()["accepted"] + sentinel.counts()["no_descriptor"] >= 60, "all to be looked at")
        self.assertGreater(sentinel.counts()["no_descriptor"], 0)
        first = backend.next()
        read_some(first, len(hello()))
        first.sendall(b"still here")
        self.assertEqual(read_some(served[0], 10), b"still here")
        # Nothing can be done now, and so nothing is: a loop that spins would always be running.
        tasks = list(Path(f"/proc/{sentinel.process.pid}/task").iterdir())
        wait_until(lambda: all((task / "stat").read_text().rsplit(") ", 1)[1].startswith("S") for task in tasks), "it to sleep")
        for client in served:
            client.close()
        first.close()

        def all_are_closed():
            while not backend.none():
                backend.next().close()
            return sentinel.sockets() < 5
        wait_until(all_are_closed, "their sockets to be closed")
        sentinel.say(hello())
        read_some(backend.next(), len(hello()))


class Process(SentinelCase):
    def test_it_runs_without_privileges_and_ends_at_a_signal(self):
        sentinel, client, _ = self.pair()
        status = Path(f"/proc/{sentinel.process.pid}/status").read_text()
        if os.geteuid() == 0:
            self.assertIn("CapEff:\t0000000000000000", status)
        self.assertEqual(sentinel.close(), 0)
        self.assertEqual(client.fileno(), -1)

    def test_a_kill_leaves_nothing_in_the_way_of_the_next(self):
        backend, address = self.backend(), f"127.0.0.1:{port_to_keep()}"
        routes = f"a.test 127.0.0.1:{backend.port}\n"
        first = self.start(routes, "--listen", address, start=lambda: None)
        client = first.say(hello())
        primary = backend.next()
        read_some(primary, len(hello()))
        first.process.kill()
        first.process.wait()
        self.assertIn(read_all(primary)[1], ("end", "reset"))
        self.assertIn(read_all(client)[1], ("end", "reset"))
        self.start(routes, "--listen", address, start=lambda: None).say(hello())
        read_some(backend.next(), len(hello()))

    def test_sockets_of_a_service_manager_are_taken(self):
        backend = self.backend()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()

            def hand_over():
                os.dup2(number, 3)
                os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "1", str(os.getpid())
            sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", start=hand_over)
            self.assertEqual(sentinel.port, listener.getsockname()[1])
        for _ in range(8):
            sentinel.say(hello())
            read_some(backend.next(), len(hello()))

    def test_each_loop_has_its_own_of_several_sockets_of_a_service_manager(self):
        backend = self.backend()
        listeners = [socket.socket(), socket.socket()]
        port = 0
        for listener in listeners:
            self.addCleanup(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(64)
            port = listener.getsockname()[1]
        numbers = [fcntl.fcntl(listener, fcntl.F_DUPFD, 10) for listener in listeners]  # not where they go

        def hand_over():
            for at, number in enumerate(numbers):
                os.dup2(number, 3 + at)
            os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "2", str(os.getpid())
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--threads", "2", start=hand_over)
        for number, listener in zip(numbers, listeners):
            os.close(number)
            listener.close()
        self.assertEqual(sentinel.log().count("listening address"), 1)
        descriptors = Path(f"/proc/{sentinel.process.pid}/fd")
        watched = [sum(line.startswith("tfd:") for line in (descriptors.parent / "fdinfo" / one.name).read_text().splitlines())
                   for one in descriptors.iterdir() if os.readlink(one) == "anon_inode:[eventpoll]"]
        self.assertEqual(watched, [2, 2])  # its own, and the event that stops it
        for _ in range(16):
            sentinel.say(hello())
            read_some(backend.next(), len(hello()))

    def test_what_cannot_be_listened_on_is_told_with_the_next_step(self):
        with self.assertRaisesRegex(AssertionError, "there is nothing to listen on"):
            self.start("", start=lambda: None)
        if os.geteuid() == 0:
            floor = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
            if floor > 443:
                with self.assertRaisesRegex(AssertionError, "CAP_NET_BIND_SERVICE"):
                    self.start("", "--listen", "127.0.0.1:443")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sentinel ends, or is replaced by another, and nobody who uses it notices."""
import hashlib
import os
import signal
import socket
import threading
import time

from support.machine import wait_until
from support.sentinel import Backend, Sentinel, SentinelCase, hello, main, read_all, read_some
from test_sentinel_registry import RegistryCase

MIB = 1024 * 1024


def echo(connection):
    """Gives back what comes, until the end."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)


class Load:
    """Clients that come one after the other, each with bytes that have to come back whole."""

    def __init__(self, port, clients=8, size=64 * 1024):
        self.done, self.problems, self._port, self._size, self._stop = 0, [], port, size, threading.Event()
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        data = hello(b"a.test") + os.urandom(self._size)
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), 20) as client:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    got = read_all(client)
                if got != (data, "end"):
                    raise AssertionError(f"{len(got[0])} of {len(data)} bytes, {got[1]}")
                with self._lock:
                    self.done += 1
            except (OSError, AssertionError) as problem:
                self.problems.append(repr(problem))

    def stop(self):
        self._stop.set()
        for thread in self.threads:
            thread.join()


class Draining(SentinelCase):
    def test_a_sentinel_that_is_told_to_end_finishes_what_it_has_and_takes_nothing_new(self):
        backend = self.backend(Backend, echo)
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--drain-timeout", "20")
        client = sentinel.say(hello())
        read_some(client, len(hello()))
        sentinel.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining connections=1" in sentinel.log(), "the drain")
        with self.assertRaises(ConnectionRefusedError):
            wait_until(lambda: socket.create_connection(("127.0.0.1", sentinel.port), 20).close(), "the door to be shut")
        data = os.urandom(4 * MIB)
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        self.assertEqual(read_all(client), (data, "end"))
        sender.join()
        self.assertEqual(sentinel.process.wait(5), 0)

    def test_a_drain_has_its_time_and_a_second_signal_ends_it_at_once(self):
        backend = self.backend(Backend, echo)
        for second_signal in (False, True):
            with self.subTest(second_signal=second_signal):
                sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--drain-timeout", "15" if second_signal else "0.5")
                client = sentinel.say(hello())
                read_some(client, len(hello()))
                begun = time.monotonic()
                sentinel.process.send_signal(signal.SIGTERM)
                wait_until(lambda: "draining" in sentinel.log(), "the drain")
                if second_signal:
                    sentinel.process.send_signal(signal.SIGTERM)
                self.assertEqual(sentinel.process.wait(10), 0)
                self.assertLess(time.monotonic() - begun, 5)


class Upgrading(RegistryCase):
    def successor(self, *flags):
        """Another process for the same state directory, beside the one there is."""
        directory = self.directory / f"next{len(list(self.directory.glob('next*')))}"
        directory.mkdir()
        next_one = Sentinel(directory, (self.directory / "routes").read_text(), "--state-dir", self.state, "--control", "127.0.0.1:0",
                            "--tunnel-token-file", self.tokens, *flags)
        self.addCleanup(next_one.close)
        return next_one

    def test_under_load_a_new_process_takes_over_and_no_connection_and_no_byte_is_lost(self):
        backend = self.backend(Backend, echo)
        sentinel = self.start("--drain-timeout", "20", "--threads", "2", routes=f"a.test 127.0.0.1:{backend.port}\n")
        long_lived = sentinel.say(hello())
        read_some(long_lived, len(hello()))
        load = Load(sentinel.port)
        wait_until(lambda: load.done > 50, "some connections")
        first = sentinel
        for _ in range(3):
            before = load.done
            # With another number of loops than there are sockets, fewer and more.
            next_one = self.successor("--drain-timeout", "20", "--threads", "1" if _ == 0 else "3")
            self.assertEqual(next_one.port, sentinel.port)
            wait_until(lambda: load.done > before + 50, "connections to the next process")
            wait_until(lambda: "the other process has them" in first.log(), "the one before to give way")
            first = next_one
        data = os.urandom(2 * MIB)
        sender = threading.Thread(target=lambda: (long_lived.sendall(data), long_lived.shutdown(socket.SHUT_WR)))
        sender.start()
        self.assertEqual(hashlib.sha256(read_all(long_lived)[0]).digest(), hashlib.sha256(data).digest())
        sender.join()
        self.assertEqual(sentinel.process.wait(20), 0)
        load.stop()
        self.assertEqual(load.problems, [])
        self.assertGreater(load.done, 200)

    def test_a_successor_knows_who_is_registered_and_answers_at_the_same_port(self):
        backend = self.backend(Backend, echo)
        sentinel = self.start()
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(backend.port, hostname="a.test"))[0], 201)
        next_one = self.successor()
        self.assertEqual(self.control_port(next_one), self.control_port(sentinel))
        self.assertEqual(sentinel.process.wait(20), 0)
        self.assertEqual(self.ask(next_one, "PUT", "/sentinel/primaries/lab")[0], 200)
        self.assertEqual(self.admin("GET", "/status")[1]["hosts"][0]["hostname"], "a.test")
        with next_one.say(hello()) as client:
            self.assertEqual(read_some(client, len(hello())), hello())

    def test_a_successor_that_does_not_get_ready_changes_nothing(self):
        backend = self.backend(Backend, echo)
        sentinel = self.start(routes=f"a.test 127.0.0.1:{backend.port}\n")
        (self.directory / "routes").write_text("wrong\n")
        with self.assertRaises(AssertionError):
            self.successor()
        wait_until(lambda: "did not become ready" in sentinel.log(), "the one before to go on")
        with sentinel.say(hello()) as client:
            self.assertEqual(read_some(client, len(hello())), hello())
        self.assertEqual(self.ask(sentinel, "POST", "/sentinel/primaries", self.primary(backend.port))[0], 201)
        self.assertEqual(self.admin("GET", "/health")[0], 200)


if __name__ == "__main__":
    main()

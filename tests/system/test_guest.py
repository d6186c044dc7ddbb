#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container learns of itself on /dev/berth/sock, and how little it can do there."""
import json
import time

from support.host import HostCase, ToolError, main
from support.machine import wait_until

SOCKET = "/dev/berth/sock"

# Opens connections that say nothing, and many that ask; prints how many of each it got in the time.
FLOOD = """
import socket, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
silent, answered, end = [], 0, time.monotonic() + seconds
while time.monotonic() < end:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    try:
        s.connect(path)
        if len(silent) < 200:
            silent.append(s)
            continue
        s.send(b"GET /1.0 HTTP/1.1\\r\\n\\r\\n")
        answered += s.recv(16).startswith(b"HTTP/1.1 200")
    except OSError:
        pass
print(len(silent), answered)
"""

# Sends bytes as they are and prints the first line of the answer.
RAW = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
try:
    s.sendall(bytes.fromhex(sys.argv[2]))
    s.shutdown(socket.SHUT_WR)
except OSError:
    pass
print(s.recv(4096).partition(b"\\r\\n")[0].decode() or "closed")
"""


class Guest(HostCase):
    flags = ("--host-name", "machine-7", "--pool", "field")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("ada", labels=["team=web"], ports=[{"container_port": 80}], ttl_seconds=3600)
        cls.host.create("bob")
        for name in ("ada", "bob"):
            cls.addClassCleanup(cls.host.delete, name)

    def ask(self, name, path="/1.0", *more, **options):
        return self.host.output(name, "curl", "-sS", "--max-time", "10", "--unix-socket", SOCKET, *more,
                                f"http://berth{path}", **options)

    def raw(self, name, text):
        return self.host.output(name, "python3", "-c", RAW, SOCKET, text.hex()).strip()

    def answers(self, name):
        try:
            return json.loads(self.ask(name))["name"] == name
        except (AssertionError, ToolError, ValueError):
            return False

    def test_a_container_learns_who_and_where_it_is(self):
        box = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})
        for user in ("root", "nobody"):
            told = json.loads(self.ask("ada", user=user))
            self.assertEqual({key: told[key] for key in ("name", "id", "location", "pool", "ipv4")},
                             {"name": "ada", "id": box["id"], "location": "machine-7", "pool": "field", "ipv4": box["ipv4"]})
            self.assertEqual(told["limits"], box["limits"])
            self.assertEqual(told["labels"], {"team": "web"})
            self.assertEqual(told["ports"], [{key: box["ports"][0][key] for key in ("protocol", "host_port", "container_port")}])
            self.assertTrue(3000 < told["ttl_seconds"] <= 3600)
        self.host.rpc("container_update", {"name": "ada", "processes": 2000})
        self.assertEqual(json.loads(self.ask("ada"))["limits"]["processes"], 2000)

    def test_nothing_is_told_of_others_or_of_how_to_get_in(self):
        ada = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})
        told = self.ask("bob")
        self.assertNotIn("ada", told)
        self.assertNotIn(ada["id"], told)
        self.assertNotIn("ttl_seconds", told)
        self.assertNotIn("uid_base", told)
        self.assertNotIn(str(self.host.root), told)

    def test_nothing_can_be_changed_and_nonsense_is_told_so(self):
        for text, status in ((b"POST /1.0 HTTP/1.1\r\n\r\n", "405"), (b"GET /1.0/../x HTTP/1.1\r\n\r\n", "404"),
                             (b"GET / HTTP/1.0\r\n\r\n", "200"), (b"hello\r\n\r\n", "400"), (b"x" * 5000, "431"),
                             (b"\x00\xff\r\n\r\n", "400")):
            self.assertIn(f" {status} ", self.raw("ada", text) + " ", text)
        self.assertEqual(self.raw("ada", b"GET /1.0 HTT"), "closed")
        for argv in (("touch", "/dev/berth/x"), ("rm", SOCKET), ("mv", SOCKET, "/dev/berth/y"), ("chmod", "0", SOCKET)):
            self.assertNotEqual(self.host.exec("ada", *argv)["exit_code"], 0, argv)
        self.host.exec("ada", "mount", "-o", "remount,bind,rw", "/dev/berth")
        self.assertNotEqual(self.host.exec("ada", "touch", "/dev/berth/x")["exit_code"], 0)
        self.assertTrue(self.answers("ada"))

    def test_it_is_there_again_after_each_end_of_berthd_and_of_the_container(self):
        for crash in (False, True):
            self.host.restart(crash)
            self.assertTrue(self.answers("ada"))
        self.host.rpc("container_stop", {"name": "bob", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "bob"})
        self.assertTrue(self.answers("bob"))

    def test_it_can_be_turned_off_and_on_while_the_container_runs(self):
        self.assertFalse(self.host.rpc("container_update", {"name": "bob", "guest_socket": False})["restart_required"])
        self.assertEqual(self.host.output("bob", "ls", "/dev/berth"), "")
        self.host.restart()
        self.assertEqual(self.host.output("bob", "ls", "/dev/berth"), "")
        self.host.rpc("container_update", {"name": "bob", "guest_socket": True})
        self.assertTrue(self.answers("bob"))

    def test_who_asks_too_much_waits_and_nobody_else_does(self):
        self.host.exec("ada", "sh", "-c", 'setsid python3 -c "$1" "$2" 6 >/tmp/flood 2>&1 </dev/null &', "sh", FLOOD, SOCKET)
        time.sleep(1)
        slowest = 0
        for _ in range(20):
            begin = time.monotonic()
            self.assertTrue(self.answers("bob"))
            slowest = max(slowest, time.monotonic() - begin)
        self.assertLess(slowest, 2)
        wait_until(lambda: self.host.output("ada", "cat", "/tmp/flood"), "the flood is over", 30)
        silent, answered = map(int, self.host.output("ada", "cat", "/tmp/flood").split())
        self.assertLess(answered, 200)  # 40 at once and 20 a second
        wait_until(lambda: self.answers("ada"), "it is heard again", 15)
        self.host.output("ada", "true")


class NoGuestSockets(HostCase):
    flags = ("--no-guest-sockets",)

    def test_an_operator_can_turn_it_off_for_all(self):
        self.host.create("ada")
        self.addCleanup(self.host.delete, "ada")
        self.assertEqual(self.host.output("ada", "ls", "-A", "/dev/berth"), "")


if __name__ == "__main__":
    main()

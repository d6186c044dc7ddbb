#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients and pools see of the sentinel between them: nothing, when all is well."""
import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from support.machine import wait_until
from support.sentinel import (ALERT_INTERNAL, ALERT_NAME, Backend, SentinelCase, alert, hello, main, read_all, read_some, reset,
                              tls_backend)

MIB = 1024 * 1024


def certificate_of(port, name, context=None):
    """The subject of the certificate that a client sees."""
    if context is None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 20) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        certificate = ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))
    return subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline"], input=certificate, text=True,
                          check=True, capture_output=True).stdout.rsplit("= ", 1)[1].strip()


class Routing(SentinelCase):
    def setUp(self):
        super().setUp()
        self.a = self.backend(tls_backend, self.directory, "a.test")
        self.b = self.backend(tls_backend, self.directory, "b.test")
        self.text = (f"a.test 127.0.0.1:{self.a.port} a\n*.a.test 127.0.0.1:{self.a.port} a\n"
                     f"b.test 127.0.0.1:{self.b.port} b\nx.a.test 127.0.0.1:{self.b.port} b\n")

    def test_a_client_sees_the_certificate_of_the_pool_whose_name_it_asked_for(self):
        sentinel = self.start(self.text)
        for name, pool in (("a.test", "a.test"), ("b.test", "b.test"), ("B.Test", "b.test"), ("y.a.test", "a.test"),
                           ("z.y.a.test", "a.test"), ("x.a.test", "b.test")):
            with self.subTest(name):
                self.assertEqual(certificate_of(sentinel.port, name), pool)

    def test_openssl_and_curl_verify_the_pool_end_to_end(self):
        sentinel = self.start(self.text)
        for version in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(["openssl", "s_client", version, "-connect", f"127.0.0.1:{sentinel.port}", "-servername",
                                   "a.test", "-CAfile", self.directory / "a.test.pem", "-verify_return_error"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
            self.assertIn("Verify return code: 0", done.stdout)
        done = subprocess.run(["curl", "--silent", "--show-error", "--cacert", self.directory / "b.test.pem", "--connect-to",
                               f"b.test:443:127.0.0.1:{sentinel.port}", "https://b.test/"], capture_output=True, text=True,
                              timeout=20)
        self.assertEqual((done.returncode, done.stdout), (0, "b.test"), done.stderr)

    def test_a_name_that_nobody_has_gets_an_alert_and_no_pool(self):
        sentinel = self.start(self.text)
        for data in (hello(b"c.test"), hello(b"test"), hello(extensions=b"")):
            self.assertEqual(sentinel.ask(data), (alert(ALERT_NAME), "end"))
        counts = sentinel.counts()
        self.assertEqual((counts["unknown_name"], counts["no_name"], counts["routed"]), (2, 1, 0))

    def test_the_default_pool_takes_names_that_nobody_has_and_none_of_a_pool_that_is_down(self):
        sentinel = self.start(self.text, "--default-pool", "a")
        self.assertEqual(certificate_of(sentinel.port, "c.test"), "a.test")
        self.assertEqual(certificate_of(sentinel.port, None), "a.test")
        self.b.close()
        self.assertEqual(sentinel.ask(hello(b"b.test")), (alert(ALERT_INTERNAL), "end"))
        self.assertEqual(certificate_of(sentinel.port, "a.test"), "a.test")
        self.assertEqual(sentinel.counts()["primary_down"], 1)

    def test_a_pool_that_does_not_answer_is_given_up_at_its_deadline(self):
        # A listener whose queue is full drops what comes.
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(full.close)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
            self.addCleanup(filler.close)
        sentinel = self.start(f"a.test 127.0.0.1:{full.getsockname()[1]}\n", "--connect-timeout", "0.3")
        self.assertEqual(sentinel.ask(hello()), (alert(ALERT_INTERNAL), "end"))

    def test_a_million_routes_are_read(self):
        lines = "".join(f"app{number}.team{number % 1000}.test 127.0.0.1:{self.a.port} a\n" for number in range(1_000_000))
        sentinel = self.start(lines + self.text)
        self.assertIn("names=1000004", sentinel.log())
        self.assertEqual(certificate_of(sentinel.port, "app999999.team999.test"), "a.test")
        self.assertEqual(certificate_of(sentinel.port, "b.test"), "b.test")


class Ssh(SentinelCase):
    def test_a_banner_however_cut_is_led_to_the_ssh_server_and_tls_to_its_pool(self):
        pool, server = self.backend(), self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{pool.port} a\n", "--ssh", f"127.0.0.1:{server.port}", "--access-log", "-")
        banner = b"SSH-2.0-OpenSSH_9.2\r\n"
        for cut in (1, 3, 4, len(banner)):
            client = sentinel.say(banner[:cut])
            sentinel.settle()
            client.sendall(banner[cut:] + b"more")
            served = server.next()
            self.assertEqual(read_some(served, len(banner) + 4), banner + b"more")
            served.sendall(banner)
            self.assertEqual(read_some(client, len(banner)), banner)
            client.close()
            served.close()
        sentinel.say(hello())
        self.assertEqual(read_some(pool.next(), len(hello())), hello())
        counts = sentinel.counts()
        self.assertEqual((counts["ssh"], counts["routed"], counts["not_tls"]), (4, 1, 0))
        wait_until(lambda: len(re.findall(r'"protocol":"ssh","outcome":"(?:ended|reset)","address":"127.0.0.1:%d"' % server.port,
                                          sentinel.log())) == 4, "their lines")

    def test_a_server_that_is_away_is_a_close_and_no_alert(self):
        server = self.backend()
        server.close()
        sentinel = self.start("", "--ssh", f"127.0.0.1:{server.port}")
        self.assertEqual(sentinel.ask(b"SSH-2.0-OpenSSH_9.2\r\n"), (b"", "end"))
        self.assertEqual(sentinel.counts()["primary_down"], 1)


class Addresses(SentinelCase):
    def test_both_families_are_listened_on_and_dialled(self):
        v4, v6 = self.backend(), self.backend(address="::1", family=socket.AF_INET6)
        sentinel = self.start(f"a.test 127.0.0.1:{v4.port}\nb.test [::1]:{v6.port}\n", "--listen", "[::]:0", start=lambda: None)
        for address in ("127.0.0.1", "::1"):
            for name, backend in ((b"a.test", v4), (b"b.test", v6)):
                with socket.create_connection((address, sentinel.port), 20) as client:
                    client.sendall(hello(name))
                    self.assertEqual(read_some(backend.next(), len(hello(name))), hello(name))

    def test_several_addresses_lead_to_the_same_routes(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n", "--listen", "127.0.0.2:0")
        ports = re.findall(r"listening address=(\S+):(\d+)", sentinel.log())
        self.assertEqual({address for address, _ in ports}, {"127.0.0.1", "127.0.0.2"})
        for address, port in ports:
            with socket.create_connection((address, int(port)), 20) as client:
                client.sendall(hello())
                read_some(backend.next(), len(hello()))


class Reload(SentinelCase):
    def test_new_routes_are_taken_and_connections_live_on(self):
        a, b = self.backend(), self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{a.port}\n")
        client = sentinel.say(hello())
        primary = a.next()
        read_some(primary, len(hello()))
        sentinel.reload(f"a.test 127.0.0.1:{b.port}\nb.test 127.0.0.1:{b.port}\n")
        second = sentinel.say(hello())
        read_some(b.next(), len(hello()))
        client.sendall(b"still here")
        self.assertEqual(read_some(primary, 10), b"still here")

    def test_a_file_with_a_mistake_changes_nothing_and_is_told(self):
        a = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{a.port}\n")
        for wrong in ("a.test\n", f"a.test 127.0.0.1:{a.port}\na.test 127.0.0.1:1\n", "a.test nowhere:1\n"):
            sentinel.reload(wrong)
            sentinel.say(hello()).close()
            read_some(a.next(), len(hello()))
        self.assertEqual(sentinel.log().count("routes stay as they were"), 3)
        self.assertIn('why="line 1: ', sentinel.log())

    def test_a_file_written_in_place_and_a_signal_are_noticed_too(self):
        a = self.backend()
        sentinel = self.start("")
        sentinel.routes.write_text(f"a.test 127.0.0.1:{a.port}\n")
        wait_until(lambda: "names=1" in sentinel.log(), "the routes to be read")
        sentinel.say(hello()).close()
        a.next()
        before = sentinel.log().count("names=1")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sentinel.log().count("names=1") > before, "the routes to be read again")

    def test_a_start_without_good_routes_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "line 1: .*two or three words"):
            self.start("a.test\n")


class Bytes(SentinelCase):
    def test_megabytes_pass_unchanged_both_ways_at_once(self):
        _, client, primary = self.pair()
        sums = {}

        def send(connection, data):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        def receive(connection, key):
            data, how = read_all(connection)
            sums[key] = (hashlib.sha256(data).hexdigest(), how)
        up, down = os.urandom(24 * MIB), os.urandom(32 * MIB)
        threads = [threading.Thread(target=send, args=(client, up)), threading.Thread(target=send, args=(primary, down)),
                   threading.Thread(target=receive, args=(primary, "up")), threading.Thread(target=receive, args=(client, "down"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sums, {"up": (hashlib.sha256(up).hexdigest(), "end"), "down": (hashlib.sha256(down).hexdigest(), "end")})

    def test_small_messages_go_back_and_forth(self):
        _, client, primary = self.pair()
        for number in range(200):
            client.sendall(b"ping %d" % number)
            self.assertEqual(read_some(primary, len(b"ping %d" % number)), b"ping %d" % number)
            primary.sendall(b"pong %d" % number)
            self.assertEqual(read_some(client, len(b"pong %d" % number)), b"pong %d" % number)

    def test_a_client_that_has_ended_still_gets_its_answer(self):
        _, client, primary = self.pair()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(primary), (b"question", "end"))
        primary.sendall(b"answer" * MIB)
        primary.close()
        data, how = read_all(client)
        self.assertEqual((len(data), how), (6 * MIB, "end"))

    def test_a_pool_that_has_ended_still_gets_the_rest(self):
        _, client, primary = self.pair()
        primary.sendall(b"that is all from here")
        primary.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(client), (b"that is all from here", "end"))
        client.sendall(b"rest" * MIB)
        client.close()
        data, how = read_all(primary)
        self.assertEqual((len(data), how), (4 * MIB, "end"))

    def test_a_hello_with_its_end_right_behind_is_answered(self):
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port}\n")
        client = sentinel.say(hello())
        client.shutdown(socket.SHUT_WR)
        primary = backend.next()
        self.assertEqual(read_all(primary), (hello(), "end"))
        primary.sendall(b"answer")
        primary.close()
        self.assertEqual(read_all(client), (b"answer", "end"))

    def test_a_half_closed_connection_that_stands_still_is_ended(self):
        _, client, primary = self.pair("--half-closed-timeout", "0.3")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(primary), (b"", "end"))
        self.assertEqual(read_all(client)[1], "reset")

    def test_a_half_closed_connection_that_moves_goes_on_however_little_it_is(self):
        _, client, primary = self.pair("--half-closed-timeout", "0.3")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(primary), (b"", "end"))
        for _ in range(10):
            primary.sendall(b"x")
            time.sleep(0.1)  # in all more than the bound, each less
        primary.close()
        self.assertEqual(read_all(client), (b"x" * 10, "end"))

    def test_a_reset_is_a_reset_on_the_other_side(self):
        _, client, primary = self.pair()
        reset(client)
        self.assertEqual(read_all(primary)[1], "reset")

    def test_a_reset_of_the_pool_is_one_for_the_client(self):
        _, client, primary = self.pair()
        reset(primary)
        self.assertEqual(read_all(client)[1], "reset")

    def test_a_receiver_that_does_not_read_stops_its_sender_and_loses_nothing(self):
        _, client, primary = self.pair()
        client.settimeout(1)
        taken, piece = 0, b"x" * 65536
        # What four sockets hold at most, with a pipe and what was read at once (tcp(7)).
        held_max = MIB + 2 * sum(int(Path("/proc/sys/net/ipv4", name).read_text().split()[2]) for name in ("tcp_rmem", "tcp_wmem"))
        with contextlib.suppress(TimeoutError):
            while taken <= held_max:
                taken += client.send(piece)
        self.assertLessEqual(taken, held_max)
        client.settimeout(20)
        client.shutdown(socket.SHUT_WR)
        data, how = read_all(primary)
        self.assertEqual((len(data), how), (taken, "end"))

    def test_what_a_dead_connection_left_reaches_no_other(self):
        sentinel, client, primary = self.pair("--threads", "1")
        # Bulk for a client that does not read: its pipe is full when the connection dies.
        threading.Thread(target=self.flood, args=(primary,), daemon=True).start()
        wait_until(lambda: any(name.startswith("pipe:") for name in sentinel.descriptors()), "a pipe to be lent")
        reset(client)
        wait_until(lambda: sentinel.counts()["reset"] == 1, "the connection to end")
        backend = self.backend()
        sentinel.reload(f"a.test 127.0.0.1:{backend.port}\n")
        second = sentinel.say(hello())
        fresh = backend.next()
        read_some(fresh, len(hello()))
        # Sockets alone do not always hold that much: it is sent while it is read.
        send = threading.Thread(target=lambda: (fresh.sendall(b"y" * 8 * MIB), fresh.close()))
        send.start()
        data, how = read_all(second)
        send.join()
        self.assertEqual((data.count(b"y"), len(data), how), (8 * MIB, 8 * MIB, "end"))

    def test_a_receiver_that_does_not_read_gives_its_pipe_back_and_loses_nothing(self):
        sentinel, client, primary = self.pair("--threads", "1")
        threading.Thread(target=lambda: (primary.sendall(b"x" * 32 * MIB), primary.close()), daemon=True).start()
        if sentinel.bytes_in_pipes() is None:
            self.skipTest("needs to look into the sentinel's pipes")
        wait_until(sentinel.bytes_in_pipes, "a pipe to be full")
        wait_until(lambda: sentinel.bytes_in_pipes() == 0, "it to be given back")
        data, how = read_all(client)
        self.assertEqual((data.count(b"x"), len(data), how), (32 * MIB, 32 * MIB, "end"))

    @staticmethod
    def flood(connection):
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            pass

    def test_clients_that_leave_in_the_middle_of_bulk_take_nobody_along(self):
        sentinel, client, primary = self.pair("--threads", "1")
        flooding = self.backend(Backend, self.flood)
        sentinel.reload(f"a.test 127.0.0.1:{flooding.port}\n")

        def leave_while_it_flows():
            for _ in range(20):
                leaving = sentinel.say(hello())
                leaving.shutdown(socket.SHUT_WR)  # what is written behind both is a broken pipe
                read_some(leaving, MIB)
                leaving.close()
        threads = [threading.Thread(target=leave_while_it_flows) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.sendall(b"still here")
        self.assertEqual(read_some(primary, 10), b"still here")

    def test_a_dead_end_is_noticed_on_either_side_after_three_minutes(self):
        sentinel, _, _ = self.pair()
        def options():
            return sentinel.socket_options((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                                           (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT))
        if not options():
            self.skipTest("needs to look into the sentinel's sockets (pidfd_getfd)")
        wait_until(lambda: options() == [(1, 90, 15, 6)] * 2, "both to have it")

    def test_an_idle_connection_holds_two_sockets_and_no_pipe(self):
        sentinel, client, primary = self.pair()
        client.sendall(b"x" * 4096)
        read_some(primary, 4096)
        pairs, first = [], sentinel.sockets()
        backend = self.backend()
        sentinel.reload(f"a.test 127.0.0.1:{backend.port}\n")
        for _ in range(50):
            other = sentinel.say(hello())
            pairs.append((other, backend.next()))
            read_some(pairs[-1][1], len(hello()))
        self.assertEqual(sentinel.sockets(), first + 100)
        self.assertFalse([name for name in sentinel.descriptors() if name.startswith("pipe:")])
        for pair in pairs:
            for end in pair:
                end.close()
        wait_until(lambda: sentinel.sockets() == first, "their sockets to be closed")


if __name__ == "__main__":
    main()

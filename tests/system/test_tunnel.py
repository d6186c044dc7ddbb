#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts that cannot be connected to are reached through tunnels that they open."""
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import unittest
import time
from pathlib import Path

from support.host import IMAGES, Host, program
from support.machine import HOST_ADDRESS, OUTSIDE_ADDRESS, Machine, die_with_parent, wait_until
from support.sentinel import (ALERT_INTERNAL, ALERT_NAME, Backend, Recorder, alert, hello, keep_talking, main, make_certificate,
                              port_to_keep, read_all, read_some, reset, tls_backend)
from support.tunnel import ALL, FRONT, LAB, PROD, TunnelCase
from test_sentinel_registry import RegistryCase, UnixHttp, answer_of

MIB = 1024 * 1024
AWAY = (alert(ALERT_INTERNAL), "end")
UNKNOWN = (alert(ALERT_NAME), "end")


def echo(connection):
    """Gives back what comes, when all has come."""
    data, how = read_all(connection)
    if how == "end":
        connection.sendall(data)


def named(name):
    """Says its name to whoever says something."""
    def serve(connection):
        connection.recv(1 << 16)
        connection.sendall(b"\x16" + name)
    return serve


def json_hello(**fields):
    text = json.dumps(fields).encode()
    return len(text).to_bytes(4, "big") + text


class Reaching(TunnelCase):
    def test_a_service_is_reached_by_its_names_with_its_own_certificate(self):
        lab = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.front()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), UNKNOWN)
        self.tunnel(sentinel, lab.port, "--alias", "api.lab.test", "--base-domain", "apps.test").joined()
        for name in ("lab.test", "LAB.test", "api.lab.test", "x.apps.test"):
            self.assertEqual(answer_of(sentinel, name), "lab.test", name)
        self.assertEqual(sentinel.ask(hello(b"apps.test")), UNKNOWN)

    def test_what_is_not_there_is_said_and_joined_when_it_is(self):
        port = port_to_keep()
        sentinel = self.front()
        tunnel = self.tunnel(sentinel, port)
        wait_until(lambda: tunnel.news(), "the complaint")
        self.assertEqual(tunnel.states(), ["unheard"])
        self.assertIn("answers with an error", tunnel.news()[0]["error"]["message"])
        self.assertEqual(sentinel.ask(hello(b"lab.test")), AWAY)
        service = socket.create_server(("127.0.0.1", port))
        self.addCleanup(service.close)
        service.settimeout(20)
        connection = service.accept()[0]
        connection.sendall(b"\x16")
        tunnel.joined()
        connection.close()

    def test_an_answer_that_did_not_come_through_the_tunnel_is_no_proof(self):
        lab, other = self.backend(Backend, named(b"lab")), self.backend(Backend, named(b"other"))
        sentinel = self.front()
        self.tunnel(sentinel, lab.port).joined().close()
        sentinel.reload(f"lab.test 127.0.0.1:{other.port} other\n")
        tunnel = self.tunnel(sentinel, lab.port)
        wait_until(lambda: tunnel.states(), "news")
        self.assertEqual(tunnel.states(), ["unheard"])
        self.assertIn("not through this tunnel", tunnel.news()[0]["error"]["message"])
        sentinel.reload("")
        tunnel.joined()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16lab", "end"))

    def test_without_a_hostname_a_tunnel_is_open_and_not_joined(self):
        sentinel = self.front()
        tunnel = self.tunnel(sentinel, 1, pool="lab", hostname=None)
        wait_until(lambda: tunnel.states(), "news")
        self.assertEqual(tunnel.states(), ["open"])

    def test_a_half_closed_request_comes_back_whole(self):
        backend = self.backend(Backend, echo)
        sentinel = self.front()
        self.tunnel(sentinel, backend.port, hostname="lab.test")
        data = hello(b"lab.test") + os.urandom(MIB)

        def ask():
            with sentinel.say(data) as client:
                client.shutdown(socket.SHUT_WR)
                return read_all(client)
        wait_until(lambda: "a tunnel is open" in sentinel.log(), "the tunnel to be open")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([len(got[0]) for got in answers if got != (data, "end")], [])
        self.assertEqual(len(answers), 100)

    def test_an_end_and_a_reset_are_told_apart_both_ways(self):
        sentinel, backend, _ = self.ready()
        client, primary = self.visit(sentinel, backend)
        reset(client)
        self.assertEqual(read_all(primary), (b"", "reset"))
        client, primary = self.visit(sentinel, backend)
        primary.sendall(b"some")
        self.assertEqual(read_some(client, 4), b"some")
        reset(primary)
        self.assertEqual(read_all(client), (b"", "reset"))
        # A service that has not said a byte is away, whatever it was that ended it.
        client, primary = self.visit(sentinel, backend)
        reset(primary)
        self.assertEqual(read_all(client), AWAY)
        # Behind one direction's end too.
        client, primary = self.visit(sentinel, backend)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(primary), (b"", "end"))
        primary.sendall(b"some")
        self.assertEqual(read_some(client, 4), b"some")
        reset(primary)
        self.assertEqual(read_all(client), (b"", "reset"))
        client, primary = self.visit(sentinel, backend)
        primary.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(client), (b"", "end"))
        reset(client)
        self.assertEqual(read_all(primary), (b"", "reset"))


class Owning(TunnelCase):
    def test_who_may_not_is_told_why_and_does_not_try_again(self):
        sentinel = self.front()
        for options, code, words in (({"token": "wrong-token"}, 7, "invalid token"),
                                     ({"token": PROD}, 7, 'token not authorized for pool "lab"'),
                                     ({"hostname": "no name"}, 2, "/hostname")):
            with self.subTest(options):
                got, error = self.tunnel(sentinel, 1, **options).refused()
                self.assertEqual(got, code, error)
                self.assertIn(words, str(error))
        make_certificate(self.directory, "other.test")
        got, error = self.tunnel(sentinel, 1, ca="other.test").refused()
        self.assertEqual(got, 7, error)
        self.assertIn("certificate is not trusted", error["message"])
        for flags in (["--forward", "x"], ["--forward", "443=127.0.0.1:1"], ["--visitors-port", "1"], ["--nothing"]):
            self.assertEqual(self.tunnel(sentinel, 1, *flags).refused()[0], 2, flags)

    def test_a_pool_takes_its_share_of_the_tunnels_and_no_more(self):
        backend = self.backend(Backend, named(b"one"))
        sentinel = self.front("--tunnels-per-pool-max", "2")
        first = self.tunnel(sentinel, backend.port, "--id", "a", hostname="a.test").joined()
        self.tunnel(sentinel, backend.port, "--id", "b", hostname="b.test").joined()
        more = self.tunnel(sentinel, backend.port, "--id", "c", hostname="c.test")
        wait_until(lambda: more.states(), "news")
        self.assertEqual(more.states()[0], "failed")
        self.assertIn('pool "lab" has 2 tunnels already', more.news()[0]["error"]["message"])
        # A hello that the registry refuses gives its place back.
        for _ in range(3):
            self.assertEqual(self.tunnel(sentinel, backend.port, pool="prod", hostname="a.test", token=PROD).refused()[0], 4)
        self.tunnel(sentinel, backend.port, pool="prod", hostname="prod.test", token=PROD).joined()
        first.close()
        more.joined()
        self.assertEqual(sentinel.ask(hello(b"c.test")), (b"\x16one", "end"))

    def test_a_certificate_stands_instead_of_a_token(self):
        make_certificate(self.directory, "host.test")
        make_certificate(self.directory, "stranger.test")
        backend = self.backend(tls_backend, self.directory, "lab.test")
        sentinel = self.front("--tunnel-certificate-policy", f"{self.directory}/host.test.pem=lab")
        shown = lambda name: ("--certificate", self.directory / f"{name}.pem", "--key", self.directory / f"{name}.key")
        self.assertEqual(self.tunnel(sentinel, 1, *shown("stranger.test")).refused()[0], 7)
        self.tunnel(sentinel, backend.port, *shown("host.test")).joined()
        self.assertEqual(answer_of(sentinel, "lab.test"), "lab.test")

    def test_a_revoked_token_ends_its_session_within_a_second(self):
        backend = self.backend(Backend, named(b"lab"))
        sentinel = self.front()
        tunnel = self.tunnel(sentinel, backend.port).joined()
        self.tokens.write_text(f"{PROD}=prod\n")
        begun = time.monotonic()
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the names to lead nowhere")
        wait_until(lambda: "lost" in tunnel.states(), "the session to be over")
        self.assertLess(time.monotonic() - begun, 1)
        wait_until(lambda: "failed" in tunnel.states(), "the token to be refused")
        self.tokens.write_text(f"{LAB}=lab\n")
        sentinel.process.send_signal(signal.SIGHUP)
        tunnel.joined(2)

    def test_a_host_that_comes_again_takes_over_and_the_end_of_its_old_session_changes_nothing(self):
        one, two = self.backend(Backend, named(b"one")), self.backend(Backend, named(b"two"))
        sentinel = self.front()
        old = self.tunnel(sentinel, one.port, "--id", "a").joined()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16one", "end"))
        kept = Recorder()
        self.addCleanup(kept.close)
        self.tunnel(sentinel, two.port, "--id", "a").joined()
        for _ in range(5):
            self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16two", "end"))
        # The one that was started before does not get its place back.
        wait_until(lambda: "failed" in old.states(), "the old one to be told")
        self.assertIn("is over", old.news()[-1]["error"]["message"])
        old.process.kill()
        old.process.wait()
        wait_until(lambda: "session=1 " in sentinel.log() and "a tunnel is closed" in sentinel.log(), "the old session to end")
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16two", "end"))

    def test_a_killed_host_is_away_at_once_and_nobody_else_is(self):
        lab, prod = self.backend(Backend, named(b"lab")), self.backend(Backend, named(b"prod"))
        sentinel = self.front("--default-pool", "prod")
        killed = self.tunnel(sentinel, lab.port).joined()
        self.tunnel(sentinel, prod.port, pool="prod", hostname="prod.test", token=PROD).joined()
        self.assertEqual(self.tunnel(sentinel, lab.port, "--alias", "prod.test", "--id", "b", hostname="b.test").refused()[0], 4)
        killed.process.kill()
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the killed host to be away", seconds=2)
        self.assertEqual(sentinel.ask(hello(b"prod.test")), (b"\x16prod", "end"))
        self.assertEqual(sentinel.ask(hello(b"lab.test")), AWAY)

    def test_two_hosts_of_one_pool_do_not_disturb_each_other(self):
        one, two = self.backend(Backend, named(b"one")), self.backend(Backend, named(b"two"))
        sentinel = self.front()
        self.tunnel(sentinel, one.port, "--id", "one", hostname="one.test").joined()
        other = self.tunnel(sentinel, two.port, "--id", "two", hostname="two.test", token=ALL).joined()
        other.process.kill()
        wait_until(lambda: sentinel.ask(hello(b"two.test")) == AWAY, "the killed host to be away")
        self.assertEqual(sentinel.ask(hello(b"one.test")), (b"\x16one", "end"))


class Misbehaving(TunnelCase):
    def shake_hands(self, sentinel, protocols=("berth-tunnel/1",), source=None):
        context = ssl.create_default_context(cafile=self.directory / f"{FRONT}.pem")
        context.hostname_checks_common_name = True
        context.set_alpn_protocols(protocols)
        host = context.wrap_socket(sentinel.connect(source), server_hostname=FRONT)
        self.addCleanup(host.close)
        return host

    def say(self, sentinel, data):
        """What is answered, until the end."""
        with self.shake_hands(sentinel) as host:
            host.sendall(data)
            return read_all(host)[0]

    def test_what_is_no_hello_is_refused_with_the_reason(self):
        sentinel = self.front()
        framed = lambda text: len(text).to_bytes(4, "big") + text
        for data, words in ((b"\xff\xff\xff\xff", b"65536 is the most"), (framed(b"{"), b"invalid_argument"), (framed(b"{}"), b"/host"),
                            (framed(b'{"host":"a","ports":[1]}'), b"neither a token nor a certificate")):
            self.assertIn(words, self.say(sentinel, data))
        # Who offers something else besides is a visitor of the name.
        with self.assertRaisesRegex(ssl.SSLError, "(?i)unrecognized.name"):
            self.shake_hands(sentinel, ("berth-tunnel/1", "h2"))

    def test_frames_that_break_the_rules_end_their_session_alone(self):
        prod = self.backend(Backend, named(b"prod"))
        sentinel = self.front()
        self.tunnel(sentinel, prod.port, pool="prod", hostname="prod.test", token=PROD).joined()
        said = json_hello(token=LAB, pool="lab", host="a", ports=[443], port=443, hostname="lab.test")
        for rubbish in (b"\x01" * 12, bytes([0, 1, 0, 1]) + bytes([0, 0, 0, 1]) + bytes(4), os.urandom(1 << 16)):
            with self.shake_hands(sentinel) as host:
                host.sendall(said)
                self.assertIn(b"session", host.recv(1 << 16))
                with contextlib.suppress(OSError):  # it may be closed before all is sent
                    host.sendall(rubbish)
                    read_all(host)
            wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the session to be over")
            self.assertEqual(sentinel.ask(hello(b"prod.test")), (b"\x16prod", "end"))

    def test_a_network_that_does_not_say_its_hellos_keeps_out_itself_alone(self):
        backend = self.backend(Backend, named(b"lab"))
        sentinel = self.front("--tunnel-hellos-per-source-max", "2")
        silent = [self.shake_hands(sentinel) for _ in range(2)]
        with self.assertRaisesRegex(ssl.SSLError, "(?i)internal.error"):
            self.shake_hands(sentinel)
        self.shake_hands(sentinel, source="127.0.1.1").close()
        self.assertEqual(sentinel.counts()["tunnel_refused"], 1)
        self.assertIn("too many have not said their hello", sentinel.log())
        tunnel = self.tunnel(sentinel, backend.port)
        wait_until(lambda: tunnel.news(), "the tunnel to be refused")
        self.assertIn("no place for another tunnel", tunnel.news()[0]["error"]["message"])
        silent[0].close()
        tunnel.joined()
        # Whose tunnel is open takes no place.
        with self.shake_hands(sentinel) as host:
            self.assertEqual(host.version(), "TLSv1.3")

    def test_when_all_places_are_taken_the_oldest_makes_room(self):
        sentinel = self.front("--tunnel-hellos-max", "2")
        said = json_hello(host="a", ports=[1])
        first, second = (self.shake_hands(sentinel, source=f"127.0.{at}.1") for at in (1, 2))

        def heard():
            try:
                return b"neither a token nor a certificate" in self.say(sentinel, said)
            except ssl.SSLError as problem:
                self.assertIn("INTERNAL_ERROR", str(problem).upper().replace(" ", "_"))
        wait_until(heard, "the oldest to have had its time")
        self.assertEqual(read_all(first)[0], b"")
        second.sendall(said)
        self.assertIn(b"neither a token nor a certificate", read_all(second)[0])

    def test_who_goes_on_talking_behind_a_refusal_keeps_nobody_waiting_and_is_cut_at_the_deadline(self):
        sentinel = self.front("--compat-containarium")
        talkers = [sentinel.say(b"{}\n") for _ in range(4)]
        begun = time.monotonic()
        threads = [thread for talker in talkers for thread in keep_talking(talker)]
        for _ in range(5):
            self.assertIn(b"neither a token nor a certificate", self.say(sentinel, json_hello(host="a", ports=[1])))
        self.assertLess(time.monotonic() - begun, 8)
        for thread in threads:
            thread.join(20)
        self.assertLess(time.monotonic() - begun, 14)

    def test_refusals_are_logged_once_a_second(self):
        sentinel = self.front()
        begun = time.monotonic()
        for _ in range(20):
            self.say(sentinel, json_hello(host="a", ports=[1]))
        self.assertLessEqual(sentinel.log().count("a tunnel is refused"), 1 + time.monotonic() - begun)

    def test_who_says_nothing_is_not_waited_for(self):
        sentinel = self.front()
        begun = time.monotonic()
        with self.shake_hands(sentinel) as host:
            read_all(host)
        self.assertTrue(9 < time.monotonic() - begun < 15)


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
class Behind(TunnelCase):
    """A machine that lets nobody in, and a sentinel outside."""

    def serve_on(self, machine):
        """A server on the machine's loopback, and the sentinel."""
        make_certificate(self.directory, "home.test")
        service = machine.start(["openssl", "s_server", "-quiet", "-www", "-accept", "127.0.0.1:8443", "-cert",
                                 self.directory / "home.test.pem", "-key", self.directory / "home.test.key"])
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        machine.run(["nft", "add table inet nat_like; add chain inet nat_like in { type filter hook input priority 0; policy drop; }; "
                     "add rule inet nat_like in iif lo accept; add rule inet nat_like in ct state established accept"])
        self.addCleanup(machine.run, ["nft", "delete table inet nat_like"])
        log = self.directory / "outside.log"
        with open(log, "wb") as out:
            sentinel = subprocess.Popen(machine.enter_outside(
                [program("berth-sentinel"), "--listen", f"{OUTSIDE_ADDRESS}:443", "--state-dir", self.directory / "outside",
                 "--tunnel-token-file", self.tokens, "--tunnel-certificate", self.directory / f"{FRONT}.pem", "--tunnel-key",
                 self.directory / f"{FRONT}.key", "--drain-timeout", "0.1"]), stderr=out, preexec_fn=die_with_parent)
        self.addCleanup(sentinel.wait)
        self.addCleanup(sentinel.terminate)
        wait_until(lambda: " ready" in log.read_text(), "the sentinel to listen")

    def page(self, machine):
        return machine.outside(["curl", "--silent", "--show-error", "--cacert", self.directory / "home.test.pem", "--connect-to",
                                f"home.test:443:{OUTSIDE_ADDRESS}:443", "https://home.test/"]).stdout

    def test_a_service_on_another_machine_is_reached_though_nothing_reaches_that_machine(self):
        machine = Machine(self.directory)
        self.addCleanup(machine.close)
        self.serve_on(machine)
        self.tunnel(443, 8443, hostname="home.test", host=OUTSIDE_ADDRESS, enter=machine.enter([])).joined()
        self.assertIn("s_server", self.page(machine))
        refused = machine.outside(["curl", "--silent", "--max-time", "2", f"https://{HOST_ADDRESS}:8443/"], check=False)
        self.assertNotEqual(refused.returncode, 0)

    @unittest.skipUnless(IMAGES.is_dir(), "berthd needs the base image")
    def test_berthd_keeps_the_tunnel_that_its_file_asks_for(self):
        (self.directory / "token").write_text(LAB + "\n")
        table = (f'version = 1\npool = "lab"\n[tunnel]\nsentinel = "{OUTSIDE_ADDRESS}"\nserver_name = "{FRONT}"\n'
                 f'ca = "{self.directory}/{FRONT}.pem"\ntoken_file = "{self.directory}/token"\nhostname = "home.test"\n'
                 'forward = ["443=127.0.0.1:8443"]\n')

        class TunnelHost(Host):
            def start(self):
                (self.root / "config.toml").write_text(table)
                super().start()
        host = TunnelHost()
        self.addCleanup(host.close)
        wait_until(lambda: "not reached through the sentinel" in host.log_tail(), "the complaint about a sentinel that is not there")
        self.serve_on(host.machine)
        wait_until(lambda: " reached through the sentinel" in host.log_tail().replace("not reached", ""), "the host to be reached")
        self.assertIn("s_server", self.page(host.machine))

    @unittest.skipUnless(IMAGES.is_dir(), "berthd needs the base image")
    def test_berthd_takes_the_descriptors_that_streams_need_and_containers_get_what_they_always_got(self):
        (self.directory / "token").write_text(LAB + "\n")

        class TunnelHost(Host):
            def start(host):
                (host.root / "config.toml").write_text(f'version = 1\npool = "lab"\n[tunnel]\nsentinel = "127.0.0.1:1"\n'
                                                       f'token_file = "{self.directory}/token"\nforward = ["443=127.0.0.1:8443"]\n')
                super().start()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        few = (1024, before[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, few)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        host = TunnelHost()
        self.addCleanup(host.close)
        descriptors = lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE)
        wait_until(lambda: descriptors(host.daemon.pid)[0] == before[1], "the limit to be raised")
        children = Path(f"/proc/{host.daemon.pid}/task/{host.daemon.pid}/children")
        name_of = lambda pid: Path(f"/proc/{pid}/comm").read_text().strip()
        launchers = lambda: [int(pid) for pid in children.read_text().split() if name_of(pid) == "berth-launcher"]
        host.create("eve")
        usual = host.output("eve", "sh", "-c", "ulimit -Sn; ulimit -Hn")
        self.assertEqual(usual.split()[0], "1024")
        [first] = launchers()
        os.kill(first, signal.SIGKILL)  # the next is made by a berthd whose limit is raised
        wait_until(lambda: ") Z " in Path(f"/proc/{first}/stat").read_text(), "it has ended")
        host.rpc("container_stop", {"name": "eve", "timeout_seconds": 0})
        host.rpc("container_start", {"name": "eve"})
        self.assertEqual(host.output("eve", "sh", "-c", "ulimit -Sn; ulimit -Hn"), usual)
        [second] = launchers()
        self.assertNotEqual(second, first)
        self.assertEqual(descriptors(second), few)


class Looking(TunnelCase):
    def test_metrics_status_and_page_tell_of_tunnels_and_of_hellos_by_what_became_of_them(self):
        backend = self.backend(Recorder)
        sentinel = self.front("--health-interval", "3600")
        ask = lambda path: RegistryCase.exchange(UnixHttp(self.state / "admin.sock"), "GET", path, None, None)[1]
        tunnelling = lambda: ask("/status")["tunnelling"]
        for number in (1, 2):  # the second takes over
            tunnel = self.tunnel(sentinel, backend.port, "--id", "a")
            probe = backend.next()
            probe.sendall(b"\x16")
            tunnel.joined()
            probe.close()
        self.assertEqual(self.tunnel(sentinel, 1, token="wrong-token").refused()[0], 7)
        self.assertEqual(self.tunnel(sentinel, 1, "--alias", "no name").refused()[0], 2)
        wait_until(lambda: tunnelling()["streams_open"] == 0 and tunnelling()["sessions"] == 1, "the old session and the probes to end")
        before = tunnelling()
        client = sentinel.say(hello(b"lab.test"))
        service = backend.next()
        read_some(service, len(hello(b"lab.test")))
        service.sendall(b"x" * MIB)
        read_some(client, MIB)
        # What is sent is counted then, which its reader may have seen before.
        wait_until(lambda: tunnelling()["bytes_to_clients"] - before["bytes_to_clients"] >= MIB, "all bytes to be counted")
        after = tunnelling()
        self.assertEqual((after["streams_open"], after["streams_total"] - before["streams_total"], after["takeovers"]), (1, 1, 1))
        self.assertEqual(after["bytes_to_clients"] - before["bytes_to_clients"], MIB)
        self.assertEqual(after["bytes_from_clients"] - before["bytes_from_clients"], len(hello(b"lab.test")))
        self.assertGreaterEqual(after["hellos"]["opened"], 2)
        self.assertEqual((after["hellos"]["denied"], after["hellos"]["malformed"]), (1, 1))
        metrics = ask("/metrics")
        for line in ("tunnel_sessions 1", "tunnel_streams_open 1", f"tunnel_streams_total {after['streams_total']}", "tunnel_takeovers_total 1",
                     f'tunnel_bytes_total{{direction="to_client"}} {after["bytes_to_clients"]}', 'tunnel_hellos_total{outcome="denied"} 1'):
            self.assertIn(f"\nberth_sentinel_{line}\n", metrics)
        self.assertIn("<td>hellos: denied</td><td>1</td>", ask("/"))
        client.close()
        service.close()


class Listing(TunnelCase):
    def test_peers_are_listed_in_three_forms_to_those_who_may(self):
        sentinel = self.front("--control", "127.0.0.1:0", "--health-interval", "3600")
        for pool, host, token in (("", "alone", ALL), ("lab", "one", LAB), ("prod", "two", PROD)):
            tunnel = self.tunnel(sentinel, 1, "--id", host, pool=pool, hostname=None, token=token)
            wait_until(lambda: tunnel.states() == ["open"], "the tunnel")

        def listed(query, token=ALL):
            connection = http.client.HTTPConnection("127.0.0.1", RegistryCase.control_port(sentinel), timeout=20)
            status, told = RegistryCase.exchange(connection, "GET", f"/sentinel/peers{query}", None, token)
            return told["peers"] if status == 200 else status

        def peers(query, token=ALL):
            return [one["id"] for one in listed(query, token)]
        self.assertEqual(peers(""), ["tunnel-alone", "tunnel-one", "tunnel-two"])
        self.assertEqual(peers("?pool="), ["tunnel-alone"])
        self.assertEqual(peers("?pool=lab"), ["tunnel-one"])
        self.assertEqual(peers("?pool=none"), [])
        self.assertEqual((peers("", LAB), peers("?pool=lab", LAB)), (["tunnel-one"], ["tunnel-one"]))
        self.assertEqual((listed("?pool=", LAB), listed("?pool=prod", LAB)), (403, 403))
        self.assertEqual([(one["pool"], one["host"], one["ports"]) for one in listed("?pool=prod")], [("prod", "two", [443])])
        self.assertNotIn("pool", listed("?pool=")[0])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host that can be connected to registers itself: berthd does, with the [primary] table of its file."""
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from support.host import IMAGES, Host, program
from support.machine import HOST_ADDRESS, OUTSIDE_ADDRESS, die_with_parent, wait_until
from support.sentinel import main, make_certificate
from support.tunnel import FRONT, LAB, PROD, TunnelCase
from test_sentinel_registry import RegistryCase, UnixHttp

CONTROL, SERVICE, TTL = 8888, 4433, 3


@unittest.skipUnless(os.geteuid() == 0 and IMAGES.is_dir(), "berthd needs root and the base image")
class Registering(TunnelCase):
    """berthd on its machine, and a sentinel outside."""

    def setUp(self):
        super().setUp()
        make_certificate(self.directory, "lab.test", "api.lab.test", "*.apps.lab.test")
        self.token = self.directory / "token"
        self.token.write_text(LAB + "\n")
        self.log = self.directory / "outside.log"
        self.log.touch()

    def table(self, **changes):
        """The file of a berthd that registers."""
        keys = {"sentinel": f"https://{OUTSIDE_ADDRESS}:{CONTROL}", "server_name": FRONT, "ca": str(self.directory / f"{FRONT}.pem"),
                "token_file": str(self.token), "hostname": "lab.test", "alias": ["api.lab.test"], "base_domain": ["apps.lab.test"],
                "port": SERVICE, "beat": 1, **changes}
        lines = [f"{key} = {value!r}" for key, value in keys.items() if value is not None]
        return "\n".join(["version = 1", 'pool = "lab"', "[primary]", *lines, ""]).replace("'", '"')

    def host(self, **changes):
        table = self.table(**changes)

        class Registered(Host):
            def start(self):
                (self.root / "config.toml").write_text(table)
                super().start()
        host = Registered()
        self.addCleanup(host.close)
        service = host.machine.start(["openssl", "s_server", "-quiet", "-www", "-accept", str(SERVICE), "-cert", self.directory / "lab.test.pem",
                                      "-key", self.directory / "lab.test.key"], stderr=subprocess.DEVNULL)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        return host

    def sentinel(self, machine, *flags):
        own = self.directory / f"{FRONT}.pem", self.directory / f"{FRONT}.key"
        argv = [program("berth-sentinel"), "--listen", "0.0.0.0:443", "--state-dir", self.state, "--tunnel-token-file", self.tokens, "--control",
                f"0.0.0.0:{CONTROL}", "--control-certificate", own[0], "--control-key", own[1], "--registration-ttl", TTL, "--drain-timeout", "0.1", *flags]
        started = self.log.read_text().count(" ready")
        with open(self.log, "ab") as log:
            process = subprocess.Popen(machine.enter_outside(argv), stderr=log, preexec_fn=die_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: self.log.read_text().count(" ready") > started or process.poll() is not None, "the sentinel to listen")
        return process

    def curl(self, machine, name="lab.test"):
        """0 when the host's own certificate is shown; 35 for an alert."""
        return machine.outside(["curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--cacert", self.directory / "lab.test.pem",
                                "--resolve", f"{name}:443:{OUTSIDE_ADDRESS}", f"https://{name}/"], check=False).returncode

    def registered(self):
        return RegistryCase.exchange(UnixHttp(self.state / "admin.sock"), "GET", "/sentinel/primaries", None, None)[1]["primaries"]

    def count(self, host, words):
        return (host.root / "berthd.log").read_text().count(words)

    def test_a_host_is_registered_while_it_lives_and_whoever_is_killed(self):
        host = self.host()
        machine = host.machine
        wait_until(lambda: self.count(host, "nobody answers at"), "the complaint about a sentinel that is not there")
        front = self.sentinel(machine)
        wait_until(lambda: re.search("(?<!not )registered with the sentinel", (host.root / "berthd.log").read_text()), "berthd to register")
        for name in ("lab.test", "api.lab.test", "x.apps.lab.test"):
            wait_until(lambda: self.curl(machine, name) == 0, f"{name} to be reached")
        [one] = self.registered()
        self.assertEqual((one["pool"], one["ip"], one["port"], one["lease"]), ("lab", HOST_ADDRESS, SERVICE, "ttl"))

        # The sentinel is killed: the host beats again as soon as it is there.
        front.kill()
        front.wait()
        wait_until(lambda: self.count(host, "nobody answers at") > 1, "berthd to notice")
        front = self.sentinel(machine)
        self.assertEqual(self.curl(machine), 0)
        beaten = self.registered()[0]["last_heartbeat"]
        wait_until(lambda: self.registered()[0]["last_heartbeat"] > beaten, "a beat")

        # It has forgotten everything: the host registers again.
        front.kill()
        front.wait()
        for file in self.state.iterdir():
            if file.is_file():
                file.unlink()
        self.sentinel(machine)
        wait_until(lambda: self.registered() and self.curl(machine) == 0, "berthd to register again")
        self.assertTrue(self.count(host, "pool not registered"))

        # berthd is killed: its registration ends in time, and its next start has it back.
        host.kill()
        wait_until(lambda: self.registered() == [] and self.curl(machine) == 35, "the registration to expire")
        host.start()
        wait_until(lambda: self.curl(machine) == 0, "the host to be back")
        # A clean stop leaves at once, which is before the time is up.
        left = self.count(host, " stopping ")
        host.stop()
        self.assertEqual((self.registered(), self.curl(machine)), ([], 35))
        self.assertGreater(self.count(host, " stopping "), left)
        host.start()
        self.assertNotIn(LAB, (host.root / "berthd.log").read_text())
        self.assertNotIn(LAB, Path(f"/proc/{host.daemon.pid}/cmdline").read_text())

    def test_a_refusal_is_told_with_its_reason_and_holds_up_nothing(self):
        self.token.write_text(PROD + "\n")
        host = self.host()
        self.sentinel(host.machine)
        wait_until(lambda: self.count(host, 'not authorized for pool'), "the refusal")
        self.assertEqual(host.rpc("container_list", {})["containers"], [])
        self.token.write_text(LAB + "\n")  # read again for each request
        wait_until(lambda: self.registered() != [], "berthd to register")
        self.assertNotIn(PROD, (host.root / "berthd.log").read_text())

    def test_who_is_not_certified_gets_no_token(self):
        make_certificate(self.directory, "other.test")
        os.replace(self.directory / "other.test.pem", self.directory / "other.pem")
        host = self.host(ca=str(self.directory / "other.pem"))
        self.sentinel(host.machine)
        wait_until(lambda: self.count(host, "certificate is not trusted"), "the complaint")
        self.assertEqual(self.registered(), [])


    def test_a_certificate_stands_instead_of_a_token(self):
        make_certificate(self.directory, "host.test")
        own = self.directory / "host.test.pem", self.directory / "host.test.key"
        host = self.host(token_file=None, certificate=str(own[0]), key=str(own[1]))
        self.sentinel(host.machine, "--tunnel-certificate-policy", f"{own[0]}=lab")
        wait_until(lambda: self.registered() and self.curl(host.machine) == 0, "berthd to register")


class Configuring(unittest.TestCase):
    def test_a_table_that_cannot_be_right_is_refused_with_the_key(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "berthd.toml"
            for text, words in (('[primary]\nport = 443\n', "primary.sentinel"), ('[primary]\nsentinel = "http://192.0.2.1"\n', "http"),
                                ('[primary]\nsentinel = "https://a.test"\n', "pool"),
                                ('pool = "lab"\n[primary]\nsentinel = "https://a.test"\n', "primary.hostname"),
                                ('pool = "lab"\n[primary]\nsentinel = "https://a.test"\nhostname = "a.test"\n', "primary.token_file"),
                                ('pool = "lab"\n[primary]\nsentinel = "https://a.test"\nhostname = "a.test"\ntoken_file = "/t"\nport = 0\n', "primary.port"),
                                ('pool = "lab"\n[primary]\nnothing = 1\n', "nothing"),
                                ('pool = "a/b"\n[primary]\nsentinel = "https://a.test"\n', "1 to 63")):
                with self.subTest(text):
                    file.write_text("version = 1\n" + text)
                    done = subprocess.run([program("berthd"), "--config", file, "--state-dir", directory, "cdi"], capture_output=True, text=True, timeout=20)
                    self.assertEqual((done.returncode, words in done.stderr), (2, True), done.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts whose certificates an authority has signed open tunnels for the pools that these name."""
import signal
import subprocess
import time

from support.machine import wait_until
from support.sentinel import ALERT_INTERNAL, Backend, alert, hello, main
from support.tunnel import TunnelCase

AWAY = (alert(ALERT_INTERNAL), "end")


def openssl(*words):
    subprocess.run(["openssl", *[str(word) for word in words]], check=True, capture_output=True)


def say_lab(connection):
    connection.recv(1 << 16)
    connection.sendall(b"\x16lab")


class Certified(TunnelCase):
    def authority(self, name):
        """Its certificate; the key is beside it."""
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self.directory / f"{name}.key", "-out", self.directory / f"{name}.pem")
        return self.directory / f"{name}.pem"

    def shown(self, name, *pools, by="authority", days=2, seconds=None):
        """The arguments that show a certificate for these pools."""
        key, request, certificate = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions = self.directory / f"{name}.extensions"
        extensions.write_text("extendedKeyUsage=clientAuth\n" + (
            "subjectAltName=" + ",".join(f"URI:berth-pool:{pool}" for pool in pools) + "\n" if pools else ""))
        if seconds is None:
            openssl("x509", "-req", "-in", request, "-CA", self.directory / f"{by}.pem", "-CAkey", self.directory / f"{by}.key",
                    "-days", days, "-extfile", extensions, "-out", certificate)
        else:
            self.sign_for(seconds, by, request, extensions, certificate)
        return "--certificate", certificate, "--key", key

    def sign_for(self, seconds, by, request, extensions, certificate):
        """`openssl x509` knows whole days alone, and `openssl ca` any moment."""
        configuration = self.directory / "ca.cnf"
        configuration.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.directory}/database\nnew_certs_dir={self.directory}\n"
                                 "rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        (self.directory / "database").write_text("")
        moment = lambda after: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + after))
        openssl("ca", "-batch", "-config", configuration, "-cert", self.directory / f"{by}.pem", "-keyfile", self.directory / f"{by}.key",
                "-startdate", moment(-60), "-enddate", moment(seconds), "-extfile", extensions, "-in", request, "-out", certificate)

    def test_a_certificate_of_the_authority_opens_a_tunnel_for_the_pools_that_it_names(self):
        backend = self.backend(Backend, say_lab)
        sentinel = self.front("--tunnel-client-ca", self.authority("authority"))
        self.tunnel(sentinel, backend.port, *self.shown("host", "other", "lab")).joined()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16lab", "end"))

    def test_one_that_is_not_in_order_is_refused_with_the_reason(self):
        self.authority("stranger")
        sentinel = self.front("--tunnel-client-ca", self.authority("authority"))
        for shown, words in ((self.shown("old", "lab", days=-1), "certificate has expired"),
                             (self.shown("strange", "lab", by="stranger"), "unable to get local issuer certificate"),
                             (self.shown("nameless"), "names no pool"),
                             (self.shown("all", "*"), "names no pool"),
                             (self.shown("elsewhere", "prod"), 'not for pool "lab", but for prod')):
            with self.subTest(words):
                code, error = self.tunnel(sentinel, 1, *shown).refused()
                self.assertEqual(code, 7, error)
                self.assertIn(words, error["message"])
                self.assertTrue(error["hint"], error)

    def test_a_rule_for_the_very_certificate_counts_before_the_authority(self):
        authority, shown = self.authority("authority"), self.shown("host", "lab")
        sentinel = self.front("--tunnel-client-ca", authority, "--tunnel-certificate-policy", f"{shown[1]}=prod")
        code, error = self.tunnel(sentinel, 1, *shown).refused()
        self.assertEqual(code, 7, error)
        self.assertIn('certificate not authorized for pool "lab"', error["message"])

    def test_a_reload_cuts_those_of_an_authority_that_is_gone_and_no_others(self):
        backend = self.backend(Backend, say_lab)
        authority = self.authority("authority")
        sentinel = self.front("--tunnel-client-ca", authority)
        tunnel = self.tunnel(sentinel, backend.port, *self.shown("host", "lab")).joined()
        authority.write_text("no certificate\n")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "client authority stay as they were" in sentinel.log(), "the complaint")
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16lab", "end"))
        authority.write_bytes(self.authority("next").read_bytes())
        successor = self.shown("again", "lab", by="next")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the session to be over")
        wait_until(lambda: "failed" in tunnel.states(), "the old certificate to be refused")
        self.assertIn("local issuer", tunnel.news()[-1]["error"]["message"])
        self.tunnel(sentinel, backend.port, *successor, "--id", "again").joined()
        sentinel.process.send_signal(signal.SIGHUP)
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16lab", "end"))

    def test_a_session_ends_when_its_certificate_expires_and_others_go_on(self):
        backend = self.backend(Backend, say_lab)
        access = self.state / "access.log"
        sentinel = self.front("--tunnel-client-ca", self.authority("authority"), "--access-log", access)
        self.tunnel(sentinel, backend.port, *self.shown("long", "lab"), "--id", "long", hostname="long.test").joined()
        ends_at = time.time() + 6
        tunnel = self.tunnel(sentinel, backend.port, *self.shown("short", "lab", seconds=6)).joined()
        self.assertEqual(sentinel.ask(hello(b"lab.test")), (b"\x16lab", "end"))
        self.assertLess(time.time(), ends_at)
        wait_until(lambda: sentinel.ask(hello(b"lab.test")) == AWAY, "the session to be over")
        self.assertGreater(time.time(), ends_at - 1.5)  # certificates know whole seconds
        self.assertLess(time.time(), ends_at + 4)
        wait_until(lambda: "failed" in tunnel.states(), "the certificate to be refused")
        self.assertIn("expired", tunnel.news()[-1]["error"]["message"])
        self.assertEqual(sentinel.ask(hello(b"long.test")), (b"\x16lab", "end"))
        wait_until(lambda: '"outcome":"tunnel_ended","reason":"expired"' in access.read_text(), "the line")

    def test_what_cannot_be_an_authority_is_refused_at_the_start(self):
        with self.assertRaisesRegex(AssertionError, "nothing.pem"):
            self.front("--tunnel-client-ca", self.directory / "nothing.pem")


if __name__ == "__main__":
    main()

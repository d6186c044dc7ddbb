#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pool that is away is spoken for by its own page, under its own certificate, and by nobody else."""
import os
import signal
import subprocess
import time

from support.machine import wait_until
from support.sentinel import (ALERT_INTERNAL, NOBODY, SentinelCase, alert, hello, keep_talking, main, make_certificate, read_some,
                              tls_backend)


class Page(SentinelCase):
    def setUp(self):
        super().setUp()
        self.well = self.backend(tls_backend, self.directory, "well.test")
        self.away = self.backend()
        self.away.close()  # its port is nobody's now
        self.page = self.directory / "page"
        self.page.mkdir()
        make_certificate(self.directory, "away.test")
        (self.directory / "away.test.pem").rename(self.page / "certificate.pem")
        (self.directory / "away.test.key").rename(self.page / "key.pem")
        if os.geteuid() == 0:
            os.chown(self.page / "key.pem", NOBODY, NOBODY)
        self.write_page("<h1>Back soon</h1>")
        self.text = (f"well.test 127.0.0.1:{self.well.port} well\naway.test 127.0.0.1:{self.away.port} away\n"
                     f"other.test 127.0.0.1:{self.away.port} away\nmute.test 127.0.0.2:{self.away.port} mute\n")

    def write_page(self, text):
        (self.page / "page.html").write_text(text)

    def fetch(self, sentinel, name, certificate, *options):
        return subprocess.run(["curl", "--silent", "--show-error", "--include", "--cacert", certificate, "--connect-to",
                               f"{name}:443:127.0.0.1:{sentinel.port}", f"https://{name}/some/path", *options],
                              capture_output=True, text=True, timeout=20)

    def test_clients_of_a_pool_that_is_away_see_its_page_and_those_of_others_their_pool(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}")
        for options in ((), ("--http1.1",), ("--tls-max", "1.2")):
            done = self.fetch(sentinel, "away.test", self.page / "certificate.pem", *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(done.stdout.startswith("HTTP/1.1 503 "), done.stdout)
            self.assertIn("Retry-After: 30", done.stdout)
            self.assertTrue(done.stdout.endswith("\n<h1>Back soon</h1>"), done.stdout)
        done = self.fetch(sentinel, "away.test", self.page / "certificate.pem", "--head")
        self.assertEqual((done.returncode, "Back soon" in done.stdout), (0, False), done.stderr)
        done = self.fetch(sentinel, "well.test", self.directory / "well.test.pem")
        self.assertTrue(done.stdout.endswith("well.test"), done.stderr)
        self.assertEqual(sentinel.ask(hello(b"mute.test")), (alert(ALERT_INTERNAL), "end"))
        wait_until(lambda: sentinel.counts()["page_shown"] == 4, "the last page to be counted")
        self.assertEqual(sentinel.counts()["primary_down"], 1)

    def test_a_client_that_goes_on_talking_keeps_nobody_waiting_and_is_cut_at_the_deadline(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}")
        begun = time.monotonic()
        threads = [thread for _ in range(4) for thread in keep_talking(sentinel.say(hello(b"away.test")))]
        for _ in range(3):
            self.assertIn("<h1>Back soon</h1>", self.fetch(sentinel, "away.test", self.page / "certificate.pem").stdout)
        self.assertLess(time.monotonic() - begun, 8)
        for thread in threads:
            thread.join(20)
        self.assertLess(time.monotonic() - begun, 14)

    def test_a_pool_that_is_back_is_routed_to(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}")
        self.assertIn("503", self.fetch(sentinel, "away.test", self.page / "certificate.pem").stdout)
        back = self.backend()
        sentinel.reload(f"away.test 127.0.0.1:{back.port} away\n")
        sentinel.say(hello(b"away.test"))
        read_some(back.next(), len(hello(b"away.test")))

    def test_a_page_is_shown_to_who_came_through_a_proxy_and_of_a_pool_that_is_told(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}", "--proxy-protocol", "away")
        done = self.fetch(sentinel, "away.test", self.page / "certificate.pem")
        self.assertIn("Back soon", done.stdout, done.stderr)

    def test_too_many_who_wait_get_the_alert_and_leave_room_when_they_go(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}", "--threads", "1")
        waiting = [sentinel.say(hello(b"away.test", extensions=None)) for _ in range(70)]
        wait_until(lambda: sum(sentinel.counts()[what] for what in ("page_shown", "primary_down")) == 70, "all to be answered")
        self.assertGreaterEqual(sentinel.counts()["primary_down"], 1)
        for client in waiting:
            client.close()
        wait_until(lambda: sentinel.sockets() < 5, "their sockets to be closed")
        self.assertIn("Back soon", self.fetch(sentinel, "away.test", self.page / "certificate.pem").stdout)

    def test_a_signal_reads_the_page_again_and_a_mistake_keeps_it(self):
        sentinel = self.start(self.text, "--maintenance", f"away={self.page}")
        self.write_page("<h1>Tomorrow</h1>")
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "Tomorrow" in self.fetch(sentinel, "away.test", self.page / "certificate.pem").stdout, "the new page")
        (self.page / "page.html").unlink()
        sentinel.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "pages stay as they were" in sentinel.log(), "the mistake to be told")
        self.assertIn("Tomorrow", self.fetch(sentinel, "away.test", self.page / "certificate.pem").stdout)

    def test_a_start_with_a_certificate_of_another_key_is_refused(self):
        make_certificate(self.directory, "other.test")
        (self.directory / "other.test.key").rename(self.page / "key.pem")
        if os.geteuid() == 0:
            os.chown(self.page / "key.pem", NOBODY, NOBODY)
        with self.assertRaisesRegex(AssertionError, "key.pem: "):
            self.start(self.text, "--maintenance", f"away={self.page}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""A sentinel that takes tunnels, and hosts that open them with `berth tunnel`."""
import json
import os
import resource
import signal
import subprocess

from support.host import program
from support.machine import die_with_parent, wait_until
from support.sentinel import PATIENCE, Recorder, SentinelCase, hello, make_certificate, read_some

LAB, PROD, ALL = "lab-token-1", "prod-token-1", "all-token-1"
FRONT = "front.test"


class Tunnel:
    """One `berth tunnel` process. What it tells is in `news`."""

    def __init__(self, directory, sentinel_port, *flags, token=LAB, number=0, enter=(), host="127.0.0.1", ca=FRONT,
                 descriptors=None):
        token_file = directory / f"token.{number}"
        token_file.write_text(token + "\n")
        self._out, self._err = directory / f"tunnel.{number}.out", directory / f"tunnel.{number}.err"
        argv = [*enter, program("berth"), "--json", "tunnel", "--sentinel", f"{host}:{sentinel_port}", "--server-name", FRONT,
                "--ca", directory / f"{ca}.pem", *flags]
        if "--certificate" not in flags:
            argv += ["--token-file", token_file]

        def prepare():
            die_with_parent()
            if descriptors:  # those a shell gives; more may be asked for
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            preexec_fn=prepare)

    def news(self):
        return [json.loads(line) for line in self._out.read_text().splitlines()]

    def states(self):
        return [one["state"] for one in self.news()]

    def joined(self, times=1):
        """Waits until a request has come back that often."""
        wait_until(lambda: self.states().count("joined") >= times or self.process.poll() is not None, "the tunnel to be joined")
        if self.process.poll() is not None:
            raise AssertionError(self._err.read_text())
        return self

    def refused(self):
        """Waits for the end, and gives the code and the error."""
        code = self.process.wait(PATIENCE)
        return code, json.loads(self._err.read_text())["error"]

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


class TunnelCase(SentinelCase):
    def setUp(self):
        super().setUp()
        self.state = self.directory / "state"
        self.state.mkdir()
        self.tokens = self.directory / "tokens"
        self.tokens.write_text(f"{LAB}=lab\n{PROD}=prod\n{ALL}=*\n")
        make_certificate(self.directory, FRONT)
        if os.geteuid() == 0:
            for path in (self.state, self.directory / f"{FRONT}.key"):
                os.chown(path, 65534, 65534)
        self._tunnels = 0

    def front(self, *flags, **options):
        return self.start("", "--state-dir", self.state, "--tunnel-token-file", self.tokens, "--tunnel-certificate",
                          self.directory / f"{FRONT}.pem", "--tunnel-key", self.directory / f"{FRONT}.key", *flags, **options)

    def tunnel(self, sentinel, port, *flags, pool="lab", hostname="lab.test", **options):
        """A host of that pool, with a service at that port of its own."""
        names = ("--hostname", hostname) if hostname else ()
        self._tunnels += 1
        tunnel = Tunnel(self.directory, getattr(sentinel, "port", sentinel), "--pool", pool, *names, "--forward", f"443=127.0.0.1:{port}",
                        *flags, number=self._tunnels, **options)
        self.addCleanup(tunnel.close)
        return tunnel

    def ready(self, *flags, **options):
        """A sentinel, and a backend that records behind a tunnel that is open."""
        backend = self.backend(Recorder)
        sentinel = self.front(*flags)
        tunnel = self.tunnel(sentinel, backend.port, **options)
        probe = backend.next()
        probe.sendall(b"\x16")
        tunnel.joined()
        probe.close()
        return sentinel, backend, tunnel

    def visit(self, sentinel, backend, name=b"lab.test"):
        """Both ends of one stream."""
        client = sentinel.say(hello(name))
        primary = backend.next()
        self.assertEqual(read_some(primary, len(hello(name))), hello(name))
        return client, primary

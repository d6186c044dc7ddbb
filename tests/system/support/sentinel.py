# SPDX-License-Identifier: Apache-2.0
"""The real sentinel on loopback, without privileges, and what stands on both sides of it."""
import ctypes
import errno
import fcntl
import os
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import unittest
from pathlib import Path

from support.deadline import run_within
from support.host import program
from support.machine import die_with_parent, wait_until

NOBODY = 65534
PATIENCE = 20.0  # seconds until a test gives up
PIDFD_GETFD = 438  # pidfd_getfd(2)
ALERT_DECODE, ALERT_INTERNAL, ALERT_NAME = 50, 80, 112


def block(width, data):
    return len(data).to_bytes(width, "big") + data


def extension(number, body):
    return number.to_bytes(2, "big") + block(2, body)


def server_name(name, kind=0):
    return extension(0, block(2, bytes([kind]) + block(2, name)))


def message(name=b"a.test", extensions=None, session_id=32, key_share=32):
    """A ClientHello without records. The name is last, where it is latest to be found."""
    if extensions is None:
        extensions = extension(0x3a3a, b"") + extension(51, b"k" * key_share) + extension(0xfe0d, b"e" * 186) + server_name(name)
    return b"\1" + block(3, b"\3\3" + b"r" * 32 + block(1, b"s" * session_id) + block(2, b"\x13\x01") + block(1, b"\0")
                         + block(2, extensions))


def records(content, size=16384, version=b"\3\1"):
    parts = [content[at:at + size] for at in range(0, len(content), size)]
    return b"".join(b"\x16" + version + block(2, part) for part in parts)


def hello(name=b"a.test", record_bytes=16384, version=b"\3\1", **how):
    return records(message(name, **how), record_bytes, version)


def alert(number):
    return bytes([21, 3, 3, 0, 2, 2, number])


def port_to_keep():
    """A free port that no outgoing connection of this machine is given meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as probe:
            port = random.randrange(first // 2, first)
            if probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return port


def reset(connection):
    """Ends a connection by RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def keep_talking(connection, data=b"x" * (1 << 20), talkers=2):
    """Says it over and over, until the peer ends; gives the threads that do."""
    def talk():
        try:
            while True:
                connection.sendall(data)
        except OSError:
            pass
    threads = [threading.Thread(target=talk, daemon=True) for _ in range(talkers)]
    for thread in threads:
        thread.start()
    return threads


def read_all(connection):
    """Until the peer's end; what came before a reset, and the reset as None behind it."""
    got = bytearray()
    try:
        while part := connection.recv(1 << 16):
            got += part
    except ConnectionResetError:
        return bytes(got), "reset"
    return bytes(got), "end"


def read_some(connection, count):
    got = bytearray()
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise AssertionError(f"ended after {len(got)} of {count} bytes")
        got += part
    return bytes(got)


class Backend:
    """A pool's primary. Each connection runs `serve(connection)` in a thread of its own."""

    def __init__(self, serve, address="127.0.0.1", family=socket.AF_INET):
        self._serve = serve
        self.listener = socket.create_server((address, 0), family=family, backlog=512)
        self.port = self.listener.getsockname()[1]
        self.problems = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            with connection:
                self._serve(connection)
        except (OSError, AssertionError) as problem:
            self.problems.append(problem)

    def close(self):
        """Nobody listens there any more."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()


class Recorder(Backend):
    """Hands its connections to the test, in the order they came."""

    def __init__(self, **options):
        self._connections, self._given, self._condition = [], [], threading.Condition()
        super().__init__(self._keep, **options)

    def _keep(self, connection):
        with self._condition:
            self._connections.append(connection.dup())
            self._condition.notify()

    def next(self):
        with self._condition:
            if not self._condition.wait_for(lambda: self._connections, PATIENCE):
                raise AssertionError("no connection came to the backend")
            connection = self._connections.pop(0)
        self._given.append(connection)
        connection.settimeout(PATIENCE)
        return connection

    def close(self):
        super().close()
        for connection in self._given + self._connections:
            connection.close()

    def none(self):
        with self._condition:
            return not self._connections


def make_certificate(directory, name, *others):
    """For that name, and for others beside it, as `*.apps.test`."""
    beside = ["-addext", "subjectAltName=" + ",".join(f"DNS:{one}" for one in (name, *others))] if others else []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", *beside, "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.pem"],
                   check=True, capture_output=True)


def tls_backend(directory, name):
    """Says its own name in HTTP, under a certificate of its own."""
    make_certificate(directory, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + name.encode())
            tls.unwrap()
    return Backend(serve)


class Sentinel:
    def __init__(self, directory, routes, *flags, descriptors=None, start=None):
        self.clients = []
        self.directory = directory
        self.routes = directory / "routes"
        self.write_routes(routes)
        self.log_path = directory / "sentinel.log"
        argv = [program("berth-sentinel"), "--routes", self.routes, *flags]
        if start is None:
            argv += ["--listen", "127.0.0.1:0"]
        if "--drain-timeout" not in flags:
            argv += ["--drain-timeout", "0.1"]  # a test's own connections are of no interest after it

        def prepare():
            die_with_parent()
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            if start:
                start()
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=prepare, close_fds=start is None, **as_nobody)
        try:
            wait_until(lambda: " ready" in self.log() or self.process.poll() is not None, "the sentinel to listen")
        except AssertionError:
            self.process.kill()
            self.process.wait()
        if self.process.poll() is not None:
            raise AssertionError(self.log())
        self.port = int(re.search(r"listening address=\S+:(\d+)", self.log()).group(1))

    def log(self):
        return self.log_path.read_text()

    def write_routes(self, text):
        new = self.directory / "routes.new"
        new.write_text(text)
        new.rename(self.routes)

    def reload(self, text):
        """Writes routes and waits for them, right or wrong."""
        before = len(re.findall("names=|stay as they were", self.log()))
        self.write_routes(text)
        wait_until(lambda: len(re.findall("names=|stay as they were", self.log())) > before, "the routes to be read")

    def connect(self, source=None):
        address = (source, 0) if source else None
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE, source_address=address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.append(connection)
        return connection

    def say(self, data, source=None):
        connection = self.connect(source)
        connection.sendall(data)
        return connection

    def ask(self, data, source=None):
        """All that is answered to these bytes."""
        with self.say(data, source) as connection:
            return read_all(connection)

    def counts(self):
        before = self.log().count(" connections ")
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.log().count(" connections ") > before, "the counts")
        last = self.log().split(" connections ")[-1].split("\n")[0]
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", last)}

    def rest(self):
        """Waits until none of its threads has anything to do."""
        def state(thread):
            return (thread / "stat").read_text().rsplit(") ", 1)[1][0]
        wait_until(lambda: all(state(thread) == "S" for thread in Path(f"/proc/{self.process.pid}/task").iterdir()), "it to rest")

    def settle(self):
        """Waits until it has taken whatever its clients have said."""
        wait_until(lambda: self.counts()["accepted"] == len(self.clients), "all of them to come")
        wait_until(lambda: not self.bytes_on_the_way(), "it to have read what they said")

    def bytes_on_the_way(self):
        """What its clients have said and the kernel holds, on their side or on its own (proc(5), /proc/net/tcp)."""
        port, on_the_way = f":{self.port:04X}", 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            unsent, unread = (int(queue, 16) for queue in queues.split(":"))
            on_the_way += unsent * remote.endswith(port) + unread * (local.endswith(port) and not remote.endswith(":0000"))
        return on_the_way

    def descriptors(self):
        """What its open descriptors are, one entry each."""
        found = []
        for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
            try:
                found.append(os.readlink(entry.path))
            except FileNotFoundError:
                pass
        return found

    def socket_options(self, *options):
        """These options (level, name) of all its TCP connections; nothing where one may not look into another process."""
        process, found = os.pidfd_open(self.process.pid), []
        for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
            if not os.readlink(entry.path).startswith("socket:"):
                continue
            number = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, int(entry.name), 0)
            if number < 0:
                break
            with socket.socket(fileno=number) as one:
                if one.family != socket.AF_UNIX and not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append(tuple(one.getsockopt(*option) for option in options))
        os.close(process)
        return found

    def bytes_in_pipes(self):
        """None where one may not look into another process."""
        count = 0
        for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
            try:
                if not os.readlink(entry.path).startswith("pipe:"):
                    continue
                pipe = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK)
            except PermissionError:
                return None
            except FileNotFoundError:
                continue
            count += struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
            os.close(pipe)
        return count // 2  # both ends of each were asked

    def sockets(self):
        return sum(name.startswith("socket:") for name in self.descriptors())

    def close(self):
        for client in self.clients:
            client.close()
        self.process.terminate()
        return self.process.wait(PATIENCE)


class SentinelCase(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="berth-sentinel-"))
        self.directory.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.directory)

    def start(self, routes, *flags, **options):
        sentinel = Sentinel(self.directory, routes, *flags, **options)
        self.addCleanup(lambda: self.assertIn(sentinel.close(), (0, -signal.SIGKILL), sentinel.log()))
        return sentinel

    def backend(self, kind=Recorder, *arguments, **options):
        backend = kind(*arguments, **options)
        self.addCleanup(backend.close)
        return backend

    def pair(self, *flags, name=b"a.test"):
        """A sentinel, and both ends of one connection through it."""
        backend = self.backend()
        sentinel = self.start(f"a.test 127.0.0.1:{backend.port} a\n", *flags)
        client = sentinel.say(hello(name))
        primary = backend.next()
        self.assertEqual(read_some(primary, len(hello(name))), hello(name))
        return sentinel, client, primary


def main():
    if shutil.which("openssl") is None:
        print("skipped: needs openssl")
        sys.exit(77)
    run_within(int(os.environ.get("BERTH_TEST_SECONDS", "300")))

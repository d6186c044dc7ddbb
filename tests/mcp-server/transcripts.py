#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/transcripts/*.txt against a server program over stdio, over HTTP, and over a unix socket.

usage: transcripts.py PROGRAM DIRECTORY. tests/transcripts/README.md says what the lines mean; the same files run
without I/O in transcript_test.cpp."""
import contextlib
import http.client
import json
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

PROGRAM, DIRECTORY = sys.argv[1], Path(sys.argv[2])
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
HEADER_VERSIONS = {"2025-06-18", "2025-11-25"}  # the legacy revisions that have a header for it
ANSWER_SECONDS = 10
REPEAT_SECONDS = 0.02
NAME_KEYS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri",
             "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}


class Script:
    """A conversation as (kind, text) steps, and the values that it has kept."""

    def __init__(self, text):
        self.steps, self.only, self.kept = [], None, {}
        snippets = {}
        for line in text.splitlines():
            kind, rest = line[:1], line[2:]
            for name, snippet in snippets.items():
                rest = rest.replace(f"%{name}%", snippet)
            if kind == "=":
                name, snippet = rest.split(" ", 1)
                snippets[name] = snippet
            elif kind == "@" and rest.startswith("only "):
                self.only = rest.removeprefix("only ")
            elif kind == "@":
                self.open(*rest.split(" ", 2)[1:])
            elif kind in (">", "<", "~", "*", "!", "^"):
                self.steps.append((kind, rest))
            elif kind not in ("", "#"):
                raise ValueError(f"no such line: {line}")

    def open(self, version, capabilities="{}"):
        params = {"protocolVersion": version, "capabilities": json.loads(capabilities),
                  "clientInfo": {"name": "transcript", "version": "1"}}
        self.steps += [
            (">", json.dumps({"jsonrpc": "2.0", "id": "open", "method": "initialize", "params": params})),
            ("<", json.dumps({"id": "open", "result": {"protocolVersion": version}})),
            (">", json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))]

    def matches(self, expected, actual):
        if expected == "?" or (expected == "*" and isinstance(actual, str)):
            return True
        if isinstance(expected, str) and expected.startswith("$"):
            return self.kept.setdefault(expected[1:], actual) == actual
        if isinstance(expected, dict):
            return isinstance(actual, dict) and all(
                key not in actual if value is None else key in actual and self.matches(value, actual[key])
                for key, value in expected.items())
        if isinstance(expected, list):
            if expected and expected[-1] == "...":
                expected, actual = expected[:-1], actual[:len(expected) - 1] if isinstance(actual, list) else actual
            return isinstance(actual, list) and len(expected) == len(actual) and all(
                map(self.matches, expected, actual))
        return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)

    def outgoing(self, text):
        """The bytes of a `>` line."""
        text = re.sub(r"%\{(\d+):([^}]*)\}", lambda found: found[2] * int(found[1]), text)
        text = re.sub(r'"\$(\w+)"', lambda found: json.dumps(self.kept[found[1]]), text)
        text = re.sub(r"\$(\w+)", lambda found: str(self.kept.get(found[1], found[0])), text)
        return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())

    def run(self, client):
        unordered, sent = [], b""
        for index, (kind, text) in enumerate(self.steps):
            if kind == ">":
                sent = self.outgoing(text)
                client.send(sent)
            elif kind == "!":
                client.check_status(int(text))
            elif kind == "^":
                client.add_header(*re.fullmatch(r"([^:]+):\s*(.*)", text).groups())
            elif kind == "<":
                expected, actual = json.loads(text), client.receive()
                assert self.matches(expected, actual), f"\nexpected {text}\nreceived {json.dumps(actual)}"
            elif kind == "*":
                self.repeat(client, sent, json.loads(text))
            else:
                unordered.append(json.loads(text))
                if index + 1 == len(self.steps) or self.steps[index + 1][0] != "~":
                    self.match_unordered(unordered, [client.receive() for _ in unordered])
                    unordered = []

    def repeat(self, client, sent, expected):
        end = time.monotonic() + ANSWER_SECONDS
        while not self.matches(expected, received := client.receive()):
            assert time.monotonic() < end, f"\nexpected {json.dumps(expected)}\nreceived {json.dumps(received)}"
            time.sleep(REPEAT_SECONDS)
            client.send(sent)

    def match_unordered(self, expected, received):
        for one in received:
            known = dict(self.kept)
            for candidate in expected:
                if self.matches(candidate, one):
                    expected.remove(candidate)
                    break
                self.kept = dict(known)
            else:
                raise AssertionError(f"\nexpected one of {json.dumps(expected)}\nreceived {json.dumps(one)}")


class Stdio:
    """HTTP's own lines mean nothing here."""
    name = "stdio"

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.received = queue.Queue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.received.put(json.loads(line))

    def send(self, data):
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def receive(self):
        return self.received.get(timeout=ANSWER_SECONDS)

    def check_status(self, status):
        pass

    def add_header(self, name, value):
        pass

    def close(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.reader.join()
            self.process.stdout.close()
        assert status == 0, "it ends with 0 when its input ends"

    def left(self):
        return list(self.received.queue)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Exchange(threading.Thread):
    """One HTTP request, whose answer goes message by message to `received`."""

    def __init__(self, connect, method, body, headers, received, ends_with=None):
        super().__init__()
        self.connect, self.headers, self.received = connect, dict(headers), received
        self.ends_with, self.event_id, self.answered = ends_with, None, False
        self.closed, self.error, self.head, self.has_head = False, None, None, threading.Event()
        self.open(method, body)
        self.start()

    def open(self, method, body):
        self.connection = self.connect()
        self.connection.request(method, "/mcp", body, self.headers)
        self.socket = self.connection.sock  # the connection forgets it when the response ends with it

    def run(self):
        try:
            self.head = self.connection.getresponse()
            self.has_head.set()
            self.read(self.head)
            if self.ends_with is not None and not self.answered and self.event_id:
                self.headers["Last-Event-ID"] = self.event_id
                self.socket.close()
                self.open("GET", None)
                self.read(self.connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            self.error = None if self.closed else error
        finally:
            self.has_head.set()

    def read(self, response):
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            body = response.read()
            if body:
                self.deliver(json.loads(body))
            return
        for line in response:
            field, _, value = line.decode().rstrip("\r\n").partition(":")
            if field == "id":
                self.event_id = value.strip()
            elif field == "data" and value.strip():
                self.deliver(json.loads(value))
            if self.answered:  # on a resumed stream more could follow
                return

    def deliver(self, message):
        self.answered = self.answered or (isinstance(message, dict) and "method" not in message and
                                          self.ends_with is not None and message.get("id") == self.ends_with)
        self.received.put(message)

    def response(self):
        """Status and headers, as soon as they are there."""
        self.has_head.wait(ANSWER_SECONDS)
        assert self.head is not None, f"no response: {self.error}"
        return self.head

    def close(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join(ANSWER_SECONDS)
        self.connection.close()
        self.socket.close()
        if self.error:
            raise self.error


class Http:
    """A client as the revisions want it: the session and the headers follow from what was said."""
    name = "http"

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, *self.listening()], stderr=subprocess.PIPE, text=True)
        self.where = self.process.stderr.readline()
        self.received, self.session, self.extra = queue.Queue(), {}, {}
        self.exchanges, self.running = [], {}

    def listening(self):
        return ["--port", "0"]

    def connect(self):
        port = int(re.search(r"port=(\d+)", self.where)[1])
        return http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)

    def headers(self, message):
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        params = message.get("params") if isinstance(message.get("params"), dict) else {}
        meta = params.get("_meta") if isinstance(params.get("_meta"), dict) else {}
        if VERSION_KEY in meta:
            headers |= {"MCP-Protocol-Version": meta[VERSION_KEY], "Mcp-Method": message["method"]}
            name = params.get(NAME_KEYS.get(message["method"]))
            headers |= {"Mcp-Name": name} if isinstance(name, str) else {}
        else:
            headers |= self.session
        headers |= self.extra
        self.extra = {}
        return {name: value for name, value in headers.items() if value}

    def send(self, data):
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        message = message if isinstance(message, dict) else {}
        if message.get("method") == "notifications/cancelled" and not self.session:
            self.running.pop(message["params"]["requestId"]).close()
            return
        exchange = Exchange(self.connect, "POST", data, self.headers(message), self.received, message.get("id"))
        self.exchanges.append(exchange)
        if message.get("id") is not None and "method" in message and not isinstance(message["id"], (list, dict)):
            self.running[message["id"]] = exchange
        if message.get("method") == "initialize":
            self.begin_session(message, exchange.response().headers["Mcp-Session-Id"])
        elif message and "id" not in message:
            status = exchange.response().status
            assert status == 202, f"a notification is answered with {status}"
        if message.get("method") == "notifications/initialized":
            self.listen()

    def begin_session(self, message, session):
        if session:
            version = message["params"]["protocolVersion"]
            self.session = {"Mcp-Session-Id": session}
            if version in HEADER_VERSIONS:
                self.session["MCP-Protocol-Version"] = version

    def listen(self):
        headers = {"Accept": "text/event-stream", **self.session}
        exchange = Exchange(self.connect, "GET", None, headers, self.received)
        assert exchange.response().status == 200, "a session has a stream for what belongs to no request"
        self.exchanges.append(exchange)

    def receive(self):
        return self.received.get(timeout=ANSWER_SECONDS)

    def check_status(self, status):
        actual = self.exchanges[-1].response().status
        assert actual == status, f"answered with {actual}"

    def add_header(self, name, value):
        self.extra[name] = value

    def close(self):
        try:
            for exchange in self.exchanges:
                exchange.close()
        finally:
            self.process.terminate()
            self.process.stderr.close()
            status = self.process.wait(ANSWER_SECONDS)
        assert status == 0, "it ends with 0 when it is told to"

    def left(self):
        return list(self.received.queue)


class UnixHttp(Http):
    """The same over a unix socket."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        super().__init__()

    def listening(self):
        return ["--socket", f"{self.directory.name}/mcp.sock"]

    def connect(self):
        return UnixConnection(f"{self.directory.name}/mcp.sock")

    def close(self):
        super().close()
        self.directory.cleanup()


class Transcripts(unittest.TestCase):
    def converse(self, transport):
        files = sorted(DIRECTORY.glob("*.txt"))
        self.assertTrue(files)
        for file in files:
            script = Script(file.read_text())
            if script.only in (None, transport.name):
                with self.subTest(file.name):
                    client = transport()
                    try:
                        script.run(client)
                    finally:
                        client.close()
                    self.assertEqual(client.left(), [], "more was said than expected")

    def test_over_stdio(self):
        self.converse(Stdio)

    def test_over_http(self):
        self.converse(Http)

    def test_over_a_unix_socket(self):
        self.converse(UnixHttp)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

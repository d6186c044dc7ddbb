#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/transcripts/*.txt against a server program over stdio and over HTTP.

usage: transcripts.py PROGRAM DIRECTORY. The same files run without I/O in transcript_test.cpp, which says how lines
are compared."""
import http.client
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

PROGRAM, DIRECTORY = sys.argv[1], Path(sys.argv[2])
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
ANSWER_SECONDS = 10


def matches(expected, actual):
    """Whether all that is expected is there: null stands for "absent", "*" for any text."""
    if expected == "*":
        return isinstance(actual, str)
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key not in actual if value is None else key in actual and matches(value, actual[key])
            for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(matches, expected, actual))
    return expected == actual


def exchanges(text):
    """Pairs of what is sent and what is expected back, None for nothing."""
    sent = None
    for line in text.splitlines():
        if line.startswith("> "):
            if sent is not None:
                yield sent, None
            sent = line[2:]
        elif line.startswith("< "):
            yield sent, json.loads(line[2:])
            sent = None
    if sent is not None:
        yield sent, None


class Stdio:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, text, wants_answer):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline()) if wants_answer else None

    def close(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        self.process.stdout.close()
        assert self.process.wait(ANSWER_SECONDS) == 0, "it ends with 0 when its input ends"
        assert rest == "", f"nothing but answers is written: {rest}"


class Http:
    """A client as the revisions want it: the session and the headers follow from what was said."""

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "--port", "0"], stderr=subprocess.PIPE, text=True)
        port = int(re.search(r"port=(\d+)", self.process.stderr.readline())[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.session = {}

    def headers(self, text):
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        try:
            message = json.loads(text)
        except ValueError:
            message = {}
        params = message.get("params") if isinstance(message, dict) else None
        version = params.get("_meta", {}).get(VERSION_KEY) if isinstance(params, dict) else None
        if version is None:
            return headers | self.session
        headers |= {"MCP-Protocol-Version": version, "Mcp-Method": message["method"]}
        return headers | ({"Mcp-Name": params["name"]} if "name" in params else {})

    def ask(self, text, wants_answer):
        self.connection.request("POST", "/mcp", text, self.headers(text))
        response = self.connection.getresponse()
        body = response.read()
        if response.headers["Mcp-Session-Id"]:
            self.session = {"Mcp-Session-Id": response.headers["Mcp-Session-Id"]}
        if not wants_answer:
            assert (response.status, body) == (202, b""), f"a notification is answered with {response.status} {body}"
            return None
        assert response.headers["Content-Type"] == "application/json"
        return json.loads(body)

    def close(self):
        self.connection.close()
        self.process.terminate()
        self.process.stderr.close()
        assert self.process.wait(ANSWER_SECONDS) == 0, "it ends with 0 when it is told to"


class Transcripts(unittest.TestCase):
    def converse(self, transport):
        files = sorted(DIRECTORY.glob("*.txt"))
        self.assertTrue(files)
        for file in files:
            with self.subTest(file.name):
                client = transport()
                try:
                    for sent, expected in exchanges(file.read_text()):
                        answer = client.ask(sent, expected is not None)
                        self.assertTrue(matches(expected, answer) if expected is not None else answer is None,
                                        f"\nsent     {sent}\nexpected {json.dumps(expected)}\nanswered {answer}")
                finally:
                    client.close()

    def test_over_stdio(self):
        self.converse(Stdio)

    def test_over_http(self):
        self.converse(Http)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

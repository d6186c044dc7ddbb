# SPDX-License-Identifier: Apache-2.0
"""A plain MCP client: bytes as a person would write them, so that tests see what is on the wire."""
import ctypes
import http.client
import json
import queue
import threading

CLONE_NEWNET = 0x40000000
MODERN, LEGACY = "2026-07-28", "2025-11-25"
TASKS = "io.modelcontextprotocol/tasks"


def envelope(capabilities=None, **more):
    return {"io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": capabilities or {}, **more}


def request(method, params=None, id=1, capabilities=None, **meta):
    return {"jsonrpc": "2.0", "id": id, "method": method,
            "params": {**(params or {}), "_meta": envelope(capabilities, **meta)}}


def routing(message):
    """The headers that repeat what a modern request says."""
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
    params = message["params"]
    name = params.get("taskId") or params.get("uri") or params.get("name")
    if name and message["method"] != "completion/complete":
        headers["Mcp-Name"] = name
    return headers


def events(response):
    """The messages of an event stream, as they come."""
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


class Inside(http.client.HTTPConnection):
    """A connection from inside a machine: its socket is made by a thread that has moved there."""

    def __init__(self, machine, port):
        super().__init__("127.0.0.1", port, timeout=60)
        self.network = f"/proc/{machine.pid()}/ns/net"

    def connect(self):
        thread = threading.Thread(target=self._connect)
        thread.start()
        thread.join()
        if self.sock is None:
            raise ConnectionRefusedError(self.port)

    def _connect(self):
        with open(self.network, "rb") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        try:
            super().connect()
        except OSError:
            self.sock = None


class McpHttp:
    """Modern requests to berth-mcp."""

    def __init__(self, connect, headers=None):
        self.connect, self.headers = connect, headers or {}

    def post(self, message, headers=None, path="/mcp"):
        """Status, headers and the answer; an event stream is read to its end."""
        routes = routing(message) if isinstance(message, dict) and "_meta" in message.get("params", {}) else {}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        connection = self.connect()
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json",
                                                    "Accept": "application/json, text/event-stream",
                                                    **routes, **self.headers, **(headers or {})})
            response = connection.getresponse()
            if "event-stream" in response.getheader("content-type", ""):
                messages = list(events(response))
                return response.status, response.headers, messages[-1], messages[:-1]
            text = response.read()
            return response.status, response.headers, json.loads(text) if text else None, []
        finally:
            connection.close()

    def ask(self, method, params=None, capabilities=None, headers=None, **meta):
        """The result; an error is raised as it came."""
        _, _, answer, _ = self.post(request(method, params, capabilities=capabilities, **meta), headers)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def call(self, tool, arguments, capabilities=None, headers=None, **more):
        return self.ask("tools/call", {"name": tool, "arguments": arguments, **more}, capabilities, headers)

    def tool(self, tool, /, **arguments):
        return self.call(tool, arguments)


class McpStdio:
    """berth-mcp at the other end of two pipes."""

    def __init__(self, process):
        self.process, self.answers = process, queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(json.loads(line))
        self.answers.put(None)

    def send(self, message):
        self.process.stdin.write((json.dumps(message) + "\n").encode())
        self.process.stdin.flush()

    def receive(self, seconds=60):
        return self.answers.get(timeout=seconds)

    def ask(self, message):
        self.send(message)
        while True:
            answer = self.receive()
            if answer is None or answer.get("id") == message["id"]:
                return answer

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        return code

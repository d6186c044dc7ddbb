#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sentinel's tools do the same by MCP, by the command line and by JSON-RPC, on tunnels that are open."""
import json
import os
import subprocess
import time

from support.host import program
from support.machine import die_with_parent, wait_until
from support.mcp import LEGACY, McpStdio
from support.sentinel import ALERT_INTERNAL, Recorder, alert, hello, main, read_all, read_some
from support.tunnel import TunnelCase
from test_sentinel_registry import RegistryCase, UnixHttp

AWAY = (alert(ALERT_INTERNAL), "end")
TOOLS = ["host_list", "pool_get", "pool_list", "token_create", "token_revoke"]


class Refused(Exception):
    """A tool's error, as its caller was told."""


class Mcp:
    """berth-mcp over stdio, without a berthd."""

    def __init__(self, socket, *flags):
        config = socket.parent.parent / "mcp.toml"
        config.write_text("version = 1\n")
        self.process = subprocess.Popen([program("berth-mcp"), "--config", config, "--stdio", "--socket", "/nonexistent", "--sentinel-socket", socket, *flags],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.pipes, self._id = McpStdio(self.process), 0
        self.ask("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
        self.pipes.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method, params=None):
        self._id += 1
        self.pipes.send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}})
        while (answer := self.pipes.receive()).get("id") != self._id:
            pass
        return answer["result"]

    def __call__(self, tool, **arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        if result.get("isError"):
            raise Refused(result["content"][0]["text"])
        return result["structuredContent"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Tools(TunnelCase):
    def setUp(self):
        super().setUp()
        self.socket = self.state / "admin.sock"

    def by_mcp(self, *flags):
        mcp = Mcp(self.socket, "--toolsets", "admin", *flags)
        self.addCleanup(mcp.close)
        return mcp

    def by_command_line(self, tool, **arguments):
        words = tool.split("_")
        words += [arguments.pop(name) for name in ("id", "pool") if tool != "host_list" and name in arguments]
        for name, value in arguments.items():
            flag = "--" + name.replace("_", "-")
            for one in value if isinstance(value, list) else [value]:
                words += [flag] if one is True else [flag, one]
        done = subprocess.run([program("berth"), "--json", *words], env={**os.environ, "BERTH_SENTINEL_SOCKET": str(self.socket)},
                              capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            raise Refused(done.stderr)
        return json.loads(done.stdout)

    def by_rpc(self, tool, **arguments):
        body = {"jsonrpc": "2.0", "id": 1, "method": tool, "params": arguments}
        answer = RegistryCase.exchange(UnixHttp(self.socket), "POST", "/rpc", body, None, {"Content-Type": "application/json"})[1]
        if "error" in answer:
            raise Refused(json.dumps(answer["error"]))
        return answer["result"]

    def ways(self):
        return {"mcp": self.by_mcp(), "cli": self.by_command_line, "rpc": self.by_rpc}

    def open_tunnel(self, sentinel, backend, token, **options):
        tunnel = self.tunnel(sentinel, backend.port, token=token, **options)
        probe = backend.next()
        probe.sendall(b"\x16")
        tunnel.joined()
        probe.close()
        return tunnel

    def test_an_agent_sees_them_only_when_it_asks_for_the_toolset(self):
        self.front()
        offered = lambda mcp: [tool for tool in TOOLS if tool in [one["name"] for one in mcp.ask("tools/list")["tools"]]]
        self.assertEqual(offered(self.by_mcp()), TOOLS)
        self.assertEqual(offered(self.by_mcp("--read-only")), TOOLS[:3])
        plain = Mcp(self.socket)
        self.addCleanup(plain.close)
        self.assertEqual(offered(plain), [])

    def test_pools_and_hosts_are_told_alike_in_every_way(self):
        backend = self.backend(Recorder)
        sentinel = self.front("--health-interval", "3600")
        token = self.by_rpc("token_create", id="ci", pools=["lab"])["token"]
        self.open_tunnel(sentinel, backend, token, hostname="lab.test")
        told = {}
        for way, call in self.ways().items():
            with self.subTest(way):
                self.assertEqual(call("pool_list"), {"pools": [{"name": "lab", "hosts": 1, "healthy": 1, "names": 1}]})
                pool = call("pool_get", pool="lab")
                self.assertEqual((pool["name"], pool["names"]), ("lab", ["lab.test"]))
                host = pool["hosts"][0]
                self.assertEqual((host["pool"], host["hostname"], host["lease"], host["healthy"]), ("lab", "lab.test", "session", True))
                self.assertEqual(call("host_list"), {"hosts": [host]})
                self.assertEqual(call("host_list", pool="prod"), {"hosts": []})
                with self.assertRaisesRegex(Refused, 'there is no pool .*none'):
                    call("pool_get", pool="none")
                told[way] = host
        self.assertEqual(told["mcp"], told["cli"])
        self.assertEqual(told["mcp"], told["rpc"])

    def test_a_revoked_token_cuts_the_tunnel_it_has_opened_whoever_revokes_it(self):
        sentinel = self.front()
        for way, call in self.ways().items():
            with self.subTest(way):
                backend = self.backend(Recorder)
                name = f"{way}.test"
                self.assertTrue(call("token_create", id=way, pools=["lab"], dry_run=True)["dry_run"])
                made = call("token_create", id=way, pools=["lab"])
                self.assertEqual((made["id"], made["pools"]), (way, ["lab"]))
                with self.assertRaisesRegex(Refused, "there is, or was, a token"):
                    call("token_create", id=way, pools=["lab"])
                tunnel = self.open_tunnel(sentinel, backend, made["token"], hostname=name)
                client = sentinel.say(hello(name.encode()))
                service = backend.next()
                read_some(service, len(hello(name.encode())))
                service.sendall(b"\x16")
                self.assertEqual(read_some(client, 1), b"\x16")
                self.assertTrue(call("token_revoke", id=way, dry_run=True)["dry_run"])
                self.assertEqual(tunnel.states()[-1], "joined")
                begun = time.monotonic()
                self.assertEqual(call("token_revoke", id=way), {"id": way, "pools": ["lab"]})
                self.assertEqual(sentinel.ask(hello(name.encode())), AWAY)  # from the answer on
                self.assertEqual(read_all(client), (b"", "reset"))
                print(f"{way}: the visitor was cut {time.monotonic() - begun:.3f} s after the call")
                wait_until(lambda: "failed" in tunnel.states(), "the host to be refused")
                self.assertIn("invalid token", tunnel.news()[-1]["error"]["message"])
                with self.assertRaisesRegex(Refused, "there is no token"):
                    call("token_revoke", id=way)
                service.close()

    def test_without_a_sentinel_the_error_says_what_to_start(self):
        sentinel = self.front()
        mcp = self.by_mcp()
        sentinel.process.terminate()
        sentinel.process.wait(20)
        for call in (mcp, self.by_command_line):
            with self.assertRaisesRegex(Refused, "no sentinel answers at"):
                call("pool_list")


if __name__ == "__main__":
    main()

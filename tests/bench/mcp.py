#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the MCP server is, beside the echo server of the official TypeScript SDK v2 in the same run.

usage: tests/bench/mcp.py BUILD NODE [CALLS]

BUILD is a build directory with tests; NODE is a node 22. Once before:
npm ci --prefix build/npm-bench (with tests/bench/package*.json copied there).

Machines are noisy: each pair runs in turn, several rounds, and the medians of the rounds are compared.
Both servers echo; ours is the fixtures server, which is the same library as berth-mcp. Startup, memory and
tools/list are those of berth-mcp itself, without a berthd."""
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD, NODE = Path(sys.argv[1]).absolute(), str(Path(sys.argv[2]).resolve())
CALLS = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
ROUNDS = 5
LOAD = str(BUILD / "tests/bench/mcp_load")
OURS = str(BUILD / "tests/mcp-server/fixtures/berth-mcp-fixtures")
PRODUCT = [str(BUILD / "mcp-server/app/berth-mcp"), "--stdio", "--socket", "/nonexistent/berthd.sock"]
PEER = [NODE, str(ROOT / "tests/bench/sdk_echo.mjs")]
PEER_AT = ROOT / "build/npm-bench"
PEER_PORT = 7599


def load(kind, calls, at_once, method, *target):
    run = subprocess.run([LOAD, kind, str(calls), str(at_once), method, *target], capture_output=True, text=True,
                         cwd=PEER_AT)
    if run.returncode != 0:
        sys.exit(f"{target}: {run.stderr}")
    return json.loads(run.stdout)


def row(what, results):
    median = {key: statistics.median(result[key] for result in results) for key in results[0]}
    print(f"{what:46} {median['p50']:8.0f} {median['p99']:8.0f} {median['per_second']:9.0f}"
          f" {median['startup'] / 1000:9.1f} {median['resident_kb'] / 1024:8.1f}")
    return median


def compare(what, ours, peer):
    """Runs both in turn; True when ours is at most a third of the peer's median."""
    pairs = [(ours(), peer()) for _ in range(ROUNDS)]
    mine = row(f"berth: {what}", [pair[0] for pair in pairs])
    other = row(f"SDK v2: {what}", [pair[1] for pair in pairs])
    print(f"{'  ratio of p50':46} {mine['p50'] / max(other['p50'], 1):8.2f}")


def served(command, ready):
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=PEER_AT)
    return process, ready(process)


def our_port(process):
    return re.search(r"port=(\d+)", process.stderr.readline())[1]


def peer_port(_):
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PEER_PORT}/", timeout=1).close()
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.05)
    return str(PEER_PORT)


def main():
    print(f"{'what':46} {'p50 us':>8} {'p99 us':>8} {'per s':>9} {'start ms':>9} {'RSS MiB':>8}")
    for at_once in (1, 8):
        compare(f"stdio echo, {at_once} at once",
                lambda: load("stdio", CALLS, at_once, "tools/call", OURS, "--stdio"),
                lambda: load("stdio", CALLS, at_once, "tools/call", *PEER, "stdio"))
    ours, mine = served([OURS, "--port", "0"], our_port)
    peer, other = served([*PEER, str(PEER_PORT)], peer_port)
    try:
        for at_once in (1, 8):
            compare(f"HTTP echo, {at_once} at once",
                    lambda: load("http", CALLS, at_once, "tools/call", mine),
                    lambda: load("http", CALLS, at_once, "tools/call", other))
    finally:
        for process in (ours, peer):
            process.kill()
            process.wait()
    for method in ("legacy:ping", "legacy:tools/list", "server/discover", "tools/list"):
        row(f"berth-mcp: stdio {method}", [load("stdio", CALLS, 1, method, *PRODUCT) for _ in range(ROUNDS)])


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tunnels of berth beside hashicorp/yamux over TLS 1.3 (Debian's golang-go and golang-github-hashicorp-yamux-dev), in one run.

    BERTH_BIN=build/release-with-tests python3 tests/bench/tunnel.py [ROUNDS [SECONDS [WORK...]]]

Both ends of a tunnel are on the first core, and the load and the service on the second. Peers take turns within each round,
and what counts is the ratio of medians. One works with one stream, and with 16.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import program  # noqa: E402
from support.machine import wait_until  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 3
WANTED = sys.argv[3:]
BACKENDS = {"rate": 17001, "echo": 17002, "bulk": 17003}
WORK = {"rate": 64, "echo": 1, "bulk": 1, "bulk16": 16}
SENTINEL, YAMUX = 17200, 17300
OPENED = "a tunnel is open"  # in the sentinel's log


def on_core(core, *argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def make_certificate(work):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=front.test", "-addext", "subjectAltName=DNS:front.test", "-keyout", work / "key.pem", "-out",
                    work / "front.pem"], check=True, capture_output=True)


def build_yamux(work):
    source = Path(__file__).with_name("yamux_pair.go")
    subprocess.run(["go", "build", "-o", work / "yamux_pair", source], check=True,
                   env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off", "GOCACHE": str(work / "cache")})


def berth_commands(work):
    (work / "tokens").write_text("bench-token=bench\n")
    (work / "token").write_text("bench-token\n")
    yield on_core(0, program("berth-sentinel"), "--listen", f"127.0.0.1:{SENTINEL}", "--state-dir", work / "state", "--threads", "1",
                  "--tunnel-token-file", work / "tokens", "--tunnel-certificate", work / "front.pem", "--tunnel-key", work / "key.pem",
                  "--drain-timeout", "0.1")
    for kind, port in BACKENDS.items():
        yield on_core(0, program("berth"), "tunnel", "--sentinel", f"127.0.0.1:{SENTINEL}", "--server-name", "front.test", "--ca",
                      work / "front.pem", "--pool", "bench", "--id", kind, "--token-file", work / "token", "--hostname",
                      f"{kind}.bench.test", "--forward", f"443=127.0.0.1:{port}")


def yamux_commands(work):
    for number, (kind, port) in enumerate(BACKENDS.items()):
        tunnel = f"127.0.0.1:{YAMUX + 50 + number}"
        yield on_core(0, work / "yamux_pair", "front", f"127.0.0.1:{YAMUX + number}", tunnel, work / "front.pem", work / "key.pem")
        yield on_core(0, work / "yamux_pair", "host", tunnel, f"127.0.0.1:{port}", work / "front.pem")


def port_of(peer, kind):
    return SENTINEL if peer == "berth" else YAMUX + list(BACKENDS).index(kind)


def load(peer, work_kind, connections):
    kind = work_kind[:4]
    argv = on_core(1, program("sentinel_load"), kind, port_of(peer, kind), f"{kind}.bench.test", SECONDS, connections)
    told = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    units = told["bytes"] / 1e9 if kind == "bulk" else told["count"]
    return {"rate": units / told["seconds"], "p50_us": told["p50_us"], "errors": told["errors"]}


def start(work, argv):
    """Starts it with what it tells in a file, and gives both."""
    told = Path(tempfile.mkstemp(dir=work, suffix=".log")[1])
    with open(told, "wb") as out:
        return subprocess.Popen(argv, stdout=out, stderr=out), told


def main():
    work = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    running = []

    def run(argv, until=""):
        process, told = start(work, argv)
        running.append(process)
        wait_until(lambda: until in told.read_text(), f"{until!r} of {argv[3]}")
        return told
    try:
        make_certificate(work)
        build_yamux(work)
        run(on_core(1, program("sentinel_load"), "serve", *BACKENDS.values()))
        sentinel, *hosts = berth_commands(work)
        front_log = run(sentinel, " ready")
        for host in hosts:
            run(host)
        for argv in yamux_commands(work):
            run(argv, "ready")
        wait_until(lambda: front_log.read_text().count(OPENED) == len(hosts), "the tunnels to be open")
        print(f"{'work':7} {'peer':6} {'rate':>10} {'p50 us':>10} {'errors':>6}   (rate: exchanges/s, GB/s for bulk)")
        for kind, connections in WORK.items():
            if WANTED and kind not in WANTED:
                continue
            results = {"berth": [], "yamux": []}
            for turn in range(ROUNDS):
                for peer in sorted(results, reverse=turn % 2 == 1):
                    results[peer].append(load(peer, kind, connections))
            median = {peer: statistics.median(one["rate"] for one in all_of) for peer, all_of in results.items()}
            for peer, all_of in results.items():
                print(f"{kind:7} {peer:6} {median[peer]:10.2f} {statistics.median(one['p50_us'] for one in all_of):10.1f} "
                      f"{sum(one['errors'] for one in all_of):6}")
            print(f"{kind:7} ratio  {median['berth'] / median['yamux']:10.2f}", flush=True)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

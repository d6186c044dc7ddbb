#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How soon 500 tunnels are back when the sentinel is killed and started: each when a request for its name has come back.

    BERTH_BIN=build/release-with-tests python3 tests/bench/tunnels_back.py [TUNNELS [ROUNDS [AWAY_SECONDS [HELLOS_PER_SOURCE]]]]

All hosts are threads of one process on this machine, so that sentinel and hosts share its cores. What counts is from the start
of the new process to the last of them. All come from one address, which has a bound of its own that many networks have not.
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import program  # noqa: E402
from support.machine import die_with_parent, wait_until  # noqa: E402
from support.sentinel import make_certificate, port_to_keep  # noqa: E402

WORDS = dict(enumerate(sys.argv))
TUNNELS, ROUNDS, AWAY = int(WORDS.get(1, 500)), int(WORDS.get(2, 5)), float(WORDS.get(3, 1))
PER_SOURCE = WORDS.get(4, "1024")


def answer(listener):
    """A byte as TLS begins with, to whoever says something."""
    def serve(connection):
        with connection:
            if connection.recv(1 << 16):
                connection.sendall(b"\x16")
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def start_sentinel(work, port):
    log = open(work / "sentinel.log", "wb")
    begun = time.monotonic()
    process = subprocess.Popen([program("berth-sentinel"), "--listen", f"127.0.0.1:{port}", "--state-dir", work / "state", "--tunnel-token-file",
                                work / "tokens", "--tunnel-certificate", work / "front.test.pem", "--tunnel-key", work / "front.test.key",
                                "--tunnel-hellos-per-source-max", PER_SOURCE], stderr=log, preexec_fn=die_with_parent)
    log.close()
    return process, begun


def main():
    work = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    make_certificate(work, "front.test")
    (work / "tokens").write_text("bench-token=bench\n")
    (work / "token").write_text("bench-token\n")
    service = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=answer, args=(service,), daemon=True).start()
    port = port_to_keep()
    sentinel, begun = start_sentinel(work, port)
    hosts = None
    try:
        wait_until(lambda: " ready" in (work / "sentinel.log").read_text(), "the sentinel")
        hosts = subprocess.Popen([program("tunnels_back_load"), str(TUNNELS), str(port), str(service.getsockname()[1]),
                                  work / "front.test.pem", work / "token"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=die_with_parent)
        at, failed = hosts.stdout.readline().split()
        print(f"{TUNNELS} tunnels joined {float(at) - begun:.2f} s after the first start, {os.cpu_count()} cores", flush=True)
        times = []
        for _ in range(ROUNDS):
            hosts.stdin.write("\n")
            hosts.stdin.flush()
            sentinel.kill()
            sentinel.wait()
            time.sleep(AWAY)  # so long it is not there, and hosts wait longer from try to try
            sentinel, begun = start_sentinel(work, port)
            at, failed = hosts.stdout.readline().split()
            times.append(float(at) - begun)
            print(f"all back {times[-1]:.2f} s after the start; {failed} attempts failed until now", flush=True)
        print(f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s")
    finally:
        for process in filter(None, (hosts, sentinel)):
            process.kill()
            process.wait()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

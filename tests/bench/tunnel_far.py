#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One stream of a tunnel over a long line: 200 Mbit/s and a round trip of 80 ms, beside TCP itself on the same line.

    BERTH_BIN=build/release-with-tests python3 tests/bench/tunnel_far.py [ROUNDS [SECONDS [CONTROL [MBIT [ROUND_TRIP_MS]]]]]

The host and its service are at one end, the sentinel and the visitor at the other; each run has a tunnel and a connection
of its own. Told is the share of the line that arrives as payload, second by second. Needs root, for namespaces.
"""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support import long_line  # noqa: E402
from support.host import program  # noqa: E402
from support.machine import Machine, die_with_parent  # noqa: E402
from support.sentinel import hello, make_certificate  # noqa: E402

WORDS = dict(enumerate(sys.argv))
ROUNDS, SECONDS = int(WORDS.get(1, 5)), int(WORDS.get(2, 10))
CONTROL = WORDS.get(3, "")  # the congestion control, such as cubic
MBIT, ROUND_TRIP_MS = float(WORDS.get(4, 200)), float(WORDS.get(5, 80))
HOME, FRONT = "198.51.100.1", "198.51.100.2"
NAME, SERVICE = b"far.bench.test", 17003

# Sends without end to whoever has said something; it begins as TLS does.
SERVE = """
import socket, sys, threading
listener, data = socket.create_server(("", int(sys.argv[1]))), b"\\x16" + bytes((1 << 20) - 1)
def serve(connection):
    if connection.recv(1):
        while connection.send(data):
            pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# Connects, says what it must, and prints the bytes of each second.
READ = """
import socket, sys, time
address, port, seconds, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
connection = socket.create_connection((address, port), 10)
connection.sendall(data)
connection.recv(1)
begun, counts, buffer = time.monotonic(), [0] * (seconds + 1), bytearray(1 << 20)
while (at := int(time.monotonic() - begun)) < seconds:
    counts[at] += connection.recv_into(buffer)
print(*counts[:seconds])
"""


def start_line(machine):
    """The line, as a process of its own that goes before others."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        os.nice(-10)
        long_line.carry(machine.pid(), machine.outside_pid(), "line", MBIT * 1e6, ROUND_TRIP_MS / 1000, lambda: os.write(tell, b"!"))
    os.read(told, 1)
    for run, own, other in ((machine.run, HOME, FRONT), (machine.outside, FRONT, HOME)):
        run(["sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"])  # no run learns of another
        run(["ip", "link", "set", "line", "txqueuelen", "10000", "up"])
        run(["ip", "address", "add", own, "dev", "line"])
        run(["ip", "route", "add", other, "dev", "line", "src", own, *(["congctl", CONTROL] if CONTROL else [])])
    return pid


def shares(machine, address, port):
    told = machine.outside(["python3", "-c", READ, address, port, SECONDS, hello(NAME).hex()]).stdout
    return [int(count) * 8 / MBIT / 1e6 for count in told.split()]


def start_front(machine, work):
    """The service at home, and the sentinel far away."""
    make_certificate(work, "front.test")
    (work / "tokens").write_text("bench-token=bench\n")
    (work / "token").write_text("bench-token\n")
    yield machine.enter(["python3", "-c", SERVE, SERVICE])
    yield machine.enter_outside([program("berth-sentinel"), "--listen", "0.0.0.0:443", "--state-dir", work / "state", "--tunnel-token-file",
                                 work / "tokens", "--tunnel-certificate", work / "front.test.pem", "--tunnel-key", work / "front.test.key",
                                 "--drain-timeout", "0.1"])


def tunnel(machine, work):
    return machine.enter([program("berth"), "--json", "tunnel", "--sentinel", FRONT, "--server-name", "front.test", "--ca", work / "front.test.pem",
                          "--pool", "bench", "--token-file", work / "token", "--hostname", NAME.decode(), "--forward", f"443=127.0.0.1:{SERVICE}"])


def run(argv, **options):
    return subprocess.Popen([str(word) for word in argv], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent, **options)


def end(process):
    process.terminate()
    process.wait()


def main():
    work = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    machine, running = Machine(work), []
    line = start_line(machine)
    try:
        running = [run(argv, stdout=subprocess.DEVNULL) for argv in start_front(machine, work)]
        whole = {"TCP": [], "tunnel": []}
        for _ in range(ROUNDS):
            for peer, results in whole.items():
                host = run(tunnel(machine, work), stdout=subprocess.PIPE, text=True)
                while json.loads(host.stdout.readline())["state"] != "joined":
                    pass
                each = shares(machine, *((HOME, SERVICE) if peer == "TCP" else ("127.0.0.1", 443)))
                results.append(statistics.mean(each))
                print(f"{peer:6} {results[-1]:.2f} of {MBIT:.0f} Mbit/s; by second {' '.join(f'{one:.2f}' for one in each)}", flush=True)
                end(host)
        print("median", *(f"{peer} {statistics.median(results):.2f}" for peer, results in whole.items()))
    finally:
        for process in reversed(running):
            end(process)
        os.kill(line, signal.SIGKILL)
        os.waitpid(line, 0)
        machine.close()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to add a port forward and to remove it, beside nft started for the same change.

    sudo BERTH_BIN=build/release python3 tests/bench/ports.py [RUNS]

Machines are noisy: read the ratio, of medians of one run in which both take turns. A list, which changes nothing, is
timed too: what it takes is the call itself, and the difference is the change. nft is started by hand on the
same machine, in a namespace that it is in already, so that only the process and its work count.
"""
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import Host, UnixConnection  # noqa: E402

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
FORWARDS = 100  # in the table meanwhile
PORT = 18080

# Inside the machine's namespaces: one line in, nft run on it, one line out.
NFT = """
import subprocess, sys, time
for line in sys.stdin:
    begun = time.perf_counter()
    subprocess.run(["nft", "-f", "-"], input=line.replace(";", "\\n"), text=True, check=True)
    print(time.perf_counter() - begun, flush=True)
"""


def call(connection, method, params):
    begun = time.perf_counter()
    connection.request("POST", "/rpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
                       {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert "result" in answer, answer
    return (time.perf_counter() - begun) * 1000


def row(what, values):
    ordered = sorted(values)
    print(f"{what:44} {len(ordered):5} {statistics.median(ordered):9.2f} {ordered[int(len(ordered) * 0.99)]:9.2f}  ms")
    return statistics.median(ordered)


def main():
    host = Host()
    try:
        address = host.create("ada")["ipv4"]
        for number in range(FORWARDS):
            host.rpc("port_add", {"container": "ada", "container_port": 1000 + number})
        connection = UnixConnection(host.socket, 60)
        nft = host.machine.start(["python3", "-c", NFT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        times = {"port_add + port_remove": [], "port_list, twice": [], "nft twice": []}
        for _ in range(RUNS):
            added = call(connection, "port_add", {"container": "ada", "container_port": 80, "host_port": PORT})
            times["port_add + port_remove"].append(added + call(connection, "port_remove", {"host_port": PORT}))
            times["port_list, twice"].append(sum(call(connection, "port_list", {}) for _ in range(2)))
            spent = 0.0
            for verb in ("add", "delete"):
                nft.stdin.write(f"{verb} element inet berth forwards {{ tcp . {PORT} : {address} . 80 }}\n")
                nft.stdin.flush()
                spent += float(nft.stdout.readline()) * 1000
            times["nft twice"].append(spent)
        nft.stdin.close()
        nft.wait()
        print(f"{'what':44} {'n':>5} {'p50':>9} {'p99':>9}")
        whole, nothing, process = (row(what, values) for what, values in times.items())
        print(f"the whole call / nft alone: {whole / process:.2f}; what the change adds to a call / nft: "
              f"{max(0.0, whole - nothing) / process:.2f}")
        assert "written anew" not in host.log_tail(100000), "some changes went by the whole table"
    finally:
        host.close()


if __name__ == "__main__":
    main()

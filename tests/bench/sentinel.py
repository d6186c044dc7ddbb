#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The sentinel beside HAProxy and nginx (stream, ssl_preread), in one run on one machine.

    BERTH_BIN=build/release-with-tests python3 tests/bench/sentinel.py [ROUNDS [SECONDS [WORK...]]]

Debian's haproxy, nginx and libnginx-mod-stream; those that are not there are left out, and HAPROXY, NGINX and
NGINX_STREAM_MODULE say where they are when it is elsewhere. Each has one thread on the first core; the load and the pool
share the second. Machines are noisy: peers take turns within each round, and what counts is the ratio of medians. The
processor time of the router itself (of all its threads, by the scheduler) is the steadiest of the figures. Times are of
a whole exchange as the client sees it: the begin of the connection to 64 bytes of answer, or 64 bytes there and back.
"""
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from support.host import program  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 3
WANTED = sys.argv[3:]
NAMES = 1000
PORTS = {"rate": 17001, "echo": 17002, "bulk": 17003}
NAME = {kind: f"{kind}.bench.test" for kind in PORTS}
# kind: connections at a time, and what is compared
WORK = {"rate": 64, "echo": 1, "bulk": 1, "bulk16": 16}


def routes():
    lines = [f"{NAME[kind]} 127.0.0.1:{port}" for kind, port in PORTS.items()]
    return lines + [f"app{number}.team{number % 10}.bench.test 127.0.0.1:17001" for number in range(NAMES - len(lines))]


def start_sentinel(work, port):
    (work / "routes").write_text("\n".join(routes()) + "\n")
    return [program("berth-sentinel"), "--listen", f"127.0.0.1:{port}", "--routes", str(work / "routes"), "--threads", "1"]


def start_haproxy(extra):
    def start(work, port):
        (work / f"map{port}").write_text("".join(f"{line.split()[0]} {line.split()[1].replace(':', '_')}\n" for line in routes()))
        backends = "".join(f"backend 127.0.0.1_{number}\n  server s 127.0.0.1:{number}\n" for number in PORTS.values())
        config = work / f"haproxy{port}.cfg"
        config.write_text(f"""
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
{extra}
frontend f
  bind 127.0.0.1:{port}
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req_ssl_hello_type 1 }}
  use_backend %[req_ssl_sni,lower,map({work}/map{port})]
{backends}""")
        return [os.environ.get("HAPROXY") or shutil.which("haproxy"), "-db", "-f", str(config)]
    return start


def start_nginx(work, port):
    module = os.environ.get("NGINX_STREAM_MODULE", "/usr/lib/nginx/modules/ngx_stream_module.so")
    pairs = "".join(f"    {line.split()[0]} {line.split()[1]};\n" for line in routes())
    config = work / "nginx.conf"
    config.write_text(f"""
load_module {module};
daemon off; master_process off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.log;
events {{ worker_connections 8000; }}
stream {{
  map_hash_max_size 8192; map_hash_bucket_size 128;
  map $ssl_preread_server_name $pool {{
{pairs}  }}
  server {{ listen 127.0.0.1:{port} backlog=4096; ssl_preread on; tcp_nodelay on; proxy_pass $pool; }}
}}""")
    return [os.environ.get("NGINX") or shutil.which("nginx"), "-p", str(work), "-e", str(work / "nginx.log"), "-c", str(config)]


PEERS = {"sentinel": start_sentinel, "haproxy": start_haproxy(""),
         "haproxy splice": start_haproxy("  option splice-request\n  option splice-response"), "nginx": start_nginx}


def cpu_ns(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def user_bytes(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    return 0


def load(kind, connections, port):
    argv = ["taskset", "-c", "1", program("sentinel_load"), kind[:4], str(port), NAME[kind[:4]], str(SECONDS), str(connections)]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def once(kind, connections, port, pid):
    before = cpu_ns(pid)
    told = load(kind, connections, port)
    used = cpu_ns(pid) - before
    units = told["bytes"] / 1e9 if kind.startswith("bulk") else told["count"]
    return {"rate": units / told["seconds"], "p50_us": told["p50_us"], "p99_us": told["p99_us"], "cpu_us": used / 1000 / units,
            "errors": told["errors"]}


def idle_bytes(port, pid, count=2000):
    """Memory of the router's own for each connection that says nothing."""
    before = user_bytes(pid)
    argv = ["taskset", "-c", "1", program("sentinel_load"), "idle", str(port), NAME["echo"], str(SECONDS), str(count)]
    clients = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    time.sleep(SECONDS * 0.8)
    grown = user_bytes(pid) - before
    clients.wait()
    return grown / count


def row(kind, peer, results, base):
    median = {key: statistics.median(result[key] for result in results) for key in results[0]}
    ratio = "" if base is None else f"{median['rate'] / base['rate']:6.2f} {median['p50_us'] / base['p50_us'] if base['p50_us'] else 0:6.2f} " \
        f"{median['p99_us'] / base['p99_us'] if base['p99_us'] else 0:6.2f} {median['cpu_us'] / base['cpu_us']:6.2f}"
    print(f"{kind:7} {peer:15} {median['rate']:10.2f} {median['p50_us']:10.1f} {median['p99_us']:10.1f} {median['cpu_us']:12.2f} "
          f"{int(sum(result['errors'] for result in results)):5} {ratio}")
    return median


def main():
    work = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    running = {}
    backend = subprocess.Popen(["taskset", "-c", "1", program("sentinel_load"), "serve", *map(str, PORTS.values())])
    try:
        for number, (peer, start) in enumerate(PEERS.items()):
            port = 17100 + number
            argv = start(work, port)
            if not argv[0]:
                print(f"{peer} is not installed and is left out")
                continue
            with open(work / f"{peer}.log".replace(" ", "-"), "wb") as log:
                running[peer] = port, subprocess.Popen(["taskset", "-c", "0", *argv], stdout=log, stderr=log)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    if running[peer][1].poll() is not None:
                        raise SystemExit((work / f"{peer}.log".replace(" ", "-")).read_text()) from None
                    time.sleep(0.05)
        print("rate: exchanges/s, GB/s for bulk; cpu: of the router, us an exchange, us a GB for bulk; ratios to haproxy")
        print(f"{'work':7} {'peer':15} {'rate':>10} {'p50 us':>10} {'p99 us':>10} {'cpu us':>12} {'errs':>5}   rate    p50    p99    cpu")
        for kind, connections in WORK.items():
            if WANTED and kind not in WANTED:
                continue
            results = {peer: [] for peer in running}
            for turn in range(ROUNDS):
                order = list(running) if turn % 2 == 0 else list(reversed(running))
                for peer in order:
                    port, process = running[peer]
                    results[peer].append(once(kind, connections, port, process.pid))
            base = None
            if "haproxy" in results:
                base = {key: statistics.median(result[key] for result in results["haproxy"]) for key in results["haproxy"][0]}
            for peer in running:
                row(kind, peer, results[peer], base)
        for peer, (port, process) in running.items():
            if WANTED and "idle" not in WANTED:
                break
            print(f"idle    {peer:15} {idle_bytes(port, process.pid):10.0f} bytes a connection, of memory of its own")
    finally:
        for _, process in running.values():
            process.terminate()
            process.wait()
        backend.terminate()
        backend.wait()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

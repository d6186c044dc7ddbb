#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container asks about itself at /dev/berth/sock: by curl, and by Python.
set -euo pipefail

socket=${BERTH_SOCKET:-/run/berth/berthd.sock}

berth() { command berth --socket "$socket" "$@"; }
inside() { berth container exec example-self -- "$@"; }

clean() { berth container delete example-self --force >/dev/null 2>&1 || true; }
trap clean EXIT

berth container create example-self --cpu-percent 150 --labels role=worker

echo "== by curl"
inside curl -sS --unix-socket /dev/berth/sock http://berth/1.0

echo "== by Python"
inside python3 -c '
import http.client, json, socket

class Berth(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/dev/berth/sock")

asked = Berth("berth")
asked.request("GET", "/1.0")
me = json.load(asked.getresponse())
workers = max(1, me["limits"]["cpu_percent"] // 100)
print("I am", me["name"], "with", workers, "worker(s), as a", me["labels"]["role"])
assert (me["name"], workers) == ("example-self", 1)'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container asks about itself at /dev/berth/sock: for all there is, and for the one number that a service needs.
set -euo pipefail

socket=${BERTH_SOCKET:-/run/berth/berthd.sock}

berth() { command berth --socket "$socket" "$@"; }
inside() { berth container exec example-self -- "$@"; }

clean() { berth container delete example-self --force >/dev/null 2>&1 || true; }
trap clean EXIT

berth container create example-self --cpu-percent 250 --labels role=worker

echo "== all there is"
answer=$(inside curl -sS --unix-socket /dev/berth/sock http://berth/1.0)
echo "$answer"
python3 - "$answer" <<'CHECK'
import json, sys
me = json.loads(sys.argv[1])
assert (me["name"], me["labels"], me["limits"]["cpu_percent"]) == ("example-self", {"role": "worker"}, 250), me
CHECK

echo "== a service that starts as many workers as it has CPUs"
# shellcheck disable=SC2016  # everything here belongs to the shell inside
workers=$(inside sh -c '
    percent=$(curl -sS --unix-socket /dev/berth/sock http://berth/1.0 | sed -E "s/.*\"cpu_percent\":([0-9]+).*/\1/")
    echo "workers: $((percent / 100))"')
echo "$workers"
test "$workers" = "workers: 2"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container into a file and out of it, and then through a pipe, as it would go to another host.
set -euo pipefail

socket=${BERTH_SOCKET:-/run/berth/berthd.sock}
work=$(mktemp -d)

say() { printf '\n== %s\n' "$*"; }
berth() { command berth --socket "$socket" "$@"; }
clean() {
    for name in example-out example-in example-moved; do
        berth container delete "$name" --force >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap clean EXIT

say "work worth keeping"
berth container create example-out
berth container exec example-out -- sh -c 'echo "three days of work" >/srv/result; chmod 600 /srv/result; chown www-data /srv/result'

say "into a file, and out of it under another name"
berth container export example-out "$work/out.tar"
tar -tvf "$work/out.tar" | grep srv/result
berth container import "$work/out.tar" example-in
test "$(berth container exec example-in -- stat -c '%U %a' /srv/result)" = "www-data 600"
test "$(berth container exec example-in -- cat /srv/result)" = "three days of work"

say "through a pipe: with ssh in the middle, this is a move to another host"
id=$(berth container exec example-out -- cat /etc/machine-id)
berth container export example-out - | berth container import - example-moved --keep-identity
test "$(berth container exec example-moved -- cat /etc/machine-id)" = "$id"

say "a file that was cut short makes nothing"
truncate --size=-5000 "$work/out.tar"
if berth container import "$work/out.tar" example-never; then exit 1; fi
if berth container get example-never; then exit 1; fi
say "done"

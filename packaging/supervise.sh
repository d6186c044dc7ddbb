#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# supervise.sh NAME COMMAND...: keeps a program running where there is no systemd. Ends, with the program,
# on SIGTERM; its process id is in /run/berth/NAME.pid.
set -euo pipefail

name=$1
shift
pid_file=/run/berth/$name.pid
echo $$ >"$pid_file"
child=

finish() {
    trap - TERM INT
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    wait || true
    rm -f "$pid_file"
    exit 0
}
trap finish TERM INT

delay_s=1
while true; do
    began=$SECONDS
    "$@" &
    child=$!
    code=0
    wait "$child" || code=$?
    # A program that cannot even start is not asked for it more than twice a minute.
    if ((SECONDS - began > 10)); then delay_s=1; else delay_s=$((delay_s < 16 ? delay_s * 2 : 30)); fi
    echo "$name ended with $code; it is started again in $delay_s s"
    sleep "$delay_s" &
    child=$!
    wait "$child" || true
done

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pool registers with the sentinel, keeps its name while it is away, and is shut out when its token is revoked.
set -euo pipefail

front=127.0.0.1:18444
control=http://127.0.0.1:18888/sentinel/primaries
work=$(mktemp -d)
started=()

say() { printf '\n== %s\n' "$*"; }

clean() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap clean EXIT

# admin PATH [CURL OPTIONS]: as an administrator, who is whoever can open the socket.
admin() { curl --silent --show-error --unix-socket "$work/state/admin.sock" "http://localhost/sentinel/$1" "${@:2}"; }

# fetch: from the pool by its name, through the front, with its own certificate.
fetch() {
    curl --silent --show-error --retry 20 --retry-all-errors --retry-delay 1 --http1.0 --cacert "$work/lab.pem" \
        --connect-to "lab.example:443:$front" https://lab.example/index.html "$@"
}

# register: what the pool's host does, and again every 30 seconds by PUT.
register() {
    curl --silent --output /dev/null --write-out '%{http_code}' -H "Authorization: Bearer $1" "$control" \
        -d '{"pool":"lab","hostname":"lab.example","port":18005}'
}

say "a sentinel and a token"
berth-sentinel --listen "$front" --state-dir "$work/state" --control 127.0.0.1:18888 --drain-timeout 1 &
started+=($!)
until test -S "$work/state/admin.sock"; do sleep 0.1; done
token=$(admin tokens -d '{"id":"lab-host","pools":["lab"]}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

say "a pool that registers is reached"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab.example \
    -addext subjectAltName=DNS:lab.example -keyout "$work/lab.key" -out "$work/lab.pem" 2>/dev/null
echo "hello from lab" >"$work/index.html"
(cd "$work" && exec openssl s_server -quiet -WWW -accept 127.0.0.1:18005 -cert lab.pem -key lab.key) &
started+=($!)
test "$(register wrong-token)" = 401
test "$(register "$token")" = 201
test "$(fetch)" = "hello from lab"

say "a revoked token is over at once"
admin tokens/lab-host -X DELETE
if fetch --retry 0; then exit 1; fi
test "$(register "$token")" = 401

say "all as expected"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server without inbound access is reached through a tunnel that it keeps open to the sentinel.
set -euo pipefail

front=127.0.0.1:18447
work=$(mktemp -d)
started=()

say() { printf '\n== %s\n' "$*"; }

clean() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap clean EXIT

# certificate NAME
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}

# fetch: as any visitor, by the name, through the front.
fetch() {
    curl --silent --show-error --http1.0 --cacert "$work/home.example.pem" \
        --connect-to "home.example:443:$front" https://home.example/index.html
}

# tunnel TOKEN-FILE
tunnel() {
    exec berth tunnel --sentinel "$front" --server-name front.example --ca "$work/front.example.pem" --pool home \
        --token-file "$work/$1" --hostname home.example --forward 443=127.0.0.1:18007
}

say "a sentinel that takes tunnels"
certificate front.example
echo "a-token-of-home=home" >"$work/tokens"
echo "a-token-of-home" >"$work/good"
echo "a-made-up-token" >"$work/bad"
chmod 0600 "$work"/tokens "$work"/good "$work"/bad
berth-sentinel --listen "$front" --state-dir "$work/state" --tunnel-token-file "$work/tokens" --drain-timeout 1 \
    --tunnel-certificate "$work/front.example.pem" --tunnel-key "$work/front.example.key" &
started+=($!)
until test -S "$work/state/admin.sock"; do sleep 0.1; done

say "a server of which nobody knows"
certificate home.example
echo "hello from home" >"$work/index.html"
(cd "$work" && exec openssl s_server -quiet -WWW -accept 127.0.0.1:18007 -cert home.example.pem -key home.example.key) &
started+=($!)

say "a wrong token is refused, and the reason told"
code=0
(tunnel bad) 2>"$work/refusal" || code=$?
test "$code" = 7
grep --quiet "invalid token" "$work/refusal"
if fetch; then exit 1; fi

say "a tunnel: the server is reached, under its own certificate"
: >"$work/told"
(tunnel good) >>"$work/told" &
keeper=$!
started+=("$keeper")
until grep --quiet joined "$work/told"; do sleep 0.1; done
test "$(fetch)" = "hello from home"

say "without it the name is away"
kill "$keeper"
wait "$keeper" || true
sleep 0.5
if fetch; then exit 1; fi

say "all as expected"

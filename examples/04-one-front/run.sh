#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Routes TLS by server name to two pools, and to a third one that comes later.
set -euo pipefail

front=127.0.0.1:18443
work=$(mktemp -d)
started=()

say() { printf '\n== %s\n' "$*"; }

clean() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap clean EXIT

# pool NAME PORT: a TLS server that only knows its own name.
pool() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
    mkdir "$work/$1"
    echo "hello from $1" >"$work/$1/index.html"
    (cd "$work/$1" && exec openssl s_server -quiet -WWW -accept "127.0.0.1:$2" -cert "../$1.pem" -key "../$1.key") &
    started+=($!)
}

# fetch NAME [CURL OPTIONS]: through the front, and only from who can prove to be NAME.
fetch() {
    curl --silent --show-error --retry 20 --retry-all-errors --retry-delay 1 --http1.0 --cacert "$work/$1.pem" \
        --connect-to "$1:443:$front" "https://$1/index.html" "${@:2}"
}

say "two pools and one front"
pool shop.example 18001
pool lab.example 18002
cat >"$work/routes" <<ROUTES
shop.example 127.0.0.1:18001 shop
lab.example  127.0.0.1:18002 lab
ROUTES
berth-sentinel --listen "$front" --routes "$work/routes" &
started+=($!)
lab=${started[1]}

test "$(fetch shop.example)" = "hello from shop.example"
test "$(fetch lab.example)" = "hello from lab.example"

say "a third one comes"
pool new.example 18003
echo 'new.example 127.0.0.1:18003 new' | cat "$work/routes" - >"$work/routes.new"
mv "$work/routes.new" "$work/routes"
test "$(fetch new.example)" = "hello from new.example"

say "one is down"
kill "$lab"
wait "$lab" 2>/dev/null || true
if fetch lab.example --retry 0; then exit 1; fi
test "$(fetch shop.example)" = "hello from shop.example"

say "all as expected"

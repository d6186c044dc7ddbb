#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A berth-mcp with a policy, met by scripts: what is confirmed, what is denied, what is not there.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
berthd=${BERTH_SOCKET:-/run/berth/berthd.sock}
work=$(mktemp -d)
server=

say() { printf '\n== %s\n' "$*"; }
berth() { command berth --socket "$berthd" "$@"; }
# rpc METHOD PARAMS [CURL-OPTION...]: plain JSON-RPC, which passes the same gate as MCP.
rpc() {
    local method=$1 params=$2
    shift 2
    curl --silent --show-error --unix-socket "$work/mcp.sock" -H 'Content-Type: application/json' "$@" \
        -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$method\",\"params\":$params}" http://localhost/rpc
}
get() { python3 -c 'import json, sys; it = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"; }
expect() {
    test "$(get "$1" "$2")" = True || { echo "expected $2 of: $1" >&2; exit 1; }
}

clean() {
    [ -z "$server" ] || { kill "$server" && wait "$server" || true; }
    for name in example-draft example-vault; do berth container delete "$name" --force >/dev/null 2>&1 || true; done
    rm -rf "$work"
}
trap clean EXIT

berth-mcp --config "$here/mcp.toml" --listen "unix:$work/mcp.sock" --socket "$berthd" --state-dir "$work" 2>"$work/log" &
server=$!
for _ in $(seq 100); do [ -S "$work/mcp.sock" ] && break || sleep 0.1; done

say "a delete is asked about, and confirmed by its token"
expect "$(rpc container_create '{"name":"example-draft"}')" 'it["result"]["state"] == "running"'
asked=$(rpc container_delete '{"name":"example-draft","force":true}')
expect "$asked" 'it["error"]["data"]["code"] == "needs_confirmation"'
token=$(get "$asked" 'it["error"]["data"]["details"]["confirm_token"]')
expect "$(rpc container_delete "{\"name\":\"example-draft\",\"force\":true,\"confirm_token\":\"$token\"}")" \
    'it["result"]["deleted"]'

say "a token is good once"
expect "$(rpc container_create '{"name":"example-draft"}')" 'it["result"]["state"] == "running"'
expect "$(rpc container_delete "{\"name\":\"example-draft\",\"force\":true,\"confirm_token\":\"$token\"}")" \
    '"error" in it'
expect "$(rpc container_get '{"name":"example-draft"}')" 'it["result"]["state"] == "running"'

say "what is labelled is left alone"
berth container create example-vault --labels env=prod >/dev/null
expect "$(rpc container_stop '{"name":"example-vault"}')" 'it["error"]["data"]["code"] == "denied"'
expect "$(berth container get example-vault --json)" 'it["state"] == "running"'

say "a header takes tools away"
expect "$(rpc container_stop '{"name":"example-draft"}' -H 'X-MCP-Readonly: true')" 'it["error"]["code"] == -32601'

say "all as expected"

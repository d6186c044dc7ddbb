#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first path by hand: through the command line, through JSON-RPC, and through MCP over HTTP.
set -euo pipefail

socket=${BERTH_SOCKET:-/run/berth/berthd.sock}
url=${BERTH_URL:-http://127.0.0.1:7420/mcp}
work=$(mktemp -d)

say() { printf '\n== %s\n' "$*"; }
berth() { command berth --socket "$socket" "$@"; }

# rpc METHOD PARAMS: one call to berthd. mcp TOOL ARGUMENTS: one call to berth-mcp, which needs no session.
rpc() {
    curl --silent --show-error --unix-socket "$socket" -H 'Content-Type: application/json' \
        -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" http://localhost/rpc
}
mcp() {
    curl --silent --show-error -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
        -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H "Mcp-Name: $1" \
        -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$1\",\"arguments\":$2,\"_meta\":{
              \"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",
              \"io.modelcontextprotocol/clientCapabilities\":{}}}}" "$url"
}

# get ANSWER EXPRESSION prints, and expect ANSWER EXPRESSION checks, a Python expression about `it`, the answer.
get() { python3 -c 'import json, sys; it = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"; }
expect() {
    test "$(get "$1" "$2")" = True || { echo "expected $2 of: $1" >&2; exit 1; }
}

clean() {
    for name in example-cli example-rpc example-mcp; do
        berth container delete "$name" --force >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap clean EXIT

say "through the command line"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
berth container create example-cli --ssh-keys "@$work/key.pub" --env GREETING='good day'
answer=$(berth container exec example-cli --json -- uname -s)
expect "$answer" 'it["exit_code"] == 0 and it["stdout"]["text"] == "Linux\n"'
answer=$(berth container exec example-cli --json -- printenv GREETING)
expect "$answer" 'it["stdout"]["text"] == "good day\n"'
# shellcheck disable=SC2016  # $1 belongs to the shell inside
berth container exec example-cli -- sh -c 'mkdir /srv/www && echo hello >/srv/www/index.html &&
    setsid python3 -c "$1" >/dev/null 2>&1 </dev/null &' sh '
import socket
server = socket.create_server(("", 80))
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + open("/srv/www/index.html", "rb").read())
    client.close()'
port=$(get "$(berth port add example-cli 80 --json)" 'it["host_port"]')
test "$(curl --silent --retry 10 --retry-connrefused "http://127.0.0.1:$port/")" = hello
berth container list
berth warning list  # what berthd has noticed to be wrong with this host, and what to do about it

say "a login by its name"
answer=$(berth ssh config example-cli --json)
get "$answer" 'it["config"]' >"$work/config"
get "$answer" 'it["known_hosts"]' >"$work/known_hosts"
test "$(ssh -F "$work/config" -o UserKnownHostsFile="$work/known_hosts" -o BatchMode=yes -i "$work/key" \
    example-cli hostname)" = example-cli

say "through JSON-RPC on the unix socket"
expect "$(rpc container_create '{"name":"example-rpc"}')" 'it["result"]["state"] == "running"'
expect "$(rpc container_exec '{"container":"example-rpc","argv":["sh","-c","exit 7"]}')" 'it["result"]["exit_code"] == 7'
expect "$(rpc container_create '{"name":"example-rpc"}')" 'it["error"]["data"]["code"] == "already_exists"'
expect "$(rpc container_delete '{"name":"example-rpc","force":true}')" 'it["result"]["deleted"] is True'

say "through MCP over HTTP"
expect "$(mcp container_create '{"name":"example-mcp"}')" 'it["result"]["structuredContent"]["state"] == "running"'
expect "$(mcp container_exec '{"container":"example-mcp","argv":["cat"],"stdin":"over MCP"}')" \
    'it["result"]["structuredContent"]["stdout"]["text"] == "over MCP"'
expect "$(mcp container_delete '{"name":"example-mcp","force":true}')" 'it["result"]["structuredContent"]["deleted"]'

say "all as expected"

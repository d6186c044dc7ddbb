#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an agent's client sends to put a website on the host, message by message.
set -euo pipefail

url=${BERTH_URL:-http://127.0.0.1:7420/mcp}
name=example-site

say() { printf '\n== %s\n' "$*"; }

# send METHOD NAME PARAMS: one stateless request. NAME repeats what the request names, "" if it names nothing.
send() {
    local headers=(-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'
        -H 'MCP-Protocol-Version: 2026-07-28' -H "Mcp-Method: $1")
    [ -z "$2" ] || headers+=(-H "Mcp-Name: $2")
    [ -z "${BERTH_TOKEN:-}" ] || headers+=(-H "Authorization: Bearer $BERTH_TOKEN")
    curl --silent --show-error "${headers[@]}" -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":{$3
        \"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",
                   \"io.modelcontextprotocol/clientCapabilities\":{}}}}" "$url"
}
# tool NAME ARGUMENTS: the structured result of a tool.
tool() { get "$(send tools/call "$1" "\"name\":\"$1\",\"arguments\":$2,")" 'json.dumps(it["result"]["structuredContent"])'; }

# get ANSWER EXPRESSION prints, and expect ANSWER EXPRESSION checks, a Python expression about `it`, the answer.
get() { python3 -c 'import json, sys; it = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"; }
expect() {
    test "$(get "$1" "$2")" = True || { echo "expected $2 of: $1" >&2; exit 1; }
}

clean() { tool container_delete "{\"name\":\"$name\",\"force\":true}" >/dev/null 2>&1 || true; }
trap clean EXIT

say "what there is"
expect "$(send server/discover "" "")" '"2026-07-28" in it["result"]["supportedVersions"]'
expect "$(send tools/list "" "")" '"container_create" in [tool["name"] for tool in it["result"]["tools"]]'

say "the errand"
errand=$(send prompts/get deploy_website "\"name\":\"deploy_website\",\"arguments\":{\"container\":\"$name\"},")
expect "$errand" "'$name' in json.dumps(it['result']['messages'])"

say "a machine: looked at first, then made once, however often it is asked for"
expect "$(tool container_create "{\"name\":\"$name\",\"dry_run\":true}")" 'it["dry_run"] and "create" in it["would"]'
errand_id="site-$(date +%s%N)"
for _ in 1 2; do
    made=$(tool container_create "{\"name\":\"$name\",\"labels\":[\"made-for=example\"],\"request_id\":\"$errand_id\"}")
    expect "$made" 'it["state"] == "running"'
done
expect "$(tool container_list '{"label":["made-for=example"]}')" 'it["total"] == 1'

say "the site, in the background"
site='
import socket
server = socket.create_server(("", 80))
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\nserved by '$name'\n")
    client.close()'
started=$(tool container_exec "$(python3 -c 'import json, sys; print(json.dumps({
    "container": sys.argv[1], "stdin": sys.argv[2], "background": True,
    "argv": ["sh", "-c", "cat >/srv/site.py && (setsid python3 /srv/site.py >/dev/null 2>&1 </dev/null &) && sleep 1"]}))' \
    "$name" "$site")")
operation=$(get "$started" 'it["operation"]["id"]')
expect "$(tool operation_get "{\"id\":\"$operation\",\"wait_seconds\":50}")" \
    'it["status"] == "completed" and it["result"]["exit_code"] == 0'

say "reached from this host"
forward=$(tool port_add "{\"container\":\"$name\",\"container_port\":80}")
port=$(get "$forward" 'it["host_port"]')
test "$(curl --silent --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/")" = "served by $name"

say "read as a resource"
expect "$(send resources/read "container://$name" "\"uri\":\"container://$name\",")" \
    'json.loads(it["result"]["contents"][0]["text"])["state"] == "running"'

say "and gone"
expect "$(tool container_delete "{\"name\":\"$name\",\"force\":true}")" 'it["deleted"]'
say "all as expected"

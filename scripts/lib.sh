# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share. Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
socket=/run/berth/berthd.sock
url=http://127.0.0.1:7420/mcp
export root socket url PATH=/usr/local/sbin:/usr/local/bin:$PATH

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "run it as root: sudo $0"; }
has_systemd() { [ -d /run/systemd/system ]; }

# The person behind sudo: whose keys log in, and whose SSH configuration is written.
person() { printf '%s\n' "${SUDO_USER:-root}"; }
home_of() { getent passwd "$1" | cut -d: -f6; }
as_person() {
    if [ "$(person)" = root ]; then "$@"; else runuser -u "$(person)" -- env HOME="$(home_of "$(person)")" "$@"; fi
}

# built PRESET PROGRAM: a program out of the build directory, wherever its room puts it.
built() {
    find "$root/build/$1" -name "$2" -type f -perm -u+x -print -quit | grep . || die "$2 is not in build/$1"
}

# wait_for SECONDS WHAT COMMAND...: asks until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || die "$what; see the logs"
        sleep 0.2
    done
}

berthd_answers() {
    curl --silent --fail --max-time 5 --unix-socket "$socket" -H 'Content-Type: application/json' \
        -d '{"jsonrpc":"2.0","id":1,"method":"system_info","params":{}}' http://localhost/rpc | grep -q '"result"'
}
# Any answer will do: what a plain GET gets is an HTTP error.
mcp_answers() { curl --silent --output /dev/null --max-time 5 "$url"; }

# Ends what packaging/supervise.sh keeps running, and waits until it has ended.
stop_supervised() {
    local pid
    [ -f "/run/berth/$1.pid" ] || return 0
    pid=$(<"/run/berth/$1.pid")
    # A pid may have been given to another process since a reboot.
    if grep -qs supervise "/proc/$pid/cmdline"; then
        kill "$pid"
        wait_for 30 "$1 does not end" test ! -e "/run/berth/$1.pid"
    fi
    rm -f "/run/berth/$1.pid"
}

stop_services() {
    local program
    for program in berth-mcp berthd; do
        if has_systemd && systemctl cat "$program.service" >/dev/null 2>&1; then
            systemctl disable --now --quiet "$program.service"
        fi
        stop_supervised "$program"
    done
}

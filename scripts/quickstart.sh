#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 to a container that `ssh demo` logs in to. Safe to run again: what is there is kept.
. "$(dirname "$0")/lib.sh"
need_root

user=$(person)
home=$(home_of "$user")

build_and_install() {
    say "building (the first time takes a few minutes)"
    cd "$root"
    cmake --preset release -Wno-dev >/dev/null
    cmake --build --preset release
    cmake --install build/release >/dev/null
    say "installed under /usr/local"
}

make_user_and_configuration() {
    getent group berth >/dev/null || groupadd --system berth
    getent passwd berth >/dev/null || useradd --system --gid berth --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin --comment "berth's MCP server" berth
    if [ "$user" != root ] && ! id -nG "$user" | grep -qw berth; then
        usermod --append --groups berth "$user"
        joined=yes
    fi
    install -d -m 755 /etc/berth
    local name
    for name in berthd.toml mcp.toml; do
        [ -e "/etc/berth/$name" ] || install -m 644 "$root/packaging/etc/$name" "/etc/berth/$name"
    done
}

start_with_systemd() {
    systemctl daemon-reload
    systemctl enable --quiet berth-containers.service berthd.service berth-mcp.service
    systemctl start berth-containers.service
    systemctl restart berthd.service berth-mcp.service
}

# Each in a session of its own, so that it outlives this script and its terminal.
start_supervised() {
    local program
    for program in berth-mcp berthd; do stop_supervised "$program"; done
    install -d -m 755 /run/berth /var/log/berth
    install -d -m 700 -o berth -g berth /var/lib/berth-mcp
    supervise berthd /usr/local/sbin/berthd --config /etc/berth/berthd.toml
    supervise berth-mcp setpriv --reuid berth --regid berth --init-groups --no-new-privs \
        /usr/local/bin/berth-mcp --config /etc/berth/mcp.toml
}
supervise() {
    setsid /usr/local/libexec/berth/supervise.sh "$@" >>"/var/log/berth/$1.log" 2>&1 </dev/null &
}

start() {
    say "starting berthd and berth-mcp"
    if has_systemd; then start_with_systemd; else start_supervised; fi
    wait_for 60 "berthd does not answer" berthd_answers
    wait_for 30 "berth-mcp does not answer" mcp_answers
}

find_or_make_key() {
    local key
    for key in "$home"/.ssh/id_ed25519.pub "$home"/.ssh/id_*.pub; do
        if [ -f "$key" ]; then
            public_key=$key
            return
        fi
    done
    say "$user has no SSH key: making $home/.ssh/id_ed25519, without a passphrase"
    as_person mkdir -p -m 700 "$home/.ssh"
    as_person ssh-keygen -q -t ed25519 -N '' -f "$home/.ssh/id_ed25519"
    public_key=$home/.ssh/id_ed25519.pub
}

make_demo() {
    find_or_make_key
    if berth container get demo >/dev/null 2>&1; then
        say "the container demo is there"
        berth container start demo >/dev/null
        berth ssh key-add demo "@$public_key" >/dev/null
    else
        say "creating the container demo"
        berth container create demo --ssh-keys "@$public_key" >/dev/null
    fi
    as_person berth ssh-config sync --include >/dev/null
    if as_person ssh-keygen -y -P '' -f "${public_key%.pub}" >/dev/null 2>&1; then
        say "trying: ssh demo true"
        as_person ssh -o BatchMode=yes -i "${public_key%.pub}" demo true || die "'ssh demo true' does not work for $user"
    else
        say "not trying ssh: ${public_key%.pub} is not here or has a passphrase"
    fi
}

closing_words() {
    cat <<END

berth is running. It took $SECONDS seconds.

  Log in:        ssh demo
  MCP over HTTP: $url
  MCP client configuration (stdio):

    {"mcpServers":{"berth":{"command":"/usr/local/bin/berth-mcp","args":["--stdio"]}}}

  Stop it with scripts/stop.sh, remove it with scripts/uninstall.sh.
END
    [ -z "${joined:-}" ] || printf '\n  %s is now in the group berth. Log in anew before using berth or MCP over stdio.\n' "$user"
}

"$root/scripts/install-packages.sh" build
build_and_install
make_user_and_configuration
say "making the base image debian-12, unless it is there"
/usr/local/sbin/berthd --config /etc/berth/berthd.toml image build debian-12
start
make_demo
closing_words

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# uninstall.sh [--yes]: removes berth with all its containers, images, configuration and logs.
. "$(dirname "$0")/lib.sh"
need_root

if [ "${1:-}" != --yes ]; then
    printf 'This deletes every container of this machine with its files. Go on? [y/N] '
    read -r answer || answer=
    [[ $answer == [yY]* ]] || die "nothing was removed"
fi

# What `berth ssh-config sync --include` wrote, for whoever ran it: two files and one line.
forget_ssh_configuration() {
    local home
    while IFS=: read -r _ _ _ _ _ home _; do
        [ -f "$home/.ssh/berth_config" ] || continue
        rm -f "$home/.ssh/berth_config" "$home/.ssh/berth_known_hosts"
        [ -f "$home/.ssh/config" ] || continue
        sed -i --follow-symlinks '/^Include berth_config$/d' "$home/.ssh/config"
        [ -s "$home/.ssh/config" ] || rm -f "$home/.ssh/config"
    done < <(getent passwd)
}

say "stopping berthd and berth-mcp"
stop_services
if [ -x /usr/local/sbin/berthd ]; then
    say "deleting containers, bridge and rules"
    /usr/local/sbin/berthd --config /etc/berth/berthd.toml teardown || die "berthd teardown failed; nothing was removed"
fi
# The kernel keeps the profile of containers until it is told, or boots.
profile=/var/lib/berth/lxc/apparmor
if [ -f "$profile" ] && [ -d /sys/kernel/security/apparmor ]; then apparmor_parser --remove "$profile" || true; fi
say "removing files"
forget_ssh_configuration
if has_systemd && systemctl cat berth-sentinel.socket >/dev/null 2>&1; then
    systemctl disable --now --quiet berth-sentinel.socket berth-sentinel.service
fi
rm -f /usr/local/bin/berth /usr/local/bin/berth-mcp /usr/local/bin/berth-sentinel /usr/local/sbin/berthd
rm -f /usr/local/lib/systemd/system/berthd.service /usr/local/lib/systemd/system/berth-containers.service \
    /usr/local/lib/systemd/system/berth-mcp.service /usr/local/lib/systemd/system/berth-sentinel.service \
    /usr/local/lib/systemd/system/berth-sentinel.socket
rm -f /usr/local/share/bash-completion/completions/berth /usr/local/share/zsh/site-functions/_berth
rm -rf /usr/local/libexec/berth /etc/berth /run/berth /var/lib/berth /var/lib/berth-mcp /var/log/berth
rmdir --ignore-fail-on-non-empty /usr/local/libexec /usr/local/lib/systemd/system /usr/local/lib/systemd \
    /usr/local/share/bash-completion/completions /usr/local/share/bash-completion \
    /usr/local/share/zsh/site-functions /usr/local/share/zsh 2>/dev/null || true
if has_systemd; then systemctl daemon-reload; fi
if getent passwd berth >/dev/null; then userdel berth; fi
if getent group berth >/dev/null; then groupdel berth; fi
say "berth is gone. Debian packages, SSH keys and this source tree (with build/) are kept."

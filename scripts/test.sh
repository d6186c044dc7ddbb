#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test.sh [CTEST-OPTION...]: builds and runs every test; closes with ctest's summary. For a part of them:
# scripts/test.sh -L unit
. "$(dirname "$0")/lib.sh"
need_root
cd "$root"

install_clients() {
    local at=build/npm
    if ! cmp -s tests/system/package-lock.json "$at/package-lock.json" || [ ! -f "$at/complete" ]; then
        say "installing the MCP clients"
        rm -rf "$at"
        mkdir -p "$at"
        cp tests/system/package.json tests/system/package-lock.json "$at"
        # Only the pinned Node runs them, so that what this npm thinks of its own age does not matter.
        npm ci --prefix "$at" --ignore-scripts --no-audit --no-fund --loglevel error
        touch "$at/complete"
    fi
}

# What the base image lacks of a program for containers, for the containers of a test, which reach no archive.
download_for_nesting() { # NAME PACKAGE...
    local at=$root/build/nesting/$1 image=$root/build/images/names/debian-12
    shift
    [ -f "$at/complete" ] && [ "$at/complete" -nt "$image/manifest.json" ] && return
    say "downloading ${at##*/} for the containers of a test"
    rm -rf "$at"
    mkdir -p "$at/partial"
    apt-get install -qq --yes --no-install-recommends --download-only -o Debug::NoLocking=1 \
        -o Dir::State::status="$image/rootfs/var/lib/dpkg/status" -o Dir::Cache::archives="$at" "$@" >/dev/null
    rm -rf "$at/partial" "$at/lock"
    touch "$at/complete"
}

scripts/install-packages.sh test
say "building"
cmake --preset ci -Wno-dev
cmake --build --preset ci
install_clients
say "making the base image, unless it is there"
"$(built ci berthd)" --image-dir "$root/build/images" image build debian-12
download_for_nesting podman podman podman-compose runc catatonit netavark aardvark-dns iptables fuse-overlayfs uidmap \
    slirp4netns dbus-user-session busybox-static
download_for_nesting docker docker.io docker-compose runc iptables fuse-overlayfs busybox-static
say "testing"
ctest --preset ci "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-packages.sh build|test: installs what building and running berth needs, or also what its tests
# need. Debian 12, from the distribution alone; does nothing when all is there.
. "$(dirname "$0")/lib.sh"

build=(cmake ninja-build ccache g++ pkg-config nlohmann-json3-dev libfmt-dev libspdlog-dev libcli11-dev libssl-dev
    libsqlite3-dev libcpp-httplib-dev lxc-dev libpci-dev libmnl-dev libarchive-dev libyaml-dev
    libtomlplusplus-dev)
run=(mmdebstrap debian-archive-keyring iproute2 nftables openssh-client procps e2fsprogs curl lxcfs ca-certificates
    apparmor)
test=(catch2 python3 python3-jsonschema lxc golang-go golang-github-hashicorp-yamux-dev
    qemu-system-x86)

case ${1:-} in
    build) wanted=("${build[@]}" "${run[@]}") ;;
    test)
        wanted=("${build[@]}" "${run[@]}" "${test[@]}")
        # Whatever Node there is will do: it only installs the pinned one that runs the clients.
        command -v node >/dev/null || wanted+=(nodejs)
        command -v npm >/dev/null || wanted+=(npm)
        ;;
    *) die "usage: $0 build|test" ;;
esac

missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
    say "all packages are there"
    exit 0
fi

need_root
say "installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
say "packages installed"

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers in a container with `nesting`: Debian's podman and Docker, as they come, and services that talk to each other."""
import os
import sys
from pathlib import Path

from support.host import SOURCE, HostCase, main
from support.machine import HOST_ADDRESS

PACKAGES = Path(os.environ.get("BERTH_NESTING_DIR", SOURCE / "build/nesting"))
INSTALL = r"""
set -e
export DEBIAN_FRONTEND=noninteractive
dpkg --install --force-unsafe-io /srv/packages/*.deb >/tmp/installed 2>&1 || { tail -20 /tmp/installed >&2; exit 1; }
# An image of one program.
mkdir -p /tmp/image/bin /tmp/image/etc /tmp/image/tmp
cp /bin/busybox /tmp/image/bin && chroot /tmp/image /bin/busybox --install -s /bin
tar -C /tmp/image -cf /srv/image.tar .
"""
FOR_PODMAN = r"""
set -e
# Ids of the container's own 65,536, for an ordinary user's containers.
useradd --create-home ann
echo ann:10000:50000 | tee /etc/subuid >/etc/subgid
# Where podman's name server runs, as it does for whoever has logged in.
loginctl enable-linger root ann
"""
SERVE = "mkdir /www; echo {} > /www/index.html; exec httpd -f -p 80 -h /www"
ASK = "until wget -qO- http://{}/; do sleep 0.2; done"
COMPOSE = f"""
version: "3"
services:
  web:
    image: {{image}}
    command: ["sh", "-c", "{SERVE.format("composed")}"]
    ports: ["8081:80"]
  asker:
    image: {{image}}
    command: ["sh", "-c", "{ASK.format("web")}"]
"""
# Root of a user namespace, with /proc and /sys of its own.
NEST = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork", "sh", "-c",
        "mount -t proc proc /mnt && mount -t sysfs sysfs /mnt && echo nested")


class WithPackages(HostCase):
    flags = ("--shares-allowed", str(PACKAGES))

    @classmethod
    def install(cls, name, packages):
        cls.host.create(name, nesting=True, start=False)
        share = {"host_path": str(PACKAGES / packages), "path": "/srv/packages"}
        cls.host.rpc("container_update", {"name": name, "shares": [share]})
        cls.host.rpc("container_start", {"name": name})
        cls.host.output(name, "sh", "-c", INSTALL, timeout_seconds=180)


class Podman(WithPackages):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.install("ada", "podman")
        cls.host.output("ada", "sh", "-c", FOR_PODMAN)
        for user in ("root", "ann"):
            cls.sh("podman import --quiet /srv/image.tar localhost/busybox", user)

    @classmethod
    def sh(cls, command, user="root"):
        return cls.host.output("ada", "sh", "-c", f"export XDG_RUNTIME_DIR=/run/user/$(id -u); {command}", user=user,
                               timeout_seconds=60)

    def test_podman_runs_a_command(self):
        for user in ("root", "ann"):
            with self.subTest(user=user):
                said = self.sh("podman run --rm busybox sh -c 'id -u; hostname; echo $$'", user).split()
                self.assertEqual((said[0], said[2]), ("0", "1"))
                self.assertNotEqual(said[1], "ada")

    def test_what_runs_inside_has_no_more_than_the_container_around_it(self):
        for attempt in ("mknod /tmp/sda b 8 0", "mount -t debugfs none /mnt", "echo x > /proc/sys/kernel/core_pattern"):
            with self.subTest(attempt):
                tried = f"mkdir -p /mnt; {attempt} 2>/dev/null && echo done || echo refused"
                self.assertEqual(self.sh(f"podman run --rm --privileged busybox sh -c '{tried}'"), "refused\n")

    def test_two_services_of_a_pod_share_their_localhost(self):
        for user, more in (("root", "-p 8080:80"), ("ann", "")):
            with self.subTest(user=user):
                self.sh(f"podman pod create --name app --share-parent=false {more}", user)
                self.sh(f"podman run -d --pod app busybox sh -c '{SERVE.format('shared')}'", user)
                ask = f"podman run --rm --pod app busybox sh -c '{ASK.format('127.0.0.1')}'"
                self.assertEqual(self.sh(ask, user), "shared\n")
                if more:
                    self.assertEqual(self.sh("curl -s http://127.0.0.1:8080/"), "shared\n")
                self.sh("podman pod stop -t 0 app; podman pod rm app", user)

    def test_a_composed_application_finds_its_services_by_name(self):
        self.host.output("ada", "sh", "-c", "mkdir -p /srv/app && cat > /srv/app/compose.yaml", stdin=COMPOSE.format(image="localhost/busybox"))
        self.sh("cd /srv/app && podman-compose up -d")
        self.assertEqual(self.sh("podman wait app_asker_1 && podman logs app_asker_1"), "0\ncomposed\n")
        self.assertEqual(self.sh("curl -s http://127.0.0.1:8081/"), "composed\n")
        port = self.host.rpc("port_add", {"container": "ada", "container_port": 8081})["host_port"]
        asked = self.host.machine.outside(["curl", "-s", f"http://{HOST_ADDRESS}:{port}/"])
        self.assertEqual(asked.stdout, "composed\n")
        self.sh("cd /srv/app && podman-compose down -t 0")

    def test_it_is_kept_by_a_fork_and_nobody_else_has_it(self):
        self.host.create("bob")
        self.addCleanup(self.host.delete, "bob")
        self.host.rpc("container_fork", {"container": "ada", "names": ["eve"]})
        self.addCleanup(self.host.delete, "eve")
        has = {name: self.host.rpc("container_get", {"name": name, "response_format": "detailed"})["nesting"]
               for name in ("ada", "bob", "eve")}
        self.assertEqual(has, {"ada": True, "bob": False, "eve": True})
        for name in ("ada", "eve"):
            self.assertEqual(self.host.output(name, *NEST), "nested\n")
            self.host.output(name, "sh", "-c", "test -c /dev/fuse && test -c /dev/net/tun")
        self.assertIn("permission denied", self.host.exec("bob", *NEST)["stderr"]["text"])
        self.host.output("bob", "sh", "-c", "! test -e /dev/fuse && ! test -e /dev/net && ! test -e /dev/.lxc")


class Docker(WithPackages):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.install("ada", "docker")
        cls.sh("docker import - busybox < /srv/image.tar")

    @classmethod
    def sh(cls, command):
        return cls.host.output("ada", "sh", "-c", command, timeout_seconds=60)

    def test_docker_runs_a_command(self):
        said = self.sh("docker run --rm busybox sh -c 'id -u; hostname; echo $$'").split()
        self.assertEqual((said[0], said[2]), ("0", "1"))
        self.assertNotEqual(said[1], "ada")

    def test_a_composed_application_finds_its_services_by_name(self):
        self.host.output("ada", "sh", "-c", "mkdir -p /srv/app && cat > /srv/app/docker-compose.yml",
                         stdin=COMPOSE.format(image="busybox"))
        self.sh("cd /srv/app && docker-compose up -d")
        self.assertEqual(self.sh("docker wait app_asker_1 && docker logs app_asker_1"), "0\ncomposed\n")
        port = self.host.rpc("port_add", {"container": "ada", "container_port": 8081})["host_port"]
        asked = self.host.machine.outside(["curl", "-s", f"http://{HOST_ADDRESS}:{port}/"])
        self.assertEqual(asked.stdout, "composed\n")
        self.sh("cd /srv/app && docker-compose down -t 0")


if __name__ == "__main__":
    if not all((PACKAGES / name / "complete").exists() for name in ("podman", "docker")):
        print(f"skipped: no podman and docker in {PACKAGES} (scripts/test.sh downloads them)")
        sys.exit(77)
    main()

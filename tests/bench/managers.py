# SPDX-License-Identifier: Apache-2.0
"""Incus and LXD as peers of benchmarks: each in a machine of its own, spoken to over its REST socket, with the base
image of the tests in a btrfs pool, which is the fastest of their pools that Debian 12 has.

Packages: incus-base and incus-client of bookworm-backports, lxd and lxd-client; squashfs-tools, btrfs-progs."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.host import IMAGES
from support.machine import Machine, die_with_parent, wait_until

BRIDGE = "peerbr0"
POOL_BYTES = "12GiB"
META = """architecture: x86_64
creation_date: 1
properties: {description: the base image of the tests}
"""
KINDS = {
    "incus": {"daemon": ["/usr/libexec/incus/incusd", "--group", "root"], "client": ["incus"], "dir": "INCUS_DIR",
              "init": ["incus", "admin", "init", "--preseed"], "stop": ["incus", "admin", "shutdown"]},
    "lxd": {"daemon": ["lxd", "--group", "root"], "client": ["lxc"], "dir": "LXD_DIR",
            "init": ["lxd", "init", "--preseed"], "stop": ["lxd", "shutdown"]},
}


def quiet(seconds=5.0):
    """Waits until what was begun before (a boot, a removal) is over, so that nobody is charged for it: until the
    processors have had next to nothing to do for a moment, or the time is up."""
    def busy():
        user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split()[1:5])
        return user + nice + system

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy()
        time.sleep(0.2)
        if busy() - before <= 2 * os.cpu_count():  # of 20 ticks each
            return


def there(kind):
    return shutil.which(KINDS[kind]["daemon"][0]) is not None


class _Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("peer", timeout=300)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(self._path)


class Manager:
    """`with Manager("incus") as peer: peer.launch("ada")`"""

    def __init__(self, kind):
        self.kind = kind
        self.how = KINDS[kind]
        self.root = Path(tempfile.mkdtemp(prefix="berth-bench-", dir="/var/tmp"))
        self.root.chmod(0o755)  # ids of containers have to pass through
        self.state = self.root / kind
        self.machine = Machine(self.root)
        self.environment = os.environ | {self.how["dir"]: str(self.state), "HOME": str(self.root)}
        self.log = open(self.root / "log", "wb")
        self.daemon = None

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def explain(self):
        for log in (self.root / "log", *self.state.glob("logs/*/lxc.log")):
            print(log.read_text(errors="replace")[-2000:])

    def _run(self, argv, **options):
        return self.machine.run(argv, env=self.environment, **options)

    def _begin(self):
        self.machine.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        self.machine.run(["ip", "link", "set", BRIDGE, "up"])
        self.state.mkdir()
        self.daemon = self.machine.start(self.how["daemon"], env=self.environment, stdout=self.log, stderr=self.log,
                                         preexec_fn=die_with_parent)
        wait_until((self.state / "unix.socket").exists, f"{self.kind} listens", 60)
        seed = {"storage_pools": [{"name": "default", "driver": "btrfs", "config": {"size": POOL_BYTES}}],
                "profiles": [{"name": "default", "devices": {
                    "root": {"type": "disk", "path": "/", "pool": "default"},
                    "eth0": {"type": "nic", "nictype": "bridged", "parent": BRIDGE}}}]}
        self._run(self.how["init"], input=json.dumps(seed))
        (self.root / "metadata.yaml").write_text(META)
        subprocess.run(["tar", "-C", self.root, "-cJf", self.root / "meta.tar.xz", "metadata.yaml"], check=True)
        base = next(IMAGES.glob("names/debian-12")).resolve() / "rootfs"
        subprocess.run(["mksquashfs", base, self.root / "rootfs.squashfs", "-comp", "gzip", "-quiet", "-no-progress"],
                       check=True, stdout=subprocess.DEVNULL)
        self._run([*self.how["client"], "image", "import", self.root / "meta.tar.xz", self.root / "rootfs.squashfs",
                   "--alias", "base"])
        self.connection = _Unix(self.state / "unix.socket")

    def __exit__(self, failed=None, *_):
        if failed:
            self.explain()
        for name in self.names():
            self.delete(name)
        if self.daemon:
            self._run([*self.how["stop"]], check=False)
            try:
                self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
        self.machine.close()
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        if answer["type"] == "error":
            raise AssertionError(answer)
        return answer

    def _done(self, answer):
        operation = self.ask("GET", answer["operation"] + "/wait?timeout=300")["metadata"]
        if operation["status"] != "Success":
            raise AssertionError(operation)
        return operation

    def names(self):
        if not hasattr(self, "connection"):
            return []
        return [path.rsplit("/", 1)[1] for path in self.ask("GET", "/1.0/instances")["metadata"]]

    def create(self, name):
        """As berth's container_create does: it runs when this returns."""
        self._done(self.ask("POST", "/1.0/instances", {"name": name, "type": "container",
                                                       "source": {"type": "image", "alias": "base"}}))
        self._done(self.ask("PUT", f"/1.0/instances/{name}/state", {"action": "start", "timeout": 30}))

    def exec(self, name):
        done = self._done(self.ask("POST", f"/1.0/instances/{name}/exec", {
            "command": ["true"], "wait-for-websocket": False, "record-output": False, "interactive": False}))
        assert done["metadata"]["return"] == 0, done

    def delete(self, name):
        try:
            self._done(self.ask("PUT", f"/1.0/instances/{name}/state", {"action": "stop", "force": True, "timeout": 30}))
        except AssertionError:
            pass  # it had ended
        self._done(self.ask("DELETE", f"/1.0/instances/{name}"))

    def snapshot(self, name, snapshot):
        self._done(self.ask("POST", f"/1.0/instances/{name}/snapshots", {"name": snapshot, "stateful": False}))

    def copy(self, source, name):
        self._done(self.ask("POST", "/1.0/instances", {"name": name, "type": "container",
                                                       "source": {"type": "copy", "source": source}}))
        self._done(self.ask("PUT", f"/1.0/instances/{name}/state", {"action": "start", "timeout": 30}))


def main():
    with Manager(sys.argv[1]) as peer:
        for number in range(5):
            begun = time.perf_counter()
            peer.create(f"box{number}")
            created = time.perf_counter()
            peer.exec(f"box{number}")
            print(f"create {1000 * (created - begun):.1f} exec {1000 * (time.perf_counter() - created):.1f} ms")


if __name__ == "__main__":
    main()

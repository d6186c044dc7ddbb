#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container may use at most: each limit is proved by using more."""
import contextlib
import http.client
import subprocess
import time
from pathlib import Path

from support.host import HostCase, ToolError, main, run_in_thread
from support.machine import OUTSIDE_ADDRESS, die_with_parent, wait_until

MIB = 1 << 20
CUTS = 6

# Burns one CPU for so many seconds and says which part of one it got.
BURN = """
import sys, time
begun, used = time.monotonic(), time.process_time()
while time.monotonic() - begun < float(sys.argv[1]): pass
print((time.process_time() - used) / (time.monotonic() - begun))
"""

# Outside: sends so many bytes, and takes all until the other end is done. ADDRESS BYTES; says its port.
PEER = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
threading.Thread(target=peer.sendall, args=(bytes(int(sys.argv[2])),), daemon=True).start()
while peer.recv(65536): pass
"""

# Inside: ADDRESS PORT BYTES; says how many seconds the STEPs took that move them.
MOVE = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
buffer, left, begun = bytearray(65536), int(sys.argv[3]), time.monotonic()
while left > 0: left -= STEP
s.shutdown(socket.SHUT_WR)
while s.recv(1): pass  # until the peer has it all
print(time.monotonic() - begun)
"""


class Limits(HostCase):
    def make(self, name, **more):
        box = self.host.create(name, **more)
        self.addCleanup(self.host.delete, name)
        return box

    def get(self, name):
        return self.host.rpc("container_get", {"name": name, "response_format": "detailed"})

    def update(self, name, **changes):
        return self.host.rpc("container_update", {"name": name, **changes})

    def restart(self, name):
        self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": name})

    def feature(self, name):
        return self.host.feature(name)

    def python(self, name, program, *arguments):
        return self.host.output(name, "python3", "-c", program, *map(str, arguments)).split()

    # Processor

    def test_burning_a_cpu_gets_no_more_than_the_share(self):
        self.make("ada", cpu_percent=20)
        held = float(self.python("ada", BURN, 3)[0])
        self.assertLess(held, 0.20 * 1.3)
        self.update("ada", cpu_percent=100)
        freed = float(self.python("ada", BURN, 3)[0])
        self.assertGreater(freed, 1.5 * held)
        self.update("ada", cpu_percent=30)
        self.restart("ada")
        self.assertLess(float(self.python("ada", BURN, 3)[0]), 0.30 * 1.3)

    # Memory

    def test_swap_counts_from_the_start_and_after_a_change(self):
        if not self.feature("swap")["available"]:
            self.make("ada")
            self.refused("unsupported", "/swap_bytes", "container_update", {"name": "ada", "swap_bytes": MIB})
            self.skipTest("this kernel does not count swap")
        box = self.make("ada", memory_bytes=128 * MIB)
        self.assertEqual(box["limits"]["swap_bytes"], 0)
        self.assertEqual(self.swap_of(box["id"], 128 * MIB), 0)
        self.update("ada", memory_bytes=256 * MIB, swap_bytes=64 * MIB)
        self.assertEqual(self.swap_of(box["id"], 256 * MIB), 64 * MIB)
        self.update("ada", memory_bytes=128 * MIB)
        self.restart("ada")
        self.assertEqual(self.swap_of(box["id"], 128 * MIB), 64 * MIB)

    def swap_of(self, id, memory):
        """What the kernel holds the container's group to: no swap need be there to be used."""
        for path, beside in (("memory/{}/memory.memsw.limit_in_bytes", memory), ("{}/memory.swap.max", 0)):
            file = Path("/sys/fs/cgroup") / path.format(f"{self.host.cgroup}/{id}")
            if file.exists():
                return int(file.read_text()) - beside
        self.fail("no file says how much swap there may be")

    # Disk

    def test_the_disk_is_no_faster_than_asked_for(self):
        if not self.feature("disk_speed")["available"]:
            self.make("ada")
            self.refused("unsupported", "/io_bytes_per_second", "container_update",
                         {"name": "ada", "io_bytes_per_second": MIB})
            self.skipTest("this machine cannot slow a disk down")
        self.make("ada")
        for rate in (8 * MIB, 4 * MIB):
            self.assertEqual(self.update("ada", io_bytes_per_second=rate)["restart_required"], [])
            for direction in ("write", "read"):
                self.assertLess(12 * MIB / self.stream("ada", direction, 12), 1.3 * rate, direction)
        self.update("ada", io_bytes_per_second=0, io_operations_per_second=20)  # of 256 KiB
        self.restart("ada")
        for direction in ("write", "read"):
            self.assertLess(40 / self.stream("ada", direction, 10), 1.3 * 20, direction)
        self.update("ada", io_operations_per_second=0)
        self.assertEqual(self.get("ada")["limits"]["io_operations_per_second"], 0)

    def stream(self, name, direction, mib):
        """How many seconds it takes to write or read so much past every cache, 256 KiB at a time."""
        ways = {"write": ("if=/dev/zero", "of=/root/stream", "oflag=direct"),
                "read": ("if=/root/stream", "of=/dev/null", "iflag=direct")}
        done = self.host.exec(name, "dd", *ways[direction], "bs=256K", f"count={4 * mib}")
        self.assertEqual(done["exit_code"], 0, done)
        return done["duration_ms"] / 1000

    def usage(self, name):
        return self.host.rpc("container_usage", {"name": name})

    def fill(self, name, mib, to="/root/full"):
        """Writes up to so much; how many MiB fitted, and what it said when they did not."""
        done = self.host.exec(name, "dd", "if=/dev/zero", f"of={to}", "bs=1M", f"count={mib}", "conv=fsync")
        size = int(self.host.output(name, "stat", "-c", "%s", to))
        return size // MIB, done["stderr"]["text"]

    def with_disk(self, name, mib):
        if not self.feature("disk_quota")["available"]:
            self.refused("unsupported", "/disk_bytes", "container_create", {"name": name, "disk_bytes": mib * MIB})
            self.skipTest("this machine cannot make a disk")
        return self.make(name, disk_bytes=mib * MIB)

    def by(self, name):
        return self.usage(name)["disk"]["by"]

    def with_image(self, name, mib):
        box = self.with_disk(name, mib)
        if self.by(name) != "image":
            self.skipTest("this machine keeps disks by other means")
        return box

    def test_a_full_disk_is_full_for_its_container_alone(self):
        self.with_disk("ada", 64)
        self.make("bob")
        fitted, error = self.fill("ada", 100)
        self.assertRegex(error, "No space left on device|Disk quota exceeded")
        self.assertTrue(40 < fitted <= 64, fitted)
        use = self.usage("ada")["disk"]
        self.assertIn(use["by"], ("image", "project_quota"))
        self.assertTrue(use["exact"])
        self.assertTrue(fitted * MIB <= use["bytes"] <= 64 * MIB, use)
        # Nothing else breaks: it goes on running, its neighbour writes, and removing makes room.
        self.assertEqual(self.host.output("ada", "echo", "well"), "well\n")
        self.assertEqual(self.fill("bob", 100)[0], 100)
        self.host.output("ada", "rm", "/root/full")
        self.assertEqual(self.fill("ada", 30)[0], 30)

    def test_a_disk_grows_and_shrinks_while_it_is_used(self):
        self.with_disk("ada", 64)
        self.fill("ada", 100)
        self.assertEqual(self.update("ada", disk_bytes=128 * MIB)["restart_required"], [])
        self.assertEqual(self.fill("ada", 100)[0], 100)
        self.refused("busy", "/disk_bytes", "container_update", {"name": "ada", "disk_bytes": 64 * MIB})
        self.assertEqual(self.get("ada")["limits"]["disk_bytes"], 128 * MIB)
        self.host.output("ada", "rm", "/root/full")
        self.update("ada", disk_bytes=64 * MIB)
        for again in ("at once", "after a start"):
            self.assertLessEqual(self.fill("ada", 100)[0], 64, again)
            self.restart("ada")
        self.refused("unsupported", "/disk_bytes", "container_update", {"name": "ada", "disk_bytes": 0})
        if self.by("ada") == "project_quota":
            size = self.host.output("ada", "df", "--block-size=1", "--output=size", "/").split()[-1]
            self.assertEqual(int(size), 64 * MIB)
        if self.by("ada") == "image":
            self.refused("unsupported", "/disk_bytes", "container_update", {"name": "ada", "disk_bytes": 1 << 40})
        self.make("bob")
        self.refused("unsupported", "/disk_bytes", "container_update", {"name": "bob", "disk_bytes": 64 * MIB})

    def test_a_disk_lasts_as_long_as_its_container(self):
        """Over stops, crashes of berthd, a reboot of the host, snapshots and forks; and no longer."""
        before = self.loops()
        self.with_disk("ada", 64)
        self.host.output("ada", "sh", "-c", "echo kept > /root/file")
        self.assertEqual(len(self.loops()), len(before) + (self.by("ada") == "image"))
        self.host.restart(crash=True)
        self.host.rpc("snapshot_create", {"container": "ada", "name": "clean"})
        self.fill("ada", 30)
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.assertTrue(self.usage("ada")["disk"]["exact"])
        self.assertGreater(self.usage("ada")["disk"]["bytes"], 30 * MIB)
        self.host.stop()
        self.unmount(self.host.state)
        self.assertEqual(self.loops(), before)
        self.host.start()
        self.assertGreater(self.usage("ada")["disk"]["bytes"], 30 * MIB)
        self.host.rpc("container_start", {"name": "ada"})
        self.assertEqual(self.host.output("ada", "cat", "/root/file"), "kept\n")
        self.assertLessEqual(self.fill("ada", 100, to="/root/more")[0], 34)
        self.host.rpc("snapshot_restore", {"container": "ada", "snapshot": "clean", "restart": True})
        self.assertEqual(self.host.output("ada", "cat", "/root/file"), "kept\n")
        self.assertTrue(40 < self.fill("ada", 100)[0] <= 64)
        self.host.rpc("container_fork", {"container": "ada", "names": ["bob"]})
        self.addCleanup(self.host.delete, "bob")
        self.assertEqual(self.get("bob")["limits"], self.get("ada")["limits"])
        self.assertEqual(self.host.output("bob", "cat", "/root/file"), "kept\n")
        self.assertLessEqual(self.fill("bob", 100, to="/root/more")[0], 64)
        self.doCleanups()
        wait_until(lambda: self.loops() == before, "no loop device is left")

    def unmount(self, below):
        """As a reboot does."""
        points = (line.split()[0] for line in self.host.machine.new_mounts())
        for point in sorted((point for point in points if point.startswith(str(below))), key=len, reverse=True):
            self.host.machine.run(["umount", point])

    def loops(self):
        """The loop devices in use; nothing else on this machine takes or leaves any meanwhile."""
        self.host.settle()
        return sorted(path.parents[1].name for path in Path("/sys/block").glob("loop*/loop/backing_file"))

    def test_a_broken_disk_is_a_matter_of_its_container_alone(self):
        box = self.with_image("ada", 64)
        self.make("bob")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.host.stop()
        own = self.host.state / "containers" / box["id"]
        self.unmount(own)
        with (own / "disk.img").open("r+b") as image:
            image.write(bytes(MIB))
        self.host.start()
        self.assertEqual(self.host.output("bob", "echo", "well"), "well\n")
        with self.assertRaises(ToolError) as caught:
            self.host.rpc("container_start", {"name": "ada"})
        self.assertIn("disk", caught.exception.message)
        self.assertEqual(self.get("ada")["state"], "stopped")
        self.assertFalse(self.usage("ada")["disk"]["exact"])

    def test_a_disk_tells_nobody_whose_it_is(self):
        box = self.with_image("ada", 64)
        self.make("bob")
        seen = self.host.output("bob", "sh", "-c", "cat /sys/block/loop*/loop/backing_file /proc/mounts /proc/partitions")
        self.assertNotIn(box["id"], seen)

    def test_the_use_of_a_stopped_container_is_known(self):
        box = self.make("ada")
        disk = self.usage("ada")["disk"]
        self.assertEqual((disk["by"], disk["exact"]), ("none", False))  # files come and go while it runs
        self.fill("ada", 40)
        running = self.usage("ada")["running"]
        self.assertGreater(running["memory_bytes"], 0)
        self.assertGreater(running["processes"], 0)
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        use = self.usage("ada")
        self.assertNotIn("running", use)
        self.assertGreater(use["disk"]["bytes"], 40 * MIB)
        upper = self.host.state / "containers" / box["id"] / "upper"
        counted = subprocess.run(["du", "-s", "--block-size=1", upper], capture_output=True, text=True, check=True)
        self.assertEqual((use["disk"]["bytes"], use["disk"]["exact"]), (int(counted.stdout.split()[0]), True))

    # Network

    def stream_in(self, name, bytes_):
        """How many seconds a container takes to get so many bytes from outside."""
        return self.transfer(name, bytes_, bytes_, "s.recv_into(buffer) or 1 / 0")

    def stream_out(self, name, bytes_):
        return self.transfer(name, bytes_, 0, "s.send(buffer)")

    def transfer(self, name, bytes_, sent, step):
        peer = self.host.machine.enter_outside(["python3", "-c", PEER, OUTSIDE_ADDRESS, str(sent)])
        with subprocess.Popen(peer, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent) as server:
            try:
                port = server.stdout.readline().strip()
                return float(self.python(name, MOVE.replace("STEP", step), OUTSIDE_ADDRESS, port, bytes_)[0])
            finally:
                server.kill()

    def test_the_network_is_no_faster_than_asked_for(self):
        fields = ("receive_bytes_per_second", "send_bytes_per_second")
        if not self.feature("network_rate")["available"]:
            self.make("ada")
            for field in fields:
                self.refused("unsupported", f"/{field}", "container_update", {"name": "ada", field: MIB})
            self.skipTest("this machine cannot slow a network down")
        box = self.make("ada", start=False)
        self.update("ada", receive_bytes_per_second=MIB, send_bytes_per_second=2 * MIB)
        self.host.rpc("container_start", {"name": "ada"})
        detour = f"bi{box['id']}"
        self.assertLess(4 * MIB / self.stream_in("ada", 4 * MIB), 1.3 * MIB)
        self.assertLess(8 * MIB / self.stream_out("ada", 8 * MIB), 1.3 * 2 * MIB)
        self.update("ada", receive_bytes_per_second=2 * MIB, send_bytes_per_second=MIB)
        self.assertLess(8 * MIB / self.stream_in("ada", 8 * MIB), 1.3 * 2 * MIB)
        self.assertLess(4 * MIB / self.stream_out("ada", 4 * MIB), 1.3 * MIB)
        self.host.restart(crash=True)
        self.restart("ada")
        self.assertLess(4 * MIB / self.stream_out("ada", 4 * MIB), 1.3 * MIB)
        self.assertIn(detour, self.host.machine.links())
        self.update("ada", receive_bytes_per_second=0, send_bytes_per_second=0)
        self.assertNotIn(detour, self.host.machine.links())
        for seconds in (self.stream_in("ada", 8 * MIB), self.stream_out("ada", 8 * MIB)):
            self.assertGreater(8 * MIB / seconds, 4 * MIB)
        self.assertGreater(self.usage("ada")["running"]["sent_bytes"], 8 * MIB)

    def test_a_disk_of_its_own_is_no_faster_either(self):
        if not all(self.feature(name)["available"] for name in ("disk_quota", "disk_speed")):
            self.skipTest("this machine lacks one of the two")
        self.with_disk("ada", 64)
        self.update("ada", io_bytes_per_second=4 * MIB)
        for direction in ("write", "read"):
            self.assertLess(12 * MIB / self.stream("ada", direction, 12), 1.3 * 4 * MIB, direction)

    def test_what_is_killed_half_way_leaves_no_disk(self):
        self.with_disk("warm", 64)
        self.doCleanups()
        before = wait_until(self.empty, "the host is empty")
        begun = time.monotonic()
        self.host.create("ada", disk_bytes=64 * MIB)
        whole = time.monotonic() - begun
        self.host.delete("ada")
        for part in range(CUTS):
            for doing, call in (("create", lambda: self.host.create("ada", disk_bytes=64 * MIB)),
                                ("delete", lambda: self.host.delete("ada"))):
                with self.subTest(part=part, doing=doing):
                    if doing == "delete" and not self.there("ada"):
                        self.host.create("ada", disk_bytes=64 * MIB)
                    working = run_in_thread(call)
                    time.sleep(whole * (part + 0.5) / CUTS)
                    self.host.kill()
                    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                        working(30)
                    self.host.start()
                    if doing == "delete" and self.there("ada"):
                        self.host.delete("ada")
            if self.there("ada"):
                self.host.delete("ada")
            wait_until(lambda: self.empty() == before, "nothing of it is left")

    def there(self, name):
        return any(box["name"] == name for box in self.host.rpc("container_list", {})["containers"])

    def empty(self):
        """What the host looks like without containers."""
        picture = {**self.host.picture(), "loops": self.loops()}
        return picture if not picture["containers"] and not picture["owned"] else None

    def test_limits_that_were_lost_are_set_again_when_berthd_starts(self):
        box = self.make("ada", cpu_percent=50)
        self.update("ada", **({"send_bytes_per_second": MIB} if self.feature("network_rate")["available"] else {}))
        tops = [Path("/sys/fs/cgroup") / path / self.host.cgroup / box["id"] for path in ("cpu", ".")]
        quota = next(path for top in tops for path in (top / "cpu.cfs_quota_us", top / "cpu.max") if path.exists())
        before, links = quota.read_text(), self.host.machine.links()
        self.host.kill()
        quota.write_text("-1" if quota.name == "cpu.cfs_quota_us" else "max")
        self.host.machine.run(["ip", "link", "delete", f"bi{box['id']}"], check=False)
        self.host.machine.run(["tc", "qdisc", "add", "dev", f"bh{box['id']}", "root", "tbf", "rate", "8kbit", "burst",
                               "2kb", "latency", "1s"])
        self.host.start()
        self.assertEqual((quota.read_text(), sorted(self.host.machine.links())), (before, sorted(links)))
        shown = self.host.machine.run(["tc", "qdisc", "show", "dev", f"bh{box['id']}"]).stdout
        self.assertNotIn("8Kbit", shown)

    def test_limits_that_nothing_could_live_with_are_refused(self):
        self.refused("invalid_argument", "/disk_bytes", "container_create", {"name": "ada", "disk_bytes": 1})
        self.make("ada")
        for field in ("disk_bytes", "io_bytes_per_second", "io_operations_per_second", "receive_bytes_per_second",
                      "send_bytes_per_second"):
            self.refused("invalid_argument", f"/{field}", "container_update", {"name": "ada", field: 1})


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots, restores and forks of real containers: the same tree, nothing shared that must not be, nothing left."""
import http.client
import random
import subprocess
import time
import unittest
from pathlib import Path

from support.host import HostCase, ToolError, main, program, run_in_thread
from support.machine import wait_until

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmPzHYQVJGQBHSQoDDhgXVzBhX5PrvOAnmGqNSVQ1sY t"
FAULTS = subprocess.run([program("berthd"), "faults"], capture_output=True).returncode == 0
POINTS = 6  # at which berthd is killed within each call

# What a fork has of its own, and what any start writes.
OWN = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/machine-id", "/usr/lib/berth", "/var/lib/systemd",
       "/var/log", "/tmp", "/var/tmp", "/var/cache", "/var/lib/dbus", "/etc/.updated", "/var/.updated", "/root/.cache")
# Run inside: type, mode, owner, size, target or content, and attributes of everything on the root's file system.
TREE = r"""
import hashlib, os, stat, sys
own = sys.argv[1].split(",")
total, root = hashlib.sha256(), os.lstat("/").st_dev
def add(path):
    status = os.lstat(path)
    mode = status.st_mode
    parts = [path, oct(mode), status.st_uid, status.st_gid]
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            parts += [status.st_size, hashlib.sha256(file.read()).hexdigest()]
    if stat.S_ISLNK(mode):
        parts.append(os.readlink(path))
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        parts += [name, os.getxattr(path, name, follow_symlinks=False).hex()]
    line = repr(parts)
    total.update(line.encode())
    if len(sys.argv) > 2:
        print(line)
count = 0
for top, names, files in os.walk("/"):
    names[:] = sorted(name for name in names if os.path.join(top, name) not in own
                      and (os.path.islink(os.path.join(top, name)) or os.lstat(os.path.join(top, name)).st_dev == root))
    for name in names + sorted(files):
        if os.path.join(top, name) not in own and not os.path.join(top, name).startswith("/.berth"):
            add(os.path.join(top, name))
            count += 1
print(count, total.hexdigest())
"""

# What an overlay has to get right: hard links, holes, capabilities, set-user-id, whiteouts, opaque directories.
FURNISH = r"""
set -e
mkdir -p /srv/a/b && cd /srv/a
echo one > file && ln file b/hard && ln -s /etc/shadow link && mkfifo pipe
truncate -s 64M sparse && echo tail >> sparse
cp /bin/true suid && chmod 4751 suid && chown 33:44 suid
cp /bin/true capable
python3 -c 'import os; os.setxattr("capable", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
python3 -c 'import os; os.setxattr("file", "user.note", b"hello")'
rm /etc/issue && rm -r /usr/share/doc && mkdir /usr/share/doc && echo new > /usr/share/doc/new
chmod 1777 b && mv /etc/issue.net /srv/a/moved
echo '10.0.0.9 elsewhere' >> /etc/hosts
"""


class Snapshots(HostCase):
    def tree(self, name):
        return self.host.output(name, "python3", "-c", TREE, ",".join(OWN), timeout_seconds=120)

    def assert_same_tree(self, one, other):
        if self.tree(one) == self.tree(other):
            return
        whole = []
        for name in (one, other):
            self.host.output(name, "sh", "-c", 'python3 -c "$1" "$2" all > /run/tree', "sh", TREE, ",".join(OWN),
                             timeout_seconds=120)
            whole.append(set(Path(f"/proc/{self.host.init_pid(name)}/root/run/tree").read_text().splitlines()))
        self.fail(f"{one} alone: {sorted(whole[0] - whole[1])[:20]}\n{other} alone: {sorted(whole[1] - whole[0])[:20]}")

    def layers(self):
        self.host.settle()
        directory = self.host.state / "layers"
        return sorted(path.name for path in directory.iterdir()) if directory.exists() else []

    def snapshot(self, container, **more):
        return self.host.rpc("snapshot_create", {"container": container, **more})

    def start_process(self, name):
        self.host.output(name, "sh", "-c", "setsid sleep 18231 >/dev/null 2>&1 </dev/null &")

    def test_forks_of_a_running_container_have_its_tree_and_their_own_names(self):
        self.host.create("web", ports=[{"container_port": 80}], ssh_keys=[KEY], labels=["team=web"])
        self.addCleanup(self.host.delete, "web")
        self.host.output("web", "sh", "-c", FURNISH)
        self.start_process("web")
        pid = self.host.init_pid("web")
        made = self.host.rpc("container_fork", {"container": "web", "names": ["ada", "bob"]})["containers"]
        for name in ("ada", "bob"):
            self.addCleanup(self.host.delete, name)
        self.assertEqual(self.host.init_pid("web"), pid)
        self.assertEqual(self.host.output("web", "pgrep", "-cf", "[s]leep 18231"), "1\n")
        self.assertEqual([box["state"] for box in made], ["running", "running"])

        boxes = {name: self.host.rpc("container_get", {"name": name, "response_format": "detailed"})
                 for name in ("web", "ada", "bob")}
        for what in ("id", "ipv4", "uid_base"):
            self.assertEqual(3, len({box[what] for box in boxes.values()}), what)
        self.assertEqual(3, len({box["ssh"]["host_key"] for box in boxes.values()}))
        for name in ("ada", "bob"):
            self.assertEqual(boxes[name]["ports"], [])
            self.assertEqual(boxes[name]["ssh"]["keys"], 1)
            self.assertEqual(boxes[name]["limits"], boxes["web"]["limits"])
            self.assertEqual(boxes[name]["labels"], ["team=web"])
            self.assertEqual(self.host.output(name, "hostname"), f"{name}\n")
            hosts = self.host.output(name, "cat", "/etc/hosts")
            self.assertIn(f"127.0.1.1 {name}\n", hosts)
            self.assertIn("10.0.0.9 elsewhere\n", hosts)
            self.assert_same_tree("web", name)
            self.assertEqual(self.host.output(name, "stat", "-c", "%h %a", "/srv/a/b/hard"), "2 644\n")
            self.assertLess(int(self.host.output(name, "stat", "-c", "%b", "/srv/a/sparse")), 1000)
        ids = {self.host.output(name, "cat", "/etc/machine-id") for name in boxes}
        self.assertEqual(3, len(ids))
        # What one of them does now, the others do not see.
        self.host.output("ada", "sh", "-c", "echo changed > /srv/a/file")
        self.assertEqual(self.host.output("web", "cat", "/srv/a/file"), "one\n")
        self.assertEqual(self.host.output("bob", "cat", "/srv/a/file"), "one\n")

    def halted(self):
        """Whether some container of this host is."""
        said = [file.read_text() for group in self.host.cgroups() for name in ("freezer.state", "cgroup.events")
                if (file := Path(group) / name).exists()]
        return any("FROZEN" in text or "frozen 1" in text for text in said)

    @unittest.skipUnless(FAULTS, "this build has no points of failure (BERTH_FAULTS)")
    def test_while_it_is_copied_a_container_runs_for_all_that_a_caller_sees(self):
        self.host.create("cal")
        self.addCleanup(self.host.delete, "cal")
        port = self.host.rpc("container_get", {"name": "cal"})["ssh"]["port"]
        with self.host.held("snapshot.copy"):
            copied = run_in_thread(lambda: self.snapshot("cal"))
            wait_until(self.halted, "it stands still")
            self.assertEqual(self.host.rpc("container_get", {"name": "cal"})["state"], "running")
            ran = run_in_thread(lambda: self.host.exec("cal", "echo", "here", timeout_seconds=1))
            login = run_in_thread(lambda: self.host.dial("tcp", "127.0.0.1", port))
            time.sleep(1.5)  # more than the command may take
            self.assertTrue(self.halted())
        self.assertEqual(ran(10)["stdout"]["text"], "here\n")
        self.assertTrue(login(10).startswith("SSH-2.0-"))
        copied(10)

    def test_a_restore_brings_every_file_back(self):
        self.host.create("eve")
        self.addCleanup(self.host.delete, "eve")
        self.host.output("eve", "sh", "-c", FURNISH)
        before = self.tree("eve")
        made = self.snapshot("eve", description="furnished")
        self.assertEqual(made["name"], "s1")
        self.assertGreater(made["bytes"], 0)
        listed = self.host.rpc("snapshot_list", {"container": "eve"})
        self.assertEqual((listed["total"], listed["snapshots"][0]), (1, made))
        self.host.output("eve", "sh", "-c", "rm -r /srv /usr/share/zoneinfo; echo x > /etc/new; chmod 700 /opt")
        self.assertNotEqual(self.tree("eve"), before)
        self.refused("busy", "/container", "snapshot_restore", {"container": "eve", "snapshot": "s1"})
        restored = self.host.rpc("snapshot_restore", {"container": "eve", "snapshot": "s1", "restart": True})
        self.assertEqual(restored["state"], "running")
        self.assertEqual(self.tree("eve"), before)
        # And again, of a stopped one, after the snapshot of a snapshot.
        self.snapshot("eve", name="second")
        self.host.output("eve", "rm", "-r", "/srv")
        self.host.rpc("container_stop", {"name": "eve", "timeout_seconds": 0})
        stopped = self.host.rpc("snapshot_restore", {"container": "eve", "snapshot": "second"})
        self.assertEqual(stopped["state"], "stopped")
        self.host.rpc("container_start", {"name": "eve"})
        self.assertEqual(self.tree("eve"), before)

    def test_deleted_in_any_order_nothing_is_left_and_nothing_breaks(self):
        for seed in range(3):
            with self.subTest(seed=seed):
                self.host.create("one", start=False)
                self.snapshot("one")
                self.host.rpc("container_fork", {"container": "one", "names": ["two"], "start": False})
                self.snapshot("two")
                self.host.rpc("container_fork", {"container": "two", "names": ["three"], "start": False})
                self.host.rpc("snapshot_restore", {"container": "one", "snapshot": "s1"})
                names = ["one", "two", "three"]
                random.Random(seed).shuffle(names)
                for index, name in enumerate(names):
                    self.host.delete(name)
                    for left in names[index + 1:]:
                        self.host.rpc("container_start", {"name": left})
                        self.assertEqual(self.host.output(left, "cat", "/etc/hostname"), f"{left}\n")
                self.assertEqual(self.layers(), [])

    def kill_within(self, call, prepare, check):
        prepare()
        began = time.monotonic()
        call()
        whole = time.monotonic() - began
        check()
        for point in range(POINTS):
            with self.subTest(point=point):
                prepare()
                calling = run_in_thread(call)
                time.sleep(whole * (point + 0.5) / POINTS)
                self.host.kill()
                try:
                    calling(30)
                except (OSError, http.client.HTTPException, ValueError):
                    pass  # not acknowledged
                self.host.start()
                check()

    def test_snapshots_take_a_bounded_part_of_the_hosts_disk(self):
        disk = 64 << 20
        if not next(f for f in self.host.rpc("system_info", {})["features"] if f["name"] == "disk_quota")["available"]:
            self.skipTest("no disk can be limited here")
        self.host.create("ivy", start=False, disk_bytes=disk)
        self.addCleanup(self.host.delete, "ivy")
        self.host.rpc("container_start", {"name": "ivy"})
        self.host.output("ivy", "sh", "-c", "head -c 40M /dev/urandom > /srv/much; sync")
        taken = 0
        for count in range(1, 10):
            try:
                self.snapshot("ivy", name=f"s{count}")
            except ToolError:
                break
            taken = sum(one["bytes"] for one in self.host.rpc("snapshot_list", {"container": "ivy"})["snapshots"])
        self.refused("quota_exceeded", "/container", "snapshot_create", {"container": "ivy"})
        self.assertLess(taken, 4 * disk)
        self.assertGreater(taken, 2 * disk)
        self.host.rpc("snapshot_delete", {"container": "ivy", "snapshot": "s1"})
        self.snapshot("ivy", name="again")

    def test_a_snapshot_cut_short_is_whole_or_gone_and_holds_nobody(self):
        self.host.create("fay")
        self.addCleanup(self.host.delete, "fay")
        self.host.output("fay", "sh", "-c", "for n in $(seq 300); do head -c 40000 /dev/urandom > /srv/$n; done")
        pid = self.host.init_pid("fay")

        def check():
            snapshots = self.host.rpc("snapshot_list", {})["snapshots"]
            self.assertEqual(len(self.layers()), len(snapshots), self.layers())
            self.assertEqual(self.host.init_pid("fay"), pid)
            self.assertEqual(self.host.output("fay", "echo", "alive"), "alive\n")

        self.kill_within(lambda: self.snapshot("fay"), lambda: None, check)

    def test_a_fork_cut_short_is_whole_or_gone(self):
        self.host.create("gus")
        self.addCleanup(self.host.delete, "gus")

        def clear():
            for box in self.host.rpc("container_list", {})["containers"]:
                if box["name"].startswith("gus-"):
                    self.assertEqual(self.host.output(box["name"], "hostname"), f"{box['name']}\n")
                    self.host.delete(box["name"])

        def check():
            self.assertEqual(self.host.output("gus", "echo", "alive"), "alive\n")
            clear()
            wait_until(lambda: self.layers() == [], "no layer is left")

        self.kill_within(lambda: self.host.rpc("container_fork", {"container": "gus", "count": 2}), lambda: None, check)

    def test_a_restore_cut_short_is_whole_or_not_done(self):
        self.host.create("hal", start=False)
        self.addCleanup(self.host.delete, "hal")
        self.snapshot("hal", name="empty")
        self.host.rpc("container_start", {"name": "hal"})
        self.host.output("hal", "sh", "-c", "for n in $(seq 300); do echo $n > /srv/$n; done")
        self.host.rpc("container_stop", {"name": "hal", "timeout_seconds": 0})
        self.snapshot("hal", name="full")

        def check():
            self.host.rpc("container_start", {"name": "hal"})
            self.assertIn(self.host.output("hal", "sh", "-c", "ls /srv | wc -l"), ("0\n", "300\n"))
            self.host.rpc("container_stop", {"name": "hal", "timeout_seconds": 0})
            roots = [path.name for path in (self.host.state / "containers").glob("*/upper*")]
            self.assertEqual(len(roots), 1, roots)

        wanted = ["full"]

        def turn():
            wanted[0] = "empty" if wanted[0] == "full" else "full"

        self.kill_within(lambda: self.host.rpc("snapshot_restore", {"container": "hal", "snapshot": wanted[0]}), turn, check)

    def test_one_that_was_running_runs_again_though_berthd_dies_while_it_shuts_down(self):
        self.host.create("ida")  # under the policy no: of itself it would stay where it ended
        self.addCleanup(self.host.delete, "ida")
        self.snapshot("ida", name="base")
        wait_until(lambda: self.host.exec("ida", "systemd-run", "--unit=slow", "-p", "ExecStop=sh -c 'touch /srv/ending; sleep 3'",
                                          "sleep", "infinity")["exit_code"] == 0, "it has booted far enough")
        init = self.host.init_pid("ida")
        restoring = run_in_thread(lambda: self.host.rpc("snapshot_restore", {"container": "ida", "snapshot": "base", "restart": True}))
        wait_until(Path(f"/proc/{init}/root/srv/ending").exists, "it shuts down")
        self.host.kill()
        with self.assertRaises((OSError, http.client.HTTPException, ValueError)):
            restoring(30)
        self.host.start()
        wait_until(lambda: not Path(f"/proc/{init}").exists(), "it has ended")
        wait_until(lambda: self.host.rpc("container_get", {"name": "ida"})["state"] == "running", "it runs again")
        self.assertEqual(self.host.output("ida", "echo", "back"), "back\n")
        self.assertNotEqual(self.host.init_pid("ida"), init)


if __name__ == "__main__":
    main()

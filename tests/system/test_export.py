#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers out of a host and into another: the same files, whoever's they are on disk; whole, or not at all."""
import http.client
import json
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import time
from pathlib import Path

from support.host import IMAGES, SOCKET_GID, Host, HostCase, main, program, run_in_thread
from support.machine import wait_until
from test_snapshots import FURNISH, KEY, OWN, TREE

MIB = 1024 * 1024
SOMEBODY = 12345  # a user of the host, in the socket's group
CUT_SHORT = (OSError, http.client.HTTPException, ValueError)


class Export(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.far = Host()
        cls.addClassCleanup(cls.far.close)

    def setUp(self):
        super().setUp()
        self.place = Path(self.host.root, "files")
        self.place.mkdir(mode=0o755, exist_ok=True)
        self.addCleanup(shutil.rmtree, self.place)

    def tree(self, host, name):
        return host.output(name, "python3", "-c", TREE, ",".join(OWN), timeout_seconds=120)

    def furnished(self, name, **more):
        self.host.create(name, **more)
        self.addCleanup(self.host.delete, name)
        self.host.output(name, "sh", "-c", FURNISH)
        # And what names its owner: a list of who may, and a capability set from inside.
        self.host.output(name, "sh", "-c", "command -v setfacl >/dev/null && setfacl -m u:33:rw /srv/a/file || true")

    def cli(self, host, *words, **options):
        run = host.cli("--json", *words, **options)
        return json.loads(run.stdout)

    def layers(self, host):
        directory = host.state / "layers"
        return sorted(path.name for path in directory.iterdir()) if directory.exists() else []

    def assert_refused(self, host, code, field, says, *words, **options):
        before = host.picture(), self.layers(host)
        run = host.cli("--json", "container", "import", *words, check=False, **options)
        error = json.loads(run.stderr.splitlines()[-1])["error"]
        message = run.stderr
        self.assertEqual((error["code"], error.get("field")), (code, field), message)
        self.assertIn(says, message)
        self.assertTrue(error["hint"], message)
        self.assertEqual((host.picture(), self.layers(host)), before)

    def test_a_move_is_an_export_into_an_import_of_another_host(self):
        self.furnished("web", ports=[{"container_port": 80, "host_port": 31080}], ssh_keys=[KEY], labels=["team=web"],
                       restart="on-failure", memory_bytes=512 * MIB)
        self.host.rpc("snapshot_create", {"container": "web", "name": "before", "description": "as it was"})
        self.host.output("web", "sh", "-c", "echo later > /srv/later; rm /srv/a/pipe")
        tree = self.tree(self.host, "web")
        machine_id = self.host.output("web", "cat", "/etc/machine-id")
        sender = self.host.machine.start([program("berth"), "container", "export", "--snapshots", "web", "-"],
                                         env=self.host.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        made = self.cli(self.far, "container", "import", "-", "--keep-identity", stdin=sender.stdout)
        self.addCleanup(self.far.delete, "web")
        _, said = sender.communicate(timeout=60)
        self.assertEqual(sender.returncode, 0, said)
        self.assertIn(made["sha256"].encode(), said)
        self.assertEqual(made["container"]["state"], "running")
        self.assertEqual([(port["host_port"], port["container_port"]) for port in made["ports"]], [(31080, 80)])
        self.assertIn("host key", " ".join(made["notes"]))

        self.assertEqual(self.tree(self.far, "web"), tree)
        self.assertEqual(self.tree(self.host, "web"), tree)  # which is as it was
        self.assertEqual(self.far.output("web", "cat", "/etc/machine-id"), machine_id)
        self.assertEqual(self.far.output("web", "stat", "-c", "%h %a", "/srv/a/b/hard"), "2 644\n")
        self.assertEqual(self.far.output("web", "stat", "-c", "%Y", "/srv/a/suid"),
                         self.host.output("web", "stat", "-c", "%Y", "/srv/a/suid"))
        self.assertLess(int(self.far.output("web", "stat", "-c", "%b", "/srv/a/sparse")), 1000)
        boxes = [host.rpc("container_get", {"name": "web", "response_format": "detailed"}) for host in (self.host, self.far)]
        for what in ("limits", "labels", "image"):
            self.assertEqual(boxes[0][what], boxes[1][what], what)
        self.assertEqual(boxes[1]["ssh"]["keys"], 1)
        self.assertEqual(boxes[1]["lifecycle"]["restart"], "on-failure")
        self.assertNotEqual(boxes[0]["uid_base"], boxes[1]["uid_base"])

        # Its snapshot came along, and is what it was.
        self.far.rpc("snapshot_restore", {"container": "web", "snapshot": "before", "restart": True})
        self.assertEqual(self.far.output("web", "ls", "/srv"), "a\n")
        self.assertEqual(self.far.output("web", "stat", "-c", "%F", "/srv/a/pipe"), "fifo\n")

    def test_a_copy_on_the_same_host_has_a_name_and_an_identity_of_its_own(self):
        self.furnished("ada", ssh_keys=[KEY])
        tree = self.tree(self.host, "ada")
        file = self.place / "ada.tar"
        written = self.cli(self.host, "container", "export", "ada", file)
        self.assertEqual(written["bytes"], file.stat().st_size)
        self.assertEqual(os.listdir(self.place), ["ada.tar"])
        # Any tar reads it, and nothing in it names an id of this host.
        with tarfile.open(file) as archive:
            members = archive.getmembers()
        self.assertEqual((members[0].name, members[-1].name), ("manifest.json", "end.json"))
        self.assertEqual(len(members), written["entries"] + 2)
        self.assertLess(max(member.uid for member in members), 65536)
        dry = self.cli(self.host, "container", "import", file, "bob", "--dry-run")
        self.assertIn("make container 'bob' of an export of 'ada'", dry["would"])
        self.cli(self.host, "container", "import", file, "bob")
        self.addCleanup(self.host.delete, "bob")
        self.assertEqual(self.tree(self.host, "bob"), tree)
        self.assertEqual(self.host.output("bob", "cat", "/etc/hostname"), "bob\n")
        self.assertIn("127.0.1.1 bob\n", self.host.output("bob", "cat", "/etc/hosts"))
        self.assertNotEqual(self.host.output("bob", "cat", "/etc/machine-id"), self.host.output("ada", "cat", "/etc/machine-id"))
        # What one does now, the other does not see; and either may go first.
        self.host.output("bob", "sh", "-c", "echo changed > /srv/a/file")
        self.assertEqual(self.host.output("ada", "cat", "/srv/a/file"), "one\n")
        again = self.cli(self.host, "container", "export", "bob", self.place / "bob.tar")
        self.cli(self.host, "container", "import", self.place / "bob.tar", "cyd")
        self.addCleanup(self.host.delete, "cyd")
        self.assertGreater(again["entries"], written["entries"])
        self.assertEqual(self.host.output("cyd", "cat", "/srv/a/file"), "changed\n")

    def test_the_file_is_whose_command_it_is(self):
        self.host.create("eve")
        self.addCleanup(self.host.delete, "eve")
        self.host.runtime.chmod(0o755)
        as_somebody = {"user": SOMEBODY, "group": SOCKET_GID, "extra_groups": [], "env": self.host.environment(),
                       "capture_output": True, "text": True, "timeout": 60}
        self.place.chmod(0o777)
        words = [program("berth"), "--json", "container", "export", "eve"]
        run = subprocess.run([*words, self.place / "eve.tar"], **as_somebody)
        self.assertEqual(run.returncode, 0, run.stderr)
        made = (self.place / "eve.tar").stat()
        self.assertEqual((made.st_uid, stat.S_IMODE(made.st_mode)), (SOMEBODY, 0o600))
        # berthd is root, and writes nowhere for somebody who may not.
        self.place.chmod(0o755)
        self.place.joinpath("mine").write_text("of root")
        for target in (self.place / "x.tar", "/etc/x.tar"):
            run = subprocess.run([*words, target], **as_somebody)
            self.assertEqual(json.loads(run.stderr)["error"]["code"], "denied", run.stderr)
            self.assertFalse(Path(target).exists())
        self.place.joinpath("mine").chmod(0o600)
        run = subprocess.run([program("berth"), "--json", "container", "import", self.place / "mine", "fay"], **as_somebody)
        self.assertEqual(json.loads(run.stderr)["error"]["code"], "denied", run.stderr)
        # A descriptor that may only be read is not written to.
        with open("/etc/hostname", "rb") as reading:
            run = subprocess.run([*words, "-"], **{**as_somebody, "capture_output": False}, stdout=reading, stderr=subprocess.PIPE)
        self.assertIn("not open for writing", run.stderr)

    def test_agents_use_the_directory_of_exports(self):
        self.furnished("gil")
        self.host.rpc("container_export", {"container": "gil", "file": "gil.tar", "request_id": "once"})
        file = self.host.state / "exports/gil.tar"
        first = file.stat()
        self.assertEqual((first.st_uid, stat.S_IMODE(first.st_mode)), (0, 0o600))
        self.host.rpc("container_export", {"container": "gil", "file": "gil.tar", "request_id": "once"})
        self.refused("already_exists", "/file", "container_export", {"container": "gil", "file": "gil.tar"})
        self.assertEqual(file.stat().st_mtime_ns, first.st_mtime_ns)
        begun = self.host.rpc("container_import", {"file": "gil.tar", "name": "hal", "background": True})
        ended = self.host.rpc("operation_get", {"id": begun["operation"]["id"], "wait_seconds": 50})
        self.assertEqual(ended["status"], "completed", ended)
        self.addCleanup(self.host.delete, "hal")
        self.assertEqual(self.host.output("hal", "cat", "/srv/a/file"), "one\n")
        self.assertEqual(os.listdir(file.parent), ["gil.tar"])

    def test_what_is_wrong_with_an_import_is_said_and_nothing_is_left(self):
        self.furnished("ira", ports=[{"container_port": 80, "host_port": 31090}])
        file, bad = self.place / "ira.tar", self.place / "bad.tar"
        self.cli(self.host, "container", "export", "ira", file)
        whole = file.read_bytes()
        self.assert_refused(self.host, "already_exists", "/name", "already", file)
        self.assert_refused(self.host, "already_exists", "/ports", "31090", file, "jim")
        for share in (0.01, 0.5, 0.999):
            bad.write_bytes(whole[:int(len(whole) * share)])
            self.assert_refused(self.host, "invalid_argument", "/file", "", bad, "jim", "--ports", "none")
        at = whole.index(b"one\n" + bytes(100))  # the content of a file
        bad.write_bytes(whole[:at] + b"two\n" + whole[at + 4:])
        self.assert_refused(self.host, "invalid_argument", "/file", "another digest", bad, "jim", "--ports", "none")
        manifest = whole.index(b'"bytes": ')
        bad.write_bytes(whole[:manifest] + b'"bytes": 9' + whole[manifest + 10:])
        self.assert_refused(self.host, "invalid_argument", "/file", "", bad, "jim", "--ports", "none")
        bad.write_bytes(os.urandom(100000))
        self.assert_refused(self.host, "invalid_argument", "/file", "no export of berth", bad, "jim")
        self.assert_refused(self.host, "not_found", None, "No such file", self.place / "none", "jim")
        # A host without the image says which one, and how to get it.
        empty = Path(self.far.root, "no-images")
        (empty / "names").mkdir(parents=True)
        self.far.stop()
        flags, self.far.flags = self.far.flags, [empty if flag == IMAGES else flag for flag in self.far.flags]
        self.far.start()
        try:
            digest = Path(os.readlink(IMAGES / "names/debian-12")).name
            self.assert_refused(self.far, "not_found", "/file", digest, file, "jim")
        finally:
            self.far.flags = flags
            self.far.restart()

    def test_a_cancelled_export_ends_and_leaves_nothing(self):
        self.furnished("kim")
        sender = self.host.machine.start([program("berth"), "container", "export", "kim", "-"], env=self.host.environment(),
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sender.stdout.read(1000)  # it has begun, and waits for the pipe to be emptied
        sender.send_signal(signal.SIGINT)
        self.assertEqual(sender.wait(20), 128 + signal.SIGINT)
        sender.stdout.close()
        sender.stderr.close()
        wait_until(lambda: self.layers(self.host) == [], "no layer is left")
        self.assertEqual(self.host.output("kim", "echo", "alive"), "alive\n")

    def test_memory_is_bounded_whatever_the_size(self):
        self.host.create("lea")
        self.addCleanup(self.host.delete, "lea")
        self.host.output("lea", "sh", "-c", "head -c 300M /dev/urandom > /srv/big; truncate -s 100G /srv/hole;"
                         "mkdir /srv/many; cd /srv/many; seq 20000 | xargs touch", timeout_seconds=120)
        daemon = Path("/proc", str(self.host.daemon.pid))  # nsenter(1) has become what it runs

        def peak():
            return int((daemon / "status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

        (daemon / "clear_refs").write_text("5")  # the peak begins anew
        before = peak()
        began = time.monotonic()
        self.cli(self.host, "container", "export", "lea", self.place / "lea.tar")
        out = time.monotonic() - began
        self.cli(self.host, "container", "import", self.place / "lea.tar", "mia", "--no-start")
        self.addCleanup(self.host.delete, "mia")
        took = time.monotonic() - began - out
        size = (self.place / "lea.tar").stat().st_size / MIB
        print(f"\n{size:.0f} MiB out in {out:.1f} s, in again in {took:.1f} s, {peak() - before:.1f} MiB of memory more")
        self.assertLess(size, 350)
        self.assertLess(peak() - before, 48)

    def kill_within(self, call, check, points=6):
        began = time.monotonic()
        call()
        whole = time.monotonic() - began
        check()
        for point in range(points):
            with self.subTest(point=point):
                calling = run_in_thread(call)
                time.sleep(whole * (point + 0.5) / points)
                self.host.kill()
                try:
                    calling(30)
                except CUT_SHORT:
                    pass  # not acknowledged
                self.host.start()
                check()

    def test_an_import_cut_short_is_whole_or_gone(self):
        self.furnished("ned")
        self.host.output("ned", "sh", "-c", "for n in $(seq 300); do head -c 40000 /dev/urandom > /srv/$n; done")
        self.host.rpc("container_export", {"container": "ned", "file": "ned.tar"})

        def check():
            boxes = [box["name"] for box in self.host.rpc("container_list", {})["containers"]]
            if "ola" in boxes:
                self.assertEqual(self.host.output("ola", "sh", "-c", "ls /srv | wc -l"), "301\n")
                self.host.delete("ola")
            wait_until(lambda: self.layers(self.host) == [], "no layer is left")

        self.kill_within(lambda: self.host.rpc("container_import", {"file": "ned.tar", "name": "ola"}), check)

    def test_an_export_cut_short_holds_nobody_and_leaves_no_file(self):
        self.furnished("pia")
        self.host.output("pia", "sh", "-c", "for n in $(seq 300); do head -c 40000 /dev/urandom > /srv/$n; done")
        pid = self.host.init_pid("pia")
        file = self.host.state / "exports/pia.tar"

        def check():
            self.assertEqual(self.layers(self.host), [])
            self.assertEqual(self.host.init_pid("pia"), pid)
            self.assertEqual(self.host.output("pia", "echo", "alive"), "alive\n")
            if file.exists():
                with tarfile.open(file) as archive:
                    self.assertEqual(archive.getnames()[-1], "end.json")
                file.unlink()

        self.kill_within(lambda: self.host.rpc("container_export", {"container": "pia", "file": "pia.tar"}), check)


if __name__ == "__main__":
    main()

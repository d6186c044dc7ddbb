#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Directories of the host in containers: what is read-only stays so, and no path leads anywhere else."""
import base64
import gzip
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.host import Host, HostCase, main
from support.scratch import scratch

DENIED = {"set_attributes": "EPERM", "remount": "EPERM", "unmount": "EINVAL", "bind": "allowed", "remount_bind": "EPERM",
          "write_bind": "EROFS", "clone": "allowed", "set_clone": "EPERM", "attach_clone": "allowed",
          "write_clone": "EROFS", "nested_remount": "EPERM", "write": "EROFS"}
OWNER = 1234  # who owns what is shared writable; a user that neither machine needs to have


class Shares(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.allowed = scratch()
        cls.addClassCleanup(shutil.rmtree, cls.allowed, ignore_errors=True)
        cls.flags = ("--shares-allowed", str(cls.allowed))
        super().setUpClass()
        attack = cls.host.root / "attack"
        subprocess.run(["cc", "-static", "-O1", "-s", "-o", attack, Path(__file__).parent / "support/mount_attack.c"],
                       check=True)
        cls.packed = base64.b64encode(gzip.compress(attack.read_bytes())).decode()

    def attack(self, name, path):
        """What root inside got from each way to make a share writable; tests/system/support/mount_attack.c has them."""
        self.host.output(name, "sh", "-c", "base64 -d | gunzip >/root/attack && chmod +x /root/attack", stdin=self.packed)
        return dict(line.split() for line in self.host.output(name, "/root/attack", path).splitlines())

    def share_dir(self, name, owner=0):
        path = self.allowed / name
        path.mkdir(parents=True)
        path.chmod(0o755)
        os.chown(path, owner, owner)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def make(self, name, *shares):
        self.host.rpc("container_create", {"name": name, "start": False})
        self.addCleanup(self.host.delete, name)
        self.update(name, shares=list(shares))
        self.host.rpc("container_start", {"name": name})

    def update(self, name, **changes):
        return self.host.rpc("container_update", {"name": name, **changes})

    def again(self, name):
        self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
        return self.host.rpc("container_start", {"name": name})

    def inside(self, name, *argv):
        """Standard output and errors of a command, however it ends."""
        done = self.host.exec(name, *argv)
        return done["stdout"]["text"] + done["stderr"]["text"]

    def test_what_is_shared_read_only_is_read_and_never_written(self):
        shared = self.share_dir("data")
        (shared / "file").write_text("from the host\n")
        self.make("ada", {"host_path": str(shared), "path": "/srv/data"})
        self.assertEqual(self.host.output("ada", "cat", "/srv/data/file"), "from the host\n")
        for argv in (("touch", "/srv/data/new"), ("rm", "/srv/data/file"), ("chmod", "777", "/srv/data"),
                     ("ln", "-s", "/etc", "/srv/data/link"), ("sh", "-c", "echo x >/srv/data/file")):
            self.assertIn("Read-only file system", self.inside("ada", *argv))
        self.assertEqual(self.attack("ada", "/srv/data"), DENIED)
        self.assertEqual((shared / "file").read_text(), "from the host\n")
        for flag in ("ro", "nosuid", "nodev"):
            self.assertIn(flag, self.host.output("ada", "findmnt", "-no", "OPTIONS", "--target", "/srv/data/file"))

    def test_what_is_mounted_below_a_share_is_read_only_too_also_later(self):
        shared = self.share_dir("tree")
        (shared / "below").mkdir()
        (shared / "later").mkdir()
        self.host.machine.run(["mount", "-t", "tmpfs", "tmpfs", shared / "below"])
        self.addCleanup(self.host.machine.run, ["umount", "-l", shared / "below"], check=False)
        self.host.machine.run(["sh", "-c", f"echo deep >{shared}/below/file && mount --make-rshared /"])
        self.make("ada", {"host_path": str(shared), "path": "/srv/tree"})
        self.assertEqual(self.host.output("ada", "cat", "/srv/tree/below/file"), "deep\n")
        self.assertIn("Read-only", self.inside("ada", "sh", "-c", "echo x >/srv/tree/below/file"))
        self.assertEqual(self.attack("ada", "/srv/tree/below"), DENIED)
        # What the host mounts there now would not be read-only, and so does not come in.
        self.host.machine.run(["mount", "-t", "tmpfs", "tmpfs", shared / "later"])
        self.addCleanup(self.host.machine.run, ["umount", "-l", shared / "later"], check=False)
        self.host.machine.run(["touch", shared / "later/file"])
        self.assertEqual(self.host.output("ada", "ls", "/srv/tree/later"), "")

    def test_a_writable_share_has_its_owner_inside_and_takes_no_file_of_the_hosts_users(self):
        shared = self.share_dir("work", OWNER)
        (shared / "theirs").write_text("x")
        os.chown(shared / "theirs", OWNER, OWNER)
        self.make("ada", {"host_path": str(shared), "path": "/srv/work", "writable": True})
        base = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})["uid_base"]
        self.host.output("ada", "useradd", "-u", str(OWNER), "dev")
        self.assertEqual(self.host.output("ada", "stat", "-c", "%u %g", "/srv/work/theirs"), f"{OWNER} {OWNER}\n")
        self.host.output("ada", "sh", "-c", "echo hers >/srv/work/hers", user="dev")
        self.host.output("ada", "sh", "-c", "cp /bin/sh /srv/work/sh && chmod 6755 /srv/work/sh && touch /srv/work/of-root"
                         " && echo changed >>/srv/work/theirs")
        self.assertEqual((shared / "hers").stat().st_uid, OWNER)
        for name in ("sh", "of-root"):  # set-user-id for nobody of the host
            self.assertEqual(((shared / name).stat().st_uid, (shared / name).stat().st_gid), (base, base))
        self.assertEqual((shared / "theirs").read_text(), "xchanged\n")
        self.assertIn("Operation not permitted", self.inside("ada", "mknod", "/srv/work/null", "c", "1", "3"))
        (shared / "of-host-root").write_text("secret")
        (shared / "of-host-root").chmod(0o600)
        self.assertIn("Permission denied", self.inside("ada", "cat", "/srv/work/of-host-root"))

    def test_no_symbolic_link_leads_out(self):
        shared, other = self.share_dir("swap", OWNER), self.share_dir("other")
        (other / "file").write_text("another's\n")
        (shared / "sub").mkdir()
        os.chown(shared / "sub", OWNER, OWNER)
        # A container that may write there puts links where another's share, and its own, are to be.
        self.make("ada", {"host_path": str(shared), "path": "/srv/work", "writable": True})
        self.host.rpc("container_create", {"name": "bob", "start": False})
        self.addCleanup(self.host.delete, "bob")
        self.update("bob", shares=[{"host_path": str(shared / "sub"), "path": "/srv/sub"}])
        self.host.output("ada", "sh", "-c", f"rmdir /srv/work/sub && ln -s {other} /srv/work/sub")
        refused = self.refused("invalid_argument", "", "container_start", {"name": "bob"})
        self.assertIn("symbolic link", refused.message)
        # Inside, a link on the way stops the start and is not followed; nothing is made on the host.
        self.host.output("ada", "sh", "-c", "ln -s /etc /srv/link && ln -s / /srv/up")
        for path in ("/srv/link/data", "/srv/up/var/tmp/made"):
            with self.subTest(path=path):
                self.update("ada", shares=[{"host_path": str(other), "path": path}])
                self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
                self.refused("busy", "", "container_start", {"name": "ada"})
                self.update("ada", remove_shares=[path])
                self.host.rpc("container_start", {"name": "ada"})
        self.assertFalse(Path("/var/tmp/made").exists())

    def test_a_share_moved_away_inside_is_gone_at_the_next_start(self):
        shared = self.share_dir("moved")
        (shared / "file").write_text("x")
        self.make("ada", {"host_path": str(shared), "path": "/srv/a/data"})
        self.host.output("ada", "mv", "/srv/a", "/srv/b")
        self.update("ada", remove_shares=["/srv/a/data"])
        self.again("ada")
        self.assertEqual(self.host.output("ada", "find", "/srv", "-name", "file"), "")
        self.assertFalse([line for line in self.host.machine.new_mounts() if "/srv/" in line])

    def test_a_change_holds_from_the_next_start_on_and_a_stop_lets_go(self):
        shared = self.share_dir("change")
        (shared / "file").write_text("x\n")
        self.make("ada")
        changed = self.update("ada", shares=[{"host_path": str(shared), "path": "/srv/data"}])
        self.assertEqual(changed["restart_required"], ["shares"])
        self.assertEqual(self.host.exec("ada", "cat", "/srv/data/file")["exit_code"], 1)
        self.again("ada")
        self.assertEqual(self.host.output("ada", "cat", "/srv/data/file"), "x\n")
        self.host.restart(crash=True)
        self.assertEqual(self.host.output("ada", "cat", "/srv/data/file"), "x\n")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.assertFalse([line for line in self.host.machine.new_mounts() if "/srv/data" in line])
        self.assertEqual(self.host.rpc("container_fork", {"container": "ada", "names": ["cyd"]})["containers"][0]["name"], "cyd")
        self.addCleanup(self.host.delete, "cyd")
        self.assertEqual(self.host.output("cyd", "cat", "/srv/data/file"), "x\n")

    def test_what_may_not_be_shared_is_refused(self):
        self.make("ada")
        shared = self.share_dir("fine")
        (self.allowed / "link").symlink_to("/etc")
        (shared / "file").write_text("")
        def refuse(code, field, host_path, path="/srv/data", **more):
            self.refused(code, f"/shares/0{field}", "container_update",
                         {"name": "ada", "shares": [{"host_path": str(host_path), "path": path, **more}]})
        for path in ("/etc", "/", self.host.state, str(self.allowed) + "-more", self.allowed.parent):
            refuse("denied", "/host_path", path)
        for path in (f"{self.allowed}/../..", f"{shared}/", f"{self.allowed}//fine", f"{self.allowed}/./fine"):
            refuse("invalid_argument", "/host_path", path)
        refuse("invalid_argument", "/host_path", self.allowed / "link")
        refuse("invalid_argument", "/host_path", shared / "file")
        refuse("not_found", "/host_path", self.allowed / "nothing")
        refuse("invalid_argument", "/host_path", shared, writable=True)  # the host's root owns it
        for path in ("/", "/proc", "/proc/x", "/dev/shm", "/run", "/usr", "/usr/lib/berth/x", "/srv/", "/srv/../etc"):
            refuse("invalid_argument", "/path", shared, path)
        self.refused("invalid_argument", "/shares/1/path", "container_update",
                     {"name": "ada", "shares": [{"host_path": str(shared), "path": "/srv/a"},
                                                {"host_path": str(shared), "path": "/srv/a/b"}]})
        self.assertFalse(self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"}).get("shares"))


class NothingAllowed(HostCase):
    def test_unless_the_operator_says_so_nothing_is_shared(self):
        self.host.rpc("container_create", {"name": "ada", "start": False})
        self.addCleanup(self.host.delete, "ada")
        refused = self.refused("denied", "/shares/0/host_path", "container_update",
                               {"name": "ada", "shares": [{"host_path": "/srv", "path": "/srv"}]})
        self.assertIn("[shares]", refused.hint)

    def test_berths_own_files_are_never_shared(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            os.chmod(place, 0o755)
            host = Host("--shares-allowed", "/var/tmp")
            try:
                host.rpc("container_create", {"name": "ada", "start": False})
                for path in (host.root, host.state, host.state / "containers", "/var/tmp"):
                    self.host, own = host, self.host
                    try:
                        self.refused("denied", "/shares/0/host_path", "container_update",
                                     {"name": "ada", "shares": [{"host_path": str(path), "path": "/srv/x"}]})
                    finally:
                        self.host = own
                host.rpc("container_update", {"name": "ada", "shares": [{"host_path": place, "path": "/srv/x"}]})
            finally:
                host.close()


if __name__ == "__main__":
    main()

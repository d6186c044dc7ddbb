#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A container's own variables: in every command and login, changed while it runs, kept, and shown nowhere else."""
import subprocess
from pathlib import Path

from support.host import HostCase, main, run_in_thread
from support.machine import wait_until

VALUE = 'two "quoted" \\ words # of $HOME'
PRINT = ("printenv", "STAGE", "WORDS", "LANG")


class Environment(HostCase):
    flags = ("--log-level", "debug")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = cls.host.root / "keys"
        cls.keys.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.keys / "key"], check=True)

    def make(self, name="ada", env=("STAGE=live", f"WORDS={VALUE}", "LANG=C.UTF-8", "EMPTY=")):
        box = self.host.create(name, env=list(env), ssh_keys=[(self.keys / "key.pub").read_text().strip()])
        self.addCleanup(self.host.delete, name)
        return box

    def env(self, name):
        return self.host.rpc("container_get", {"name": name, "response_format": "detailed"}).get("env", [])

    def client(self, program, *arguments, **options):
        told = self.host.rpc("ssh_config", {})
        (self.keys / "config").write_text(told["config"])
        (self.keys / "known_hosts").write_text(told["known_hosts"])
        return self.host.machine.run([program, "-F", self.keys / "config", "-i", self.keys / "key", "-o", "BatchMode=yes", "-o",
                                      f"UserKnownHostsFile={self.keys / 'known_hosts'}", *arguments], **options).stdout

    def assert_everywhere(self, name, stage):
        said = f"{stage}\n{VALUE}\nC.UTF-8\n"
        self.assertEqual(self.host.output(name, *PRINT), said)
        self.assertEqual(self.client("ssh", name, " ".join(PRINT)), said)

    def test_commands_and_logins_have_them(self):
        box = self.make()
        self.assertEqual(box["env"], self.env("ada"))
        self.assert_everywhere("ada", "live")
        self.assertEqual(self.host.output("ada", "sh", "-c", 'echo "<$EMPTY>"'), "<>\n")
        typed = self.client("ssh", "-tt", "ada", input="echo is:$STAGE; exit\n")
        self.assertIn("is:live", typed)
        # Nothing of sftp's shows a variable; it goes on working with them.
        (self.keys / "sent").write_text("sent")
        self.client("sftp", "-b", "-", "ada", input=f"put {self.keys}/sent /root/sent\n")
        self.assertEqual(self.host.output("ada", "cat", "/root/sent"), "sent")
        self.assertEqual(self.host.output("ada", "printenv", "STAGE", env=["STAGE=call"]), "call\n")
        self.assertEqual(self.host.output("ada", "printenv", "STAGE", user="nobody"), "live\n")
        self.assertNotIn("STAGE=", self.host.environment_of_init("ada"))

    def test_an_update_holds_for_the_next_command_and_login_and_starts_nothing_anew(self):
        box = self.make()
        init = self.host.init_pid("ada")
        changed = [f"WORDS={VALUE}", "LANG=C.UTF-8", "STAGE=test"]
        answer = self.host.rpc("container_update", {"name": "ada", "etag": box["etag"], "env": changed})
        self.assertEqual((answer["restart_required"], answer["container"]["env"]), ([], changed))
        self.assert_everywhere("ada", "test")
        self.assertEqual(self.host.init_pid("ada"), init)
        self.refused("busy", "/etag", "container_update", {"name": "ada", "etag": box["etag"], "env": []})
        self.refused("invalid_argument", "/env/1", "container_update", {"name": "ada", "env": ["A=1", "A=2"]})
        self.assert_everywhere("ada", "test")
        self.host.restart(crash=True)
        self.assertEqual(self.env("ada"), changed)
        self.assert_everywhere("ada", "test")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "ada"})
        self.assert_everywhere("ada", "test")
        self.host.rpc("container_update", {"name": "ada", "env": []})
        self.assertEqual(self.env("ada"), [])
        self.assertEqual(self.host.output("ada", "sh", "-c", 'echo "<$STAGE>"'), "<>\n")
        self.assertEqual(self.client("ssh", "ada", 'echo "<$STAGE>"'), "<>\n")

    def test_forks_restores_and_imports_keep_them(self):
        self.make()
        self.host.rpc("snapshot_create", {"container": "ada", "name": "before"})
        self.host.rpc("container_fork", {"container": "ada", "names": ["bob"]})
        self.addCleanup(self.host.delete, "bob")
        self.assert_everywhere("bob", "live")
        self.host.rpc("container_export", {"container": "ada", "file": "ada.tar"})
        self.host.rpc("container_import", {"file": "ada.tar", "name": "cyd"})
        self.addCleanup(self.host.delete, "cyd")
        self.assert_everywhere("cyd", "live")
        self.host.rpc("snapshot_restore", {"container": "ada", "snapshot": "before", "restart": True})
        self.assert_everywhere("ada", "live")

    def test_the_command_line_takes_them_one_by_one_or_from_a_file(self):
        self.addCleanup(self.host.delete, "ada")
        self.host.cli("container", "create", "ada", "--env", "A=1", "--env", "B=2 3")
        self.assertEqual(self.env("ada"), ["A=1", "B=2 3"])
        (self.keys / "env").write_text("# what it is\nSTAGE=file\n\nB=4\n")
        self.host.cli("container", "update", "ada", "--env", f"@{self.keys}/env")
        self.assertEqual(self.host.output("ada", "printenv", "STAGE", "B"), "file\n4\n")
        self.host.cli("container", "update", "ada", "--env", "@/dev/null")
        self.assertEqual(self.env("ada"), [])

    def test_no_value_is_in_a_log_or_in_the_arguments_of_a_process(self):
        secret = "s3cret-of-nobody"
        self.make(env=[f"TOKEN={secret}"])
        running = run_in_thread(lambda: self.host.exec("ada", "sleep", "2.718"))
        wait_until(lambda: "sleep\x002.718" in arguments(), "it runs")
        self.assertNotIn(secret, arguments())
        running()
        self.client("ssh", "ada", "true")
        self.host.rpc("container_update", {"name": "ada", "env": [f"TOKEN={secret}", "A=1"]})
        looked = self.host.rpc("container_update", {"name": "ada", "env": [f"TOKEN={secret}"], "dry_run": True})
        self.assertNotIn(secret, str(looked))
        self.assertNotIn(secret, (self.host.root / "berthd.log").read_text())
        self.assertNotIn(secret, str(self.host.rpc("warning_list", {})))


def arguments():
    """Of every process there is."""
    whole = ""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            whole += file.read_text(errors="replace")
        except OSError:  # it has ended
            pass
    return whole


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSSH, as people use it, logs in to containers by name."""
import hashlib
import os
import re
import subprocess
import time

from support.host import HostCase, main, program
from support.machine import DIAL, free_port, wait_until

MIB64 = 64 * 1024 * 1024


class Ssh(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = cls.host.root / "keys"
        cls.keys.mkdir()
        for owner in ("ada", "bob", "mallory"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", owner, "-f", cls.keys / owner], check=True)
        for name in ("ada", "bob"):
            cls.host.create(name, ssh_keys=[(cls.keys / f"{name}.pub").read_text().strip()])
        cls.write_config()

    @classmethod
    def write_config(cls):
        said = cls.host.rpc("ssh_config", {})
        (cls.keys / "config").write_text(said["config"])
        (cls.keys / "known_hosts").write_text(said["known_hosts"])

    def argv(self, program, *arguments, key="ada", known_hosts="known_hosts"):
        return [program, "-F", self.keys / "config", "-o", f"UserKnownHostsFile={self.keys / known_hosts}",
                "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10", "-i", self.keys / key, *arguments]

    def run_client(self, program, *arguments, key="ada", known_hosts="known_hosts", **options):
        argv = self.argv(program, *arguments, key=key, known_hosts=known_hosts)
        return self.host.machine.run(argv, check=False, **options)

    def ssh(self, *arguments, **options):
        return self.run_client("ssh", *arguments, **options)

    def test_a_command_runs_and_its_exit_code_comes_back(self):
        done = self.ssh("ada", "hostname; exit 7")
        self.assertEqual((done.stdout, done.returncode), ("ada\n", 7), done.stderr)

    def test_the_written_configuration_is_enough(self):
        directory = self.host.root / "dot-ssh"
        for _ in range(2):
            self.host.cli("ssh-config", "sync", "--dir", directory, "--include")
        self.assertEqual((directory / "config").read_text(), f"Include {directory}/berth_config\n", "once, however often")
        done = self.host.machine.run(["ssh", "-F", directory / "config", "-o", "BatchMode=yes", "-i", self.keys / "ada",
                                      "ada", "true"], check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_64_MiB_travel_whole_by_scp_and_sftp_both_ways(self):
        source = self.keys / "source"
        source.write_bytes(os.urandom(MIB64))
        digest = hashlib.sha256(source.read_bytes()).hexdigest()

        def inside(path):
            return self.ssh("ada", f"sha256sum {path}").stdout.split()[0]

        for label, copy in (("scp", ("scp", "-q")), ("scp, the old protocol", ("scp", "-q", "-O"))):
            with self.subTest(label):
                back = self.keys / "back"
                self.assertEqual(self.run_client(*copy, source, "ada:/root/sent").returncode, 0)
                self.assertEqual(inside("/root/sent"), digest)
                self.assertEqual(self.run_client(*copy, "ada:/root/sent", back).returncode, 0)
                self.assertEqual(hashlib.sha256(back.read_bytes()).hexdigest(), digest)
        with self.subTest("sftp"):
            back = self.keys / "back-sftp"
            script = f"put {source} /root/put\nget /root/put {back}\n"
            done = self.run_client("sftp", "-b", "-", "ada", input=script)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(inside("/root/put"), digest)
            self.assertEqual(hashlib.sha256(back.read_bytes()).hexdigest(), digest)

    def test_a_local_forward_reaches_the_containers_own_loopback(self):
        self.host.serve("ada", 9000, address="127.0.0.1")
        port = free_port()
        tunnel = self.host.machine.start(self.argv("ssh", "-N", "-L", f"127.0.0.1:{port}:127.0.0.1:9000", "ada"))
        try:
            answer = wait_until(lambda: self.host.dial("tcp", "127.0.0.1", port), "the tunnel answers")
            self.assertEqual(answer, "ada 127.0.0.1")
        finally:
            tunnel.terminate()
            tunnel.wait()

    def test_a_login_passes_the_sentinel_at_the_port_of_tls(self):
        port = free_port()
        server = re.search(r"Host ada\n(?:.*\n)*? +HostName (\S+)\n(?:.*\n)*? +Port (\d+)", (self.keys / "config").read_text())
        routes, log = self.keys / "routes", self.keys / "sentinel.log"
        routes.write_text("")
        with open(log, "wb") as out:
            sentinel = self.host.machine.start([program("berth-sentinel"), "--routes", routes, "--listen", f"127.0.0.1:{port}",
                                                "--ssh", f"{server[1]}:{server[2]}", "--access-log", "-"], stdout=out, stderr=out)
        try:
            wait_until(lambda: " ready" in log.read_text(), "the sentinel to listen")
            done = self.ssh("-o", "HostName=127.0.0.1", "-o", f"Port={port}", "ada", "hostname; exit 7")
            self.assertEqual((done.stdout, done.returncode), ("ada\n", 7), done.stderr)
            wait_until(lambda: '"protocol":"ssh","outcome":"ended"' in log.read_text(), "its line")
        finally:
            sentinel.terminate()
            sentinel.wait()

    def test_a_terminal_is_a_real_one(self):
        done = self.ssh("-tt", "ada", "tty")
        self.assertRegex(done.stdout, r"/dev/pts/\d+")

    def test_the_agent_is_forwarded(self):
        agent = self.keys / "agent"
        process = self.host.machine.start(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
        try:
            wait_until(agent.exists, "the agent listens")
            environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
            subprocess.run(["ssh-add", "-q", self.keys / "ada"], env=environment, check=True)
            done = self.ssh("-A", "ada", "ssh-add -l", env=environment)
            self.assertIn("ada (ED25519)", done.stdout, done.stderr)
        finally:
            process.terminate()
            process.wait()

    def test_a_wrong_key_is_refused(self):
        done = self.ssh("ada", "true", key="mallory")
        self.assertEqual(done.returncode, 255)
        self.assertIn("Permission denied", done.stderr)

    def test_one_containers_key_does_not_open_another(self):
        self.assertEqual(self.ssh("bob", "true", key="bob").returncode, 0)
        self.assertEqual(self.ssh("bob", "true", key="ada").returncode, 255)
        self.assertEqual(self.ssh("ada", "true", key="bob").returncode, 255)

    def test_a_key_added_later_logs_in(self):
        self.host.create("cyd")
        self.addCleanup(self.host.delete, "cyd")
        self.write_config()
        self.assertEqual(self.ssh("cyd", "true").returncode, 255)
        key = (self.keys / "ada.pub").read_text().strip()
        added = self.host.rpc("ssh_key_add", {"container": "cyd", "public_key": key})
        self.assertEqual((added["added"], added["keys"]), (True, 1))
        self.assertEqual(self.ssh("cyd", "true").returncode, 0)

    def test_a_changed_host_key_is_refused(self):
        other = (self.keys / "mallory.pub").read_text().split()[1]
        known = (self.keys / "known_hosts").read_text()
        (self.keys / "forged").write_text(re.sub(r"(ssh-ed25519) \S+", rf"\1 {other}", known))
        done = self.ssh("ada", "true", known_hosts="forged")
        self.assertEqual(done.returncode, 255)
        self.assertIn("HOST IDENTIFICATION HAS CHANGED", done.stderr)

    def test_an_unknown_host_key_is_refused(self):
        (self.keys / "empty").write_text("")
        self.assertEqual(self.ssh("ada", "true", known_hosts="empty").returncode, 255)

    def test_a_container_whose_helper_does_not_answer_keeps_nobody_else_waiting(self):
        self.host.create("mallory")
        self.addCleanup(self.host.delete, "mallory")
        # The parent of a command's parent: root inside may do that.
        self.host.output("mallory", "sh", "-c", "kill -STOP $(ps -o ppid= $PPID)")
        port = str(self.host.rpc("container_get", {"name": "mallory"})["ssh"]["port"])
        dials = [self.host.machine.start(["python3", "-c", DIAL.replace("3)", "30)", 1), "tcp", "127.0.0.1", port],
                                         stderr=subprocess.DEVNULL) for _ in range(40)]
        connected = ["ss", "-Htn", "state", "established", f"( sport = :{port} )"]
        wait_until(lambda: self.host.machine.run(connected).stdout.count("\n") == len(dials), "all to be connected")
        begun = time.monotonic()
        self.host.create("eve", ssh_keys=[(self.keys / "ada.pub").read_text().strip()])
        self.addCleanup(self.host.delete, "eve")
        self.write_config()
        self.assertEqual(self.ssh("eve", "hostname").stdout, "eve\n")
        self.assertLess(time.monotonic() - begun, 5)
        for dial in dials:  # each was told, also the one that the helper has
            dial.wait(20)

    def test_a_session_outlives_the_daemon_that_began_it(self):
        session = self.host.machine.start(self.argv("ssh", "ada", "echo begun; read line; echo got $line"),
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(session.stdout.readline(), "begun\n")
            self.host.restart()
            out, _ = session.communicate("on\n", timeout=30)
            self.assertEqual(out, "got on\n")
        finally:
            session.kill()
            session.wait()
        self.assertEqual(self.ssh("ada", "true").returncode, 0, "and new ones begin")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What containers do by themselves, and what can be changed while they run."""
import base64
import gzip
import contextlib
import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

from support.host import HostCase, ToolError, main, run_in_thread
from support.machine import wait_until
from test_faults import listed_points

MIB = 1 << 20


class Lifecycle(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        probe = cls.host.root / "probe"
        subprocess.run(["cc", "-static", "-O1", "-s", "-o", probe, Path(__file__).parent / "support/probe.c"], check=True)
        cls.packed = base64.b64encode(gzip.compress(probe.read_bytes())).decode()

    def make(self, name, **more):
        box = self.host.create(name, **more)
        self.addCleanup(self.gone, name)
        return box

    def gone(self, name):
        if self.there(name):
            self.update(name, protected=False)
            self.host.delete(name)

    def there(self, name):
        return any(box["name"] == name for box in self.host.rpc("container_list", {})["containers"])

    def get(self, name):
        return self.host.rpc("container_get", {"name": name, "response_format": "detailed"})

    def update(self, name, **changes):
        return self.host.rpc("container_update", {"name": name, **changes})

    def wait_for(self, name, state, seconds=20):
        wait_until(lambda: self.there(name) and self.get(name)["state"] == state, f"{name} is {state}", seconds)

    def kill_init(self, name):
        pid = self.host.init_pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "init has ended")

    def probe(self, name, *arguments):
        self.host.output(name, "sh", "-c", "base64 -d | gunzip >/root/probe && chmod +x /root/probe", stdin=self.packed)
        return self.host.exec(name, "/root/probe", *map(str, arguments))

    def same(self, before, after):
        for key in ("id", "ipv4", "uid_base", "ports", "ssh"):
            self.assertEqual(before[key], after[key], key)

    def test_one_that_fails_comes_back_by_its_policy_also_when_adopted(self):
        before = self.make("ada", restart="on-failure", ports=[{"container_port": 80}])
        self.make("bob")
        for restart in (False, True):
            with self.subTest(restart=restart):
                if restart:
                    self.host.restart()
                self.kill_init("ada")
                wait_until(lambda: self.get("ada")["lifecycle"]["restarts"] == 1 + restart, "it has ended")
                self.wait_for("ada", "running")
                self.assertEqual(self.host.output("ada", "echo", "back"), "back\n")
                self.same(before, self.get("ada"))
        self.kill_init("bob")
        self.wait_for("bob", "stopped")
        wait_until(lambda: self.get("bob")["lifecycle"].get("ended") in ("failed", "unknown"), "its end is known")

    def shut_down(self, name, *argv):
        """By systemd inside, as soon as that listens."""
        wait_until(lambda: self.host.exec(name, "systemctl", "list-jobs")["exit_code"] == 0, "systemd listens")
        with contextlib.suppress(ToolError):  # the command ends with what it ends
            self.host.exec(name, "systemctl", *argv)

    def test_a_reboot_from_inside_brings_it_back_isolated(self):
        self.make("ada")
        # Once it is the init that calls the kernel, and once the command itself.
        for force in (["--force"], ["--force", "--force"]):
            with self.subTest(force=force):
                before = self.host.init_pid("ada")
                self.shut_down("ada", "reboot", *force)
                wait_until(lambda: not Path(f"/proc/{before}").exists(), "init has ended")
                self.wait_for("ada", "running")
                self.assertEqual(self.get("ada")["lifecycle"]["ended"], "rebooted")
                link = f"bh{self.get('ada')['id']}"
                shown = lambda: self.host.machine.run(["bridge", "-j", "-d", "link", "show", "dev", link], check=False)
                # It is told as running a moment before; nothing inside runs until then.
                wait_until(lambda: '"isolated":true' in shown().stdout, "it is isolated")

    def test_one_that_is_shut_down_from_inside_has_not_failed(self):
        self.make("ada", restart="on-failure")
        # By its init and by a command that calls the kernel; and when the berthd that started it is dead.
        for argv, crash in ((["poweroff", "--force"], False), (["poweroff", "--force", "--force"], False),
                            (["halt", "--force", "--force"], False), (["poweroff", "--force", "--force"], True)):
            with self.subTest(argv=argv, crash=crash):
                if crash:
                    self.host.restart(crash=True)
                self.shut_down("ada", *argv)
                self.wait_for("ada", "stopped")
                wait_until(lambda: self.get("ada")["lifecycle"].get("ended") == "clean", "its end is known")
                self.assertEqual(self.get("ada")["lifecycle"]["restarts"], 0)
                self.host.rpc("container_start", {"name": "ada"})
        self.kill_init("ada")  # that is none of its own, although a pidfd says the same of both
        wait_until(lambda: self.get("ada")["lifecycle"]["ended"] == "failed", "its end is known")
        self.wait_for("ada", "running")

    def end_without_berthd(self, *names):
        """Each shuts itself down as soon as berthd is dead."""
        pids = []
        for name in names:
            pids.append(self.host.init_pid(name))
            wait_until(lambda: self.host.exec(name, "systemctl", "list-jobs")["exit_code"] == 0, "systemd listens")
            self.host.output(name, "sh", "-c", "setsid sh -c 'until [ -e /go ]; do sleep 0.1; done; exec systemctl poweroff --force'"
                             " >/dev/null 2>&1 </dev/null &")
        self.host.kill()
        for pid in pids:
            Path(f"/proc/{pid}/root/go").touch()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "their inits have ended")

    def test_one_that_ends_while_berthd_is_dead_comes_back_by_its_policy(self):
        self.make("ada")
        self.make("bob", restart="on-failure")
        before = self.make("cyd", restart="always", ports=[{"container_port": 80}])
        self.end_without_berthd("ada", "bob", "cyd")
        self.host.start()
        for name, restarts in (("ada", 0), ("bob", 1), ("cyd", 1)):
            self.wait_for(name, "running" if restarts else "stopped")
            lifecycle = self.get(name)["lifecycle"]
            self.assertEqual((lifecycle["ended"], lifecycle["restarts"]), ("unknown", restarts))
        self.same(before, self.get("cyd"))
        self.host.stop()
        self.host.lose_power()
        self.host.start()
        self.wait_for("cyd", "running")
        self.assertEqual(self.get("ada")["state"], "stopped")

    def test_one_with_a_directory_of_the_host_that_ends_while_berthd_is_dead_stays_so(self):
        shown = self.host.root / "shown"
        shown.mkdir()
        self.with_flags("--shares-allowed", shown)
        self.make("ada")
        self.update("ada", shares=[{"host_path": str(shown), "path": "/srv/shown"}])
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "ada"})
        self.end_without_berthd("ada")
        self.host.start()
        self.assertEqual(self.get("ada")["state"], "stopped")
        self.assertEqual(self.get("ada")["lifecycle"].get("ended"), "unknown")

    def dies_at(self, point, begin):
        """berthd is killed when it comes by that point (base/fault.h), and started again."""
        self.host.fault.write_text(f"{point} kill")
        begin()
        self.host.daemon.wait(30)
        self.host.start()

    def test_one_that_was_coming_back_when_berthd_was_killed_comes_back(self):
        if "container.ended" not in listed_points():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        self.make("ada")  # of the policy no

        def of_the_host():
            self.host.kill()
            self.host.lose_power()
            with contextlib.suppress(AssertionError):  # it may not come to answer
                self.host.start()

        for why, begin, points in (("reboot from inside", lambda: self.shut_down("ada", "reboot", "--force"),
                                    ("container.ended", "engine.launch", "container.started")),
                                   ("reboot of the host", of_the_host, ("engine.mount", "container.started"))):
            for point in points:
                with self.subTest(why=why, point=point):
                    self.dies_at(point, begin)
                    self.wait_for("ada", "running")
                    self.host.rpc("container_start", {"name": "ada"})  # when it does for sure

    def test_one_that_was_being_stopped_when_berthd_was_killed_is_stopped(self):
        if "container.ended" not in listed_points():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        self.make("ada", restart="always")
        for point in ("container.stop", "engine.stop"):
            with self.subTest(point=point):
                self.host.rpc("container_start", {"name": "ada"})
                self.dies_at(point, lambda: self.assertRaises((OSError, http.client.HTTPException), self.host.rpc,
                                                              "container_stop", {"name": "ada", "timeout_seconds": 0}))
                self.wait_for("ada", "stopped")
                self.assertNotIn("ended", self.get("ada")["lifecycle"])

    def test_a_reboot_of_the_host_brings_back_what_was_running(self):
        before = self.make("ada", ports=[{"container_port": 80}])
        self.make("bob")
        self.host.rpc("container_stop", {"name": "bob", "timeout_seconds": 0})
        self.host.serve("ada", 80)
        self.host.stop()
        self.host.lose_power()
        self.host.start()
        self.wait_for("ada", "running")
        self.same(before, self.get("ada"))
        self.assertEqual(self.get("bob")["state"], "stopped")
        self.host.serve("ada", 80)
        port = before["ports"][0]["host_port"]
        self.assertTrue(self.host.dial("tcp", "127.0.0.1", port).startswith("ada "))

    def test_one_that_starts_programs_all_the_time_halts_whenever_it_is_to(self):
        self.make("ada")
        self.host.output("ada", "sh", "-c", 'for n in 1 2 3 4; do setsid sh -c "while :; do /bin/true; done" >/dev/null 2>&1 </dev/null & done')
        for _ in range(60):
            self.assertEqual(self.host.rpc("container_pause", {"name": "ada"})["state"], "paused")
            self.host.rpc("container_resume", {"name": "ada"})

    def test_more_and_less_memory_hold_at_once(self):
        self.make("ada", memory_bytes=128 * MIB, processes=128)
        self.assertEqual(self.probe("ada", "eat", 256).get("signal"), "SIGKILL")
        etag = self.get("ada")["etag"]
        answer = self.update("ada", etag=etag, memory_bytes=512 * MIB)
        self.assertEqual(answer["restart_required"], [])
        self.assertEqual(self.probe("ada", "eat", 256)["exit_code"], 0)
        self.refused("busy", "/etag", "container_update", {"name": "ada", "etag": etag, "memory_bytes": 128 * MIB})
        self.update("ada", memory_bytes=128 * MIB)
        self.assertEqual(self.probe("ada", "eat", 256).get("signal"), "SIGKILL")

    def test_processes_hold_at_once_and_after_a_start(self):
        self.make("ada", processes=256)
        self.update("ada", processes=64)
        for again in (False, True):
            if again:
                self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
                self.host.rpc("container_start", {"name": "ada"})
            count, error = self.probe("ada", "fork", 200)["stdout"]["text"].split()
            self.assertLess(int(count), 64)
            self.assertEqual(error, "EAGAIN")

    def test_set_user_id_programs_give_nothing_where_they_are_not_wanted(self):
        self.make("ada")
        self.host.output("ada", "install", "-m", "4755", "/usr/bin/id", "/usr/local/bin/who")
        becomes = lambda: self.host.output("ada", "/usr/local/bin/who", "-u", user="nobody").strip()
        self.assertEqual(becomes(), "0")
        changed = self.update("ada", no_new_privileges=True)
        self.assertEqual((changed["restart_required"], becomes()), (["no_new_privileges"], "0"))
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": "ada"})
        self.assertEqual((becomes(), self.get("ada")["no_new_privileges"]), ("65534", True))
        status = self.host.output("ada", "cat", "/proc/1/status", "/proc/self/status")
        self.assertEqual(status.count("NoNewPrivs:\t1\n"), 2)
        self.assertEqual(self.update("ada", no_new_privileges=True)["restart_required"], [])

    def test_a_paused_container_halts_and_goes_on(self):
        self.make("ada")
        self.host.output("ada", "sh", "-c",
                         "setsid sh -c 'while :; do date +%s%N >/tmp/now; sleep 0.01; done' >/dev/null 2>&1 </dev/null &")
        wait_until(lambda: self.host.exec("ada", "cat", "/tmp/now")["stdout"]["text"], "it counts")
        counter = Path(f"/proc/{self.host.init_pid('ada')}/root/tmp/now")
        spent = lambda: self.host.rpc("container_usage", {"name": "ada"})["running"]["cpu_ms"]
        self.assertEqual(self.host.rpc("container_pause", {"name": "ada"})["state"], "paused")
        before = (counter.read_text(), spent())
        error = self.refused("busy", "/container", "container_exec", {"container": "ada", "argv": ["true"]})
        self.assertIn("container_resume", error.hint)
        self.assertEqual((counter.read_text(), spent()), before, "something runs in a paused container")
        self.host.restart()
        self.assertEqual(self.get("ada")["state"], "paused")
        self.assertEqual((counter.read_text(), spent()), before, "something ran while berthd was started again")
        self.assertEqual(self.host.rpc("container_resume", {"name": "ada"})["state"], "running")
        wait_until(lambda: counter.read_text() not in ("", before[0]), "it goes on")
        wait_until(lambda: spent() > before[1], "that takes time of the CPU")
        self.host.rpc("container_pause", {"name": "ada"})
        self.host.delete("ada")

    def test_times_and_protection(self):
        self.make("ada", ttl_seconds=1)
        wait_until(lambda: not self.there("ada"), "its time is over")
        self.make("bob", protected=True, delete_after_stop=True)
        self.refused("denied", "/name", "container_delete", {"name": "bob", "force": True})
        self.update("bob", protected=False)
        self.host.rpc("container_stop", {"name": "bob", "timeout_seconds": 0})
        wait_until(lambda: not self.there("bob"), "it goes when stopped")
        self.make("cyd", idle_stop_seconds=2)
        self.wait_for("cyd", "stopped")

    def with_flags(self, *flags):
        def change_to(wanted):
            self.host.flags = wanted
            self.host.restart()

        self.addCleanup(change_to, self.host.flags)
        change_to([*self.host.flags, *flags])

    def test_an_end_of_berthd_that_stops_containers_waits_for_the_slow_no_longer_than_it_may(self):
        for name in ("ada", "bob", "cyd"):
            self.make(name)
        for name in ("ada", "bob", "cyd"):
            wait_until(lambda: self.host.exec(name, "systemctl", "is-system-running")["stdout"]["text"].strip()
                       in ("starting", "running", "degraded"), "systemd answers", 30)
        self.host.output("bob", "sh", "-c", "printf '[Service]\\nExecStart=/bin/sleep infinity\\nExecStop=/bin/sleep 1000\\n"
                         "TimeoutStopSec=infinity\\n' >/etc/systemd/system/slow.service && systemctl start slow.service")
        for name in ("ada", "cyd"):  # who stops cleanly says so
            self.host.output(name, "sh", "-c", "printf '[Service]\\nExecStart=/bin/sleep infinity\\nExecStop=/bin/touch /srv/clean\\n'"
                             " >/etc/systemd/system/last.service && systemctl start last.service")
        self.with_flags("--stop-containers-on-exit", "--shutdown-timeout", "6")
        began = time.monotonic()
        self.host.stop()
        took = time.monotonic() - began
        self.assertGreater(took, 5)
        self.assertLess(took, 6 + 3)
        # By their commands alone: every control group's path has the word too.
        self.assertEqual([line for line in self.host.our_processes() if "systemd" in line.partition(" '")[0]], [])
        self.host.start()
        for name in ("ada", "bob", "cyd"):
            self.wait_for(name, "running")
        for name in ("ada", "cyd"):
            self.assertEqual(self.host.output(name, "ls", "/srv"), "clean\n")

    def test_a_container_without_an_init_says_so_when_it_is_started(self):
        self.make("ada")
        self.host.output("ada", "mv", "/sbin/init", "/sbin/away")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        with self.assertRaises(ToolError) as refused:
            self.host.rpc("container_start", {"name": "ada"})
        self.assertEqual(refused.exception.code, "unavailable")
        self.assertIn("no /sbin/init that can be executed: No such file", refused.exception.message)
        self.assertIn("snapshot_restore", refused.exception.hint)
        self.wait_for("ada", "stopped")

    def test_an_end_of_berthd_during_a_create_undoes_it_and_comes_in_time(self):
        self.make("ada")
        self.with_flags("--stop-containers-on-exit", "--shutdown-timeout", "5")
        before = self.host.picture()
        for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
            with self.subTest(delay=delay):
                creating = run_in_thread(lambda: self.host.create("new", ports=[{"container_port": 80}]))
                time.sleep(delay)
                self.host.daemon.terminate()
                self.assertEqual(self.host.daemon.wait(5 + 5), 0)
                acknowledged = True
                try:
                    creating(10)
                except (OSError, http.client.HTTPException, ValueError, ToolError):
                    acknowledged = False
                self.host.start()
                names = [box["name"] for box in self.host.rpc("container_list", {})["containers"]]
                self.assertTrue("new" in names or not acknowledged)
                if "new" in names:
                    self.wait_for("new", "running")
                    self.host.delete("new")
                self.wait_for("ada", "running")
                wait_until(lambda: self.host.picture() == before, "nothing of it is left", 15)

    def test_an_end_of_berthd_that_is_killed_while_it_stops_containers_forgets_none(self):
        if "container.ended" not in listed_points():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        for name in ("ada", "bob"):
            self.make(name)
        self.with_flags("--stop-containers-on-exit", "--shutdown-timeout", "5")
        self.dies_at("engine.stop", self.host.daemon.terminate)
        for name in ("ada", "bob"):
            self.wait_for(name, "running")
        self.end_without_berthd("ada")  # and once it runs again, an end is an end
        self.host.start()
        self.assertEqual((self.get("ada")["state"], self.get("bob")["state"]), ("stopped", "running"))

    def test_a_clean_shutdown_stops_all_and_forgets_none(self):
        for name in ("ada", "bob", "cyd"):
            self.make(name)
        self.host.stop()
        self.host.machine.run([*self.host.daemon.args[self.host.daemon.args.index("--") + 1:], "shutdown-containers"])
        self.host.start()
        for name in ("ada", "bob", "cyd"):
            self.wait_for(name, "running")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""container_exec: what goes in arrives, what comes out is exact, and nothing outlives its time."""
import base64
import re
import signal
import time

from support.host import HostCase, ToolError, main, program, run_in_thread
from support.machine import wait_until

# A service that answers once, and one that asks it; each says its control group.
ANSWERER = """
import socket
service = socket.create_server(("127.0.0.1", 8600))
print("answers from", open("/proc/self/cgroup").read().split("/")[-1].strip(), flush=True)
peer = service.accept()[0]
peer.sendall(b"hello")
peer.close()
"""
ASKER = """
import socket
print("asks from", open("/proc/self/cgroup").read().split("/")[-1].strip(), flush=True)
print("got", socket.create_connection(("127.0.0.1", 8600)).recv(16).decode(), flush=True)
"""


class Exec(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("ada")

    def run_in(self, *argv, **more):
        return self.host.exec("ada", *argv, **more)

    def text(self, *argv, **more):
        return self.host.output("ada", *argv, **more)

    def running(self, pattern):
        """How many processes of the container match; the bracket keeps the search from finding itself."""
        pattern = f"[{pattern[0]}]{pattern[1:]}"
        return int(self.run_in("pgrep", "-cf", pattern)["stdout"]["text"])

    # From the first moment

    def test_what_is_written_right_after_a_create_stays(self):
        """A container answers before its boot is done; the rest of the boot must take nothing back."""
        self.host.create("eve")
        self.addCleanup(self.host.delete, "eve")
        places = ["/tmp/first", "/var/tmp/first", "/root/first", "/run/first", "/srv/first"]
        self.host.output("eve", "touch", *places)
        self.host.exec("eve", "systemctl", "is-system-running", "--wait")
        # Whether the boot was past that already is chance, so its step is taken once more.
        self.host.exec("eve", "systemd-tmpfiles", "--create", "--remove", "--boot")
        self.assertEqual(self.host.output("eve", "ls", *places).split(), sorted(places))

    # What goes in

    def test_argv_is_passed_as_it_is(self):
        odd = ["", "a b", "$HOME", "*", "'", '"', "\\", "new\nline", ";true", "-n", "ünï"]
        said = self.text("python3", "-c", "import sys; print(sys.argv[1:])", *odd)
        self.assertEqual(eval(said), odd)

    def test_standard_input_arrives_whole_and_ends(self):
        text = "line\n" * 100_000
        self.assertEqual(self.text("wc", "-c", stdin=text).strip(), str(len(text)))
        self.assertEqual(self.text("cat"), "")

    def test_a_command_that_reads_nothing_is_not_held_up_by_its_input(self):
        self.assertEqual(self.run_in("true", stdin="x" * 1_000_000)["exit_code"], 0)

    def test_environment_directory_and_user_are_as_asked(self):
        self.assertEqual(self.text("sh", "-c", 'echo "$A|$B"', env=["A=1 2", "B=x=y"]), "1 2|x=y\n")
        self.assertEqual(self.text("pwd"), "/root\n")
        self.assertEqual(self.text("pwd", cwd="/usr/share"), "/usr/share\n")
        self.assertEqual(self.text("sh", "-c", "id -un; id -gn; echo $HOME $USER"), "root\nroot\n/root root\n")
        self.assertEqual(self.text("sh", "-c", "id -un; id -gn; id -Gn", user="nobody"), "nobody\nnogroup\nnogroup\n")

    def test_the_environment_is_the_users_and_not_the_daemons(self):
        names = {line.partition("=")[0] for line in self.text("env").splitlines()}
        self.assertLessEqual({"HOME", "PATH", "USER"}, names)
        self.assertLessEqual(names, {"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD", "container"})

    def test_no_descriptor_of_the_daemon_leaks_in(self):
        self.assertEqual(sorted(self.text("ls", "/proc/self/fd").split()), ["0", "1", "2", "3"])  # 3 is ls's own

    def test_a_user_or_directory_that_is_not_there_is_named(self):
        self.refused(("invalid_argument", "not_found"), "/user", "container_exec",
                     {"container": "ada", "argv": ["true"], "user": "nosuch"})
        self.refused(("invalid_argument", "not_found"), "/cwd", "container_exec",
                     {"container": "ada", "argv": ["true"], "cwd": "/nosuch"})

    def test_a_missing_program_is_named(self):
        for program in ("nosuchprogram", "/no/such/program", "/etc/passwd"):
            with self.subTest(program):
                error = self.refused(("invalid_argument", "not_found"), "/argv/0", "container_exec",
                                     {"container": "ada", "argv": [program]})
                self.assertIn(program, error.message)

    # What comes out

    def test_exit_codes_and_signals_are_told_apart(self):
        for code in (0, 1, 7, 137, 255):
            self.assertEqual(self.run_in("sh", "-c", f"exit {code}")["exit_code"], code)
        result = self.run_in("sh", "-c", "kill -SEGV $$")
        self.assertEqual((result.get("signal"), "exit_code" in result), ("SIGSEGV", False))

    def test_both_streams_come_back_apart(self):
        result = self.run_in("sh", "-c", "echo out; echo err >&2")
        self.assertEqual((result["stdout"]["text"], result["stderr"]["text"]), ("out\n", "err\n"))

    def test_a_long_output_is_cut_in_the_middle_and_counted_exactly(self):
        for limit in (1024, 4096, 16384):
            with self.subTest(limit):
                out = self.run_in("sh", "-c", "printf HEAD; head -c 9999992 /dev/zero | tr '\\0' x; printf TAIL",
                                  output_bytes_max=limit)["stdout"]
                head, note, tail = re.fullmatch(r"HEAD(x+)(.*?)(x+)TAIL", out["text"], re.DOTALL).groups()
                kept = len("HEAD") + len(head) + len(tail) + len("TAIL")
                self.assertEqual((out["bytes"], out["omitted_bytes"]), (10_000_000, 10_000_000 - kept))
                self.assertLessEqual(kept, limit)
                self.assertIn(str(out["omitted_bytes"]), note.replace(",", ""))

    def test_output_at_the_limit_is_whole(self):
        out = self.run_in("sh", "-c", "head -c 1024 /dev/zero | tr '\\0' x", output_bytes_max=1024)["stdout"]
        self.assertEqual(out, {"text": "x" * 1024, "bytes": 1024, "omitted_bytes": 0, "lossy": False})

    def test_what_was_left_out_is_read_byte_for_byte(self):
        out = self.host.exec("ada", "seq", "1", "2000000", output_bytes_max=1024)["stdout"]
        whole = "".join(f"{number}\n" for number in range(1, 2000001)).encode()
        self.assertEqual((out["bytes"], out["kept_bytes"]), (len(whole), len(whole)))
        output = {"container": "ada", "output_id": out["output_id"]}
        read, part = b"", {"next_offset": 0}
        while "next_offset" in part:
            part = self.host.rpc("output_read", {**output, "offset": part["next_offset"]})
            self.assertEqual((part["encoding"], part["bytes"]), ("utf-8", len(part["content"])))
            read += part["content"].encode()
        self.assertTrue(read == whole, f"{len(read)} bytes are others than the {len(whole)} written")
        self.refused("invalid_argument", "/offset", "output_read", {**output, "offset": len(whole) + 1})

    def test_an_output_that_is_no_text_is_read_byte_for_byte_too(self):
        argv = ["python3", "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 40 + '€'.encode() * 9000)"]
        out = self.host.exec("ada", *argv)["stdout"]
        read, encodings, part = b"", [], {"next_offset": 0}
        while "next_offset" in part:
            part = self.host.rpc("output_read", {"container": "ada", "output_id": out["output_id"],
                                                 "offset": part["next_offset"], "bytes_max": 10240})
            content = part["content"].encode()
            read += base64.b64decode(content) if part["encoding"] == "base64" else content
            encodings.append(part["encoding"])
        self.assertTrue(read == bytes(range(256)) * 40 + "€".encode() * 9000)
        self.assertEqual(encodings, ["base64", "utf-8", "utf-8", "utf-8"])

    def test_outputs_go_with_their_container_and_survive_a_crash(self):
        self.host.create("brief")
        out = self.host.exec("brief", "seq", "1", "20000")["stdout"]
        self.host.restart(crash=True)
        wanted = {"container": "brief", "output_id": out["output_id"]}
        self.assertEqual(self.host.rpc("output_read", wanted)["total_bytes"], out["bytes"])
        self.refused("not_found", "/output_id", "output_read", {**wanted, "container": "ada"})
        self.host.delete("brief")
        self.refused("not_found", "/container", "output_read", wanted)

    def test_bytes_that_are_no_text_are_counted_and_marked(self):
        out = self.run_in("printf", "\\377\\376ok")["stdout"]
        self.assertEqual((out["bytes"], out["lossy"], out["text"].endswith("ok")), (4, True, True))
        out = self.run_in("printf", "caf\\303\\251\\000")["stdout"]
        self.assertEqual((out["bytes"], out["lossy"], out["text"]), (6, False, "café\0"))

    def test_many_commands_at_once_keep_their_output_apart(self):
        calls = [run_in_thread(lambda n=n: self.text("sh", "-c", f"sleep 0.2; seq {n} {n + 2000} | md5sum; echo {n}"))
                 for n in range(24)]
        self.assertEqual([call().split()[-1] for call in calls], [str(n) for n in range(24)])

    # Time

    def test_a_timeout_ends_the_whole_tree(self):
        """Children, those that left the session, and those whose parent is gone."""
        script = "sleep 27182 & setsid sleep 27182 & (setsid sh -c 'sleep 27182 & sleep 27182' &) ; trap '' TERM; sleep 27182"
        began = time.monotonic()
        result = self.run_in("sh", "-c", f"echo begun; {script}", timeout_seconds=2)
        self.assertLess(time.monotonic() - began, 8)
        self.assertTrue(result["timed_out"])
        self.assertEqual(result["stdout"]["text"], "begun\n", "what it said before is kept")
        self.assertGreaterEqual(result["duration_ms"], 1900)
        wait_until(lambda: self.running("sleep 27182") == 0, "nothing of it is left", 5)

    def test_a_timeout_is_kept_while_the_container_is_paused_and_the_tree_ends_when_it_goes_on(self):
        many = "for i in $(seq 40); do sleep 1733 & done; wait"
        call = run_in_thread(lambda: self.run_in("sh", "-c", many, timeout_seconds=5))
        wait_until(lambda: self.running("sleep 1733$") == 40, "all of it runs")
        self.host.rpc("container_pause", {"name": "ada"})
        begun = time.monotonic()
        try:
            with self.assertRaises(ToolError) as caught:
                call(60)
            self.assertLess(time.monotonic() - begun, 20)
            self.assertEqual(caught.exception.code, "unavailable")
            self.assertIn("paused", f"{caught.exception.message} {caught.exception.hint}")
        finally:
            self.host.rpc("container_resume", {"name": "ada"})
        wait_until(lambda: self.running("sleep 1733$") == 0, "none of it is left")

    def test_a_service_left_behind_does_not_hold_up_the_answer(self):
        began = time.monotonic()
        result = self.run_in("sh", "-c", "setsid sleep 16180 >/dev/null 2>&1 </dev/null & echo started")
        self.assertEqual((result["exit_code"], result["stdout"]["text"]), (0, "started\n"))
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.running("sleep 16180"), 1, "and goes on running")
        self.run_in("pkill", "-f", "[s]leep 16180")

    def test_two_services_share_their_localhost_and_have_groups_and_logs_of_their_own(self):
        def lines(unit):
            kept = self.host.rpc("container_logs", {"container": "ada", "unit": unit})["lines"]
            return [line.split(": ", 1)[-1] for line in kept]
        booted = ("systemctl", "is-system-running", "--wait")
        wait_until(lambda: self.run_in(*booted)["stdout"]["text"] in ("running\n", "degraded\n"), "it has booted")
        self.text("systemd-run", "--unit=answerer", "--property=MemoryMax=64M", "python3", "-c", ANSWERER)
        wait_until(lambda: "answers from answerer.service" in lines("answerer.service"), "it answers")
        self.text("systemd-run", "--wait", "--unit=asker", "python3", "-c", ASKER)
        wait_until(lambda: "got hello" in lines("asker.service"), "it has asked")
        self.assertIn("asks from asker.service", lines("asker.service"))
        for unit, others in (("answerer.service", ("asks from asker.service", "got hello")),
                             ("asker.service", ("answers from answerer.service",))):
            self.assertFalse(set(others) & set(lines(unit)), unit)

    def test_a_caller_that_goes_away_leaves_nothing_running(self):
        with self.assertRaises(TimeoutError):
            self.host.rpc("container_exec", {"container": "ada", "argv": ["sleep", "14142"], "timeout_seconds": 600},
                          timeout=1.0)
        wait_until(lambda: self.running("sleep 14142") == 0, "it ends with its caller")

    def test_an_interrupted_command_line_leaves_nothing_running(self):
        caller = self.host.machine.start(
            [program("berth"), "container", "exec", "ada", "--timeout-seconds", "600", "--", "sleep", "17320"],
            env=self.host.environment())
        wait_until(lambda: self.running("sleep 17320") == 1, "it runs")
        caller.send_signal(signal.SIGINT)
        caller.wait()
        wait_until(lambda: self.running("sleep 17320") == 0, "it ends with its caller")

    # States

    def test_a_stopped_container_is_busy(self):
        self.host.create("bob")
        self.addCleanup(self.host.delete, "bob")
        self.host.rpc("container_stop", {"name": "bob", "timeout_seconds": 0})
        self.refused("busy", "/container", "container_exec", {"container": "bob", "argv": ["true"]})
        self.host.rpc("container_start", {"name": "bob"})
        self.assertEqual(self.host.output("bob", "echo", "again"), "again\n")

    def test_a_container_that_stops_ends_its_commands(self):
        self.host.create("cyd")
        self.addCleanup(self.host.delete, "cyd")
        waiting = run_in_thread(lambda: self.host.exec("cyd", "sleep", "600", timeout_seconds=600))
        wait_until(lambda: self.host.exec("cyd", "pgrep", "-x", "sleep").get("exit_code") == 0, "it runs")
        self.host.rpc("container_stop", {"name": "cyd", "timeout_seconds": 0})
        try:
            self.assertNotEqual(waiting(30).get("exit_code"), 0)
        except Exception as error:  # an error that says so is as good
            self.assertIn(getattr(error, "code", ""), ("unavailable", "busy"), error)


if __name__ == "__main__":
    main()

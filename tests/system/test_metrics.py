#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What containers use, told in numbers, and whoever was killed for want of memory, told by name within a second."""
import json
import re
import threading
import time
from pathlib import Path

from support.host import HostCase, UnixConnection, main
from support.machine import wait_until

MIB = 1 << 20
EAT = "import sys; x = bytearray(int(sys.argv[1]) << 20); x[:] = b'x' * len(x)"


class Metrics(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.create("ada", memory_bytes=96 * MIB, cpu_percent=100)
        cls.host.create("bob", disk_bytes=256 * MIB)
        for name in ("ada", "bob"):
            cls.addClassCleanup(cls.host.delete, name)

    def scrape(self):
        connection = UnixConnection(self.host.socket, 10)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.headers["content-type"]),
                             (200, "text/plain; version=0.0.4; charset=utf-8"))
            text = answer.read().decode()
        finally:
            connection.close()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in text.splitlines() if not line.startswith("#")}

    def value(self, metric, name, labels=""):
        box = self.host.rpc("container_get", {"name": name, "response_format": "detailed"})
        return self.scrape().get(f'berth_container_{metric}{{name="{name}",id="{box["id"]}"{labels}}}')

    def usage(self, name):
        return self.host.rpc("container_usage", {"name": name})

    def test_numbers_are_the_kernels_and_grow_with_what_is_done(self):
        before = self.usage("ada")["running"]
        self.assertEqual(self.value("running", "ada"), 1)
        self.assertEqual(self.value("memory_limit_bytes", "ada"), 96 * MIB)
        self.host.output("ada", "sh", "-c", "dd if=/dev/urandom of=/root/file bs=1M count=16 conv=fsync 2>/dev/null && rm /root/file")
        self.host.output("ada", "python3", "-c", "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass")
        time.sleep(1.1)
        after = self.usage("ada")["running"]
        self.assertGreater(after["cpu_ms"], before["cpu_ms"] + 900)
        self.assertGreaterEqual(self.value("cpu_seconds_total", "ada") * 1000, after["cpu_ms"])
        if "disk_written_bytes" in after:
            self.assertGreaterEqual(after["disk_written_bytes"], before["disk_written_bytes"] + 16 * MIB)
        self.assertTrue(0 < self.value("memory_bytes", "ada") <= 96 * MIB)
        self.assertGreater(self.value("disk_bytes", "bob"), 0)
        self.assertIsNone(self.value("disk_bytes", "ada"))  # without a disk of its own it would have to be counted

    def test_pressure_is_told_where_the_kernel_has_it(self):
        self.assertIn("pressure", self.usage("ada")["running"])
        before = self.usage("ada")["running"]["pressure"]["cpu_ms"]
        # Four that compute on one CPU wait for each other.
        self.host.output("ada", "sh", "-c", "for i in 1 2 3 4; do (timeout 2 sh -c 'while :; do :; done') & done; wait")
        self.assertGreater(self.usage("ada")["running"]["pressure"]["cpu_ms"], before + 500)
        time.sleep(1.1)
        self.assertGreater(self.value("pressure_seconds_total", "ada", ',resource="cpu"') * 1000, before + 500)

    def test_who_is_killed_for_want_of_memory_is_named_within_a_second(self):
        heard = []

        def listen(ready):
            connection = UnixConnection(self.host.socket, 30)
            connection.request("GET", "/events")
            answer = connection.getresponse()
            for line in answer:
                ready.set()
                event = json.loads(line) if line.strip() else {}
                if event.get("change") == "out_of_memory":
                    heard.append((time.monotonic(), event))
                    return connection.close()

        ready = threading.Event()
        listener = threading.Thread(target=listen, args=(ready,), daemon=True)
        listener.start()
        ready.wait(10)
        kills = self.usage("ada")["running"]["oom_kills"]
        self.host.output("ada", "cp", "/usr/bin/python3", "/root/greedy")
        done = self.host.exec("ada", "/root/greedy", "-c", EAT, "200")
        ended = time.monotonic()
        self.assertEqual(done.get("signal"), "SIGKILL", done)
        listener.join(10)
        self.assertEqual(heard[0][1]["name"], "ada")
        self.assertLess(heard[0][0] - ended, 1)
        used = self.usage("ada")
        self.assertGreater(used["running"]["oom_kills"], kills)
        self.assertEqual(used["last_oom_kill"]["process"], "greedy")
        listed = self.host.rpc("warning_list", {"entity": "container/ada"})["warnings"]
        warning = next(one for one in listed if one["type"] == "out_of_memory")
        self.assertIn("greedy", self.host.rpc("warning_get", {"id": warning["id"]})["message"])
        self.host.rpc("container_update", {"name": "ada", "memory_bytes": 128 * MIB})
        self.assertEqual(self.host.rpc("warning_get", {"id": warning["id"]})["status"], "resolved")

    def test_who_was_killed_while_berthd_was_away_is_told_once_by_the_next(self):
        def told():
            listed = self.host.rpc("warning_list", {"entity": "container/dot", "response_format": "detailed"})
            return [(one["count"], re.search(r"absent-\w+", one["message"])[0]) for one in listed["warnings"]
                    if one["type"] == "out_of_memory"]
        self.host.create("dot", memory_bytes=64 * MIB)
        self.addCleanup(self.host.delete, "dot")
        for count, crash in enumerate((True, False), start=1):
            program = f"absent-{count}"  # of two kills of one name in a second one is told
            self.host.output("dot", "cp", "/usr/bin/python3", f"/root/{program}")
            self.host.output("dot", "sh", "-c", "rm -f /root/gone; (while [ ! -e /root/go ]; do sleep 0.1; done; "
                             "rm /root/go; /root/$1 -c \"$0\" 200; touch /root/gone) >/dev/null 2>&1 &", EAT, program)
            root = Path("/proc", str(self.host.init_pid("dot")), "root/root")
            self.host.kill() if crash else self.host.stop()
            (root / "go").touch()
            wait_until((root / "gone").exists, "it was killed")
            self.host.start()
            wait_until(lambda: told() == [(count, program)], "it is told")
            self.assertEqual(program, self.usage("dot")["last_oom_kill"]["process"])
        self.host.restart(crash=True)
        wait_until(lambda: "last_oom_kill" in self.usage("dot"), "it is known again")
        self.assertEqual([(2, program)], told())

    def test_a_scrape_is_fast_and_does_not_grow_with_those_who_scrape(self):
        self.scrape()
        times = []

        def many():
            for _ in range(25):
                begin = time.monotonic()
                self.scrape()
                times.append(time.monotonic() - begin)

        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times.sort()
        print(f"\nscrapes: n={len(times)} median {times[len(times) // 2] * 1000:.1f} ms, p99 {times[-2] * 1000:.1f} ms")
        self.assertEqual(len(times), 100)
        self.assertLess(times[len(times) // 2], 0.25)

    def test_a_stopped_container_has_limits_and_no_use(self):
        self.host.rpc("container_stop", {"name": "bob", "timeout_seconds": 0})
        time.sleep(1.1)
        self.assertEqual(self.value("running", "bob"), 0)
        self.assertIsNone(self.value("memory_bytes", "bob"))
        self.assertEqual(self.value("disk_limit_bytes", "bob"), 256 * MIB)
        self.host.rpc("container_start", {"name": "bob"})
        wait_until(lambda: self.value("running", "bob") == 1, "it runs")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GPUs in real containers: who holds one, what opens inside, and what a start makes of it."""
import http.client
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from support.gpus import CARDS, MadeUpMachine, speak, stand_ins
from support.host import HostCase, ToolError, main, program
from support.machine import wait_until
from support.scratch import scratch

# Inside: says what opening a path gives.
OPEN = """
import os, sys
try:
    os.close(os.open(sys.argv[1], os.O_RDWR))
    print("open")
except OSError as error:
    print(error.strerror)
"""
# Inside: makes a node of that number itself.
MAKE = 'mknod /root/own c "$1" "$2" 2>/dev/null && echo made; true'
# On the host, under a container's device policy alone: what opening a node of that number gives.
UNDER_POLICY = """
import os, sys
group, node, major, minor = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.mknod(node, 0o20600, os.makedev(major, minor))
with open(group + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
try:
    os.close(os.open(node, os.O_RDWR))
    print("open")
except OSError as error:
    print(error.strerror)
os.unlink(node)
"""
# Inside: opens it and says so; the caller ends it.
HOLD = "exec 3<>/dev/dri/renderD128 && echo held >/tmp/held && exec sleep 1000"

# Inside: has the GPU open nowhere but in a socket, and says so.
IN_FLIGHT = """
import array, os, socket, sys
a, b = socket.socketpair()
held = os.open("/dev/dri/renderD128", os.O_RDWR)
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [held]))])
os.close(held)
open("/tmp/held", "w").close()
import time; time.sleep(600)
"""

# Inside: lets the second node of an attach fail, and opens the first as soon as it is there.
SPOIL = """
import os, time
os.makedirs("/dev/dri/renderD129", exist_ok=True)
open("/tmp/ready", "w").close()
while True:
    try:
        held = os.open("/dev/dri/renderD128", os.O_RDWR)
        break
    except OSError:
        pass
time.sleep(600)
"""


def program_has_faults():
    return subprocess.run([program("berthd"), "faults"], capture_output=True).returncode == 0


class Gpus(HostCase):
    @classmethod
    def setUpClass(cls):
        root = scratch()
        cls.addClassCleanup(shutil.rmtree, root)
        cls.numbers = stand_ins()
        cls.machine = MadeUpMachine(root / "sys", cls.numbers)
        cls.flags = cls.machine.flags()
        super().setUpClass()

    def make(self, name, **more):
        box = self.host.create(name, **more)
        self.addCleanup(self.host.delete, name)
        return box

    def opening(self, name, path):
        return self.host.output(name, "python3", "-c", OPEN, path).strip()

    def opening_in_group(self, container, numbers):
        groups = [path for path in self.host.cgroups() if path.endswith("/" + container) and "monitor" not in path]
        group = next((path for path in groups if "/devices/" in path), groups[0])
        return self.host.machine.run(["python3", "-c", UNDER_POLICY, group, self.host.root / "node",
                                      *map(str, numbers)]).stdout.strip()

    def attach(self, name, *gpus, tool="gpu_attach"):
        return self.host.rpc(tool, {"container": name, "gpus": list(gpus)})["gpus"]

    def held_by(self):
        gpus = self.host.rpc("gpu_list", {"response_format": "detailed"})["gpus"]
        return {gpu["address"]: gpu.get("held_by") for gpu in gpus}

    def test_a_container_opens_the_gpu_that_it_holds_and_no_other(self):
        box = self.make("ada", gpus=["0"])
        self.assertEqual(box["gpus"], CARDS[:1])
        self.assertEqual(self.opening("ada", "/dev/dri/renderD128"), "open")
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "No such file or directory")
        self.assertEqual(self.host.output("ada", "stat", "-c", "%u %g %a", "/dev/dri/renderD128").strip(), "0 0 666")
        # Nor by a node of its own, wherever that comes from.
        for number in self.numbers[:2]:
            self.assertNotIn("made", self.host.output("ada", "sh", "-c", MAKE, "sh", *map(str, number)))
        nodes = self.host.state / "containers" / box["id"] / "nodes"
        self.assertEqual((nodes.stat().st_mode & 0o777, nodes.stat().st_uid), (0o710, 0))

    def test_a_node_that_was_not_granted_is_refused_by_the_device_policy(self):
        box = self.make("ada", gpus=["0"])
        policy = lambda: [self.opening_in_group(box["id"], numbers) for numbers in self.numbers[:2]]
        self.assertEqual(policy(), ["open", "Operation not permitted"])
        self.attach("ada", "1")
        self.assertEqual(policy(), ["open", "open"])
        self.attach("ada", "1", tool="gpu_detach")
        self.assertEqual(policy(), ["open", "Operation not permitted"])

    def test_a_running_container_gets_a_gpu_and_loses_it(self):
        self.make("ada")
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "No such file or directory")
        self.assertEqual(self.attach("ada", "42:00.0"), [CARDS[1]])
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "open")
        self.assertEqual(self.attach("ada", CARDS[1]), [CARDS[1]])  # again changes nothing
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "open")
        self.assertEqual(self.attach("ada", "1", tool="gpu_detach"), [])
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "No such file or directory")
        self.assertIsNone(self.held_by()[CARDS[1]])

    def test_what_is_open_is_not_taken_away(self):
        self.make("ada", gpus=["0"])
        held = self.host.rpc("container_exec", {"container": "ada", "argv": ["sh", "-c", HOLD], "background": True})
        self.host.output("ada", "sh", "-c", "for i in $(seq 100); do [ -e /tmp/held ] && exit; sleep 0.1; done; exit 1")
        self.refused("busy", "/container", "gpu_detach", {"container": "ada", "gpus": ["0"]})
        self.assertEqual(self.held_by()[CARDS[0]], "ada")
        self.assertEqual(self.opening("ada", "/dev/dri/renderD128"), "open")
        self.host.rpc("operation_cancel", {"id": held["operation"]["id"]})
        self.host.output("ada", "sh", "-c", "for i in $(seq 100); do pgrep -x sleep || exit 0; sleep 0.1; done; exit 1")
        self.assertEqual(self.attach("ada", "0", tool="gpu_detach"), [])

    def test_a_descriptor_in_a_socket_is_not_taken_away_either(self):
        self.make("ada", gpus=["0"])
        held = self.host.rpc("container_exec", {"container": "ada", "argv": ["python3", "-c", IN_FLIGHT], "background": True})
        self.host.output("ada", "sh", "-c", "for i in $(seq 100); do [ -e /tmp/held ] && exit; sleep 0.1; done; exit 1")
        error = self.refused("busy", "/container", "gpu_detach", {"container": "ada", "gpus": ["0"]})
        self.assertIn("descriptors that nobody has taken", error.message)
        self.host.rpc("operation_cancel", {"id": held["operation"]["id"]})
        wait_until(lambda: "python3" not in self.host.output("ada", "ps", "-eo", "comm"), "it has ended")
        self.assertEqual(self.attach("ada", "0", tool="gpu_detach"), [])

    def test_a_container_that_runs_gets_the_numbers_that_the_kernel_has_given_anew(self):
        box = self.make("ada", gpus=[CARDS[0]])
        other = self.make("bob", gpus=[CARDS[1]])
        policy = lambda box: [self.opening_in_group(box["id"], numbers) for numbers in self.numbers[:2]]
        self.assertEqual(policy(box), ["open", "Operation not permitted"])
        try:
            self.machine.number(CARDS[0], 0, self.numbers[1])
            self.machine.number(CARDS[1], 1, self.numbers[0])
            speak(self.host, "add", "/devices/pci0000:00/drm/renderD128", "SUBSYSTEM=drm")
            wait_until(lambda: policy(box) == ["Operation not permitted", "open"], "it has the new number alone")
            wait_until(lambda: policy(other) == ["open", "Operation not permitted"], "and so has the other")
            rdev = self.host.output("ada", "stat", "-c", "%t:%T", "/dev/dri/renderD128").strip()
            self.assertEqual(rdev, "{:x}:{:x}".format(*self.numbers[1]))
            self.assertEqual(self.opening("ada", "/dev/dri/renderD128"), "open")
            # One that is not there any more is taken away, and is a warning until it is back.
            self.machine.take_out(CARDS[0])
            speak(self.host, "remove", "/devices/pci0000:00/drm/renderD128", "SUBSYSTEM=drm")
            wait_until(lambda: policy(box) == ["Operation not permitted"] * 2, "it has none")
            told = lambda: {one["status"] for one in self.host.rpc("warning_list", {
                "entity": "container/ada", "type": "gpu_unusable", "acknowledged": True})["warnings"]}
            wait_until(lambda: told() == {"new"}, "it is told")
            self.machine.add(0, CARDS[0])
            self.machine.number(CARDS[1], 1, self.numbers[1])
            self.host.restart(crash=True)  # and a start of berthd looks by itself
            self.assertEqual(policy(box), ["open", "Operation not permitted"])
            self.assertEqual(policy(other), ["Operation not permitted", "open"])
        finally:
            self.machine.take_out(CARDS[0])
            self.machine.add(0, CARDS[0])
            self.machine.number(CARDS[1], 1, self.numbers[1])

    def test_a_link_that_somebody_inside_has_made_is_not_followed(self):
        self.make("ada")
        self.host.output("ada", "sh", "-c", "rm -rf /dev/dri && ln -s /etc /dev/dri")
        with self.assertRaises(ToolError):
            self.attach("ada", "0")
        self.assertNotIn("renderD", self.host.output("ada", "ls", "/etc"))
        self.assertIsNone(self.held_by()[CARDS[0]])
        self.host.output("ada", "rm", "/dev/dri")
        self.assertEqual(self.attach("ada", "0"), CARDS[:1])

    def test_what_an_attach_that_fails_has_given_and_is_open_stays_held(self):
        self.make("ada")
        self.host.rpc("container_exec", {"container": "ada", "argv": ["python3", "-c", SPOIL], "background": True})
        self.host.output("ada", "sh", "-c", "for i in $(seq 100); do [ -e /tmp/ready ] && exit; sleep 0.1; done; exit 1")
        with self.assertRaises(ToolError):
            self.attach("ada", "0", "1")
        held = self.held_by()
        self.assertIsNone(held[CARDS[1]])
        if self.opening("ada", "/dev/dri/renderD128") == "open":
            self.assertEqual(held[CARDS[0]], "ada")
            self.refused("busy", "/gpus/0", "container_create", {"name": "bob", "gpus": ["0"]})
        else:
            self.assertIsNone(held[CARDS[0]])

    def test_the_kernel_may_number_cards_anew_between_two_starts(self):
        self.make("ada", gpus=[CARDS[0]])
        rdev = self.host.output("ada", "stat", "-c", "%t:%T", "/dev/dri/renderD128").strip()
        self.assertEqual(rdev, "{:x}:{:x}".format(*self.numbers[0]))
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        try:
            self.machine.number(CARDS[0], 1, self.numbers[1])
            self.machine.number(CARDS[1], 0, self.numbers[0])
            self.host.rpc("container_start", {"name": "ada"})
            self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "open")
            rdev = self.host.output("ada", "stat", "-c", "%t:%T", "/dev/dri/renderD129").strip()
            self.assertEqual(rdev, "{:x}:{:x}".format(*self.numbers[1]))
            self.assertEqual(self.opening("ada", "/dev/dri/renderD128"), "No such file or directory")
        finally:
            self.machine.number(CARDS[0], 0, self.numbers[0])
            self.machine.number(CARDS[1], 1, self.numbers[1])

    def test_a_card_that_is_gone_refuses_the_start_and_is_a_warning(self):
        self.make("ada", gpus=[CARDS[3]])
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        self.machine.take_out(CARDS[3])
        try:
            error = self.refused("unavailable", "", "container_start", {"name": "ada"})
            self.assertIn("not in this machine any more", error.message)
            self.assertIn(CARDS[0], error.message)
            warned = self.host.rpc("warning_list", {"entity": "container/ada"})["warnings"]
            self.assertEqual([warning["type"] for warning in warned], ["gpu_unusable"])
        finally:
            self.machine.add(3, CARDS[3])
        self.host.rpc("container_start", {"name": "ada"})

    def test_of_50_creates_at_once_over_4_gpus_exactly_4_win(self):
        def create(number):
            try:
                return self.host.create(f"c{number}", gpus=["vendor=intel"], start=False)["name"]
            except ToolError as error:
                self.assertEqual(error.code, "busy")
                return None
        with ThreadPoolExecutor(50) as pool:
            won = [name for name in pool.map(create, range(50)) if name]
        self.assertEqual(len(won), 4)
        self.assertEqual(sorted(self.held_by().values()), sorted(won))
        error = self.refused("busy", "/gpus/0", "container_create", {"name": "late", "gpus": ["2"]})
        self.assertIn(f"container '{self.held_by()[CARDS[2]]}' since", error.message)
        for name in won:
            self.host.delete(name)
        self.assertEqual(set(self.held_by().values()), {None})

    def test_a_kill_in_the_middle_of_a_change_leaves_what_is_held_open_and_nothing_else(self):
        if not program_has_faults():
            self.skipTest("this build has no points of failure (BERTH_FAULTS)")
        box = self.make("ada")
        call = {"container": "ada", "gpus": ["0"]}
        for tool, points in (("gpu_attach", ("gpu.leased", "engine.device_add", "engine.device_made")),
                             ("gpu_detach", ("engine.device_remove", "engine.device_denied"))):
            for point in points:
                with self.subTest(point=point):
                    if self.held_by()[CARDS[0]] != (None if tool == "gpu_attach" else "ada"):
                        self.host.rpc("gpu_detach" if tool == "gpu_attach" else "gpu_attach", call)
                    self.host.fault.write_text(f"{point} kill")
                    with self.assertRaises((OSError, http.client.HTTPException, ValueError)):
                        self.host.rpc(tool, call)
                    self.host.daemon.wait(10)
                    self.host.start()
                    held = self.held_by()[CARDS[0]] == "ada"
                    self.assertEqual(self.opening("ada", "/dev/dri/renderD128"), "open" if held else "No such file or directory")
                    self.assertEqual(self.opening_in_group(box["id"], self.numbers[0]),
                                     "open" if held else "Operation not permitted")

    def test_leases_outlive_a_killed_berthd_and_end_with_their_container(self):
        self.host.create("ada", gpus=["0", "1"])
        self.host.restart(crash=True)
        self.assertEqual(self.held_by()[CARDS[1]], "ada")
        self.assertEqual(self.opening("ada", "/dev/dri/renderD129"), "open")
        self.assertEqual(self.attach("ada", "1", tool="gpu_detach"), CARDS[:1])
        self.host.delete("ada")
        self.assertEqual(set(self.held_by().values()), {None})


if __name__ == "__main__":
    if len(stand_ins()) < 2:
        print("skipped: this kernel has too few devices that could stand in for GPUs")
        sys.exit(77)
    main()

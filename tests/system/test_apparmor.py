#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where the kernel has AppArmor, containers are confined by berth's profile, and it holds for root of the host too."""
import json
import unittest
from pathlib import Path

from support.host import HostCase, main

# Tries things under the profile as root of the host, which nothing else stops, and as that root without it.
TRIES = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def mount(kind, at, source="/etc/passwd"):
    if libc.mount(source.encode(), at.encode(), kind.encode(), 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.umount2(at.encode(), 2)
def written(path):
    os.close(os.open(path, os.O_WRONLY))
tries = {
    "mount memory": lambda: mount("tmpfs", sys.argv[1]),
    "mount a disk": lambda: mount("ext4", sys.argv[1]),
    "mount the kernel's traces": lambda: mount("tracefs", sys.argv[1]),
    "set what is run on a crash": lambda: written("/proc/sys/kernel/core_pattern"),
    "set how memory is given": lambda: written("/proc/sys/vm/overcommit_memory"),
    "press a key of the kernel": lambda: written("/proc/sysrq-trigger"),
    "set how the kernel sleeps": lambda: written("/sys/power/state"),
    "name the host": lambda: written("/proc/sys/kernel/hostname"),
    "end a process of the host": lambda: os.kill(int(sys.argv[2]), 0),
    "read the memory of one": lambda: os.close(os.open(f"/proc/{sys.argv[2]}/mem", os.O_RDONLY)),
}
found = {}
for name, attempt in tries.items():
    try:
        attempt()
        found[name] = "allowed"
    except OSError as error:
        found[name] = os.strerror(error.errno)
print(json.dumps(found))
"""
UNDER_THE_PROFILE = """
import os, sys
with open("/proc/thread-self/attr/exec", "w") as label: label.write("exec berth-container")
os.execv(sys.argv[1], sys.argv[1:])
"""
ALLOWED = {"mount memory", "name the host"}


@unittest.skipUnless(Path("/sys/kernel/security/apparmor").exists(), "this kernel runs without AppArmor")
class AppArmor(HostCase):
    def test_everything_inside_is_confined(self):
        self.host.create("ada")
        self.addCleanup(self.host.delete, "ada")
        self.assertTrue(self.host.feature("apparmor")["available"])
        for where in ("/proc/1/attr/current", "/proc/self/attr/current"):
            self.assertEqual(self.host.output("ada", "cat", where), "berth-container (enforce)\n")
        attempt = self.host.exec("ada", "sh", "-c", "echo unconfined >/proc/self/attr/current")
        self.assertNotEqual(attempt["exit_code"], 0)

    def test_root_of_the_host_would_be_held_by_it(self):
        at = self.host.root / "here"
        at.mkdir()
        victim = self.host.machine.start(["sleep", "infinity"])
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        argv = ["/usr/bin/python3", "-c", TRIES, str(at), str(victim.pid)]
        free = json.loads(self.host.machine.run(argv).stdout)
        held = json.loads(self.host.machine.run(["/usr/bin/python3", "-c", UNDER_THE_PROFILE, *argv]).stdout)
        for name, without in free.items():
            with self.subTest(name):
                if name in ALLOWED:
                    self.assertEqual(held[name], "allowed")
                else:
                    self.assertNotIn(without, ("Permission denied", "Operation not permitted"))
                    self.assertIn(held[name], ("Permission denied", "Operation not permitted"))


if __name__ == "__main__":
    main()

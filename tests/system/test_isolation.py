#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container cannot do to the host, to its neighbours, or beyond its limits."""
import base64
import gzip
import os
import subprocess
from pathlib import Path

from support.host import UID_RANGE, HostCase, ToolError, main
from support.machine import HOST_ADDRESS, wait_until

MIB = 1 << 20
KEYCTL, BPF, PERF_EVENT_OPEN, USERFAULTFD = 250, 321, 298, 323  # x86-64 system calls

# Shows a file of the host inside a container: FILE PID PATH-INSIDE.
BIND = """
import ctypes, os, sys
SYS_open_tree, SYS_move_mount, AT_FDCWD = 428, 429, -100
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, CLONE_NEWNS = 1, 4, 0x20000
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
tree = check(libc.syscall(SYS_open_tree, AT_FDCWD, sys.argv[1].encode(), OPEN_TREE_CLONE))
check(libc.setns(os.open(f"/proc/{sys.argv[2]}/ns/mnt", os.O_RDONLY), CLONE_NEWNS))
check(libc.syscall(SYS_move_mount, tree, b"", AT_FDCWD, sys.argv[3].encode(), MOVE_MOUNT_F_EMPTY_PATH))
"""

# Sends a UDP datagram in a frame of its own making, straight to the bridge's MAC address:
# ADDRESS-OF-THE-BRIDGE DESTINATION PORT.
RAW_FRAME = """
import socket, struct, sys, time
gateway, destination, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
probe = socket.socket(type=socket.SOCK_DGRAM)
probe.connect((gateway, 9))
own = socket.inet_aton(probe.getsockname()[0])
try:
    probe.send(b"learn its MAC address")
except OSError:
    pass
mac, end = "", time.monotonic() + 5
while mac in ("", "00:00:00:00:00:00") and time.monotonic() < end:
    mac = next((l.split()[3] for l in open("/proc/net/arp") if l.split()[0] == gateway), "")
link = "eth0"
own_mac = open(f"/sys/class/net/{link}/address").read().strip()
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
payload = b"through the back door!"
udp = struct.pack("!4H", 5353, port, 8 + len(payload), 0) + payload
def ip(sum_): return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, sum_, own, socket.inet_aton(destination))
frame = bytes.fromhex((mac + own_mac).replace(":", "")) + b"\\x08\\x00" + ip(checksum(ip(0))) + udp
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((link, 0))
for _ in range(5):
    raw.send(frame)
print("sent")
"""

# On the host: counts datagrams that reach 127.0.0.1:PORT, and frames for it seen on LINK, for 4 s.
WATCH = """
import select, socket, sys, time
link, port = sys.argv[1], int(sys.argv[2])
inside = socket.socket(type=socket.SOCK_DGRAM)
inside.bind(("127.0.0.1", port))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((link, 0))
print("watching", flush=True)
delivered = seen = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    for ready in select.select([inside, wire], [], [], 0.1)[0]:
        data = ready.recv(65536)
        if ready is inside: delivered += 1
        elif b"through the back door!" in data: seen += 1
print(delivered, seen)
"""

# Says on the wire, in every way there is, that another's address is here: ADDRESS MAC.
CLAIM = """
import socket, struct, sys
address, others_mac = socket.inet_aton(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", ""))
own_mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
everybody = b"\\xff" * 6
for _ in range(5):
    for sender in (own_mac, others_mac):  # "it has my MAC address", and "its MAC address is at my port"
        for kind in (1, 2):
            arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, kind) + sender + address + everybody + address
            raw.send(everybody + sender + struct.pack("!H", 0x0806) + arp)
print("claimed")
"""


class Isolation(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ada = cls.host.create("ada", memory_bytes=128 * MIB, cpu_percent=50, processes=64)
        cls.bob = cls.host.create("bob")
        probe = cls.host.root / "probe"
        subprocess.run(["cc", "-static", "-O1", "-s", "-o", probe, Path(__file__).parent / "support/probe.c"], check=True)
        cls.packed = base64.b64encode(gzip.compress(probe.read_bytes())).decode()
        for name in ("ada", "bob"):
            cls.host.output(name, "sh", "-c", "base64 -d | gunzip >/root/probe && chmod +x /root/probe", stdin=cls.packed)

    def gateway(self):
        route = self.host.output("bob", "ip", "route", "show", "default")
        return route.split()[2]

    def probe(self, name, *arguments, **more):
        return self.host.output(name, "/root/probe", *map(str, arguments), **more).strip()

    # Identity

    def test_those_who_keep_containers_come_before_them(self):
        weights = [Path(path, name) for path in self.host.cgroups() for name in ("cpu.shares", "cpu.weight")
                   if Path(path).name == self.host.cgroup and Path(path, name).exists()]
        self.assertIn([weight.read_text().strip() for weight in weights], [["256"], ["25"]])

    def test_root_inside_is_nobody_outside(self):
        for box in (self.ada, self.bob):
            pid = self.host.init_pid(box["name"])
            self.assertEqual(Path(f"/proc/{pid}/uid_map").read_text().split(), ["0", str(box["uid_base"]), str(UID_RANGE)])
            self.assertEqual(Path(f"/proc/{pid}/gid_map").read_text().split(), ["0", str(box["uid_base"]), str(UID_RANGE)])
            self.assertGreaterEqual(box["uid_base"], UID_RANGE)

    def test_two_containers_share_no_uid(self):
        self.assertGreaterEqual(abs(self.ada["uid_base"] - self.bob["uid_base"]), UID_RANGE)

    # The kernel

    def test_init_and_its_services_are_held_like_any_command(self):
        """liblxc leaves its profile out when whoever starts a container is confined already."""
        service = ("systemd-run", "--wait", "--pipe", "--quiet", "/root/probe")
        self.assertIn(self.host.output("ada", *service, "io_uring").strip(), ("ENOSYS", "EPERM"))
        self.assertIn(self.host.output("ada", *service, "syscall", str(KEYCTL)).strip(), ("ENOSYS", "EPERM"))
        status = Path(f"/proc/{self.host.init_pid('ada')}/status").read_text()
        self.assertIn("\nSeccomp_filters:\t2\n", status)

    def test_dangerous_system_calls_are_refused(self):
        self.assertIn(self.probe("ada", "io_uring"), ("ENOSYS", "EPERM"))
        for number in (KEYCTL, BPF, PERF_EVENT_OPEN, USERFAULTFD):
            with self.subTest(number):
                self.assertIn(self.probe("ada", "syscall", number), ("ENOSYS", "EPERM"))

    def test_a_device_not_granted_is_refused(self):
        """Its node is put in place by the host, so that only the device rule can refuse it."""
        for name, major, minor in (("granted", 1, 3), ("secret", 10, 200)):  # null and tun
            node = self.host.root / name
            os.mknod(node, 0o020666, os.makedev(major, minor))
            os.chmod(node, 0o666)
            node.open("rb").close()
            self.host.output("ada", "touch", f"/root/{name}")
            subprocess.run(["python3", "-c", BIND, str(node), str(self.host.init_pid("ada")), f"/root/{name}"], check=True)
        self.assertEqual(self.probe("ada", "open", "/root/granted"), "allowed")
        self.assertEqual(self.probe("ada", "open", "/root/secret"), "EPERM")

    def test_a_container_makes_no_device_nodes(self):
        self.assertEqual(self.probe("ada", "mknod", "/root/mine"), "EPERM")

    # Limits, really exceeded

    def test_memory_beyond_the_limit_ends_the_process_and_not_the_container(self):
        self.assertEqual(self.probe("ada", "eat", 32), "allowed")
        result = self.host.exec("ada", "/root/probe", "eat", "256")
        self.assertEqual(result.get("signal"), "SIGKILL", result)
        self.assertFalse(result["timed_out"])
        self.assertEqual(self.host.output("ada", "echo", "alive"), "alive\n")

    def test_cpu_time_stays_within_its_share(self):
        got = int(self.probe("ada", "spin", 4))
        self.assertLess(got, 4000 * 0.5 * 1.3)
        self.assertGreater(got, 50)

    def test_processes_beyond_the_limit_are_refused(self):
        count, error = self.probe("ada", "fork", 500).split()
        self.assertLess(int(count), 64)
        self.assertEqual(error, "EAGAIN")

        def is_alive():
            try:
                return self.host.output("ada", "echo", "alive") == "alive\n"
            except ToolError as refused:  # until init has reaped them
                self.assertEqual(refused.code, "unavailable")
                return False
        wait_until(is_alive, "there is room again", 10)

    # Neighbours

    def test_services_on_the_hosts_loopback_are_out_of_reach(self):
        service = self.host.machine.serve("host", "127.0.0.1", 7777)
        try:
            self.assertEqual(self.host.dial("tcp", "127.0.0.1", 7777), "host 127.0.0.1")
            for address in (self.gateway(), HOST_ADDRESS, "127.0.0.1"):
                with self.subTest(address):
                    self.assertEqual(self.host.dial_from("bob", "tcp", address, 7777), "")
        finally:
            service.kill()
            service.communicate()

    def test_a_forged_frame_does_not_reach_the_hosts_loopback(self):
        """Forwards on 127.0.0.1 need route_localnet, which must not open the loopback to containers."""
        gateway = self.gateway()
        watch = self.host.machine.start(["python3", "-c", WATCH, "berth0", 5300], stdout=subprocess.PIPE, text=True)
        self.assertEqual(watch.stdout.readline(), "watching\n")
        self.host.output("bob", "python3", "-c", RAW_FRAME, gateway, "127.0.0.1", "5300")
        delivered, seen = map(int, watch.communicate(timeout=30)[0].split())
        self.assertGreater(seen, 0, "the frames must at least have reached the bridge")
        self.assertEqual(delivered, 0)

    def test_a_container_that_claims_anothers_address_gets_nothing_of_its(self):
        ada, bob = self.ada["ipv4"], self.bob["ipv4"]
        mac = self.host.output("bob", "cat", "/sys/class/net/eth0/address").strip()
        for name in ("ada", "bob"):
            self.host.serve(name, 8300)
        port = self.host.rpc("port_add", {"container": "bob", "container_port": 8300})["host_port"]
        try:
            self.host.output("ada", "ip", "address", "add", f"{bob}/32", "dev", "eth0")
            for _ in range(3):
                self.assertEqual(self.host.output("ada", "python3", "-c", CLAIM, bob, mac), "claimed\n")
                self.assertRegex(self.host.dial("tcp", "127.0.0.1", port), "^bob ")
                self.assertRegex(self.host.dial("tcp", bob, 8300), "^bob ")
                self.assertRegex(self.host.dial("tcp", ada, 8300), "^ada ")
        finally:
            self.host.output("ada", "ip", "address", "del", f"{bob}/32", "dev", "eth0")
            self.host.rpc("port_remove", {"host_port": port})

    def test_a_container_sees_nothing_of_another(self):
        # Looked at first and searched afterwards: the words looked for are in the searcher's own arguments.
        look = """{ cat /proc/*/cmdline /proc/*/environ /proc/*/cgroup /proc/*/mountinfo /etc/hosts 2>/dev/null |
                    tr '\\0' '\\n'; find /sys/fs/cgroup -maxdepth 3; hostname; ip -br link; } >/root/seen
                  read words; ! grep -wE "$words" /root/seen"""
        for own, other in ((self.ada, self.bob), (self.bob, self.ada)):
            marker = f"sleep {own['uid_base']}"
            self.host.output(own["name"], "sh", "-c", f"setsid {marker} >/dev/null 2>&1 </dev/null &")
            words = f"{other['name']}|{other['id']}|{other['uid_base']}\n"
            self.assertEqual(self.host.output(own["name"], "sh", "-c", look, stdin=words), "")
            self.assertIn(str(own["uid_base"]), self.host.output(own["name"], "cat", "/root/seen"))

    def test_a_container_cannot_reach_into_the_hosts_settings(self):
        for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper"):
            with self.subTest(path):
                done = self.host.exec("bob", "sh", "-c", f"echo x >{path}")
                self.assertNotEqual(done.get("exit_code"), 0, done)

    def test_ranges_stay_apart_while_containers_come_and_go(self):
        self.host.create("cyd")
        self.host.delete("cyd")
        dora, eve = self.host.create("dora"), self.host.create("eve")
        self.addCleanup(self.host.delete, "dora")
        self.addCleanup(self.host.delete, "eve")
        bases = sorted(box["uid_base"] for box in (self.ada, self.bob, dora, eve))
        for low, high in zip(bases, bases[1:]):
            self.assertGreaterEqual(high - low, UID_RANGE)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Cards that are made up, in a /sys of their own that berthd's real parsers read. Their render nodes are character devices
that this kernel has, so that what opens and what does not is the kernel's word."""
import shutil
from pathlib import Path

# Devices that anybody may open who is let: what stands in for render nodes.
STAND_INS = ("fuse", "btrfs-control", "vsock", "autofs", "userfaultfd")
CARDS = [f"0000:{bus}:00.0" for bus in ("41", "42", "43", "44")]

# Says something to the kernel's listeners of device events in this network, as the kernel would.
SPEAK = """
import socket, struct, sys
fields = [f"{sys.argv[1]}@{sys.argv[2]}", *sys.argv[3:]]
text = b"".join(field.encode() + b"\\0" for field in fields)
speaker = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
speaker.sendto(struct.pack("=IHHII", 16 + len(text), 16, 1, 0, 0) + text, (0, 0))
"""


def speak(host, action, path, *fields):
    host.machine.run(["/usr/bin/python3", "-c", SPEAK, action, path, f"ACTION={action}", *fields])


def stand_ins():
    """Their numbers: major, minor."""
    found = []
    for line in Path("/proc/misc").read_text().splitlines():
        number, name = line.split()
        if name in STAND_INS:
            found.append((10, int(number)))
    return found


class MadeUpMachine:
    """Four Intel GPUs without a display, whose render nodes are renderD128 and on."""

    def __init__(self, root, numbers):
        self.root, self.numbers = root, numbers
        for directory in ("proc", "dev", "cdi", "cdi-run", "bus/pci/drivers/xe"):
            (root / directory).mkdir(parents=True)
        for index, address in enumerate(CARDS):
            self.add(index, address)

    def add(self, index, address):
        at = self.root / "bus/pci/devices" / address
        at.mkdir(parents=True)
        config = bytearray(256)
        config[0:4] = bytes((0x86, 0x80, 0xd5, 0x0b))
        config[9:12] = bytes((0, 0x80, 0x03))
        (at / "config").write_bytes(config)
        for name, text in (("vendor", "0x8086"), ("device", "0x0bd5"), ("class", "0x038000"), ("irq", "0"), ("numa_node", "-1")):
            (at / name).write_text(text + "\n")
        (at / "resource").write_text("0x0000000000000000 0x0000000000000000 0x0000000000000000\n" * 7)
        (at / "driver").symlink_to(self.root / "bus/pci/drivers/xe")
        self.number(address, index, self.numbers[index % len(self.numbers)])

    def number(self, address, index, numbers):
        """What the kernel calls the card's render node now."""
        drm = self.root / "bus/pci/devices" / address / "drm"
        shutil.rmtree(drm, ignore_errors=True)
        (drm / f"renderD{128 + index}").mkdir(parents=True)
        (drm / f"renderD{128 + index}" / "dev").write_text("{}:{}\n".format(*numbers))

    def take_out(self, address):
        shutil.rmtree(self.root / "bus/pci/devices" / address, ignore_errors=True)

    def flags(self):
        return ("--sysfs-root", self.root, "--proc-root", self.root / "proc", "--dev-root", self.root / "dev",
                "--cdi-dir", self.root / "cdi", "--cdi-run-dir", self.root / "cdi-run")

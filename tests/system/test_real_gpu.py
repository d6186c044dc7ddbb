#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The GPUs of this machine, where it has any: each, given to a container, works inside with a tool of its vendor's
or, where there is none, opens there, and the others do not."""
import sys
from pathlib import Path

from support.host import HostCase, main

DISPLAY_OR_ACCELERATOR = ("0x03", "0x12")  # PCI base classes

# Inside: a DRM driver that answers to its own name is one that works (DRM_IOCTL_VERSION, from drm.h).
ASK_DRIVER = """
import array, fcntl, os, struct, sys
name = array.array("B", bytes(32))
ask = bytearray(struct.pack("=iii4xQQQQQQ", 0, 0, 0, len(name), name.buffer_info()[0], 0, 0, 0, 0))
fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), 0xC0406400, ask)
print(bytes(name).rstrip(bytes(1)).decode())
"""


class RealGpu(HostCase):
    def usable(self):
        return [gpu for gpu in self.host.rpc("gpu_list", {})["gpus"]
                if gpu["kind"] not in ("management", "emulated") and gpu["health"] == "ok"]

    def test_a_tool_inside_finds_the_gpu_and_no_other(self):
        gpus = self.usable()
        if not gpus:
            self.skipTest("NOT RUN: no GPU of this machine can be used")
        for gpu in gpus:
            with self.subTest(gpu["address"]):
                self.host.create("ada", gpus=[gpu["address"]])
                try:
                    self.works_inside(gpu)
                    for other in gpus:
                        for node in set(other["drm_nodes"]) - set(gpu["drm_nodes"]):
                            self.assertNotEqual(self.host.exec("ada", "test", "-e", node)["exit_code"], 0, node)
                finally:
                    self.host.delete("ada")

    def works_inside(self, gpu):
        if "uuid" in gpu:
            self.assertEqual(self.host.output("ada", "nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader").split(),
                             [gpu["uuid"]])
            return
        render = next(node for node in gpu["drm_nodes"] if "renderD" in node)
        self.assertEqual(self.host.output("ada", "python3", "-c", ASK_DRIVER, render).strip(), gpu["driver"])


if __name__ == "__main__":
    classes = [path.read_text() for path in Path("/sys/bus/pci/devices").glob("*/class")]
    if not any(of.startswith(DISPLAY_OR_ACCELERATOR) for of in classes):
        print("skipped: NOT RUN, this machine has no GPU")
        sys.exit(77)
    main()

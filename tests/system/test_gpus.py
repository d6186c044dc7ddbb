#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A made-up machine's GPUs through a real berthd: listed, chosen, checked, described, and missed when they go."""
import json
import shutil
from pathlib import Path

from support.gpus import speak
from support.host import Host, HostCase, ToolError, UnixConnection, main, program
from support.machine import wait_until
from support.scratch import scratch

class Tree:
    """/sys, /proc and the rest of a server with two NVIDIA GPUs, one of them undriven, and its board's screen."""

    def __init__(self, root):
        self.root = Path(root)
        self.devices = self.root / "sys/bus/pci/devices"
        self.add("0000:03:00.0", "0x1a03", "0x2000", "0x030000", "ast")
        self.add("0000:0b:00.0", "0x10de", "0x2684", "0x030000", "nvidia")
        self.add("0000:41:00.0", "0x10de", "0x2684", "0x030000", None)
        self.write("proc/driver/nvidia/gpus/0000:0b:00.0/information",
                   "Model: \t\t NVIDIA GeForce RTX 4090\nGPU UUID: \t GPU-00000001-1111-2222-3333-000000000001\n"
                   "Device Minor: \t 0\n")
        self.write("proc/devices", "Character devices:\n195 nvidia\n195 nvidiactl\n509 nvidia-uvm\n\nBlock devices:\n")
        for name in ("dev", "etc-cdi", "run-cdi", "lib"):
            (self.root / name).mkdir()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, address, vendor, device, pci_class, driver):
        at = self.devices / address
        for name, text in (("vendor", vendor), ("device", device), ("class", pci_class), ("irq", "0"),
                           ("numa_node", "0"), ("resource", "0x0 0x0 0x0\n" * 7)):
            self.write(at / name, text + "\n")
        (at / "config").write_bytes(bytes(256))
        if driver:
            self.bind(address, driver)

    def bind(self, address, driver):
        (self.root / "sys/bus/pci/drivers" / driver).mkdir(parents=True, exist_ok=True)
        (self.devices / address / "driver").symlink_to(self.root / "sys/bus/pci/drivers" / driver)

    def flags(self):
        return ["--sysfs-root", self.root / "sys", "--proc-root", self.root / "proc", "--dev-root", self.root / "dev",
                "--cdi-dir", self.root / "etc-cdi", "--cdi-run-dir", self.root / "run-cdi",
                "--libraries-root", self.root / "lib", "--nvidia-smi", self.root / "nvidia-smi"]


class Gpus(HostCase):
    @classmethod
    def setUpClass(cls):
        directory = scratch()
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.tree = Tree(directory)
        cls.host = Host(*map(str, cls.tree.flags()))
        cls.addClassCleanup(cls.host.close)

    def speak(self, action, address):
        speak(self.host, action, f"/devices/pci0000:00/{address}", "SUBSYSTEM=pci", "PCI_CLASS=30000")

    def warnings(self, kind):
        found = self.host.rpc("warning_list", {"type": kind, "acknowledged": True, "response_format": "detailed"})
        return {(one["entity"], one["status"]) for one in found["warnings"]}

    def test_the_command_line_lists_them_by_address_and_filters_by_vendor(self):
        lines = self.host.cli("gpu", "list").stdout.splitlines()
        self.assertEqual("ADDRESS", lines[0].split()[0])
        self.assertEqual(["0000:03:00.0", "0000:0b:00.0", "0000:41:00.0"], [line.split()[0] for line in lines[1:4]])
        self.assertIn("management", lines[1])
        nvidia = self.host.rpc("gpu_list", {"vendor": "nvidia"})["gpus"]
        self.assertEqual([("0000:0b:00.0", 0, "ok"), ("0000:41:00.0", 1, "no_driver")],
                         [(gpu["address"], gpu["index"], gpu["health"]) for gpu in nvidia])

    def test_each_is_checked_and_what_names_none_is_refused(self):
        found = self.host.rpc("gpu_validate", {})
        self.assertEqual(["0000:0b:00.0"], found["usable"])
        blocking = [(one["address"], one["reason"]) for one in found["findings"] if one["blocks"]]
        self.assertEqual([("0000:41:00.0", "no_driver")], blocking)
        self.assertTrue(all(one["message"] and one["next"] for one in found["findings"]))
        self.assertEqual(["0000:0b:00.0"], self.host.rpc("gpu_validate", {"gpus": ["model=~4090"]})["usable"])
        for selector, code in (("0b:00.1", "not_found"), ("2", "not_found"), ("03:00.0", "invalid_argument"),
                               ("foo:bar", "invalid_argument"), ("-1", "invalid_argument")):
            with self.assertRaises(ToolError) as refused:
                self.host.rpc("gpu_validate", {"gpus": ["0", selector]})
            self.assertEqual((code, "/gpus/1"), (refused.exception.code, refused.exception.field), selector)

    def test_a_spec_of_them_is_written_whole(self):
        output = self.tree.root / "run-cdi/berth.json"
        self.host.machine.run([program("berthd"), *self.host.config, *map(str, self.tree.flags()), "cdi", "--output",
                               str(output)])
        spec = json.loads(output.read_text())
        self.assertEqual("berth.internal/gpu", spec["kind"])
        self.assertEqual(["0000:0b:00.0", "all"], [device["name"] for device in spec["devices"]])
        self.assertEqual([], [one for one in self.host.rpc("gpu_validate", {})["findings"]
                              if one["reason"] == "cdi_unusable"])
        (self.tree.root / "etc-cdi/broken.json").write_text("{")
        self.addCleanup((self.tree.root / "etc-cdi/broken.json").unlink)
        self.assertEqual(["cdi_unusable"], [one["reason"] for one in self.host.rpc("gpu_validate", {})["findings"]
                                            if "broken.json" in one["message"]])

    def test_one_that_goes_is_a_warning_until_it_is_back(self):
        connection = UnixConnection(self.host.socket, 60)
        self.addCleanup(connection.close)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        self.assertEqual(b"\n", stream.readline())
        told = (json.loads(line) for line in iter(stream.readline, b"") if line.strip())

        def hear(change):
            return next(event for event in told if event["kind"] == "gpu" and event["change"] == change)["address"]

        shutil.rmtree(self.tree.devices / "0000:41:00.0")
        self.speak("remove", "0000:41:00.0")
        self.assertEqual("0000:41:00.0", hear("removed"))
        self.assertEqual({("gpu/0000:41:00.0", "new")}, self.warnings("gpu_gone"))
        self.host.restart(crash=True)  # it is remembered
        self.assertEqual({("gpu/0000:41:00.0", "new")}, self.warnings("gpu_gone"))
        self.tree.add("0000:41:00.0", "0x10de", "0x2684", "0x030000", None)
        self.speak("add", "0000:41:00.0")
        wait_until(lambda: self.warnings("gpu_gone") == {("gpu/0000:41:00.0", "resolved")}, "it is back")

        (self.tree.devices / "0000:0b:00.0/driver").unlink()
        self.speak("unbind", "0000:0b:00.0")
        wait_until(lambda: self.warnings("gpu_driver_lost") == {("gpu/0000:0b:00.0", "new")}, "its driver is gone")
        self.tree.bind("0000:0b:00.0", "nvidia")
        self.speak("bind", "0000:0b:00.0")
        wait_until(lambda: self.warnings("gpu_driver_lost") == {("gpu/0000:0b:00.0", "resolved")}, "it is back")


if __name__ == "__main__":
    main()

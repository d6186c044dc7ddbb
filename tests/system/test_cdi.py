#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices as vendors describe them, in real containers: what NVIDIA's own tool writes works, and nothing gets out by it."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.gpus import CARDS, MadeUpMachine, speak, stand_ins
from support.host import HostCase, ToolError, main
from support.machine import wait_until
from support.scratch import scratch

# As nvidia-ctk 1.17 writes it, with a library and a socket of our own.
SPEC = """\
---
cdiVersion: 0.5.0
kind: acme.com/gpu
containerEdits:
  env:
  - ACME_VISIBLE=void
  - ACME_WORDS=two "quoted" words
  deviceNodes:
  - path: /dev/acme-control
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, create-symlinks, --link, "libacme.so.1::/opt/acme/lib/libacme.so"]
    env: [NVIDIA_CTK_DEBUG=false]
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, enable-cuda-compat, --host-driver-version=550.54.15]
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, update-ldcache, --folder, /opt/acme/lib]
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, disable-device-node-modification]
  mounts:
  - hostPath: {root}/files/libacme.so.1.2.3
    containerPath: /opt/acme/lib/libacme.so.1.2.3
    options: [ro, nosuid, nodev, rbind, rprivate]
  - hostPath: {root}/files/acme-smi
    containerPath: /usr/bin/acme-smi
    options: [ro, nosuid, nodev, rbind, rprivate]
  - hostPath: {root}/files/firmware
    containerPath: /lib/firmware/acme
    options: [ro, nosuid, nodev, rbind, rprivate]
  - hostPath: {root}/files/socket
    containerPath: /run/acme/socket
    options: [ro, nosuid, nodev, rbind, rprivate, noexec]
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/acme0
      type: c
      major: {major}
      minor: {minor}
    hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, chmod, --mode, "755", --path, /dev/dri]
"""
# A library, and a program that the dynamic linker has to find it for by its short name alone.
LIBRARY = "int answer(void) { return 42; }"
PROGRAM = '#include <stdio.h>\nint answer(void);\nint main(void) { return printf("%d\\n", answer()) < 0; }'


class Cdi(HostCase):
    @classmethod
    def setUpClass(cls):
        cls.root = scratch()
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.numbers = stand_ins()
        cls.machine = MadeUpMachine(cls.root / "sys", cls.numbers)
        cls.flags = cls.machine.flags()
        os.mknod(cls.machine.root / "dev/acme-control", 0o20666, os.makedev(1, 3))
        files = cls.root / "files"
        (files / "firmware").mkdir(parents=True)
        (files / "firmware/gsp.bin").write_text("firmware")
        (files / "socket").write_text("as good as a socket")
        (files / "socket").chmod(0o666)
        (files / "answer.c").write_text(LIBRARY)
        (files / "smi.c").write_text(PROGRAM)
        library = files / "libacme.so.1.2.3"
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libacme.so.1", "-o", library, files / "answer.c"], check=True)
        subprocess.run(["cc", "-o", files / "acme-smi", files / "smi.c", library], check=True)
        (cls.machine.root / "cdi/acme.yaml").write_text(
            SPEC.format(root=cls.root, major=cls.numbers[0][0], minor=cls.numbers[0][1]))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.root / "key"], check=True)
        super().setUpClass()

    def make(self, name, **more):
        box = self.host.create(name, devices=["acme.com/gpu=0"], **more)
        self.addCleanup(self.host.delete, name)
        return box

    def restart(self, name):
        self.host.rpc("container_stop", {"name": name, "timeout_seconds": 0})
        self.host.rpc("container_start", {"name": name})

    def test_a_spec_of_nvidias_own_form_gives_a_container_all_it_says(self):
        self.make("ada")
        for _ in range(2):  # and once more after a start on what the first has left
            self.assertEqual(self.host.output("ada", "acme-smi"), "42\n")
            self.assertEqual(self.host.output("ada", "readlink", "/opt/acme/lib/libacme.so"), "libacme.so.1\n")
            self.assertEqual(self.host.output("ada", "cat", "/usr/lib/firmware/acme/gsp.bin"), "firmware")
            self.assertEqual(self.host.output("ada", "cat", "/run/acme/socket"), "as good as a socket")
            self.assertEqual(self.host.output("ada", "sh", "-c", "echo x >/dev/acme-control && stat -c %A /dev/acme0"),
                             "crw-rw-rw-\n")
            self.restart("ada")
        warned = self.host.rpc("warning_list", {"entity": "container/ada"})["warnings"]
        self.assertEqual(warned, [])

    def test_nothing_inside_opens_up_what_was_mounted(self):
        self.make("ada")
        for path in ("/opt/acme/lib/libacme.so.1.2.3", "/lib/firmware/acme", "/run/acme/socket"):
            for options in ("remount,bind,rw", "remount,bind,ro,dev,suid"):
                tried = self.host.exec("ada", "mount", "-o", options, path)
                self.assertNotEqual(tried["exit_code"], 0, (path, options))
        tried = self.host.exec("ada", "sh", "-c", "echo x >/run/acme/socket")
        self.assertIn("Read-only file system", tried["stderr"]["text"])
        self.assertEqual((self.root / "files/socket").read_text(), "as good as a socket")

    def test_its_variables_are_in_commands_logins_and_services(self):
        self.make("ada", ssh_keys=[(self.root / "key.pub").read_text().strip()])
        self.assertEqual(self.host.output("ada", "printenv", "ACME_VISIBLE", "ACME_WORDS"), 'void\ntwo "quoted" words\n')
        own = self.host.exec("ada", "printenv", "ACME_VISIBLE", env=["ACME_VISIBLE=mine"])
        self.assertEqual(own["stdout"]["text"], "mine\n")
        self.assertIn("ACME_VISIBLE=void\n", self.host.environment_of_init("ada"))
        config = self.root / "ssh_config"
        hosts = self.root / "known_hosts"
        told = self.host.rpc("ssh_config", {})
        config.write_text(told["config"])
        hosts.write_text(told["known_hosts"])
        login = ["ssh", "-F", config, "-i", self.root / "key", "-o", f"UserKnownHostsFile={hosts}", "-o", "BatchMode=yes", "ada",
                 "printenv ACME_VISIBLE ACME_WORDS"]
        self.assertEqual(self.host.machine.run(login).stdout, 'void\ntwo "quoted" words\n')
        # The container's own win over them, also after another start has brought them again.
        self.host.rpc("container_update", {"name": "ada", "env": ["ACME_VISIBLE=own"]})
        for _ in range(2):
            self.assertEqual(self.host.output("ada", "printenv", "ACME_VISIBLE", "ACME_WORDS"), 'own\ntwo "quoted" words\n')
            self.assertEqual(self.host.machine.run(login).stdout, 'own\ntwo "quoted" words\n')
            self.restart("ada")

    def test_what_a_container_puts_in_the_way_leads_nowhere(self):
        self.make("ada")
        self.host.output("ada", "sh", "-c", "mv /opt/acme /opt/was && ln -s ../../../../../../etc /opt/acme")
        self.restart("ada")  # its own /etc
        self.assertEqual(self.host.output("ada", "ls", "/etc/lib"), "libacme.so\nlibacme.so.1\nlibacme.so.1.2.3\n")
        self.assertFalse(Path("/etc/lib").exists())
        self.host.output("ada", "sh", "-c", "rm /opt/acme && ln -s /usr/lib/berth /opt/acme")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        error = self.refused("busy", "", "container_start", {"name": "ada"})
        self.assertIn("/opt/acme", error.message)
        warned = self.host.rpc("warning_list", {"entity": "container/ada"})["warnings"]
        self.assertEqual([one["type"] for one in warned], [])

    def test_it_is_a_hold_of_the_gpu_that_it_opens(self):
        self.make("ada")
        held = {gpu["address"]: gpu.get("held_by") for gpu in self.host.rpc("gpu_list", {"response_format": "detailed"})["gpus"]}
        self.assertEqual(held[CARDS[0]], "ada")
        error = self.refused("busy", "/gpus/0", "container_create", {"name": "bob", "gpus": ["0"]})
        self.assertIn("container 'ada' since", error.message)
        self.refused("busy", "/devices", "container_create", {"name": "bob", "devices": ["acme.com/gpu=0"]})

    def test_a_gpu_that_nvidias_tool_describes_comes_with_its_libraries(self):
        (self.machine.root / "cdi/nvidia.json").write_text(json.dumps({
            "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
            "containerEdits": {"mounts": [{"hostPath": str(self.root / "files/firmware"), "containerPath": "/opt/nvidia"}]},
            "devices": [{"name": "0", "containerEdits": {"env": ["CARD=0"], "deviceNodes": [
                dict(zip(("path", "type", "major", "minor"), ("/dev/nvidia0", "c", *self.numbers[1])))]}}]}))
        self.addCleanup((self.machine.root / "cdi/nvidia.json").unlink)
        self.host.create("ada", gpus=["1"])
        self.addCleanup(self.host.delete, "ada")
        self.assertEqual(self.host.output("ada", "cat", "/opt/nvidia/gsp.bin"), "firmware")
        self.assertEqual(self.host.output("ada", "sh", "-c", "echo $CARD && ls /dev/nvidia0 /dev/dri"),
                         "0\n/dev/nvidia0\n\n/dev/dri:\nrenderD129\n")
        self.host.rpc("gpu_detach", {"container": "ada", "gpus": ["1"]})
        self.assertEqual(self.host.output("ada", "sh", "-c", "echo $CARD; ls /dev/nvidia0 2>/dev/null || true"), "\n")
        self.restart("ada")
        self.assertEqual(self.host.output("ada", "ls", "/opt/nvidia"), "")

    def test_a_spec_that_changes_takes_its_nodes_away_and_none_that_every_container_has(self):
        self.make("ada")
        spec = self.machine.root / "cdi/acme.yaml"
        before = spec.read_text()
        self.addCleanup(spec.write_text, before)
        spec.write_text(before.replace("  - path: /dev/acme-control\n", "  - path: /dev/acme-other\n    hostPath: /dev/acme-control\n"))
        speak(self.host, "change", "/devices/pci0000:00/drm/renderD128", "SUBSYSTEM=drm")
        wait_until(lambda: self.host.exec("ada", "test", "-e", "/dev/acme-other")["exit_code"] == 0, "it is there")
        self.assertEqual(self.host.output("ada", "sh", "-c", "ls /dev/acme-control 2>/dev/null; echo x | tee /dev/null /dev/acme-other"), "x\n")

    def test_a_driver_that_has_gone_is_a_refusal_that_names_the_file(self):
        self.make("ada")
        self.host.rpc("container_stop", {"name": "ada", "timeout_seconds": 0})
        library = self.root / "files/libacme.so.1.2.3"
        library.rename(library.with_suffix(".away"))
        try:
            with self.assertRaises(ToolError) as refused:
                self.host.rpc("container_start", {"name": "ada"})
            self.assertIn(str(library), refused.exception.message)
        finally:
            library.with_suffix(".away").rename(library)
        self.host.rpc("container_start", {"name": "ada"})

    def test_a_hook_that_is_not_known_runs_nowhere(self):
        trace = self.root / "trace"
        (self.machine.root / "cdi/evil.json").write_text(json.dumps({
            "cdiVersion": "0.6.0", "kind": "evil.com/x", "devices": [{"name": "a", "containerEdits": {"hooks": [
                {"hookName": "createRuntime", "path": "/bin/touch", "args": ["touch", str(trace)]}]}}]}))
        self.addCleanup((self.machine.root / "cdi/evil.json").unlink)
        error = self.refused("unsupported", "/devices", "container_create", {"name": "bob", "devices": ["evil.com/x=a"]})
        self.assertIn("/bin/touch", error.message)
        self.assertFalse(trace.exists())


if __name__ == "__main__":
    if len(stand_ins()) < 2:
        print("skipped: this kernel has too few devices that could stand in for GPUs")
        sys.exit(77)
    main()

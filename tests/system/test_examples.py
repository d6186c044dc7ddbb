#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every example runs as it stands, and cleans up after itself."""
import os
import shutil

from support.host import SOURCE, HostCase, main, program


class Examples(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = cls.host.start_mcp_http()
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        # Examples call berth by its name, as somebody who has installed it would.
        (cls.host.root / "bin").mkdir()
        for name in ("berth", "berth-mcp", "berth-sentinel"):
            shutil.copy(program(name), cls.host.root / "bin")

    def test_each_example_ends_well_and_leaves_nothing(self):
        self.host.create("warm")  # the first container makes what all share
        self.host.delete("warm")
        before = self.host.picture()
        examples = sorted((SOURCE / "examples").glob("*/run.sh"))
        self.assertTrue(examples)
        environment = {**self.host.environment(), "PATH": f"{self.host.root / 'bin'}:{os.environ['PATH']}"}
        for example in examples:
            with self.subTest(example.parent.name):
                self.host.machine.run([example], env=environment)
                self.assertEqual(self.host.picture(), before)


if __name__ == "__main__":
    main()

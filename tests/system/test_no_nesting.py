#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host whose operator lets no container run containers of its own: what is there goes on, and nothing new comes."""
from support.host import HostCase, main
from support.machine import wait_until


class NoNesting(HostCase):
    def configure(self, text):
        self.host.stop()
        (self.host.root / "config.toml").write_text(f"version = 1\n{text}")
        self.host.start()

    def state(self, name):
        return self.host.rpc("container_get", {"name": name})["state"]

    def test_what_has_it_goes_on_until_it_is_stopped_and_nothing_else_gets_it(self):
        self.host.create("web", nesting=True)
        self.addCleanup(self.host.delete, "web")
        self.configure("allow_nesting = false\n")
        self.assertEqual(self.state("web"), "running")
        error = self.refused("denied", "/nesting", "container_create", {"name": "ada", "nesting": True})
        self.assertIn("allow_nesting = false", error.message)
        self.assertIn("berthd.toml", error.hint)
        self.refused("denied", "/container", "container_fork", {"container": "web", "names": ["ada"]})
        self.host.rpc("container_export", {"container": "web", "file": "web.tar"})
        self.refused("denied", "/file", "container_import", {"file": "web.tar", "name": "ada"})
        self.host.create("ada")
        self.addCleanup(self.host.delete, "ada")

        # As after a boot of this machine: berthd would start it, must not, and says so.
        self.host.stop()
        self.host.lose_power()
        self.host.start()
        self.assertEqual(self.state("web"), "stopped")
        warned = self.host.rpc("warning_list", {"entity": "container/web"})["warnings"]
        self.assertIn("allow_nesting", str(warned))
        self.refused("denied", "", "container_start", {"name": "web"})

        self.configure("")
        wait_until(lambda: self.state("web") == "running", "it runs again")

    def test_a_flag_says_it_too(self):
        self.host.flags.append("--no-nesting")
        self.host.restart()
        self.refused("denied", "/nesting", "container_create", {"name": "bob", "nesting": True})
        self.host.flags.remove("--no-nesting")
        self.host.restart()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hundred callers create a container in the same moment: all of them get one, and nothing of it is left in the end."""
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

from support.host import IMAGES, Host, HostCase, main
from support.scratch import scratch
from support.small_image import make_small_image

CALLERS = 100


class ManyAtOnce(HostCase):
    @classmethod
    def setUpClass(cls):
        directory = scratch()
        cls.addClassCleanup(shutil.rmtree, directory)
        make_small_image(IMAGES, directory)
        cls.host = Host(images=directory)
        cls.addClassCleanup(cls.host.close)

    def test_a_hundred_creates_at_once_all_succeed_and_leave_nothing(self):
        self.host.delete(self.host.create("first")["name"])  # liblxc makes groups that stay, once
        before, together = self.host.picture(), threading.Barrier(CALLERS)

        def create_and_use(number):
            together.wait()
            box = self.host.create(f"box{number}")
            self.assertEqual(self.host.exec(box["name"], "true")["exit_code"], 0)
            return box

        with ThreadPoolExecutor(CALLERS) as callers:
            boxes = list(callers.map(create_and_use, range(CALLERS)))
            self.assertEqual({box["state"] for box in boxes}, {"running"})
            for own in ("id", "ipv4", "uid_base"):
                self.assertEqual(len({box[own] for box in boxes}), CALLERS, own)
            self.assertEqual(self.host.rpc("container_list", {"limit": 1000})["total"], CALLERS)
            list(callers.map(self.host.delete, [box["name"] for box in boxes]))
        self.assertEqual(self.host.picture(), before)
        self.assertEqual(list((self.host.state / "containers").iterdir()), [])


if __name__ == "__main__":
    main()

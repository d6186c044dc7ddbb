#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A test that runs out of time fails at once, whatever it is in, and cleans up (support/deadline.py)."""
import subprocess
import sys
import time
import unittest
from pathlib import Path

SLOW = """
import time, unittest
from support.deadline import run_within

class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(print, "cleaned up", flush=True)

    def test_a(self):
        for number in range(3):
            with self.subTest(number=number):
                print("began", number, flush=True)
                try:
                    time.sleep(30)
                except AssertionError:
                    pass

    def test_b(self):
        print("began another", flush=True)

run_within(1)
"""


class Deadline(unittest.TestCase):
    def test_within_a_subtest_it_ends_the_test_and_those_after_it(self):
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", SLOW], cwd=Path(__file__).parent, capture_output=True, text=True)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "began 0\ncleaned up\n")
        self.assertIn("out of time", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

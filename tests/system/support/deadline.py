# SPDX-License-Identifier: Apache-2.0
"""Tests that end in time: the one that runs when it is up fails, no other begins, and what was set up is cleaned up.

ctest's kill would leave the host behind. An exception alone would not do: within `subTest` it fails that one subtest, and
the test goes on without an end.
"""
import signal
import unittest


class OutOfTime(Exception):
    """No assertion: whoever handles a failure of those does not mean this."""


class _Result(unittest.TextTestResult):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)

        def out_of_time(*_):
            self.failfast = True  # unittest then leaves the test with its first failure, and begins none
            raise OutOfTime("out of time")

        signal.signal(signal.SIGALRM, out_of_time)  # in the main thread, where tests run


def run_within(seconds):
    """Runs the calling program's tests, and exits."""
    signal.alarm(seconds)
    unittest.main(module="__main__", verbosity=2, testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2))

# SPDX-License-Identifier: Apache-2.0
"""Tries, inside a container, what must not and what must be possible: FACTS-AS-JSON.

Prints one line: a verdict for each attempt, as compressed JSON, because the output of a command is bounded.
`--table` prints the table of docs/isolation.md instead, and needs no container.
"""
import base64
import itertools
import json
import os
import sys
import zlib

import forbidden_kernel  # noqa: F401
import forbidden_neighbours  # noqa: F401
import needed  # noqa: F401
from kernel import judge
from registry import ATTEMPTS, FACTS


def table():
    """Area by area, what is tried and what it comes to."""
    def cell(words):
        return " or ".join(words)
    for kind, title in (("forbidden", "What a container cannot do"), ("needed", "What a container can do")):
        print(f"## {title}\n")
        if kind == "needed":
            print("`allowed` for an ordinary user too, or root's alone, as on any machine.\n")
        of_kind = [attempt for attempt in ATTEMPTS if attempt["kind"] == kind]
        for area, attempts in itertools.groupby(of_kind, key=lambda attempt: attempt["area"]):
            print(f"### {area[0].upper()}{area[1:]}\n\n| attempt | as root inside | as a user inside |\n| --- | --- | --- |")
            for attempt in attempts:
                print(f"| {attempt['says']} | {cell(attempt['root'])} | {cell(attempt['user'])} |")
            print()


def main():
    if sys.argv[1] == "--table":
        return table()
    FACTS.update(json.loads(sys.argv[1]))
    who = "root" if os.getuid() == 0 else "user"
    verdicts = [{"kind": attempt["kind"], "says": attempt["says"], "expected": attempt[who], "verdict": judge(attempt["work"])}
                for attempt in ATTEMPTS]
    print(base64.b64encode(zlib.compress(json.dumps(verdicts).encode(), 9)).decode())


main()

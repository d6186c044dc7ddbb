# SPDX-License-Identifier: Apache-2.0
"""The list that attempts are put on, with what each of them must come to."""
ATTEMPTS = []
FACTS = {}  # of the container and its surroundings, as the test tells them


def _words(expected):
    return (expected,) if isinstance(expected, str) else tuple(expected)


def forbidden(area, says, root, user=None):
    """An attempt that must fail with that errno, as root and as an ordinary user."""
    def add(work):
        ATTEMPTS.append({"kind": "forbidden", "area": area, "says": says, "work": work,
                         "root": _words(root), "user": _words(user or root)})
        return work
    return add


def needed(area, says, user="allowed"):
    """What must work: for root, and for an ordinary user unless that is said to be an errno."""
    def add(work):
        ATTEMPTS.append({"kind": "needed", "area": area, "says": says, "work": work,
                         "root": ("allowed",), "user": _words(user)})
        return work
    return add

# SPDX-License-Identifier: Apache-2.0
"""The directories of tests. A run that was killed leaves its own, and the next run takes them away."""
import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

from support.machine import processes, wait_until

PLACE = Path("/var/tmp")  # a disk, which /tmp may not be
OURS = "berth-test-"
_held = []  # the locks of this process, which end with it


def scratch():
    """A directory for as long as this process lives; the caller removes it. World-readable, because users in
    containers have to pass through; its path is short, because a unix socket's has 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix=OURS, dir=PLACE))
    path.chmod(0o755)
    _held.append(_lock(path))
    return path


def _lock(path):
    """None when somebody who lives has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def cgroups(name):
    """Those that begin with that name, wherever they are."""
    return [Path(top) / one for top, names, _ in os.walk("/sys/fs/cgroup") for one in names if one.startswith(name)]


def remove_cgroups(name):
    """As far as they are empty; test_zz_clean tells of the others."""
    for group in cgroups(name):
        for top, *_ in os.walk(group, topdown=False):
            try:
                os.rmdir(top)
            except OSError:
                pass


def end(find):
    """Kills the processes that `find` tells by number, and waits until it finds none."""
    for pid in find():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was on its way
    wait_until(lambda: not find(), "processes to end", 15)


def remove_files(path):
    """Again while something that is ending still writes; what stays then is said."""
    def gone():
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    wait_until(gone, f"{path} to be removed", 15)


def sweep():
    """Takes away what killed runs have left: containers' processes (all others end with their test), control groups and
    files. Namespaces, and with them links, rules and mounts, end with the processes."""
    for path in PLACE.glob(OURS + "*"):
        descriptor = _lock(path)
        if descriptor is None:
            continue
        end(lambda: [pid for pid, _, cgroup, _ in processes() if f"/{path.name}" in cgroup])
        remove_cgroups(path.name)
        remove_files(path)
        os.close(descriptor)

# SPDX-License-Identifier: Apache-2.0
"""berthd on a machine of its own, and what tests ask of it."""
import contextlib
import fcntl
import http.client
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from support.deadline import run_within
from support.machine import DIAL, ECHO, Machine, processes, wait_until
from support.scratch import end, remove_cgroups, remove_files, scratch

SOURCE = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("BERTH_BIN", SOURCE / "build/ci")).resolve()
IMAGES = Path(os.environ.get("BERTH_IMAGE_DIR", SOURCE / "build/images"))
NPM = Path(os.environ.get("BERTH_NPM_DIR", SOURCE / "build/npm"))
SOCKET_GROUP = "daemon"  # a group that every machine has; berth's own need not exist here
SOCKET_GID = 1
UID_RANGE = 65536
UIDS_PER_HOST = 128 * UID_RANGE
# For tests that make more containers than that: their uids go in a circle within the range.
FEW_SLOTS = ("--subnet", "10.86.0.0/26")


def program(name):
    """A program out of the build directory, wherever its room puts it."""
    for path in BIN.rglob(name):
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(f"{name} is not in {BIN}")


class ToolError(Exception):
    """A JSON-RPC error: what a program reads of it."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        data = error.get("data") or {}
        self.number, self.message = error["code"], error["message"]
        self.code, self.field, self.hint = (data.get(key, "") for key in ("code", "field", "hint"))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Host:
    wrapper = ()  # a command that executes berthd's

    def __init__(self, *flags, images=IMAGES):
        agent = program("berth-agent")
        self.root = scratch()
        self.cgroup = self.root.name
        self.uid_base = unused_uids()
        self.state, self.runtime = self.root / "state", self.root / "run"
        self.socket = self.runtime / "berthd.sock"
        # Configuration of their own, so that what is installed on this machine does not matter.
        (self.root / "config.toml").write_text("version = 1\n")
        self.config = ["--config", str(self.root / "config.toml")]
        self.flags = [*self.config, "--state-dir", self.state, "--runtime-dir", self.runtime, "--image-dir", images,
                      "--socket", self.socket, "--socket-group", SOCKET_GROUP, "--uid-base", self.uid_base,
                      "--cgroup", self.cgroup, "--agent", agent, *(() if "--lxcfs" in flags else ("--lxcfs", "")), *flags]
        self.log = open(self.root / "berthd.log", "ab")
        self.machine = Machine(self.root)
        self.fault = self.root / "fault"  # what base/fault.h looks into
        self.daemon = None
        try:
            self.start()
        except BaseException:
            self._clear()
            raise

    # The daemon's life

    def start(self):
        self.daemon = self.machine.start([*self.wrapper, program("berthd"), *self.flags], stderr=self.log, stdout=self.log,
                                         env={**os.environ, "BERTH_FAULT_FILE": str(self.fault)})
        wait_until(self._answers, "berthd answers", 30)

    def _answers(self):
        if self.is_dead():
            raise AssertionError(f"berthd ended with {self.daemon.returncode}:\n{self.log_tail()}")
        try:
            return bool(self.rpc("system_info", {}, timeout=5))
        except (OSError, http.client.HTTPException):
            return False

    def kill(self):
        """As a crash would."""
        self.daemon.kill()
        self.daemon.wait()

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def restart(self, crash=False):
        (self.kill if crash else self.stop)()
        self.start()

    def lose_power(self):
        """What a reboot takes: processes, cgroups, links, mounts and rules."""
        end(self._pids)
        for link in self.machine.links():
            self.machine.run(["ip", "link", "delete", link], check=False)
        self.machine.run(["nft", "flush", "ruleset"])
        for mount in sorted((line.split()[0] for line in self.machine.new_mounts()), key=len, reverse=True):
            self.machine.run(["umount", "-l", mount], check=False)
        remove_cgroups(self.cgroup)

    @contextlib.contextmanager
    def held(self, point):
        """Whoever comes by that point (base/fault.h) waits there for as long as this lasts."""
        with open(self.fault, "w") as wish:
            fcntl.flock(wish, fcntl.LOCK_EX)
            wish.write(f"{point} hold")
            wish.flush()
            try:
                yield
            finally:
                self.fault.unlink()

    def is_dead(self):
        return self.daemon.poll() is not None

    def log_tail(self, lines=40):
        return "\n".join((self.root / "berthd.log").read_text(errors="replace").splitlines()[-lines:])

    # Calls

    def rpc_raw(self, body: bytes, timeout=180.0):
        connection = UnixConnection(self.socket, timeout)
        try:
            connection.request("POST", "/rpc", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def rpc(self, method, params, timeout=180.0):
        answer = self.rpc_raw(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(), timeout)
        if "error" in answer:
            raise ToolError(answer["error"])
        return answer["result"]

    def create(self, name, **more):
        return self.rpc("container_create", {"name": name, "response_format": "detailed", **more})

    def delete(self, name):
        return self.rpc("container_delete", {"name": name, "force": True})

    def feature(self, name):
        return next(one for one in self.rpc("system_info", {})["features"] if one["name"] == name)

    def exec(self, name, *argv, **more):
        return self.rpc("container_exec", {"container": name, "argv": list(argv), **more})

    def output(self, name, *argv, **more):
        """Standard output of a command that has to succeed."""
        result = self.exec(name, *argv, **more)
        if result.get("exit_code") != 0:
            raise AssertionError(f"{argv} in {name}: {result}")
        return result["stdout"]["text"]

    def environment_of_init(self, name):
        """Once berth's helper, which a container begins with, has become its init."""
        return wait_until(lambda: self.output(name, "sh", "-c", "tr '\\0' '\\n' </proc/1/environ"), "init has an environment")

    def environment(self):
        return {**os.environ, "BERTH_SOCKET": str(self.socket)}

    def cli(self, *arguments, **options):
        return self.machine.run([program("berth"), *arguments], env=self.environment(), **options)

    def mcp_stdio_argv(self):
        return [program("berth-mcp"), *self.config, "--stdio", "--socket", str(self.socket)]

    def mcp_flags(self, port, *flags):
        return [*(() if "--config" in flags else self.config), "--socket", self.socket, "--state-dir",
                self.root / "mcp", *(() if "--listen" in flags else ("--listen", f"127.0.0.1:{port}")), *flags]

    def start_mcp_http(self, port=7420, *flags):
        """berth-mcp over HTTP; ended by the caller."""
        server = self.machine.start([program("berth-mcp"), *self.mcp_flags(port, *flags)], stderr=self.log,
                                    stdout=self.log)
        wait_until(lambda: self.machine.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/mcp"],
                                            check=False).returncode == 0, "berth-mcp listens")
        return server

    # Work in containers

    def serve(self, name, port, address="0.0.0.0"):
        """An echo service in a container, as somebody would leave one running."""
        self.output(name, "sh", "-c", 'setsid python3 -c "$1" "$2" "$3" "$4" >/tmp/echo-$4 2>&1 </dev/null &', "sh",
                    ECHO, name, address, str(port))
        wait_until(lambda: "listening" in self.exec(name, "cat", f"/tmp/echo-{port}")["stdout"]["text"], "it listens")

    def dial_from(self, name, protocol, address, port):
        """The answer a container gets, or "" for none."""
        return self.exec(name, "python3", "-c", DIAL, protocol, address, str(port))["stdout"]["text"].strip()

    def dial(self, protocol, address, port, outside=False):
        run = self.machine.outside if outside else self.machine.run
        return run(["python3", "-c", DIAL, protocol, address, port], check=False).stdout.strip()

    def init_pid(self, name):
        """The container's init, as this machine numbers it."""
        base = self.rpc("container_get", {"name": name, "response_format": "detailed"})["uid_base"]
        for pid, *_, uid in processes():
            if uid == base and _namespace_pids(pid)[-1:] == ["1"]:
                return pid
        raise AssertionError(f"'{name}' has no init")

    # What is there

    def cgroups(self):
        """Ours, down to one per container: what is inside those is the containers' own business."""
        found = []
        for top, names, _ in os.walk("/sys/fs/cgroup"):
            roots = [Path(top) / name for name in names if name.startswith(self.cgroup)]
            found += roots + [path for root in roots for path in root.iterdir() if path.is_dir()]
            names[:] = [name for name in names if not name.startswith(self.cgroup)]
        return sorted(map(str, found))

    def settle(self):
        """Waits until nothing is left of containers that are deleted already, nor of layers that only they stood on."""
        def nothing_is_going():
            with contextlib.closing(sqlite3.connect(f"file:{self.state}/berth.db?mode=ro", uri=True)) as store:
                gone = store.execute("SELECT 1 FROM containers WHERE name LIKE 'gone/%'").fetchall()
                layers = {name for name, in store.execute("SELECT id FROM layers")}
                used = {name for name, in store.execute("SELECT layer_id FROM container_roots UNION SELECT layer_id FROM snapshots"
                                                        " UNION SELECT parent FROM layers WHERE parent IS NOT NULL")}
            there = self.state / "layers"
            return not gone and layers == used and (not there.exists() or {path.name for path in there.iterdir()} <= layers)

        wait_until(nothing_is_going, "what is left of deleted containers is removed")

    def picture(self):
        """Everything a call may change, to be compared before and after."""
        self.settle()
        containers = self.rpc("container_list", {"limit": 1000})["containers"]
        return {"containers": [self.rpc("container_get", {"name": c["name"], "response_format": "detailed"}) for c in containers],
                "ports": self.rpc("port_list", {"limit": 1000}), "rules": self.machine.rules(),
                "links": self.machine.links(), "mounts": self.machine.new_mounts(),
                # liblxc makes pivot groups when a monitor of its ends by itself: no container's, and one for all.
                "cgroups": [path for path in self.cgroups() if ".pivot" not in path],
                "listeners": self.machine.listeners(), "loops": self.loops(), "owned": self.owned_files()}

    def loops(self):
        """The containers whose disk has a loop device, once for each of those."""
        files = {path.stat().st_ino: path.parent.name for path in self.state.glob("containers/*/disk.img")}
        return sorted(files[one["back-ino"]] for one in self._loop_devices() if one["back-ino"] in files)

    def lost_loops(self):
        """Loop devices whose file was removed; for a moment those of other tests too, as nobody can tell whose they are."""
        return [one["name"] for one in self._loop_devices() if one["back-file"].endswith("(deleted)")]

    @staticmethod
    def _loop_devices():
        listed = subprocess.run(["losetup", "--json", "--list", "--output", "NAME,BACK-INO,BACK-FILE"], capture_output=True,
                                text=True, check=True).stdout
        return json.loads(listed or '{"loopdevices": []}')["loopdevices"]

    def owned_files(self):
        """The topmost files of the state directory that belong to containers' uids."""
        found = []
        for top, names, files in os.walk(self.state):
            for name in names + files:
                with contextlib.suppress(FileNotFoundError):  # it went away while we looked
                    if self._is_ours((Path(top) / name).lstat().st_uid):
                        found.append(str(Path(top) / name))
            names[:] = [name for name in names if str(Path(top) / name) not in found]
        return sorted(found)

    def _is_ours(self, uid):
        return self.uid_base <= uid < self.uid_base + UIDS_PER_HOST

    def _processes(self):
        own = {os.getpid(), self.machine._host.pid, self.machine._outside.pid}
        return [one for one in processes() if one[0] not in own
                and (str(self.root) in one[1] or f"/{self.cgroup}" in one[2] or self._is_ours(one[3]))]

    def _pids(self):
        return [pid for pid, *_ in self._processes()]

    def our_processes(self):
        return [f"{pid}: {command} {cgroup!r} uid {uid}" for pid, command, cgroup, uid in self._processes()]

    def leftovers(self):
        """What is still on the machine after a teardown; nothing, if all is well."""
        left = {"processes": self.our_processes(), "mounts": self.machine.new_mounts(), "links": self.machine.links(),
                "rules": self.machine.rules(), "cgroups": self.cgroups()}
        return {what: things for what, things in left.items() if things}

    # The end

    def close(self):
        """Takes everything away, in every case; then says whether the daemon's own teardown had left something."""
        problem = ""
        try:
            if self.daemon and not self.is_dead():
                self.stop()
            done = self.machine.run([program("berthd"), *self.flags, "teardown"], check=False)
            if done.returncode != 0:
                problem = f"teardown ended with {done.returncode}: {done.stderr}"
            wait_until(lambda: not self.leftovers(), "everything is gone", 15)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            problem = f"{problem}\n{error}: {json.dumps(self.leftovers(), indent=1)}\n{self.log_tail()}"
        finally:
            self._clear()
        if problem:
            raise AssertionError(problem)

    def _clear(self):
        if self.daemon and not self.is_dead():
            self.daemon.kill()
            self.daemon.wait()
        with contextlib.suppress(AssertionError):  # test_zz_clean reports them
            end(self._pids)
        self.log.close()
        self.machine.close()
        remove_cgroups(self.cgroup)
        remove_files(self.root)


def unused_uids():
    """A range that no process has, so that this host's can be told by their uid."""
    used = {uid // UIDS_PER_HOST for *_, uid in processes()}
    return random.choice(sorted(set(range(50, 450)) - used)) * UIDS_PER_HOST


def _namespace_pids(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])


class HostCase(unittest.TestCase):
    """One host for all tests of a class."""

    flags = ()

    def setUp(self):
        if self.host.is_dead():
            self.fail(f"berthd ended with {self.host.daemon.returncode} in the test before:\n{self.host.log_tail()}")

    @classmethod
    def setUpClass(cls):
        cls.host = Host(*cls.flags)
        cls.addClassCleanup(cls.host.close)

    def refused(self, code, field, method, params):
        """The call fails with that code and field, and says what to do next."""
        with self.assertRaises(ToolError, msg=f"{method} {params}") as caught:
            self.host.rpc(method, params)
        error = caught.exception
        self.assertIn(error.code, (code,) if isinstance(code, str) else code, error)
        self.assertEqual(error.field, field, error)
        self.assertTrue(error.message and error.hint, f"no message or no next step: {error}")
        return error


def run_in_thread(call):
    """Runs a call aside; the function returned waits for its result, or raises what it raised."""
    outcome = []

    def work():
        try:
            outcome.append((True, call()))
        except BaseException as error:  # handed to whoever asks for the result
            outcome.append((False, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def result(seconds=120):
        thread.join(seconds)
        if not outcome:
            raise AssertionError("the call is still running")
        fine, value = outcome[0]
        if fine:
            return value
        raise value

    return result


def main():
    """Runs the calling file's tests; exit 77 where they cannot run, before ctest's own limit."""
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    if not (IMAGES / "names/debian-12").exists():
        print(f"skipped: no base image in {IMAGES} (scripts/test.sh builds it)")
        sys.exit(77)
    run_within(int(os.environ.get("BERTH_TEST_SECONDS", "600")))

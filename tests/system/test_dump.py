#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`berthd dump`: what is stored, as SQL that makes the same store again, without what is secret in it."""
import contextlib
import os
import sqlite3

from support.host import HostCase, main, program

SECRET = "hunter2"


class Dump(HostCase):
    def dump(self):
        run = self.host.machine.run([program("berthd"), *self.host.config, "--state-dir", self.host.state, "dump"])
        return run.stdout

    def loaded(self, text, path):
        store = sqlite3.connect(path)
        store.executescript(text)
        return store

    @staticmethod
    def content(store):
        tables = [name for name, in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {"version": store.execute("PRAGMA user_version").fetchone(),
                "schema": sorted(store.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")),
                **{table: sorted(map(repr, store.execute(f"SELECT * FROM {table}"))) for table in tables}}

    def test_what_is_dumped_makes_the_same_store_without_its_secrets(self):
        odd = "it's -- \"odd\"; ü"
        self.host.create("ada", env=[f"TOKEN={SECRET}", "EMPTY="], labels=[f"note={odd}"],
                         ports=[{"container_port": 80}])
        self.addCleanup(self.host.delete, "ada")
        self.host.rpc("snapshot_create", {"container": "ada", "name": "first"})
        self.host.rpc("container_exec", {"container": "ada", "argv": ["echo", SECRET], "request_id": "once"})
        text = self.dump()
        self.assertNotIn(SECRET, text)
        self.assertIn("TOKEN=left-out", text)
        with contextlib.closing(self.loaded(text, ":memory:")) as made, \
                contextlib.closing(sqlite3.connect(f"file:{self.host.state}/berth.db?mode=ro", uri=True)) as kept:
            made_has, kept_has = self.content(made), self.content(kept)
        self.assertTrue(kept_has["requests"] and kept_has["snapshots"] and kept_has["ports"])
        self.assertEqual(set(made_has), set(kept_has))
        for part, rows in kept_has.items():
            with self.subTest(part):
                if part in ("containers", "operations", "requests"):  # which have what is left out
                    self.assertEqual(len(made_has[part]), len(rows))
                else:
                    self.assertEqual(made_has[part], rows)

        # berthd goes on with it.
        before = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})
        self.host.stop()
        for file in self.host.state.glob("berth.db*"):
            file.unlink()
        self.loaded(text, self.host.state / "berth.db").close()
        os.chmod(self.host.state / "berth.db", 0o600)
        self.host.start()
        after = self.host.rpc("container_get", {"name": "ada", "response_format": "detailed"})
        self.assertEqual(after.pop("env"), ["TOKEN=left-out", "EMPTY=left-out"])
        before.pop("env")
        self.assertEqual(after, before)

    def test_where_nothing_is_stored_it_says_so_and_makes_nothing(self):
        empty = self.host.root / "empty"
        empty.mkdir()
        run = self.host.machine.run([program("berthd"), *self.host.config, "--state-dir", empty, "dump"], check=False)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("there is no", run.stderr)
        self.assertEqual(list(empty.iterdir()), [])


if __name__ == "__main__":
    main()

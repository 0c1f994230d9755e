"""What the emulator knows, kept below --state DIR so that it outlives the process: DIR/db (SQLite), DIR/blobs/N (bytes).

Records are JSON, held in memory and written through. synchronous=OFF: a killed emulator loses nothing, a power cut may.
"""

import contextlib
import json
import os
import sqlite3
import threading
import time

TABLES = ("buckets", "objects", "sessions", "images", "operations", "requests", "tokens", "counters", "meta")


class Table(dict):
    """A dictionary of JSON values that writes itself through. Change a value by assigning it again."""

    def __init__(self, database, name):
        super().__init__()
        self.database, self.name = database, name
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY, value TEXT)")
        for key, value in database.execute(f"SELECT key, value FROM {name}"):
            super().__setitem__(key, json.loads(value))

    def __setitem__(self, key, value):
        self.database.execute(f"INSERT OR REPLACE INTO {self.name} VALUES (?, ?)", (key, json.dumps(value)))
        super().__setitem__(key, value)

    def __delitem__(self, key):
        super().__delitem__(key)
        self.database.execute(f"DELETE FROM {self.name} WHERE key = ?", (key,))

    def clear(self):
        super().clear()
        self.database.execute(f"DELETE FROM {self.name}")


class State:
    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.blobs = os.path.join(self.directory, "blobs")
        os.makedirs(self.blobs, exist_ok=True)
        self.lock = threading.RLock()
        self.database = sqlite3.connect(os.path.join(self.directory, "db"), check_same_thread=False, isolation_level=None)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=OFF")
        for name in TABLES:
            setattr(self, name, Table(self.database, name))
        self.references = {}
        for record in self.objects.values():
            self.hold(record["parts"])
        self.sweep()

    def sweep(self):
        """Removes blobs that neither an object nor a session needs: what a killed emulator left."""
        needed = set(self.references) | {s["blob"] for s in self.sessions.values() if s.get("blob")}
        for name in os.listdir(self.blobs):
            if name not in needed:
                os.unlink(os.path.join(self.blobs, name))

    def hold(self, parts):
        for blob, _, _ in parts:
            self.references[blob] = self.references.get(blob, 0) + 1

    def drop(self, parts):
        for blob, _, _ in parts:
            self.references[blob] -= 1
            if not self.references[blob]:
                del self.references[blob]
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.blob_path(blob))

    def blob_path(self, blob):
        return os.path.join(self.blobs, blob)

    def number(self, kind="id", least=0):
        """A number that was never given before, not even before a restart."""
        with self.lock:
            value = max(self.meta.get(kind, 0) + 1, least)
            self.meta[kind] = value
            return value

    def generation(self):
        """Generations of Cloud Storage are microseconds of the time of writing; only their order is promised."""
        return self.number("generation", int(time.time() * 1e6))

    def new_blob(self):
        return str(self.number("blob"))

    def wipe(self):
        with self.lock:
            for name in TABLES:
                if name not in ("meta", "tokens"):  # the credentials stay good
                    getattr(self, name).clear()
            self.references = {}
            self.sweep()

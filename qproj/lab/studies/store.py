"""The study's file: SQLite in WAL mode, one transaction per group of finished runs, several processes at once.

Rows are there when their transaction is committed, and only then are they reported: killing any process at any
moment loses no reported row, doubles none and leaves none half written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import socket
import sqlite3
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from qproj.lab.studies import schema
from qproj.lab.studies.outcome import Outcome
from qproj.lab.studies.plan import PlannedRun, PlannedSolver, StudyPlan
from qproj.lab.studies.seals import Seals
from qproj.lab.studies.stored_problems import Instance, ModelInstance, instance_of

FILE = "study.sqlite"
#: Seconds without a sign of life after which another process's leases are free.
LEASE_S = 120.0
#: Seconds to wait for another process's transaction.
LOCKED_S = 60.0
#: Letters of an error's text that a message about a damaged file repeats.
_MOST_LETTERS = 200


class StudyStore:
    """A study's file, open; a context manager, too.

    Parameters
    ----------
    folder : Path
        Holds ``study.sqlite``.
    create : bool
        Make folder and file where they are missing.

    Raises
    ------
    FileNotFoundError
        The study is missing, and `create` is False.
    ValueError
        The file is not a study, or was made by a newer qproj.
    OSError
        The disk is full or cannot be written to.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder, self.path = Path(folder), Path(folder) / FILE
        if not create and not self.path.is_file():
            raise FileNotFoundError(
                f"{self.folder} holds no study ({FILE} is missing); `qproj compare --out` makes one"
            )
        if create:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        with _clear_errors(self.path):
            self._db = sqlite3.connect(self.path, timeout=LOCKED_S, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            try:
                self._inode = os.stat(self.path).st_ino  # connecting makes the file
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _prepare(self) -> None:
        db = self._db
        version = schema.require_readable(db, self.path)
        db.execute("PRAGMA foreign_keys = ON")
        _use_write_ahead_log(db)
        db.execute("PRAGMA synchronous = NORMAL")
        if version < schema.SCHEMA:
            with self._transaction():
                schema.upgrade(db)

    def close(self) -> None:
        """Free this process's leases and close the file."""
        with contextlib.suppress(OSError):  # a full disk: the leases end with this process
            self.release()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _clear_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._require_file()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends some itself, as when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def _require_file(self) -> None:
        """Refuse to continue where the file was deleted or replaced: SQLite would write on into nowhere."""
        try:
            there = os.stat(self.path).st_ino
        except FileNotFoundError:
            there = None
        if there != self._inode:
            raise OSError(
                f"{self.path} was deleted or replaced while the study ran; put it back, or run the same command again"
            )

    def register(self, plan: StudyPlan, environment: dict[str, Any]) -> _RowIds:
        """Write a plan's layers, neurons and solvers, each once, and the environment; return their ids."""
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO environment (started, content) VALUES (?, ?)",
                (time.time(), json.dumps(environment, sort_keys=True)),
            )
            instances = [self._instance(instance) for instance in plan.instances]
            solvers = [self._solver(solver) for solver in plan.solvers]
            return _RowIds(int(cursor.lastrowid or 0), instances, solvers)

    def _instance(self, layer: Instance) -> int:
        row = self._db.execute("SELECT id FROM instance WHERE key = ?", (layer.key,)).fetchone()
        if row is not None:
            return int(row["id"])
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **layer.arrays)  # type: ignore[arg-type]
        cursor = self._db.execute(
            "INSERT INTO instance (key, name, source, meta, n, d, neurons, arrays) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (layer.key, layer.name, layer.source, json.dumps(dict(layer.meta), sort_keys=True), *layer.shape,
             layer.num_neurons, buffer.getvalue()),
        )  # fmt: skip
        number = int(cursor.lastrowid or 0)
        rows = [(number, j, *sizes) for j, sizes in enumerate(_neuron_sizes(layer))]
        self._db.executemany("INSERT INTO neuron VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return number

    def _solver(self, solver: PlannedSolver) -> int:
        can = solver.capabilities
        self._db.execute(
            "INSERT INTO solver (text, name, encoding, exact, samples, is_null, note) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (text) DO NOTHING",
            (solver.text, solver.name, solver.encoding, can.exact, can.num_reads, solver.is_null, can.note),
        )
        row = self._db.execute("SELECT id FROM solver WHERE text = ?", (solver.text,)).fetchone()
        return int(row["id"])

    def done(self) -> set[str]:
        """Return the keys of all stored runs."""
        return {row[0] for row in self.query("SELECT key FROM run")}

    def stored(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that are stored."""
        marks = ",".join("?" * len(keys))
        return {row[0] for row in self.query(f"SELECT key FROM run WHERE key IN ({marks})", list(keys))}  # nosec B608: marks only

    def add(self, ids: _RowIds, finished: Iterable[tuple[PlannedRun, Outcome]]) -> int:
        """Write finished runs in one transaction and return how many were new; those already there stay."""
        rows = [
            (
                run.key, ids.instances[run.instance], run.neuron, ids.solvers[run.solver], ids.environment,
                run.limits.num_reads, run.limits.time_limit_s, run.limits.seed, ",".join(run.limits.withheld),
                time.time(), *(getattr(outcome, name) for name in schema.OUTCOME_TYPES),
            )
            for run, outcome in finished
        ]  # fmt: skip
        if not rows:
            return 0
        with self._transaction():
            there = self.stored([row[0] for row in rows])
            new = {row[0]: row for row in rows if row[0] not in there}
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT INTO run VALUES ({marks}, NULL)", list(new.values()))  # nosec B608
            Seals(self._db).write(new)
            return len(new)

    def delete(self, statuses: Sequence[str]) -> int:
        """Delete the runs of these statuses, and changed ones, so that they are run again; return how many."""
        marks = ",".join("?" * len(statuses))
        with self._transaction():
            changed = [(key,) for key in Seals(self._db).broken()]
            deleted = self._db.executemany("DELETE FROM run WHERE key = ?", changed).rowcount if changed else 0
            return deleted + self._db.execute(f"DELETE FROM run WHERE status IN ({marks})", list(statuses)).rowcount  # nosec B608

    def broken(self) -> set[str]:
        """Return the keys of the runs that were changed after they were written."""
        with _clear_errors(self.path):
            return Seals(self._db).broken()

    def claim(self, batch: str) -> bool:
        """Take a batch for this process; False where a living process has it."""
        now = time.time()
        with self._transaction():
            self._db.execute(
                "INSERT INTO owner VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
                (self.owner, socket.gethostname(), os.getpid(), now),
            )
            for row in self._db.execute("SELECT * FROM owner").fetchall():
                if row["id"] != self.owner and not _alive(row, now):
                    self._db.execute("DELETE FROM owner WHERE id = ?", (row["id"],))
            cursor = self._db.execute("INSERT OR IGNORE INTO lease VALUES (?, ?)", (batch, self.owner))
            return cursor.rowcount == 1

    def heartbeat(self) -> None:
        """Show that this process lives."""
        with self._transaction():
            self._db.execute("UPDATE owner SET beat = ? WHERE id = ?", (time.time(), self.owner))

    def release(self) -> None:
        """Give back whatever this process has claimed."""
        with self._transaction():
            self._db.execute("DELETE FROM owner WHERE id = ?", (self.owner,))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return the rows of a reading statement."""
        with _clear_errors(self.path):
            return self._db.execute(sql, values).fetchall()

    def layers(self) -> dict[int, Instance]:
        """Return every stored layer, as it was given, by the id of its row.

        Raises
        ------
        ValueError
            A layer cannot be read, or is not the one that its key stands for.
        """
        found: dict[int, Instance] = {}
        for row in self.query("SELECT * FROM instance ORDER BY id"):
            with self.decoding():
                with np.load(io.BytesIO(row["arrays"]), allow_pickle=False) as arrays:
                    plain = {name: arrays[name] for name in arrays.files}
                layer = instance_of(row["name"], row["source"], json.loads(row["meta"]), plain)
                if layer.key != row["key"]:
                    raise ValueError(f"layer {row['name']!r} was changed after it was written")
            found[row["id"]] = layer
        return found

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """State in one line that the file is damaged, where its content cannot be decoded."""
        try:
            with _clear_errors(self.path):
                yield
        except (zlib.error, zipfile.BadZipFile, LookupError, TypeError, ValueError, EOFError, AttributeError,
                OverflowError, MemoryError, NotImplementedError, AssertionError) as error:  # fmt: skip
            if str(self.path) in str(error):
                raise
            text = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_LETTERS]
            raise ValueError(f"{self.path} is damaged ({text}); move it away and run the study again") from error


@dataclasses.dataclass(frozen=True)
class _RowIds:
    """Row ids of a plan's parts, in the plan's order."""

    environment: int
    instances: list[int]
    solvers: list[int]


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch to WAL mode; SQLite's own time-out does not cover this, and fails at once where two processes do it."""
    end = time.monotonic() + LOCKED_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _neuron_sizes(layer: Instance) -> list[tuple[str, float, int, int, int]]:
    """Return key, Σ|τ| (a model's ceiling), row groups, column classes and weight bits of each neuron."""
    if isinstance(layer, ModelInstance):
        size = layer.shape[1]
        return [(layer.problems[0].key, layer.ceiling, 0, size, size)]
    sizes = []
    for problem in layer.problems:
        merged = problem.aggregated
        columns = merged.columns
        sizes.append((problem.key, problem.gain_bound, len(merged.tau), len(columns.sizes), len(columns.labels)))
    return sizes


def _alive(owner: sqlite3.Row, now: float) -> bool:
    if now - owner["beat"] > LEASE_S:
        return False
    if owner["host"] != socket.gethostname():
        return True
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """State what SQLite's errors mean for a study, and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "disk is full" in text or "disk I/O error" in text:
            raise OSError(
                f"{path} cannot grow ({text}); free some space and run the same command: finished runs are kept"
            ) from error
        if "readonly" in text or "unable to open" in text:
            raise OSError(f"{path} cannot be written ({text}); check the folder's permissions") from error
        if "locked" in text or "busy" in text:
            raise OSError(f"{path} stayed locked by another process for a minute; try again later") from error
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise ValueError(f"{path} is not a readable study ({text}); move it away and run the study again") from error

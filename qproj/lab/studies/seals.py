"""Seals of stored runs: a digest of each row and of what it refers to, so that a row changed afterwards is seen.

A seal holds no secret, and does not stop someone who recomputes it; scores are therefore computed again from the
stored weights. Only claims depend on the seal alone: a status, a bound, a time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

_PARTS = {
    "instance": "SELECT key, name, source, meta, n, d, neurons FROM instance WHERE id = ?",
    "neuron": "SELECT key, scale, groups, classes, bits FROM neuron WHERE instance = ? AND neuron = ?",
    "solver": "SELECT text, name, encoding, exact, samples, is_null, note FROM solver WHERE id = ?",
    "environment": "SELECT content FROM environment WHERE id = ?",
}


class Seals:
    """The seals of one open study, as its rows are now.

    Parameters
    ----------
    db : sqlite3.Connection
        Its rows come as :class:`sqlite3.Row`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._parts: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def of(self, row: sqlite3.Row) -> str:
        """Return the seal of a row of ``run``: SHA-256 of its columns and of the rows that it refers to."""
        names = row.keys()  # a Row itself iterates over values
        digest = _digest(row[name] for name in names if name != "seal")
        digest.update(self._part("instance", row["instance"]))
        digest.update(self._part("neuron", row["instance"], row["neuron"]))
        digest.update(self._part("solver", row["solver"]))
        digest.update(self._part("environment", row["environment"]))
        return digest.hexdigest()

    def write(self, keys: Iterable[str] | None = None) -> None:
        """Seal the runs of these keys, or all, inside the caller's transaction."""
        if keys is None:
            keys = [row["key"] for row in self._db.execute("SELECT key FROM run")]
        for key in keys:
            row = self._db.execute("SELECT * FROM run WHERE key = ?", (key,)).fetchone()
            self._db.execute("UPDATE run SET seal = ? WHERE key = ?", (self.of(row), key))

    def broken(self) -> set[str]:
        """Return the keys of the runs that were changed after they were sealed."""
        return {row["key"] for row in self._db.execute("SELECT * FROM run") if row["seal"] != self.of(row)}

    def _part(self, table: str, *place: int) -> bytes:
        if (table, place) not in self._parts:
            row = self._db.execute(_PARTS[table], place).fetchone()
            self._parts[table, place] = b"missing" if row is None else _digest(row).digest()
        return self._parts[table, place]


def _digest(values: Iterable[object]) -> hashlib._Hash:
    """SHA-256 of values, each with its type and length, so that none can pass for two."""
    digest = hashlib.sha256(b"qproj study row 1")
    for value in values:
        content = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(f"{type(value).__name__} {len(content)} ".encode() + content)
    return digest

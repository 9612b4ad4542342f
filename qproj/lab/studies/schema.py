"""The tables of a study's file; the columns of a run follow the record :class:`~qproj.lab.studies.outcome.Outcome`."""

from __future__ import annotations

import re
import sqlite3
import typing
from pathlib import Path
from typing import Any

from qproj.lab.studies.outcome import Outcome
from qproj.lab.studies.seals import Seals

#: Version of the tables, in SQLite's ``user_version``.
SCHEMA = 5

_SQL_TYPES: dict[Any, str] = {
    str: "TEXT NOT NULL", str | None: "TEXT", float | None: "REAL", int | None: "INTEGER", bytes | None: "BLOB",
}  # fmt: skip
#: The columns of a run that its outcome fills.
OUTCOME_TYPES = {name: kind for name, kind in typing.get_type_hints(Outcome).items() if name != "key"}
TABLES = f"""
CREATE TABLE environment (id INTEGER PRIMARY KEY, started REAL NOT NULL, content TEXT NOT NULL) STRICT;
CREATE TABLE instance (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, source TEXT NOT NULL, meta TEXT NOT NULL,
    n INTEGER NOT NULL, d INTEGER NOT NULL, neurons INTEGER NOT NULL, arrays BLOB NOT NULL) STRICT;
CREATE TABLE neuron (
    instance INTEGER NOT NULL REFERENCES instance(id), neuron INTEGER NOT NULL, key TEXT NOT NULL,
    scale REAL NOT NULL, groups INTEGER NOT NULL, classes INTEGER NOT NULL, bits INTEGER NOT NULL,
    PRIMARY KEY (instance, neuron)) STRICT, WITHOUT ROWID;
CREATE TABLE solver (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, name TEXT NOT NULL, encoding TEXT NOT NULL,
    exact INTEGER NOT NULL, samples INTEGER NOT NULL, is_null INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE run (
    key TEXT PRIMARY KEY, instance INTEGER NOT NULL, neuron INTEGER NOT NULL,
    solver INTEGER NOT NULL REFERENCES solver(id), environment INTEGER NOT NULL REFERENCES environment(id),
    num_reads INTEGER, time_limit_s REAL, seed INTEGER, withheld TEXT NOT NULL, finished REAL NOT NULL,
    {", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in OUTCOME_TYPES.items())}, seal TEXT,
    FOREIGN KEY (instance, neuron) REFERENCES neuron(instance, neuron)) STRICT, WITHOUT ROWID;
CREATE TABLE owner (id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, beat REAL NOT NULL) STRICT;
CREATE TABLE lease (batch TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES owner(id) ON DELETE CASCADE) STRICT;
CREATE INDEX run_by_solver ON run (solver, instance, neuron);
"""
_NAMES = set(re.findall(r"CREATE TABLE (\w+)", TABLES))


def require_readable(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of a file's tables, 0 for an empty file.

    Raises
    ------
    ValueError
        A newer version, another program's database, or a table is missing.
    """
    db.execute("BEGIN")  # one view of both: another process may be making the file
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.execute("COMMIT")
    if version > SCHEMA:
        raise ValueError(f"{path} has schema {version}; this qproj reads up to {SCHEMA}: upgrade qproj")
    if version == 0 and tables:
        raise ValueError(f"{path} is a database, but not a study of qproj; choose another folder")
    missing = sorted(_NAMES - tables)
    if version and missing:
        raise ValueError(f"{path} is damaged (no table {missing[0]}); move it away and run the study again")
    return version


def upgrade(db: sqlite3.Connection) -> None:
    """Bring the tables to :data:`SCHEMA`, inside a transaction; does nothing where another process was faster."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in filter(str.strip, TABLES.split(";")):
            db.execute(statement)
    if version == 1:
        db.execute("ALTER TABLE run ADD COLUMN setup_s REAL")
    if version in (1, 2):  # one termination where there were two columns
        db.execute("ALTER TABLE run RENAME COLUMN ended_by TO termination")
        db.execute(
            "UPDATE run SET termination = CASE ending WHEN 'stopped' THEN "
            "CASE termination WHEN 'clock' THEN 'clock' ELSE 'budget' END ELSE ending END"
        )
        db.execute("ALTER TABLE run DROP COLUMN ending")
    if version in (1, 2, 3):
        for name in ("read_table", "events"):
            db.execute(f"ALTER TABLE run ADD COLUMN {name} BLOB")
    if version in (1, 2, 3, 4):  # rows are sealed as they are found
        db.execute("ALTER TABLE run ADD COLUMN seal TEXT")
        Seals(db).write()
    db.execute(f"PRAGMA user_version = {SCHEMA}")

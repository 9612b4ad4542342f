"""Published QUBO instances with known optima, from a folder ``qubo`` of text files and ``best_known.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import dimod

from qproj._options import nearest
from qproj.formats.text import read_qubo
from qproj.lab.datasets.cache import data_dir
from qproj.lab.datasets.retrieve import DataUnavailableError

_COLUMNS = ("name", "n", "nnz", "best_value", "sense", "proved")


@dataclass(frozen=True, eq=False)
class Qubo:
    """A published instance: min energy of ``bqm`` over {0,1}^n.

    Attributes
    ----------
    name : str
    bqm : dimod.BinaryQuadraticModel
        Variables 0…n−1.
    best_known : int or None
        The lowest published value, where the table lists one.
    proved : bool
        Whether that value is published as the optimum.
    """

    name: str
    bqm: dimod.BinaryQuadraticModel
    best_known: int | None
    proved: bool


def qubo_names(folder: Path | None = None) -> list[str]:
    """Return the names of the instances in a folder, QPROJ_DATA_DIR/qubo by default, sorted.

    Raises
    ------
    DataUnavailableError
        The folder is missing.
    """
    return sorted(path.stem for path in _folder(folder).glob("*.txt"))


def load_qubo(name: str, folder: Path | None = None) -> Qubo:
    """Return an instance of a folder, QPROJ_DATA_DIR/qubo by default, such as "bqp50-1", with its published optimum.

    Raises
    ------
    DataUnavailableError
        QPROJ_DATA_DIR has no folder "qubo".
    ValueError
        No such instance (the nearest is offered), a damaged file, or a table that contradicts it.
    """
    names = qubo_names(folder)
    if name not in names:
        raise ValueError(f"no QUBO instance is called {name!r}; {nearest(name, names)}")
    bqm = read_qubo(_folder(folder) / f"{name}.txt")
    table = _folder(folder) / "best_known.csv"
    best, proved = _best_known(table, name, bqm) if table.is_file() else (None, False)
    return Qubo(name, bqm, best, proved)


def _folder(given: Path | None = None) -> Path:
    if given is not None:
        if not given.is_dir():
            raise ValueError(f"{given} is not a folder; give one that holds NAME.txt files and best_known.csv")
        return given
    folder = data_dir()
    if folder is None or not (folder / "qubo").is_dir():
        raise DataUnavailableError(
            "the folder qubo is missing below QPROJ_DATA_DIR; put the instances there as text files (the docs' page on "
            "file formats describes them), or read single files with qproj.formats.text.read_model"
        )
    return folder / "qubo"


def _best_known(table: Path, name: str, bqm: dimod.BinaryQuadraticModel) -> tuple[int | None, bool]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not set(_COLUMNS) <= set(rows.fieldnames or ()):
                raise ValueError(f"its columns are {rows.fieldnames}; {', '.join(_COLUMNS)} are expected")
            for row in rows:
                if row["name"] != name:
                    continue
                if row["sense"] != "min" or int(row["n"]) != bqm.num_variables:
                    raise ValueError(f"{name} has sense {row['sense']!r} and n = {row['n']}, not min and the file's n")
                return int(row["best_value"]), row["proved"] == "y"
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{table} is not a table of best known values: {error}; fetch it again") from None
    return None, False

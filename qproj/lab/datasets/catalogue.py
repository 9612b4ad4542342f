"""What there is: every data set by name, where it is, and the sets of rows that networks are trained on."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qproj._extras import install_hint
from qproj._options import nearest
from qproj.lab.datasets.cache import data_dir
from qproj.lab.datasets.published import PUBLISHED
from qproj.lab.datasets.retrieve import locate
from qproj.lab.datasets.tabular import Tabular, load_adult, load_breast_cancer, load_digits, load_mnist

TABULAR: dict[str, Callable[[], Tabular]] = {
    "digits": load_digits,
    "breast-cancer": load_breast_cancer,
    "a1a": load_adult,
    "mnist": load_mnist,
}
#: Sets that come with a package: (name, about, module, package).
_PACKAGED = (
    ("digits", "scikit-learn's digits, 1797 images of 8×8 pixels, 10 classes", "sklearn", "scikit-learn"),
    ("breast-cancer", "Wisconsin breast cancer, 569 rows, 30 real features, 2 classes", "sklearn", "scikit-learn"),
    ("karate", "Zachary's karate club, 34 nodes, 78 edges, 2 clubs or 4 communities", "networkx", "networkx"),
)


@dataclass(frozen=True)
class CatalogueEntry:
    """One data set: its name, a description, and the place that it would be read from now.

    `where` is "package", "cache", "folder" (QPROJ_DATA_DIR), "download", or "missing" (a package not installed, or
    files that only the user can provide); `paths` the files, `note` what to do where something is missing.
    """

    name: str
    about: str
    where: str
    paths: tuple[Path, ...]
    note: str


def catalogue() -> list[CatalogueEntry]:
    """Return every data set; nothing is read or downloaded.

    Raises
    ------
    FileNotFoundError
        QPROJ_DATA_DIR is set to something other than a folder.
    """
    entries = []
    for name, about, module, package in _PACKAGED:
        if importlib.util.find_spec(module) is not None:
            entries.append(CatalogueEntry(name, about, "package", (), f"comes with {package}"))
        else:
            entries.append(
                CatalogueEntry(name, about, "missing", (), f"{package} is not installed: {install_hint('data')}")
            )
    for name, spec in PUBLISHED.items():
        found = locate(name)
        note = f"qproj datasets fetch {name}" if found.how == "download" else ""
        entries.append(CatalogueEntry(name, spec.about, found.how, found.paths, note))
    folder = data_dir()
    instances = sorted((folder / "qubo").glob("*.txt")) if folder is not None else []
    about = "QUBO instances with published optima, text files"
    if instances and folder is not None:
        entries.append(CatalogueEntry("qubo", about, "folder", (folder / "qubo",), f"{len(instances)} instances"))
    else:
        entries.append(CatalogueEntry("qubo", about, "missing", (), "put text files into $QPROJ_DATA_DIR/qubo/"))
    return entries


def find_entry(name: str) -> CatalogueEntry:
    """Return the entry of a name; ValueError, with the nearest name, where there is none."""
    entries = {entry.name: entry for entry in catalogue()}
    if name not in entries:
        raise ValueError(f"no data set is called {name!r}; {nearest(name, entries)}")
    return entries[name]


def load_tabular(name: str) -> Tabular:
    """Return a set of rows by name: "digits", "breast-cancer", "a1a", "mnist", or some classes of it, as "digits-0-2".

    Raises
    ------
    ValueError
        Another name (the nearest is offered), or classes that do not occur.
    DataUnavailableError
        Not on this machine and not to be downloaded.
    """
    match = re.fullmatch(r"(.+?)((?:-[0-9]{1,3})*)", str(name))
    base = match[1] if match else str(name)
    if match is None or base not in TABULAR:
        raise ValueError(f"no set of rows is called {name!r}; {nearest(base, TABULAR)}")
    data = TABULAR[base]()
    return data.only(*map(int, match[2].split("-")[1:])) if match[2] else data

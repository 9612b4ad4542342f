"""A study as one archive that others can run again: instances, rows, environment, commands and a README."""

from __future__ import annotations

import json
import lzma
import re
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qproj._files import replacing
from qproj.formats.coo import coo_text
from qproj.lab.datasets.instances import LayerInstance, save_instances
from qproj.lab.studies.frame import Runs, read_runs
from qproj.lab.studies.plan import NULLS
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.stored_problems import ModelInstance
from qproj.lab.studies.study_export import export_study
from qproj.solvers.specs import parse_solver

#: Folder of the archive with the original rows.
ORIGINAL = "original"


@dataclass(frozen=True)
class Bundle:
    """What is in a bundle.

    Attributes
    ----------
    files : tuple of Path
        Study files, each of which runs a part again.
    original : Path
        The folder of the original study.
    left_out : tuple of str
        Solvers that no text names, which a study file cannot run again.
    """

    files: tuple[Path, ...]
    original: Path
    left_out: tuple[str, ...] = ()


def write_bundle(folder: str | Path, target: str | Path) -> Bundle:
    """Write a study's folder as one .tar.xz archive and return what is in it, by paths inside the archive.

    Holds README.md, environment.json, ``study-N.toml`` with ``instances/``, and ``original/``: the store and rows.csv.
    Instances that were solved by the same solvers within the same budgets share a study file. An archive that is there
    already is replaced once the new one is whole.

    Raises
    ------
    FileNotFoundError, ValueError
        No study, one without runs, or a target that is not called .tar.xz.
    """
    source, archive = Path(folder), Path(target)
    if not archive.name.endswith(".tar.xz"):
        raise ValueError(f"{archive} is not called .tar.xz; give the archive such a name")
    with tempfile.TemporaryDirectory() as space:
        made = _fill(source, Path(space))
        with replacing(archive) as file, tarfile.open(fileobj=file, mode="w:xz") as tar:
            for path in sorted(Path(space).rglob("*")):
                if path.is_file():
                    tar.add(path, str(path.relative_to(space)), filter=_plain)
        return made


def unpack_bundle(archive: str | Path, folder: str | Path) -> Bundle:
    """Unpack a bundle and return what is in it; nothing is written outside `folder`.

    Raises
    ------
    ValueError
        Not a bundle of a study.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    try:
        with lzma.open(archive) as file:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                tar.extractall(target, filter="data")  # nosec B202: the filter refuses what leaves the folder
            while file.read(1 << 20):  # to the end, where the checksum is
                pass
    except (tarfile.TarError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{archive} is not a readable bundle ({error}); make it with `qproj bundle`") from None
    files = tuple(sorted(target.glob("study-*.toml")))
    if not files or not (target / ORIGINAL / FILE).is_file():
        raise ValueError(f"{archive} is an archive, but not of a study; make it with `qproj bundle`")
    return Bundle(files, target / ORIGINAL)


def is_bundle(path: Path) -> bool:
    """Return whether a path is called as bundles are."""
    return path.name.endswith(".tar.xz")


def _fill(source: Path, space: Path) -> Bundle:
    (space / ORIGINAL).mkdir()
    with StudyStore(source) as store:
        runs = read_runs(store)
        if not len(runs):
            raise ValueError(f"{source} has no finished run yet; `qproj compare --out {source}` runs the study")
        layers = store.layers()
        environments = [
            json.loads(row["content"]) for row in store.query("SELECT content FROM environment ORDER BY id")
        ]
        with sqlite3.connect(source / FILE) as db:
            db.execute("VACUUM INTO ?", (str(space / ORIGINAL / FILE),))
    with sqlite3.connect(space / ORIGINAL / FILE) as db:
        db.execute("DELETE FROM owner")  # processes and hosts of those who ran it
    export_study(source, space / ORIGINAL / "rows.csv", "csv")
    (space / "environment.json").write_text(json.dumps(environments, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (space / "instances").mkdir()
    left_out: set[str] = set()
    files = []
    for number, (setting, ids) in enumerate(_settings(runs).items(), 1):
        names = _write_instances(space / "instances", number, [layers[i] for i in ids])
        solvers = [text for text in setting[0] if _is_spec(text)]
        left_out |= set(setting[0]) - set(solvers)
        if not solvers:
            continue
        file = space / f"study-{number}.toml"
        file.write_text(_study_file(names, solvers, setting), encoding="utf-8")
        files.append(file.relative_to(space))
    made = Bundle(tuple(files), Path(ORIGINAL), tuple(sorted(left_out)))
    (space / "README.md").write_text(_readme(made, runs, environments), encoding="utf-8")
    return made


_Setting = tuple[tuple[str, ...], tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]


def _settings(runs: Runs) -> dict[_Setting, list[int]]:
    """Return instances by what solved them: solvers, reads, time limits and seeds."""
    found: dict[_Setting, list[int]] = {}
    for instance in dict.fromkeys(runs["instance_id"].tolist()):
        own = runs.where(runs["instance_id"] == instance)
        solvers = tuple(sorted(set(own["solver"].tolist())))
        setting = solvers, _asked(own, "num_reads"), _asked(own, "time_limit_s"), _asked(own, "seed")
        found.setdefault(setting, []).append(int(instance))
    return found


def _asked(runs: Runs, name: str) -> tuple[Any, ...]:
    """Return the values of a limit that were asked for; None where a run was left to the solver's own."""
    values: set[Any] = set()
    for value, withheld in zip(runs[name].tolist(), runs["withheld"].tolist(), strict=True):
        missing = value is None or value != value
        if not missing or name not in withheld.split(","):
            values.add(None if missing else value)
    return tuple(sorted(values or {None}, key=lambda value: (value is not None, value or 0)))


def _write_instances(folder: Path, number: int, instances: Iterable[Any]) -> list[str]:
    """Write layers as one npz and each model as COO; return the paths that study files use."""
    names, layers = [], [one for one in instances if isinstance(one, LayerInstance)]
    if layers:
        save_instances(folder / f"layers-{number}.npz", layers)
        names.append(f"instances/layers-{number}.npz")
    models = [one for one in instances if isinstance(one, ModelInstance)]
    for place, model in enumerate(models, 1):
        name = f"{number}-{place}-{re.sub(r'[^A-Za-z0-9.-]+', '-', model.name)}.coo"
        (folder / name).write_text(coo_text(model.problems[0].bqm), encoding="utf-8")
        names.append(f"instances/{name}")
    return names


def _study_file(instances: list[str], solvers: list[str], setting: _Setting) -> str:
    _, reads, limits, seeds = setting
    rows = [
        f"instances = {json.dumps(instances)}",
        f"solvers = {json.dumps([text for text in solvers if text not in NULLS] or solvers)}",
        f"reads = {json.dumps(['none' if value is None else int(value) for value in reads])}",
        f"time_limits_s = {json.dumps(['none' if value is None else float(value) for value in limits])}",
        f"seeds = {json.dumps([int(value) for value in seeds if value is not None] or 1)}",
        f"nulls = {'true' if any(text in NULLS for text in solvers) else 'false'}",
    ]
    return "\n".join(rows) + "\n"


def _is_spec(text: str) -> bool:
    try:
        parse_solver(text)
    except (TypeError, ValueError, ImportError):
        return False
    return True


def _readme(bundle: Bundle, runs: Runs, environments: list[dict[str, Any]]) -> str:
    last = environments[-1] if environments else {}
    pins = " ".join(f'"{name}=={version}"' for name, version in sorted(last.get("versions", {}).items()))
    commands = list(dict.fromkeys(str(one.get("command", "")) for one in environments if one.get("command")))
    solvers = sorted(set(runs["solver"].tolist()))
    left_out = ""
    if bundle.left_out:
        left_out = (
            "\nThese solvers were given as objects, or need a package of their author, and are not run again: "
            + ", ".join(f"`{text}`" for text in bundle.left_out) + ".\n"
        )  # fmt: skip
    return f"""# A study of qproj

{len(runs)} runs of {len(solvers)} solvers on {len(np.unique(runs["problem"]))} neurons and models.

- `original/`: the study, with every run, read and instance (`study.sqlite`), and its rows (`rows.csv`).
- `instances/`: the instances, layers as npz and models as COO.
- `study-N.toml`: study files that run everything again, by paths inside this folder.
- `environment.json`: versions, system, processor and command of each call that added runs.

It was made by

```console
{chr(10).join("$ " + command for command in commands)}
```

To run it again and compare, with the archive or in this folder:

```console
$ pip install {pins}
$ qproj compare BUNDLE.tar.xz --out again
$ for part in study-*.toml; do qproj compare $part --out again; done; qproj report original again --diff
```
{left_out}
Runs that ended by their work repeat exactly for a seed; those that a time limit ended depend on the machine.
"""


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owners and times: equal studies give equal archives."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry

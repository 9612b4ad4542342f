"""The built-in studies: run, kept whole in benchmarks/results/studies/NAME.tar.xz, and turned into pages again.

    python -m benchmarks.studies noise budget          run, keep, and rewrite docs/findings.md
    python -m benchmarks.studies --keep DIR noise      keep a study that was run with `qproj compare` before
    python -m benchmarks.studies --report noise        write noise.html from what is kept

A kept study holds its store (every run, read and layer), its training runs, and about.json: commit, command, machine.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import measure

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "results" / "studies"
NAMES = ("annealer-vs-exact", "encodings", "noise", "budget", "training-cost", "dynamics")
#: Studies of several files, each of which adds its runs to one folder.
PARTS = {"dynamics": ("dynamics-margin", "dynamics-curvature", "dynamics-majority")}


def keep(name: str, folder: Path, seconds: float | None = None, commit: str = "") -> Path:
    """Pack a study's folder and return the archive's path; `commit` where another checkout than this ran it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    target = KEPT / f"{name}.tar.xz"
    with tempfile.TemporaryDirectory() as space:
        store = Path(space) / "study.sqlite"
        with sqlite3.connect(folder / "study.sqlite") as source:
            source.execute("VACUUM INTO ?", (str(store),))
            count = source.execute("SELECT count(*) FROM run").fetchone()[0]
        about = {
            "command": "; ".join(f"qproj compare examples/studies/{part}.toml --out {name}" for part in parts_of(name)),
            "commit": commit or measure.commit(),
            "runs": count, "seconds": seconds, "machine": measure.machine(),
        }  # fmt: skip
        (Path(space) / "about.json").write_text(json.dumps(about, indent=1) + "\n")
        with (
            lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            tar.add(Path(space) / "about.json", "about.json", filter=_plain)
            tar.add(store, "study.sqlite", filter=_plain)
            for path in sorted([*folder.glob("training.json"), *folder.glob("training/runs/*.json")]):
                tar.add(path, str(path.relative_to(folder)), filter=_plain)
    return target


def parts_of(name: str) -> tuple[str, ...]:
    """Return the study files that a study consists of."""
    return PARTS.get(name, (name,))


def unpack(name: str, folder: Path) -> dict[str, Any]:
    """Unpack a kept study into `folder` and return its about.json."""
    with tarfile.open(KEPT / f"{name}.tar.xz", "r:xz") as tar:
        tar.extractall(folder, filter="data")
    about: dict[str, Any] = json.loads((folder / "about.json").read_text())
    return about


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owners and times: equal studies give equal archives."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _run(name: str) -> None:
    folder = ROOT / "build" / "studies" / name
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.perf_counter()
    for part in parts_of(name):
        file = ROOT / "examples" / "studies" / f"{part}.toml"
        command = ["compare", str(file), "--workers", "2", "--out", str(folder)]
        subprocess.run([sys.executable, "-m", "qproj", *command], check=True)
    print(keep(name, folder, round(time.perf_counter() - begin, 1)))


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("names", nargs="*", metavar="study", help=f"of {', '.join(NAMES)}; default: all")
    options.add_argument("--keep", type=Path, metavar="DIR", help="do not run: keep this folder's study")
    options.add_argument("--seconds", type=float, help="with --keep: how long it took")
    options.add_argument("--commit", default="", help="with --keep: the commit that ran it; default: this checkout's")
    options.add_argument("--report", action="store_true", help="do not run: write NAME.html from what is kept")
    arguments = options.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        options.error(f"no study {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        if arguments.report:
            from qproj.lab.report import write_report
            from qproj.lab.studies.results import Results

            with tempfile.TemporaryDirectory() as space:
                folder = Path(space) / name
                unpack(name, folder)
                print(write_report(Results.read(folder), f"{name}.html"))
        elif arguments.keep:
            print(keep(name, arguments.keep, arguments.seconds, arguments.commit))
        else:
            _run(name)
    if not arguments.report:
        from benchmarks.findings import write_page

        write_page()


if __name__ == "__main__":
    main()

"""Installs the wheel and the sdist in empty environments, each Python that is here, core alone and every extra, newest
and lowest versions; runs the smoke test in each and writes what came of it.

    python tests/packaging/installs.py DIST [--out FILE] [--only "lowest;scip"] [--pythons 3.11,3.12]

DIST holds one wheel and one sdist (`make dist`). Needs uv (`pip install uv`) and a package index. FILE keeps what was
tried before and is not tried now; each case names its commit.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What shows that an extra works: imported after installing it.
EXTRAS = {
    "dwave": "import qproj; assert qproj.get_solver('dwave-emulated', embedding_folder=None)",
    "qiskit": "import qproj; assert qproj.get_solver('qaoa-fast')",
    "gurobi": "import qproj; assert qproj.get_solver('gurobi')",
    "highs": "import qproj; assert qproj.get_solver('highs').solve(qproj.SignProjection([[1]], [1.0])).gap == 0",
    "scip": "import qproj; assert qproj.get_solver('scip').solve(qproj.SignProjection([[1]], [1.0])).gap == 0",
    "report": "import polars, plotly, matplotlib, jinja2, qproj.lab.report",
    "data": "from qproj.lab.datasets import load_digits; assert len(load_digits().X_train)",
    "dask": "import distributed, qproj.lab.studies",
}  # fmt: skip
LEFT_OUT = {
    "torch": "gigabytes; the test suite runs with the pinned build",
    "demo": "report and data",
    "all": "the sum",
}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def install(uv, python, packages, *, lowest=()):
    """Return (environment, error): an empty environment with these packages; `lowest` requirements at their bounds."""
    folder = Path(tempfile.mkdtemp(prefix="qproj-install-"))
    made = run(uv, "venv", "-q", "--python", python, folder / "venv")
    if made.returncode:
        return folder, made.stderr
    options = ["--resolution", "lowest-direct", *lowest] if lowest else ["-c", ROOT / "constraints.txt"]
    done = run(uv, "pip", "install", "-q", "--python", folder / "venv" / "bin" / "python", *options, *packages)
    return folder, done.stderr if done.returncode else ""


def tried(uv, python, packages, code, **options):
    start = time.monotonic()
    folder, error = install(uv, python, packages, **options)
    try:
        if not error:
            environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            shutil.copy(ROOT / "tests" / "packaging" / "wheel_smoke.py", folder)
            command = [folder / "venv" / "bin" / "python", *(["-c", code] if code else ["wheel_smoke.py"])]
            done = run(*command, cwd=folder, env=environment)
            error = done.stderr[-600:] if done.returncode else ""
        return {
            "ok": not error,
            "seconds": round(time.monotonic() - start),
            **({"error": error[-600:]} if error else {}),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pythons", default="3.11,3.12,3.13")
    parser.add_argument("--only", default="")
    parser.add_argument("--uv", default=shutil.which("uv") or "uv")
    asked = parser.parse_args()
    (wheel,), (sdist,) = asked.dist.glob("*.whl"), asked.dist.glob("*.tar.gz")
    pythons = asked.pythons.split(",")
    core, extras = PROJECT["dependencies"], PROJECT["optional-dependencies"]
    cases = [(f"core, wheel, Python {p}", p, [wheel], "", {}) for p in pythons]
    cases += [(f"core, sdist, Python {pythons[0]}", pythons[0], [sdist], "", {})]
    cases += [(f"core, lowest versions, Python {pythons[0]}", pythons[0], [wheel], "", {"lowest": core})]
    for extra, code in EXTRAS.items():
        cases += [
            (f"{extra}, wheel, Python {p}", p, [f"qproj[{extra}] @ file://{wheel.resolve()}"], code, {})
            for p in pythons
        ]
        lowest = [f"qproj[{extra}] @ file://{wheel.resolve()}"]
        cases += [
            (
                f"{extra}, lowest versions, Python {pythons[0]}",
                pythons[0],
                lowest,
                code,
                {"lowest": [*core, *extras[extra]]},
            )
        ]
    assert set(EXTRAS) | set(LEFT_OUT) == set(PROJECT["optional-dependencies"])
    results, tries = {}, 0
    if asked.out and asked.out.exists():
        results = json.loads(asked.out.read_text())["installs"]
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").stdout.strip()
    for name, python, packages, code, options in cases:
        if asked.only and not any(part in name for part in asked.only.split(";")):
            continue
        results[name] = tried(asked.uv, python, packages, code, **options) | {"commit": commit}
        tries += 1
        print(("ok    " if results[name]["ok"] else "FAILED"), name, results[name].get("error", "")[-400:], flush=True)
    assert tries, "nothing was tried"
    if asked.out:
        told = {
            "command": "python tests/packaging/installs.py dist --out tests/packaging/installs.json",
            "machine": f"{platform.system()} {platform.machine()}", "left_out": LEFT_OUT, "installs": results,
        }  # fmt: skip
        asked.out.write_text(json.dumps(told, indent=1) + "\n")
    return int(not all(result["ok"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())

"""Run the benchmark modules and rewrite docs/performance.md from their JSON.

    python -m benchmarks                    all modules, quick
    python -m benchmarks --full             more repetitions, longer limits; the page shows these where there are any
    python -m benchmarks encode_time        one module
    python -m benchmarks --page             only the page, from the JSON that is there

A module takes part if it has TITLE, run(quick) -> dict (plain JSON) and section(dict) -> str (Markdown).
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmarks
from benchmarks.measure import FULL, RESULTS, commit, machine, stored

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
NOTES = Path(__file__).parent / "tried.md"

INTRODUCTION = """# Performance

Written by `python -m benchmarks` (`make bench`) from benchmarks/results/*.json; not edited by hand. Every module
measures qproj and its peers in one run, on the same inputs, which are random; read the ratios, not the seconds.
Spread is median (least to most). Times are those of a warm process: the first call of a process compiles or loads
numba's code, which is stated where it matters.
"""


def modules() -> dict[str, ModuleType]:
    """Return the modules that take part, by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    loaded = {name: importlib.import_module(f"benchmarks.{name}") for name in names}
    return {
        name: m for name, m in loaded.items() if all(hasattr(m, hook) for hook in ("TITLE", "run", "section"))
    }  # fmt: skip


def measure(name: str, module: ModuleType, quick: bool, before: dict[str, Any]) -> None:
    begin = time.perf_counter()
    result = module.run(quick)
    took = time.perf_counter() - begin
    record = {"machine": before, "commit": commit(), "quick": quick, "seconds": round(took, 1), "result": result}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}{'' if quick else FULL}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"\n## {module.TITLE}\n{module.section(json.loads(json.dumps(result)))}\n{name}: {took:.0f} s", flush=True)


def page(found: dict[str, ModuleType]) -> str:
    """Return docs/performance.md from the stored results."""
    parts = [INTRODUCTION]
    for name, module in found.items():
        record = stored(name)
        if record is None:
            continue
        at = record["machine"]
        versions = ", ".join(f"{package} {version}" for package, version in at["versions"].items())
        parts.append(f"\n## {module.TITLE}\n{module.section(record['result'])}")
        parts.append(
            f"\n<small>{at['date']}, {at['cpu']}, {at['cores']} cores, load average before the run {at['load'][0]:g}, "
            f"Python {at['python']}, {versions}; commit {record['commit']}, "
            f"{'quick' if record['quick'] else 'full'} run of {record['seconds']:g} s.</small>\n"
        )
    if NOTES.exists():
        parts.append("\n" + NOTES.read_text())
    return "".join(parts)


def main() -> None:
    found = modules()
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("names", nargs="*", metavar="module", help=f"of {', '.join(found)}; default: all")
    options.add_argument("--full", action="store_true", help="more repetitions, longer limits")
    options.add_argument("--page", action="store_true", help="only rewrite the page")
    arguments = options.parse_args()
    unknown = sorted(set(arguments.names) - set(found))
    if unknown:
        options.error(f"no module {', '.join(unknown)}; there are {', '.join(found)}")
    failed: list[str] = []
    if not arguments.page:
        from qproj.solvers.builtin.warm import warm

        before = machine()  # once: each module's own work is the next one's load average
        for _ in warm():  # every kernel compiled, so that no module pays for it
            pass
        for name in arguments.names or found:
            try:
                measure(name, found[name], not arguments.full, before)
            except Exception:  # one module that fails does not cost the others' results
                traceback.print_exc()
                failed.append(name)
    PAGE.write_text(page(found))
    print(f"wrote {PAGE}")
    if failed:
        raise SystemExit(f"failed, and left as they were: {', '.join(failed)}")


if __name__ == "__main__":
    main()

"""Tables of docs/reliability.md with a row per solver: measured in processes of their own, stored as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from table import PAGE, between

import qproj

#: Services, of which there is none here.
REMOTE = {"dwave", "dwave-hybrid"}

#: case → solver → what was measured
Stored = dict[str, dict[str, Any]]


def names() -> list[str]:
    """Return the registered solvers that can be used here."""
    return [
        one.name for one in qproj.list_solvers() if one.installed and one.token is not False and one.name not in REMOTE
    ]


def is_refusal(status: str) -> bool:
    return status.startswith(("TypeError", "ValueError", "TooLargeError", "MissingLicenceError", "MissingPackageError"))


def rows(stored: Stored, cases: Iterable[str], cell: Callable[[Any], str], mark: Callable[[str], str]) -> str:
    """Return the table of what is stored, one row per solver; `mark` follows a solver's name."""
    heads = list(cases)
    lines = ["| solver | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name in sorted({name for row in stored.values() for name in row}):
        lines.append(f"| `{name}`{mark(name)} | " + " | ".join(cell(stored[case].get(name)) for case in heads) + " |")
    return "\n".join(lines)


def main(module: Any) -> None:
    """Measure what the command line of `module` asks for, store it, and rewrite its table on the page.

    Parameters
    ----------
    module
        Has CASES, STORED, ``measure(name, case)``, ``measure_here(name, case)``, ``shown(outcome)`` and
        ``with_table(text, stored)``.
    """
    options = argparse.ArgumentParser(description=(module.__doc__ or "").splitlines()[0])
    options.add_argument("--here", nargs=2, help="measure one solver on one case, in this process")
    options.add_argument("--solvers", nargs="*", help="these only; the others keep their figures")
    options.add_argument("--cases", nargs="*", type=int, help="numbers of cases, from 0")
    options.add_argument("--text", action="store_true", help="rewrite the page from what is stored")
    arguments = options.parse_args()
    if arguments.here:
        module.measure_here(*arguments.here)
        return
    kept: Path = module.STORED
    stored: Stored = json.loads(kept.read_text()) if kept.is_file() else {}
    chosen = [] if arguments.text else arguments.solvers or names()
    for number, case in enumerate(module.CASES):
        stored.setdefault(case, {})
        if arguments.cases and number not in arguments.cases:
            continue
        for name in chosen:
            stored[case][name] = module.measure(name, case)
            print(case, name, module.shown(stored[case][name]), flush=True)
            kept.write_text(json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    PAGE.write_text(module.with_table(PAGE.read_text(), stored))


__all__ = ["PAGE", "REMOTE", "Stored", "between", "is_refusal", "main", "names", "rows"]

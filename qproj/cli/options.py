"""What several commands share: options of one meaning, lists of words and numbers, and seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

#: More seeds than that are a slip of the hand.
MOST_SEEDS = 10_000


def complete_solver(incomplete: str) -> list[str]:
    """Return the registered solvers that begin so, for completion in a shell; after a comma, the next one of a list."""
    from qproj.solvers.registry import solver_names

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in solver_names() if name.startswith(last)]


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
References = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Take optima and bounds from this study, or csv file of qproj export --format references, alone; by "
        "default from the study itself.",
    ),
]
Wide = Annotated[bool, typer.Option("--wide", help="Show every column, even beyond the terminal's width.")]
SolverName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=complete_solver,
        help="The solver: a name that `qproj solvers` lists, with options if you like (sa:num_sweeps=500), or in a "
        "composite: polished(sa).",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N", help="Random seed; the same seed gives the same result unless the clock ended the search."
    ),
]
Seeds = Annotated[
    str, typer.Option(metavar="N or N,…", help="How many random seeds, counted from 0; or a list, 101,102.")
]


def words(text: str) -> list[str]:
    """Return the words between commas; empty ones go."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str, kind: Callable[[str], Any], option: str) -> list[Any]:
    """Return the numbers between commas; ``none`` is None, the default of each solver.

    Raises
    ------
    ValueError
        A word that is neither.
    """
    values: list[Any] = []
    for word in words(text):
        try:
            values.append(None if word.lower() == "none" else kind(word))
        except ValueError:
            whole = "whole " if kind is int else ""
            raise ValueError(f"{option} has {word!r}; {whole}numbers, or none, are needed") from None
    return values


def seeds(text: str) -> list[int]:
    """Return the seeds that ``--seeds`` names: a count, "3" for 0, 1 and 2, or a list with commas, "101,102".

    Raises
    ------
    ValueError
        Anything else, a count out of range, or a seed that is there twice or is too large.
    """
    found = words(text)
    if not found or not all(word.isascii() and word.isdigit() for word in found):
        raise ValueError(f"--seeds is {text}; a count such as 5, or a list such as 101,102, is needed")
    values = [int(word) for word in found]
    if "," not in text:
        if not 1 <= values[0] <= MOST_SEEDS:
            raise ValueError(f"--seeds is {text}; a count from 1 to {MOST_SEEDS}, or a list with commas, is needed")
        return list(range(values[0]))
    if len(set(values)) < len(values):
        raise ValueError(f"--seeds is {text}; each seed once")
    if max(values) >= 2**32:
        raise ValueError(f"--seeds is {text}; numbers below 2³² are allowed")
    return values

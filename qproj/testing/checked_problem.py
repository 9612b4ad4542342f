"""What a checked problem is: its name, its size and how to make it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A named problem, newly made at each call of `make`, so that no two solves share an object.

    Attributes
    ----------
    kind : str
        "projection", "bqm" or "cqm".
    size : int
        Number of weights or variables.
    tags : frozenset of str
        "degenerate", "labels", "scale", "reads", "infeasible", "pieces", "middle" (too large to be guessed, and
        proved), "hard", "refusable" (a solver may refuse it with a ValueError).
    """

    name: str
    kind: str
    size: int
    make: Callable[[], Any]
    tags: frozenset[str] = frozenset()

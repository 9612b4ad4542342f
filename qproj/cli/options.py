"""What several commands read from text: lists of words and numbers, and seeds, which mean the same in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: More seeds than that are a slip of the hand.
MOST_SEEDS = 10_000


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

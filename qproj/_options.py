"""Named choices with keyword options: the nearest name is offered where one is misspelt."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def nearest(name: object, allowed: Iterable[str]) -> str:
    """Return "did you mean 'x'?" where a name is close, else the list of what is allowed."""
    names = sorted(allowed)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, names)) or 'none'}"


def check_options(
    function: Callable[..., Any],
    what: str,
    options: Mapping[str, Any],
    skip: int = 0,
    *,
    elsewhere: Iterable[str] = (),
    where: str = "",
) -> None:
    """Raise TypeError, naming the nearest, where `function` takes no keyword of an option's name.

    The first `skip` parameters are positional and cannot be set by options. For a name from `elsewhere` the message
    says `where` it belongs.
    """
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    allowed = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for name in options:
        if name not in allowed:
            remedy = f"it belongs to {where}" if name in elsewhere else nearest(name, [*allowed, *elsewhere])
            raise TypeError(f"{what} has no option {name!r}; {remedy}")


def check_named_options(
    table: Mapping[str, Callable[..., Any]], name: str, what: str, options: Mapping[str, Any]
) -> None:
    """Raise ValueError for a name that is not in the table, TypeError for an option that the named function lacks."""
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; {nearest(name, table)}")
    if options:  # reading a signature takes longer than building a small model
        check_options(table[name], f"{what} {name!r}", options, skip=1)


def call_with_options(
    table: Mapping[str, Callable[..., Any]], name: str, what: str, argument: Any, options: Mapping[str, Any]
) -> Any:
    """Return table[name](argument, **options), after :func:`check_named_options`."""
    check_named_options(table, name, what, options)
    return table[name](argument, **options)

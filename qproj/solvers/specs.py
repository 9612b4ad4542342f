"""Solvers as text: ``sa``, ``sa:encoding=margin,num_sweeps=500``, ``polished(random)``, ``my_module:MySolver``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from qproj._options import check_options, nearest
from qproj.solvers.registry import get_solver, own_class, solver_class, solver_names

#: A solver of the user's own: module:object, then options.
_OWN = re.compile(r"([A-Za-z_][\w.]*:[A-Za-z_]\w*)(?::(.*))?", re.DOTALL)
Value = str | int | float | bool | None
#: Solvers that one text may name by ``option=a|b``.
MOST_ALTERNATIVES = 1000


def _wrappers() -> dict[str, Callable[..., Any]]:
    from qproj.solvers.composites.polished import Polished
    from qproj.solvers.composites.refined import Refined
    from qproj.solvers.composites.unmerged import Unmerged

    return {"polished": Polished, "refined": Refined, "unmerged": Unmerged}


@dataclass(frozen=True)
class SolverSpec:
    """A solver that is yet to be made: its registered name, or a wrapper around another, and options.

    Attributes
    ----------
    name : str
        Registered name, or "polished", "refined" or "unmerged".
    options : mapping
        For the constructor; ``encoding.kappa`` and the like go into ``encoding_options``.
    inner : SolverSpec or None
        What a wrapper wraps.
    """

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)
    inner: SolverSpec | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type[SolverSpec], tuple[Any, ...]]:
        return SolverSpec, (self.name, dict(self.options), self.inner)

    @property
    def text(self) -> str:
        """The canonical text: options sorted by name; parsing it gives this spec again."""
        head = self.name if self.inner is None else f"{self.name}({self.inner.text})"
        pairs = ",".join(f"{key}={_shown(self.options[key])}" for key in sorted(self.options))
        return f"{head}:{pairs}" if pairs else head

    @property
    def base(self) -> str:
        """The registered name of the innermost solver."""
        return self.name if self.inner is None else self.inner.base

    def make(self) -> Any:
        """Return the solver.

        Raises
        ------
        ValueError, TypeError
            An unknown name or option (the nearest is offered), or a value that the solver refuses.
        MissingPackageError, MissingTokenError
            Its backend cannot be used here.
        """
        options = _nested(self.options)
        if self.inner is None:
            return get_solver(self.name, **options)
        wrapper = _wrappers()[self.name]
        check_options(wrapper, f"{self.name}(…)", options, skip=1)
        return wrapper(self.inner.make(), **options)

    def check(self) -> None:
        """Refuse unknown names and options without making the solver."""
        if self.inner is None:
            known = solver_class(self.name)
            if isinstance(known, type) or ":" not in self.name:
                check_options(known, f"solver {self.name!r}", _nested(self.options))
            elif self.options:
                raise TypeError(f"{self.name!r} is an object that is made already; name its class to give it options")
            return
        self.inner.check()
        check_options(_wrappers()[self.name], f"{self.name}(…)", _nested(self.options), skip=1)

    def with_option(self, name: str, value: Value) -> SolverSpec:
        """Return this spec with one more option, set on the innermost solver."""
        if self.inner is not None:
            return SolverSpec(self.name, self.options, self.inner.with_option(name, value))
        return SolverSpec(self.name, {**self.options, name: value})


def parse_solver(text: str) -> SolverSpec:
    """Return the spec of one solver.

    Raises
    ------
    TypeError, ValueError
        Not a spec, or an unknown name or option; the nearest is offered.

    Examples
    --------
    >>> parse_solver("polished(sa:num_sweeps=50)").text
    'polished(sa:num_sweeps=50)'
    """
    spec = _parse(text)
    spec.check()
    return spec


def parse_solvers(text: str | Iterable[str]) -> list[SolverSpec]:
    """Return the specs of a list such as ``auto,sa:encoding=margin,num_sweeps=500,polished(random)``, each once.

    A piece that is only ``option=value`` continues the solver before it; ``option=a|b`` makes one solver a value.
    """
    return list({spec.text: spec for spec in as_written(text)}.values())


def as_written(text: str | Iterable[str]) -> list[SolverSpec]:
    """Return what :func:`parse_solvers` does, but keep repeated names."""
    pieces = split_commas(text) if isinstance(text, str) else [piece for part in text for piece in split_commas(part)]
    joined: list[str] = []
    for piece in pieces:
        head = piece.split("=", 1)[0]
        if joined and "=" in piece and ":" not in head and "(" not in head:
            joined[-1] += ("," if _has_options(joined[-1]) else ":") + piece
        else:
            joined.append(piece)
    if not joined:
        raise ValueError("no solver is given; name at least one, such as 'auto': `qproj solvers` lists them")
    return [parse_solver(one) for piece in joined for one in alternatives(piece)]


def takes_encoding(spec: SolverSpec) -> bool:
    """Tell whether the innermost solver has an ``encoding`` to choose and the spec leaves it open."""
    import inspect

    if spec.inner is not None:
        return spec.name in ("polished", "unmerged") and takes_encoding(spec.inner)
    factory = solver_class(spec.name)
    return callable(factory) and "encoding" in inspect.signature(factory).parameters and "encoding" not in spec.options


def _parse(text: str) -> SolverSpec:
    if not isinstance(text, str):
        raise TypeError(f"a solver is written as text, not {type(text).__name__}; such as 'sa:num_sweeps=500'")
    stripped = text.strip()
    head, inner, rest = _parts(stripped)
    if not head:
        raise ValueError(f"{text!r} names no solver; write NAME, NAME:option=value or polished(NAME)")
    wrappers = _wrappers()
    if inner is None:
        if head in wrappers:
            raise ValueError(f"{head!r} wraps another solver; write {head}(sa), say")
        if ":" in head:
            solver_class(head)
        elif head not in (names := solver_names()):
            raise ValueError(
                f"unknown solver {head!r}; {nearest(head, [*names, *wrappers])}; `qproj solvers` lists "
                f"them{own_class(head)}"
            )
        return SolverSpec(head, _options(rest, text))
    if head not in wrappers:
        raise ValueError(f"unknown wrapper {head!r} in {text!r}; {nearest(head, wrappers)}")
    return SolverSpec(head, _options(rest, text), _parse(inner))


def _parts(text: str) -> tuple[str, str | None, str]:
    """Split ``head(inner):rest``; the head of ``module:object`` has a colon of its own."""
    own = _OWN.fullmatch(text)
    if own and own[1].partition(":")[0] not in solver_names():
        return own[1], None, own[2] or ""
    opening, colon = text.find("("), text.find(":")
    if opening == -1 or (colon != -1 and colon < opening):
        head, _, rest = text.partition(":")
        return head.strip(), None, rest
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            rest = text[place + 1 :].strip()
            if rest and not rest.startswith(":"):
                raise ValueError(f"{rest!r} follows the bracket in {text!r}; only :option=value may")
            return text[:opening].strip(), text[opening + 1 : place], rest[1:]
    raise ValueError(f"{text!r} lacks a closing bracket; write polished(NAME)")


def _options(text: str, whole: str) -> dict[str, Value]:
    options: dict[str, Value] = {}
    for pair in split_commas(text):
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key or not value.strip():
            raise ValueError(f"{pair!r} in {whole!r} is not an option; write option=value")
        if key in options:
            raise ValueError(f"option {key!r} is given twice in {whole!r}; give it once")
        options[key] = _value(value.strip())
    return options


def _value(text: str) -> Value:
    words: dict[str, Value] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(value: Value) -> str:
    return (
        {True: "true", False: "false", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def _nested(options: Mapping[str, Value]) -> dict[str, Any]:
    """Gather ``encoding.kappa`` and the like under ``encoding_options``."""
    plain: dict[str, Any] = {}
    for key, value in options.items():
        group, dot, name = key.partition(".")
        if dot and group == "encoding":
            plain.setdefault("encoding_options", {})[name] = value
        else:
            plain[key] = value
    return plain


def split_commas(text: str, mark: str = ",") -> list[str]:
    """Split at the commas that stand outside brackets; empty pieces go."""
    pieces, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == mark and depth == 0:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def _has_options(piece: str) -> bool:
    _, _, rest = _parts(piece)
    return bool(rest)


def alternatives(piece: str) -> list[str]:
    """Return one text a choice of ``option=a|b`` (outside brackets and inside)."""
    bar = piece.find("|")
    if bar == -1:
        return [piece]
    start = max(piece.rfind(mark, 0, bar) for mark in "=") + 1
    ends = [place for mark in ",)" if (place := piece.find(mark, bar)) != -1]
    end = min(ends, default=len(piece))
    texts = []
    for value in piece[start:end].split("|"):
        texts += alternatives(piece[:start] + value.strip() + piece[end:])
        if len(texts) > MOST_ALTERNATIVES:
            raise ValueError(
                f"{piece[:60]!r} names more than {MOST_ALTERNATIVES} solvers; give fewer values of option=a|b"
            )
    return texts

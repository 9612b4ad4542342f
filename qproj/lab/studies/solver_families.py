"""Solvers of a study that differ in the value of one option only: the curves of scans and of optimal times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qproj.lab.studies.solver_table import SolverLine
from qproj.solvers.specs import SolverSpec, parse_solver

#: Options that are one knob: the noise of h and of J are scanned together.
TOGETHER = {"sigma_h": ("sigma_h", "sigma_j")}


@dataclass(frozen=True)
class SolverFamily:
    """Solvers alike but for one number.

    Attributes
    ----------
    name, option : str
        The solver without the option, its budget included; the option.
    members : tuple of (value, SolverLine)
        By value.
    """

    name: str
    option: str
    members: tuple[tuple[float, SolverLine], ...]


def families(lines: Sequence[SolverLine], least: int = 3) -> list[SolverFamily]:
    """Return the families with at least so many different values of an option, option by option."""
    known = _specs(lines)
    options = sorted({option for spec, _ in known for option in _options(spec)} - {"sigma_j"})
    return [family for option in options for family in _of(option, known, least)]


def _of(option: str, known: list[tuple[SolverSpec, SolverLine]], least: int) -> list[SolverFamily]:
    together = TOGETHER.get(option, (option,))
    groups: dict[str, list[tuple[float, SolverLine]]] = {}
    for spec, line in known:
        value = _options(spec).get(option)
        if value is not None:
            budget = line.label.removeprefix(line.solver)
            groups.setdefault(_without(spec, together) + budget, []).append((value, line))
    return [
        SolverFamily(name, option, tuple(sorted(members, key=lambda member: member[0])))
        for name, members in groups.items()
        if len({value for value, _ in members}) >= least
    ]


def _specs(lines: Sequence[SolverLine]) -> list[tuple[SolverSpec, SolverLine]]:
    found = []
    for line in lines:
        try:
            found.append((parse_solver(line.solver), line))
        except (TypeError, ValueError, ImportError):  # an object that a Python caller gave
            continue
    return found


def _options(spec: SolverSpec) -> dict[str, float]:
    inner = spec.inner
    own = {} if inner is None else _options(inner)
    for name, value in spec.options.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            own[name] = float(value)
    return own


def _without(spec: SolverSpec, names: tuple[str, ...]) -> str:
    inner = None if spec.inner is None else parse_solver(_without(spec.inner, names))
    return SolverSpec(spec.name, {k: v for k, v in spec.options.items() if k not in names}, inner).text

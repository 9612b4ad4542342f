"""Tuning as part of a study: settings drawn from ranges, the same for every neuron, and how neurons are split.

All settings run on all neurons, as solvers of the study do. Which of them would have been chosen on the training
neurons, and what it is worth on the unseen ones, is worked out from the rows (:mod:`~qproj.lab.studies.tuning_table`),
after D. E. Bernal Neira et al., arXiv 2402.10255.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qproj._files import write_text
from qproj.solvers.specs import SolverSpec, parse_solver, takes_encoding

#: Below a study's folder.
FILE = "tuning.json"
OBJECTIVES = ("gap", "tts")
#: A range of numbers > 0 whose ends are so far apart is searched on a logarithmic scale.
_LOGARITHMIC = 10.0


@dataclass(frozen=True)
class TuningPlan:
    """One solver's settings, and how they are judged.

    Attributes
    ----------
    solver : str
        The spec without the settings: the default.
    settings : tuple of dict
        Options of each setting; the first is empty.
    share : float
        Of the layers of each size (of its neurons, where there is one layer), that settings are chosen on.
    objective : {"gap", "tts"}
        The mean gap, or the median TTS99, of which the least is chosen.
    seed : int
        Of the draw and of the split.
    """

    solver: str
    settings: tuple[Mapping[str, Any], ...]
    share: float = 0.5
    objective: str = "gap"
    seed: int = 0

    @property
    def specs(self) -> list[SolverSpec]:
        """The solvers of the study that the settings stand for, the default first."""
        return [_with(parse_solver(self.solver), options) for options in self.settings]


def make_tuning(
    solver: str,
    parameters: Mapping[str, Sequence[Any]],
    settings: int,
    *,
    share: float = 0.5,
    objective: str = "gap",
    seed: int = 0,
) -> TuningPlan:
    """Return a plan of the default and further settings, drawn as a Latin hypercube.

    Parameters
    ----------
    solver : str
        A solver's spec; options that are not tuned stay.
    parameters : mapping
        Option to two numbers, the ends of its range (whole numbers where both are, logarithmic where they are ten times
        apart), or to a list of three or more numbers, or of texts, to choose among.
    settings : int
        How many are tried, the default among them: at least 2.
    share, objective, seed
        See :class:`TuningPlan`.

    Raises
    ------
    ValueError, TypeError
        An unknown solver or option, no parameter, an empty range, or a share, objective or number out of range.
    """
    from scipy.stats import qmc

    spec = parse_solver(solver)
    if settings < 2:
        raise ValueError(f"settings is {settings}; at least 2 are needed, the default and one more")
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; a number between 0 and 1 is needed, such as 0.5")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective is {objective!r}; gap or tts is needed")
    if not parameters:
        raise ValueError("parameters is empty; name at least one, such as num_sweeps = [10, 1000]")
    for name, values in parameters.items():
        if len(values) < 2 or (_is_range(values) and not values[0] < values[1]):
            raise ValueError(f"{name} is {list(values)}; a range [low, high], or values to choose among, is needed")
    points = qmc.LatinHypercube(len(parameters), seed=seed).random(settings - 1)
    drawn: list[dict[str, Any]] = [{}]
    for point in points.tolist():
        one = {name: _value(values, u) for (name, values), u in zip(parameters.items(), point, strict=True)}
        if one not in drawn:
            drawn.append(one)
    plan = TuningPlan(spec.text, tuple(drawn), share, objective, seed)
    for made in plan.specs[:2]:
        made.make()  # an option that the solver does not have fails here, before any run
    return plan


def require_fixed_encoding(plans: Sequence[TuningPlan], encodings: Sequence[str]) -> None:
    """Refuse a study that crosses encodings with a tuned solver that leaves its own open."""
    for plan in plans:
        if encodings and takes_encoding(parse_solver(plan.solver)):
            raise ValueError(
                f"{plan.solver} is tuned and leaves its encoding open while encodings are crossed; name its encoding, "
                f"such as {plan.solver}:encoding={encodings[0]}"
            )


def split(sizes: Sequence[Any], layers: Sequence[Any], keys: Sequence[str], share: float, seed: int) -> list[bool]:
    """Return for each neuron whether settings are chosen on it.

    Whole layers are drawn within each size, as neurons of one layer share their inputs; of a size with one layer, its
    neurons. At least one is drawn, and one left, where there are two.
    """
    units: dict[Any, dict[Any, list[int]]] = {}
    alone = {size: len({layer for s, layer in zip(sizes, layers, strict=True) if s == size}) < 2 for size in set(sizes)}
    for i, (size, layer, key) in enumerate(zip(sizes, layers, keys, strict=True)):
        units.setdefault(size, {}).setdefault(key if alone[size] else str(layer), []).append(i)
    chosen = [False] * len(keys)
    for own in units.values():
        order = sorted(own, key=lambda unit: hashlib.sha256(f"{seed} {unit}".encode()).hexdigest())
        count = min(max(1, round(share * len(order))), max(1, len(order) - 1))
        for unit in order[:count]:
            for i in own[unit]:
                chosen[i] = True
    return chosen


def write_tuning(folder: Path, plans: Sequence[TuningPlan]) -> None:
    """Store a study's plans beside its rows."""
    content = [asdict(plan) for plan in plans]
    write_text(folder / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_tuning(folder: Path) -> list[TuningPlan]:
    """Return the plans of a study's folder; none where it tunes nothing."""
    if not (folder / FILE).is_file():
        return []
    content = json.loads((folder / FILE).read_text("utf-8"))
    return [TuningPlan(**{**one, "settings": tuple(one["settings"])}) for one in content]


def _with(spec: SolverSpec, options: Mapping[str, Any]) -> SolverSpec:
    for name, value in options.items():
        spec = spec.with_option(name, value)
    return spec


def _is_range(values: Sequence[Any]) -> bool:
    return len(values) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in values)


def _value(values: Sequence[Any], u: float) -> Any:
    """The value at the share u of a range or a list."""
    if not _is_range(values):
        return values[min(int(u * len(values)), len(values) - 1)]
    low, high = values
    if low > 0 and high / low >= _LOGARITHMIC:
        found = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    else:
        found = low + u * (high - low)
    if isinstance(low, int) and isinstance(high, int):
        return min(max(round(found), low), high)
    return float(np.format_float_positional(found, precision=4, fractional=False))

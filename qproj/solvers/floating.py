"""What a backend in floating point says of a linear model, and how far it is believed."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import LinearModel
from qproj.solvers.contract import EndedBy, Ending
from qproj.solvers.linear import Answer


class BackendStatus(Enum):
    """What a backend's status says: how the search ended, and what ended it."""

    PROVED = (Ending.PROVED, EndedBy.PROOF)
    REFUTED = (Ending.REFUTED, EndedBy.PROOF)
    CLOCK = (Ending.STOPPED, EndedBy.CLOCK)
    BUDGET = (Ending.STOPPED, EndedBy.BUDGET)
    BROKEN = (Ending.FAILED, EndedBy.ERROR)
    INFEASIBLE_OR_UNBOUNDED = None


def floating_answer(
    model: LinearModel,
    told: BackendStatus,
    values: FloatArray | None,
    bound: float,
    message: str,
    stats: dict[str, Any],
) -> Answer:
    """Return the answer of a backend that minimises cost·x/scale, `bound` being its own.

    Bounds count after a proof or a stop only, less what tolerances may hide; backends call 1e20 infinite.
    """
    if told is BackendStatus.INFEASIBLE_OR_UNBOUNDED:
        told = BackendStatus.REFUTED if _is_bounded(model) else BackendStatus.BROKEN
    ending, ended_by = told.value
    if ending not in (Ending.PROVED, Ending.STOPPED) or not abs(bound) < 1e20:
        bound = -np.inf
    bound = bound * model.scale + model.offset - _tolerance(model, values)
    return Answer(ending, ended_by, values, bound, message=message, stats=stats)


def _tolerance(model: LinearModel, values: FloatArray | None) -> float:
    """Return by how much a floating-point backend's bound on cost·x may be wrong, its tolerances being 1e-9.

    1e-6 of the largest coefficient holds reduced costs and pruning, 1e-9 of the sum rounding.
    """
    size = 0.0 if values is None else float(np.abs(model.cost * values).sum())
    return 1e-6 * model.scale + 1e-9 * size


def _is_bounded(model: LinearModel) -> bool:
    """Tell whether no variable with a cost is free to run away: backends call 1e20 infinite."""
    paid = model.cost != 0
    return bool((np.abs(model.lower[paid]) < 1e20).all() and (np.abs(model.upper[paid]) < 1e20).all())


def check_mip_options(threads: int, node_limit: int | None) -> None:
    """Refuse numbers of threads or nodes that mean nothing."""
    for option, value in (("threads", threads), ("node_limit", node_limit)):
        if value is None and option == "node_limit":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{option} is {value!r}; an integer ≥ 1 is allowed")

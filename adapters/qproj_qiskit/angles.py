"""Searching QAOA's angles: where to start, which of scipy's minimisers, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from qproj._arrays import FloatArray
from qproj._options import nearest

#: Offered by name. Without gradients: all but the last; "SPSA" is for noisy values (Spall 1992): two per step.
OPTIMIZERS = ("COBYLA", "COBYQA", "Nelder-Mead", "Powell", "SPSA", "L-BFGS-B")


def check_optimizer(name: str) -> None:
    """Raise ValueError for a name that is not in OPTIMIZERS; the nearest is offered."""
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {name!r}; {nearest(name, OPTIMIZERS)}")


def ramp(reps: int, step: float = 0.75) -> FloatArray:
    """Return angles (2p,) of a linear anneal: γ rises, β falls (Sack & Serbyn, arXiv 2101.05742)."""
    times = (np.arange(reps) + 0.5) / reps
    return np.concatenate((step * times, -step * (1.0 - times)))


class AngleSearch:
    """Counts evaluations, remembers the best angles, and ends the search at a deadline."""

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.evaluations = 0
        self.best_value = np.inf
        self.best_angles: FloatArray | None = None
        self.late = False

    def saw(self, value: float, angles: FloatArray) -> None:
        """Take note of one evaluation; raises OutOfTime past the deadline."""
        self.evaluations += 1
        if value < self.best_value or self.best_angles is None:
            self.best_value, self.best_angles = value, np.array(angles)
        if self.deadline is not None and time.perf_counter() >= self.deadline:
            self.late = True
            raise OutOfTime


class OutOfTime(Exception):
    """The deadline passed in the middle of a search."""


def search(
    value: Callable[[FloatArray], Any],
    start: FloatArray,
    *,
    optimizer: str,
    maxiter: int,
    progress: AngleSearch,
    rng: np.random.Generator,
    gradient: bool = False,
) -> None:
    """Minimise value(angles) from one start; the best angles seen are in `progress`.

    With ``gradient``, `value` returns (value, gradient).
    """

    def counted(angles: FloatArray) -> Any:
        result = value(angles)
        progress.saw(result[0] if gradient else result, angles)
        return result

    method: Any = spsa if optimizer == "SPSA" else optimizer
    options: dict[str, Any] = {"maxiter": maxiter}
    if optimizer == "SPSA":
        options["rng"] = rng
    try:
        minimize(counted, start, jac=gradient or None, method=method, options=options)
    except OutOfTime:
        return


def spsa(
    fun: Callable[..., float], x0: FloatArray, args: tuple[Any, ...] = (), *, maxiter: int = 100,
    rng: np.random.Generator, learning_rate: float = 0.2, perturbation: float = 0.1, **unused: Any,
) -> OptimizeResult:  # fmt: skip
    """Return argmin fun by simultaneous perturbation, as a method for ``scipy.optimize.minimize``.

    Gains fall as k^−0.602 and k^−0.101 (Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 1998).
    """
    x = np.array(x0, np.float64)
    for k in range(maxiter):
        width = perturbation / (k + 1) ** 0.101
        step = learning_rate / (k + 1 + 0.1 * maxiter) ** 0.602
        direction = rng.choice([-1.0, 1.0], len(x))
        slope = (fun(x + width * direction, *args) - fun(x - width * direction, *args)) / (2 * width)
        x -= step * slope * direction
    final = fun(x, *args)
    return OptimizeResult(x=x, fun=final, nit=maxiter, nfev=2 * maxiter + 1, success=True, message="maxiter reached")

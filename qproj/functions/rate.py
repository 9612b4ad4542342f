"""The rate of convergence, measured: mean ‖∇f‖ over T steps of size 1/√T, against T."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult
from scipy.stats import linregress, t

from qproj._arrays import FloatArray
from qproj.functions.minimize import minimize
from qproj.functions.smooth import Function


@dataclass(frozen=True)
class Rate:
    """What was measured.

    Attributes
    ----------
    steps : (k,) int64
        T.
    means : (k,) float64
        Mean ‖∇f‖ over T steps.
    slope, low, high : float
        Of log mean against log T, with a 95 % confidence interval; −½ or less is what the proof says.
    alignment : float
        The smallest c that any step had: the proof's assumption is c > 0.
    bounds : (k,) float64
        (f₀ − least value met)/(c√T) + LN/(2c√T) with that c: above the means wherever the assumptions hold.
    """

    steps: np.ndarray
    means: FloatArray
    slope: float
    low: float
    high: float
    alignment: float
    bounds: FloatArray


def measure_rate(
    fun: Function, x0: ArrayLike, *, method: str = "qpsbgd", tau: float = 1.0,
    steps: Sequence[int] = (100, 1000, 10_000), stochastic: bool = False, seed: int = 0,
    watch: Callable[[int], None] | None = None,
) -> Rate:  # fmt: skip
    """Return mean ‖∇f‖ of QP-SBGD with η = 1/√T for several T, and the slope on a log-log plot.

    `method` and `tau` are those of :func:`~qproj.functions.minimize`; `watch` is called with the number of steps made
    so far, of all T together.

    Raises
    ------
    ValueError
        Fewer than three different T: a slope without an interval says nothing.
    """
    counts = np.unique(np.asarray(steps, np.int64))
    if len(counts) < 3:
        raise ValueError(f"steps is {list(steps)}; three different numbers of steps or more are needed")
    runs: list[OptimizeResult] = []
    for T in counts:
        tell = None if watch is None else _after(watch, sum(run.nit for run in runs))
        runs.append(minimize(fun, x0, method, tau=tau, steps=int(T), stochastic=stochastic, seed=seed, watch=tell))
    means = np.array([run.gradient_norms.mean() for run in runs])
    c = float(min(np.nanmin(run.alignment) for run in runs))
    least = min(float(run.history.min()) for run in runs)
    root = np.sqrt(counts.astype(np.float64))
    first = float(runs[0].history[0])
    bounds = (first - least + 0.5 * fun.smoothness * fun.size) / (c * root) if c > 0 else np.full(len(root), np.inf)
    line = linregress(np.log(counts), np.log(means))
    half = float(t.ppf(0.975, len(counts) - 2) * line.stderr)
    slope = float(line.slope)
    return Rate(counts, means, slope, slope - half, slope + half, c, bounds)


def _after(watch: Callable[[int], None], before: int) -> Callable[[int], None]:
    return lambda made: watch(before + made)

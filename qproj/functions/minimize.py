"""QP-SBGD, its box-projected version and its peers on functions, in scipy's style."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from qproj._arrays import FloatArray, as_vector
from qproj._options import nearest
from qproj.functions.smooth import Function

#: (W, slope, η, λ) → W; λ is ProxQuant's.
Step = Callable[[FloatArray, FloatArray, float, float], FloatArray]


def _signs(slope: FloatArray) -> FloatArray:
    """V = argmin over v ∈ {±1}^N of ‖v + slope‖², ties +1: the metric projection with M = I."""
    return np.where(slope <= 0, 1.0, -1.0)


def _pull(x: FloatArray, lam: float) -> FloatArray:
    """Return argmin over u of ½(u − x)² + lam·min(|u − 1|, |u + 1|), elementwise."""
    pulled: FloatArray = x + np.clip(np.where(x >= 0, 1.0, -1.0) - x, -lam, lam)
    return pulled


#: name → (where the gradient is taken, the step).
METHODS: dict[str, tuple[Callable[[FloatArray], FloatArray], Step]] = {
    "qpsbgd": (lambda x: x, lambda x, slope, lr, lam: x + lr * _signs(slope)),
    "projected": (lambda x: x, lambda x, slope, lr, lam: np.clip(x + lr * _signs(slope), -1.0, 1.0)),
    "signsgd": (lambda x: x, lambda x, slope, lr, lam: x - lr * np.sign(slope)),
    "gd": (lambda x: x, lambda x, slope, lr, lam: x - lr * slope),
    "binaryconnect": (
        lambda x: np.where(x >= 0, 1.0, -1.0),
        lambda x, slope, lr, lam: np.clip(x - lr * slope, -1.0, 1.0),
    ),
    "proxquant": (lambda x: x, lambda x, slope, lr, lam: _pull(x - lr * slope, lam)),
}


def minimize(
    fun: Function,
    x0: ArrayLike,
    method: str = "qpsbgd",
    *,
    steps: int = 1000,
    lr: float | None = None,
    reg_rate: float | None = None,
    stochastic: bool = False,
    seed: int = 0,
    watch: Callable[[int], None] | None = None,
) -> OptimizeResult:
    """Minimise f by W ← W + η·V, or a peer, from x0.

    Parameters
    ----------
    fun : Function
    x0 : (N,) array_like
    method : str
        "qpsbgd": V = argmin over {±1}^N of ‖V + ∇f‖² (arXiv 2310.15128, the literal Π); "projected": clipped to the
        box; "signsgd", "gd"; "binaryconnect": the gradient at σ(W), W clipped; "proxquant": the gradient at W, then W
        moves by up to λ_k = η·reg_rate·k towards σ(W).
    steps : int
        T.
    lr : float, optional
        η; 1/√T by default, for which the convergence statement is proved (docs: convergence).
    reg_rate : float, optional
        Of "proxquant" only; 0.01 by default.
    stochastic : bool
        Use the function's random estimates.
    watch : callable, optional
        Called with the number of steps made, after each.

    Returns
    -------
    OptimizeResult
        x, fun, nit, and arrays over steps of exact figures: ``history`` (f), ``gradient_norms`` (‖∇f‖), ``alignment``
        (c = ⟨−∇f, V⟩/‖∇f‖, NaN where ∇f = 0). Where f is no longer finite, the run ends: ``success`` is False.

    Raises
    ------
    ValueError
        An unknown method (the nearest is offered), steps < 1, lr not finite and > 0, a reg_rate that is negative or
        given to another method, x0 of another size.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; {nearest(method, METHODS)}")
    if steps < 1:
        raise ValueError(f"steps is {steps}; an integer ≥ 1 is needed")
    rate = 1.0 / np.sqrt(steps) if lr is None else float(lr)
    if not 0 < rate < np.inf:
        raise ValueError(f"lr is {lr}; a finite number > 0 is needed")
    if reg_rate is not None and (method != "proxquant" or not 0 <= reg_rate < np.inf):
        raise ValueError(f"reg_rate is {reg_rate} with {method!r}; a number ≥ 0, with 'proxquant' only, is allowed")
    growth = 0.01 if reg_rate is None else reg_rate
    at, step = METHODS[method]
    x = as_vector(np.asarray(x0, np.float64), "x0", fun.size).copy()
    rng = np.random.default_rng(seed) if stochastic else None
    history, norms, alignment = np.empty(steps), np.empty(steps), np.empty(steps)
    made, diverged = 0, False
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is told by its end
        for k in range(steps):
            exact = fun.gradient(x, None)
            norms[k], history[k] = float(np.linalg.norm(exact)), fun.value(x)
            moved = step(x, fun.gradient(at(x), rng), rate, rate * growth * (k + 1))
            towards = (moved - x) / rate
            alignment[k] = -float(exact @ towards) / norms[k] if norms[k] > 0 else np.nan
            made = k + 1
            if watch is not None:
                watch(made)
            diverged = not (np.isfinite(moved).all() and np.isfinite(norms[k] + history[k]))
            if diverged:
                break
            x = moved
        end = fun.value(x)
    result: dict[str, Any] = {
        "x": x, "fun": end, "nit": made, "success": not diverged,
        "message": f"diverged in step {made}: lower lr" if diverged else "all steps made", "method": method,
        "lr": rate, "history": history[:made], "gradient_norms": norms[:made], "alignment": alignment[:made],
    }  # fmt: skip
    return OptimizeResult(**result)

"""QP-SBGD, its box-projected and curvature versions, and its peers on functions, in scipy's style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from qproj._arrays import FloatArray, as_vector
from qproj._options import nearest
from qproj.functions.smooth import Function

SCHEDULES = ("constant", "linear")
#: Sweeps of flips per step of "curvature".
SWEEPS = 5


@dataclass(frozen=True)
class Step:
    """What a method knows of one step: the averaged slope, η, the number of the step from 1 on, λ's growth and τ."""

    slope: FloatArray
    lr: float
    number: int
    growth: float
    tau: float


#: (function, W, step, what the method keeps) → W.
Method = Callable[[Function, FloatArray, Step, dict[str, Any]], FloatArray]


def signs(slope: FloatArray) -> FloatArray:
    """Return V = argmin over v ∈ {±1}^N of ‖v + slope‖², ties +1: the metric projection with M = I."""
    return np.where(slope <= 0, 1.0, -1.0)


def _curvature(fun: Function, x: FloatArray, step: Step, kept: dict[str, Any]) -> FloatArray:
    """W + ηV of the curvature projection: ρ = τ‖h‖₁/(v₀ᵀHv₀), so that the step is aligned for τ < 2."""
    h, H = -step.slope, _curvature_of(fun, x)
    v0 = signs(step.slope)
    power = float(v0 @ H @ v0)
    return x + step.lr * _best_step(h, H, step.tau * float(np.abs(h).sum()) / power if power > 0 else 0.0, kept)


def _second_order(fun: Function, x: FloatArray, step: Step, kept: dict[str, Any]) -> FloatArray:
    """W + ηV with the lowest quadratic model of f itself: ρ = τη."""
    return x + step.lr * _best_step(-step.slope, _curvature_of(fun, x), step.tau * step.lr, kept)


def _curvature_of(fun: Function, x: FloatArray) -> FloatArray:
    if fun.curvature is None:
        raise ValueError("this method needs a function with a curvature; 'qpsbgd' and 'signsgd' need none")
    return fun.curvature(x)


def _best_step(h: FloatArray, H: FloatArray, rho: float, kept: dict[str, Any]) -> FloatArray:
    """Return V with the least −h·v + ½ρ vᵀHv that flips from sign(h) and from the last V find."""
    from qproj.solvers.builtin.kernels.quadratic_flips import Quadratic, descend_quadratic

    problem = Quadratic.of(H, h[None, :], np.array([rho]))
    best, energy = np.where(h >= 0, 1.0, -1.0), np.inf
    for start in (best, kept.get("V", best)):
        V = start[None, :].astype(np.float32)
        descend_quadratic(problem, V, V @ problem.A, SWEEPS)
        for v in (start, V[0].astype(np.float64)):  # sign(h) too: rounding may have preferred another
            value = float(-h @ v + 0.5 * rho * v @ H @ v)
            if value < energy:
                best, energy = v, value
    kept["V"] = best
    return best


def _adam(fun: Function, x: FloatArray, step: Step, kept: dict[str, Any]) -> FloatArray:
    """Kingma and Ba 2014, β₂ = 0.999; the slope is averaged already."""
    square = kept["square"] = 0.999 * kept.get("square", 0.0) + 0.001 * kept["raw"] ** 2
    moved: FloatArray = x - step.lr * step.slope / (np.sqrt(square / (1.0 - 0.999**step.number)) + 1e-8)
    return moved


def _pull(fun: Function, x: FloatArray, step: Step, kept: dict[str, Any]) -> FloatArray:
    """ProxQuant: a step, then argmin over u of ½(u − x)² + λ·min(|u − 1|, |u + 1|), elementwise."""
    y, lam = x - step.lr * step.slope, step.lr * step.growth * step.number
    pulled: FloatArray = y + np.clip(np.where(y >= 0, 1.0, -1.0) - y, -lam, lam)
    return pulled


def _box(x: FloatArray) -> FloatArray:
    return np.clip(x, -1.0, 1.0)


#: The rule of each method: its next point from the function, the point, the step and what it keeps between steps.
METHODS: dict[str, Method] = {
    "qpsbgd": lambda fun, x, step, kept: x + step.lr * signs(step.slope),
    "projected": lambda fun, x, step, kept: _box(x + step.lr * signs(step.slope)),
    "curvature": _curvature,
    "second-order": _second_order,
    "signsgd": lambda fun, x, step, kept: x - step.lr * np.sign(step.slope),
    "gd": lambda fun, x, step, kept: x - step.lr * step.slope,
    "adam": _adam,
    "binaryconnect": lambda fun, x, step, kept: _box(x - step.lr * step.slope),
    "proxquant": _pull,
}


def minimize(
    fun: Function,
    x0: ArrayLike,
    method: str = "qpsbgd",
    *,
    steps: int = 1000,
    lr: float | None = None,
    schedule: str = "constant",
    momentum: float = 0.0,
    tau: float = 1.0,
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
        box; "curvature": V minimises −h·v + ½ρ vᵀHv, H from ``fun.curvature``, ρ = τ‖h‖₁/(v₀ᵀHv₀), v₀ = sign(h), as in
        training; "second-order": the same with ρ = τη, the quadratic model of f; "signsgd", "gd", "adam";
        "binaryconnect": the gradient at σ(W), W clipped; "proxquant": the gradient at W, then W moves by up to
        λ_k = η·reg_rate·k towards σ(W).
    steps : int
        T.
    lr : float, optional
        η; 1/√T by default, for which the convergence statement is proved (docs: convergence).
    schedule : {"constant", "linear"}
        η stays, or falls to a hundredth of itself.
    momentum : float
        β of a running mean of the gradient, bias corrected, that takes the gradient's place.
    tau : float
        Of "curvature" and "second-order".
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
    rate = _checked(method, steps, lr, schedule, momentum, reg_rate)
    growth = 0.01 if reg_rate is None else reg_rate
    x = as_vector(np.asarray(x0, np.float64), "x0", fun.size).copy()
    rng = np.random.default_rng(seed) if stochastic else None
    history, norms, alignment = np.empty(steps), np.empty(steps), np.empty(steps)
    mean, kept = np.zeros(fun.size), dict[str, Any]()
    made, diverged = 0, False
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is seen at its end
        for k in range(steps):
            exact = fun.gradient(x, None)
            norms[k], history[k] = float(np.linalg.norm(exact)), fun.value(x)
            at = np.where(x >= 0, 1.0, -1.0) if method == "binaryconnect" else x
            kept["raw"] = fun.gradient(at, rng)
            mean = momentum * mean + (1.0 - momentum) * kept["raw"]
            eta = rate * (1.0 - 0.99 * k / steps) if schedule == "linear" else rate
            moved = METHODS[method](fun, x, Step(mean / (1.0 - momentum ** (k + 1)), eta, k + 1, growth, tau), kept)
            alignment[k] = -float(exact @ (moved - x)) / eta / norms[k] if norms[k] > 0 else np.nan
            made = k + 1
            if watch is not None:
                watch(made)
            diverged = not (np.isfinite(moved).all() and np.isfinite(norms[k] + history[k]))
            if diverged:
                break
            x = moved
        end = fun.value(x)
    return OptimizeResult(
        x=x, fun=end, nit=made, success=not diverged, method=method, lr=rate, history=history[:made],
        message=f"diverged in step {made}: lower lr" if diverged else "all steps made", gradient_norms=norms[:made],
        alignment=alignment[:made],
    )  # fmt: skip


def _checked(
    method: str, steps: int, lr: float | None, schedule: str, momentum: float, reg_rate: float | None
) -> float:
    """Return η, or raise ValueError for an option that is not allowed."""
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; {nearest(method, METHODS)}")
    if steps < 1:
        raise ValueError(f"steps is {steps}; an integer ≥ 1 is needed")
    rate = 1.0 / np.sqrt(steps) if lr is None else float(lr)
    if not 0 < rate < np.inf:
        raise ValueError(f"lr is {lr}; a finite number > 0 is needed")
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}; {nearest(schedule, SCHEDULES)}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum is {momentum}; a number in [0, 1) is allowed: 0 switches it off")
    if reg_rate is not None and (method != "proxquant" or not 0 <= reg_rate < np.inf):
        raise ValueError(f"reg_rate is {reg_rate} with {method!r}; a number ≥ 0, with 'proxquant' only, is allowed")
    return float(rate)

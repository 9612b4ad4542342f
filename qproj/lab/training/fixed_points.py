"""Fixed points of W ← P(W + η V) on one layer and one batch, from many starts: statements 4 and 5, measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import qproj
from qproj._arrays import FloatArray, SignArray
from qproj.solvers.specs import parse_solver

#: Rows, inputs and neurons of the layer, starts, and starts in the orthant of each fixed point.
ROWS, FAN_IN, NEURONS, STARTS, OWN_STARTS = 6, 5, 3, 200, 20
#: A start is given up after this many times ⌈1/η⌉ steps.
PATIENCE = 20


@dataclass(frozen=True)
class Rest:
    """What was found; ``history`` is the share of starts that have reached a fixed point, by step."""

    size: int
    steps: int
    figures: dict[str, Any]
    history: list[dict[str, float]]


class FixedPointLayer:
    """X (6, 5) and a read-out u of three neurons, L(Y) = ½‖Y u − y‖²: V(W) = argmin ‖σ(X Vᵀ) − T‖², T = (y − Y u)uᵀ.

    V depends on the signs of W alone, so it is solved once a sign pattern.
    """

    def __init__(self, seed: int, solver: str) -> None:
        rng = np.random.default_rng([seed, 9])
        self.X: SignArray = rng.choice([-1, 1], (ROWS, FAN_IN)).astype(np.int8)
        self.u: FloatArray = rng.normal(size=NEURONS)
        self.y: FloatArray = 4.0 * rng.choice([-1.0, 1.0], ROWS) + rng.normal(size=ROWS)
        self.seed, self.solver = seed, parse_solver(solver).make()
        self._known: dict[bytes, FloatArray] = {}

    def project(self, W: FloatArray) -> FloatArray:
        """Return V for the signs of W, (3, 5); ties between optimal V are broken by the solver and its seed."""
        signs = W >= 0
        key = signs.tobytes()
        if key not in self._known:
            Y = np.where(self.X @ np.where(signs, 1, -1).T >= 0, 1.0, -1.0)
            T = np.outer(self.y - Y @ self.u, self.u)
            self._known[key] = qproj.project(self.X, T, self.solver, seed=self.seed).weights.astype(np.float64)
        return self._known[key]

    @property
    def solved(self) -> int:
        """The number of sign patterns met."""
        return len(self._known)


def come_to_rest(lr: float, seed: int, solver: str, watch: Callable[[int, int], None]) -> Rest:
    """Return the fixed points that 200 random starts reach, and whether each fixed point attracts its own orthant."""
    layer, rng = FixedPointLayer(seed, solver), np.random.default_rng([seed, 10])
    least = math.ceil(1 / lr)
    ends: list[tuple[str, int, FloatArray]] = []
    for i in range(STARTS):
        start = rng.integers(-255, 256, (NEURONS, FAN_IN)) / 256.0  # multiples of 2⁻⁸: such sums are exact
        ends.append(follow(layer, start, lr, PATIENCE * least))
        watch(i + 1, STARTS)
    points = {W.tobytes(): W for kind, _, W in ends if kind == "rest"}
    own = [
        follow(layer, w * rng.integers(1, 257, w.shape) / 256.0, lr, least + 1)
        for w in points.values()
        for _ in range(OWN_STARTS)
    ]
    arrived = [kind == "rest" and W.tobytes() in points for kind, _, W in own]
    counts = {kind: sum(one == kind for one, _, _ in ends) for kind in ("rest", "cycle", "lost")}
    taken = np.array([steps for kind, steps, _ in ends if kind == "rest"])
    last = max((steps for _, steps, _ in ends), default=0)
    figures = {
        "starts": STARTS, "at_rest": counts["rest"] / STARTS, "cycling": counts["cycle"] / STARTS,
        "undecided": counts["lost"] / STARTS, "fixed_points": len(points),
        "own_orthant_arrivals": float(np.mean(arrived)) if arrived else None,
        "most_steps_from_own_orthant": max((steps for _, steps, _ in own), default=None), "proved_steps": least,
        "sign_patterns_solved": layer.solved,
    }  # fmt: skip
    marks = np.unique(np.linspace(0, last, 41).astype(int))
    history = [{"step": int(k), "at_rest": float((taken <= k).sum()) / STARTS} for k in marks]
    return Rest(NEURONS * FAN_IN, sum(steps for _, steps, _ in ends), figures, history)


def follow(layer: FixedPointLayer, W: FloatArray, lr: float, most: int) -> tuple[str, int, FloatArray]:
    """Return ("rest", steps until V(W) = W, W), ("cycle", …) where a state came back, or ("lost", …) after `most`."""
    seen: set[bytes] = set()
    for k in range(most + 1):
        V = layer.project(W)
        if np.array_equal(V, W):
            return "rest", k, W
        if W.tobytes() in seen:
            return "cycle", k, W
        seen.add(W.tobytes())
        W = np.clip(W + lr * V, -1.0, 1.0)
    return "lost", most, W

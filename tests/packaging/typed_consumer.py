"""What a typed user of the installed package writes; `mypy --strict` must accept it."""

import numpy as np
from numpy.typing import NDArray

import qproj


def best_weights(X: NDArray[np.int8], t: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the best ±1 vector for one neuron."""
    problem = qproj.SignProjection(X, t)
    solution = qproj.get_solver("auto").solve(problem, time_limit_s=1.0, seed=0)
    gap: float | None = solution.gap
    if gap is None or solution.best is None:
        raise RuntimeError(solution.status)
    return np.asarray(solution.best, dtype=np.int8)


def layer_weights(X: NDArray[np.int8], T: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the ±1 weights of a whole layer."""
    return np.asarray(qproj.project(X, T, solver="auto", seed=0).weights, dtype=np.int8)

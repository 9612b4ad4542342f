"""Smooth functions with gradients: quadratics, Rosenbrock, logistic regression; exact or from random batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qproj._arrays import FloatArray, as_matrix, as_vector


@dataclass(frozen=True)
class Function:
    """A function of N latent weights.

    Attributes
    ----------
    size : int
        N.
    value : callable
        (N,) → float.
    gradient : callable
        ((N,), generator or None) → (N,): the exact gradient without a generator, an unbiased estimate with one.
    smoothness : float
        L with ‖∇f(x) − ∇f(y)‖ ≤ L‖x − y‖ on the box [−2, 2]^N.
    curvature : callable or None
        (N,) → (N, N), positive semidefinite: the Gauss–Newton matrix, or |∇²f|.
    """

    size: int
    value: Callable[[FloatArray], float]
    gradient: Callable[[FloatArray, np.random.Generator | None], FloatArray]
    smoothness: float
    curvature: Callable[[FloatArray], FloatArray] | None = None


def quadratic(A: ArrayLike, b: ArrayLike, *, noise: float = 0.0) -> Function:
    """Return f(x) = ½ xᵀAx − bᵀx, A symmetrised; estimates add N(0, noise²) to each slope.

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN, a negative noise.
    """
    matrix = as_matrix(np.asarray(A), "A").astype(np.float64)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"A has shape {matrix.shape}; a square matrix is needed")
    vector = as_vector(np.asarray(b), "b", len(matrix)).astype(np.float64)
    symmetric = 0.5 * (matrix + matrix.T)
    eigenvalues, axes = np.linalg.eigh(symmetric)
    absolute = (axes * np.abs(eigenvalues)) @ axes.T
    _check_noise(noise)

    def gradient(x: FloatArray, rng: np.random.Generator | None) -> FloatArray:
        exact: FloatArray = symmetric @ x - vector
        return exact if rng is None else exact + noise * rng.normal(size=len(x))

    return Function(
        len(vector),
        lambda x: float(0.5 * x @ symmetric @ x - vector @ x),
        gradient,
        float(np.abs(eigenvalues).max()),
        lambda x: absolute,
    )


def rosenbrock(size: int, *, noise: float = 0.0) -> Function:
    """Return f(x) = Σ_k 100 (x_{k+1} − x_k²)² + (1 − x_k)², minimal at 1, N ≥ 2 (Rosenbrock 1960)."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 2:
        raise ValueError(f"size is {size!r}; an integer ≥ 2 is needed")
    _check_noise(noise)

    def value(x: FloatArray) -> float:
        return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())

    def gradient(x: FloatArray, rng: np.random.Generator | None) -> FloatArray:
        curve = x[1:] - x[:-1] ** 2
        slope = np.zeros_like(x)
        slope[:-1] = -400.0 * x[:-1] * curve - 2.0 * (1.0 - x[:-1])
        slope[1:] += 200.0 * curve
        return slope if rng is None else slope + noise * rng.normal(size=len(x))

    def curvature(x: FloatArray) -> FloatArray:
        """2 JᵀJ of the residuals 10 (x_{k+1} − x_k²) and 1 − x_k."""
        diagonal = np.zeros(len(x))
        diagonal[:-1] = 800.0 * x[:-1] ** 2 + 2.0
        diagonal[1:] += 200.0
        beside = -400.0 * x[:-1]
        return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)

    # Gershgorin on the box: |1200x² − 400y + 2| + 200 + 2·|400x| ≤ 4800 + 800 + 2 + 200 + 1600
    return Function(int(size), value, gradient, 7402.0, curvature)


def logistic(X: ArrayLike, y: ArrayLike, *, batch: int | None = None) -> Function:
    """Return the mean of log(1 + exp(−y_i x_i·w)) over rows, y_i ∈ {±1}; estimates use `batch` random rows."""
    rows = as_matrix(np.asarray(X), "X").astype(np.float64)
    labels = as_vector(np.asarray(y), "y", len(rows)).astype(np.float64)
    if not np.isin(labels, (-1.0, 1.0)).all():
        raise ValueError("y holds values other than −1 and 1; labels are signs")
    if batch is not None and not 1 <= batch <= len(rows):
        raise ValueError(f"batch is {batch}; 1 to {len(rows)} rows are allowed")

    def gradient(x: FloatArray, rng: np.random.Generator | None) -> FloatArray:
        chosen = slice(None) if rng is None or batch is None else rng.integers(len(rows), size=batch)
        part, signs = rows[chosen], labels[chosen]
        slope: FloatArray = -(part.T @ (signs / (1.0 + np.exp(signs * (part @ x))))) / len(part)
        return slope

    def curvature(x: FloatArray) -> FloatArray:
        share = 1.0 / (1.0 + np.exp(-(rows @ x)))
        weighted: FloatArray = rows.T @ ((share * (1.0 - share))[:, None] * rows) / len(rows)
        return weighted

    return Function(
        rows.shape[1],
        lambda x: float(np.logaddexp(0.0, -labels * (rows @ x)).mean()),
        gradient,
        float(np.linalg.norm(rows, 2) ** 2 / (4 * len(rows))),
        curvature,
    )


def _check_noise(noise: float) -> None:
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is {noise}; a finite number ≥ 0 is needed")

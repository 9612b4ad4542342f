"""One call for a layer: argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, neuron by neuron or all at once."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from qproj._arrays import as_signs
from qproj.projections import LayerProjection
from qproj.solvers.adapter import solve_each
from qproj.solvers.contract import check_limits
from qproj.solvers.layers import LayerSolution, layer_of_solutions
from qproj.solvers.recheck import MalformedSolutionError, rechecked
from qproj.solvers.redact import logger
from qproj.solvers.registry import get_solver
from qproj.solvers.spread import block_of, in_blocks, spread


def check_workers(workers: int) -> int:
    """Return the number of workers, or raise.

    Raises
    ------
    TypeError, ValueError
        No integer, 0, or below −1.
    """
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers is {workers!r}; a number of processes is needed, or −1 for all cores")
    if workers == 0 or workers < -1:
        raise ValueError(f"workers is {workers}; 1 or more processes, or −1 for all cores")
    return workers


def project(
    X: ArrayLike | LayerProjection,
    T: ArrayLike | None = None,
    solver: Any = "auto",
    *,
    seed: int | None = 0,
    time_limit_s: float | None = None,
    num_reads: int | None = None,
    hints: ArrayLike | None = None,
    workers: int | None = None,
    **options: Any,
) -> LayerSolution:
    """Return argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, σ(0) = +1 (arXiv 2310.15128, section 3.2).

    Parameters
    ----------
    X : (n, d) array_like
        Inputs, ±1 or real; or a :class:`qproj.LayerProjection`, which has its own targets.
    T : (n, dout) array_like
        Targets, usually −∂L/∂Y.
    solver : str or Solver
        A name (with `options` for its constructor) or an object with ``solve``.
    seed : int or None
        One seed gives one result, whatever the number of threads or workers, where the work budget ends the search.
    time_limit_s : float, optional
        For the whole layer.
    num_reads : int, optional
        For every neuron, where the solver samples.
    hints : (dout, d) array_like, optional
        Weights to start from, ±1.
    workers : int, optional
        Processes over which the neurons are spread in batches of 32, −1 for all cores; inside
        ``joblib.parallel_config("dask")`` a cluster's. Their number changes no result. Default: none, this process's
        threads search the layer as a whole.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; see :class:`qproj.SignProjection`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> layer = project(rng.choice([-1, 1], (8, 32)), rng.normal(size=(8, 4)))
    >>> layer.weights.shape, bool(layer.proved.all())
    ((4, 32), True)
    """
    check_limits(time_limit_s, seed, num_reads)
    layer = _layer(X, T)
    chosen = get_solver(solver, **options)
    starts = None if hints is None else as_signs(hints, "hints", layer.num_weights)
    if starts is not None and starts.shape != (len(layer), layer.num_weights):
        raise ValueError(f"hints has shape {starts.shape}; ({len(layer)}, {layer.num_weights}) is needed")
    idle = int((~layer.T.any(axis=0)).sum())
    if idle:
        logger().info("targets of %d of %d neurons are all zero: every v is optimal there", idle, len(layer))
    limits: dict[str, Any] = {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads}
    if starts is not None:
        limits["hints"] = starts
    if workers is not None:
        return spread(chosen, layer, check_workers(workers), **limits)
    if len(layer) > block_of(layer):
        return in_blocks(chosen, layer, **limits)
    many = getattr(chosen, "solve_many", None)
    solutions = many(layer, **limits) if many is not None else solve_each(chosen, layer, **limits)
    if isinstance(solutions, LayerSolution):
        return solutions
    if len(solutions) != len(layer):
        raise MalformedSolutionError(f"{solver!r} returned {len(solutions)} solutions for {len(layer)} neurons")
    solutions = [rechecked(p, s, chosen) for p, s in zip(layer, solutions, strict=True)]
    return layer_of_solutions(solutions, layer.num_weights, getattr(chosen, "name", type(chosen).__name__))


def _layer(X: ArrayLike | LayerProjection, T: ArrayLike | None) -> LayerProjection:
    if isinstance(X, LayerProjection):
        if T is not None:
            raise TypeError("a layer has its own targets; pass project(layer), or X and T")
        return X
    if T is None:
        raise TypeError("T is missing; pass X and T, or a qproj.LayerProjection")
    return LayerProjection(X, T)

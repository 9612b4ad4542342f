"""All neurons of a curvature layer searched together: descent and annealing on the shared quadratic part."""

from __future__ import annotations

import numpy as np

from qproj._seeds import kernel_seeds
from qproj.projections import CurvatureLayerProjection, CurvatureProjection
from qproj.solvers.contract import Request, Termination
from qproj.solvers.found import Found, LayerFound
from qproj.solvers.layers import LayerRequest


def search_curvature_layer(
    layer: CurvatureLayerProjection, request: LayerRequest, *, sweeps: int, starts: int, threads: int | None
) -> LayerFound:
    """Return the best weights found for every neuron: from sign(h) or the hints, within the work budget or the time."""
    from qproj.solvers.builtin.kernels.quadratic_flips import Quadratic, anneal_quadratic
    from qproj.solvers.builtin.kernels.sharing import Limits

    start = np.where(layer.H >= 0, 1, -1).astype(np.int8) if request.hints is None else request.hints
    problem = Quadratic.of(layer.curvature.matrix, layer.H, layer.rho)
    weights = anneal_quadratic(
        problem,
        start,
        seeds=kernel_seeds(request.seeds),
        sweeps=sweeps,
        starts=starts,
        limits=Limits(
            request.deadline, threads, watch=None if request.progress is None else request.progress.candidates
        ),
    )
    termination = Termination.BUDGET if request.deadline is None else Termination.CLOCK
    return LayerFound(weights, np.array([termination] * len(weights), object))


def search_curvature(
    problem: CurvatureProjection, request: Request, *, sweeps: int, starts: int, threads: int | None
) -> Found:
    """Return the outcome of the same search for one neuron."""
    hints = None if request.hint is None else np.asarray(request.hint, np.int8)[None, :]
    one = LayerRequest([request.seed], hints=hints, deadline=request.deadline, progress=request.progress)
    layer = CurvatureLayerProjection.of_neuron(problem)
    found = search_curvature_layer(layer, one, sweeps=sweeps, starts=starts, threads=threads)
    return Found(found.weights, found.terminations[0])

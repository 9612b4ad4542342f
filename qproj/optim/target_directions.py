"""One step of a projection from targets for one layer of a model: from its recorded rows to V."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qproj._arrays import FloatArray, SignArray
from qproj._seeds import derived_seed
from qproj.nn.binary_layer import BinaryLayer
from qproj.optim.batch import Batch, gather, signs_of
from qproj.optim.distributed import gather_rows, join, own_share, world
from qproj.optim.margin_search import shared_weights
from qproj.optim.projection_report import Direction, LayerReport, alignment, is_finite
from qproj.optim.projection_settings import ProjectionSettings
from qproj.optim.target_projections import TargetOptions, project_metric, project_targets, sign_scores
from qproj.solvers import LayerSolution

_LOG = logging.getLogger("qproj")


class TargetDirections:
    """Directions of "sign", "margin", "linear" and "metric"; the last one of each layer is kept where it is needed.

    Attributes
    ----------
    last : dict of str to Tensor
    """

    def __init__(self, settings: ProjectionSettings, audit_solver: Any = None) -> None:
        self.settings, self._audit_solver = settings, audit_solver
        self.last: dict[str, Tensor] = {}
        self._sampled: set[str] = set()

    def direction(
        self, name: str, layer: BinaryLayer, place: tuple[int, int], solver: Any, time_limit_s: float | None
    ) -> Direction:
        """Return V of one layer; `place` is the number of the step and that of the layer."""
        start = time.perf_counter()
        settings, grad = self.settings, layer.weight.grad
        finite = is_finite(grad)
        if not bool(finite):
            report = LayerReport(name, settings.projection, time.perf_counter() - start, 0)
            return Direction(torch.zeros_like(grad), finite, report)
        reused = place[0] % settings.every != 0 and name in self.last
        batch: Batch | None = None
        figures: dict[str, Any] = {}
        if reused:
            V, rows, failures = self.last[name], 0, 0
        else:
            options = TargetOptions(
                settings.projection, solver, derived_seed(settings.seed, *place), time_limit_s,
                settings.num_reads, settings.kappa, settings.sweeps, settings.scale, settings.metric,
            )  # fmt: skip
            if settings.projection != "metric":
                picked = self._picked(name, layer, options)
                batch = gather(name, layer, layer.recorder.rows, settings.targets, picked)
            found, rows, figures = self._solve(name, layer, batch, options, place[0])
            failures = len(found.stats.get("failures", ()))
            V = torch.as_tensor(found.weights.copy(), dtype=grad.dtype, device=grad.device).reshape(grad.shape)
            figures |= {
                "objective": found.objective.sum(), "bound": found.bound.sum(),
                "gap": found.gap.mean(), "proved": found.proved.mean(),
            }  # fmt: skip
            if settings.every > 1 or settings.hint == "last":
                self.last[name] = V
        report = LayerReport(
            name, settings.projection, time.perf_counter() - start, rows, exact=batch is None or batch.exact,
            implicit=batch is not None and batch.implicit, reused=reused, failures=failures,
            figures=figures | alignment(grad, V),
        )  # fmt: skip
        return Direction(V, finite, report)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what later steps depend on."""
        return dict(self.last)

    def load_state_dict(self, saved: Mapping[str, Tensor], layers: Mapping[str, BinaryLayer]) -> None:
        """Continue where ``state_dict`` was taken."""
        self.last = {name: V.clone().to(layers[name].weight.device) for name, V in saved.items()}

    def _solve(
        self, name: str, layer: BinaryLayer, batch: Batch | None, options: TargetOptions, step: int
    ) -> tuple[LayerSolution, int, dict[str, Any]]:
        """Return the layer's solution, the rows that it rests on, and further figures."""
        weights = signs_of(layer.weight, layer.fan_out)
        hints = weights if self.settings.hint == "weights" else None
        if self.settings.hint == "last" and name in self.last:
            hints = signs_of(self.last[name], layer.fan_out)
        if batch is None:
            G = -layer.weight.grad.detach().double().reshape(layer.fan_out, -1).cpu().numpy()
            return project_metric(G, options, hints), 0, {}
        X, T = gather_rows(batch.X, batch.T, group=self.settings.group)
        total = len(T)
        if options.projection != "linear":  # σ − t does not depend on t = 0: such rows decide nothing
            used = T.any(axis=1)
            X, T = X[used], T[used]
        left_out = total - len(T)  # each row left out adds σ² = 1
        if options.projection == "margin":
            options = replace(options, weights=shared_weights(T))
        own = own_share(layer.fan_out, self.settings.group)
        part = _own_neurons(X, T, options, hints, weights, own) if len(own) else None
        found = join(part, layer.fan_out, self.settings.group)
        bound = np.nextafter(found.bound + left_out, -np.inf) if left_out else found.bound
        audited = self._audited(X, T, options, found.weights, step)
        return replace(found, objective=found.objective + left_out, bound=bound), len(T), audited

    def _picked(self, name: str, layer: BinaryLayer, options: TargetOptions) -> NDArray[np.intp] | None:
        """Return at most ``max_rows`` rows for the built-in searches, drawn at random; the first time, log it."""
        rows = sum(layer.num_rows(rows.x) for rows in layer.recorder.rows)
        most = self.settings.max_rows // world(self.settings.group)[1] or 1
        if options.solver != "auto" or options.projection not in ("sign", "margin") or rows <= most:
            return None
        if name not in self._sampled:
            self._sampled.add(name)
            _LOG.warning(
                "layer %r has %d rows; its %s projection takes %d of them at random in each step: raise max_rows, or "
                "use projection='curvature', whose cost does not depend on rows",
                name, rows, options.projection, most,
            )  # fmt: skip
        picked = np.random.default_rng(options.seed).choice(rows, most, replace=False)
        return np.sort(picked).astype(np.intp)

    def _audited(
        self, X: NDArray[Any], T: FloatArray, options: TargetOptions, V: SignArray, step: int
    ) -> dict[str, Any]:
        if self._audit_solver is None or step % self.settings.audit or not T.any():
            return {}
        exactly = replace(options, projection="sign", solver=self._audit_solver, num_reads=None)
        better = sign_scores(X, T, V).objective - project_targets(X, T, exactly, None).objective
        return {"audit_gap": better.sum() / (4.0 * np.abs(T).sum())}


def _own_neurons(
    X: NDArray[Any], T: FloatArray, options: TargetOptions, hints: SignArray | None, weights: SignArray,
    own: NDArray[np.intp],
) -> LayerSolution:  # fmt: skip
    """Return the solution of the neurons `own`; one whose targets are all 0 keeps its weights: no sign changes."""
    live = own if options.projection == "linear" else own[T[:, own].any(axis=0)]
    if len(live) == len(own) and len(own):
        return project_targets(X, T[:, live], options, None if hints is None else hints[live])
    # any V is optimal for a neuron without targets
    kept = np.ones((1, weights.shape[1]), np.int8) if not len(X) else X
    found = sign_scores(kept, np.zeros((len(kept), len(own))), weights[own].copy())
    if not len(X):
        found = replace(found, objective=0.0 * found.objective, bound=0.0 * found.bound)
    if not len(live):
        return found
    part = project_targets(X, T[:, live], options, None if hints is None else hints[live])
    at = np.searchsorted(own, live)
    arrays = {name: value.copy() for name, value in found.arrays().items()}
    for name, value in part.arrays().items():
        arrays[name][at] = value
    return LayerSolution.of_arrays(arrays, part.stats)

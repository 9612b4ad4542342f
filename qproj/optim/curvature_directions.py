"""One step of the curvature projection for one layer of a model: from its gradient and recorded inputs to V."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qproj._seeds import derived_seed
from qproj.nn.binary_layer import BinaryLayer
from qproj.optim.batch import require_rows
from qproj.optim.curvature_search import direction, scaled
from qproj.optim.curvature_state import (
    CurvatureState,
    averaged_gradient,
    filter_factor,
    filtered,
    refresh,
    second_moment,
)
from qproj.optim.distributed import sum_over_ranks
from qproj.optim.projection_report import Direction, LayerReport, alignment
from qproj.optim.projection_settings import ProjectionSettings
from qproj.projections import CurvatureLayerProjection
from qproj.solvers import project


class CurvatureDirections:
    """The state of every layer, by name, and the steps that change it.

    Attributes
    ----------
    states : dict of str to CurvatureState
    """

    def __init__(self, settings: ProjectionSettings, audit_solver: Any = None) -> None:
        self.settings, self._audit_solver = settings, audit_solver
        self.states: dict[str, CurvatureState] = {}
        self._factor: tuple[Tensor, Tensor] | None = None  # of the first layer's filter, beside the A that it is of
        self._all_rows: Tensor | None = None  # the second moment of `filter_rows`

    @torch.no_grad()
    def direction(
        self, name: str, layer: BinaryLayer, place: tuple[int, int], solver: Any, time_limit_s: float | None
    ) -> Direction:
        """Return V of one layer; `place` is the number of the step and that of the layer."""
        start = time.perf_counter()
        settings, grad = self.settings, layer.weight.grad
        state = self.states.get(name)
        if state is None or state.mean.device != grad.device:
            state = self.states[name] = CurvatureState.of(layer)
        failures = 0
        reused = place[0] % settings.every != 0 and state.has_moment
        H, finite = averaged_gradient(state, grad, settings.momentum)
        rows = self._refresh(name, layer, place, state, H)
        H = self._filtered(name, state, H)
        built_in = solver == "auto"
        if not (built_in or reused):
            failures = self._solve_(state, *scaled(state, H, settings.tau), solver, place, time_limit_s)
        found = direction(state, H, settings.tau, settings.sweeps if built_in and not reused else 0)
        figures = alignment(grad, found.V) | {"objective": found.objective, "agreement": found.agreement}
        seconds = time.perf_counter() - start
        if self._audit_solver is not None and place[0] % settings.audit == 0:
            figures["audit_gap"] = self._audited(state, H)
        report = LayerReport(
            name, "curvature", seconds, rows, tau=settings.tau, reused=reused, failures=failures, figures=figures
        )
        return Direction(found.V, finite, report)

    @torch.no_grad()
    def directions(self, tau: float) -> dict[str, Tensor]:
        """Return V of every layer for another τ, from the present means and second moments; no state changes."""
        found = {}
        for name, state in self.states.items():
            if state.has_moment:
                trial = state.copy()
                H = -state.mean / state.weight.clamp(min=1e-30)
                H = self._filtered(name, state, H)
                found[name] = direction(trial, H, tau, self.settings.sweeps).V
        return found

    @torch.no_grad()
    def follow(self) -> None:
        """Take part in the sums of one step of other ranks, with no rows of this one."""
        for state in self.states.values():
            if state.has_moment and state.age + 1 < self.settings.refresh:
                state.age += 1
                continue
            A, count = torch.zeros_like(state.A), torch.zeros_like(state.weight)
            sum_over_ranks(A, count, group=self.settings.group)
            state.age = 0

    def tensors(self) -> Iterator[Tensor]:
        """Yield what a step changes."""
        for state in self.states.values():
            yield from (state.mean, state.weight, state.A, state.power, state.V, state.F)

    def state_dict(self) -> dict[str, Any]:
        """Return what later steps depend on."""
        return {name: state.tensors() for name, state in self.states.items()}

    def load_state_dict(self, saved: Mapping[str, Any], layers: Mapping[str, BinaryLayer]) -> None:
        """Continue where ``state_dict`` was taken."""
        self.states = {name: CurvatureState.of(layers[name]) for name in saved}
        for name, tensors in saved.items():
            self.states[name].load(tensors)

    def _filtered(self, name: str, state: CurvatureState, H: Tensor) -> Tensor:
        """Return h of the first layer as its inputs filter it; the factor is kept until the second moment changes."""
        first = next(iter(self.states))
        if self.settings.filter == 0 or name != first or not state.has_moment:
            return H
        A = state.A if self.settings.filter_rows is None else self._moment_of(self.settings.filter_rows, name, state)
        if self._factor is None or self._factor[0] is not A:
            self._factor = (A, filter_factor(A, self.settings.filter))
        return filtered(H, A, self.settings.filter, self._factor[1])

    def _moment_of(self, rows: Tensor, name: str, state: CurvatureState) -> Tensor:
        """Return the second moment of rows that were given, which is taken once."""
        if self._all_rows is None or self._all_rows.device != state.A.device:
            if state.A.shape[0] != 1 or rows.shape[1] != state.A.shape[1]:
                raise ValueError(
                    f"filter_rows has {rows.shape[1]} columns; the first layer, {name!r}, has {state.A.shape[0]} "
                    f"groups of {state.A.shape[1]} inputs: one group, and rows of its inputs, are needed"
                )
            X = rows.to(state.A.device, torch.float32)
            self._all_rows = (X.T @ X / len(X))[None]
        return self._all_rows

    def _refresh(self, name: str, layer: BinaryLayer, place: tuple[int, int], state: CurvatureState, H: Tensor) -> int:
        """Take a new second moment where it is due, and return the number of recorded rows."""
        recorded = layer.recorder.rows
        rows = sum(rows.x.shape[0] for rows in recorded)
        if state.has_moment and state.age + 1 < self.settings.refresh:
            state.age += 1
            return rows
        if not state.has_moment:
            require_rows(name, recorded)
        generator = torch.Generator().manual_seed(derived_seed(self.settings.seed, *place))
        A, count = second_moment(layer, recorded, self.settings.max_rows, generator, self.settings.group)
        refresh(state, A, count, H)
        return rows

    def _audited(self, state: CurvatureState, H: Tensor) -> float:
        """Return what the model loses against the audit's solver, over the neurons' ranges, summed over neurons.

        What was found counts, whether or not the step takes sign(h) in its place.
        """
        lost = scale = 0.0
        arrays = (state.A, *scaled(state, H, self.settings.tau), state.V)
        for A, h, rho, v in zip(*(x.double().cpu().numpy() for x in arrays)):
            layer = CurvatureLayerProjection(A, h, rho)
            best = project(layer, solver=self._audit_solver, seed=self.settings.seed).require()
            values = 0.5 * rho * ((v @ A) * v).sum(axis=1) - (h * v).sum(axis=1)
            lost += float(np.clip(values - best.objective, 0.0, None).sum())
            scale += sum(neuron.gap_scale(0.0) for neuron in layer)
        return lost / scale

    def _solve_(
        self, state: CurvatureState, unit: Tensor, rho: Tensor, solver: Any, place: tuple[int, int],
        time_limit_s: float | None,
    ) -> int:  # fmt: skip
        """Set V by a named solver, group by group; returns the number of failures that a fallback made up for."""
        settings, parts, failures = self.settings, [], 0
        share = None if time_limit_s is None else time_limit_s / len(unit)
        arrays = (x.double().cpu().numpy() for x in (state.A, unit, rho, state.V))
        for group, (A, h, weight, last) in enumerate(zip(*arrays)):
            found = project(
                CurvatureLayerProjection(A, h, weight), solver=solver, time_limit_s=share,
                hints=last.astype(np.int8) if settings.hint == "last" else None,
                seed=derived_seed(settings.seed, *place, group), num_reads=settings.num_reads,
            ).require()  # fmt: skip
            failures += len(found.stats.get("failures", ()))
            parts.append(torch.from_numpy(found.weights.astype(np.float32)))
        state.V.copy_(torch.stack(parts))
        state.F = state.V @ state.A
        return failures

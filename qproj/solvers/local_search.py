"""Annealing in v on a softened step, all neurons of a layer at once: never wastes a flip on slack variables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs
from qproj.encodings import Columns
from qproj.projections import SignLayer, SignProjection
from qproj.projections.sign import Inputs
from qproj.solvers.sign import sign_direction
from qproj.solving import Adapter, Capabilities, EndedBy, Ending, Found, Request, Solution
from qproj.solving.contract import Timing, check_limits
from qproj.solving.layer import layer_of_weights
from qproj.solving.sampling import require_positive


class LocalSearch(Adapter):
    """argmax over v of gain(v) by annealing in v on Σ τ clip(z/K), K shrinking to 1 (``local-search``).

    The first anneal begins at signSGD's direction, or at the hint; the rounds after it reheat the incumbent, the vector
    of best true gain met so far, and every eighth begins anew at random. A neuron whose signs are all met is proved
    optimal and stops.

    Parameters
    ----------
    sweeps, starts : int
        The work budget of a neuron: `starts` rounds of `sweeps` sweeps; with a time limit, rounds fill it instead.
    threads : int or None
        Of one layer; results do not depend on it. None: all of numba's.
    """

    name: ClassVar[str] = "local-search"
    capabilities = Capabilities(forms=frozenset({"projection"}), exact=False, seed=True, hint=True)

    def __init__(self, *, sweeps: int = 1000, starts: int = 8, threads: int | None = None) -> None:
        require_positive(sweeps=sweeps, starts=starts)
        if threads is not None:
            require_positive(threads=threads)
        self.sweeps, self.starts, self.threads = int(sweeps), int(starts), threads

    def check(self, problem: Any, ask: Request) -> None:
        """Refuse projections whose gain is not a weighted step."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"local-search takes sign projections, not {type(problem).__name__}; use 'auto' or 'tabu'")

    def build(self, problem: Any, ask: Request) -> LayerRows:
        return LayerRows.of_projection(problem)

    def call(self, model: LayerRows, ask: Request) -> tuple[SignArray, EndedBy]:
        start = None if ask.hint is None else ask.hint[None, :].astype(np.int8)
        weights, ended_by = self.search(model, ask, start)
        return weights, ended_by

    def decode(self, raw: tuple[SignArray, EndedBy], problem: Any) -> Found:
        return Found(raw[0], Ending.STOPPED, raw[1])

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return all neurons of a layer, searched together."""
        if not isinstance(problems, SignLayer) or num_reads is not None:
            return super().solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)
        check_limits(time_limit_s, seed, num_reads)
        begin = time.perf_counter()
        ask = Request(time_limit_s, seed, deadline=None if time_limit_s is None else begin + time_limit_s)
        rows = LayerRows.of_layer(problems)
        built = time.perf_counter()
        starts = None if hints is None else as_signs(np.asarray(hints), "hints", problems.num_weights)
        weights, ended_by = self.search(rows, ask, starts)
        timing = Timing(build=built - begin, solve=time.perf_counter() - built)
        return layer_of_weights(problems, weights, None, None, [ended_by] * len(weights), timing, self.name)

    def search(self, rows: LayerRows, ask: Request, starts: SignArray | None) -> tuple[SignArray, EndedBy]:
        """Return weights (dout, d) and what ended the search."""
        from qproj.solvers.kernels.annealing import anneal_until, soft_anneal_layer

        seed = int(np.random.SeedSequence(ask.seed).generate_state(1)[0])
        first = sign_direction(rows.X, rows.T) if starts is None else starts
        init = rows.columns.counts_from_weights(first)
        common: dict[str, Any] = {"seed": seed, "init": init, "threads": self.threads}
        if ask.deadline is None:
            found = soft_anneal_layer(
                rows.A, rows.columns.sizes, rows.tau, sweeps=self.sweeps, starts=self.starts, **common
            )
            ended_by = EndedBy.BUDGET
        else:
            found = anneal_until(rows.A, rows.columns.sizes, rows.tau, deadline=ask.deadline, **common)
            ended_by = EndedBy.CLOCK
        return rows.columns.weights_from_counts(found.counts), ended_by


class LayerRows:
    """A layer's merged rows, common to its neurons: union of groups (τ = 0 kept) and the column classes of that union.

    Attributes
    ----------
    A : (U, C) int8 or float64
    tau : (U, dout) float64
        Merged targets, each neuron's scaled by its largest |τ|: only relative sizes matter.
    scale : (dout,) float64
        That |τ|, 1 where all are 0.
    columns : Columns
    inputs, X, T
        The layer's own inputs and targets.
    first : (U,) intp
        The row of X that stands for each group.
    """

    def __init__(
        self, inputs: Inputs, T: FloatArray, first: NDArray[np.intp], A: NDArray[Any], tau: FloatArray, columns: Columns
    ) -> None:
        self.inputs, self.X, self.T = inputs, inputs.matrix, T
        self.first, self.A, self.columns = first, A, columns
        largest = np.abs(tau).max(axis=0, initial=0.0)
        self.scale: FloatArray = np.where(largest > 0, largest, 1.0)
        self.tau: FloatArray = np.ascontiguousarray(tau / self.scale)

    def met(self, weights: SignArray, neurons: NDArray[np.intp] | slice) -> NDArray[np.bool_]:
        """Tell which weights (k, d) meet every sign of their neuron, by the definition's sums."""
        signs = self.inputs.signs(weights)[:, self.first]
        met: NDArray[np.bool_] = np.all(signs * self.tau[:, neurons].T >= 0, axis=1)
        return met

    @property
    def is_binary(self) -> bool:
        """Whether every entry is ±1."""
        return self.A.dtype == np.int8

    @property
    def expanded(self) -> NDArray[Any]:
        """(U, d) rows over plain columns, each with its class's sign: A v' for v' = v·sign_of equals A over classes."""
        return self.A[:, self.columns.class_of]

    @classmethod
    def of_layer(cls, layer: SignLayer) -> LayerRows:
        """Return the merged rows of a layer."""
        A, tau, columns = layer.rows
        return cls(layer.inputs, layer.T, layer.inputs.groups.first, A, tau, columns)

    @classmethod
    def of_projection(cls, problem: SignProjection) -> LayerRows:
        """Return one neuron's own merged rows, those with τ = 0 dropped."""
        merged = problem.aggregated
        first = merged.groups.first[merged.kept]
        return cls(problem.inputs, problem.t[:, None], first, merged.A, merged.tau[:, None], merged.columns)


__all__ = ["LayerRows", "LocalSearch"]

"""One search of one layer within a work budget: the steps that `auto` is made of, each on the neurons that are left."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj._seeds import kernel_seeds
from qproj.solvers.builtin.layer_rows import LayerRows, watch_of
from qproj.solvers.builtin.sign_direction import sign_direction
from qproj.solvers.contract import Termination
from qproj.solvers.found import Found, LayerFound
from qproj.solvers.layers import LayerRequest

if TYPE_CHECKING:
    from qproj.solvers.builtin.kernels.branch_bound import BranchBoundResult

#: Sign patterns up to which all of a layer may be scored, and up to which they always are.
ENUMERATE_MOST, ENUMERATE_AT_ONCE = 1 << 20, 1 << 12
#: Neurons that the cost of making the signs of all patterns is divided by, in deciding whether to enumerate.
SHARED_BY = 16
#: Message passing pays while groups are fewer than this share of the weights; beyond, it hardly ever meets all signs.
SATISFIABLE_SHARE = 0.85
#: Share of the time that is left which perceptron learning gets; the second where it probably meets all signs.
LEARNING_SHARE, LONG_LEARNING_SHARE = 0.2, 0.6


class Options(Protocol):
    """The work budget: see `Auto`."""

    epochs: int
    iterations: int
    sweeps: int
    starts: int
    nodes: int
    threads: int | None


class LayerSearch:
    """One search of one layer: what is known of each neuron, and the steps that add to it.

    Attributes
    ----------
    weights : (dout, d) int8
        Incumbents.
    proved : (dout,) bool
    bound : (dout,) float64
        Upper bounds on the gain, in units of each neuron's largest |τ|.
    """

    def __init__(self, options: Options, rows: LayerRows, problems: Any, request: LayerRequest) -> None:
        self.options, self.rows, self.problems, self.request = options, rows, problems, request
        count = rows.tau.shape[1]
        self.weights: SignArray = sign_direction(rows.X, rows.T) if request.hints is None else request.hints.copy()
        self.bound: FloatArray = np.abs(np.ascontiguousarray(rows.tau.T)).sum(axis=1)
        self.proved: NDArray[np.bool_] = rows.met(self.weights, slice(None))
        self.terminations = np.array([Termination.BUDGET] * count, object)
        self.stats: dict[str, Any] = {"nodes": 0}
        self.steps: dict[str, int] = {}  # how many neurons each step that was taken has proved
        if self.proved.any():
            self.steps["direction"] = int(self.proved.sum())

    @cached_property
    def seeds(self) -> NDArray[np.uint64]:
        """(dout,) of every step's random numbers; enumeration has none."""
        return kernel_seeds(self.request.seeds)

    def run(self) -> None:
        """Enumerate, or learn, pass messages, anneal and branch, each on the neurons that are left."""
        if self._few_patterns():
            self._take_step("enumeration", self._enumerate)
            return
        self.report()
        self._take_step("perceptron learning", self._learn)
        self._take_step("message passing", self._pass_messages)
        self._take_step("annealing", self._anneal)
        self._take_step("branch and bound", self._prove)

    def _take_step(self, name: str, step: Callable[[], bool | None]) -> None:
        """Take a step where neurons are left, and count what it proves; False says that it was not for them."""
        if self.proved.all():
            return
        before = int(self.proved.sum()) - sum(self.steps.values())
        self.steps.setdefault(name, 0)
        taken = step()  # which may count proofs of others
        self.report()
        self.steps[name] += int(self.proved.sum()) - sum(self.steps.values()) - before
        if taken is False:
            del self.steps[name]

    @property
    def message(self) -> str:
        """What was done, in order, and which steps proved how many neurons."""
        proofs = ", ".join(f"{name} ({count})" for name, count in self.steps.items() if count)
        return f"{', '.join(self.steps)}; proved by {proofs or 'none'}"

    def report(self) -> None:
        """Tell who listens to the search of one neuron its incumbent and its bound."""
        progress = self.request.progress
        if progress is not None:
            progress.candidates(self.weights)
            progress.gain_bound(float(self.bound[0] * self.rows.scale[0]))

    @cached_property
    def watch(self) -> Any:
        """What kernels report their incumbents to; None where nobody listens."""
        return watch_of(self.request.progress, self.rows)

    @property
    def left(self) -> NDArray[np.intp]:
        """Neurons without a proof."""
        return np.flatnonzero(~self.proved)

    def found(self, neuron: int) -> Found:
        """Return the outcome of one neuron, its bound in the projection's own units."""
        proved = bool(self.proved[neuron])
        return Found(
            self.weights[neuron : neuron + 1],
            Termination.PROVED if proved else self.terminations[neuron],
            gain_bound=None if proved else float(self.bound[neuron] * self.rows.scale[neuron]),
            message=self.message,
            stats=dict(self.stats),
        )

    def layer_found(self) -> LayerFound:
        """Return the outcome of all neurons."""
        self.terminations[self.proved] = Termination.PROVED
        return LayerFound(self.weights, self.terminations, self.bound * self.rows.scale, self.message, self.stats)

    def _few_patterns(self) -> bool:
        """Tell whether scoring all count vectors is the shortest way: they are shared by the layer's neurons."""
        patterns, U = float(np.prod(self.rows.columns.sizes + 1.0)), len(self.rows.tau)
        if not self.rows.is_binary or patterns > ENUMERATE_MOST:
            return False
        # measured: 1.5 ns per pattern and row, which SHARED_BY neurons are taken to share, whatever their real number,
        # so that parts of a layer are searched in the same way; 0.3 + 0.02·U ns per pattern and neuron; branch and
        # bound takes 0.7 ms per neuron
        seconds = patterns * (1.5 * U / SHARED_BY + 0.3 + 0.02 * U) * 1e-9
        return patterns <= ENUMERATE_AT_ONCE or seconds <= 0.7e-3

    def _enumerate(self) -> None:
        from qproj.solvers.builtin.kernels.enumerate_layer import enumerate_layer

        counts = enumerate_layer(self.rows.A, self.rows.columns.sizes, self.rows.tau)
        self.weights = self.rows.columns.weights_from_counts(counts)
        self.proved[:] = True

    def _learn(self) -> None:
        from qproj.solvers.builtin.kernels.perceptron import learn_signs
        from qproj.solvers.builtin.kernels.sharing import Limits

        left, rows = self.left, self.rows
        deadline = self.request.deadline
        if deadline is not None:
            now = time.perf_counter()
            share = LONG_LEARNING_SHARE if self._is_satisfiable else LEARNING_SHARE
            deadline = now + share * (deadline - now)
        counts, met = learn_signs(
            rows.A,
            rows.columns.sizes,
            np.ascontiguousarray(rows.tau[:, left]),
            seeds=self.seeds[left],
            epochs=self.options.epochs,
            limits=Limits(deadline, self.options.threads),
        )
        weights = rows.columns.weights_from_counts(counts[met])
        sure = np.ones(len(weights), np.bool_) if rows.is_binary else rows.met(weights, left[met])
        self.weights[left[met][sure]] = weights[sure]
        self.proved[left[met][sure]] = True
        self._keep_better(left[~met], counts[~met])

    @property
    def _is_satisfiable(self) -> bool:
        """Whether rows are so few, beside weights, that probably all signs can be met."""
        return len(self.rows.A) <= SATISFIABLE_SHARE * int(self.weights.shape[1])

    def _keep_better(self, left: NDArray[np.intp], counts: NDArray[np.int64]) -> None:
        """Take over those counts (k, C) that gain more than the incumbents of `left`."""
        from qproj.solvers.builtin.kernels.scoring import score

        deadline = self.request.deadline
        if not len(left) or (deadline is not None and time.perf_counter() >= deadline):
            return
        rows = self.rows
        tau, before = rows.tau[:, left].T, rows.columns.counts_from_weights(self.weights[left])
        gains = [score(rows.A, rows.columns.sizes, tau, each)[0] for each in (counts, before)]
        better = gains[0] > gains[1]
        self.weights[left[better]] = rows.columns.weights_from_counts(counts[better])

    def _pass_messages(self, attempt: int = 0, **options: Any) -> bool:
        from qproj.solvers.builtin.kernels.message_passing import message_passing
        from qproj.solvers.builtin.kernels.sharing import Limits, derived_seeds

        left = self.left
        rows = self.rows
        if not rows.is_binary or not self._is_satisfiable:
            return False
        X = rows.A if rows.columns.is_plain else rows.expanded
        given = {"iterations": self.options.iterations, "limits": Limits(self.request.deadline), **options}
        V, met = message_passing(X, rows.tau[:, left], seeds=derived_seeds(self.seeds[left], attempt), **given)
        V = V if rows.columns.is_plain else V * rows.columns.sign_of
        self.weights[left[met]] = V[met]
        self.proved[left[met]] = True
        return True

    def _anneal(self) -> None:
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

        left, rows, options = self.left, self.rows, self.options
        found = soft_anneal_layer(
            rows.A,
            rows.columns.sizes,
            np.ascontiguousarray(rows.tau[:, left]),
            seeds=self.seeds[left],
            sweeps=options.sweeps,
            starts=options.starts,
            init=rows.columns.counts_from_weights(self.weights[left]),
            limits=Limits(threads=options.threads, watch=self.watch),
        )
        self._improved(left, found.counts, found.met)

    def _improved(self, left: NDArray[np.intp], counts: NDArray[np.int64], met: NDArray[np.bool_]) -> None:
        """Take over counts (k, C) that are at least as good as the incumbents of `left`."""
        self.weights[left] = self.rows.columns.weights_from_counts(counts)
        sure = met if self.rows.is_binary else self.rows.met(self.weights[left], left)
        self.proved[left[sure]] = True
        self.report()

    def _prove(self) -> None:
        """Search exactly, neuron by neuron, within branch and bound's nodes."""
        left = self.left.tolist()
        if not left:
            return
        # a neuron's result depends on its nodes only, so it does not matter how neurons and threads meet
        across = max(1, min(self._threads, len(left)))
        inside = max(1, self._threads // across)
        with ThreadPoolExecutor(across) as pool:
            run = pool.map if across > 1 else map
            for neuron, result in zip(left, run(lambda i: self._search(i, None, inside), left), strict=True):
                self._take(neuron, result)

    @property
    def _threads(self) -> int:
        import numba

        return self.options.threads or int(numba.get_num_threads())

    def _search(
        self, neuron: int, deadline: float | None, threads: int, stop: Callable[[], bool] | None = None
    ) -> BranchBoundResult:
        from qproj.solvers.builtin.kernels.branch_bound import branch_bound

        merged = self.problems[neuron].aggregated
        # real rows are searched one by one: a node costs some ten times more
        nodes = self.options.nodes if self.rows.is_binary else self.options.nodes // 10
        return branch_bound(
            merged.A,
            merged.columns.sizes,
            merged.tau / float(np.abs(merged.tau).max(initial=0.0)),
            incumbent=merged.columns.counts_from_weights(self.weights[neuron : neuron + 1])[0],
            node_limit=nodes if deadline is None else None,
            deadline=deadline,
            threads=threads,
            stop=stop,
        )

    def _take(self, neuron: int, result: BranchBoundResult) -> None:
        merged = self.problems[neuron].aggregated
        self.stats["nodes"] += result.nodes
        weights = merged.columns.weights_from_counts(result.c[None, :])[0]
        scale = float(np.abs(merged.tau).max(initial=0.0))
        self._learnt(neuron, weights, result.upper_bound * scale, proved=result.proved)

    def _learnt(self, neuron: int, weights: Any, gain_bound: float, *, proved: bool) -> None:
        problem = self.problems[neuron]
        if problem.gain(weights) > problem.gain(self.weights[neuron]):
            self.weights[neuron] = weights
        self.proved[neuron] |= proved
        self.bound[neuron] = min(self.bound[neuron], gain_bound / self.rows.scale[neuron])
        self.report()


__all__ = ["LayerSearch", "Options"]

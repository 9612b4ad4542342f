"""The default solver: bound → heuristic → exact search for what is left; always an incumbent and a valid bound.

A neuron's gain is at most Σ|τ|, and reached where every group's sign is met: then the search that met it is the proof.
Layers are searched together: signSGD's direction, enumeration of few weights, perceptron learning, message passing,
annealing on a softened step; what is left goes to branch and bound and, where there is a time limit, to CP-SAT, neuron
by neuron, with the incumbent as their start. A time limit is shared out among them, but for narrow neurons, whose
proofs take no share worth the name.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs
from qproj.projections import SignLayer, SignProjection
from qproj.solvers.local_search import LayerRows
from qproj.solvers.sign import meets_bounds, sign_direction
from qproj.solving import (
    Adapter,
    Capabilities,
    EndedBy,
    Ending,
    Found,
    MissingPackageError,
    Request,
    Solution,
    Status,
    get_solver,
)
from qproj.solving.contract import Timing, check_limits
from qproj.solving.layer import layer_gain_bounds, layer_of_weights
from qproj.solving.sampling import require_positive

if TYPE_CHECKING:
    from qproj.solvers.kernels.branch_bound import BranchBoundResult

#: Weight bits up to which all sign patterns of a layer may be scored, and the least number of patterns where they are.
ENUMERATE_BITS, ENUMERATE_AT_ONCE = 20, 1 << 12
#: Message passing pays while groups are fewer than this share of the weights; beyond, it hardly ever meets all signs.
SATISFIABLE_SHARE = 0.85
#: Share of the time that is left which perceptron learning gets.
LEARNING_SHARE = 0.2
#: Share of the time that is left which annealing gets before exact search.
HEURISTIC_SHARE = 0.2
#: Up to so many groups a column class, CP-SAT is asked before branch and bound.
NEAR_CAPACITY = 1.25
#: Narrow neurons are proved first where a tree is expected to take at most this share of their time. Measured at 64
#: rows: 1.7 nodes more a weight bit, 50 million nodes a second; the incumbent is found in some sweeps of annealing.
NARROW_SHARE, GROWTH, NODES_A_SECOND, NARROW_SWEEPS = 0.5, 1.7, 5e7, 400
#: Shares of the time that is left for the first exact search and the second.
PROOF_SHARES = (0.7, 1.0)
#: CP-SAT is not worth its start below this many seconds.
LEAST_CPSAT_S = 0.02


class Auto(Adapter):
    """argmin objective(v) by whatever proves it soonest (``auto``).

    Sign projections and their layers are solved by qproj's own searches; linear and metric projections and plain models
    by annealing and then CP-SAT, which also proves.

    Parameters
    ----------
    epochs : int
        Of perceptron learning, a start.
    iterations : int
        Of message passing.
    sweeps, starts : int
        Of annealing, a neuron: one anneal and `starts` − 1 rounds from its incumbent.
    nodes : int
        Of branch and bound, a neuron, where no time limit is given; with one, the clock ends it. Some 50 million a
        second and core; a tree that is surely larger is not begun.
    threads : int or None
        None: all of numba's.
    """

    name: ClassVar[str] = "auto"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, seed=True, hint=True)

    def __init__(
        self,
        *,
        epochs: int = 100,
        iterations: int = 200,
        sweeps: int = 1000,
        starts: int = 8,
        nodes: int = 20_000_000,
        threads: int | None = None,
    ) -> None:
        require_positive(epochs=epochs, iterations=iterations, sweeps=sweeps, starts=starts, nodes=nodes)
        if threads is not None:
            require_positive(threads=threads)
        self.epochs = int(epochs)
        self.iterations, self.sweeps, self.starts, self.nodes = int(iterations), int(sweeps), int(starts), int(nodes)
        self.threads = threads

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> Found:
        if not isinstance(model, SignProjection):
            from qproj.solvers.models import solve_model

            return solve_model(model, ask)
        rows = LayerRows.of_projection(model)
        start = None if ask.hint is None else ask.hint[None, :].astype(np.int8)
        search = LayerSearch(self, rows, [model], ask, start)
        search.run()
        return search.found(0)

    def decode(self, raw: Found, problem: Any) -> Found:
        return raw

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return all neurons of a layer, searched together; the time limit is the layer's."""
        if not isinstance(problems, SignLayer) or num_reads is not None:
            return super().solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)
        check_limits(time_limit_s, seed, num_reads)
        begin = time.perf_counter()
        ask = Request(time_limit_s, seed, deadline=None if time_limit_s is None else begin + time_limit_s)
        rows = LayerRows.of_layer(problems)
        starts = None if hints is None else as_signs(np.asarray(hints), "hints", problems.num_weights)
        built = time.perf_counter()
        search = LayerSearch(self, rows, problems, ask, starts)
        search.run()
        timing = Timing(build=built - begin, solve=time.perf_counter() - built)
        bounds = layer_gain_bounds(problems)
        bounds = np.minimum(bounds, search.bound * rows.scale)
        met = meets_bounds(problems, search.weights)
        proved = search.proved | met
        ended = [EndedBy.PROOF if p else e for p, e in zip(proved.tolist(), search.ended_by, strict=True)]
        return layer_of_weights(problems, search.weights, bounds, proved, ended, timing, self.name, search.stats)


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

    def __init__(self, options: Auto, rows: LayerRows, problems: Any, ask: Request, starts: SignArray | None) -> None:
        self.options, self.rows, self.problems, self.ask = options, rows, problems, ask
        count = rows.tau.shape[1]
        self.weights: SignArray = sign_direction(rows.X, rows.T) if starts is None else starts.copy()
        self.bound: FloatArray = np.abs(rows.tau).sum(axis=0)
        self.proved: NDArray[np.bool_] = rows.met(self.weights, np.arange(count))
        self.ended_by: list[EndedBy] = [EndedBy.BUDGET] * count
        self.stats: dict[str, Any] = {"nodes": 0}
        self.seed = int(np.random.SeedSequence(ask.seed).generate_state(1)[0])

    def run(self) -> None:
        """Enumerate, or learn, pass messages, anneal and branch, each on the neurons that are left."""
        if self._few_patterns():
            self._enumerate()
            return
        self._learn()
        self._pass_messages()
        self._prove_narrow()
        self._anneal()
        self._prove()

    @property
    def left(self) -> NDArray[np.intp]:
        """Neurons without a proof."""
        return np.flatnonzero(~self.proved)

    def found(self, neuron: int) -> Found:
        """Return one neuron's outcome; its bound in the projection's own units."""
        proved = bool(self.proved[neuron])
        return Found(
            self.weights[neuron : neuron + 1],
            Ending.PROVED if proved else Ending.STOPPED,
            EndedBy.PROOF if proved else self.ended_by[neuron],
            gain_bound=None if proved else float(self.bound[neuron] * self.rows.scale[neuron]),
            stats=dict(self.stats),
        )

    def _few_patterns(self) -> bool:
        """Tell whether scoring all count vectors is the shortest way: they are shared by the layer's neurons."""
        if not self.rows.is_binary or len(self.rows.columns.labels) > ENUMERATE_BITS:
            return False
        patterns = float(np.prod(self.rows.columns.sizes + 1.0))
        U, neurons = self.rows.tau.shape
        # measured: 1.5 ns a pattern and row, 0.3 + 0.02·U ns a pattern and neuron; branch and bound 0.7 ms a neuron
        seconds = patterns * (1.5 * U + (0.3 + 0.02 * U) * neurons) * 1e-9
        return patterns <= ENUMERATE_AT_ONCE or seconds <= 0.7e-3 * neurons

    def _late(self) -> bool:
        return self.ask.deadline is not None and time.perf_counter() >= self.ask.deadline

    def _enumerate(self) -> None:
        from qproj.solvers.kernels.enumerate_layer import enumerate_layer

        if not len(self.left):
            return
        counts = enumerate_layer(self.rows.A, self.rows.columns.sizes, self.rows.tau)
        self.weights = self.rows.columns.weights_from_counts(counts)
        self.proved[:] = True

    def _learn(self) -> None:
        from qproj.solvers.kernels.perceptron import learn_signs

        left, rows = self.left, self.rows
        if not len(left):
            return
        deadline = self.ask.deadline
        if deadline is not None:
            now = time.perf_counter()
            deadline = now + LEARNING_SHARE * (deadline - now)
        counts, met = learn_signs(
            rows.A,
            rows.columns.sizes,
            np.ascontiguousarray(rows.tau[:, left]),
            seed=self.seed,
            epochs=self.options.epochs,
            deadline=deadline,
            threads=self.options.threads,
        )
        weights = rows.columns.weights_from_counts(counts[met])
        sure = np.ones(len(weights), np.bool_) if rows.is_binary else rows.met(weights, left[met])
        self.weights[left[met][sure]] = weights[sure]
        self.proved[left[met][sure]] = True

    def _pass_messages(self) -> None:
        from qproj.solvers.kernels.message_passing import message_passing

        left = self.left
        rows, d = self.rows, self.weights.shape[1]
        if not len(left) or not rows.is_binary or len(rows.A) > SATISFIABLE_SHARE * d:
            return
        X = rows.A if rows.columns.is_plain else rows.expanded
        V, met = message_passing(X, rows.tau[:, left], seed=self.seed, iterations=self.options.iterations)
        V = V if rows.columns.is_plain else V * rows.columns.sign_of
        self.weights[left[met]] = V[met]
        self.proved[left[met]] = True

    def _prove_narrow(self) -> None:
        """Prove what takes milliseconds, before annealing uses its share of the time."""
        from qproj.solvers.kernels.annealing import soft_anneal_layer

        left, rows, deadline = self.left, self.rows, self.ask.deadline
        if deadline is None or not len(left):
            return
        bits = min(64.0, float(np.log2(rows.columns.sizes + 1.0).sum()))
        expected = GROWTH**bits / NODES_A_SECOND
        if expected * len(left) > NARROW_SHARE * (deadline - time.perf_counter()):
            return
        init = rows.columns.counts_from_weights(self.weights[left])
        tau = np.ascontiguousarray(rows.tau[:, left])
        end = time.perf_counter() + HEURISTIC_SHARE * (deadline - time.perf_counter())
        found = soft_anneal_layer(
            rows.A, rows.columns.sizes, tau, seed=self.seed, sweeps=NARROW_SWEEPS, init=init, deadline=end,
            threads=self.options.threads,
        )  # fmt: skip
        self.weights[left] = rows.columns.weights_from_counts(found.counts)
        for place, neuron in enumerate(left.tolist()):
            now = time.perf_counter()
            self._branch(neuron, now + NARROW_SHARE * (deadline - now) / (len(left) - place))

    def _anneal(self) -> None:
        from qproj.solvers.kernels.annealing import anneal_until, soft_anneal_layer

        left = self.left
        if not len(left):
            return
        rows, options = self.rows, self.options
        init = rows.columns.counts_from_weights(self.weights[left])
        tau = np.ascontiguousarray(rows.tau[:, left])
        common: dict[str, Any] = {"seed": self.seed, "init": init, "threads": options.threads}
        if self.ask.deadline is None:
            sizes = rows.columns.sizes
            found = soft_anneal_layer(rows.A, sizes, tau, sweeps=options.sweeps, starts=options.starts, **common)
        else:
            now = time.perf_counter()
            end = now + HEURISTIC_SHARE * (self.ask.deadline - now)
            found = anneal_until(rows.A, rows.columns.sizes, tau, deadline=end, **common)
        self.weights[left] = rows.columns.weights_from_counts(found.counts)
        met = found.met if rows.is_binary else rows.met(self.weights[left], left)
        self.proved[left[met]] = True

    def _prove(self) -> None:
        """Search exactly, neuron by neuron: without a time limit by branch and bound's nodes, else in slices of it."""
        if self.ask.deadline is None:
            left = self.left.tolist()
            # a neuron's result depends on its nodes only, so it does not matter how neurons and threads meet
            across = max(1, min(self._threads, len(left)))
            inside = max(1, self._threads // across)
            with ThreadPoolExecutor(across) as pool:
                run = pool.map if across > 1 else map
                for neuron, result in zip(left, run(lambda i: self._search(i, None, inside), left), strict=True):
                    self._take(neuron, result)
            return
        # where nearly all signs can be met CP-SAT's bounds close the rest, beyond that its search is no match
        near = len(self.rows.A) <= NEAR_CAPACITY * self.rows.A.shape[1]
        steps = (self._ask_cpsat, self._branch) if near else (self._branch, self._ask_cpsat)
        for share, step in zip(PROOF_SHARES, steps, strict=True):
            left = self.left
            end = time.perf_counter() + share * (self.ask.deadline - time.perf_counter())
            for place, neuron in enumerate(left.tolist()):
                now = time.perf_counter()
                if now >= end:
                    break
                step(neuron, now + (end - now) / (len(left) - place))
        for neuron in self.left.tolist():
            self.ended_by[neuron] = EndedBy.CLOCK

    @property
    def _threads(self) -> int:
        import numba

        return self.options.threads or int(numba.get_num_threads())

    def _branch(self, neuron: int, deadline: float) -> None:
        self._take(neuron, self._search(neuron, deadline, self._threads))

    def _search(self, neuron: int, deadline: float | None, threads: int) -> BranchBoundResult:
        from qproj.solvers.kernels.branch_bound import branch_bound

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
        )

    def _take(self, neuron: int, result: BranchBoundResult) -> None:
        merged = self.problems[neuron].aggregated
        self.stats["nodes"] += result.nodes
        weights = merged.columns.weights_from_counts(result.c[None, :])[0]
        scale = float(np.abs(merged.tau).max(initial=0.0))
        self._learnt(neuron, weights, result.upper_bound * scale, proved=result.proved)

    def _ask_cpsat(self, neuron: int, deadline: float) -> None:
        limit = deadline - time.perf_counter()
        if not self.rows.is_binary or limit < LEAST_CPSAT_S:
            return
        try:
            solver = get_solver("cpsat")
        except MissingPackageError:
            return  # branch and bound goes on alone
        problem = self.problems[neuron]
        found = solver.solve(problem, time_limit_s=limit, seed=self.seed >> 1, hint=self.weights[neuron])
        if found.best is not None and found.gain_bound is not None:
            self._learnt(neuron, found.best, found.gain_bound, proved=found.status is Status.OPTIMAL)

    def _learnt(self, neuron: int, weights: Any, gain_bound: float, *, proved: bool) -> None:
        problem = self.problems[neuron]
        if problem.gain(weights) > problem.gain(self.weights[neuron]):
            self.weights[neuron] = weights
        self.proved[neuron] = proved
        self.bound[neuron] = min(self.bound[neuron], gain_bound / self.rows.scale[neuron])

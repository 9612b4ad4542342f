"""Rounds of re-weighted margin surrogates around any sampler: each round aims where the last one arrived.

A majorise–minimise walk. Rows that the last incumbent meets by a wide margin, or misses by far, lose weight; the
quadratic that replaces the step of the others is centred at the incumbent's pre-activations. Rounds come in cycles: at
first a wide margin is asked of every row, at last a narrow one of the rows that are nearly met (graduated
non-convexity: Blake, Zisserman 1987). A round that ends where an earlier one did is followed by one whose rows are
weighted at random, so that a sampler whose reads are all alike still gives descent many starts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel, margin
from qproj.projections import SignProjection
from qproj.solvers.composites.composite import SignComposite
from qproj.solvers.composites.polished import polish
from qproj.solvers.contract import Request, Termination
from qproj.solvers.found import Found
from qproj.solvers.sampling import SamplingAdapter

#: Rounds without `rounds`: at least so many, and one for so many reads.
LEAST_ROUNDS, READS_A_ROUND = 20, 10
#: Rounds of a cycle, from the first margin and width to the last.
CYCLE = 10
#: The last margin of a cycle, as a share of the first.
NARROWEST = 0.25
#: Width of a row's weight 1/(1 + (u/width)²), in units of √d, at the beginning and at the end of a cycle.
WIDTHS = (0.5, 0.3)
#: Reads until a time limit, without num_reads: scoring more of them would overrun it.
MOST_READS = 20_000


class Refined(SignComposite):
    """The best of a walk of margin surrogates, each re-weighted where the round before it arrived.

    Any sampler will do: in every round it is given a margin encoding like the first, and num_reads are shared among
    the rounds. On a QPU, where each round is one call, choose few rounds.

    Parameters
    ----------
    solver : SamplingAdapter
        "sa", "sqa", "tabu", "greedy", ``from_sampler``, "dwave-emulated" or "dwave".
    rounds : int, optional
        By default one for every 10 reads, at least 20 (or as many as there are reads).
    kappa : float
        Margin at the beginning of a cycle, in units of √d.
    polish : bool
        Whether to descend in v from the reads of each round. The null model is ``Polished(get_solver("random"))`` with
        as many reads.
    """

    def __init__(self, solver: Any, *, rounds: int | None = None, kappa: float = 1.5, polish: bool = True) -> None:
        if not isinstance(solver, SamplingAdapter):
            raise TypeError(
                f"{type(solver).__name__} does not sample a BQM; refine 'sa', 'sqa', 'tabu' or from_sampler(…)"
            )
        if rounds is not None and (isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)) or rounds < 1):
            raise ValueError(f"rounds is {rounds!r}; an integer ≥ 1 is needed")
        super().__init__(solver, "refined", exact=False)
        self.rounds, self.kappa, self.polish = None if rounds is None else int(rounds), float(kappa), bool(polish)

    def call(self, model: SignProjection, request: Request) -> Found:
        rounds: list[Found] = []
        polished: list[NDArray[np.int8]] = []
        visited: set[bytes] = set()
        centre: NDArray[np.int8] | None = None
        rng, termination = request.rng(), Termination.BUDGET
        for number, share in enumerate(self._shares(request)):
            if request.deadline is not None and rounds and time.perf_counter() >= request.deadline:
                termination = Termination.CLOCK
                break
            again = centre is not None and centre.tobytes() in visited
            if centre is not None:
                visited.add(centre.tobytes())
            surrogate = self._surrogate(model, number, centre, rng if again else None)
            child = int(rng.integers(2**31))
            part = Request(seed=None if request.seed is None else child, num_reads=share, deadline=request.deadline)
            found = self.solver.decode(self.solver.call(surrogate, part), model)
            rounds.append(found)
            reached = np.asarray(found.candidates, np.int8)
            if not len(reached):
                break
            if self.polish:
                reached = polish(model, np.unique(reached, axis=0))
                polished.append(reached)
            centre = reached[int(model.gain(reached).argmax())]
            if model.meets_bound(centre):
                break
            if found.termination is Termination.CLOCK:
                termination = Termination.CLOCK
        return Found(
            np.concatenate([*(np.asarray(part.candidates) for part in rounds), *polished]),
            termination,
            sampleset=rounds[0].sampleset,
            message=rounds[-1].message,
            stats={"rounds": len(rounds), "reads": sum(part.stats.get("reads", 0) for part in rounds)},
        )

    def _surrogate(
        self, model: SignProjection, number: int, centre: NDArray[np.int8] | None, rng: np.random.Generator | None
    ) -> SampledModel:
        """Return a round's scaled model; with `rng`, its rows are weighted at random besides."""
        done = number % CYCLE / (CYCLE - 1)
        kappa, width = self.kappa * NARROWEST**done, WIDTHS[0] * (WIDTHS[1] / WIDTHS[0]) ** done
        rows = model.rows
        targets, weights = None, np.abs(rows.tau)
        if centre is not None:
            targets, weights = reweighted(model, centre, kappa, width)
        if rng is not None:
            weights = weights * rng.exponential(size=len(weights))
        return SampledModel.of_encoding(margin(rows, kappa=kappa, targets=targets, weights=weights))

    def _shares(self, request: Request) -> Iterator[int]:
        """Yield the reads of every round; they add up to num_reads."""
        reads = request.num_reads or self.solver.default_reads
        if request.num_reads is None and request.deadline is not None and self.rounds is None:
            each = min(READS_A_ROUND, reads)
            yield from [each] * (MOST_READS // each)
            return
        rounds = min(reads, self.rounds or max(LEAST_ROUNDS, reads // READS_A_ROUND))
        yield from (reads // rounds + (number < reads % rounds) for number in range(rounds))


def reweighted(
    problem: SignProjection, v: NDArray[np.int8], kappa: float, width: float
) -> tuple[FloatArray, FloatArray]:
    """Return the next round's (targets, weights), (G,) each, from where the last round arrived, v.

    With margins u_g = z_g·sign τ_g / √d (real rows: divided by their root mean square too): the target of a row keeps
    what it has where that exceeds the asked margin κ, so that a met row is not pulled back; its weight falls with its
    distance from the threshold, |τ|/(1 + (u/width)²).
    """
    rows = problem.rows
    counts = rows.columns.counts_from_weights(v[None, :])[0]
    z = rows.A.astype(np.float64) @ (2.0 * counts - rows.columns.sizes)
    scale = np.full(len(z), np.sqrt(problem.num_weights))
    if not rows.is_binary:
        size = np.sqrt(np.square(rows.A).mean(axis=1))
        scale *= np.where(size > 0, size, 1.0)
    side = np.where(rows.tau >= 0, 1.0, -1.0)
    u = z * side / scale
    return side * scale * np.maximum(u, kappa), np.abs(rows.tau) / (1.0 + np.square(u / width))

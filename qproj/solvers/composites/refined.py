"""Rounds of re-weighted margin surrogates around any sampler: each round aims where the last one arrived.

A majorise–minimise walk. Rows that the last incumbent meets by a wide margin, or misses by far, lose weight; the
quadratic that replaces the step of the others is centred at the incumbent's pre-activations. Rounds come in cycles: at
first a wide margin is asked of every row, at last a narrow one of the rows that are nearly met (graduated
non-convexity: Blake, Zisserman 1987). A round that ends where an earlier one did is followed by one whose rows are
weighted at random, so that a sampler whose reads are all alike still gives descent many starts.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings import margin
from qproj.projections import SignProjection
from qproj.solvers import Adapter, Capabilities, EndedBy, Ending, Found, Request
from qproj.solvers.composites.polished import polish
from qproj.solvers.sampling import decode_reads, encoded_model

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


class Refined(Adapter):
    """The best of a walk of margin surrogates, each re-weighted where the round before it arrived.

    Any sampler will do: what it is given in a round is a margin encoding like the first, and num_reads are shared among
    the rounds. On a QPU, where a round is a call, ask for few rounds.

    Parameters
    ----------
    solver : SamplerSolver, Annealer
        "sa", "sqa", "tabu", "greedy", ``from_sampler``, "dwave-emulated" or "dwave".
    rounds : int, optional
        By default one for every 10 reads, at least 20 (or as many as there are reads).
    kappa : float
        Margin at the beginning of a cycle, in units of √d.
    polish : bool
        Descend in v from the reads of each round. The null model is ``Polished(get_solver("random"))`` with as many
        reads.
    """

    name: ClassVar[str] = "refined"

    def __init__(self, solver: Any, *, rounds: int | None = None, kappa: float = 1.5, polish: bool = True) -> None:
        if not callable(getattr(solver, "sample_model", None)):
            raise TypeError(f"{type(solver).__name__} is no sampler; refine 'sa', 'sqa', 'tabu' or from_sampler(…)")
        if rounds is not None and (isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)) or rounds < 1):
            raise ValueError(f"rounds is {rounds!r}; an integer ≥ 1 is needed")
        self.solver = solver
        self.rounds, self.kappa, self.polish = None if rounds is None else int(rounds), float(kappa), bool(polish)
        self.name = f"refined({solver.name})"  # type: ignore[misc]
        self.capabilities: Capabilities = dataclasses.replace(
            solver.capabilities, forms=frozenset({"projection"}), exact=False
        )

    def check(self, problem: Any, ask: Request) -> None:
        """Refuse projections other than the sign projection."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"refined takes sign projections, not {type(problem).__name__}; use the sampler itself")

    def build(self, problem: Any, ask: Request) -> SignProjection:
        return problem  # type: ignore[no-any-return]

    def call(self, model: SignProjection, ask: Request) -> tuple[list[Found], NDArray[np.int8], EndedBy]:
        found: list[Found] = []
        polished: list[NDArray[np.int8]] = []
        visited: set[bytes] = set()
        centre: NDArray[np.int8] | None = None
        rng, ended_by, again = ask.rng(), EndedBy.BUDGET, False
        for number, share in enumerate(self._shares(ask)):
            if ask.deadline is not None and found and time.perf_counter() >= ask.deadline:
                ended_by = EndedBy.CLOCK
                break
            kappa, width = self._cycle(number)
            targets, weights = None, np.abs(model.rows.tau)
            if centre is not None:
                targets, weights = reweighted(model, centre, kappa, width)
            if again:
                weights = weights * rng.exponential(size=len(weights))
            encoded = encoded_model(margin(model.rows, kappa=kappa, targets=targets, weights=weights))
            child = int(rng.integers(2**31))
            part = Request(seed=None if ask.seed is None else child, num_reads=share, deadline=ask.deadline)
            sampleset, how = self.solver.sample_model(encoded, part)
            found.append(decode_reads(encoded, sampleset, model, how))
            reached = np.asarray(found[-1].candidates, np.int8)
            if not len(reached):
                break
            if self.polish:
                reached = polish(model, np.unique(reached, axis=0))
                polished.append(reached)
            centre = reached[int(model.gain(reached).argmax())]
            if model.meets_bound(centre):
                break
            again = centre.tobytes() in visited
            visited.add(centre.tobytes())
            if how is EndedBy.CLOCK:
                ended_by = how
        descended = np.concatenate(polished) if polished else np.empty((0, model.num_weights), np.int8)
        return found, descended, ended_by

    def _shares(self, ask: Request) -> list[int]:
        """Return the reads of every round; they add up to num_reads."""
        if ask.num_reads is None and ask.deadline is not None and self.rounds is None:
            each = min(READS_A_ROUND, self.solver.default_reads)
            return [each] * (MOST_READS // each)
        reads = ask.num_reads or self.solver.default_reads
        rounds = min(reads, self.rounds or max(LEAST_ROUNDS, reads // READS_A_ROUND))
        return [reads // rounds + (number < reads % rounds) for number in range(rounds)]

    def _cycle(self, number: int) -> tuple[float, float]:
        """Return a round's margin and width."""
        done = number % CYCLE / (CYCLE - 1)
        return self.kappa * NARROWEST**done, WIDTHS[0] * (WIDTHS[1] / WIDTHS[0]) ** done

    def decode(self, raw: tuple[list[Found], NDArray[np.int8], EndedBy], problem: Any) -> Found:
        rounds, polished, ended_by = raw
        first = rounds[0]
        return Found(
            np.concatenate([*(np.asarray(part.candidates) for part in rounds), polished]),
            Ending.STOPPED,
            ended_by,
            sampleset=first.sampleset,
            message=rounds[-1].message,
            stats={"rounds": len(rounds), "reads": sum(part.stats.get("reads", 0) for part in rounds)},
        )


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


__all__ = ["Refined", "reweighted"]

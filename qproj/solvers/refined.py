"""Rounds of re-weighted margin surrogates around any sampler: each round aims where the last incumbents stand.

A majorise–minimise idea: rows that the incumbent meets by a wide margin lose weight, rows near their threshold keep it,
and rows that it misses by far are given up (their step cannot be won by a quadratic pull). The quadratic that replaces
the step is centred at the incumbent's pre-activations.
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
from qproj.solvers.polished import polish
from qproj.solvers.sampler import SamplerSolver
from qproj.solving import Adapter, Capabilities, EndedBy, Ending, Found, Request
from qproj.solving.sampling import decode_reads, encoded_model


class Refined(Adapter):
    """The best read of `rounds` margin surrogates, each re-weighted at the incumbent of the rounds before.

    Parameters
    ----------
    solver : SamplerSolver
        "sa", "sqa", "tabu", "greedy" or ``from_sampler``; num_reads are shared among the rounds.
    rounds : int
    kappa : float
        Margin of the first round, in units of √d.
    polish : bool
        Descend in v from the reads of each round.
    """

    name: ClassVar[str] = "refined"

    def __init__(self, solver: Any, *, rounds: int = 5, kappa: float = 1.5, polish: bool = True) -> None:
        if not isinstance(solver, SamplerSolver):
            raise TypeError(f"{type(solver).__name__} is no sampler; refine 'sa', 'sqa', 'tabu' or from_sampler(…)")
        if isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)) or rounds < 1:
            raise ValueError(f"rounds is {rounds!r}; an integer ≥ 1 is needed")
        self.solver = solver
        self.rounds, self.kappa, self.polish = int(rounds), float(kappa), bool(polish)
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
        reads = ask.num_reads or self.solver.default_reads
        targets: FloatArray | None = None
        weights: FloatArray | None = None
        best: NDArray[np.int8] | None = None
        best_gain, ended_by = -np.inf, EndedBy.BUDGET
        seeds = np.random.SeedSequence(ask.seed).generate_state(self.rounds) >> 1
        for number in range(self.rounds):
            share = reads // self.rounds + (number < reads % self.rounds)
            if share == 0 or (ask.deadline is not None and found and time.perf_counter() >= ask.deadline):
                ended_by = EndedBy.BUDGET if share == 0 else EndedBy.CLOCK
                break
            encoded = encoded_model(margin(model.rows, kappa=self.kappa, targets=targets, weights=weights))
            end = None
            if ask.deadline is not None:
                now = time.perf_counter()
                end = now + (ask.deadline - now) / (self.rounds - number)
            part = Request(
                seed=None if ask.seed is None else int(seeds[number]),
                num_reads=share if ask.num_reads is not None or end is None else None,
                deadline=end,
            )
            sampleset, how = self.solver.sample_model(encoded, part)
            found.append(decode_reads(encoded, sampleset, model, how))
            reached = np.asarray(found[-1].candidates)
            if self.polish:
                reached = polish(model, np.unique(reached, axis=0))
                polished.append(reached)
            gains = model.gain(reached)
            if gains.max() > best_gain:
                best, best_gain = reached[int(gains.argmax())], float(gains.max())
            if best is not None and model.meets_bound(best):
                break
            targets, weights = reweighted(model, best, self.kappa)  # type: ignore[arg-type]
            if how is EndedBy.CLOCK:
                ended_by = how
        descended = np.concatenate(polished) if polished else np.empty((0, model.num_weights), np.int8)
        return found, descended, ended_by

    def decode(self, raw: tuple[list[Found], NDArray[np.int8], EndedBy], problem: Any) -> Found:
        rounds, polished, ended_by = raw
        first = rounds[0]
        return Found(
            np.concatenate([*(np.asarray(part.candidates) for part in rounds), polished]),
            Ending.STOPPED,
            ended_by,
            sampleset=first.sampleset,
            stats={"rounds": len(rounds), "reads": sum(part.stats.get("reads", 0) for part in rounds)},
        )


def reweighted(problem: SignProjection, v: NDArray[np.int8], kappa: float) -> tuple[FloatArray, FloatArray]:
    """Return the next round's (targets, weights), (G,) each, from the incumbent v.

    With margins u_g = z_g·sign τ_g / √d: the target of a row keeps what it has where that exceeds the asked margin, so
    that a met row is not pulled back; its weight falls with its distance from the threshold, |τ|/(1 + u²).
    """
    rows = problem.rows
    counts = rows.columns.counts_from_weights(v[None, :])[0]
    z = rows.A.astype(np.float64) @ (2.0 * counts - rows.columns.sizes)
    scale = np.sqrt(problem.num_weights)
    side = np.where(rows.tau >= 0, 1.0, -1.0)
    u = z * side / scale
    targets = side * scale * np.maximum(u, kappa)
    return targets, np.abs(rows.tau) / (1.0 + np.square(u))


__all__ = ["Refined", "reweighted"]

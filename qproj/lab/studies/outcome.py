"""One finished run as plain numbers; every score is recomputed from the definition, never believed."""

from __future__ import annotations

import json
import math
import time
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.plan import Limits, solver_seed
from qproj.projections import SignProjection
from qproj.solvers.contract import Solution, Status
from qproj.solvers.redact import redact

#: Beyond a solver's own statuses: what became of a run that did not end as it should.
REFUSED = "refused"  # the solver does not take this problem: not applicable
RAISED = "raised"
CRASHED = "crashed"  # its process died
HUNG = "hung"  # it was ended, past its limit and grace
WRONG = "wrong"  # it came back with something that is not so
FAILURES = (str(Status.ERROR), RAISED, CRASHED, HUNG, WRONG)
#: Relative to Σ|τ|: a claimed gain may differ by rounding, no more.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Outcome:
    """What became of one run; None where there is no such figure.

    Attributes
    ----------
    gain, objective, gain_bound, bound : float
        Recomputed from the incumbent; the bounds as claimed.
    scale : float
        Σ|τ| of the neuron: gaps are (gain_bound − gain)/(2·scale).
    raw_gain : float
        Gain of the read of lowest energy.
    descent_gain, descent_s : float
        Best gain of all reads after single-flip descent in v, and its seconds.
    cosine : float
        Of the weights with −∂L/∂W = Xᵀt.
    reads : int
        Reads that came back.
    read_gains, best : bytes
        Compressed float64 gains of the reads, best first; packed weights.
    wall_s : float
        From the problem to the weights, on the worker's clock.
    setup_s : float
        One-off costs that came before it in its process (imports, compilation, a warm-up), never part of `wall_s`.
    """

    key: str
    status: str
    message: str = ""
    termination: str | None = None
    gain: float | None = None
    objective: float | None = None
    gain_bound: float | None = None
    bound: float | None = None
    scale: float | None = None
    raw_gain: float | None = None
    descent_gain: float | None = None
    descent_s: float | None = None
    cosine: float | None = None
    reads: int | None = None
    read_gains: bytes | None = None
    best: bytes | None = None
    wall_s: float | None = None
    build_s: float | None = None
    embed_s: float | None = None
    queue_s: float | None = None
    solve_s: float | None = None
    decode_s: float | None = None
    solver_seed: int | None = None
    stats: str = "{}"
    setup_s: float | None = None


def perform(key: str, problem: Any, solver: Any, limits: Limits) -> Outcome:
    """Solve a neuron or a model and return what came of it, whatever the solver does short of ending the process."""
    asked: dict[str, Any] = {}
    if limits.num_reads is not None:
        asked["num_reads"] = limits.num_reads
    if limits.time_limit_s is not None:
        asked["time_limit_s"] = limits.time_limit_s
    seed = solver_seed(problem.key, limits.seed)
    if seed is not None:
        asked["seed"] = seed
    start = time.perf_counter()
    try:
        solution = solver.solve(problem, **asked)
    except Exception as error:
        wall = time.perf_counter() - start
        kind = REFUSED if isinstance(error, ValueError | TypeError) else RAISED
        return Outcome(key, kind, _line(f"{type(error).__name__}: {error}"), wall_s=wall, solver_seed=seed)
    wall = time.perf_counter() - start
    try:
        return _judged(key, problem, solution, wall, seed, descend=solver.capabilities.num_reads)
    except Exception as error:  # an answer so odd that it cannot be read
        return Outcome(
            key, WRONG, _line(f"unreadable answer: {type(error).__name__}: {error}"), wall_s=wall, solver_seed=seed
        )


def _judged(key: str, problem: Any, solution: Any, wall: float, seed: int | None, *, descend: bool) -> Outcome:
    if not isinstance(solution, Solution):
        return Outcome(
            key, WRONG, f"solve() returned {type(solution).__name__}, not a Solution", wall_s=wall, solver_seed=seed
        )
    timing = solution.timing
    common: dict[str, Any] = {
        "termination": str(solution.termination), "wall_s": wall, "solver_seed": seed,
        "build_s": timing.build, "embed_s": timing.embed, "queue_s": timing.queue, "solve_s": timing.solve,
        "decode_s": timing.decode, "scale": _scale(problem), "stats": _stats(solution.stats),
        "gain_bound": _number(solution.gain_bound), "bound": _number(solution.bound),
    }  # fmt: skip
    status, message = str(solution.status), _line(solution.message)
    if solution.best is None:
        return Outcome(key, status, message, **common)
    best = np.asarray(solution.best)
    gain = float(problem.gain(best))  # refuses what is not ±1 or of another length
    lie = _lie(problem, solution, gain)
    if lie:
        status, message = WRONG, _line(f"{lie}; {message}" if message else lie)
    reads, gains = _reads(problem, solution)
    common |= {
        "gain": gain, "objective": float(problem.objective_of_gain(gain)),
        "cosine": alignment(problem, best) if isinstance(problem, SignProjection) else None,
        "best": pack(best), "reads": reads, "read_gains": None if gains is None else compress(gains),
    }  # fmt: skip
    if solution.raw_best is not None:
        common["raw_gain"] = float(problem.gain(np.asarray(solution.raw_best)))
    if descend and len(solution.candidates) and isinstance(problem, SignProjection):
        common |= _descent(problem, solution.candidates)
    return Outcome(key, status, message, **common)


def _scale(problem: Any) -> float:
    """Σ|τ| of a neuron; of a model, the largest gain that its signs allow."""
    return abs(float(problem.gain_bound))


def _lie(problem: Any, solution: Solution, gain: float) -> str:
    """Return what the solution claims and is not so, or ""."""
    tolerance = TOLERANCE * _scale(problem)
    if solution.gain is None or not abs(solution.gain - gain) <= tolerance:
        return f"claims gain {solution.gain!r}, its weights have {gain!r}"
    objective = float(problem.objective_of_gain(gain))
    if solution.objective is None or not abs(solution.objective - objective) <= TOLERANCE * max(1.0, abs(objective)):
        return f"claims objective {solution.objective!r}, its weights have {objective!r}"
    if solution.gain_bound is not None and solution.gain_bound < gain - tolerance:
        return f"claims that no gain exceeds {solution.gain_bound!r}, its weights have {gain!r}"
    if solution.bound is not None and solution.bound > objective + TOLERANCE * max(1.0, abs(objective)):
        return f"claims that no objective is below {solution.bound!r}, its weights have {objective!r}"
    return ""


def _reads(problem: Any, solution: Solution) -> tuple[int | None, FloatArray | None]:
    """Return how many reads came back and their gains, best first, where each candidate is one read."""
    told = solution.stats.get("reads")
    if not isinstance(told, int | np.integer):
        return None, None
    candidates = np.asarray(solution.candidates)
    if len(candidates) != told:
        return int(told), None
    gains: FloatArray = np.sort(np.asarray(problem.gain(candidates), np.float64))[::-1]
    return int(told), gains


def _descent(problem: SignProjection, candidates: NDArray[Any]) -> dict[str, float]:
    from qproj.solvers.composites.polished import polish

    start = time.perf_counter()
    reached = polish(problem, np.unique(np.asarray(candidates, np.int8), axis=0))
    gain = float(np.max(problem.gain(reached)))
    return {"descent_gain": gain, "descent_s": time.perf_counter() - start}


def alignment(problem: SignProjection, v: NDArray[Any]) -> float | None:
    """Return ⟨v, g⟩/(√d ‖g‖) with g = Xᵀt = −∂L/∂W (straight through σ); None where g = 0."""
    largest = float(np.abs(problem.t).max(initial=0.0))
    if largest == 0.0:
        return None
    direction = problem.X.T.astype(np.float64) @ (problem.t / largest)
    length = float(np.linalg.norm(direction))
    if length == 0.0:
        return None
    return float(v.astype(np.float64) @ direction) / (math.sqrt(len(v)) * length)


def pack(v: NDArray[Any]) -> bytes:
    """Return ±1 weights, eight to a byte."""
    return np.packbits(np.asarray(v) > 0).tobytes()


def unpack(data: bytes, length: int) -> NDArray[np.int8]:
    """Return the ±1 weights that :func:`pack` made."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=length)
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


def compress(values: FloatArray) -> bytes:
    """Return float64 numbers, compressed."""
    return zlib.compress(values.astype("<f8").tobytes(), 1)


def decompress(data: bytes) -> FloatArray:
    """Return the numbers that :func:`compress` made."""
    return np.frombuffer(zlib.decompress(data), "<f8").astype(np.float64)


def _stats(stats: Any) -> str:
    """Keep the plain numbers and short texts of a solver's own figures, as JSON."""
    kept: dict[str, Any] = {}
    for name, value in dict(stats).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and not math.isfinite(plain):
            continue
        if isinstance(plain, bool | int | float) or (isinstance(plain, str) and len(plain) <= 200):
            kept[str(name)] = redact(plain) if isinstance(plain, str) else plain
    return json.dumps(kept, sort_keys=True)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _line(text: str) -> str:
    joined = redact(" ".join(str(text).split()))
    return joined if len(joined) <= 500 else joined[:497] + "..."

"""One finished run as plain numbers; every score is recomputed from the definition, and no claim is believed."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.plan import RunLimits, solver_seed
from qproj.projections import SignProjection
from qproj.solvers.claims import TOLERANCE, false_claim, is_own, without_false_proof
from qproj.solvers.contract import Solution, Status
from qproj.solvers.redact import redact
from qproj.solvers.search_progress import ProgressEvent

#: Beyond a solver's own statuses: runs that did not end as they should.
REFUSED = "refused"  # the solver does not take this problem: not applicable
RAISED = "raised"
CRASHED = "crashed"  # its process died
HUNG = "hung"  # it was ended, past its limit and grace
WRONG = "wrong"  # its answer contradicts the definition
FAILURES = (str(Status.ERROR), RAISED, CRASHED, HUNG, WRONG)
#: Letters of a message that are kept.
_MOST_LETTERS = 500


@dataclass(frozen=True)
class Outcome:
    """One finished run: a row of the study's store; None where a figure does not apply.

    Attributes
    ----------
    key : str
        Of the planned run.
    status, message : str
        A solver's status, or one of :data:`FAILURES`; the backend's or the error's own words.
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
    read_table : bytes
        Of the sample set, packed by :func:`pack_table`: gain, energy, occurrences, share of broken chains of each row.
    events : bytes
        Where it was recorded: the search as it went, packed by :func:`pack_events`.
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
    read_table: bytes | None = None
    events: bytes | None = None


def perform(key: str, problem: Any, solver: Any, limits: RunLimits, *, record_progress: bool = False) -> Outcome:
    """Solve a neuron or a model and return the outcome, whatever the solver does short of ending the process."""
    seed = solver_seed(problem.key, limits.seed)
    answer, failure = None, None
    events: list[ProgressEvent] = []
    watched = {"on_progress": events.append} if record_progress and solver.capabilities.progress else {}
    start = time.perf_counter()
    try:
        answer = solver.solve(problem, **limits.keywords(seed), **watched)
    except Exception as error:
        failure = error
    run = Outcome(key, WRONG, wall_s=time.perf_counter() - start, solver_seed=seed)
    if failure is not None:
        status = REFUSED if isinstance(failure, ValueError | TypeError) else RAISED
        return replace(run, status=status, message=one_line(f"{type(failure).__name__}: {failure}"))
    if not isinstance(answer, Solution):
        return replace(run, message=f"solve() returned {type(answer).__name__}, not a Solution")
    try:
        run = replace(run, **_judged(problem, answer, solver))
        return replace(run, events=_events(run, events)) if record_progress else run
    except Exception as error:  # an answer so odd that it cannot be read
        return replace(run, message=one_line(f"unreadable answer: {type(error).__name__}: {error}"))


def _judged(problem: Any, solution: Solution, solver: Any) -> dict[str, Any]:
    """Return the fields of an outcome that a solution fills, all scores recomputed."""
    timing = solution.timing
    fields: dict[str, Any] = {
        "status": str(solution.status), "message": one_line(solution.message), "termination": str(solution.termination),
        "build_s": timing.build, "embed_s": timing.embed, "queue_s": timing.queue,
        "solve_s": timing.solve, "decode_s": timing.decode, "scale": _scale(problem),
        "stats": _plain_stats(solution.stats), "gain_bound": _finite(solution.gain_bound),
        "bound": _finite(solution.bound),
    }  # fmt: skip
    if solution.best is None:
        return fields
    best = np.asarray(solution.best)
    gain = float(problem.gain(best))  # refuses entries other than ±1, and another length
    false = false_claim(problem, solution, gain)
    if not false and not is_own(solver):
        believed = without_false_proof(problem, solution, solver)
        false = "" if believed is solution else believed.message
    if false:
        words = fields["message"]
        fields |= {"status": WRONG, "message": one_line(f"{false}; {words}" if words else false)}
    reads, gains = _reads(problem, solution)
    fields |= {
        "gain": gain, "objective": float(problem.objective_of_gain(gain)), "best": pack(best), "reads": reads,
        "read_gains": None if gains is None else compress(gains), "read_table": _read_table(problem, solution),
        "cosine": alignment(problem, best) if isinstance(problem, SignProjection) else None,
        "raw_gain": None if solution.raw_best is None else float(problem.gain(np.asarray(solution.raw_best))),
    }  # fmt: skip
    if solver.capabilities.num_reads and len(solution.candidates) and isinstance(problem, SignProjection):
        fields |= _descent(problem, solution.candidates)
    return fields


def _events(run: Outcome, events: list[ProgressEvent]) -> bytes | None:
    """Return the events of a run, packed; of a solver that reports none, its answer at the end."""
    if not events and (run.gain is not None or run.bound is not None):
        events = [ProgressEvent(run.wall_s or 0.0, run.objective, run.bound, run.gain, run.gain_bound)]
    return pack_events(events) if events else None


def pack_events(events: Sequence[ProgressEvent]) -> bytes:
    """Return events, compressed: (k, 5) float64 of time, objective, bound, gain, bound on the gain; NaN for none."""
    rows = [[np.nan if value is None else value for value in astuple(event)] for event in events]
    return compress(np.array(rows, np.float64).reshape(-1, 5))


def unpack_events(data: bytes) -> list[ProgressEvent]:
    """Return the events that :func:`pack_events` made."""
    rows = decompress(data).reshape(-1, 5).tolist()
    return [ProgressEvent(row[0], *(None if math.isnan(value) else value for value in row[1:])) for row in rows]


def _scale(problem: Any) -> float:
    """Σ|τ| of a neuron; of a model, the largest gain that its signs allow."""
    return abs(float(problem.gain_bound))


def _reads(problem: Any, solution: Solution) -> tuple[int | None, FloatArray | None]:
    """Return how many reads came back and their gains, best first, where each candidate is one read."""
    reported = solution.stats.get("reads")
    if not isinstance(reported, int | np.integer):
        return None, None
    candidates = np.asarray(solution.candidates)
    if len(candidates) != reported:
        return int(reported), None
    gains: FloatArray = np.sort(np.asarray(problem.gain(candidates), np.float64))[::-1]
    return int(reported), gains


def _read_table(problem: Any, solution: Solution) -> bytes | None:
    """Return gain, energy, occurrences and share of broken chains of each row of the sample set; None without reads.

    The gains are recomputed from the decoded rows; a sample set whose rows do not hold the solution's best weights,
    or which cannot be decoded, has no table.
    """
    rows = solution.sampleset
    if rows is None or not len(rows) or not isinstance(solution.stats.get("reads"), int | np.integer):
        return None
    record = rows.record
    if int(record.num_occurrences.sum()) != int(solution.stats["reads"]):
        return None
    try:
        gains = np.asarray(problem.gain(problem.decode(rows)), np.float64)
    except Exception:  # a sample set in variables that are not this problem's
        return None
    if solution.gain is None or abs(float(gains.max()) - solution.gain) > TOLERANCE * _scale(problem):
        return None
    broken = record.chain_break_fraction if "chain_break_fraction" in (record.dtype.names or ()) else np.nan
    columns = (gains, record.energy, record.num_occurrences, np.broadcast_to(broken, gains.shape))
    return pack_table(np.column_stack([np.asarray(column, np.float64) for column in columns]))


def _descent(problem: SignProjection, candidates: NDArray[Any]) -> dict[str, Any]:
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


def pack_table(rows: FloatArray) -> bytes:
    """Return a table of float64 numbers, compressed, column by column: equal neighbours take little room."""
    return zlib.compress(np.ascontiguousarray(rows.T, "<f8").tobytes(), 6)


def unpack_table(data: bytes, columns: int) -> FloatArray:
    """Return the (rows, columns) table that :func:`pack_table` made."""
    flat = np.frombuffer(zlib.decompress(data), "<f8").astype(np.float64)
    return np.ascontiguousarray(flat.reshape(columns, -1).T)


def _plain_stats(stats: Any) -> str:
    """Return the plain numbers and short texts of a solver's own figures, as JSON."""
    kept: dict[str, Any] = {}
    for name, value in dict(stats).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and not math.isfinite(plain):
            continue
        if isinstance(plain, bool | int | float) or (isinstance(plain, str) and len(plain) <= 200):
            kept[redact(str(name))] = redact(plain) if isinstance(plain, str) else plain
    return json.dumps(kept, sort_keys=True)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def one_line(text: str) -> str:
    """Return a message on one line, without secrets, cut where it is long."""
    joined = redact(" ".join(str(text).split()))
    return joined if len(joined) <= _MOST_LETTERS else joined[: _MOST_LETTERS - 3] + "..."

"""What a study is going to take: seconds from stored rows or one short probe a solver, and QPU access time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qproj.lab.studies.outcome import Outcome
from qproj.lab.studies.plan import Plan, Run
from qproj.lab.studies.pool import Pool
from qproj.lab.studies.store import FILE, Store
from qproj.lab.studies.stored_problems import arrays_of, problems_of, shape_of
from qproj.lab.studies.worker import Task, make_task

#: Seconds that a probe may take; reads that it cuts short count in proportion, other searches at their full limit.
PROBE_S = 2.0


@dataclass(frozen=True)
class Estimate:
    """One solver's missing runs.

    Attributes
    ----------
    runs, new : int
        Planned, and not yet stored.
    seconds : float or None
        Of all new runs on one core; None where nothing is known.
    known_from : str
        "stored rows", "a probe", "its limit", or "" where nothing is known.
    qpu_s : float or None
        Access time that a quantum annealer would charge for them; None for other solvers.
    """

    solver: str
    runs: int
    new: int
    seconds: float | None
    known_from: str
    qpu_s: float | None


def estimate(plan: Plan, folder: Path, *, workers: int = 2, probe: bool = True) -> list[Estimate]:
    """Return one estimate per solver, in the plan's order; solves one neuron with each, writes nothing, costs no money.

    Rows that the study's `folder` holds already are not counted, and tell how long a solver takes; without any, and
    with `probe`, the solver's run of middle size is done for at most :data:`PROBE_S` seconds.
    """
    done, means = _stored(folder)
    runs: dict[int, list[Run]] = {}
    for run in plan.runs:
        runs.setdefault(run.solver, []).append(run)
    todo = {number: [run for run in own if run.key not in done] for number, own in runs.items()}
    wanted = {
        number: _typical(plan, own)
        for number, own in todo.items()
        if own and plan.solvers[number].text not in means and not plan.solvers[number].costs_money
    }
    probed = _probe(plan, wanted, workers) if probe else {}
    found = []
    for number, solver in enumerate(plan.solvers):
        new = todo.get(number, [])
        seconds, source = _seconds(new, means.get(solver.text), probed.get(number), solver.costs_money)
        found.append(
            Estimate(solver.text, len(runs.get(number, [])), len(new), seconds, source, _qpu(plan, number, new))
        )
    return found


def _stored(folder: Path) -> tuple[set[str], dict[str, float]]:
    """Keys of the finished runs, and mean seconds by solver."""
    if not (folder / FILE).is_file():
        return set(), {}
    store = Store(folder)
    try:
        rows = store.query(
            "SELECT s.text AS text, avg(wall_s) AS mean FROM run JOIN solver s ON s.id = run.solver GROUP BY 1"
        )
        return store.done(), {row["text"]: row["mean"] for row in rows if row["mean"] is not None}
    finally:
        store.close()


def _typical(plan: Plan, runs: list[Run]) -> Run:
    """The run of middle size."""

    def size(run: Run) -> int:
        n, d = shape_of(plan.instances[run.instance])
        return max(n, 1) * d

    return sorted(runs, key=size)[len(runs) // 2]


def _probe(plan: Plan, wanted: dict[int, Run], workers: int) -> dict[int, Outcome]:
    keys = {run.key: number for number, run in wanted.items()}

    def tasks() -> Iterator[Task]:
        for number, run in wanted.items():
            limit = run.limits.time_limit_s
            shorter = replace(run.limits, time_limit_s=PROBE_S if limit is None else min(limit, PROBE_S))
            limited = plan.solvers[number].capabilities.time_limit
            yield make_task(plan, [replace(run, limits=shorter) if limited else run])

    coming = tasks()
    with Pool(workers, grace_s=10.0) as pool:
        return {keys[outcome.key]: outcome for group in pool.run(lambda: next(coming, None)) for outcome in group}


def _seconds(new: list[Run], mean: float | None, probed: Outcome | None, costs_money: bool) -> tuple[float | None, str]:
    if not new:
        return 0.0, ""
    if mean is not None:
        return mean * len(new), "stored rows"
    limits = [run.limits.time_limit_s for run in new]
    asked = new[0].limits.num_reads
    if probed is not None and asked is not None and probed.reads and probed.wall_s is not None:
        whole = probed.wall_s * max(1.0, asked / probed.reads)
        return sum(min(whole, limit or whole) for limit in limits), "a probe"
    cut = probed is None or probed.ended_by == "clock" or probed.wall_s is None or probed.status in ("hung", "crashed")
    if not cut and probed is not None and probed.wall_s is not None:
        return sum(min(probed.wall_s, limit or probed.wall_s) for limit in limits), "a probe"
    if costs_money or None in limits:
        return None, ""
    return sum(limit or 0.0 for limit in limits), "its limit"


def _qpu(plan: Plan, number: int, new: list[Run]) -> float | None:
    """Access time as the solver's own report reckons it, for the run of middle size times the runs."""
    solver = plan.solvers[number]
    if not new:
        return None
    made = solver.make()
    while hasattr(made, "solver"):
        made = made.solver
    report = getattr(made, "report", None)
    if not callable(report):
        return None
    run = _typical(plan, new)
    try:
        told = report(problems_of(arrays_of(plan.instances[run.instance]))[run.neuron], run.limits.num_reads or 100)
    except Exception:  # no connection, no embedding: no figure, and the study itself will say why
        return None
    access = getattr(told, "access_us", None)
    return None if access is None else 1e-6 * float(access) * len(new)


def plan_table(plan: Plan, estimates: Sequence[Estimate]) -> tuple[list[str], list[list[str]]]:
    """Return the titles and rows of a dry run: each solver's runs, those that are new, what time they take and may."""
    titles = ["solver", "encoding", "kind", "runs", "new", "about", "from", "at most", "QPU access", "withheld", "note"]
    found: dict[int, list[Run]] = {}
    for run in plan.runs:
        found.setdefault(run.solver, []).append(run)
    rows = []
    for number, (solver, one) in enumerate(zip(plan.solvers, estimates, strict=True)):
        runs = found.get(number, [])
        limits = [run.limits.time_limit_s for run in runs]
        share = one.new / max(len(runs), 1)
        longest = "no limit" if None in limits else f"{share * sum(limit or 0.0 for limit in limits):.0f} s"
        withheld = sorted({name for run in runs for name in run.limits.withheld})
        note = "null model" if solver.is_null else "costs money" if solver.costs_money else solver.capabilities.note
        rows.append([
            solver.text, solver.encoding or "–", "exact" if solver.capabilities.exact else "heuristic",
            str(len(runs)), str(one.new), "unknown" if one.seconds is None else f"{one.seconds:.3g} s",
            one.known_from or "–", longest, "–" if one.qpu_s is None else f"{one.qpu_s:.3g} s",
            ", ".join(withheld) or "–", note,
        ])  # fmt: skip
    return titles, rows

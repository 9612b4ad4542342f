"""How long a study will take: seconds from stored rows or from one short probe per solver, and QPU access time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qproj.lab.studies.outcome import CRASHED, HUNG, Outcome
from qproj.lab.studies.plan import PlannedRun, StudyPlan, innermost
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.worker import make_task

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


def estimate(plan: StudyPlan, folder: Path, *, workers: int = 2, probe: bool = True) -> list[Estimate]:
    """Return one estimate per solver, in the plan's order; solves one neuron with each, writes nothing, costs no money.

    Rows that the study's `folder` holds already are not counted, and show how long a solver takes; without any, and
    with `probe`, the solver's run of middle size is done for at most :data:`PROBE_S` seconds.
    """
    done, means = _stored(folder)
    runs = _by_solver(plan)
    new = {number: [run for run in own if run.key not in done] for number, own in runs.items()}
    unknown = {
        number: _typical(plan, own)
        for number, own in new.items()
        if own and plan.solvers[number].text not in means and not plan.solvers[number].costs_money
    }
    probed = _probe(plan, unknown, workers) if probe else {}
    found = []
    for number, solver in enumerate(plan.solvers):
        own = new[number]
        seconds, source = _seconds(own, means.get(solver.text), probed.get(number))
        if source == "its limit" and solver.costs_money:
            seconds, source = None, ""
        found.append(Estimate(solver.text, len(runs[number]), len(own), seconds, source, _qpu_s(plan, number, own)))
    return found


def _by_solver(plan: StudyPlan) -> dict[int, list[PlannedRun]]:
    runs: dict[int, list[PlannedRun]] = {number: [] for number in range(len(plan.solvers))}
    for run in plan.runs:
        runs[run.solver].append(run)
    return runs


def _stored(folder: Path) -> tuple[set[str], dict[str, float]]:
    """Keys of the finished runs, and mean seconds by solver."""
    if not (folder / FILE).is_file():
        return set(), {}
    with StudyStore(folder) as store:
        rows = store.query(
            "SELECT s.text AS text, avg(wall_s) AS mean FROM run JOIN solver s ON s.id = run.solver GROUP BY 1"
        )
        return store.done(), {row["text"]: row["mean"] for row in rows if row["mean"] is not None}


def _typical(plan: StudyPlan, runs: list[PlannedRun]) -> PlannedRun:
    """The run of middle size: rows, or 1 for a model, times fan-in."""
    sizes = [max(n, 1) * d for n, d in (instance.shape for instance in plan.instances)]
    return sorted(runs, key=lambda run: sizes[run.instance])[len(runs) // 2]


def _probe(plan: StudyPlan, wanted: dict[int, PlannedRun], workers: int) -> dict[int, Outcome]:
    """Do one short run per solver and return the outcomes by the solver's place."""
    keys = {run.key: number for number, run in wanted.items()}
    tasks = []
    for number, run in wanted.items():
        limit = run.limits.time_limit_s
        shorter = replace(run.limits, time_limit_s=PROBE_S if limit is None else min(limit, PROBE_S))
        limited = plan.solvers[number].capabilities.time_limit
        tasks.append(make_task(plan, [replace(run, limits=shorter) if limited else run]))
    coming = iter(tasks)
    with WorkerPool(workers, grace_s=10.0) as pool:
        return {keys[outcome.key]: outcome for group in pool.run(lambda: next(coming, None)) for outcome in group}


def _seconds(new: list[PlannedRun], mean: float | None, probed: Outcome | None) -> tuple[float | None, str]:
    """Return the seconds of all new runs, and the source of that number."""
    if not new:
        return 0.0, ""
    if mean is not None:
        return mean * len(new), "stored rows"
    limits = [run.limits.time_limit_s for run in new]
    reads = new[0].limits.num_reads
    if probed is not None and probed.wall_s is not None:
        if reads is not None and probed.reads:
            whole = probed.wall_s * max(1.0, reads / probed.reads)
            return sum(min(whole, limit or whole) for limit in limits), "a probe"
        if probed.termination != "clock" and probed.status not in (HUNG, CRASHED):
            return sum(min(probed.wall_s, limit or probed.wall_s) for limit in limits), "a probe"
    if None in limits:
        return None, ""
    return sum(limit or 0.0 for limit in limits), "its limit"


def _qpu_s(plan: StudyPlan, number: int, new: list[PlannedRun]) -> float | None:
    """Access time as the solver's own report computes it, for the run of middle size times the runs."""
    report = getattr(innermost(plan.solvers[number].make()), "report", None) if new else None
    if not callable(report):
        return None
    run = _typical(plan, new)
    problem = plan.instances[run.instance].problems[run.neuron]
    try:
        charged = report(problem, run.limits.num_reads or 100)
    except Exception:  # no connection, no embedding: no figure, and the study itself will state why
        return None
    access = getattr(charged, "access_us", None)
    return None if access is None else 1e-6 * float(access) * len(new)


def plan_records(plan: StudyPlan, estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """Return a dry run's rows as plain values: runs, seconds of all new ones, None where nothing is known."""
    found, records = _by_solver(plan), []
    for number, (solver, one) in enumerate(zip(plan.solvers, estimates, strict=True)):
        limits = [run.limits.time_limit_s for run in found[number]]
        share = one.new / max(one.runs, 1)
        records.append({
            "solver": solver.text, "encoding": solver.encoding or None, "exact": solver.capabilities.exact,
            "runs": one.runs, "new": one.new, "seconds": one.seconds, "known_from": one.known_from or None,
            "most_s": None if None in limits else share * sum(limit or 0.0 for limit in limits), "qpu_s": one.qpu_s,
            "withheld": sorted({name for run in found[number] for name in run.limits.withheld}),
            "note": "null model" if solver.is_null else "costs money" if solver.costs_money
            else solver.capabilities.note,
        })  # fmt: skip
    return records


def plan_table(plan: StudyPlan, estimates: Sequence[Estimate]) -> tuple[list[str], list[list[str]]]:
    """Return the titles and rows of a dry run: each solver's runs, those that are new, and the time that they take."""
    titles = ["solver", "encoding", "kind", "runs", "new", "about", "from", "at most", "QPU access", "withheld", "note"]
    rows = [
        [
            one["solver"], one["encoding"] or "–", "exact" if one["exact"] else "heuristic", str(one["runs"]),
            str(one["new"]), "unknown" if one["seconds"] is None else f"{one['seconds']:.3g} s",
            one["known_from"] or "–", "no limit" if one["most_s"] is None else f"{one['most_s']:.0f} s",
            "–" if one["qpu_s"] is None else f"{one['qpu_s']:.3g} s", ", ".join(one["withheld"]) or "–", one["note"],
        ]
        for one in plan_records(plan, estimates)
    ]  # fmt: skip
    return titles, rows

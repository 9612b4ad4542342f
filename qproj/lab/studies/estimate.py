"""What a study is going to take: seconds from stored rows or one short probe a solver, and QPU access time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qproj.lab.studies.outcome import Outcome
from qproj.lab.studies.plan import Plan, Run
from qproj.lab.studies.pool import Pool
from qproj.lab.studies.store import FILE, Store
from qproj.lab.studies.stored_problems import arrays_of, problems_of, shape_of
from qproj.lab.studies.study import Study, _by_value
from qproj.lab.studies.worker import Task

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


def estimate(study: Study, *, workers: int = 2, probe: bool = True) -> list[Estimate]:
    """Return an estimate a solver, in the plan's order; solves one neuron a solver, writes nothing, costs no money."""
    plan = study.plan
    done, means = _stored(study)
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


def _stored(study: Study) -> tuple[set[str], dict[str, float]]:
    """Keys of the finished runs, and mean seconds by solver."""
    if not (study.folder / FILE).is_file():
        return set(), {}
    store = Store(study.folder)
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
            solver, instance = plan.solvers[number], plan.instances[run.instance]
            limit = run.limits.time_limit_s
            shorter = replace(run.limits, time_limit_s=PROBE_S if limit is None else min(limit, PROBE_S))
            yield Task(
                solver.text, _by_value(solver.spec if solver.spec is not None else solver.made), instance.key,
                arrays_of(instance),
                ((run.key, run.neuron, shorter if solver.capabilities.time_limit else run.limits),), warm_up=True,
            )  # fmt: skip

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
    cut = (
        probed is None or probed.termination == "clock" or probed.wall_s is None or probed.status in ("hung", "crashed")
    )
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

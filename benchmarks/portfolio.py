"""`auto` beside every single solver at one second: neurons, plain models, published QUBOs, and the demo's neurons.

Each solver gets the same seconds of the wall clock for a problem. The exact ones run on every problem, the others where
`auto` has no proof, for a proved optimum is not beaten. Quick runs take every third problem of a family.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import dimod
import numpy as np

import qproj
from benchmarks.hard_neurons import share
from benchmarks.measure import table
from benchmarks.neuron_set import RECIPES

TITLE = "Auto beside every single solver"
LIMIT = 1.0
EXACT = ("gurobi", "cpsat")
OTHERS = ("local-search", "sa", "sqa", "tabu", "greedy", "pt", "sb", "highs", "scip", "rc2")
SEED = 3  # of the recipes: neither the set that auto was tuned on, nor the one that is held out
TIE = 1e-9
#: Published QUBOs up to so many variables, where there are any at hand.
LARGEST = 250

Family = tuple[str, list[Any]]


def families() -> list[Family]:
    """Return the problems by family."""
    sources = ("random", "digits inputs", "digits hidden", "a1a inputs", "a1a hidden")
    neurons = [(name, [_projection(recipe.draw(SEED)) for recipe in RECIPES if recipe.family == name])
               for name in sources]  # fmt: skip
    return [("demo", _demo()), *neurons, *_plain(), *_published()]


def _projection(drawn: tuple[np.ndarray, np.ndarray]) -> Callable[[], Any]:
    return lambda: qproj.SignProjection(*drawn)  # a new object for each solver: nothing is remembered


def _demo() -> list[Callable[[], Any]]:
    """The demo's neurons that branch and bound alone does not prove in an instant: those of the first layers."""
    from qproj.lab.datasets.sources import layer_instances

    layers = [layer for layer in layer_instances("digits", seed=0) if layer.X.shape == (40, 64)]
    return [_projection((layer.X, np.ascontiguousarray(t))) for layer in layers for t in layer.T.T]


def _plain() -> list[Family]:
    made: dict[str, list[Callable[[], Any]]] = {}
    for n, density in ((30, 1.0), (40, 1.0), (50, 1.0), (60, 1.0), (60, 0.3), (100, 0.1), (100, 0.5), (300, 0.02)):
        rng = np.random.default_rng([n, int(100 * density)])
        Q = np.triu(rng.integers(-50, 51, (n, n)) * (rng.random((n, n)) < density)).astype(float)
        bqm = dimod.BinaryQuadraticModel(Q, "BINARY" if n % 20 else "SPIN")
        made.setdefault("dense models" if density == 1 else "sparse models", []).append(lambda bqm=bqm: bqm)
    return list(made.items())


def _published() -> list[Family]:
    from qproj.lab.datasets import load_qubo, qubo_names

    small: list[Callable[[], Any]] = []
    large: list[Callable[[], Any]] = []
    for bqm in sorted((load_qubo(name).bqm for name in qubo_names()), key=lambda bqm: bqm.num_variables):
        if bqm.num_variables <= LARGEST:
            (small if bqm.num_variables <= 60 else large).append(lambda bqm=bqm: bqm)
    chosen = (("published QUBOs, n ≤ 60", small), ("published QUBOs, n > 60", large[::8]))
    return [(name, found) for name, found in chosen if found]


def run(quick: bool) -> dict[str, Any]:
    solvers = [name for name in (*EXACT, *OTHERS) if _usable(name)]
    found = families()
    for name in ("auto", *solvers):  # compiled and imported before any clock
        for problem in (found[0][1][0](), found[-1][1][0]()):
            _solve(name, problem, 0.3)
    rows = [{"family": family, "reached": _reached(problem, solvers)} for family, problems in found
            for problem in problems[:: 3 if quick else 1]]  # fmt: skip
    return {"limit": LIMIT, "solvers": solvers, "rows": rows}


def _reached(problem: Callable[[], Any], solvers: Sequence[str]) -> dict[str, Any]:
    """Return {solver: [objective relative to its scale, proved, seconds]}; solvers that refuse are left out."""
    reached = {"auto": _solve("auto", problem(), LIMIT)}
    for name in solvers:
        if name in EXACT or not (reached["auto"] or [0, False])[1]:
            answer = _solve(name, problem(), LIMIT)
            if answer is not None:
                reached[name] = answer
    return reached


def _solve(name: str, problem: Any, limit: float) -> list[Any] | None:
    begin = time.perf_counter()
    try:
        solution = qproj.get_solver(name).solve(problem, time_limit_s=limit, seed=0)
    except (TypeError, ValueError):  # not its form, or too large
        return None
    took = time.perf_counter() - begin
    if solution.best is None:
        return [None, False, took]
    # gains of neurons as shares of Σ|τ|: their objectives hold a constant that swamps them
    loss = solution.objective
    if isinstance(problem, qproj.SignProjection):
        loss = -float(problem.gain(solution.best)) / (problem.gain_bound or 1.0)
    return [loss, solution.status == "optimal", took]


def _usable(name: str) -> bool:
    try:
        return bool(qproj.get_solver(name).solve(qproj.SignProjection([[1, -1]], [1.0])).status)
    except (ImportError, qproj.MissingPackageError, qproj.MissingLicenceError):
        return False


def _is_better(answer: list[Any] | None, ours: list[Any]) -> bool:
    return bool(answer and answer[0] is not None and answer[0] < ours[0] - TIE * max(1.0, abs(ours[0])))


def section(result: dict[str, Any]) -> str:
    names = list(dict.fromkeys(row["family"] for row in result["rows"]))
    lines, lost = [], []
    for family in names:
        rows = [row["reached"] for row in result["rows"] if row["family"] == family]
        cells = [family, share(sum(not _beaten(row) for row in rows), len(rows))]
        for name in ("auto", *EXACT):
            ran = [row[name] for row in rows if name in row]
            cells.append(f"{sum(one[1] for one in ran)} of {len(ran)}" if ran else "refused")
        cells.append(str(sum(any(row[e][1] for e in EXACT if e in row) and not row["auto"][1] for row in rows)))
        lines.append(cells)
        lost += [f"{family}: {who}" for who in sorted({name for row in rows for name in _beaten(row)})]
    header = ["family", "`auto` ≥ every other", "`auto` proved", *(f"`{name}` proved" for name in EXACT)]
    late = max(row["reached"]["auto"][2] for row in result["rows"]) - result["limit"]
    others = ", ".join(f"`{name}`" for name in result["solvers"])
    always = " and ".join(f"`{name}`" for name in EXACT)
    better = "No solver found a better objective than `auto`."
    if lost:
        better = f"An objective better than that of `auto` was found by {'; '.join(lost)}."
    return f"""
{len(result["rows"])} problems, {result["limit"]:g} s of the clock for each solver and problem, two cores:
neurons of recipes that `auto` was not tuned on, neurons of the demo's largest layers, dense and sparse models with
whole coefficients, and QUBOs of the Biq Mac library. Beside `auto`: {others};
all but {always} ran only where `auto` has no proof. The last column counts problems that one of those two proves and
`auto` does not. `auto` was at most {1000 * max(late, 0):.0f} ms late. {better}
""" + table([*header, "proved by others alone"], lines)


def _beaten(row: dict[str, Any]) -> list[str]:
    """Return the solvers whose objective is better than that of auto."""
    return [name for name, answer in row.items() if name != "auto" and _is_better(answer, row["auto"])]

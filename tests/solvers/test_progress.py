"""``on_progress``: incumbents and bounds of a search while it runs."""

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import MissingLicenceError, MissingPackageError, ProgressEvent
from qproj.solvers.specs import parse_solver


def problem(n=24, d=14, seed=0):
    rng = np.random.default_rng(seed)
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def watched(name, p, **limits):
    events = []
    try:
        solver = parse_solver(name).make()
        solution = solver.solve(p, seed=0, on_progress=events.append, **limits)
    except (MissingPackageError, MissingLicenceError) as error:
        pytest.skip(str(error))
    return solver, solution, events


def assert_monotone(events, solution, p):
    assert events
    assert all(isinstance(event, ProgressEvent) for event in events)
    times = [event.time_s for event in events]
    gains = [event.gain for event in events if event.gain is not None]
    ceilings = [event.gain_bound for event in events if event.gain_bound is not None]
    assert times == sorted(times)
    assert gains == sorted(gains)
    assert ceilings == sorted(ceilings, reverse=True)
    assert (events[-1].gain, events[-1].objective) == (solution.gain, solution.objective)
    if solution.gain_bound is not None:
        assert events[-1].gain_bound <= solution.gain_bound
    best = qproj.get_solver("exhaustive").solve(p).gain
    assert all(event.gain_bound >= best - 1e-9 * abs(best) for event in events if event.gain_bound is not None)


EXACT = ("cpsat", "highs", "gurobi", "scip", "exact", "rc2", "auto", "exhaustive")
HEURISTIC = ("local-search", "sa", "sqa", "svmc", "pt", "sb", "tabu", "greedy", "random", "sign", "polished(sa)")


@pytest.mark.parametrize("name", EXACT)
def test_events_of_exact_solvers_end_at_the_proof(name):
    p = problem()
    _, solution, events = watched(name, p)
    assert_monotone(events, solution, p)
    assert str(solution.status) == "optimal"
    # the bound of a plain model is rounded up by the error of its own sums
    assert events[-1].gain_bound == pytest.approx(events[-1].gain, rel=1e-12)
    assert events[-1].gain_bound >= events[-1].gain


@pytest.mark.parametrize("name", HEURISTIC)
def test_events_of_heuristics_end_at_the_solution(name):
    p = problem()
    _, solution, events = watched(name, p, **({} if name == "sign" else {"time_limit_s": 0.2}))
    assert_monotone(events, solution, p)


@pytest.mark.parametrize("name", ["cpsat", "scip", "gurobi"])
def test_backends_with_callbacks_report_several_events_of_one_run(name):
    _, _, events = watched(name, problem(32, 18), time_limit_s=20.0)
    assert len({event.gain for event in events}) > 1
    assert len({event.gain_bound for event in events}) > 1


@pytest.mark.parametrize("name", ["auto", "local-search", "sa", "random"])
def test_listening_changes_no_result(name):
    p, limits = problem(), {} if name in ("auto", "local-search") else {"num_reads": 20}
    _, solution, _ = watched(name, p, **limits)
    assert solution.gain == parse_solver(name).make().solve(p, seed=0, **limits).gain


@pytest.mark.parametrize("name", ["auto", "cpsat", "highs", "sa"])
def test_plain_models_report_energies_in_any_order_of_variables(name):
    rng = np.random.default_rng(1)
    bqm = dimod.BinaryQuadraticModel(
        {f"x{i}": float(rng.integers(-5, 6)) for i in reversed(range(10))},
        {(f"x{i}", f"x{j}"): float(rng.integers(-5, 6)) for i in range(10) for j in range(i)}, 3.0, "BINARY",
    )  # fmt: skip
    _, solution, events = watched(name, bqm)
    best = float(dimod.ExactSolver().sample(bqm).first.energy)
    assert events[-1].objective == solution.objective
    assert all(event.bound is None or event.bound <= best for event in events)


def test_an_error_of_the_callback_is_raised_when_the_search_is_over():
    def fails(event):
        raise RuntimeError("no disk")

    for name in ("cpsat", "auto", "random"):
        with pytest.raises(RuntimeError, match="no disk"):
            qproj.get_solver(name).solve(problem(), seed=0, on_progress=fails)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"on_progress is list; a function .* is allowed, or None: pass events.append"):
        qproj.get_solver("auto").solve(problem(), on_progress=[])
    with pytest.raises(TypeError, match="did you mean 'on_progress'"):
        qproj.get_solver("auto").solve(problem(), on_progres=print)

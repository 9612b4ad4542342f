"""Endings, statuses, limits and the judge that re-scores every backend's answer."""

import itertools
import pickle
import warnings
from dataclasses import replace

import dimod
import numpy as np
import pytest

from qproj import LayerProjection, SignProjection, as_problem, get_solver, list_solvers, project
from qproj.solvers import (
    Adapter,
    Capabilities,
    Found,
    MissingPackageError,
    NoSolutionError,
    Status,
    Termination,
    TooLargeError,
)
from qproj.solvers.registry import solver_class

P = SignProjection([[1, 1, -1], [1, -1, 1], [-1, 1, 1]], [0.5, -0.2, 0.9])


class Scripted(Adapter):
    """Returns a prescribed answer."""

    name = "scripted"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), hint=True, max_variables=50)

    def __init__(self, found):
        self.found = found

    def call(self, model, request):
        return self.found


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


def test_every_termination_has_a_status():
    for termination, has in itertools.product(Termination, [True, False]):
        assert isinstance(termination.status(has), Status)
    assert Termination.PROVED.status(True) is Status.OPTIMAL
    assert Termination.REFUTED.status(False) is Status.INFEASIBLE
    assert Termination.BUDGET.status(False) is Status.NO_SOLUTION
    assert Termination.FAILED.status(False) is Status.ERROR
    assert all(status.remedy for status in Status)


def test_candidates_are_scored_anew_and_ranked_by_gain():
    V = every_vector(3)
    solution = Scripted(Found(V, energies=np.arange(8.0))).solve(P)
    assert solution.gain == P.gain(V).max()
    assert (np.diff(P.gain(solution.candidates)) <= 0).all()
    assert solution.objective == P.objective(solution.best)
    assert (solution.raw_best == V[0]).all()
    assert solution.sampleset is not None
    assert solution.bound <= P.objective(V).min()


def test_without_candidates_there_is_no_incumbent_and_no_zero_vector():
    solution = Scripted(Found(np.empty((0, 3)), Termination.BUDGET)).solve(P)
    assert solution.best is None
    assert solution.status is Status.NO_SOLUTION
    assert solution.gap is None
    with pytest.raises(NoSolutionError, match="time_limit_s"):
        solution.require()


def test_a_bound_that_the_incumbent_beats_is_dropped():
    V = every_vector(3)
    solution = Scripted(Found(V, Termination.PROVED, gain_bound=0.1)).solve(P)
    assert solution.termination is Termination.FAILED
    assert solution.bound <= P.objective(V).min()
    assert "beaten" in solution.message


def test_meeting_every_sign_is_a_proof_whoever_found_it():
    best = every_vector(3)[[int(np.argmax(P.gain(every_vector(3))))]]
    solution = Scripted(Found(best)).solve(P)
    assert P.meets_bound(best[0])
    assert solution.status is Status.OPTIMAL
    assert solution.gap == 0.0
    assert solution.termination is Termination.PROVED


def test_gap_is_in_gains_and_survives_replace():
    v = every_vector(3)[:1]
    solution = Scripted(Found(v)).solve(P)
    if P.meets_bound(v[0]):
        pytest.fail("the vector was meant to miss a sign")
    assert solution.gap == pytest.approx((P.gain_bound - P.gain(v[0])) / (2 * P.gain_bound))
    assert replace(solution, termination=Termination.PROVED).gap == 0.0


def test_tiny_targets_keep_their_gap():
    rng = np.random.default_rng(0)
    X, t = rng.choice([-1, 1], (9, 4)), rng.normal(size=9)
    v = every_vector(4)[:1]
    gaps = [Scripted(Found(v)).solve(SignProjection(X, t * s)).gap for s in (1.0, 1e-200)]
    assert gaps[0] == pytest.approx(gaps[1])


@pytest.mark.parametrize(
    ("limits", "error", "remedy"),
    [
        ({"time_limit_s": 0}, ValueError, "> 0"),
        ({"time_limit_s": -1}, ValueError, "> 0"),
        ({"time_limit_s": float("nan")}, ValueError, "> 0"),
        ({"time_limit_s": float("inf")}, ValueError, "None for no limit"),
        ({"time_limit_s": "5"}, TypeError, "seconds"),
        ({"seed": -1}, ValueError, "≥ 0"),
        ({"seed": 1.5}, TypeError, "integer"),
        ({"num_reads": 0}, ValueError, "≥ 1"),
        ({"num_reads": True}, TypeError, "integer"),
        ({"num_reads": 3}, TypeError, "num_reads"),
        ({"hint": [1, 1]}, ValueError, "shape"),
        ({"hint": [1, 0, 1]}, ValueError, "±1"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits, error, remedy):
    with pytest.raises(error, match=remedy):
        Scripted(Found(every_vector(3))).solve(P, **limits)


def test_forms_and_sizes_are_refused_naming_who_can():
    solver = Scripted(Found(every_vector(3)))
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("BINARY", "a")
    with pytest.raises(TypeError, match="cpsat"):
        solver.solve(cqm)
    with pytest.raises(ValueError, match=r"qproj\.project"):
        solver.solve(np.ones((2, 3)))
    with pytest.raises(TooLargeError, match="auto"):
        solver.solve(SignProjection(np.ones((2, 51)), [1.0, 1.0]))


def test_unknown_names_and_options_offer_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'tabu'"):
        get_solver("tabuu")
    with pytest.raises(TypeError, match="did you mean 'num_sweeps'"):
        get_solver("sa", num_sweps=10)
    with pytest.raises(TypeError, match="string"):
        solver_class(3)
    with pytest.raises(TypeError, match="not a solver"):
        get_solver(3)


def test_a_missing_package_names_its_extra(monkeypatch):
    from qproj.solvers import adapter, registry

    monkeypatch.setattr(adapter, "missing_modules", lambda names: list(names))

    class Absent(Scripted):
        extra, requires = "gurobi", ("gurobipy",)

    class Point:
        name, dist = "absent", None

        def load(self):
            return Absent

    monkeypatch.setattr(registry, "_entry_points", lambda: {"absent": Point()})
    with pytest.raises(MissingPackageError, match=r"pip install .*\[gurobi\]"):
        get_solver("absent")
    (info,) = list_solvers()
    assert not info.ready
    assert "gurobipy" in info.reason


def test_every_registered_solver_has_a_state():
    names = {info.name: info for info in list_solvers()}
    assert {"auto", "sa", "sqa", "tabu", "greedy", "tree", "sign", "random", "local-search"} <= set(names)
    for info in names.values():
        assert info.ready or info.remedy or info.reason


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_plain_models_are_scored_in_their_own_terms(vartype):
    rng = np.random.default_rng(0)
    labels = ["b", ("a", 1), 3, (None, frozenset({2}))]
    bqm = dimod.BinaryQuadraticModel({v: rng.normal() for v in labels}, {}, 0.75, vartype)
    for u, v in itertools.combinations(labels, 2):
        bqm.add_quadratic(u, v, rng.normal())
    problem = as_problem(bqm)
    low = -1 if vartype == "SPIN" else 0
    V = np.array(list(itertools.product([low, 1], repeat=4)))
    expected = [bqm.energy(dict(zip(problem.variables, v.tolist()))) for v in V]
    np.testing.assert_allclose(problem.objective(V), expected)
    assert -problem.gain_bound <= min(expected)
    before = bqm.copy()
    solution = get_solver("sa").solve(bqm, seed=1, num_reads=20)
    assert bqm == before
    assert solution.objective == pytest.approx(min(expected))
    assert solution.best.tolist() == V[int(np.argmin(expected))].tolist()
    with pytest.raises(ValueError, match="values other than"):
        problem.objective([2, 1, 1, 1])


def test_variable_order_does_not_change_what_a_seed_gives():
    rng = np.random.default_rng(1)
    labels = list("abcdefgh")
    Q = {(u, v): rng.normal() for u, v in itertools.combinations(labels, 2)}
    one = dimod.BinaryQuadraticModel(dict.fromkeys(labels, 0.1), Q, 0.0, "SPIN")
    other = dimod.BinaryQuadraticModel(dict.fromkeys(labels[::-1], 0.1), dict(reversed(Q.items())), 0.0, "SPIN")
    a = get_solver("sa", num_sweeps=2).solve(one, seed=3, num_reads=1)
    b = get_solver("sa", num_sweeps=2).solve(other, seed=3, num_reads=1)
    assert dict(zip(one.variables, a.best.tolist())) == dict(zip(other.variables, b.best.tolist()))
    assert as_problem(one).key == as_problem(other).key


def test_models_with_nan_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        as_problem(dimod.BinaryQuadraticModel({"a": float("nan")}, {}, 0.0, "SPIN"))


def test_infeasible_assignments_of_a_cqm_score_plus_infinity():
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("INTEGER", "i", lower_bound=0, upper_bound=5)
    cqm.set_objective([("i", -1.0)])
    cqm.add_constraint_from_iterable([("i", 1)], "<=", rhs=3, label="cap")
    problem = as_problem(cqm)
    assert problem.objective([[3], [4], [2]]).tolist() == [-3.0, np.inf, -2.0]


def test_solutions_and_problems_travel_between_processes():
    solution = get_solver("sa").solve(P, seed=0, num_reads=3)
    copy = pickle.loads(pickle.dumps(solution))
    assert copy.gain == solution.gain
    assert pickle.loads(pickle.dumps(P)) == P


@pytest.mark.parametrize("solver", ["sign", "random", "sa", "local-search"])
def test_a_layer_is_its_neurons(solver):
    rng = np.random.default_rng(4)
    X, T = rng.choice([-1, 1], (9, 6)), rng.normal(size=(9, 3))
    layer = project(X, T, solver, seed=0)
    assert layer.weights.shape == (3, 6)
    for j in range(3):
        p = SignProjection(X, T[:, j])
        assert layer.gain[j] == pytest.approx(p.gain(layer.weights[j]), rel=1e-12)
        assert layer[j].gain == pytest.approx(layer.gain[j], rel=1e-12)
        assert (layer[j].best == layer.weights[j]).all()
        assert layer[j].status == layer.status[j]
        assert layer[j].gap == pytest.approx(layer.gap[j], abs=1e-12)
        assert layer.bound[j] <= layer.objective[j]
    again = project(X, T, solver, seed=0)
    assert (again.weights == layer.weights).all()


def test_project_takes_any_object_that_solves():
    class Plus:
        capabilities = Capabilities(forms=frozenset({"projection"}))

        def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
            return Scripted(Found(np.ones((1, problem.num_weights), np.int8))).solve(problem)

    layer = project(np.ones((2, 3)), np.ones((2, 2)), Plus())
    assert layer.proved.all()
    with pytest.raises(TypeError, match="did you mean 'sweeps'"):
        project(np.ones((2, 3)), np.ones((2, 2)), "local-search", sweps=3)


@pytest.mark.parametrize("name", ["auto", "cpsat", "exhaustive", "local-search", "random", "sa", "sqa", "sign", "tabu"])
def test_all_zero_targets_are_remarked_and_give_the_same_vector_each_time(name, caplog):
    idle = SignProjection([[1, -1, 1], [1, 1, 1]], [0.0, -0.0])
    with caplog.at_level("INFO", logger="qproj"), warnings.catch_warnings():
        warnings.simplefilter("error")
        solution, again = (get_solver(name).solve(idle) for _ in range(2))  # without a seed
    assert "every v is optimal" in caplog.text
    assert solution.best.tolist() == again.best.tolist()
    assert solution.status is Status.OPTIMAL
    assert solution.gap == 0.0
    assert solution.bound <= solution.objective == 2.0


def test_idle_neurons_of_a_layer_are_remarked(caplog):
    with caplog.at_level("INFO", logger="qproj"):
        layer = project([[1, -1], [1, 1]], [[0.0, 1.0, 0.0], [0.0, 0.5, 0.0]])
    assert "2 of 3 neurons" in caplog.text
    assert layer.proved.all()
    assert layer.weights[0].tolist() == layer.weights[2].tolist()


def test_misspelt_arguments_of_a_call_are_refused_with_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'time_limit_s'"):
        get_solver("sa").solve(P, time_limit=3)
    with pytest.raises(TypeError, match="did you mean 'num_reads'"):
        project([[1]], [[1.0]], "sa", num_read=3)
    with pytest.raises(TypeError, match="belongs to solve"):
        get_solver("sa", seed=3)


def test_a_layer_is_projected_with_its_own_targets_and_switches():
    rng = np.random.default_rng(0)
    X, T = rng.choice([-1, 1], (6, 5)), rng.normal(size=(6, 40))
    layer = LayerProjection(X, T, aggregate_columns=False)
    found = project(layer, solver="exhaustive")
    assert (found.gain == project(X, T, "exhaustive").gain).all()
    assert layer.part(32, 40)[3] == layer[35]
    with pytest.raises(TypeError, match="its own targets"):
        project(layer, T)
    with pytest.raises(TypeError, match="T is missing"):
        project(X)


def test_a_problem_may_keep_what_it_is_in_attributes_of_its_own():
    class Mine:
        def __init__(self, p):
            self.kind, self.inner = "bqm", p
            for name in ("key", "variables", "num_variables", "bqm", "cqm", "gain_bound", "gain", "objective",
                         "objective_of_gain", "bound_of_gain", "gap_scale", "meets_bound"):  # fmt: skip
                setattr(self, name, getattr(p, name, None) if name != "cqm" else None)

    model = dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0}, {"ab": 3.0}, 0.5, "BINARY")
    mine = Mine(as_problem(model))
    assert as_problem(mine) is mine
    assert get_solver("exhaustive").solve(mine).objective == -1.5
    with pytest.raises(TypeError, match="is not a problem"):
        as_problem(object())

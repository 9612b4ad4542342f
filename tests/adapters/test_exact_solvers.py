"""CP-SAT and the MIP solvers on the same problems: against enumeration, at the edges, and where proofs turn false."""

import importlib.util
import itertools
import time

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj import LinearProjection, MetricProjection, SignProjection, get_solver
from qproj.solvers import MissingPackageError

BACKENDS = {"cpsat": "ortools", "highs": "highspy", "gurobi": "gurobipy", "scip": "pyscipopt", "exact": "exact"}


def _backend(name):
    absent = importlib.util.find_spec(BACKENDS[name]) is None
    return pytest.param(name, marks=pytest.mark.skipif(absent, reason=f"{BACKENDS[name]} is not installed"))


every_solver = pytest.mark.parametrize("name", [_backend(name) for name in BACKENDS])
every_mip = pytest.mark.parametrize("name", [_backend(name) for name in BACKENDS if name != "cpsat"])


def projections(seed):
    """Even and odd d, repeated rows and columns, cancelling targets, ties, wild weights, real inputs."""
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 9)), int(rng.integers(1, 11))
    X = rng.choice([-1, 1], (n, d))
    if seed % 3 == 0:
        X = X[rng.integers(0, n, n)]
    if seed % 4 == 0 and d > 2:
        X[:, 1] = -X[:, 2]
    t = rng.normal(size=n)
    if seed % 5 == 1:
        t = rng.integers(-2, 3, n).astype(float)
    if seed % 5 == 2:
        t = t * 10.0 ** rng.uniform(-12, 12, n)
    if seed % 5 == 3:
        t = t * 10.0 ** rng.choice([-150, -30, 30, 149])
    if seed % 6 == 5:
        X = rng.normal(size=(n, d)) if seed % 12 == 5 else rng.integers(-1, 3, (n, d)).astype(float)
    return SignProjection(X, t)


@every_solver
@pytest.mark.parametrize("seed", range(24))
def test_sign_projections_are_proved_as_enumeration_finds_them(name, seed):
    p = projections(seed)
    truth = get_solver("exhaustive").solve(p)
    solution = get_solver(name).solve(p)
    assert solution.status == "optimal", solution.message
    assert solution.gain == pytest.approx(truth.gain, rel=1e-14, abs=1e-13 * p.gain_bound)
    assert solution.bound <= solution.objective
    assert solution.gap == 0.0


@every_solver
@pytest.mark.parametrize("seed", range(3))
def test_real_rows_with_many_ties_are_proved(name, seed):
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], (20, 7))
    means = np.stack([signs[rng.choice(20, 3, replace=False)].mean(axis=0) for _ in range(10)])
    p = SignProjection(means, rng.normal(size=10))
    solution = get_solver(name).solve(p)
    assert solution.status == "optimal"
    assert solution.gain == pytest.approx(get_solver("exhaustive").solve(p).gain)


def random_bqm(seed, vartype, n=7):
    rng = np.random.default_rng(seed)
    labels = ["a", ("b", 1), 3, frozenset({4}), -1, 2.5, "z"][:n] + [("v", i) for i in range(n - 7)]
    scale = 10.0 ** rng.choice([-9, 0, 9]) if seed % 2 else 1.0
    draw = (lambda: scale * rng.normal()) if seed % 3 else (lambda: float(rng.integers(-3, 4)))
    linear = {label: draw() for label in labels}
    quadratic = {pair: draw() for pair in itertools.combinations(labels, 2) if rng.random() < 0.6}
    return dimod.BinaryQuadraticModel(linear, quadratic, draw(), vartype)


@every_solver
@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
@pytest.mark.parametrize("seed", range(6))
def test_bqms_of_any_labels_are_proved(name, vartype, seed):
    bqm = random_bqm(seed, vartype)
    before = bqm.copy()
    truth = dimod.ExactSolver().sample(bqm).first.energy
    solution = get_solver(name).solve(bqm)
    assert bqm == before
    assert solution.status == "optimal", solution.message
    assert solution.objective == pytest.approx(truth, rel=1e-12, abs=1e-12)
    assert bqm.energy(dict(zip(bqm.variables, solution.best.tolist(), strict=True))) == pytest.approx(truth)
    assert solution.bound <= truth + 1e-9 * abs(truth)


def knapsack(sense="<="):
    """Integers with a product and a square, a spin, a binary; two linear constraints and a quadratic one."""
    cqm = dimod.ConstrainedQuadraticModel()
    i, j = dimod.Integer("i", lower_bound=-2, upper_bound=5), dimod.Integer("j", lower_bound=1, upper_bound=4)
    s, b = dimod.Spin("s"), dimod.Binary(("b", 0))
    cqm.set_objective(-3 * i * j + i * i + 0.5 * s * i - 2.25 * b * j + s * b + 1.5)
    cqm.add_constraint(i + 2 * j - b <= 7, label="room")
    cqm.add_constraint(0.1 * i + 0.2 * j <= 0.7, label="decimals")
    cqm.add_constraint(i * b + s * j >= -3, label="products")
    if sense == "infeasible":
        cqm.add_constraint(i + j >= 10, label="no")
    return cqm


def enumerate_cqm(cqm):
    ranges = []
    for v in cqm.variables:
        kind = cqm.vartype(v)
        low, high = int(cqm.lower_bound(v)), int(cqm.upper_bound(v))
        ranges.append([-1, 1] if kind is dimod.SPIN else range(low, high + 1))
    best = np.inf
    for values in itertools.product(*ranges):
        sample = dict(zip(cqm.variables, values, strict=True))
        if cqm.check_feasible(sample, rtol=1e-9, atol=1e-6):
            best = min(best, cqm.objective.energy(sample))
    return best


@every_solver
def test_constrained_models_are_proved(name):
    cqm = knapsack()
    solution = get_solver(name).solve(cqm)
    assert solution.status == "optimal", solution.message
    assert solution.objective == pytest.approx(enumerate_cqm(cqm))


@every_solver
def test_a_constrained_model_without_feasible_assignment_is_refuted(name):
    solution = get_solver(name).solve(knapsack("infeasible"))
    assert solution.status == "infeasible"
    assert solution.best is None


@every_solver
def test_linear_and_metric_projections_go_through_their_quadratic_model(name):
    rng = np.random.default_rng(4)
    for p in (
        LinearProjection(rng.normal(size=(6, 6)), rng.normal(size=6)),
        LinearProjection(rng.choice([-1, 1], (6, 6)), rng.normal(size=6), scale=0.3, sample_weight=rng.random(6)),
        MetricProjection(rng.normal(size=(6, 6)), rng.normal(size=6)),
    ):
        solution = get_solver(name).solve(p)
        assert solution.status == "optimal"
        assert solution.gain == pytest.approx(get_solver("exhaustive").solve(p).gain)


@every_solver
def test_models_at_the_edges(name):
    solver = get_solver(name)
    empty = dimod.BinaryQuadraticModel({}, {}, 2.5, "BINARY")
    assert solver.solve(empty).status == "optimal"
    assert solver.solve(empty).objective == 2.5
    assert solver.solve(dimod.ConstrainedQuadraticModel()).status == "optimal"
    for vartype, best in (("BINARY", -3.0), ("SPIN", -5.0)):
        one = solver.solve(dimod.BinaryQuadraticModel({"x": -4.0}, {}, 1.0, "BINARY"))
        assert (one.status, one.objective, one.best.tolist()) == ("optimal", -3.0, [1])
        two = solver.solve(dimod.BinaryQuadraticModel({"x": 4.0}, {("x", "y"): -2.0}, 1.0, vartype))
        assert two.objective == {"BINARY": 1.0, "SPIN": best}[vartype]
    constant = solver.solve(dimod.BinaryQuadraticModel({"x": 0.0, "y": 0.0}, {}, 7.0, "SPIN"))
    assert (constant.status, constant.objective) == ("optimal", 7.0)
    many = solver.solve(dimod.BinaryQuadraticModel(dict.fromkeys(range(20), 0.0), {}, 7.0, "SPIN"))
    assert (many.status, many.objective, many.stats["rounds"]) == ("optimal", 7.0, 1)
    broken = dimod.ConstrainedQuadraticModel()
    broken.add_constraint(float("nan") * dimod.Binary("b") <= 1, label="nan")
    with pytest.raises(ValueError, match="constraint 'nan' has a number that is NaN"):
        solver.solve(broken)
    flat = solver.solve(SignProjection([[1, -1], [1, -1]], [0.5, -0.5]))
    assert (flat.status, flat.gain) == ("optimal", 0.0)
    huge = solver.solve(dimod.BinaryQuadraticModel({"x": 1e200, "y": -1e200}, {("x", "y"): 3e199}, 0.0, "BINARY"))
    assert huge.status == "optimal"
    assert huge.objective == -1e200
    tiny = solver.solve(dimod.BinaryQuadraticModel({"x": 1e-200, "y": -2e-200}, {("x", "y"): 3e-201}, 0.0, "SPIN"))
    assert tiny.status == "optimal"
    assert tiny.best.tolist() == [-1, 1]


@every_solver
def test_disconnected_and_tied_models(name):
    spins = dimod.BinaryQuadraticModel({}, {(0, 1): -1.0, (2, 3): 1.0, (4, 5): 1.0}, 0.0, "SPIN")
    solution = get_solver(name).solve(spins)
    assert (solution.status, solution.objective) == ("optimal", -3.0)
    ties = SignProjection(np.array(list(itertools.product([-1, 1], repeat=3))), np.ones(8))
    assert get_solver(name).solve(ties).gain == get_solver("exhaustive").solve(ties).gain


@every_solver
@pytest.mark.parametrize("hair", [1e-6, 1e-8, 1e-10, 1e-12])
def test_an_optimum_better_by_a_hair_is_found_before_a_proof_is_claimed(name, hair):
    # rows x and −x exclude one another (d odd merges them, so columns differ): a choice between 1 and 1 + hair
    rng = np.random.default_rng(int(-np.log10(hair)))
    for _ in range(3):
        X = rng.choice([-1, 1], (9, 4))
        t = rng.choice([-1.0, 1.0], 9) * (1.0 + hair * rng.integers(0, 9, 9))
        p = SignProjection(X, t)
        truth = get_solver("exhaustive").solve(p).gain
        solution = get_solver(name).solve(p)
        if solution.status == "optimal":
            assert solution.gain >= truth - 1e-14 * 9
        else:
            assert solution.gain_bound >= truth
        assert solution.gain_bound - solution.gain <= 1e-4
    bqm = dimod.BinaryQuadraticModel({"x": -1.0, "y": -1.0 - hair}, {("x", "y"): 3.0}, 0.0, "BINARY")
    solution = get_solver(name).solve(bqm)
    assert (solution.status, solution.best.tolist()) == ("optimal", [0, 1])


def hard_projection():
    rng = np.random.default_rng(1)
    return SignProjection(rng.choice([-1, 1], (120, 60)), rng.normal(size=120))


@every_solver
def test_a_stop_by_the_clock_keeps_the_incumbent_and_a_valid_bound(name):
    p = hard_projection()
    start = time.perf_counter()
    solution = get_solver(name).solve(p, time_limit_s=0.3)
    assert time.perf_counter() - start < 5 * 0.3 + 2
    assert (solution.status, solution.termination) == ("feasible", "clock")
    assert solution.bound <= solution.objective
    assert solution.gain_bound >= get_solver("local-search").solve(p, seed=0).gain
    assert 0.0 < solution.gap <= 1.0


@every_solver
def test_the_bound_holds_wherever_the_clock_stops(name):
    p = hard_projection()
    known = get_solver("local-search").solve(p, seed=0).gain
    for limit in (0.005, 0.02, 0.05):  # before, in and after presolve
        solution = get_solver(name).solve(p, time_limit_s=limit)
        assert solution.has_incumbent
        assert solution.gain_bound >= known


@every_solver
def test_a_hint_is_kept_where_the_search_finds_nothing_better(name):
    p = hard_projection()
    hint = get_solver("local-search").solve(p, seed=0).best
    solution = get_solver(name).solve(p, time_limit_s=0.3, hint=hint)
    assert solution.gain >= p.gain(hint)
    cqm = knapsack()
    values = {"i": 0, "j": 1, "s": 1, ("b", 0): 0}
    hinted = get_solver(name).solve(cqm, hint=[values[v] for v in cqm.variables])
    assert hinted.status == "optimal"
    values["j"] = 4
    values["i"] = 5
    wrong = get_solver(name).solve(cqm, hint=[values[v] for v in cqm.variables])
    assert (wrong.status, wrong.stats["hint"]) == ("optimal", "infeasible")


@every_solver
def test_a_timeout_before_any_solution_proves_nothing(name):
    rng = np.random.default_rng(0)
    cqm = dimod.ConstrainedQuadraticModel()
    x = [dimod.Binary(i) for i in range(60)]
    cqm.set_objective(sum(float(a) * v for a, v in zip(rng.normal(size=60), x, strict=True)))
    for _ in range(5):  # market split: no solver finds a feasible assignment in a moment
        a = rng.integers(0, 100, 60).tolist()
        cqm.add_constraint(sum(c * v for c, v in zip(a, x, strict=True)) == sum(a) // 2)
    solution = get_solver(name).solve(cqm, time_limit_s=0.2)
    assert solution.status in ("no_solution", "feasible")


@every_solver
def test_one_seed_gives_one_result(name):
    p = projections(7)
    results = {get_solver(name).solve(p, seed=3).best.tobytes() for _ in range(2)}
    assert len(results) == 1


@every_solver
def test_what_cannot_be_asked_is_refused(name):
    with pytest.raises(TypeError, match="num_reads"):
        get_solver(name).solve(projections(0), num_reads=3)
    with pytest.raises(TypeError, match="has no option 'worker"):
        get_solver(name, workerz=3)
    with pytest.raises(ValueError, match="hint"):
        get_solver(name).solve(projections(0), hint=[1, 1])


@every_solver
def test_a_missing_package_names_its_extra(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, BACKENDS[name], None)
    with pytest.raises(MissingPackageError, match=rf"pip install .*(\[{name}\]|ortools)"):
        get_solver(name)


@every_solver
@settings(max_examples=15)
@given(data=st.data())
def test_hypothesis_instances_agree_with_enumeration(name, data):
    d, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    X = data.draw(st.lists(st.lists(st.sampled_from([-1, 1]), min_size=d, max_size=d), min_size=n, max_size=n))
    exponents = st.floats(-1, 1, allow_nan=False).map(lambda x: x * 10.0 ** data.draw(st.integers(-12, 12)))
    t = data.draw(st.lists(exponents, min_size=n, max_size=n))
    p = SignProjection(X, t)
    truth, solution = get_solver("exhaustive").solve(p), get_solver(name).solve(p)
    assert solution.status == "optimal", solution.message
    assert solution.gain == pytest.approx(truth.gain, rel=1e-13, abs=1e-13 * max(p.gain_bound, float(np.abs(t).sum())))


@every_solver
def test_variables_without_a_choice(name):
    cqm = dimod.ConstrainedQuadraticModel()
    fixed, b = dimod.Integer("fixed", lower_bound=0, upper_bound=0), dimod.Binary("b")
    other = dimod.Integer("other", lower_bound=3, upper_bound=3)
    cqm.set_objective(1e17 * fixed - 0.3 * b + 0.1 * other)
    cqm.add_constraint(1e19 * fixed + 0.7 * fixed * b <= 0.5, label="free")
    cqm.add_constraint(0.1 * other + 0.3 * b <= 0.65, label="tight")
    solution = get_solver(name).solve(cqm)
    assert solution.status == "optimal"
    assert dict(zip(cqm.variables, solution.best.tolist(), strict=True)) == {"fixed": 0, "b": 1, "other": 3}

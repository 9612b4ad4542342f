"""All optima of small problems, against loops over every vector."""

import itertools

import dimod
import numpy as np
import pytest

from qproj import LinearProjection, MetricProjection, SignProjection, get_solver
from qproj.solvers import TooLargeError


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


@pytest.mark.parametrize("seed", range(30))
def test_every_optimal_column_count_is_a_candidate(seed):
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 10)), int(rng.integers(1, 8))
    X, t = rng.choice([-1, 1], (n, d)), rng.choice([-2, -1, 0, 1, 2], n).astype(float)
    if d > 3:
        X[:, 1] = -X[:, 3]
    p = SignProjection(X, t)
    solution = get_solver("exhaustive").solve(p)
    V = every_vector(d)
    gains = p.gain(V)
    assert solution.status == "optimal"
    assert solution.gain == gains.max()
    columns = p.aggregated.columns
    best = {tuple(c) for c in columns.counts_from_weights(V[gains == gains.max()])}
    found = {tuple(c) for c in columns.counts_from_weights(solution.candidates)}
    assert found == best
    assert solution.stats["optima"] == len(best)


def test_other_problems_go_through_every_assignment():
    rng = np.random.default_rng(0)
    V = every_vector(6)
    problems = [
        LinearProjection(rng.normal(size=(5, 6)), rng.normal(size=5)),
        MetricProjection(rng.normal(size=(6, 6)), rng.normal(size=6)),
        SignProjection(rng.normal(size=(5, 6)), rng.normal(size=5)),
    ]
    for p in problems:
        solution = get_solver("exhaustive").solve(p)
        assert solution.gain == pytest.approx(p.gain(V).max())
        assert solution.status == "optimal"
    bqm = dimod.BinaryQuadraticModel({i: rng.normal() for i in range(6)}, {(0, 1): 2.0, (2, 5): -1.0}, 1.5, "BINARY")
    assert get_solver("exhaustive").solve(bqm).objective == pytest.approx(dimod.ExactSolver().sample(bqm).first.energy)


def test_sizes_beyond_reach_are_refused_naming_auto():
    rng = np.random.default_rng(0)
    with pytest.raises(TooLargeError, match="use 'auto'"):
        get_solver("exhaustive").solve(SignProjection(rng.choice([-1, 1], (40, 25)), rng.normal(size=40)))
    with pytest.raises(TooLargeError, match="use 'auto'"):
        get_solver("exhaustive").solve(SignProjection(rng.normal(size=(4, 17)), rng.normal(size=4)))
    merged = SignProjection(np.repeat(rng.choice([-1, 1], (6, 3)), 20, axis=1), rng.normal(size=6))
    assert get_solver("exhaustive").solve(merged).status == "optimal"  # 60 weights, 3 classes


def test_the_largest_gain_is_kept_among_thousands_that_nearly_reach_it():
    rng = np.random.default_rng(3)
    X = rng.choice([-1, 1], (24, 16))
    t = 5e-14 * rng.normal(size=24)
    t[0] = 1.0
    p = SignProjection(X, t)
    # t[0] = 1 can be had; beside it, sums of the small targets alone tell assignments apart
    signs = p.inputs.signs(every_vector(16))
    best = float((signs[signs[:, 0] == 1][:, 1:] @ t[1:]).max())
    solution = get_solver("exhaustive").solve(p)
    found = p.inputs.signs(solution.candidates)
    assert (found[:, 0] == 1).all()
    assert (found[:, 1:] @ t[1:]).max() >= best - 2.3e-16  # one unit in the last place of 1
    assert solution.gain == get_solver("cpsat").solve(p).gain


@pytest.mark.parametrize("offset", [0.0, 1e14, -1e17])
def test_an_offset_hides_no_optimum(offset):
    rng = np.random.default_rng(0)
    linear = {i: float(rng.integers(-3, 4)) / 2 for i in range(16)}
    quadratic = {(i, j): float(rng.integers(-3, 4)) / 2 for i in range(16) for j in range(i)}
    bqm = dimod.BinaryQuadraticModel(linear, quadratic, 0.0, "SPIN")
    least = dimod.ExactSolver().sample(bqm).first.energy
    bqm.offset = offset
    solution = get_solver("exhaustive").solve(bqm)
    assert solution.gain == -least
    assert solution.gap == 0.0


def test_terms_that_cancel_leave_what_decides():
    bqm = dimod.BinaryQuadraticModel({"a": 1e17, "b": 1e17, "c": -3.0}, {("a", "b"): -2e17}, 0.0, "BINARY")
    solution = get_solver("exhaustive").solve(bqm)
    assert solution.objective == -3.0
    assert sorted(solution.candidates.tolist()) == [[0, 0, 1], [1, 1, 1]]


def test_a_time_limit_ends_the_search_with_the_best_so_far():
    rng = np.random.default_rng(0)
    p = SignProjection(rng.choice([-1, 1], (300, 22)), rng.normal(size=300))
    solution = get_solver("exhaustive").solve(p, time_limit_s=0.05)
    assert solution.termination == "clock"
    assert solution.bound <= solution.objective
    bqm = dimod.BinaryQuadraticModel(dict.fromkeys(range(24), 1.0), {}, 0.0, "SPIN")
    stopped = get_solver("exhaustive").solve(bqm, time_limit_s=0.01)
    assert stopped.termination == "clock"
    assert stopped.best is not None

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

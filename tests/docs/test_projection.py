"""The reduction of docs/explanation/projection.md: 3-SAT as signs of ±1 rows."""

import itertools

import numpy as np
import pytest

import qproj


def rows_of(clauses, variables):
    """Rows over the pairs (v_0, v_0'), (v_1, v_1'), …; a clause is three (variable ≥ 1, sign)."""
    pairs = variables + 1
    rows = []
    for flip in (None, *range(pairs)):
        epsilon = np.ones(pairs, int)
        if flip is not None:
            epsilon[flip] = -1
        row = np.stack([epsilon, -epsilon], axis=1).ravel()
        rows += [row, -row]
    for clause in clauses:
        row = np.tile([1, -1], pairs)
        row[1] = 1
        for variable, sign in clause:
            row[2 * variable : 2 * variable + 2] = sign
        rows.append(row)
    return np.array(rows)


def satisfiable(clauses, variables):
    return any(
        all(any(values[variable - 1] == sign for variable, sign in clause) for clause in clauses)
        for values in itertools.product([-1, 1], repeat=variables)
    )


def _formula(seed, variables, count):
    rng = np.random.default_rng(seed)
    return [
        list(zip((rng.permutation(variables)[:3] + 1).tolist(), rng.choice([-1, 1], 3).tolist(), strict=True))
        for _ in range(count)
    ]


def test_signs_can_be_met_exactly_where_the_formula_is_satisfiable():
    answers = []
    for seed in range(24):
        clauses = _formula(seed, 3, 4 + 2 * (seed % 6))
        X = rows_of(clauses, 3)
        p = qproj.SignProjection(X, np.ones(len(X)))
        found = qproj.get_solver("exhaustive").solve(p)
        met = found.gain == len(X)
        answers.append(met)
        assert met == satisfiable(clauses, 3)
        if met:
            values = found.best[2::2]
            assert all(any(values[variable - 1] == sign for variable, sign in clause) for clause in clauses)
    assert set(answers) == {True, False}


@pytest.mark.parametrize("variables", [1, 4])
def test_the_pair_rows_force_equal_pairs(variables):
    X = rows_of([], variables)
    V = np.array(list(itertools.product([-1, 1], repeat=X.shape[1])))
    met = V[(V @ X.T >= 0).all(axis=1)]
    assert len(met) == 2 ** (variables + 1)
    np.testing.assert_array_equal(met[:, ::2], met[:, 1::2])

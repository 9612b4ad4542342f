"""One seed, one result: whatever the workers, hash seed, order of variables and compilation."""

import json
import os
import subprocess
import sys

import dimod
import numpy as np
import pytest

import qproj

SOLVERS = [
    "auto", "exhaustive", "local-search", "sign", "random", "sa", "sqa", "tabu", "greedy", "tree", "svmc", "pt", "sb",
]  # fmt: skip
LIMITS = {"num_reads": 5}


def limits(name):
    return LIMITS if qproj.get_solver(name).capabilities.num_reads else {}


@pytest.mark.parametrize("name", SOLVERS)
def test_the_number_of_workers_changes_no_result(name):
    rng = np.random.default_rng(0)
    n, d, dout = (6, 5, 8) if name == "tree" else (24, 16, 70)  # tree takes the exact encoding, which is wide
    X, T = rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))
    found = [qproj.project(X, T, solver=name, seed=3, workers=workers, **limits(name)) for workers in (None, 1, 2)]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].weights, other.weights)
        np.testing.assert_array_equal(found[0].gain, other.gain)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name not in ("sign", "local-search")])
def test_the_order_of_variables_changes_no_result(name):
    rng = np.random.default_rng(1)
    labels = [f"x{i}" for i in range(14)]
    terms = {(u, v): float(rng.normal()) for i, u in enumerate(labels) for v in labels[:i]}
    results = []
    for order in (labels, labels[::-1], list(rng.permutation(labels))):
        bqm = dimod.BinaryQuadraticModel("SPIN")
        for label in order:
            bqm.add_variable(str(label))
        for (u, v), bias in terms.items():
            bqm.add_quadratic(u, v, bias)
        found = qproj.get_solver(name).solve(bqm, seed=5, **limits(name))
        results.append(dict(zip(map(str, bqm.variables), found.best.tolist(), strict=True)))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", ["auto", "local-search", "sign"])
@pytest.mark.parametrize("d", [9, 16])
def test_the_order_of_rows_and_weights_changes_no_result(name, d):
    rng = np.random.default_rng(2)
    X, t = rng.choice([-1, 1], (24, d)), rng.normal(size=24)
    solver = qproj.get_solver(name)
    first = solver.solve(qproj.SignProjection(X, t), seed=5)
    for _ in range(4):
        rows, columns = rng.permutation(24), rng.permutation(d)
        other = solver.solve(qproj.SignProjection(X[rows][:, columns], t[rows]), seed=5)
        np.testing.assert_array_equal(other.best, first.best[columns])


_RUN = """
import json, sys
import numpy as np, qproj
rng = np.random.default_rng(0)
Rows, Targets = rng.choice([-1, 1], (14, 9)), rng.normal(size=(14, 3))
found = {}
for name in sys.argv[1:]:
    more = {"num_reads": 5} if qproj.get_solver(name).capabilities.num_reads else {}
    X, T = (Rows[:6, :5], Targets[:6]) if name == "tree" else (Rows, Targets)
    found[name] = qproj.project(X, T, solver=name, seed=3, **more).weights.tolist()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_hash_seed_and_compilation_change_no_result():
    told = []
    for more in (
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2"},
        {"NUMBA_DISABLE_JIT": "1"},
        {"NUMBA_NUM_THREADS": "1"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *SOLVERS], capture_output=True, text=True, env=os.environ | more, check=True
        )
        told.append(json.loads(done.stdout))
    assert told[0] == told[1] == told[2] == told[3]

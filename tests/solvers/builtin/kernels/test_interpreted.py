"""The kernels as plain Python: the same searches without numba's compiler find what the compiled ones do.

It is a check of the compiler (integer widths, reassociated sums), and the only way in which coverage sees their lines.
"""

import json
import os
import subprocess
import sys

import pytest

SEARCHES = """
import json
import numpy as np
import qproj
from qproj.solvers.builtin.kernels.branch_bound import branch_bound

found = {}

def keep(name, solutions):
    found[name] = [[float(s.gain), str(s.status)] for s in solutions]

for seed, (n, d) in enumerate([(7, 4), (14, 13), (20, 15)]):
    rng = np.random.default_rng(seed)
    X, T = rng.choice([-1, 1], (n, d)), rng.normal(size=(n, 2))
    small = dict(epochs=4, iterations=5, sweeps=6, starts=2, nodes=400, threads=1)
    keep(f"auto {n} {d}", qproj.project(X, T, solver=qproj.get_solver("auto", **small), seed=1))
    keep(f"local-search {n} {d}", qproj.project(X, T, solver=qproj.get_solver("local-search", starts=4), seed=1))
    if d < 14:
        keep(f"exhaustive {n} {d}", qproj.project(X, T, solver="exhaustive"))
rng = np.random.default_rng(5)
X, T = rng.choice([-1, 1], (60, 33)), rng.normal(size=(60, 2))
keep("auto, wide", qproj.project(X, T, solver=qproj.get_solver("auto", **small), seed=1))
for name, A in (("signs", rng.choice(np.array([-1, 1], np.int8), (12, 7))), ("reals", rng.normal(size=(9, 6)))):
    for M in (np.ones(A.shape[1], np.int64), np.arange(A.shape[1]) % 3 + 1):
        r = branch_bound(A, M, rng.normal(size=len(A)), node_limit=3000)
        found[f"branch and bound, {name} {M.max()}"] = [[float(r.gain), str(r.proved)]]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_interpreted_searches_find_what_compiled_ones_do():
    def searched(**switch):
        environment = {**os.environ, **switch}
        done = subprocess.run(
            [sys.executable, "-c", SEARCHES], env=environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    compiled, interpreted = searched(), searched(NUMBA_DISABLE_JIT="1")
    assert len(compiled) == 13
    assert compiled.keys() == interpreted.keys()
    for name, results in compiled.items():
        for (gain, status), (plain, its) in zip(results, interpreted[name], strict=True):
            if "proved" in status or status in ("optimal", "True"):
                assert plain == pytest.approx(gain, rel=1e-12), name
                assert its == status
            else:
                assert plain == pytest.approx(gain, rel=0.2), name  # sums in another order may take another path

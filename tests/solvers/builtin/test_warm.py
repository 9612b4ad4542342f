"""Everything compiled is compiled ahead, and who has not done so is told once."""

import os
import subprocess
import sys

import pytest

SOLVE = """
import numpy as np, qproj
rng = np.random.default_rng(0)
qproj.project(rng.choice([-1, 1], (20, 5)), rng.normal(size=(20, 2)), seed=0)
"""

OTHERS = """
for n, d, limit in ((70, 30, None), (33, 47, None), (90, 31, 0.5), (40, 64, 0.5)):
    for X in (rng.choice([-1, 1], (n, d)), rng.normal(size=(n, d)), np.repeat(rng.choice([-1, 1], (n, d)), 3, axis=1)):
        qproj.project(X, rng.normal(size=(n, 3)), seed=0, time_limit_s=limit)
        qproj.get_solver("local-search").solve(qproj.SignProjection(X, rng.normal(size=n)), seed=0)
"""


def told(folder):
    done = subprocess.run(
        [sys.executable, "-c", SOLVE], env={**os.environ, "NUMBA_CACHE_DIR": str(folder)}, capture_output=True,
        text=True, check=True, timeout=250,
    )  # fmt: skip
    return done.stderr.count("qproj doctor --warm")


@pytest.mark.slow
def test_the_first_process_is_told_that_it_compiles_and_the_next_is_not(tmp_path):
    assert told(tmp_path) == 1
    assert told(tmp_path) == 0


@pytest.mark.slow
def test_after_warming_other_problems_compile_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for code in ("from qproj.solvers.builtin.warm import warm; assert len(list(warm())) > 10", SOLVE + OTHERS):
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=280)
        compiled = sorted(path.name for path in tmp_path.rglob("*.nbc"))
        assert compiled
        if code.startswith("from"):
            before = compiled
    assert compiled == before

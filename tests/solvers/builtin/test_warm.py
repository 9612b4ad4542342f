"""Everything compiled is compiled ahead, few functions are compiled twice, and a process that compiles logs it once."""

import os
import subprocess
import sys

import pytest

SOLVE = """
import numpy as np, qproj
rng = np.random.default_rng(0)
qproj.project(rng.choice([-1, 1], (24, 40)), rng.normal(size=(24, 2)), seed=0)
"""

SMALL = """
import numpy as np, qproj
rng = np.random.default_rng(0)
assert qproj.project(rng.choice([-1, 1], (32, 10)), rng.normal(size=(32, 16)), seed=0).proved.all()
"""

OTHERS = """
for n, d, limit in ((70, 30, None), (33, 47, None), (90, 31, 0.5), (40, 64, 0.5)):
    for X in (rng.choice([-1, 1], (n, d)), rng.normal(size=(n, d)), np.repeat(rng.choice([-1, 1], (n, d)), 3, axis=1)):
        qproj.project(X, rng.normal(size=(n, 3)), seed=0, time_limit_s=limit)
        qproj.get_solver("local-search").solve(qproj.SignProjection(X, rng.normal(size=n)), seed=0)
"""

TYPES = """
import importlib, pkgutil
from numba import types
from numba.core.dispatcher import Dispatcher
from qproj.solvers.builtin import kernels

def arrays(kinds):
    for kind in kinds:
        yield from [kind] if isinstance(kind, types.Array) else arrays(getattr(kind, "types", ()))

found = 0
for info in pkgutil.iter_modules(kernels.__path__):
    module = importlib.import_module(f"{kernels.__name__}.{info.name}")
    for name, function in vars(module).items():
        if isinstance(function, Dispatcher) and function.__module__ == module.__name__:
            assert {array.layout for each in function.signatures for array in arrays(each)} <= {"C"}, name
            # rows of ±1, and real ones where they are treated apart
            assert len(function.signatures) <= 2, (name, function.signatures)
            found += len(function.signatures)
assert found > 8
"""


def run(code, folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stderr


def compiled(folder):
    return sorted(path.name for path in folder.rglob("*.nbc"))


@pytest.mark.slow
def test_the_first_process_logs_that_it_compiles_and_the_next_does_not(tmp_path):
    assert run(SOLVE, tmp_path).count("qproj doctor --warm") == 1
    assert compiled(tmp_path)
    assert "compiled" not in run(SOLVE, tmp_path)


@pytest.mark.slow
def test_a_small_layer_compiles_nothing(tmp_path):
    assert "compiled" not in run(SMALL, tmp_path)
    assert not compiled(tmp_path)


@pytest.mark.slow
def test_after_warming_other_problems_compile_nothing(tmp_path):
    run("from qproj.solvers.builtin.warm import warm; assert len(list(warm())) > 10", tmp_path)
    before = compiled(tmp_path)
    assert before
    run(SOLVE + OTHERS + TYPES, tmp_path)
    assert compiled(tmp_path) == before

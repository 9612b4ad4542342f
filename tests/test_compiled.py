"""Compiled code is kept where a folder can be written; where none can, all works, and the log names the remedy."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qproj
from qproj import _compiled

ROOT = Path(qproj.__file__).parents[1]

SEARCHES = """
import numpy as np
import qproj
import qproj_qiskit

assert all(package.__file__.startswith({root!r}) for package in (qproj, qproj_qiskit))
rng = np.random.default_rng(0)
X, T = rng.choice([-1, 1], (24, 40)), rng.normal(size=(24, 2))
assert qproj.project(X, T, "auto", seed=0).proved.all()
assert (qproj.project(X, T, qproj.get_solver("local-search", starts=1), seed=0).gain > 0).all()
solver = qproj.get_solver("qaoa-fast", reps=1, maxiter=1, restarts=1)
assert solver.solve(qproj.SignProjection(X[:6, :3], T[:6, 0]), seed=0).best is not None
"""


@pytest.fixture
def unwritable(tmp_path):
    """A copy of the packages where nobody can make a cache folder: not even root, who may write to read-only ones."""
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("qproj", "adapters/qproj_qiskit"):
        source = ROOT / package
        if not source.exists():
            pytest.skip(f"{package} is not beside the tests")
        shutil.copytree(source, tmp_path / source.name, ignore=ignore)
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").touch()  # a file where numba would make its folder
    return tmp_path


@pytest.mark.parametrize("folder", [None, "/proc/none"])
def test_a_read_only_installation_compiles_without_a_cache_and_logs_the_remedy_once(unwritable, folder):
    left_out = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"HOME": "/dev/null", "PYTHONPATH": str(unwritable), "PYTHONDONTWRITEBYTECODE": "1"}
    if folder is not None:
        environment["NUMBA_CACHE_DIR"] = folder
    done = subprocess.run(
        [sys.executable, "-c", SEARCHES.format(root=str(unwritable))], env=environment, cwd=unwritable,
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NUMBA_CACHE_DIR") == 1
    assert not list(unwritable.rglob("*.nbi"))


def test_other_errors_of_numba_are_raised(monkeypatch):
    def fails(**options):
        raise RuntimeError("something else")

    monkeypatch.setattr(_compiled, "_njit", fails)
    with pytest.raises(RuntimeError, match="something else"):
        _compiled.compiled()(lambda x: x)


def test_functions_call_their_parts_and_compilation_leaves_the_collector_as_it_was(caplog):
    @_compiled.linked()
    def twice(x):
        return 2 * x

    @_compiled.inlined
    def total(values):
        most = values[0]
        for value in values:
            most = max(most, value)
        return most

    @_compiled.compiled()
    def both(values):
        return twice(total(values))

    assert gc.isenabled()
    with caplog.at_level(logging.WARNING, logger="qproj"):
        assert both(np.array([1.0, 5.0, 2.0])) == 10.0
        assert gc.isenabled()
        gc.disable()
        try:
            assert both(np.array([1, 5, 2])) == 10
            assert not gc.isenabled()
        finally:
            gc.enable()

"""Searches are compiled before a clock starts, once per machine, and only those that a study may call."""

import os
import subprocess
import sys

import pytest

from qproj.solvers.builtin import warm as module
from qproj.solvers.builtin.warm import GROUPS, WITHOUT_KERNELS, compile_ahead, needed
from qproj.solvers.registry import list_solvers

#: In a new process with an empty cache: every solver that is declared to have no kernels solves; nothing is compiled.
NOTHING = """
import numpy as np, qproj
from numba.core import event
from qproj.solvers.builtin.warm import WITHOUT_KERNELS

found = []
class Listener(event.Listener):
    def on_start(self, event):
        found.append(str(event.data["dispatcher"]))
    def on_end(self, event):
        pass
event.register("numba:compile", Listener())
rng = np.random.default_rng(0)
solved = 0
for info in qproj.list_solvers():
    if info.name not in WITHOUT_KERNELS or not info.ready or info.token is not None:
        continue
    solver = qproj.get_solver(info.name)
    reads = {"num_reads": 3} if solver.capabilities.num_reads else {}
    for n, d in ((8, 5), (12, 6)):
        for X in (rng.choice([-1, 1], (n, d)), rng.normal(size=(n, d))):
            try:
                solver.solve(qproj.SignProjection(X, rng.normal(size=n)), seed=0, time_limit_s=2.0, **reads)
                solved += 1
            except (ValueError, TypeError, RuntimeError) as refusal:
                print(info.name, refusal)
assert solved > 20, solved
assert not found, found
"""


def run(code, folder, **more):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **more}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_solvers_without_kernels_compile_nothing(tmp_path):
    run(NOTHING, tmp_path)


def test_what_each_solver_needs():
    assert needed(["sign", "cpsat"]) == {"descent"}
    assert needed(["qaoa-fast"]) == {"descent", "QAOA"}
    assert needed(["auto"]) == needed(["a solver of somebody else"]) == {"searches", "descent"}
    assert needed(["auto", "qaoa-fast"]) == GROUPS
    assert needed([]) == frozenset()
    names = {info.name for info in list_solvers()}
    assert names >= WITHOUT_KERNELS


def test_a_group_is_compiled_once_and_again_for_other_code(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_cache_folder", lambda: tmp_path)
    parts = []
    assert compile_ahead({"descent"}, parts.append) > 0.0
    assert parts == ["descent"]
    assert compile_ahead({"descent"}, parts.append) == 0.0
    assert parts == ["descent"]
    monkeypatch.setattr(module, "_version", lambda: "another")
    compile_ahead({"descent"}, parts.append)
    assert parts == ["descent", "descent"]


def test_where_nothing_can_be_kept_nothing_is_compiled_ahead(monkeypatch):
    monkeypatch.setattr(module, "_cache_folder", lambda: None)
    parts = []
    assert compile_ahead({"descent"}, parts.append) == 0.0
    assert not parts


STUDY = """
import sys
from qproj.cli import main
sys.argv = ["qproj", "compare", "--instances", "random:n=12,d=7,neurons=2", "--solvers", "local-search,sa", "--seeds",
            "1", "--reads", "5", "--time-limit", "1", "--out", sys.argv[1]]
main()
"""


@pytest.mark.slow
def test_a_study_compiles_before_its_workers_start(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def study(name):
        done = subprocess.run(
            [sys.executable, "-c", STUDY, str(tmp_path / name)], env=environment, capture_output=True, text=True,
            timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert study("first").count("Compiling the built-in searches") == 1
    log = (tmp_path / "first" / "log.txt").read_text()
    assert "compiled" not in log  # no worker has compiled anything
    assert "Compiling" not in study("second")

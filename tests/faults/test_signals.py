"""No solver takes a signal from the process for good: what ends it has to reach it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from qproj.solvers.interrupt import native_handler

HANDLERS = """
import sys

import numpy as np
import qproj
from qproj.solvers.interrupt import native_handler

X = np.random.default_rng(0).choice([-1, 1], (12, 7))
for solver in (one for one in qproj.list_solvers() if one.installed):
    before = [native_handler(number) for number in (2, 14, 15, 24)]
    try:
        qproj.get_solver(solver.name).solve(qproj.SignProjection(X, X[:, 0] + 0.5), time_limit_s=2)
    except Exception as error:  # not its form, or no token
        print(solver.name, error, file=sys.stderr)
    if [native_handler(number) for number in (2, 14, 15, 24)] != before:
        print(solver.name)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="other signals")
def test_no_solver_takes_a_signal_from_the_process():
    done = subprocess.run([sys.executable, "-c", HANDLERS], capture_output=True, text=True, timeout=300, check=True)
    assert not done.stdout, "what ends a process, such as SIGTERM, has to reach it after a call of these too"


@pytest.mark.skipif(sys.platform == "win32", reason="other signals")
def test_exact_gives_signals_back_in_every_thread():
    native = pytest.importorskip("exact")
    from qproj_exact.exact import _Interrupts

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU)
    before, seen = [native_handler(number) for number in numbers], []

    def make():
        with _Interrupts():
            native.Exact()
        seen.append([native_handler(number) for number in numbers])

    make()
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert seen == [before, before]

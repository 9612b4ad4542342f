"""Checks of what a call leaves behind: settings of the process, threads, files, arrays that later calls write to."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import random
import secrets
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import dimod
import numpy as np

from qproj.projections import SignProjection
from qproj.solvers.interrupt import native_handler
from qproj.testing.checks import Skipped, check, enough, handed, solved, taken, where
from qproj.testing.deadlines import slowdown

#: Calls after which what each of them leaves is counted.
CALLS = 5
SIGNALS = ("SIGINT", "SIGTERM", "SIGALRM", "SIGUSR1", "SIGHUP", "SIGXCPU")


@check
def check_leaves_no_trace(solver: Any) -> None:
    """Random states, signal handlers, numpy's error handling, environment, folder and warning filters stay the same."""
    found = taken(solver)[:4]
    if not found:
        raise Skipped("it takes none of the problems")
    list(solved(solver, found, seed=1))  # what is loaded at first use has been loaded now
    for each in [*found, *taken(solver, "reads")[:1]]:
        with _unusual():
            before = _surroundings()
            list(solved(solver, [each], seed=1))
            after = _surroundings()
        changed = [name for name in before if before[name] != after[name]]
        assert not changed, f"{where(each)}: solve() changed {', '.join(changed)}"


@contextlib.contextmanager
def _unusual() -> Iterator[None]:
    """Put settings at values that nobody would set them to, and put everything back."""
    # np.random's global state is what is watched here, not what is drawn from
    legacy, plain, errors = np.random.get_state(), random.getstate(), np.geterr()  # noqa: NPY002
    folder, environment = os.getcwd(), dict(os.environ)
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not None:
                handlers[number] = signal.signal(number, _interrupted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.random.seed(secrets.randbits(32))  # noqa: NPY002
            random.seed(secrets.randbits(64))
            np.seterr(under="warn")
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        np.random.set_state(legacy)  # noqa: NPY002
        random.setstate(plain)
        np.seterr(**errors)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)


def _interrupted(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _surroundings() -> dict[str, Any]:
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(state, dict)
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    torch = sys.modules.get("torch")
    return {
        "numpy's global random state": (state["state"]["key"].tobytes(), state["state"]["pos"]),
        "random's global state": random.getstate(),
        "torch's global random state": None if torch is None else torch.random.get_rng_state().numpy().tobytes(),
        "numpy's handling of floating-point errors (np.seterr)": np.geterr(),
        "signal handlers": [(signal.getsignal(number), native_handler(number)) for number in numbers],
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),
        "warning filters": list(warnings.filters),
        "the recursion limit": sys.getrecursionlimit(),
        "garbage collection": gc.isenabled(),
    }


@check
def check_leaves_nothing_open(solver: Any) -> None:
    """No thread, file or process more for every call: what is kept is kept once."""
    found = [each for each in taken(solver) if "degenerate" not in each.tags][:2]
    if not found:
        raise Skipped("it takes none of the problems")
    limited = {} if solver.capabilities.exact else {"time_limit_s": 0.05}
    list(solved(solver, found, seed=1))
    list(solved(solver, found[:1], seed=1, **limited))
    for asked in ({}, limited):
        threads, files, processes = set(threading.enumerate()), _open_files(), set(multiprocessing.active_children())
        for _ in range(CALLS):
            list(solved(solver, found[:1], seed=1, **asked))
        gc.collect()
        end = time.monotonic() + 2.0 * slowdown()
        left = [thread for thread in threading.enumerate() if thread not in threads]
        for thread in left:
            thread.join(max(0.0, end - time.monotonic()))
        left = [thread for thread in left if thread.is_alive() and thread is not threading.current_thread()]
        assert len(left) < CALLS, f"{where(found[0])}: {CALLS} calls left {len(left)} threads, such as {left[0].name!r}"
        more = _open_files() - files
        assert more < CALLS, f"{where(found[0])}: {CALLS} calls left {more} files open"
        born = len(set(multiprocessing.active_children()) - processes)
        assert born < CALLS, f"{where(found[0])}: {CALLS} calls left {born} processes"


def _open_files() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return len(os.listdir(folder))
    return 0


@check
def check_results_are_its_own(solver: Any) -> None:
    """Arrays of a result do not change when other problems are solved, nor when another result is written to."""
    capabilities = solver.capabilities
    made: list[Any] = []
    for number in range(3):
        rng = np.random.default_rng(number)
        if "bqm" in capabilities.forms:
            couplings = {(i, j): float(rng.normal()) for i in range(5) for j in range(i)}
            made.append(dimod.BinaryQuadraticModel({i: float(rng.normal()) for i in range(5)}, couplings, 0.0, "SPIN"))
        elif "projection" in capabilities.forms:
            made.append(SignProjection(rng.choice([-1, 1], (9, 5)), rng.normal(size=9)))
    if not made or (capabilities.max_variables is not None and capabilities.max_variables < 5):
        raise Skipped("it takes neither small projections nor BQMs")
    try:
        many = getattr(solver, "solve_many", None)
        runs = [[solver.solve(handed(problem), seed=1, **enough(solver)) for problem in made]]
        first = [{name: array.copy() for name, array in _arrays(each).items()} for each in runs[0]]
        if many is not None:
            runs.append(list(many(made, seed=1, **enough(solver))))
    except TypeError as error:
        raise Skipped("it takes projections of another kind") from error
    for number, (solution, before) in enumerate(zip(runs[0], first, strict=True)):
        changed = [name for name, array in _arrays(solution).items() if not np.array_equal(array, before[name])]
        assert not changed, f"problem {number} of 3: {', '.join(changed)} changed when other problems were solved"
    for run in runs:
        known = [array for solution in run for array in _arrays(solution).values()]
        owner = [place for place, solution in enumerate(run) for _ in _arrays(solution)]
        for i, one in enumerate(known):
            for j in range(i):
                shared = owner[i] != owner[j] and np.shares_memory(one, known[j])
                writeable = one.flags.writeable or known[j].flags.writeable
                assert not (shared and writeable), "results of two problems share memory that can be written to"


def _arrays(solution: Any) -> dict[str, Any]:
    found = {name: getattr(solution, name) for name in ("best", "candidates", "raw_best")}
    if solution.sampleset is not None:
        found["sampleset"] = solution.sampleset.record.sample
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray) and array.size}

"""Waiting for a solver no longer than it deserves: a search that ignores its limit must not hold up the kit.

Where other processes take their share of the machine, solvers get as much longer as a fixed piece of work takes
longer than its processor time, for the processor time that the solver itself uses. So none is accused of the machine's
load, and one that sleeps through its limit has no such excuse.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

#: Seconds of processor time that a measurement takes, and for how long it counts.
_PIECE_S = 0.02
_FRESH_S = 2.0
#: No wait is made longer than this many times.
_MOST = 20.0
#: Seconds of processor time that any call is granted for being scheduled.
_LATENCY_S = 0.05

_measured: tuple[float, float] = (-1e9, 1.0)


class StillRunningError(AssertionError):
    """A call did not end in the time it was given; its thread is left behind."""


def slowdown() -> float:
    """Return how many seconds pass while this thread computes for one, at least 1 and at most 20."""
    global _measured
    now = time.monotonic()
    if now - _measured[0] > _FRESH_S:
        begin, used = time.perf_counter(), time.thread_time()
        while time.thread_time() - used < _PIECE_S:
            pass
        passed = time.perf_counter() - begin
        _measured = now, min(max(passed / (time.thread_time() - used), 1.0), _MOST)
    return _measured[1]


def _processor_time() -> float:
    """Return the seconds of this process, its threads and the processes that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def watched(solver: Any, problem: Any, *, patience_s: float, **asked: Any) -> tuple[Any, float]:
    """Return (answer, seconds) of ``solver.solve(problem, **asked)``, run in a thread of its own.

    Raises
    ------
    StillRunningError
        No end after `patience_s` seconds and what the machine's load explains.
    Exception
        Whatever the solver raised.
    """
    answers: list[Any] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            answers.append(solver.solve(problem, **asked))
        except BaseException as error:  # handed on below, in the thread that waits
            errors.append(error)
        finally:
            ended.set()

    start, used = time.monotonic(), _processor_time()
    threading.Thread(target=run, daemon=True, name="solver under test").start()
    until, busy = start + patience_s, slowdown()
    while not ended.wait(max(0.0, until - time.monotonic())):
        busy = max(busy, slowdown())
        explained = (busy - 1.0) * (_processor_time() - used + _LATENCY_S)
        if start + patience_s + explained <= time.monotonic():
            raise StillRunningError(f"asked for {asked}, and no end after {time.monotonic() - start:.1f} s")
        until = min(start + patience_s + explained, time.monotonic() + patience_s)
    seconds = time.monotonic() - start
    if errors:
        raise errors[0]
    return answers[0], seconds

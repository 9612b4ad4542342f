"""Waiting for a solver no longer than it deserves: a search that ignores its limit must not hold up the kit."""

from __future__ import annotations

import threading
import time
from typing import Any


class StillRunningError(AssertionError):
    """A call did not end in the time it was given; its thread is left behind."""


def watched(solver: Any, problem: Any, *, patience_s: float, **asked: Any) -> tuple[Any, float]:
    """Return (answer, seconds) of ``solver.solve(problem, **asked)``, run in a thread of its own.

    Raises
    ------
    StillRunningError
        No end after `patience_s` seconds.
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

    start = time.monotonic()
    threading.Thread(target=run, daemon=True, name="solver under test").start()
    if not ended.wait(patience_s):
        raise StillRunningError(f"asked for {asked}, and no end after {time.monotonic() - start:.1f} s")
    if errors:
        raise errors[0]
    return answers[0], time.monotonic() - start

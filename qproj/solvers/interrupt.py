"""Ctrl-C while a backend computes: it stops within moments, and the interrupt always reaches the caller."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class _Noted:
    """Whether a Ctrl-C came, and whether a backend is asking for it."""

    came: bool = False
    polled: bool = False


_NOTED: ContextVar[_Noted | None] = ContextVar("_NOTED", default=None)


def interruptible(run: Callable[[], T], stop: Callable[[], object]) -> T:
    """Return ``run()``; at a Ctrl-C call ``stop()``, wait for `run` to come back, and raise KeyboardInterrupt.

    For backends that hold the main thread, where Python could act on a signal only after they are done: `run` goes to
    a thread of its own while the main thread waits. Elsewhere signals do not arrive, and `run` is simply called.
    """
    if threading.current_thread() is not threading.main_thread():
        return run()
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()  # Thread.join, once interrupted, no longer waits (Python 3.11)

    def work() -> None:
        try:
            results.append(run())
        except BaseException as error:  # passed on below
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=work, name="qproj-backend", daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # none may come before somebody waits
    try:
        thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        done.wait()
    except KeyboardInterrupt:
        stop()
        done.wait()
        raise
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def interrupt_raised() -> Iterator[None]:
    """Raise KeyboardInterrupt on leaving, where one came and a backend kept it to itself.

    Samplers that return what they have at a Ctrl-C would otherwise let a whole layer's other neurons begin.
    """
    default = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not default:
        yield
        return
    noted = _Noted()

    def note(number: int, frame: FrameType | None) -> Any:
        noted.came = True
        return None if noted.polled else default(number, frame)

    token = _NOTED.set(noted)
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        _NOTED.reset(token)
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, default)
    if noted.came:
        raise KeyboardInterrupt


@contextmanager
def polled(deadline: float | None) -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether to stop, for backends that ask: at a deadline, and after a Ctrl-C.

    An exception that a signal raises within a callback of compiled code is dropped there, and the backend continues. So
    inside :func:`interrupt_raised` a Ctrl-C is only noted while the backend asks, and raised when it has returned.
    """
    noted = _NOTED.get() or _Noted()
    noted.polled = True
    try:
        yield lambda: noted.came or (deadline is not None and time.perf_counter() >= deadline)
    finally:
        noted.polled = False
    if noted.came:
        raise KeyboardInterrupt

"""Ctrl-C while a backend computes: it stops within moments, and the interrupt always reaches the caller."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds between two requests to stop: CP-SAT, for example, forgets one that comes during its presolve.
_AGAIN_S = 0.05
#: Seconds between two looks at whether the race is settled.
_LOOK_S = 0.1


@dataclass
class _Noted:
    """Whether a Ctrl-C came, and whether a backend is asking for it."""

    came: bool = False
    polled: bool = False


@dataclass
class _Race:
    """Whether the searches of a race are to stop, and how to stop the backends that are running."""

    over: bool = False
    stops: list[Callable[[], object]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        with self.lock:
            self.over = True
            stops = list(self.stops)
        for stop in stops:
            stop()

    @contextmanager
    def stopped_by(self, stop: Callable[[], object]) -> Iterator[None]:
        with self.lock:
            self.stops.append(stop)
            over = self.over
        try:
            if over:
                stop()
            yield
        finally:
            with self.lock:
                self.stops.remove(stop)


_NOTED: ContextVar[_Noted | None] = ContextVar("_NOTED", default=None)
_RACE: ContextVar[_Race | None] = ContextVar("_RACE", default=None)


def race(searches: Sequence[Callable[[], T]], settled: Callable[[T], bool]) -> list[T]:
    """Return what searches in threads of their own come back with, in their order; all stop once one has settled it.

    Backends are stopped through :func:`interruptible` and :func:`polled`; loops of our own ask :func:`is_over`. A
    search that is not settled continues until its own end. A Ctrl-C stops all of them.
    """
    own = _Race()
    token = _RACE.set(own)
    try:
        with ThreadPoolExecutor(len(searches), thread_name_prefix="qproj-race") as pool:
            running: list[Future[T]] = []
            try:
                for search in searches:
                    running.append(pool.submit(copy_context().run, search))
                left = set(running)
                while left and not own.over:
                    done, left = wait(left, return_when=FIRST_COMPLETED)
                    own.over = any(one.exception() is not None or settled(one.result()) for one in done)
            finally:
                own.stop()
                while not all(one.done() for one in running):
                    own.stop()
                    wait(running, _AGAIN_S)
            return [one.result() for one in running]
    finally:
        _RACE.reset(token)


def is_over() -> bool:
    """Return whether the race that this thread takes part in has been settled."""
    own = _RACE.get()
    return own is not None and own.over


def end_of_race() -> Callable[[], bool]:
    """Return what tells, in any thread, whether the race that this thread takes part in has been settled."""
    own = _RACE.get()
    return lambda: own is not None and own.over


class DidNotEndError(TimeoutError):
    """A backend ended neither at its time limit nor when it was asked to stop, and was left behind."""


def interruptible(
    run: Callable[[], T], stop: Callable[[], object], patience_s: float | None = None, latest: float | None = None
) -> T:
    """Return ``run()``; at a Ctrl-C call ``stop()``, wait for `run` to come back, and raise KeyboardInterrupt.

    `stop` is called again and again until then. This is for backends that hold the main thread, where Python could act
    on a signal only after they are done: `run` goes to a thread of its own while the main thread waits. Elsewhere
    signals do not arrive, and `run` is simply called; in a :func:`race`, `stop` is called once the race is settled.

    With `patience_s`, a backend that has not come back that many seconds after `stop()` is left behind in its thread,
    a daemon, which ends when the backend does, and does not keep the process from ending. So is, in any thread, one
    that has not come back by itself at `latest`, a `time.perf_counter()` instant some time after its time limit.

    Raises
    ------
    DidNotEndError
        The backend was left behind at `latest`, or `patience_s` after the end of its race.
    """
    is_main = threading.current_thread() is threading.main_thread()
    own = None if is_main else _RACE.get()
    with nullcontext() if own is None else own.stopped_by(stop):
        if not is_main and latest is None:
            return run()
        outcome: Future[T] = Future()
        thread = threading.Thread(
            target=copy_context().run, args=(_call, run, outcome), name="qproj-backend", daemon=True
        )
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # none may come before somebody waits
        try:
            thread.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if latest is None:
                wait([outcome])  # Thread.join, once interrupted, no longer waits (Python 3.11)
            elif not _ends(outcome, latest, patience_s, own):
                stop()
                raise DidNotEndError("the backend ended neither at its time limit nor when it was asked to stop")
        except KeyboardInterrupt:
            end = None if patience_s is None else time.monotonic() + patience_s
            while not outcome.done() and (end is None or time.monotonic() < end):
                stop()
                wait([outcome], _AGAIN_S)
            raise
        thread.join()
        return outcome.result()


def _call(run: Callable[[], T], outcome: Future[T]) -> None:
    """Keep what a call returns, or the error that it ends with."""
    try:
        outcome.set_result(run())
    except BaseException as error:
        outcome.set_exception(error)


def _ends(outcome: Future[Any], latest: float, patience_s: float | None, own: _Race | None) -> bool:
    """Wait until a backend is done; False where it is not at `latest`, or so long after the end of its race."""
    is_over = False
    while not wait([outcome], _LOOK_S if own is not None else max(0.0, latest - time.perf_counter())).done:
        if time.perf_counter() >= latest:
            return False
        if own is not None and own.over and not is_over and patience_s is not None:
            is_over, latest = True, min(latest, time.perf_counter() + patience_s)
    return True


@contextmanager
def interrupt_raised() -> Iterator[None]:
    """Raise KeyboardInterrupt on leaving, where one came and a backend kept it to itself or made another error of it.

    Samplers that return what they have at a Ctrl-C would otherwise let a whole layer's other neurons begin, and the
    import of a compiled module that is interrupted fails with an ImportError.
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
    except Exception as error:
        if noted.came:
            raise KeyboardInterrupt from error
        raise
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
        yield lambda: noted.came or is_over() or (deadline is not None and time.perf_counter() >= deadline)
    finally:
        noted.polled = False
    if noted.came:
        raise KeyboardInterrupt


def native_handler(number: int) -> int | None:
    """Return the address of the function that handles a signal, Python's or a compiled module's; None where unknown.

    `signal.getsignal` knows only what Python has installed.
    """
    if os.name != "posix":
        return None
    action = ctypes.create_string_buffer(512)  # struct sigaction begins with the handler
    if ctypes.CDLL(None).sigaction(number, None, action):
        return None
    return int.from_bytes(action.raw[: ctypes.sizeof(ctypes.c_void_p)], sys.byteorder)

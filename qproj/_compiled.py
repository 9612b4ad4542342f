"""Loops over arrays, compiled by numba at their first call and kept on disk where that is possible.

A process that compiles logs it once. Numba keeps compiled code until the file of the function changes, or of none that
it calls: after a change of a `linked` or `inlined` function in another file, remove the cache.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

try:
    os.getcwd()
except OSError:  # the working folder was deleted: numba imports coverage where it is installed, which reads its name
    sys.modules.setdefault("coverage", None)  # type: ignore[arg-type]
import numba
from numba.core import event
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

#: What compiled code may assume and reorder where every number is finite.
FAST = {"nnan", "ninf", "nsz", "reassoc", "contract", "arcp", "afn"}

_njit: Any = numba.njit


class _Loops(CompilerBase):
    """Numba's compiler without its passes for closures and for expressions of whole arrays: loops have neither."""

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's passes but for those two, which take a twentieth of the compile time."""
        usual = DefaultPassBuilder.define_nopython_pipeline(self.state)
        needed = PassManager(usual.pipeline_name)
        needed.passes = [entry for entry in usual.passes if entry[0] not in (InlineClosureLikes, NopythonRewrites)]
        needed.finalize()
        return [needed]


#: No wrapper for callers in C, which costs a tenth of the compile time; division as numpy does it, without a check.
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "pipeline_class": _Loops}


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function of arrays, scalars and named tuples of them: compiled, without the interpreter's lock.

    The compiled code is kept in NUMBA_CACHE_DIR, beside the source, or in the user's cache folder. Where none of them
    can be written, as in a read-only installation without a home, every process compiles for itself.

    Parameters
    ----------
    options
        Further options of numba.njit, such as fastmath.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        global _kept
        try:
            dispatcher = _njit(cache=True, **_OPTIONS, **options)(function)
        except RuntimeError as error:
            if "no locator" not in str(error):
                raise
            _kept = False
            dispatcher = _njit(**_OPTIONS, **options)(function)
        if hasattr(dispatcher, "compile"):  # with NUMBA_DISABLE_JIT it is the function itself
            dispatcher.compile = _interrupts_held()(dispatcher.compile)
        return dispatcher

    return decorate


def linked(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a part of compiled functions that several places call: compiled once, and kept with its callers.

    It has no wrapper for the interpreter, so that only compiled functions may call it.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return _njit(no_cpython_wrapper=True, **_OPTIONS, **options)(function)

    return decorate


def inlined(function: Callable[..., Any]) -> Any:
    """Decorate a part of compiled functions: it becomes code of each caller, with the caller's options.

    It is never compiled on its own. Functions that call each other would be optimised again at every level, which is
    most of the compile time where parts are small and each is called in one place.
    """
    return _njit(inline="always", **_OPTIONS)(function)


_kept = True


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a Ctrl-C wait for the end: numba drops an exception in its callbacks, of the cache's too, and continues."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


class _Compiling(event.Listener):
    """Logs, once per process, that a function of this project is compiled, and pauses the garbage collector meanwhile.

    The compiler creates some hundred thousand objects that live until it ends; collecting among them again and again
    would take a tenth of its time. Compilations are nested, and numba lets one thread compile at a time.
    """

    def __init__(self) -> None:
        self.depth, self.collects, self.logged = 0, False, False

    def on_start(self, event: Any) -> None:
        """Pause the collector at the outermost function, if it is one of this project's."""
        module = str(getattr(event.data["dispatcher"], "__module__", ""))
        if not self.depth and not module.startswith("qproj"):
            return
        if not self.depth:
            self.collects = gc.isenabled()
            gc.disable()
        self.depth += 1
        if not self.logged:
            self.logged = True
            logging.getLogger("qproj").warning(_REMARK[_kept])

    def on_end(self, event: Any) -> None:
        """Let the collector work again after the outermost function."""
        if self.depth:
            self.depth -= 1
            if not self.depth and self.collects:
                gc.enable()


#: By whether compiled code can be kept.
_REMARK = {
    True: "searches are compiled at their first call, some seconds for all of them, and kept for later processes; "
    "`qproj doctor --warm` compiles them in advance",
    False: "searches are compiled by every process again, some seconds for all of them: no folder for compiled code "
    "can be written; set the environment variable NUMBA_CACHE_DIR to a folder that can",
}


_listener = _Compiling()
event.register("numba:compile", _listener)


def announced() -> None:
    """Log no remark in this process: the caller shows that functions are being compiled."""
    _listener.logged = True

"""Solvers by name: entry points of the group ``qproj.solvers``, so that another distribution can add one."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qproj._options import check_options, nearest
from qproj.solvers.contract import LIMITS, Capabilities, MissingPackageError, MissingTokenError, Solver

GROUP = "qproj.solvers"


@dataclass(frozen=True)
class SolverInfo:
    """One registered solver: whether it can be used here, and what to do where it cannot."""

    name: str
    distribution: str
    installed: bool
    licensed: bool | None
    token: bool | None
    reason: str
    remedy: str
    capabilities: Capabilities | None

    @property
    def ready(self) -> bool:
        """Whether it can run here: installed, licensed, and a token where it needs one."""
        return self.installed and self.licensed is not False and self.token is not False


def missing_modules(names: Iterable[str]) -> list[str]:
    """Return those of the top-level modules that cannot be found; imports nothing."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def solver_names() -> list[str]:
    """Return every registered name, sorted."""
    return sorted(_entry_points())


def solver_class(name: str) -> Any:
    """Return the solver class of a name, imported; ``module:object`` stands for one that is not registered.

    Raises
    ------
    TypeError, ValueError
        The name is not a string, or unknown; the nearest is offered.
    MissingPackageError
        The registered module cannot be imported.
    """
    if not isinstance(name, str):
        raise TypeError(f"a solver's name is a string, not {type(name).__name__}; pass the solver object itself")
    if ":" in name:
        return _object_at(name)
    points = _known_points(tuple(sys.path))
    if name not in points:
        _known_points.cache_clear()  # installed since?
        points = _known_points(tuple(sys.path))
    if name not in points:
        raise ValueError(
            f"unknown solver {name!r}; {nearest(name, points)}; `qproj solvers` lists them{own_class(name)}"
        )
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise MissingPackageError(f"solver {name!r} cannot be imported ({error}); see `qproj solvers`") from error


def _object_at(path: str) -> Any:
    """Return the class or solver object at ``module:object``."""
    module, _, name = path.partition(":")
    try:
        found = getattr(_imported(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{path!r} cannot be found ({error}); write module:Class or module:object, importable from here"
        ) from error
    if not callable(getattr(found, "solve", None)) or not hasattr(found, "capabilities"):
        raise ValueError(f"{path!r} is not a solver: an object with capabilities and solve() is needed")
    return found


def _imported(module: str) -> Any:
    """Return a module, from the working folder too: installed commands, unlike ``python -m``, do not look there.

    The folder stays last on the path, for worker processes; nothing in it can stand in for an installed package.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if error.name != module.partition(".")[0] or here in sys.path:
            raise
        sys.path.append(here)
        importlib.invalidate_caches()
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError:
            sys.path.remove(here)
            raise


def own_class(name: str) -> str:
    """Return how a class of the user's own is named, where the unknown name looks like one; else nothing."""
    return ", and module:Class is one of your own" if "." in name else ""


def get_solver(name: str | Solver, **options: Any) -> Any:
    """Return a solver of the registered name, made with the given hyper-parameters; a solver object is returned as is.

    Raises
    ------
    ValueError
        Unknown name; the nearest is offered.
    TypeError
        An option that the solver's constructor does not take; the nearest is offered.
    MissingPackageError
        Its package is not installed; the message names the extra.
    """
    if not isinstance(name, str):
        if options:
            raise TypeError(
                f"options {sorted(options)} belong to the constructor of {type(name).__name__}, which is made already"
            )
        if not callable(getattr(name, "solve", None)):
            raise TypeError(f"{type(name).__name__} is not a solver; pass a name, or an object with solve()")
        return name
    factory = solver_class(name)
    if not isinstance(factory, type) and ":" in name:
        return get_solver(factory, **options)
    if options:  # reading a signature takes longer than searching a small layer
        check_options(factory, f"solver {name!r}", options, elsewhere=LIMITS, where="solve()")
    if getattr(factory, "requires", ()):
        state = factory.availability()
        if not state.installed:
            raise MissingPackageError(f"solver {name!r}: {state.reason}; {state.remedy}")
        if state.token is False:
            raise MissingTokenError(f"solver {name!r}: {state.reason}; {state.remedy}")
    return factory(**options)


def list_solvers() -> list[SolverInfo]:
    """Return every registered solver with its state; adapters are imported, their backends are not."""
    return [_info(name, point) for name, point in sorted(_entry_points().items())]


def _info(name: str, point: importlib.metadata.EntryPoint) -> SolverInfo:
    distribution = point.dist.name if point.dist is not None else "?"
    try:
        factory = point.load()
    except (
        Exception
    ) as error:  # a third party's broken module is reported in its row of the table, and the others are still listed
        return SolverInfo(
            name, distribution, False, None, None, f"{type(error).__name__}: {error}", "reinstall it", None
        )
    capabilities = getattr(factory, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        capabilities = None
    availability = getattr(factory, "availability", None)
    if availability is None:
        return SolverInfo(name, distribution, True, None, None, "", "", capabilities)
    state = availability()
    return SolverInfo(
        name,
        distribution,
        state.installed,
        state.licensed,
        state.token,
        state.reason,
        state.remedy,
        capabilities,
    )


@lru_cache(maxsize=1)
def _known_points(path: tuple[str, ...]) -> dict[str, importlib.metadata.EntryPoint]:
    """Entry points for this search path: reading every distribution's metadata takes longer than a small layer."""
    return _entry_points()


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}

"""Quantum anneals as data: the schedule A(s), B(s) of a machine, the path s(t), and how coefficients are programmed.

H(s) = −A(s)/2 Σ σˣ + B(s)/2 (Σ h σᶻ + Σ J σᶻσᶻ), A and B being frequencies in GHz, so that times are nanoseconds and a
phase is 2π·GHz·ns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from numpy.typing import ArrayLike

from qproj._arrays import FloatArray
from qproj._options import nearest

#: k_B/h in GHz per millikelvin: β·energy = frequency/(temperature·this).
GHZ_PER_MK = 0.020836619
#: Ranges of h and J that D-Wave's machines publish.
H_RANGE, J_RANGE = (-4.0, 4.0), (-1.0, 1.0)
_POINTS = np.linspace(0.0, 1.0, 101)
#: Schedules by name: GHz, their sizes like those of published machines'.
_NAMED: dict[str, Callable[[FloatArray], tuple[FloatArray, FloatArray]]] = {
    "linear": lambda s: (6.0 * (1.0 - s), 6.0 * s),
    "quadratic": lambda s: (6.0 * (1.0 - s) ** 2, 12.0 * s**2),
}
SCHEDULES = tuple(_NAMED)


@dataclass(frozen=True, eq=False)
class AnnealSchedule:
    """A(s) and B(s) in GHz at points s from 0 to 1, linear in between.

    Raises
    ------
    ValueError
        Fewer than two points, s not rising from 0 to 1, or values that are negative or not finite.
    """

    s: FloatArray
    A: FloatArray
    B: FloatArray

    def __post_init__(self) -> None:
        table = [np.array(column, np.float64) for column in (self.s, self.A, self.B)]
        if any(column.ndim != 1 or len(column) != len(table[0]) for column in table) or len(table[0]) < 2:
            raise ValueError("a schedule needs columns s, A, B of one length, two points at least")
        if not all(np.isfinite(column).all() and (column >= 0).all() for column in table):
            raise ValueError("a schedule has a value that is negative or not finite; A and B are GHz ≥ 0")
        if not (np.diff(table[0]) > 0).all() or abs(table[0][0]) > 1e-9 or abs(table[0][-1] - 1.0) > 1e-9:
            raise ValueError(f"s runs from {table[0][0]:g} to {table[0][-1]:g}; it has to rise from 0 to 1")
        for name, column in zip(("s", "A", "B"), table, strict=True):
            column.setflags(write=False)
            object.__setattr__(self, name, column)

    @classmethod
    def of(cls, value: Any) -> AnnealSchedule:
        """Return the schedule that a user names: "linear", "quadratic", an array (points, 3), or a CSV file.

        Raises
        ------
        ValueError
            An unknown name (the nearest is offered), or a table that is not a schedule.
        TypeError
            Neither text nor numbers.
        FileNotFoundError
            No such file.
        """
        if isinstance(value, AnnealSchedule):
            return value
        if isinstance(value, str | os.PathLike):
            if str(value) in _NAMED:
                return cls(_POINTS, *_NAMED[str(value)](_POINTS))
            if Path(value).suffix.lower() != ".csv":
                raise ValueError(f"unknown schedule {str(value)!r}; {nearest(str(value), SCHEDULES)}, or a .csv file")
            return cls.read_csv(value)
        try:
            table = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"schedule is {type(value).__name__}; a name, numbers (s, A, B) or a CSV file") from None
        if table.ndim != 2 or table.shape[1] != 3:
            raise ValueError(f"schedule has shape {table.shape}; (points, 3) is needed: s, A and B in GHz")
        return cls(table[:, 0], table[:, 1], table[:, 2])

    @classmethod
    def read_csv(cls, path: str | os.PathLike[str]) -> AnnealSchedule:
        """Return the schedule in a CSV file: columns s, A, B first, one heading line, commas or semicolons.

        D-Wave publishes such a table per QPU (s, A(s) in GHz, B(s) in GHz, C(s)); further columns are not read.
        """
        source = Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"{source} is not a file; give a CSV table of s, A and B in GHz")
        rows = []
        for number, line in enumerate(source.read_text(encoding="utf-8-sig").splitlines(), 1):
            words = [word.strip() for word in line.replace(";", ",").split(",")]
            if not any(words):
                continue
            try:
                rows.append([float(word) for word in words[:3]])
                if len(rows[-1]) < 3:
                    raise ValueError
            except ValueError:
                if rows or number > 1:
                    raise ValueError(f"{source}, line {number}: three numbers s, A, B are needed") from None
        try:
            return cls.of(np.array(rows).reshape(-1, 3))
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None

    def at(self, s: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return A(s) and B(s) in GHz."""
        place = np.asarray(s, np.float64)
        return np.interp(place, self.s, self.A), np.interp(place, self.s, self.B)


@dataclass(frozen=True, eq=False)
class AnnealPath:
    """s(t), linear between points (ns, s): a plain anneal, one with a pause, or a reverse anneal from s = 1.

    Raises
    ------
    ValueError
        Fewer than two points, times that do not rise from 0, s outside [0, 1], or an end other than s = 1.
    """

    t: FloatArray
    s: FloatArray

    def __post_init__(self) -> None:
        t, s = (np.array(column, np.float64) for column in (self.t, self.s))
        if t.ndim != 1 or t.shape != s.shape or len(t) < 2 or not np.isfinite([t, s]).all():
            raise ValueError("anneal_schedule needs two or more points (time, s) of finite numbers")
        if t[0] != 0 or not (np.diff(t) > 0).all() or not ((s >= 0) & (s <= 1)).all() or s[-1] != 1 or s[0] % 1:
            raise ValueError("anneal_schedule has to begin at time 0 with s = 0 or 1, rise in time, and end at s = 1")
        for name, column in (("t", t), ("s", s)):
            column.setflags(write=False)
            object.__setattr__(self, name, column)

    @classmethod
    def of(cls, annealing_time: float, points: str | Sequence[tuple[float, float]] | None) -> AnnealPath:
        """Return the path of `points`, or from s = 0 to 1 in `annealing_time`; as text they are ``0:0+5:0.4+9:1``."""
        if points is None:
            return cls(np.array([0.0, annealing_time]), np.array([0.0, 1.0]))
        if isinstance(points, str):
            try:
                points = [(float(t), float(s)) for t, s in (pair.split(":") for pair in points.split("+"))]
            except ValueError:
                raise ValueError(f"anneal_schedule is {points!r}; write time:s pairs, such as 0:0+5:0.4+9:1") from None
        table = np.asarray(points, np.float64)
        if table.ndim != 2 or table.shape[1] != 2:
            raise ValueError(f"anneal_schedule has shape {table.shape}; points (time, s) are needed")
        return cls(table[:, 0], table[:, 1])

    @property
    def is_reverse(self) -> bool:
        """Whether it begins at s = 1, in a classical state."""
        return bool(self.s[0] == 1)

    @property
    def duration(self) -> float:
        return float(self.t[-1])

    def at(self, t: ArrayLike) -> FloatArray:
        """Return s(t), t in nanoseconds."""
        return np.interp(np.asarray(t, np.float64), self.t, self.s)


def autoscale(
    bqm: dimod.BinaryQuadraticModel, h_range: tuple[float, float] = H_RANGE, j_range: tuple[float, float] = J_RANGE
) -> float:
    """Return the largest factor that keeps all h and J of a SPIN model within a machine's ranges; 1 for no terms."""
    factors = [np.inf]
    for values, (low, high) in ((bqm.linear.values(), h_range), (bqm.quadratic.values(), j_range)):
        array = np.fromiter(values, np.float64)
        if len(array):
            if array.max() > 0:
                factors.append(high / array.max())
            if array.min() < 0:
                factors.append(low / array.min())
    factor = float(min(factors))
    return factor if np.isfinite(factor) else 1.0


def programmed(bqm: dimod.BinaryQuadraticModel) -> dimod.BinaryQuadraticModel:
    """Return the model as spins, scaled into the machine's ranges, without its offset."""
    spins = bqm.change_vartype(dimod.SPIN, inplace=False)
    spins.offset = 0.0
    spins.scale(autoscale(spins))
    return spins


def custom_fields(schedule: AnnealSchedule, path: AnnealPath, num_sweeps: int, temperature_mk: float) -> dict[str, Any]:
    """Return the fields βB/2 and βA/2 of each sweep as dwave-samplers' path-integral and rotor samplers take them."""
    A, B = schedule.at(path.at(np.linspace(0.0, path.duration, num_sweeps)))
    beta = 0.5 / (GHZ_PER_MK * temperature_mk)
    return {"beta_schedule_type": "custom", "num_sweeps_per_beta": 1, "Hp_field": beta * B, "Hd_field": beta * A}


def check_temperature(temperature_mk: float) -> float:
    """Return a temperature in millikelvin, or raise TypeError or ValueError."""
    if isinstance(temperature_mk, bool) or not isinstance(temperature_mk, int | float | np.number):
        raise TypeError(f"temperature_mk is {temperature_mk!r}; a number of millikelvin > 0 is needed")
    if not 0 < temperature_mk < np.inf:
        raise ValueError(f"temperature_mk is {temperature_mk}; a number of millikelvin > 0 is needed")
    return float(temperature_mk)

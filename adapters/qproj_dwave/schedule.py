"""Anneal schedules that a connected solver takes, by its own parameters and properties."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np


def check_schedule(parameters: Mapping[str, Any], sampler: Any) -> None:
    """Raise ValueError where the connected solver does not take the anneal schedule, by its own properties."""
    reverse, properties = "reinitialize_state" in parameters, sampler.properties
    name = properties.get("chip_id", "this solver")
    wanted = ["anneal_schedule", *(["initial_state", "reinitialize_state"] if reverse else [])]
    lacking = [each for each in wanted if each not in sampler.parameters]
    if lacking:
        raise ValueError(f"{name} takes no {', '.join(lacking)}; leave anneal_schedule out, or choose another solver")
    points = parameters["anneal_schedule"]
    most = properties.get("max_anneal_schedule_points", len(points))
    if len(points) > most:
        raise ValueError(f"anneal_schedule has {len(points)} points; {name} takes {most} at most")
    shortest, longest = properties.get("annealing_time_range", (0.0, np.inf))
    if points[-1][0] > longest:
        raise ValueError(f"anneal_schedule lasts {points[-1][0]:g} µs; {name} takes {longest:g} at most")
    if not reverse and any(after[1] < before[1] for before, after in pairwise(points)):
        raise ValueError(f"anneal_schedule falls after s = 0; {name} takes a fall only from s = 1: begin there")
    for (t0, s0), (t1, s1) in pairwise(points):
        if abs(s1 - s0) * shortest > (t1 - t0) * (1 + 1e-9):
            least = abs(s1 - s0) * shortest
            raise ValueError(
                f"anneal_schedule goes from s = {s0:g} to {s1:g} in {t1 - t0:g} µs; {name} needs {least:g} or more"
            )

"""A layer in training within a limit: layer 0 of 784-256-256-10 on MNIST, what `project` gains in .01 to 1 second."""

from __future__ import annotations

import time
from statistics import mean
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import seconds, table
from benchmarks.neuron_set import layers

TITLE = "A layer in training within a time limit"
LIMITS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
ROWS = (64, 512)
STEP = 40


def run(quick: bool) -> dict[str, Any]:
    rows = []
    for n in ROWS:
        cells: dict[str, list[list[float]]] = {}
        for seed in range(3 if quick else 6):
            layer = layers("mnist", (256, 256), n, STEP, seed)[0]
            for name, options in _cases().items():
                cells.setdefault(name, []).append(_reached(layer, options))
        rows.append({"n": n, "cells": cells})
    return {"rows": rows}


def _cases() -> dict[str, dict[str, Any]]:
    limited = {f"{limit:g}": {"solver": "auto", "time_limit_s": limit} for limit in LIMITS}
    return {"sign": {"solver": "sign"}, **limited}


def _reached(layer: Any, options: dict[str, Any]) -> list[float]:
    """Return the mean of gain / Σ|τ|, the least of gain − sign's gain, the share proved, and seconds."""
    sign = qproj.project(layer.X, layer.T, solver="sign")
    begin = time.perf_counter()
    found = qproj.project(layer.X, layer.T, seed=0, **options)
    took = time.perf_counter() - begin
    size = np.maximum(np.abs(layer.T).sum(axis=0), 1e-300)
    proved = float(np.mean([status == "optimal" for status in found.status]))
    return [float((found.gain / size).mean()), float(((found.gain - sign.gain) / size).min()), proved, took]


def section(result: dict[str, Any]) -> str:
    lines, falls, below = [], [], []
    for row in result["rows"]:
        means = {name: [mean(column) for column in zip(*cells, strict=True)] for name, cells in row["cells"].items()}
        for name, (gain, _, proved, took) in means.items():
            what = "`sign`" if name == "sign" else f"`auto`, {seconds(float(name))}"
            lines.append([str(row["n"]), what, f"{gain:.4f}", f"{proved:.2f}", seconds(took)])
        gains = [means[f"{limit:g}"][0] for limit in LIMITS]
        falls += [f"n = {row['n']}, {limit:g} s" for limit, a, b in zip(LIMITS[1:], gains, gains[1:]) if b < a]
        below += [f"n = {row['n']}, {name} s" for name, cells in row["cells"].items() if min(c[1] for c in cells) < 0]
    seeds = len(result["rows"][0]["cells"]["sign"])
    return f"""
Layer 0 of 784-256-256-10 on MNIST at step {STEP}, 256 neurons, batches of n rows, means over {seeds} trainings. Gains
are shares of Σ|τ|. The mean gain falls with a longer limit at: {", ".join(falls) or "none"}. A neuron below `sign`'s
gain at: {", ".join(below) or "none"}.
""" + table(["n", "solver", "gain", "proved", "time"], lines)

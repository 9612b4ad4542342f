"""Cost against size: one layer's time as d, n or the number of neurons grows, and the exponents that fit.

Exponents are least-squares slopes of log time on log size; for the exact search of one neuron the slope of log2 time on
d is the growth a weight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, spread, table, timed

TITLE = "Cost against size"
PICTURE = Path(__file__).parents[1] / "docs" / "_static" / "performance-scaling.svg"
#: What grows, its values, and (n, d, neurons) from one of them.
SERIES = {
    "d, below capacity (n = 64, 64 neurons)": ((128, 256, 512, 1024, 2048), lambda s: (64, s, 64)),
    "n, below capacity (d = 1024, 64 neurons)": ((32, 64, 128, 256, 512), lambda s: (s, 1024, 64)),
    "neurons (n = 64, d = 256)": ((16, 64, 256, 1024), lambda s: (64, 256, s)),
    "d, exact search (n = 64, 1 neuron)": ((18, 20, 22, 24, 26, 28), lambda s: (64, s, 1)),
}


def run(quick: bool) -> dict[str, Any]:
    repeats = 5 if quick else 15
    rng = np.random.default_rng()
    series = []
    for name, (sizes, shape) in SERIES.items():
        points = []
        for size in sizes:
            n, d, neurons = shape(size)
            times, proved = [], []
            for index in range(repeats + 1):
                X, T = rng.choice([-1, 1], (n, d)), rng.standard_normal((n, neurons))
                took, layer = timed(lambda X=X, T=T: qproj.project(X, T))
                if index:
                    times.append(took)
                    proved.append(float(layer.proved.mean()))
            points.append({"size": size, "seconds": spread(times), "proved": float(np.mean(proved))})
        exponential = "exact" in name
        x = np.array([p["size"] for p in points], float)
        y = np.log2([p["seconds"]["median"] for p in points])
        slope = float(np.polyfit(x if exponential else np.log2(x), y, 1)[0])
        series.append({"name": name, "points": points, "exponential": exponential, "slope": slope})
    return {"series": series, "repeats": repeats}


def section(result: dict[str, Any]) -> str:
    _draw(result["series"])
    rows = []
    for one in result["series"]:
        fit = f"{2 ** one['slope']:.2f}× a weight" if one["exponential"] else f"size^{one['slope']:.2f}"
        for index, p in enumerate(one["points"]):
            rows.append(
                ["" if index else one["name"], str(p["size"]), range_of(p["seconds"]), f"{p['proved']:.2f}",
                 "" if index else fit]
            )  # fmt: skip
    return f"""
`project` on uniform ±1 inputs and normal targets, {result["repeats"]} new layers a point; medians are fitted.

![Time against d, n and neurons, on logarithmic axes](_static/{PICTURE.name})
""" + table(["what grows", "size", "`project`", "proved", "fit"], rows)


def _draw(series: list[dict[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "qproj"  # the same picture from the same figures
    from matplotlib import pyplot as plt

    # as wide as the text of a page, so that letters have the size that is set here
    figure, axes = plt.subplots(-(-len(series) // 2), 2, figsize=(7.4, 5.6), layout="constrained")
    for axis in axes.flat[len(series) :]:
        axis.set_visible(False)
    for axis, one in zip(axes.flat, series, strict=False):
        x = [p["size"] for p in one["points"]]
        middle = np.array([p["seconds"]["median"] for p in one["points"]])
        low = middle - [p["seconds"]["least"] for p in one["points"]]
        high = np.array([p["seconds"]["most"] for p in one["points"]]) - middle
        axis.errorbar(x, middle, yerr=[low, high], marker="o", capsize=2, linewidth=1)
        axis.set_yscale("log")
        if not one["exponential"]:
            axis.set_xscale("log", base=2)
        axis.set_title(one["name"], fontsize=10)
        axis.set_ylabel("seconds", fontsize=10)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)

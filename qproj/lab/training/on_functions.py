"""The experiments on functions, without torch: `rosenbrock`, `rate` and `fixed-point`, in the shape of other runs.

No accuracy is measured on a function: those keys are None, and ``figures`` holds the measured values.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._files import plain
from qproj.functions import Function, Rate, measure_rate, minimize, quadratic, rosenbrock
from qproj.lab.training.experiments import Experiment
from qproj.lab.training.fixed_points import come_to_rest
from qproj.lab.training.settings import TAKES, Config, Settings

#: What QP-SBGD reads on a function.
_FIRST_ORDER = ("lr", "schedule", "momentum", "float_lr")

#: (step, steps): called now and then.
Watch = Callable[[int, int], None]

#: `rosenbrock` and `rate`: N where the name has no other, the deviation of the noise of each slope, starts per run.
SIZE, NOISE, STARTS = 10, 1.0, 20
ROSENBROCK_STEPS = 1000
#: `rate`: T = 10²…10⁵, half a decade apart, and the τ whose alignment is measured.
RATE_STEPS = (100, 316, 1000, 3162, 10_000, 31_623, 100_000)
RATE_TAUS = (0.0, 0.5, 1.0, 1.5, 1.9, 4.0)
#: What `--tune` tries on Rosenbrock's function, the same for all optimisers, and the seeds of the trials.
STEP_SIZES = tuple(float(f"{10.0 ** (-k / 2):.1g}") for k in range(1, 13))
MOMENTA = (0.0, 0.8)
TUNING_SEEDS = (1000,)


def best(experiment: Experiment, optimizer: str) -> Settings:
    """Return the settings that ship for an experiment without tuned ones.

    η of `rate` is 1/√T, whatever is set here; η of `fixed-point` is a power of two, with which steps add without
    rounding.
    """
    return Settings.of(optimizer, {"lr": 0.0625})


def run(config: Config, watch: Watch | None = None) -> dict[str, Any]:
    """Return the record of a run: plain JSON with ``figures`` and ``history``; the keys of accuracies are None."""
    tell = watch or (lambda step, steps: None)
    begun = time.perf_counter()
    measured = {"rosenbrock": _rosenbrock, "rate": _rate, "fixed": _fixed_point}[config.experiment.name.split("-")[0]]
    found = measured(config, tell)
    used = {name: getattr(config.settings, name) for name in found.pop("reads")}
    record: dict[str, Any] = {
        "experiment": config.experiment.name, "optimizer": config.optimizer, "seed": config.seed,
        "test_accuracy": None, "best_val_test_accuracy": None, "val_accuracy": None,
        "seconds": round(time.perf_counter() - begun, 3), "binary_parameters": found.pop("size"),
        "float_parameters": 0, "steps": found.pop("steps"), "epochs": 1, "settings": used,
        "solver": config.solver if config.experiment.name == "fixed-point" else None,
        "weights_sha256": found.pop("weights_sha256", None), "key": config.key, **found,
    }  # fmt: skip
    return {name: plain(value) for name, value in record.items()}


def tune(experiment: Experiment, optimizer: str) -> Settings:
    """Return the point of the grid with the least mean f over the last tenth of Rosenbrock's runs.

    Other seeds than those that are reported; a run that diverges is never chosen.
    """
    fixed = {"schedule": "linear", **({"reg_rate": 0.01} if optimizer == "proxquant" else {})}
    if optimizer == "second-order":
        fixed["tau"] = 1.0
    tried = [
        Settings.of(optimizer, {**fixed, "lr": lr, "momentum": momentum}) for lr in STEP_SIZES for momentum in MOMENTA
    ]
    return min(tried, key=lambda settings: level(Config(experiment, optimizer, 0, settings)))


def level(config: Config) -> float:
    """Return the mean f that the trials of a configuration end at; infinity where one diverged."""
    runs = [run for seed in TUNING_SEEDS for run in _runs(config, seed, STARTS)]
    return math.fsum(_last(run.history) for run in runs) / len(runs) if all(run.success for run in runs) else math.inf


def _size(experiment: Experiment) -> int:
    digits = experiment.name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else SIZE


def _runs(config: Config, seed: int, starts: int, watch: Watch | None = None) -> Iterator[Any]:
    """Yield one run per start, uniform in [−1, 1]^N."""
    size, s = _size(config.experiment), config.settings
    fun = rosenbrock(size, noise=NOISE)
    for k in range(starts):
        tell = None if watch is None else _sparse(_after(watch, k * ROSENBROCK_STEPS, starts), ROSENBROCK_STEPS)
        yield minimize(
            fun, np.random.default_rng([seed, 7, k]).uniform(-1.0, 1.0, size), config.optimizer, steps=ROSENBROCK_STEPS,
            lr=s.lr, momentum=s.momentum, schedule=s.schedule, tau=float(s.tau) if s.tau != "auto" else 1.0,
            reg_rate=s.reg_rate if config.optimizer == "proxquant" else None, stochastic=True,
            seed=int(np.random.SeedSequence([seed, k]).generate_state(1)[0]), watch=tell,
        )  # fmt: skip


def _last(values: FloatArray) -> float:
    return float(values[-max(len(values) // 10, 1) :].mean())


def _rosenbrock(config: Config, watch: Watch) -> dict[str, Any]:
    runs = list(_runs(config, config.seed, STARTS, watch))
    ends = np.array([_last(run.history) for run in runs])
    longest = max(runs, key=lambda run: len(run.history))
    marks = np.unique(np.linspace(0, len(longest.history) - 1, 50).astype(int))
    mean = [float(np.mean([run.history[min(i, len(run.history) - 1)] for run in runs])) for i in marks]
    points = np.stack([run.x for run in runs])
    return {
        "reads": TAKES[config.optimizer] if config.optimizer not in ("qpsbgd", "projected") else _FIRST_ORDER,
        "size": points.shape[1], "steps": sum(int(run.nit) for run in runs),
        "weights_sha256": hashlib.sha256(points.tobytes()).hexdigest(),
        "figures": {
            "starts": STARTS, "value_at_start": float(np.mean([run.history[0] for run in runs])),
            "value": float(ends.mean()), "median_value": float(np.median(ends)),
            "starts_with_all_signs_of_the_minimum": float((points >= 0).all(axis=1).mean()),
            "signs_of_the_minimum": float((points >= 0).mean()),
            "diverged": int(sum(not run.success for run in runs)),
        },
        "history": [{"step": int(i) + 1, "value": value} for i, value in zip(marks, mean)],
    }  # fmt: skip


def _rate(config: Config, watch: Watch) -> dict[str, Any]:
    """Mean ‖∇f‖ of QP-SBGD with exact slopes, for which (A) holds, and with noisy ones, for which it does not.

    For the curvature projection, the least ⟨−∇f, V⟩/‖∇f‖₁ of every step at several τ, beside the proved 1 − τ/2.
    """
    total = 2 * sum(RATE_STEPS)
    fun, start = _convex(config.seed), np.ones(SIZE)
    exact = measure_rate(fun, start, steps=RATE_STEPS, watch=_sparse(watch, total))
    noisy = measure_rate(
        fun, start, steps=RATE_STEPS, stochastic=True, seed=config.seed,
        watch=_sparse(lambda step, steps: watch(step + total // 2, steps), total),
    )  # fmt: skip
    return {
        "reads": (), "size": fun.size, "steps": total,
        "figures": {
            "slope": exact.slope, "slope_low": exact.low, "slope_high": exact.high, "alignment": exact.alignment,
            "below_the_bound": bool((exact.means <= exact.bounds).all()), "noisy_slope": noisy.slope,
            "noisy_slope_low": noisy.low, "noisy_slope_high": noisy.high, "noisy_alignment": noisy.alignment,
            **{f"curvature_alignment_tau_{tau:g}": _least_share(fun, start, tau) for tau in RATE_TAUS},
        },
        "history": [
            {"step": int(T), "mean_gradient_norm": mean, "bound": bound, "noisy_mean_gradient_norm": other}
            for T, mean, bound, other in _together(exact, noisy)
        ],
    }  # fmt: skip


def _least_share(fun: Function, start: FloatArray, tau: float) -> float:
    """Return the least ⟨−∇f, V⟩/‖∇f‖₁ of the curvature projection's steps."""
    x, least, steps = start, math.inf, 316
    for _ in range(steps):
        g = fun.gradient(x, None)
        after = minimize(fun, x, "curvature", steps=1, lr=1.0 / math.sqrt(steps), tau=tau).x
        least = min(least, float(g @ (x - after)) * math.sqrt(steps) / float(np.abs(g).sum()))
        x = after
    return least


def _convex(seed: int) -> Function:
    rng = np.random.default_rng([seed, 8])
    root = rng.normal(size=(SIZE, SIZE))
    return quadratic(root @ root.T / SIZE + np.eye(SIZE), rng.normal(size=SIZE), noise=NOISE)


def _together(exact: Rate, noisy: Rate) -> list[tuple[int, float, float, float]]:
    return list(zip(exact.steps.tolist(), exact.means.tolist(), exact.bounds.tolist(), noisy.means.tolist()))


def _fixed_point(config: Config, watch: Watch) -> dict[str, Any]:
    found = come_to_rest(config.settings.lr, config.seed, config.solver, watch)
    return {
        "reads": ("lr",), "size": found.size, "steps": found.steps, "figures": found.figures, "history": found.history,
    }  # fmt: skip


def _after(watch: Watch, before: int, runs: int) -> Watch:
    return lambda step, steps: watch(before + step, steps * runs)


def _sparse(watch: Watch, total: int) -> Callable[[int], None]:
    """Return a watch that passes every 256th step on."""
    return lambda made: watch(made, total) if made % 256 == 0 else None

"""The experiments on functions, without torch: `rosenbrock`, `rate` and `fixed-point`, in the shape of other runs.

No accuracy is measured on a function: those keys are None, and ``figures`` holds what was.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._files import plain
from qproj.functions import Function, Rate, measure_rate, minimize, quadratic, rosenbrock
from qproj.lab.training.experiments import Experiment
from qproj.lab.training.fixed_points import come_to_rest
from qproj.lab.training.settings import Config, Settings, projects

#: (step, steps): called now and then.
Watch = Callable[[int, int], None]

#: `rosenbrock` and `rate`: N, and the standard deviation that noise adds to each slope.
SIZE, NOISE = 10, 1.0
ROSENBROCK_STEPS = 1000
#: `rate`: T = 10²…10⁵, half a decade apart.
RATE_STEPS = (100, 316, 1000, 3162, 10_000, 31_623, 100_000)
#: Step sizes that `--tune` tries on Rosenbrock's function, the same for all optimisers, and the seeds of the trials.
STEP_SIZES = tuple(float(f"{10.0 ** (-k / 2):.1g}") for k in range(1, 13))
TUNING_SEEDS = (1000, 1001, 1002)

#: What `qproj train rosenbrock --tune` chose.
_ROSENBROCK: dict[str, dict[str, float]] = {
    "qpsbgd": {"lr": 0.003}, "projected": {"lr": 0.003}, "binaryconnect": {"lr": 3e-6}, "signsgd": {"lr": 0.003},
    "proxquant": {"lr": 0.001, "reg_rate": 0.01},
}  # fmt: skip


def best(experiment: Experiment, optimizer: str) -> Settings:
    """Return the settings that ship for an experiment on a function.

    Those of Rosenbrock's function were tuned; η of `rate` is 1/√T, whatever is set here; η of `fixed-point` is a power
    of two, with which steps add without rounding.
    """
    if experiment.name == "rosenbrock":
        return Settings.of(optimizer, _ROSENBROCK[optimizer])
    return Settings.of(optimizer, {"lr": 0.0625})


def check(config: Config) -> None:
    """Refuse an optimiser that an experiment is not about.

    Raises
    ------
    ValueError
    """
    experiment = config.experiment
    if config.optimizer not in experiment.optimizers:
        raise ValueError(
            f"{experiment.name} is about {', '.join(experiment.optimizers)}, not {config.optimizer}: "
            f"--optimizers {','.join(experiment.optimizers)}"
        )


def run(config: Config, watch: Watch | None = None) -> dict[str, Any]:
    """Return the record of a run: plain JSON with ``figures`` and ``history``; the keys of accuracies are None."""
    check(config)
    tell = watch or (lambda step, steps: None)
    begun = time.perf_counter()
    measured = {"rosenbrock": _rosenbrock, "rate": _rate, "fixed-point": _fixed_point}[config.experiment.name]
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


def tune(optimizer: str) -> Settings:
    """Return the step size of :data:`STEP_SIZES` with the least mean f over the last tenth of Rosenbrock's run.

    Other seeds than those that are reported; a run that diverges is never chosen.
    """
    tried = {lr: _level(optimizer, lr) for lr in STEP_SIZES}
    return Settings.of(optimizer, {**_ROSENBROCK[optimizer], "lr": min(tried, key=tried.__getitem__)})


def _level(optimizer: str, lr: float) -> float:
    fun, reg_rate = rosenbrock(SIZE, noise=NOISE), _ROSENBROCK[optimizer].get("reg_rate")
    runs = [
        minimize(
            fun, _start(seed), optimizer, steps=ROSENBROCK_STEPS, lr=lr, reg_rate=reg_rate, stochastic=True, seed=seed
        )
        for seed in TUNING_SEEDS
    ]
    return math.fsum(_last(r.history) for r in runs) if all(r.success for r in runs) else math.inf


def _start(seed: int) -> FloatArray:
    start: FloatArray = np.random.default_rng([seed, 7]).uniform(-1.0, 1.0, SIZE)
    return start


def _last(values: FloatArray) -> float:
    return float(values[-max(len(values) // 10, 1) :].mean())


def _rosenbrock(config: Config, watch: Watch) -> dict[str, Any]:
    fun, s, steps = rosenbrock(SIZE, noise=NOISE), config.settings, ROSENBROCK_STEPS
    takes_rate = config.optimizer == "proxquant"
    found = minimize(
        fun, _start(config.seed), config.optimizer, steps=steps, lr=s.lr, reg_rate=s.reg_rate if takes_rate else None,
        stochastic=True, seed=config.seed, watch=_sparse(watch, steps),
    )  # fmt: skip
    marks = np.unique(np.linspace(0, len(found.history) - 1, 50).astype(int))
    # c and its cosine belong to steps of signs; the others take steps of any length
    aligned = found.alignment[np.isfinite(found.alignment)] if projects(config.optimizer) else np.empty(0)
    return {
        "reads": ("lr", "reg_rate") if takes_rate else ("lr",), "size": fun.size, "steps": int(found.nit),
        "weights_sha256": hashlib.sha256(found.x.tobytes()).hexdigest(),
        "figures": {
            "value_at_start": float(found.history[0]), "value": _last(found.history),
            "value_of_signs": _of_signs(fun, found.x), "mean_gradient_norm": float(found.gradient_norms.mean()),
            "least_alignment": float(aligned.min()) if len(aligned) else None,
            "mean_cosine": float(aligned.mean()) / math.sqrt(fun.size) if len(aligned) else None,
            "signs_of_the_minimum": float((found.x >= 0).mean()), "diverged": not found.success,
        },
        "history": [
            {"step": int(i) + 1, "value": float(found.history[i]), "gradient_norm": float(found.gradient_norms[i])}
            for i in marks
        ],
    }  # fmt: skip


def _of_signs(fun: Function, x: FloatArray) -> float:
    return fun.value(np.where(x >= 0, 1.0, -1.0))


def _rate(config: Config, watch: Watch) -> dict[str, Any]:
    """Mean ‖∇f‖ of QP-SBGD with exact slopes, for which (A) holds, and with noisy ones, for which it does not."""
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
        },
        "history": [
            {"step": int(T), "mean_gradient_norm": mean, "bound": bound, "noisy_mean_gradient_norm": other}
            for T, mean, bound, other in _together(exact, noisy)
        ],
    }  # fmt: skip


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


def _sparse(watch: Watch, total: int) -> Callable[[int], None]:
    """Return a watch that passes every 256th step on."""
    return lambda made: watch(made, total) if made % 256 == 0 else None

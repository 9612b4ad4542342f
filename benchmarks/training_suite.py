"""The training runs of docs/results.md: every experiment, the plain method, step sizes, options, solvers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.training_store import Job
from qproj.lab.training import on_functions
from qproj.lab.training.experiments import EXPERIMENTS, OPTIMIZERS, get_experiment
from qproj.lab.training.presets import preset
from qproj.lab.training.settings import TAKES, Config, Settings
from qproj.lab.training.tuning import trials

SEEDS = range(5)
#: Those with an accuracy, in the order of the table.
NAMES = tuple(name for name, one in EXPERIMENTS.items() if one.kind != "function")
#: A dear one has fewer seeds; the page says how many where there are not five.
_FEWER = {("paper", "mnist-10"): 1}
#: Where the default search of a step would take minutes; the page says so.
_SOLVERS = {("paper", "mnist-10"): "local-search:starts=1,sweeps=20"}

#: One experiment a preset, cheap ones first: those that trials are run on.
TUNED = (
    "digits-0-2", "adult-2layer", "adult-2layer-wide", "adult-2layer-thresholds", "karate", "pubmed", "cora",
    "adult-10layer", "mnist-1-2", "mnist-10",
)  # fmt: skip

#: The experiment and the factors of the tuned step size in the plot.
STEPS_ON = "mnist-1-2"
FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def tuning(name: str) -> list[Job]:
    """Return the trials of all five optimisers."""
    experiment = get_experiment(name)
    return [Job("trials", o, config) for o in OPTIMIZERS for config in trials(experiment, o)]


def table(name: str) -> list[Job]:
    """Return all five optimisers with tuned settings."""
    return _five(name, "best", OPTIMIZERS)


def paper(name: str) -> list[Job]:
    """Return the method as arXiv 2310.15128 states it."""
    return _five(name, "paper", ("qpsbgd",))


def _five(name: str, kind: str, optimizers: tuple[str, ...]) -> list[Job]:
    experiment = get_experiment(name)
    return [
        Job(kind, o, Config(experiment, o, seed, preset(kind, experiment, o), _SOLVERS.get((kind, name), "auto")))
        for seed in SEEDS[: _FEWER.get((kind, name), len(SEEDS))]
        for o in optimizers
    ]


def function_jobs() -> list[Job]:
    """Return the experiments on functions, every optimiser that each is about."""
    found = []
    for name, seeds in (("rosenbrock", SEEDS), ("rate", SEEDS[:2]), ("fixed-point", SEEDS[:2])):
        experiment = get_experiment(name)
        for optimizer in experiment.optimizers:
            settings = on_functions.best(experiment, optimizer)
            found += [Job("functions", optimizer, Config(experiment, optimizer, seed, settings)) for seed in seeds]
    return found


def steps() -> list[Job]:
    """Return tuned settings with other step sizes, up and down from the tuned one."""
    experiment = get_experiment(STEPS_ON, epochs=1)
    found = []
    for optimizer in OPTIMIZERS:
        tuned = preset("best", experiment, optimizer)
        for factor in FACTORS:
            settings = replace(tuned, lr=tuned.lr * factor)
            found += [Job("steps", f"{factor:g}", Config(experiment, optimizer, seed, settings)) for seed in SEEDS[:2]]
    return found


#: (heading, experiment, changes of the experiment, changes of the tuned settings): one option at a time.
ABLATIONS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = tuple(
    (heading, name, over, change)
    for name in ("digits-0-2", "cora", "pubmed")
    for heading, over, change in (
        ("as tuned", {}, {}),
        ("sign projection", {}, {"projection": "sign"}),
        ("metric projection, M = I: sign(g)", {}, {"projection": "metric"}),
        ("κ = 0.3", {}, {"projection": "margin", "kappa": 0.3}),
        ("κ = 1", {}, {"projection": "margin", "kappa": 1.0}),
        ("κ = 3", {}, {"projection": "margin", "kappa": 3.0}),
        ("κ = 10", {}, {"projection": "margin", "kappa": 10.0}),
        ("κ = 30", {}, {"projection": "margin", "kappa": 30.0}),
        ("2 sweeps", {}, {"sweeps": 2}),
        ("30 sweeps", {}, {"sweeps": 30}),
        ("step size constant", {}, {"schedule": "constant"}),
        ("step size cosine", {}, {"schedule": "cosine"}),
        ("momentum 0", {}, {"momentum": 0.0}),
        ("momentum 0.9", {}, {"momentum": 0.9}),
        ("every 2nd step projects", {}, {"every": 2}),
        ("sharpness 1", {"sharpness": 1.0}, {}),
        ("sharpness 0.2", {"sharpness": 0.2}, {}),
        ("hidden layer of 16", {"hidden": (16,)}, {}),
        *(
            (("1 hop", {"hops": 1}, {}), ("2 hops", {"hops": 2}, {}), ("columns centred", {"centred": True}, {}))
            if name != "digits-0-2"
            else (("batches of 8", {"batch": 8}, {}), ("batches of 128", {"batch": 128}, {}))
        ),
    )
    if not (name == "cora" and change.get("projection") == "sign")
)


def ablations() -> list[Job]:
    """Return the tuned projected QP-SBGD with one option changed."""
    found = []
    for heading, name, over, change in ABLATIONS:
        tuned = preset("best", get_experiment(name), "projected")
        experiment = replace(get_experiment(name), **over)
        settings = Settings.of("projected", {**{k: getattr(tuned, k) for k in TAKES["projected"]}, **change})
        found += [
            Job("ablation", heading, Config(experiment, "projected", seed, settings)) for seed in SEEDS[:3]
        ]  # fmt: skip
    return found


#: Solvers of the projection, from exact to the null model.
SOLVERS = ("cpsat", "auto", "sa", "dwave-emulated", "qaoa-fast", "sign", "random")
SOLVED = "adult-2layer"


def solvers() -> list[Job]:
    """Return one experiment with every solver, the sign projection."""
    experiment = get_experiment(SOLVED)
    settings = preset("paper", experiment, "projected")
    return [
        Job("solvers", solver, Config(experiment, "projected", seed, settings, solver), audit=5)
        for solver in SOLVERS
        for seed in SEEDS[:3]
    ]


def everything() -> list[Job]:
    """Return all runs and trials that the page and presets.toml are made of."""
    jobs = [*function_jobs(), *steps(), *ablations(), *solvers()]
    for name in TUNED:
        jobs += tuning(name)
    for name in NAMES:
        jobs += [*table(name), *paper(name)]
    return jobs

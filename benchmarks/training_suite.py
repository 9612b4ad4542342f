"""The training runs of docs/results.md: every experiment, the plain method, step sizes, options, solvers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.training_store import Job
from qproj.lab.training.experiments import EXPERIMENTS, get_experiment
from qproj.lab.training.presets import preset
from qproj.lab.training.settings import TAKES, Config, Settings
from qproj.lab.training.tuning import trials

SEEDS = range(5)
#: Rows that end within two standard errors of the best baseline, or nearly so, have ten seeds.
CLOSE = (
    "adult-2layer", "adult-2layer-thresholds", "adult-2layer-wide", "adult-10layer", "adult-2layer-published",
    "mnist-0-2", "mnist-1-2", "mnist-1-7", "mnist-fewshot-10",
    "conv-digits", "digits-0-2", "karate", "karate-club", "citeseer",
)  # fmt: skip
#: Two of the citation graphs, whose runs take a second, have twenty; rows whose runs take minutes have few.
_COUNTS = {"cora": 20, "pubmed": 20, "conv-mnist": 3, "mnist-10-long": 1}
#: Seeds that no choice was made with, run once at the end; and the rows whose figures are headlines.
UNUSED_SEEDS = (2026, 2027)
HEADLINES = (
    "mnist-10", "mnist-0-2", "mnist-1-2", "mnist-1-7", "mnist-fewshot-10", "adult-2layer-wide",
    "karate", "cora", "citeseer", "pubmed",
)  # fmt: skip
#: Those with an accuracy, in the order of the table.
NAMES = tuple(name for name, one in EXPERIMENTS.items() if one.kind != "function")
#: Those of functions that are tuned: on other starts, and other noise, than those reported.
FUNCTIONS = ("rosenbrock-2", "rosenbrock", "rosenbrock-20")
#: Rows whose plain method is the row itself, or takes long.
_NO_PAPER = (
    "adult-2layer-published", "adult-10layer-published", "conv-digits", "conv-mnist", "mnist-0-2", "mnist-1-2",
    "mnist-1-7", "mnist-10", "mnist-10-long", "mnist-fewshot-10", "mnist-fewshot-40",
)  # fmt: skip

#: One experiment a preset, cheap ones first: those that trials are run on.
TUNED = (
    "digits-0-2", "adult-2layer", "adult-2layer-wide", "adult-2layer-thresholds", "karate", "mnist-1-2", "mnist-10",
    "pubmed", "cora", "citeseer", "adult-10layer", "conv-digits", "mnist-fewshot-10", "mnist-10-long",
)  # fmt: skip

#: The experiments and the factors of the tuned step size in the plot.
STEPS_ON = ("mnist-1-2", "mnist-10")
FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def compared(name: str) -> tuple[str, ...]:
    """Return the optimisers of an experiment's row: the projected version of QP-SBGD reads the same settings."""
    return tuple(one for one in get_experiment(name).optimizers if one != "projected")


def tuning(name: str) -> list[Job]:
    """Return the trials of every optimiser."""
    experiment = get_experiment(name)
    return [Job("trials", o, config) for o in compared(name) for config in trials(experiment, o)]


def table(name: str) -> list[Job]:
    """Return every optimiser with tuned settings, or with the published ones where there are such."""
    return _runs(name, "best", compared(name), seeds(name))


def paper(name: str) -> list[Job]:
    """Return the method as arXiv 2310.15128 states it."""
    return [] if name in _NO_PAPER else _runs(name, "paper", ("qpsbgd",))


def confirmation(name: str) -> list[Job]:
    """Return the row again, on seeds that nothing was chosen with."""
    return [replace(job, study="confirm") for job in _runs(name, "best", compared(name), UNUSED_SEEDS)]


#: Graphs whose trials draw their nodes, and seeds of further splits, which no trial had.
CITATIONS = tuple(name for name, one in EXPERIMENTS.items() if one.draws_nodes)
SPLIT_SEEDS = range(2000, 2010)


def splits(name: str) -> list[Job]:
    """Return the tuned optimisers on further splits: labelled and validation nodes drawn anew, no test node."""
    return [
        Job("splits", job.label, replace(job.config, tuning=True))
        for job in _runs(name, "best", compared(name), SPLIT_SEEDS)
    ]


def seeds(name: str) -> Sequence[int]:
    """Return the seeds of a row."""
    return range(_COUNTS.get(name, 10 if name in CLOSE else len(SEEDS)))


def _runs(name: str, kind: str, optimizers: tuple[str, ...], among: Sequence[int] = SEEDS) -> list[Job]:
    experiment = get_experiment(name)
    return [
        Job(kind, o, Config(experiment, o, seed, preset(kind, experiment, o))) for seed in among for o in optimizers
    ]


def function_jobs() -> list[Job]:
    """Return the experiments on functions, every optimiser that each is about."""
    found = []
    for name, seeds in (*((one, SEEDS) for one in FUNCTIONS), ("rate", SEEDS[:2]), ("fixed-point", SEEDS[:2])):
        experiment = get_experiment(name)
        for optimizer in experiment.optimizers:
            if optimizer == "projected" and name in FUNCTIONS:
                continue
            settings = preset("best", experiment, optimizer)
            found += [Job("functions", optimizer, Config(experiment, optimizer, seed, settings)) for seed in seeds]
    return found


def steps(name: str) -> list[Job]:
    """Return one row of tuned settings with other step sizes, up and down from the tuned one, for one epoch."""
    experiment = get_experiment(name, epochs=1)
    found = []
    for optimizer in compared(name):
        tuned = preset("best", experiment, optimizer)
        for factor in FACTORS:
            settings = replace(tuned, lr=tuned.lr * factor)
            found += [Job("steps", f"{factor:g}", Config(experiment, optimizer, seed, settings)) for seed in SEEDS[:2]]
    return found


def all_steps() -> list[Job]:
    """Return the runs of the whole plot."""
    return [job for name in STEPS_ON for job in steps(name)]


_ON_GRAPHS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("1 hop", {"hops": 1}, {}), ("2 hops", {"hops": 2}, {}), ("columns centred", {"centred": True}, {}),
    ("sharpness 1", {"sharpness": 1.0}, {}), ("hidden layer of 16", {"hidden": (16,)}, {}),
)  # fmt: skip
#: (heading, experiment, changes of the experiment, changes of the tuned settings): one option at a time.
ABLATIONS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = tuple(
    (heading, name, over, change)
    for name in ("mnist-1-2", "pubmed")
    for heading, over, change in (
        ("as tuned", {}, {}),
        ("metric projection, M = I: sign(−g)", {}, {"projection": "metric"}),
        ("margin projection, κ = 3", {}, {"projection": "margin", "kappa": 3.0}),
        *((f"τ = {tau}", {}, {"tau": tau}) for tau in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, "auto")),
        *((f"momentum {beta}", {}, {"momentum": beta}) for beta in (0.0, 0.5, 0.8, 0.9)),
        *((f"{sweeps} sweeps", {}, {"sweeps": sweeps}) for sweeps in (1, 2, 20)),
        *((f"filter λ = {value:g}", {}, {"filter": value}) for value in (0.0, 30.0)),
        ("step size constant", {}, {"schedule": "constant"}),
        ("step size cosine", {}, {"schedule": "cosine"}),
        ("every 2nd step projects", {}, {"every": 2}),
        *(() if name == "mnist-1-2" else _ON_GRAPHS),
    )
)


def ablations() -> list[Job]:
    """Return the tuned QP-SBGD with one option changed; `mnist-1-2` for one epoch."""
    found = []
    for heading, name, over, change in ABLATIONS:
        tuned = preset("best", get_experiment(name), "qpsbgd")
        experiment = replace(get_experiment(name), **over, **({"epochs": 1} if name == "mnist-1-2" else {}))
        settings = Settings.of("qpsbgd", {**{k: getattr(tuned, k) for k in TAKES["qpsbgd"]}, **change})
        found += [Job("ablation", heading, Config(experiment, "qpsbgd", seed, settings)) for seed in SEEDS[:2]]
    return found


#: The emulated annealer without errors of h and J.
NOISELESS = "dwave-emulated:sigma_h=0,sigma_j=0"
#: Solvers of the projection, from exact to the null model.
SOLVERS = ("cpsat", "auto", "sa", "dwave-emulated", NOISELESS, "qaoa-fast", "sign", "random")
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


#: For the curvature projection: exact, built in, annealed, annealed on the emulated machine, and the null model.
CURVATURE_SOLVERS = ("exhaustive", "auto", "sa", "dwave-emulated", NOISELESS, "random")


def curvature_solvers() -> list[Job]:
    """Return the same experiment with the curvature projection as tuned for QP-SBGD, τ = 4."""
    experiment = get_experiment(SOLVED)
    settings = replace(preset("paper", experiment, "qpsbgd"), projection="curvature", tau=4.0, momentum=0.8)
    return [
        Job("curvature-solvers", solver, Config(experiment, "qpsbgd", seed, settings, solver), audit=5)
        for solver in CURVATURE_SOLVERS
        for seed in SEEDS[:3]
    ]


def everything() -> list[Job]:
    """Return all runs and trials that the page and presets.toml are made of."""
    jobs = [*function_jobs(), *all_steps(), *ablations(), *solvers(), *curvature_solvers()]
    for name in TUNED:
        jobs += tuning(name)
    for name in NAMES:
        jobs += [*table(name), *paper(name)]
    for name in HEADLINES:
        jobs += confirmation(name)
    for name in CITATIONS:
        jobs += splits(name)
    return jobs

"""The experiments, as a table: data, architecture, batches, length, and what the paper reports for each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

#: In the order in which tables name them.
OPTIMIZERS = ("qpsbgd", "projected", "binaryconnect", "signsgd", "proxquant")

#: Rows with a class, nodes of a graph, or a function of latent weights.
KINDS = ("rows", "graph", "function")


@dataclass(frozen=True)
class Experiment:
    """One experiment: everything that all optimisers share.

    Attributes
    ----------
    name, kind, about : str
    data : str
        Of :func:`qproj.lab.datasets.load_tabular`, or a graph's name.
    hidden : tuple of int
        Widths of the hidden layers, σ after each.
    batch : int
        Rows of a batch; 0: all.
    batches : int
        Batches of an epoch; 0: as many as the training rows fill.
    epochs : int
    features : int
        Keep so many columns, those that correlate most with the class in the training rows; 0: all.
    hops : int
        Graphs: neighbours are mixed so often before the first layer.
    mixes : bool
        Graphs: whether later layers mix neighbours too.
    centred : bool
        Graphs: subtract each column's mean over all nodes after mixing (labels play no part).
    sharpness : float
        Scores are sharpness/√d times the last layer's output: a constant, no parameter.
    thresholds : bool
        One learned float a hidden neuron.
    evaluations : int
        How often accuracy is measured in a run.
    schedule : str
        Of the step size, in every trial of :mod:`qproj.lab.training.tuning`.
    tuning_seeds : int
        How many seeds a trial has there.
    extra_trials : str
        The second part of the grid there, by its name.
    tuned_as : str
        The preset's name where several experiments share one.
    paper, target : float or None
        Accuracy that arXiv 2310.15128 reports for QP-SBGD, and the one aimed at.
    optimizers : tuple of str
        Those that the experiment is about, by default.
    """

    name: str
    kind: str
    about: str
    data: str = ""
    hidden: tuple[int, ...] = ()
    batch: int = 0
    batches: int = 0
    epochs: int = 1
    features: int = 0
    hops: int = 1
    mixes: bool = True
    centred: bool = False
    sharpness: float = 1.0
    thresholds: bool = False
    evaluations: int = 10
    schedule: str = "linear"
    tuning_seeds: int = 1
    extra_trials: str = ""
    tuned_as: str = ""
    paper: float | None = None
    target: float | None = None
    optimizers: tuple[str, ...] = OPTIMIZERS

    @property
    def preset(self) -> str:
        """The name under which tuned values are kept."""
        return self.tuned_as or self.name


def _pair(source: str, a: int, b: int) -> Experiment:
    paper = {(0, 2): 0.66, (1, 2): 0.73, (1, 7): 0.75}.get((a, b)) if source == "mnist" else None
    name = f"{source}-{a}-{b}"
    if source == "mnist":
        return Experiment(
            name, "rows", f"MNIST's {a} and {b}, all of them, 784-64-1", name, (64,), batch=256, epochs=3,
            tuned_as="mnist-pair", paper=paper, target=None if paper is None else 0.99,
        )  # fmt: skip
    return Experiment(
        name, "rows", f"scikit-learn's digits {a} and {b}, 64-32-1, offline", name, (32,), batch=32, epochs=10,
        tuning_seeds=3, extra_trials="sign",
        tuned_as="digits-pair",
    )  # fmt: skip


def _graph(name: str, about: str, hidden: int, **more: Any) -> Experiment:
    """All labelled nodes in every step; neighbours are mixed four times first, then not again: rows are nodes."""
    return Experiment(name, "graph", about, name, (hidden,), epochs=30, hops=4, mixes=False, sharpness=0.2, **more)


_TABLE = (
    Experiment("rosenbrock", "function", "Rosenbrock's function of 10 latent weights, noisy slopes, 1000 steps"),
    Experiment(
        "rate", "function", "mean ‖∇f‖ against T = 10²…10⁵ on a quadratic, and the alignment c",
        optimizers=("qpsbgd",),
    ),
    Experiment(
        "fixed-point", "function", "where the projected step comes to rest, from 200 starts on one layer and batch",
        optimizers=("projected",),
    ),
    Experiment(
        "adult-2layer", "rows", "Adult, 3 features, 3-5-1, 30 batches of 20", "a1a", (5,), batch=20, batches=30,
        features=3, tuning_seeds=3, extra_trials="sign",
    ),
    Experiment(
        "adult-2layer-wide", "rows", "Adult, all 123 features, 123-5-1, 30 batches of 20", "a1a", (5,), batch=20,
        batches=30, tuning_seeds=3, extra_trials="sign", target=0.76,
    ),
    Experiment(
        "adult-2layer-thresholds", "rows", "Adult, 3 features and thresholds, 3-5-1, 30 batches of 20", "a1a", (5,),
        batch=20, batches=30, features=3, thresholds=True, tuning_seeds=3, extra_trials="sign", target=0.76,
    ),
    Experiment(
        "adult-10layer", "rows", "Adult, all 123 features, 10 layers of 128, 32 batches of 16", "a1a", (128,) * 9,
        batch=16, batches=32, extra_trials="sign",
    ),
    *(_pair("mnist", a, b) for a, b in ((0, 2), (1, 2), (1, 7))),
    Experiment(
        "mnist-10", "rows", "MNIST, ten classes, 784-256-256-10 (ours)", "mnist", (256, 256), batch=512, epochs=3,
        extra_trials="between", target=0.95,
    ),
    _pair("digits", 0, 2),
    _graph(
        "karate", "karate club, 4 communities, one labelled node each", 32, tuning_seeds=3, extra_trials="sign",
        paper=0.57, target=0.90,
    ),
    _graph(
        "karate-club", "karate club, 2 clubs, one labelled node each", 32, tuning_seeds=3, extra_trials="sign",
        tuned_as="karate",
    ),
    _graph("cora", "Cora, 20 labelled nodes a class", 64, paper=0.57, target=0.78),
    _graph("citeseer", "CiteSeer, 20 labelled nodes a class", 64, tuned_as="cora"),
    _graph("pubmed", "PubMed, 20 labelled nodes a class", 64, paper=0.66, target=0.75),
)  # fmt: skip

#: The experiments by name; further pairs of digits are there too: digits-3-8, mnist-4-9.
EXPERIMENTS: dict[str, Experiment] = {one.name: one for one in _TABLE}


def get_experiment(name: str, *, epochs: int | None = None) -> Experiment:
    """Return an experiment by name, of another length on request.

    Raises
    ------
    ValueError
        An unknown name (the nearest is offered), or epochs below 1.
    """
    match = re.fullmatch(r"(digits|mnist)-([0-9])-([0-9])", name)
    if name in EXPERIMENTS:
        found = EXPERIMENTS[name]
    elif match is not None and match[2] != match[3]:
        found = _pair(match[1], int(match[2]), int(match[3]))
    else:
        near = get_close_matches(name, EXPERIMENTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(EXPERIMENTS)}"
        raise ValueError(f"no experiment is called {name!r}; {hint}")
    if epochs is None:
        return found
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"epochs is {epochs!r}; a whole number from 1 on is needed")
    if found.kind == "function":
        raise ValueError(f"{name} has a fixed number of steps, no epochs: leave --epochs out")
    return replace(found, epochs=epochs)


def check_optimizer(name: str) -> str:
    """Return the name of one of the five optimisers; ValueError, with the nearest, for another."""
    if name not in OPTIMIZERS:
        near = get_close_matches(name, OPTIMIZERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(OPTIMIZERS)}"
        raise ValueError(f"no optimiser is called {name!r}; {hint}")
    return name

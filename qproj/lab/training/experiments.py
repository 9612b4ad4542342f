"""The experiments, as a table: data, architecture, batches, length, and what the paper reports for each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from qproj._options import nearest

#: In the order in which tables name them.
OPTIMIZERS = ("qpsbgd", "projected", "binaryconnect", "signsgd", "proxquant", "adam", "bop")
#: Those that an experiment on a function knows.
ON_FUNCTIONS = ("qpsbgd", "projected", "second-order", "binaryconnect", "signsgd", "proxquant", "adam", "gd")


@dataclass(frozen=True)
class Experiment:
    """One experiment: everything that all optimisers share.

    Attributes
    ----------
    name, about : str
    kind : {"rows", "graph", "function"}
        Rows with a class, nodes of a graph, or a function of latent weights.
    data : str
        Of :func:`qproj.lab.datasets.load_tabular`, or a graph's name.
    hidden : tuple of int
        Widths of the hidden layers, σ after each; of a convolutional network its channels.
    conv : bool
        Two binary 3×3 convolutions, each with pooling, BatchNorm and σ behind it, between a float convolution and a
        float linear layer.
    batch : int
        Rows of a batch; 0: all.
    batches : int
        Batches of an epoch; 0: as many as the training rows fill.
    epochs : int
    features : int
        Keep so many columns, those that correlate most with the class in the training rows; 0: all.
    columns : tuple of int
        Keep these columns, numbered from 1; empty: all.
    shots : int
        Training rows per class, drawn by the seed of the run; 0: all.
    rows : int
        Training rows at most, the first ones; 0: all.
    hops : int
        Graphs: neighbours are mixed so often before the first layer.
    mixes : bool
        Graphs: whether later layers mix neighbours too.
    centred : bool
        Graphs: subtract each column's mean over all nodes after mixing (labels play no part).
    sharpness : float
        Scores are sharpness/√d times the last layer's output: a constant, no parameter.
    thresholds : bool
        One learned float per hidden neuron.
    on_batches : bool
        Record loss and accuracy of every batch after the step on it too, as the article's released notebooks do.
    evaluations : int
        How often accuracy is measured in a run.
    schedule : str
        Of the step size, in every trial of :mod:`qproj.lab.training.tuning`.
    tuning_seeds, tuning_epochs : int
        How many seeds a trial has there, and how many epochs; 0: as many as a run.
    grid : str
        The grid there, by its name; empty: nothing is tuned.
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
    conv: bool = False
    batch: int = 0
    batches: int = 0
    epochs: int = 1
    features: int = 0
    columns: tuple[int, ...] = ()
    shots: int = 0
    rows: int = 0
    hops: int = 1
    mixes: bool = True
    centred: bool = False
    sharpness: float = 1.0
    thresholds: bool = False
    on_batches: bool = False
    evaluations: int = 10
    schedule: str = "linear"
    tuning_seeds: int = 1
    tuning_epochs: int = 0
    grid: str = "rows"
    tuned_as: str = ""
    paper: float | None = None
    target: float | None = None
    optimizers: tuple[str, ...] = OPTIMIZERS

    @property
    def preset(self) -> str:
        """The name under which tuned values are kept."""
        return self.tuned_as or self.name

    @property
    def draws_nodes(self) -> bool:
        """Whether each seed of a trial draws labelled and validation nodes of its own.

        Not on CiteSeer, whose runs take ten times as long: there the public validation nodes stand in.
        """
        return self.data in ("cora", "pubmed")


def _pair(source: str, a: int, b: int) -> Experiment:
    paper = {(0, 2): 0.66, (1, 2): 0.73, (1, 7): 0.75}.get((a, b)) if source == "mnist" else None
    name = f"{source}-{a}-{b}"
    if source == "mnist":
        return Experiment(
            name, "rows", f"MNIST's {a} and {b}, all of them, 784-64-1", name, (64,), batch=256, epochs=3,
            tuned_as="mnist-pair", paper=paper, target=None if paper is None else 0.992,
        )  # fmt: skip
    return Experiment(
        name, "rows", f"scikit-learn's digits {a} and {b}, 64-32-1, offline", name, (32,), batch=32, epochs=10,
        tuning_seeds=3, grid="small", tuned_as="digits-pair",
    )  # fmt: skip


def _graph(name: str, about: str, hidden: int, **more: Any) -> Experiment:
    """All labelled nodes in every step; neighbours are mixed four times first, then not again: rows are nodes."""
    options: dict[str, Any] = {
        "epochs": 30,
        "hops": 4,
        "mixes": False,
        "sharpness": 0.2,
        "tuning_seeds": 10,
        "grid": "graphs",
        **more,
    }
    return Experiment(name, "graph", about, name, (hidden,), **options)


def _adult(name: str, about: str, hidden: tuple[int, ...], **more: Any) -> Experiment:
    options: dict[str, Any] = {"tuning_seeds": 3, "grid": "small", **more}
    return Experiment(name, "rows", f"Adult, {about}", "a1a", hidden, **options)


def _few_shots(shots: int, target: float) -> Experiment:
    return Experiment(
        f"mnist-fewshot-{shots}", "rows", f"MNIST, {shots} images per class, 784-1024-10, 100 steps on all", "mnist",
        (1024,), epochs=100, shots=shots, evaluations=5, grid="few", tuned_as="mnist-fewshot", target=target,
    )  # fmt: skip


#: What conv nets are compared with.
_IN_USE = ("qpsbgd", "signsgd", "adam")
_TABLE = (
    Experiment(
        "rosenbrock", "function", "Rosenbrock's function of 10 latent weights, noisy slopes, 1000 steps",
        optimizers=ON_FUNCTIONS,
    ),
    *(
        Experiment(
            f"rosenbrock-{size}", "function",
            f"Rosenbrock's function of {size} latent weights, noisy slopes, 1000 steps", optimizers=ON_FUNCTIONS,
        )
        for size in (2, 20, 100)
    ),
    Experiment(
        "rate", "function", "mean ‖∇f‖ against T = 10²…10⁵ on a quadratic, and the alignment c",
        optimizers=("qpsbgd",),
    ),
    Experiment(
        "fixed-point", "function", "fixed points of the projected step, from 200 starts on one layer and batch",
        optimizers=("projected",),
    ),
    _adult("adult-2layer", "3 features, 3-5-1, 30 batches of 20", (5,), batch=20, batches=30, features=3),
    _adult(
        "adult-2layer-wide", "all 123 features, 123-5-1, 30 batches of 20", (5,), batch=20, batches=30, target=0.76,
    ),
    _adult(
        "adult-2layer-thresholds", "3 features and thresholds, 3-5-1, 30 batches of 20", (5,), batch=20, batches=30,
        features=3, thresholds=True, target=0.76,
    ),
    _adult(
        "adult-10layer", "all 123 features, 10 layers of 128, 32 batches of 16", (128,) * 9, batch=16, batches=32,
        tuning_seeds=1,
    ),
    _adult(
        "adult-2layer-published", "as in the article's notebooks: columns 6, 22 and 36, 3-5-1, 30 batches of 20", (5,),
        batch=20, batches=30, columns=(6, 22, 36), on_batches=True, evaluations=30, grid="",
        optimizers=("qpsbgd", "binaryconnect", "signsgd"),
    ),
    _adult(
        "adult-10layer-published", "as in the article's notebooks: 10 layers of 128, 2 × 32 batches of 16", (128,) * 9,
        batch=16, batches=32, epochs=2, on_batches=True, grid="",
        optimizers=("qpsbgd", "binaryconnect", "signsgd", "proxquant"),
    ),
    *(_pair("mnist", a, b) for a, b in ((0, 2), (1, 2), (1, 7))),
    Experiment(
        "mnist-10", "rows", "MNIST, ten classes, 784-256-256-10 (ours)", "mnist", (256, 256), batch=512, epochs=3,
        target=0.955,
    ),
    Experiment(
        "mnist-10-long", "rows", "MNIST, ten classes, 784-501-501-10, 30 epochs (arXiv 2110.14583)", "mnist",
        (501, 501), batch=128, epochs=30, tuning_epochs=5, grid="long", target=0.978, optimizers=_IN_USE,
    ),
    _few_shots(10, 0.75),
    _few_shots(40, 0.86),
    Experiment(
        "conv-digits", "rows", "scikit-learn's digits, two binary convolutions of 32 channels, offline", "digits",
        (32, 32), conv=True, batch=64, epochs=15, tuned_as="conv", optimizers=_IN_USE,
    ),
    Experiment(
        "conv-mnist", "rows", "MNIST, two binary convolutions of 16 channels, 12,000 images", "mnist", (16, 16),
        conv=True, batch=128, epochs=3, rows=12000, evaluations=3, tuned_as="conv", optimizers=_IN_USE,
    ),
    _pair("digits", 0, 2),
    _graph(
        "karate", "karate club, 4 communities, one labelled node each", 32, grid="fewest", paper=0.57,
        target=0.90,
    ),
    _graph(
        "karate-club", "karate club, 2 clubs, one labelled node each", 32, grid="fewest",
        tuned_as="karate",
    ),
    _graph("cora", "Cora, 20 labelled nodes per class", 64, paper=0.57, target=0.805),
    _graph("citeseer", "CiteSeer, 20 labelled nodes per class", 64, tuning_seeds=3, target=0.70),
    _graph("pubmed", "PubMed, 20 labelled nodes per class", 64, paper=0.66, target=0.785),
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
        raise ValueError(f"no experiment is called {name!r}; {nearest(name, EXPERIMENTS)}")
    if epochs is None:
        return found
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"epochs is {epochs!r}; an integer ≥ 1 is needed")
    if found.kind == "function":
        raise ValueError(f"{name} has a fixed number of steps, no epochs: leave --epochs out")
    return replace(found, epochs=epochs)


def check_optimizer(name: str) -> str:
    """Return the name of an optimiser; ValueError, with the nearest, for another."""
    known = dict.fromkeys((*OPTIMIZERS, *ON_FUNCTIONS))
    if name not in known:
        raise ValueError(f"no optimiser is called {name!r}; {nearest(name, known)}")
    return name

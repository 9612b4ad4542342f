"""From an experiment to tensors: inputs, classes, and which rows or nodes train, validate and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qproj.lab.datasets import Graph, load_karate, load_planetoid, load_tabular
from qproj.lab.training.experiments import Experiment
from qproj.nn import normalized_adjacency


@dataclass(frozen=True, eq=False)
class Data:
    """What a network is trained on.

    Attributes
    ----------
    x : Tensor
        (rows, d) float32: training, validation and test rows one below the other, or all nodes.
    y : Tensor
        (rows,) int64.
    train, val, test : Tensor
        Row numbers.
    classes : int
    adjacency : Tensor or None
        Â of a graph whose layers mix neighbours, sparse.
    """

    x: Tensor
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    classes: int
    adjacency: Tensor | None = None

    @property
    def scores(self) -> int:
        """Columns of the last layer: one for two classes."""
        return 1 if self.classes == 2 else self.classes


def load(experiment: Experiment, *, tuning: bool = False, seed: int = 0) -> Data:
    """Return the tensors of an experiment.

    Parameters
    ----------
    tuning : bool
        The validation rows stand in for the test rows, which are left out. On Cora and PubMed, `seed` draws as many
        labelled nodes per class and validation nodes as the public split has, among the nodes that are not test nodes.
        The karate club has no labels to spare: there a random graph with groups of the same sizes and the same expected
        degrees, drawn from `seed`, is used instead.
    seed : int
        Of the draw of few training rows, of those nodes, and of that graph.

    Raises
    ------
    DataUnavailableError
        The data are not on this machine and not to be downloaded.
    """
    if experiment.kind == "graph":
        return _graph(experiment, tuning, seed)
    table = load_tabular(experiment.data).signs()
    parts = [table.X_train, table.X_val, *([] if tuning else [table.X_test])]
    labels = [table.y_train, table.y_val, *([] if tuning else [table.y_test])]
    keep = np.array(experiment.columns, np.intp) - 1
    if not len(keep):
        keep = _columns(table.X_train, table.y_train, experiment.features)
    X = np.concatenate(parts)[:, keep].astype(np.float32)
    ends = np.cumsum([len(part) for part in parts])
    train, val = _training_rows(experiment, table.y_train, seed), torch.arange(int(ends[0]), int(ends[1]))
    test = val if tuning else torch.arange(int(ends[1]), int(ends[2]))
    return Data(torch.from_numpy(X), torch.from_numpy(np.concatenate(labels)), train, val, test, table.num_classes)


def _training_rows(experiment: Experiment, y: NDArray[np.int64], seed: int) -> Tensor:
    """Return the first rows, or as many of each class as the experiment has, drawn by the seed."""
    if not experiment.shots:
        return torch.arange(min(len(y), experiment.rows) if experiment.rows else len(y))
    rng = np.random.default_rng([seed, 5])
    drawn = [rng.choice(np.flatnonzero(y == one), experiment.shots, replace=False) for one in np.unique(y)]
    return torch.from_numpy(np.sort(np.concatenate(drawn)))


def _columns(X: NDArray[Any], y: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Return the columns with the largest absolute correlation with the class, in their own order; all for 0."""
    if count == 0:
        return np.arange(X.shape[1])
    centred = X - X.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    correlation = np.abs(centred.T @ (y - y.mean())) / np.where(spread > 0, spread, np.inf)
    return np.sort(np.argsort(-correlation, kind="stable")[:count])


def _graph(experiment: Experiment, tuning: bool, seed: int) -> Data:
    name = experiment.data
    if name.startswith("karate"):
        graph = _planted(name, seed) if tuning else load_karate("club" if name == "karate-club" else "communities")
    else:
        graph = load_planetoid(name)
    adjacency = normalized_adjacency(torch.from_numpy(graph.edges.astype(np.int64)), graph.num_nodes)
    x = torch.from_numpy(np.asarray(graph.features.todense(), np.float32))
    x = x / x.sum(dim=1, keepdim=True).clamp(min=1e-12)
    for _ in range(experiment.hops):
        x = adjacency @ x
    if experiment.centred:
        x = x - x.mean(dim=0)
    x = x / x.square().mean().sqrt()  # one constant for all: signs of scores do not change
    rows = {part: torch.from_numpy(np.flatnonzero(getattr(graph, f"{part}_mask"))) for part in ("train", "val", "test")}
    if tuning and experiment.draws_nodes:
        rows["train"], rows["val"] = _drawn_nodes(graph, seed)
    if tuning and not name.startswith("karate"):
        rows["test"] = rows["val"]
    return Data(
        x, torch.from_numpy(graph.y.copy()), rows["train"], rows["val"], rows["test"], graph.num_classes,
        adjacency if experiment.mixes else None,
    )  # fmt: skip


def _drawn_nodes(graph: Graph, seed: int) -> tuple[Tensor, Tensor]:
    """Return labelled nodes, as many of each class as the public split has, and validation nodes; none is a test node.

    One split of few nodes ranks settings otherwise than the next (Shchur et al. 2018, arXiv 1811.05868).
    """
    rng = np.random.default_rng([seed, 55])
    free = ~graph.test_mask
    free[graph.unlabelled] = False
    nodes = rng.permutation(np.flatnonzero(free))
    counts = np.bincount(graph.y[graph.train_mask], minlength=graph.num_classes)
    train = np.concatenate([nodes[graph.y[nodes] == one][:count] for one, count in enumerate(counts)])
    val = nodes[~np.isin(nodes, train)][: int(graph.val_mask.sum())]
    return torch.from_numpy(np.sort(train)), torch.from_numpy(np.sort(val))


#: Sizes of the club's groups, and chances of an edge within and between that give about 78 edges.
_PLANTED = {"karate": ((13, 12, 5, 4), 0.40, 0.05), "karate-club": ((17, 17), 0.25, 0.035)}


def _planted(name: str, seed: int) -> Graph:
    """Return a random graph with planted groups of the club's sizes, the first node of each labelled.

    Nodes have the club's degrees in expectation, in random order: two of them have 17 and 16 of its 78 edges.
    """
    import scipy.sparse as sp

    sizes, within, between = _PLANTED[name]
    rng = np.random.default_rng([seed, 34])
    y = np.repeat(np.arange(len(sizes)), sizes)
    degrees = rng.permutation(np.bincount(load_karate().edges.ravel(), minlength=len(y)))
    u, v = np.triu_indices(len(y), 1)
    share = degrees[u] * degrees[v] / degrees.mean() ** 2
    drawn = rng.random(len(u)) < share * np.where(y[u] == y[v], within, between)
    train = np.zeros(len(y), bool)
    train[np.cumsum((0, *sizes[:-1]))] = True
    return Graph(
        name="planted", features=sp.identity(len(y), np.float32, format="csr"),
        edges=np.stack([u[drawn], v[drawn]], axis=1).astype(np.int32), y=y.astype(np.int64), train_mask=train,
        val_mask=np.zeros(len(y), bool), test_mask=~train, unlabelled=np.empty(0, np.int32), num_classes=len(sizes),
    )  # fmt: skip

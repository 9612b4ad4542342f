"""Put Planetoid's eight files (``ind.NAME.x``, ``.tx``, ``.allx``, ``.graph``, …) back together as one graph.

Nodes 0…len(allx)−1 come in order; test rows are shuffled and stand where ``test.index`` says. Citeseer's 15 nodes that
are in the graph but in no file of rows get zero features and no label.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from qproj.lab.datasets.pickles import read_pickle

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")
#: Four times the largest of the published files, some 7 MB: a byte of a pickle may become a list of 56.
_MOST_BYTES = 32 << 20
_VALIDATION = 500
_MOST_ENDS = 1 << 22


def read_planetoid(files: Mapping[str, Path]) -> dict[str, NDArray[Any]]:
    """Return the graph of Planetoid's eight files, given by their part, the end of their names (:data:`PARTS`).

    Nothing is unpickled (see :mod:`qproj.lab.datasets.pickles`).

    Returns
    -------
    dict
        x_data float32, x_indices int32, x_indptr int32, x_shape int64 (CSR features); edges int32 (m, 2), u < v,
        sorted; y int16; train_mask, val_mask, test_mask bool; unlabelled int32.

    Raises
    ------
    FileNotFoundError
        A part is missing.
    ValueError
        A part is damaged, or the parts do not fit together.
    """
    missing = [part for part in PARTS if part not in files]
    if missing:
        raise FileNotFoundError(
            f"parts {', '.join(missing)} are missing; Planetoid's files are ind.NAME.PART, 8 in all"
        )
    parts: dict[str, Any] = {}
    for part in PARTS:
        content = _bytes(files[part])
        try:
            parts[part] = _numbers(content) if part == "test.index" else read_pickle(content)
        except ValueError as error:
            raise ValueError(f"{files[part]}: {error}") from None
    try:
        return _assemble(parts)
    except (ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{files['graph'].parent}: Planetoid's files do not fit together ({error})") from None


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; put Planetoid's file there")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} has more than {_MOST_BYTES} bytes; no Planetoid file does")
    return path.read_bytes()


def _numbers(content: bytes) -> NDArray[np.int64]:
    words = content.split()
    if not words or not all(word.isdigit() and len(word) < 10 for word in words):
        raise ValueError("test.index is not a list of node numbers; fetch it again")
    return np.array([int(word) for word in words], np.int64)


def _assemble(parts: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    graph, order = parts["graph"], parts["test.index"]
    if not isinstance(graph, dict) or not all(type(node) is int for node in graph):
        raise ValueError("graph is not a dictionary of neighbours")
    if not all(sp.issparse(parts[name]) for name in ("allx", "tx")):
        raise ValueError("features are not sparse matrices")
    nodes, known = len(graph), parts["allx"].shape[0]
    ranked = np.sort(order)
    if len(np.unique(order)) != len(order) or ranked[0] < known or ranked[-1] >= nodes:
        raise ValueError(f"test.index runs from {ranked[0]} to {ranked[-1]}, allx has {known} of {nodes} nodes")
    if len(order) != parts["tx"].shape[0] or len(parts["y"]) + _VALIDATION > known:
        raise ValueError(
            f"{len(order)} test nodes, {parts['tx'].shape[0]} test rows, {len(parts['y'])} training labels"
        )
    # row r of the stacked matrices belongs to node place[r]
    place = np.concatenate([np.arange(known), order])
    stacked = sp.vstack([parts["allx"], parts["tx"]]).tocoo()
    X = sp.csr_matrix((stacked.data, (place[stacked.row], stacked.col)), shape=(nodes, stacked.shape[1]))
    X.sort_indices()
    y = np.zeros(nodes, np.int16)
    y[place] = np.concatenate([_classes(parts["ally"], known), _classes(parts["ty"], len(order))])
    masks = {name: np.zeros(nodes, bool) for name in ("train_mask", "val_mask", "test_mask")}
    trained = len(parts["y"])
    masks["train_mask"][:trained] = True
    masks["val_mask"][trained : trained + _VALIDATION] = True
    masks["test_mask"][order] = True
    return {
        "x_data": X.data.astype(np.float32), "x_indices": X.indices.astype(np.int32),
        "x_indptr": X.indptr.astype(np.int32), "x_shape": np.array(X.shape, np.int64),
        "edges": _edges(graph, nodes), "y": y, **masks,
        "unlabelled": np.setdiff1d(np.arange(nodes), place).astype(np.int32),
    }  # fmt: skip


def _classes(onehot: NDArray[Any], rows: int) -> NDArray[np.int16]:
    if onehot.ndim != 2 or len(onehot) != rows or onehot.shape[1] > 1000:
        raise ValueError(f"labels of {rows} nodes have shape {onehot.shape}")
    classes: NDArray[np.int16] = onehot.argmax(axis=1).astype(np.int16)
    return classes


def _edges(graph: dict[Any, Any], nodes: int) -> NDArray[np.int32]:
    if not all(isinstance(neighbours, list) for neighbours in graph.values()):
        raise ValueError("graph holds something other than lists of neighbours")
    # a list that the pickle names many times counts many times here; published files hold some hundred thousand ends
    ends = sum(len(neighbours) for neighbours in graph.values())
    if ends > _MOST_ENDS:
        raise ValueError(f"{ends} edge ends; at most {_MOST_ENDS} are read")
    if not all(type(v) is int for neighbours in graph.values() for v in neighbours):
        raise ValueError("graph lists something other than node numbers")
    tails = np.repeat(np.array(list(graph), np.int64), [len(neighbours) for neighbours in graph.values()])
    heads = np.array([v for neighbours in graph.values() for v in neighbours], np.int64)
    pairs = np.sort(np.column_stack([tails, heads]), axis=1)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= nodes):
        raise ValueError(f"an edge leads to node {pairs.max()} of {nodes}")
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0).astype(np.int32)

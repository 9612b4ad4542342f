"""QUBO and Ising problems as other tools hold them, as BQMs: Q dicts, (h, J), matrices and weighted graphs.

Nothing here imports networkx or a sparse library that the caller has not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dimod
import numpy as np


def bqm_of(data: Any) -> dimod.BinaryQuadraticModel | None:
    """Return the BQM of plain data, or None for any other object.

    Parameters
    ----------
    data : object
        A mapping {(u, v): q}: min Σ q x_u x_v over x ∈ {0,1}^n, BINARY. A pair (h, J) with a mapping J {(u, v): j}: min
        Σ h_u s_u + Σ j s_u s_v over s ∈ {±1}^n, SPIN. A square matrix, numpy or scipy sparse: min xᵀQx, BINARY, every
        entry counted. An undirected graph of networkx: its Max-Cut by the edges' ``weight`` (1 where there is none),
        min −Σ w (1 − s_u s_v)/2, SPIN.

    Raises
    ------
    ValueError
        A matrix that is not square, keys other than pairs, a directed graph or one with loops.
    """
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], Mapping):
        return _of_ising(*data)
    if isinstance(data, Mapping):
        return _of_qubo(data)
    if isinstance(data, np.ndarray):
        return _of_matrix(data.shape, np.nonzero(data), data)
    if all(hasattr(data, name) for name in ("tocoo", "shape", "nnz")):
        entries = data.tocoo()
        entries.sum_duplicates()
        return _of_matrix(entries.shape, (entries.row, entries.col), entries.data)
    if all(hasattr(data, name) for name in ("is_directed", "nodes", "edges", "is_multigraph")):
        return _of_graph(data)
    return None


def _of_qubo(Q: Mapping[Any, Any]) -> dimod.BinaryQuadraticModel:
    bqm: dimod.BinaryQuadraticModel = dimod.BinaryQuadraticModel.from_qubo(
        {_pair(key): float(value) for key, value in Q.items()}
    )
    return bqm


def _of_ising(h: Any, J: Mapping[Any, Any]) -> dimod.BinaryQuadraticModel:
    fields = dict(h) if isinstance(h, Mapping) else dict(enumerate(h))
    couplings = {_pair(key): float(value) for key, value in J.items()}
    loops = [u for u, v in couplings if u == v]
    if loops:
        raise ValueError(f"J has ({loops[0]!r}, {loops[0]!r}); s·s is 1: put fields into h, constants nowhere")
    bqm: dimod.BinaryQuadraticModel = dimod.BinaryQuadraticModel.from_ising(
        {u: float(x) for u, x in fields.items()}, couplings
    )
    return bqm


def _of_matrix(shape: tuple[int, ...], where: Any, values: Any) -> dimod.BinaryQuadraticModel:
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise ValueError(
            f"the matrix has shape {shape}; a square Q is needed: min x'Qx, or a layer goes to qproj.project"
        )
    rows, columns = (np.asarray(index, np.intp) for index in where)
    entries = np.asarray(values[rows, columns] if np.ndim(values) == 2 else values)
    if entries.dtype.kind not in "biuf":
        raise ValueError(f"the matrix is {entries.dtype}; real numbers are needed")
    diagonal = rows == columns
    linear = np.zeros(shape[0])
    np.add.at(linear, rows[diagonal], entries[diagonal].astype(np.float64))
    off = (rows[~diagonal], columns[~diagonal], entries[~diagonal].astype(np.float64))
    bqm: dimod.BinaryQuadraticModel = dimod.BinaryQuadraticModel.from_numpy_vectors(linear, off, 0.0, dimod.BINARY)
    return bqm


def _of_graph(graph: Any) -> dimod.BinaryQuadraticModel:
    if graph.is_directed() or graph.is_multigraph():
        raise ValueError("the graph is directed or has parallel edges; Max-Cut needs a simple undirected graph")
    bqm = dimod.BinaryQuadraticModel(dimod.SPIN)
    bqm.add_linear_from((u, 0.0) for u in graph.nodes)
    for u, v, attributes in graph.edges(data=True):
        if u == v:
            raise ValueError(f"the graph has a loop at {u!r}; no cut contains it: remove it")
        weight = float(attributes.get("weight", 1.0))
        bqm.add_quadratic(u, v, weight / 2.0)
        bqm.offset -= weight / 2.0
    return bqm


def _pair(key: Any) -> tuple[Any, Any]:
    if not isinstance(key, tuple) or len(key) != 2:
        raise ValueError(
            f"the key {key!r} is not a pair of variables; {{(u, v): value}} is needed, (u, u) for linear terms"
        )
    return key

"""Graph convolution with ±1 weights, and the normalised adjacency that it mixes neighbours with."""

from __future__ import annotations

import torch
from torch import Tensor

from qproj.nn.torch_layers import BinaryLinear


def normalized_adjacency(edges: Tensor, num_nodes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return Â = D^(−1/2) (A + I) D^(−1/2), sparse COO (num_nodes, num_nodes), of an undirected graph.

    Parameters
    ----------
    edges : (m, 2) integer Tensor
        Each undirected edge once or in both directions; self loops are added.
    num_nodes : int
    dtype : torch.dtype

    Raises
    ------
    ValueError
        Edges of another shape, or outside 0 … num_nodes − 1.

    Examples
    --------
    >>> import torch
    >>> normalized_adjacency(torch.tensor([[0, 1]]), 2).to_dense()
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    edges = torch.as_tensor(edges)
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise ValueError(f"edges has shape {tuple(edges.shape)}; (m, 2) is needed: transpose an edge_index")
    if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= num_nodes):
        raise ValueError(
            f"edges reach {int(edges.min())}…{int(edges.max())}; nodes are 0…{num_nodes - 1}: raise num_nodes"
        )
    loops = torch.arange(num_nodes).repeat(2, 1).T
    both = torch.cat([edges.long(), edges.long().flip(1), loops])
    index = torch.unique(both, dim=0).T
    degree = torch.bincount(index[0], minlength=num_nodes).to(torch.float64)
    value = (degree[index[0]] * degree[index[1]]).rsqrt().to(dtype)
    return torch.sparse_coo_tensor(index, value, (num_nodes, num_nodes), check_invariants=True).coalesce()


class BinaryGCNConv(BinaryLinear):
    """Z = Â x σ(W)ᵀ, W latent (out_features, in_features); called as ``layer(x, adjacency)``.

    For the projection, X = Â x: one row per node, real-valued.

    Parameters
    ----------
    in_features, out_features, bias, scale, forward_weights, init, device, dtype
        As for :class:`~qproj.nn.BinaryLinear`.
    """

    def prepare(self, x: Tensor, adjacency: Tensor | None = None) -> Tensor:
        """Return Â x, dense; x itself where no adjacency is given (features that were propagated before)."""
        if adjacency is None:
            return x
        if adjacency.shape[0] != adjacency.shape[1] or adjacency.shape[1] != len(x):
            raise ValueError(
                f"adjacency has shape {tuple(adjacency.shape)} and x {len(x)} rows; "
                "one row and one column per node are needed"
            )
        mixed: Tensor = adjacency @ x
        return mixed.to_dense() if mixed.layout != torch.strided else mixed

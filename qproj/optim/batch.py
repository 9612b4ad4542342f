"""From what a layer captured to the X and T of its projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from qproj._arrays import FloatArray, SignArray
from qproj.nn.binary_layer import BinaryLayer
from qproj.nn.targets import Rows


@dataclass(frozen=True, eq=False)
class Batch:
    """X and T of one layer over all captured passes.

    Attributes
    ----------
    X : (n, d)
        int8 where all entries are ±1, else float64.
    T : (n, dout) float64
        T = −∂L/∂Y.
    exact, implicit : bool
        As in :class:`~qproj.optim.LayerReport`.
    """

    X: NDArray[Any]
    T: FloatArray
    exact: bool
    implicit: bool


def gather(name: str, layer: BinaryLayer, captured: list[Rows]) -> Batch:
    """Return the rows of all passes, one below the other.

    Raises
    ------
    ValueError
        Nothing was captured, or what was captured cannot be projected; the message says what to change.
    """
    if not captured:
        raise ValueError(
            f"layer {name!r} has a gradient but no captured rows: run forward and backward in training mode "
            "(model.train()) once before each projection"
        )
    for rows in captured:
        if rows.refusal:
            raise ValueError(f"layer {name!r} cannot be projected: {rows.refusal}")
    if len({rows.implicit for rows in captured}) > 1:
        raise ValueError(
            f"layer {name!r} was used both with and without a SignActivation after it, so its targets "
            "do not belong together: project after each pass"
        )
    exact = all(rows.exact for rows in captured)
    X = np.concatenate([_numpy(layer.rows(rows.x)) for rows in captured])
    T = np.concatenate([_numpy(layer.target_rows(rows.target)) for rows in captured]).astype(np.float64)
    if not np.isfinite(T).all():
        raise ValueError(f"layer {name!r} has targets that are not finite: the loss diverged; lower the step size")
    return Batch(_small(X), T, exact, captured[0].implicit)


def _numpy(value: Tensor) -> NDArray[Any]:
    value = value.detach()
    if value.element_size() < 4 and value.is_floating_point():
        value = value.float()  # numpy has no bfloat16
    array: NDArray[Any] = value.cpu().numpy()
    return array


def _small(X: NDArray[Any]) -> NDArray[Any]:
    if not bool((np.abs(X) == 1).all()):
        return X.astype(np.float64)
    signs: SignArray = X.astype(np.int8)
    return signs

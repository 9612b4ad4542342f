"""The curvature projection: argmin over v ∈ {±1}^d of −h·v + ½ρ vᵀAv, the best ±1 step of a quadratic model of a loss.

Neurons of a layer share A and differ in h and ρ only: one quadratic part serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, as_numpy, as_vector, require_finite, require_square
from qproj.encodings import Encoding, SampledModel, spin_quadratic
from qproj.projections.base import Projection
from qproj.projections.content import Immutable
from qproj.projections.layer import BLOCK, Layer, LayerScore

_EPS = float(np.finfo(np.float64).eps)
#: Halvings of the interval that holds the best multiplier of the spectral bound.
_HALVINGS = 60


def _curvature(projection: CurvatureProjection) -> Encoding:
    """Return the d-variable model of −h·v + ½ρ vᵀAv, which is exact."""
    J = projection.rho * projection.curvature.pairs
    return spin_quadratic("curvature", J, -projection.h, projection.constant, projection.gain)


class CurvatureProjection(Projection):
    """argmin over v ∈ {±1}^d of objective(v) = −h·v + ½ρ vᵀAv.

    gain(v) = ½(h·v − ρ Σ_{k<l} A_kl v_k v_l), so that objective = constant − 2·gain with constant = ½ρ tr A. With h the
    negative gradient of a loss in the weights of one neuron and A the second moment XᵀX/n of its inputs, this is the
    best ±1 step of a quadratic model of the loss; ρ = 0 gives sign(h).

    Parameters
    ----------
    A : (d, d) array_like
        Any real square matrix; its symmetric part counts.
    h : (d,) array_like
    rho : float
        ρ ≥ 0.

    Raises
    ------
    TypeError, ValueError
        Not real numbers, not finite, A not square, h of another length, ρ negative, or sums that overflow float64.

    Examples
    --------
    >>> p = CurvatureProjection([[1.0, 0.9], [0.9, 1.0]], [1.0, 0.1], 4.0)
    >>> p.objective([[1, 1], [1, -1]])
    array([ 6.5, -0.5])
    """

    encodings: ClassVar = {"curvature": _curvature}
    curvature: Curvature
    h: FloatArray
    rho: float

    def __init__(self, A: ArrayLike, h: ArrayLike, rho: float) -> None:
        curvature = Curvature(A)
        vector = as_vector(h, "h", len(curvature.matrix))
        self._set(curvature=curvature, h=vector, rho=float(_checked_rho(rho, 1)[0]))
        curvature.require_range(vector[None, :], np.array([self.rho]))

    @classmethod
    def of_curvature(cls, curvature: Curvature, h: FloatArray, rho: float) -> CurvatureProjection:
        """Return the projection of one neuron on a matrix that other neurons share; nothing is checked."""
        self = cls.__new__(cls)
        self._set(curvature=curvature, h=h, rho=rho)
        return self

    @property
    def A(self) -> NDArray[Any]:
        """(d, d) the matrix, as given."""
        return self.curvature.A

    @property
    def num_weights(self) -> int:
        return len(self.h)

    def _gains(self, V: SignArray) -> FloatArray:
        gains = np.empty(len(V))
        for i, v in enumerate(V):  # one fixed order of summation per vector
            pairs = ((self.curvature.pairs * v).sum(axis=1) * v).sum()
            gains[i] = 0.5 * ((self.h * v).sum() - self.rho * pairs)
        return gains

    @cached_property
    def constant(self) -> float:
        """½ρ tr A."""
        return 0.5 * self.rho * self.curvature.trace

    @cached_property
    def trivial_gain_bound(self) -> float:
        """½(‖h‖₁ + ρ Σ_{k<l} |A_kl|)."""
        return float(self.curvature.trivial_bounds(self.h[None, :], np.array([self.rho]))[0])

    @cached_property
    def gain_bound(self) -> float:
        """The smaller of the trivial and the spectral bound; see :meth:`Curvature.spectral_bounds`."""
        spectral = self.curvature.spectral_bounds(self.h[None, :], np.array([self.rho]))
        return min(self.trivial_gain_bound, float(spectral[0]))

    def gap_scale(self, objective: float) -> float:
        """Return 4 times the trivial bound, more than the range of the objective (1 where that is 0)."""
        return 4.0 * self.trivial_gain_bound or 1.0

    def meets_bound(self, v: ArrayLike) -> bool:
        """Return whether every term of the gain has its best sign."""
        signs = np.asarray(v)
        pairs = self.rho * self.curvature.pairs * np.outer(signs, signs)
        return bool((self.h * signs >= 0).all() and (pairs <= 0).all())

    def known_optimum(self) -> tuple[SignArray, str] | None:
        """Return sign(h) where no two weights interact, and None elsewhere."""
        if self.rho and self.curvature.pairs.any():
            return None
        return np.where(self.h >= 0, 1, -1).astype(np.int8), "no two weights interact: sign(h) is optimal"

    def linear_direction(self) -> FloatArray:
        """Return h."""
        return self.h

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self.rho, [self.A.astype(np.float64), self.h]

    def __repr__(self) -> str:
        return f"CurvatureProjection(d={self.num_weights}, rho={self.rho:g})"


class CurvatureLayerProjection(Layer):
    """argmin over V ∈ {±1}^(dout×d) of Σ_j (−h_j·v_j + ½ρ_j v_jᵀ A v_j): dout neurons that share A.

    Immutable; equal and hashed by content.

    Parameters
    ----------
    A : (d, d) array_like
        Shared by all neurons; its symmetric part counts.
    H : (dout, d) array_like
        Row j is h of neuron j.
    rho : (dout,) array_like or float
        ρ_j ≥ 0.

    Raises
    ------
    TypeError, ValueError
        As for :class:`CurvatureProjection`.
    """

    curvature: Curvature
    H: FloatArray
    rho: FloatArray

    def __init__(self, A: ArrayLike, H: ArrayLike, rho: ArrayLike) -> None:
        curvature = Curvature(A)
        rows = np.array(as_matrix(H, "H"), np.float64)
        if rows.shape[1] != len(curvature.matrix):
            raise ValueError(f"H has shape {rows.shape}; one column per row of A is needed, {len(curvature.matrix)}")
        require_square(rows.ravel())
        self._set(curvature=curvature, H=rows, rho=_checked_rho(rho, len(rows)))
        curvature.require_range(self.H, self.rho)

    @classmethod
    def of_neuron(cls, neuron: CurvatureProjection) -> CurvatureLayerProjection:
        """Return the layer that consists of one neuron."""
        layer = cls.__new__(cls)
        layer._set(curvature=neuron.curvature, H=neuron.h[None, :], rho=np.array([neuron.rho]))
        return layer

    @property
    def A(self) -> NDArray[Any]:
        """(d, d) the shared matrix, as given."""
        return self.curvature.A

    @property
    def num_weights(self) -> int:
        """The fan-in d."""
        return int(self.H.shape[1])

    @property
    def idle(self) -> NDArray[np.bool_]:
        idle: NDArray[np.bool_] = ~self.H.any(axis=1) & (self.rho == 0)
        return idle

    @property
    def guess(self) -> NDArray[np.int8]:
        """sign(h), sign(0) = +1."""
        return np.where(self.H >= 0, np.int8(1), np.int8(-1))

    @property
    def block(self) -> int:
        return BLOCK // self.num_weights

    def __len__(self) -> int:
        return len(self.H)

    def neuron(self, index: int) -> CurvatureProjection:
        return CurvatureProjection.of_curvature(self.curvature, self.H[index].copy(), float(self.rho[index]))

    def part(self, start: int, stop: int) -> CurvatureLayerProjection:
        part = CurvatureLayerProjection.__new__(CurvatureLayerProjection)
        part._set(curvature=self.curvature, H=self.H[start:stop], rho=self.rho[start:stop])
        return part

    @cached_property
    def gain_bound(self) -> FloatArray:
        """(dout,) the smaller of the trivial and the spectral bound of each neuron."""
        trivial = self.curvature.trivial_bounds(self.H, self.rho)
        bound: FloatArray = np.minimum(trivial, self.curvature.spectral_bounds(self.H, self.rho))
        return bound

    def score(self, weights: SignArray) -> LayerScore:
        V = weights.astype(np.float64)
        pairs = ((V @ self.curvature.pairs) * V).sum(axis=1)
        gain = 0.5 * ((self.H * V).sum(axis=1) - self.rho * pairs)
        scale = 4.0 * self.curvature.trivial_bounds(self.H, self.rho)
        met = np.array([self.neuron(j).meets_bound(v) for j, v in enumerate(weights)], np.bool_)
        return LayerScore(
            gain=gain,
            gain_bound=np.maximum(self.gain_bound, gain),
            constant=0.5 * self.rho * self.curvature.trace,
            met=met,
            gap_scale=np.where(scale > 0, scale, 1.0),
            terms=self.num_weights**2,
        )

    def encode(self, name: str = "curvature", **options: Any) -> Sequence[Encoding]:
        """Return one encoding per neuron, all over the same variables."""
        CurvatureProjection.check_encoding(name, options)
        return [self.neuron(j).encode(name, **options) for j in range(len(self))]

    def sampled_models(self, encoding: str, options: Mapping[str, Any]) -> Iterator[SampledModel]:
        """Yield one scaled Ising model per neuron; all are copies of one quadratic part with other linear biases."""
        fields = -self.H / np.where(self.rho > 0, self.rho, 1.0)[:, None]
        scale = float(max(np.abs(self.curvature.pairs).max(initial=0.0), np.abs(fields).max(initial=0.0))) or 1.0
        shared = self.curvature.ising(scale)
        bare = dimod.BinaryQuadraticModel(dict.fromkeys(range(self.num_weights), 0.0), {}, 0.0, dimod.SPIN)
        labels = [("w", k) for k in range(self.num_weights)]
        for field, rho in zip(fields, self.rho.tolist(), strict=True):
            bqm = (shared if rho > 0 else bare).copy()
            bqm.add_linear_from_array(field / scale)
            size = scale * (rho if rho > 0 else 1.0)
            yield SampledModel(bqm, size, 0.5 * rho * self.curvature.trace, labels, structure="clique")

    @property
    def shares_quadratic(self) -> bool:
        return True

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return "", [self.A.astype(np.float64), self.H, self.rho]

    def __repr__(self) -> str:
        return f"CurvatureLayerProjection(d={self.num_weights}, dout={len(self)})"


class Curvature(Immutable):
    """A symmetric matrix that the neurons of a layer share, with the quantities that are computed once.

    Attributes
    ----------
    A : (d, d)
        As given, read-only.
    matrix : (d, d) float64
        Its symmetric part.
    pairs : (d, d) float64
        The symmetric part above the diagonal, 0 elsewhere.
    """

    A: NDArray[Any]
    matrix: FloatArray
    pairs: FloatArray

    def __init__(self, A: ArrayLike) -> None:
        given = np.array(as_matrix(A, "A"))
        if given.shape[0] != given.shape[1]:
            raise ValueError(f"A has shape {given.shape}; a square matrix is needed, as wide as h is long")
        with np.errstate(over="ignore"):
            symmetric = (given.astype(np.float64) + given.T.astype(np.float64)) / 2.0
        self._set(A=given, matrix=symmetric, pairs=np.triu(symmetric, 1))

    @cached_property
    def trace(self) -> float:
        return float(np.trace(self.matrix))

    @cached_property
    def pair_sum(self) -> float:
        """Σ_{k<l} |A_kl|."""
        return float(np.abs(self.pairs).sum())

    @cached_property
    def spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues, ascending, and eigenvectors as columns."""
        values, vectors = np.linalg.eigh(self.matrix)
        return values, vectors

    def ising(self, scale: float) -> dimod.BinaryQuadraticModel:
        """Return Σ_{k<l} A_kl/scale v_k v_l over the spins 0…d−1, without linear biases; built once per scale."""
        known = self.__dict__.setdefault("_ising", {})
        if scale not in known:
            known.clear()
            known[scale] = dimod.BinaryQuadraticModel(self.pairs / scale, dimod.SPIN)
        model: dimod.BinaryQuadraticModel = known[scale]
        return model

    def trivial_bounds(self, H: FloatArray, rho: FloatArray) -> FloatArray:
        """Return ½(‖h_j‖₁ + ρ_j Σ_{k<l} |A_kl|), (dout,): every term of the gain at its best sign."""
        bounds: FloatArray = 0.5 * (np.abs(H).sum(axis=1) + rho * self.pair_sum)
        return bounds

    def spectral_bounds(self, H: FloatArray, rho: FloatArray) -> FloatArray:
        """Return upper bounds on the gains, (dout,), from the spectrum of A; inf where ρ_j = 0.

        On ±1 vectors vᵀAv = vᵀ(A − μI)v + μd, and for μ below all eigenvalues the objective is at least
        −Σ_i (q_i·h)²/(2ρ(λ_i − μ)) + ½ρμd, its minimum over R^d (the trust-region dual). The best μ solves
        Σ_i (q_i·h)²/(λ_i − μ)² = ρ²d, and is found by bisection: any μ gives a valid bound.
        """
        values, vectors = self.spectrum
        d = len(values)
        power = (H @ vectors) ** 2
        size = float(np.abs(values).max(initial=0.0))
        safe = np.where(rho > 0, rho, 1.0)
        # s = λ_min − μ; the left side falls in s, and is at most ρ²d at s = ‖h‖/(ρ√d)
        low = np.full(len(H), 1e-12 * size + 1e-150)  # whose square is not 0
        high = np.maximum(np.sqrt(power.sum(axis=1) / d) / safe, 2.0 * low)
        gaps = values - values[0]
        for _ in range(_HALVINGS):
            middle = np.sqrt(low * high)
            left = (power / (gaps + middle[:, None]) ** 2).sum(axis=1) > safe**2 * d
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        slack = high + 8.0 * d * _EPS * size  # eigenvalues are computed with an error of that order
        mu = values[0] - slack
        convex = (power / (gaps + high[:, None])).sum(axis=1) / (2.0 * safe)
        lowest = -convex + 0.5 * rho * mu * d
        constant = 0.5 * rho * self.trace
        rounding = 64.0 * d * _EPS * (convex + rho * d * size + np.abs(constant))
        bounds: FloatArray = np.where(rho > 0, 0.5 * (constant - lowest) + rounding, np.inf)
        return bounds

    def require_range(self, H: FloatArray, rho: FloatArray) -> None:
        """Refuse numbers whose objective overflows float64."""
        with np.errstate(all="ignore"):
            reach = np.abs(H).sum(axis=1) + rho * np.abs(self.matrix).sum()
        if not np.isfinite(reach).all() or not np.isfinite(self.matrix).all():
            raise ValueError("−h·v + ½ρ vᵀAv overflows float64; scale A, h or rho down")


def _checked_rho(rho: ArrayLike, count: int) -> FloatArray:
    values = np.array(as_numpy(rho, "rho"), np.float64)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != count):
        raise ValueError(f"rho has shape {values.shape}; a number, or shape ({count},), is needed")
    require_finite(values, "rho")
    if (values < 0).any():
        raise ValueError(f"rho is {values.min():g} at least once; ρ ≥ 0 is needed: 0 gives sign(h)")
    return np.broadcast_to(values, (count,)).copy()

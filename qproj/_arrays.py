"""Turn what users pass (numpy, lists, torch tensors) into checked, read-only numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
SignArray = NDArray[np.int8]

#: Numbers that are hashed at a time.
_BLOCK = 1 << 16


def as_numpy(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return `value` as a numpy array of a real dtype, on the host, detached from any autograd graph.

    Torch is never imported here: a tensor, alone or in a list, is recognised by the modules of its type.

    Raises
    ------
    TypeError
        Strings, booleans, complex numbers, objects, sparse or masked matrices, or ragged lists.
    """
    if type(value) is np.ndarray:
        pass
    elif _is_tensor(value):
        value = _from_torch(value, name)
    elif isinstance(value, list | tuple) and any(map(_is_tensor, value)):
        value = [_from_torch(item, name) if _is_tensor(item) else item for item in value]
    elif hasattr(value, "toarray"):
        raise TypeError(f"{name} is a sparse matrix ({type(value).__name__}); pass {name}.toarray()")
    elif isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost; pass {name}.filled(…)")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is not a rectangular array of numbers ({error}); pass rows of equal length") from None
    if array.dtype.kind not in "iuf":
        remedy = "use 2*x - 1 for 0/1 data" if array.dtype.kind == "b" else "pass real numbers"
        raise TypeError(f"{name} has dtype {array.dtype}; integers and floats are allowed: {remedy}")
    return array


def _is_tensor(value: object) -> bool:
    return any(base.__module__ == "torch" and base.__name__ == "Tensor" for base in type(value).__mro__)


def _from_torch(tensor: Any, name: str) -> NDArray[Any]:
    if tensor.is_complex():
        raise TypeError(f"{name} has dtype {tensor.dtype}; integers and floats are allowed: pass real numbers")
    if tensor.is_meta:
        raise TypeError(f"{name} is a meta tensor, which has no data; pass one on a real device")
    if str(tensor.layout) != "torch.strided":
        raise TypeError(f"{name} has layout {tensor.layout}; dense tensors are allowed: pass {name}.to_dense()")
    tensor = tensor.detach()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()  # numpy has no bfloat16; half precision widens exactly
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def as_matrix(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return `value` as a non-empty, finite 2-d array (dtype kept), or raise an error that names the fault."""
    array = as_numpy(value, name)
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; a matrix (rows, columns) is needed: use reshape")
    if 0 in array.shape:
        raise ValueError(
            f"{name} has shape {array.shape}; it needs at least one row and one column: drop empty batches"
        )
    require_finite(array, name)
    return array


def as_real(array: NDArray[Any], name: str) -> FloatArray:
    """Return a finite matrix as float64, or raise ValueError where a row's sums x·v would overflow it."""
    with np.errstate(over="ignore"):
        real = array.astype(np.float64, copy=False)
        finite = bool(np.isfinite(np.abs(real).sum(axis=-1)).all())
    if not finite:
        raise ValueError(f"{name} overflows float64: a row's Σ|x| exceeds 1.8e308; scale {name} down")
    return real


def as_vector(value: ArrayLike, name: str, length: int | None = None) -> FloatArray:
    """Return `value` as a finite float64 vector of the given length."""
    array = as_numpy(value, name)
    if array.ndim != 1 or (length is not None and array.shape[0] != length):
        wanted = "(n,)" if length is None else f"({length},)"
        raise ValueError(f"{name} has shape {array.shape}; shape {wanted} is needed")
    require_finite(array, name)
    if array.dtype == np.float64:
        return array.copy()
    with np.errstate(over="ignore"):
        vector = array.astype(np.float64)
    require_finite(vector, name)  # longer floats may exceed float64
    return vector


def require_finite(array: NDArray[Any], name: str) -> None:
    """Raise ValueError where `array` holds NaN or infinity, naming the first place."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}{list(place)} is {array[place]}; every entry has to be finite: clean {name} first")


def is_sign_matrix(array: NDArray[Any]) -> bool:
    """Tell whether every entry is −1 or +1."""
    return bool((np.abs(array) == 1).all()) if array.dtype.kind != "u" else bool((array == 1).all())


def as_signs(value: ArrayLike, name: str, columns: int) -> SignArray:
    """Return ±1 vectors, shape (columns,) or (k, columns), as int8."""
    array = as_numpy(value, name)
    if array.ndim not in (1, 2) or array.shape[-1] != columns:
        raise ValueError(f"{name} has shape {array.shape}; ({columns},) or (k, {columns}) is needed")
    if not is_sign_matrix(array):
        raise ValueError(f"{name} holds entries other than -1 and +1; weights are ±1: use numpy.where(v >= 0, 1, -1)")
    return array.astype(np.int8)


def both_ways(
    count: int, first: NDArray[Any], second: NDArray[Any], values: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return the symmetric sparse matrix of pairs, both ways: (start (count + 1,), other (2P,), values (2P,)).

    Row i has the entries start[i], …, start[i + 1] − 1, its columns `other` sorted.
    """
    ends, others = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((others, ends))
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(ends, minlength=count), out=start[1:])
    return start, others[order].astype(np.int64), np.concatenate([values, values])[order].astype(np.float64)


def feed(digest: Any, array: NDArray[Any], dtype: Any = None) -> None:
    """Add an array's numbers to a hash, block by block: little-endian, in C order, −0 as +0, as `dtype` where given."""
    flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
    wanted = np.dtype(array.dtype if dtype is None else dtype).newbyteorder("<")
    for low in range(0, array.size, _BLOCK):
        block = np.asarray(flat[low : low + _BLOCK])
        plain = block + 0.0 if block.dtype.kind == "f" else block
        digest.update(np.ascontiguousarray(plain, wanted))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Mark `array` read-only and return it."""
    array.setflags(write=False)
    return array


def round_down(value: float, magnitude: float, terms: int) -> float:
    """Lower `value` by what summing `terms` float64 numbers of total size `magnitude` may have added to it.

    A sum of k floats errs by at most (k−1)·eps·Σ|x| in any order (Higham 2002, eq. 4.4); twice that is taken.
    """
    slack = 2.0 * max(terms, 1) * np.finfo(np.float64).eps * magnitude
    return float(np.nextafter(value - slack, -np.inf))


def require_square(t: FloatArray) -> None:
    """Refuse targets whose squares overflow the objective."""
    largest = max(float(t.max(initial=0.0)), -float(t.min(initial=0.0)))  # without a copy of t
    if largest > 1e150:
        raise ValueError(
            f"|t| reaches {largest:.3g}; beyond 1e150 the objective overflows float64: scale t by 1/max|t|"
        )

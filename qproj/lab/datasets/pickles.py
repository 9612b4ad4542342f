"""Read Planetoid's pickles without unpickling: a machine of some thirty opcodes that can build nothing but data.

Python's unpickler calls what a file names. Here nothing is ever imported or called: the few globals that Planetoid's
files name become tags, and each call becomes a :class:`Built` record, turned into arrays afterwards.
Other opcodes, other names and malformed streams are refused.
"""

from __future__ import annotations

import math
import pickletools  # nosec B403: lists opcodes, unpickles nothing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tag:
    """A global that the stream names; never looked up."""

    name: str


#: What the published files name, by Python 2's module paths.
_TAGS = {
    "numpy.core.multiarray _reconstruct": Tag("reconstruct"),
    "numpy ndarray": Tag("ndarray"),
    "numpy dtype": Tag("dtype"),
    "scipy.sparse.csr csr_matrix": Tag("csr"),
    "collections defaultdict": Tag("defaultdict"),
    "__builtin__ list": Tag("list"),
}
_CALLED = ("reconstruct", "dtype", "defaultdict", "csr")
_DTYPES = {"i4": np.int32, "i8": np.int64, "f4": np.float32, "f8": np.float64}


@dataclass(eq=False)
class Built:
    """A call in the stream: its tag, arguments, later state and items."""

    tag: Tag
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    """The stack's mark."""


_MARK = _Mark()
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}


def read_pickle(content: bytes) -> Any:
    """Return what a Planetoid pickle holds: a csr_matrix, an array, or a dict of lists.

    Raises
    ------
    ValueError
        Not such a pickle: damaged, or with opcodes or names that those files do not have.
    """
    try:
        return _plain(_run(content))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"not a pickle of the Planetoid files: {reason[:200]}; fetch the file again") from None


def _run(content: bytes) -> Any:
    """Return the one object that the stream leaves on the stack."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, position in pickletools.genops(content):
        name = opcode.name
        if name == "STOP":
            if len(stack) != 1 or (position or 0) + 1 != len(content):
                raise ValueError("bytes or objects are left where it ends")
            return stack[0]
        if name in _GATHER:
            _GATHER[name](stack)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[int(str(argument))] = stack[-1]
        elif name == "BINGET":
            stack.append(memo[int(str(argument))])
        elif name in ("REDUCE", "NEWOBJ"):
            stack.append(_call(stack, position))
        elif name == "BUILD":
            _set_state(stack, position)
        elif name != "PROTO":
            stack.append(_pushed(name, argument, position))
    raise ValueError("it has no end")


def _pushed(name: str, argument: Any, position: int | None) -> Any:
    """Return what an opcode pushes that reads nothing of the stack."""
    if name in _VALUES:
        return argument
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if name in _EMPTY:
        return _EMPTY[name]()
    if name == "GLOBAL":
        if argument not in _TAGS:
            raise ValueError(f"it names {str(argument)[:60]!r}, which those files do not")
        return _TAGS[str(argument)]
    raise ValueError(f"opcode {name} at byte {position}, which those files do not use")


def _call(stack: list[Any], position: int | None) -> Built:
    arguments, tag = _pop(stack), _pop(stack)
    if not isinstance(tag, Tag) or tag.name not in _CALLED or not isinstance(arguments, tuple):
        raise ValueError(f"it calls something at byte {position}")
    return Built(tag, arguments)


def _set_state(stack: list[Any], position: int | None) -> None:
    state = _pop(stack)
    if not isinstance(stack[-1], Built):
        raise ValueError(f"it sets the state of something at byte {position}")
    stack[-1].state = state


def _pop(stack: list[Any]) -> Any:
    value = stack.pop()
    if value is _MARK:
        raise ValueError("a mark stands where a value should")
    return value


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    # from the end, so that a long run of marks costs nothing
    at = len(stack) - 1
    while stack[at] is not _MARK:
        at -= 1
        if at < 0:
            raise ValueError("no mark to go back to")
    values = stack[at + 1 :]
    del stack[at:]
    return values


def _tuple(stack: list[Any], count: int) -> None:
    stack.append(tuple(_pop(stack) for _ in range(count))[::-1])


def _extend(stack: list[Any], values: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise ValueError("it appends to something other than a list")
    stack[-1].extend(values)


def _set_items(stack: list[Any], pairs: list[Any]) -> None:
    target = stack[-1]
    items = target.items if isinstance(target, Built) and target.tag.name == "defaultdict" else target
    # only text and numbers: hashing deeply nested tuples recurses in C
    if len(pairs) % 2 or not isinstance(items, dict) or not all(isinstance(key, int | str) for key in pairs[::2]):
        raise ValueError("it sets items of something other than a dictionary of numbers or text")
    items.update(zip(pairs[::2], pairs[1::2], strict=True))


#: Opcodes that take values off the stack into a container.
_GATHER: dict[str, Callable[[list[Any]], None]] = {
    "TUPLE": lambda stack: stack.append(tuple(_pop_to_mark(stack))),
    "TUPLE1": lambda stack: _tuple(stack, 1),
    "TUPLE2": lambda stack: _tuple(stack, 2),
    "TUPLE3": lambda stack: _tuple(stack, 3),
    "APPEND": lambda stack: _extend(stack, [_pop(stack)]),
    "APPENDS": lambda stack: _extend(stack, _pop_to_mark(stack)),
    "SETITEMS": lambda stack: _set_items(stack, _pop_to_mark(stack)),
}


def _plain(value: Any) -> Any:
    if isinstance(value, Built) and value.tag.name == "reconstruct":
        return _array(value)
    if isinstance(value, Built) and value.tag.name == "csr":
        return _csr(value)
    if isinstance(value, Built) and value.tag.name == "defaultdict":
        return value.items
    raise ValueError(f"it holds {type(value).__name__}, no matrix, array or graph")


def _array(value: Any) -> NDArray[Any]:
    if not isinstance(value, Built) or value.tag.name != "reconstruct":
        raise ValueError(f"{type(value).__name__} stands where an array should")
    _, shape, dtype, fortran, text = value.state
    if not isinstance(dtype, Built) or dtype.tag.name != "dtype" or dtype.arguments[0] not in _DTYPES:
        raise ValueError("an array has a dtype that those files do not use")
    if not all(isinstance(extent, int) and extent >= 0 for extent in shape) or not isinstance(text, str) or fortran:
        raise ValueError("an array has no plain shape and content")
    kind = np.dtype(_DTYPES[dtype.arguments[0]]).newbyteorder("<")
    content = text.encode("latin-1")  # Python 2's byte strings
    if len(content) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"an array of shape {shape} holds {len(content)} bytes")
    array: NDArray[Any] = np.frombuffer(content, kind).reshape(shape)
    return array


def _csr(value: Built) -> Any:
    state = value.state
    rows, columns = state["_shape"]
    data, indices, indptr = (_array(state[part]) for part in ("data", "indices", "indptr"))
    if not (isinstance(rows, int) and isinstance(columns, int) and 0 <= rows < 2**31 and 0 < columns < 2**31):
        raise ValueError(f"a matrix has shape ({rows}, {columns})")
    sound = (
        data.ndim == indices.ndim == indptr.ndim == 1
        and len(data) == len(indices)
        and indices.dtype.kind == indptr.dtype.kind == "i"
        and len(indptr) == rows + 1
        and indptr[0] == 0
        and indptr[-1] == len(data)
        and bool((np.diff(indptr) >= 0).all())
        and bool(((indices >= 0) & (indices < columns)).all())
    )
    if not sound:
        raise ValueError("a sparse matrix's arrays contradict one another")
    return sp.csr_matrix((data, indices, indptr), shape=(rows, columns))

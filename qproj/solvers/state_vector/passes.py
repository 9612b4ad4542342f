"""Passes over a QAOA state laid out in strips: reflections along a strip, phases in between, the result transposed.

σ_i = sin θ_i X_i + cos θ_i Z_i is R_i Z_i R_i with a real reflection: rows (c, s) and (s, −c), c = cos θ_i/2 and
s = sin θ_i/2 (Hadamard's at θ_i = π/2). So a mixer is phases between two products R = Π R_i, and real and imaginary
parts, two planes of float64, meet only in phases.

A state is a matrix (rows, columns), its highest variables in the row index, stored as strips (columns/w, rows, w) of
w ≤ WIDTH columns. A strip stays in the cache for the reflections of all row variables; those of the columns are the
transposed matrix's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from qproj._arrays import FloatArray
from qproj._compiled import compiled, inlined, linked

#: Columns of a strip: two cache lines of float64.
WIDTH = 16
#: Numbers in all planes from which threads pay, and the parts they share: the order of a sum depends on no machine.
LARGE, PARTS = 1 << 19, 8


def strips(matrix: FloatArray) -> FloatArray:
    """Return the layout (columns/w, rows, w) of a matrix (rows, columns)."""
    rows, columns = matrix.shape
    width = min(WIDTH, columns)
    return np.ascontiguousarray(matrix.reshape(rows, columns // width, width).swapaxes(0, 1))


def turn(planes: FloatArray, out: FloatArray, diagonal: FloatArray, angle: float, mirrors: FloatArray) -> float:
    """Write R e^{−i·angle·D} R of each state into `out`, transposed; return Im ⟨φ|RDR|ψ⟩, 0 without φ.

    planes (2 or 4, strips), overwritten: real and imaginary part of ψ, then of φ. D: in strips. R: of the row
    variables, mirrors (2, h): cos and sin of their θ/2.
    """
    return _in_parts(planes, out, diagonal, -angle / (2.0 * np.pi), mirrors)


def reflect(planes: FloatArray, mirrors: FloatArray) -> None:
    """Apply R to each plane, in place."""
    _in_parts(planes, _NO_OUT, _NO_PHASES, 0.0, mirrors)


def transpose(planes: FloatArray, out: FloatArray) -> None:
    """Write each plane into `out`, transposed."""
    _in_parts(planes, out, _NO_PHASES, 0.0, np.empty((2, 0)))


_NO_OUT, _NO_PHASES = np.empty((0, 0, 0, 0)), np.empty((0, 0, 0))


def _in_parts(planes: FloatArray, out: FloatArray, diagonal: FloatArray, rate: float, mirrors: FloatArray) -> float:
    """Run the kernel on all strips, by threads where the planes are large; return the sum of its results."""
    count, width = planes.shape[1], planes.shape[3]
    flat, phases = planes.reshape(len(planes), count, -1), diagonal.reshape(len(diagonal), planes[0, 0].size)

    def run(first: int, last: int) -> float:
        total: float = _pass(flat, out, phases, rate, mirrors, width, (first, last))
        return total

    if planes.size < LARGE:
        return run(0, count)
    edges = [count * part // PARTS for part in range(PARTS + 1)]
    with ThreadPoolExecutor(min(numba.get_num_threads(), PARTS)) as pool:
        return sum(pool.map(run, edges[:-1], edges[1:]))


@compiled(fastmath={"contract"})
def _pass(planes, out, diagonal, rate, mirrors, width, strips):  # type: ignore[no-untyped-def]
    """Reflect each plane's strips; with a diagonal, apply its phases and reflect again; with `out`, write to it."""
    cos, sin = mirrors[0], mirrors[1]
    real, imag = np.empty(diagonal.shape[1]), np.empty(diagonal.shape[1])
    total = 0.0
    for s in range(strips[0], strips[1]):
        for p in range(len(planes)):
            _mirror(planes[p, s], width, cos, sin)
        if len(diagonal):
            if len(planes) == 4:
                total += _product(planes, diagonal, s)
            _phases(real, imag, diagonal[s], rate)
            for p in range(0, len(planes), 2):
                _multiply(planes[p, s], planes[p + 1, s], real, imag)
                _mirror(planes[p, s], width, cos, sin)
                _mirror(planes[p + 1, s], width, cos, sin)
        if len(out):
            for p in range(len(planes)):
                _store(out[p], planes[p, s], width, s)
    return total


@linked(fastmath={"contract"})
def _mirror(strip, width, cos, sin):  # type: ignore[no-untyped-def]
    """Reflect a strip (rows·width,) along its rows' variables in place, two of them a pass."""
    for i in range(0, len(cos) - 1, 2):
        size, c, s, d, t = width << i, cos[i], sin[i], cos[i + 1], sin[i + 1]
        for start in range(0, len(strip), 4 * size):
            v, w = strip[start : start + size], strip[start + size : start + 2 * size]
            x, y = strip[start + 2 * size : start + 3 * size], strip[start + 3 * size : start + 4 * size]
            for k in range(size):
                v0, w0, x0, y0 = c * v[k] + s * w[k], s * v[k] - c * w[k], c * x[k] + s * y[k], s * x[k] - c * y[k]
                v[k], w[k], x[k], y[k] = d * v0 + t * x0, d * w0 + t * y0, t * v0 - d * x0, t * w0 - d * y0
    if len(cos) % 2:
        c, s = cos[-1], sin[-1]
        v, w = strip[: len(strip) // 2], strip[len(strip) // 2 :]
        for k in range(len(v)):
            v[k], w[k] = c * v[k] + s * w[k], s * v[k] - c * w[k]


@inlined
def _phases(real, imag, diagonal, rate):  # type: ignore[no-untyped-def]
    """Write e^{2πi·rate·diagonal}, to about 2e-15: an eighth of the angle by Taylor's series, doubled three times.

    A library's cos and sin would keep the loop from being vectorised.
    """
    for k in range(len(real)):
        turns = rate * diagonal[k]
        a = (turns - np.rint(turns)) * (np.pi / 4)  # at most π/8
        x = a * a
        s = x * (1 / 5040 - x * (1 / 362880 - x * (1 / 39916800 - x / 6227020800)))
        s = a * (1 - x * (1 / 6 - x * (1 / 120 - s)))
        c = x * (1 / 720 - x * (1 / 40320 - x * (1 / 3628800 - x / 479001600)))
        c = 1 - x * (1 / 2 - x * (1 / 24 - c))
        for _ in range(3):
            s, c = 2 * s * c, (c - s) * (c + s)
        real[k], imag[k] = c, s


@inlined
def _multiply(re, im, real, imag):  # type: ignore[no-untyped-def]
    for k in range(len(re)):
        re[k], im[k] = re[k] * real[k] - im[k] * imag[k], re[k] * imag[k] + im[k] * real[k]


@linked(fastmath={"contract", "reassoc"})
def _product(planes, diagonal, s):  # type: ignore[no-untyped-def]
    """Im ⟨φ|D|ψ⟩ of one strip."""
    total = 0.0
    for k in range(planes.shape[2]):
        total += diagonal[s, k] * (planes[2, s, k] * planes[1, s, k] - planes[3, s, k] * planes[0, s, k])
    return total


@inlined
def _store(out, strip, columns, s):  # type: ignore[no-untyped-def]
    """Write a strip transposed, whole lines at a time: its columns become rows of each strip of `out`."""
    width = out.shape[2]
    for t in range(len(out)):
        for j in range(columns):
            for k in range(width):
                out[t, s * columns + j, k] = strip[(t * width + k) * columns + j]

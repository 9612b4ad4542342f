"""Fuzz targets: the public constructors and calls. Answers are checked against the definitions, by all 2^d vectors."""

import itertools
import math

import numpy as np
from hypothesis import strategies as st

import qproj
from qproj.lab.datasets.instances import LayerInstance
from qproj.projections import linear_layer
from qproj.solvers import get_solver
from qproj.solvers.contract import Status

_DTYPES = ["float64", "float32", "float16", "int8", "int64", "uint8", "longdouble"]
_ODD = [
    0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, -1e-300, 5e-324, 1e-15, 1e15, 1e150, -1e150, 1e151, 1e300, 1.7e308, math.nan,
    math.inf, -math.inf, 2.0**53, 2.0**63,
]  # fmt: skip


def _entries():
    return st.one_of(st.sampled_from([1.0, -1.0]), st.floats(-2, 2), st.sampled_from(_ODD))


@st.composite
def matrices(draw, rows=None, columns=None, entries=None):
    """Small matrices of odd numbers in odd dtypes and layouts; seldom no matrix at all."""
    n = draw(st.integers(0, 6)) if rows is None else rows
    d = draw(st.integers(0, 6)) if columns is None else columns
    if draw(st.integers(0, 19)) == 0:
        return draw(
            st.sampled_from([None, 3, "ab", [[1], [1, 2]], [[1j]], [[True]], np.zeros((2, 2, 2)), [], {}, object()])
        )
    kind = draw(st.integers(0, 3))
    if entries is None:
        entries = st.sampled_from([1.0, -1.0]) if kind < 2 else st.floats(-2, 2) if kind == 2 else _entries()
    values = draw(st.lists(entries, min_size=n * d, max_size=n * d))
    with np.errstate(all="ignore"):
        array = np.array(values, np.float64).reshape(n, d).astype(draw(st.sampled_from(_DTYPES)))
    layout = draw(st.integers(0, 5))
    if layout == 0:
        return array.tolist()
    if layout == 1:
        return np.asfortranarray(array)
    if layout == 2 and array.size:
        return np.repeat(array, 2, axis=0)[::2]
    if layout == 3:
        array.setflags(write=False)
    return array


@st.composite
def neurons(draw):
    """(X, t), mostly of fitting shapes."""
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    X = draw(matrices(n, d))
    t = draw(matrices(n if draw(st.integers(0, 9)) else n + 1, 1, _entries() if draw(st.booleans()) else None))
    if isinstance(t, np.ndarray) and t.ndim == 2:
        t = t[:, 0]
    elif isinstance(t, list) and t and isinstance(t[0], list) and t[0]:
        t = [row[0] for row in t]
    return X, t


def _all(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


def _definition(X, t):
    """Exact gains of every vector, in extended precision."""
    V = _all(X.shape[1])
    Z = X.astype(np.longdouble) @ V.T.astype(np.longdouble)
    return V, (np.where(Z >= 0, 1, -1) * t.astype(np.longdouble)[:, None]).sum(axis=0), Z


def _unclear(X, Z):
    """Whether a sum is so near 0 that its sign is a matter of rounding."""
    size = np.abs(X).astype(np.longdouble).sum(axis=1)[:, None] * 1e-13
    return bool(((np.abs(Z) <= size) & (Z != 0)).any() or not np.isfinite(Z).all())


def sign_projection(given, folder):
    X, t, merge = given
    before = (np.array(X, copy=True), np.array(t, copy=True)) if isinstance(X, np.ndarray) else None
    p = qproj.SignProjection(X, t, aggregate_rows=merge[0], aggregate_columns=merge[1])
    if before is not None:
        np.testing.assert_array_equal(X, before[0])
    V, gains, Z = _definition(np.asarray(p.X), p.t)
    real = not np.isin(p.X, (-1, 1)).all()
    if real and _unclear(np.asarray(p.X, np.float64), Z):
        return
    scale = float(np.abs(p.t).sum())
    np.testing.assert_allclose(p.gain(V), gains.astype(np.float64), rtol=1e-12, atol=1e-12 * scale)
    assert (p.gain(V) <= p.gain_bound * (1 + 1e-12)).all()
    assert np.isfinite(p.objective(V)).all()
    assert p.trivial_bound <= p.objective(V).min()
    best = get_solver("exhaustive").solve(p)
    assert best.status is Status.OPTIMAL
    assert best.gain >= float(gains.max()) - 1e-12 * scale
    assert best.gap == 0.0


def linear_projection(given, folder):
    (X, t), scale, weights = given
    p = qproj.LinearProjection(X, t, scale=scale, sample_weight=weights)
    V = _all(p.num_weights)
    a, x = p.sample_weight.astype(np.longdouble), np.asarray(p.X).astype(np.longdouble)
    objective = p.objective(V)
    assert np.isfinite(objective).all(), "not finite, and not refused"
    if isinstance(p.scale, float):
        exact = ((p.scale * (x @ V.T) - p.t[:, None]) ** 2 * a[:, None]).sum(axis=0)
        reach = float((a * (np.abs(p.scale) * np.abs(x).sum(axis=1) + np.abs(p.t)) ** 2).sum())
        tiny = 1e-300  # denormal numbers have few digits
        np.testing.assert_allclose(objective, exact.astype(np.float64), rtol=1e-9, atol=1e-9 * reach + tiny)
        best = get_solver("exhaustive").solve(p)
        assert best.objective <= float(exact.min()) + 1e-9 * reach + 1e-300
        assert best.bound is None or best.bound <= float(exact.min()) + 1e-9 * reach + 1e-300


def metric_projection(given, folder):
    M, g = given
    p = qproj.MetricProjection(M, g)
    V = _all(p.num_weights)
    m, gl = np.asarray(p.M).astype(np.longdouble), p.g.astype(np.longdouble)
    R = V.astype(np.longdouble) - gl
    exact = np.einsum("ki,ij,kj->k", R, m, R)
    reach = float(np.einsum("ki,ij,kj->k", np.abs(R), np.abs(m), np.abs(R)).max())
    assert np.isfinite(p.objective(V)).all(), "not finite, and not refused"
    np.testing.assert_allclose(p.objective(V), exact.astype(np.float64), rtol=1e-9, atol=1e-9 * reach + 1e-300)
    best = get_solver("exhaustive").solve(p)
    assert best.objective <= float(exact.min()) + 1e-9 * reach + 1e-300


def encodings(given, folder):
    (X, t), name, options = given
    p = qproj.SignProjection(X, t)
    encoding = p.encode(name, **options)
    bqm = encoding.bqm
    numbers = [*bqm.linear.values(), *bqm.quadratic.values(), float(bqm.offset)]
    assert np.isfinite(numbers).all()
    sample = dict.fromkeys(bqm.variables, 0)
    v = np.asarray(encoding.decode(sample)).reshape(-1)
    assert v.shape == (p.num_weights,)
    assert np.isin(v, (-1, 1)).all()
    if encoding.exact and bqm.num_variables <= 14:
        import dimod

        bare = bqm.copy()
        bare.offset = 0.0  # beside which the energies of large targets would round to the same number
        found = dimod.ExactSolver().sample(bare).first
        got = p.gain(np.asarray(encoding.decode(found.sample)).reshape(-1))
        best = float(p.gain(_all(p.num_weights)).max())
        scale = float(np.abs(p.t).max())
        assert got >= best - 1e-9 * scale * len(p.t), (got, best)


def projected(given, folder):
    X, T, solver, limits = given
    found = qproj.project(X, T, solver, **limits)
    assert found.weights.dtype == np.int8
    for j, solution in enumerate(found):
        if solution.best is not None:
            p = qproj.SignProjection(X, np.asarray(T)[:, j])
            assert found.gain[j] == p.gain(found.weights[j])
            assert solution.bound is None or solution.bound <= solution.objective


def solvers(given, folder):
    name, options, limits = given
    solver = get_solver(name, **options)
    p = qproj.SignProjection([[1, -1, 1], [-1, -1, 1]], [0.5, -0.25])
    found = solver.solve(p, **limits)
    assert found.best is None or found.gain == p.gain(found.best)


def layer(given, folder):
    name, X, T, meta = given
    made = LayerInstance(name, X, T, source="fuzz", meta=meta)
    assert np.isfinite(made.X).all()
    assert made.key == LayerInstance("other", made.X, made.T, source="x").key
    if np.abs(made.T).max() < 1e150:
        assert len(linear_layer(made.X, made.T)) == made.num_neurons


def nets(given, folder):
    import torch

    from qproj.nn import BinaryLinear
    from qproj.optim import QPSBGD

    sizes, options, rows = given
    torch.manual_seed(0)
    net = BinaryLinear(*sizes)
    optimizer = QPSBGD(net, **options)
    x = torch.tensor(rows, dtype=torch.float32).reshape(-1, sizes[0])
    net(x).square().sum().backward()
    finite = bool(torch.isfinite(net.weight.grad.sum()))
    optimizer.step()
    assert bool(torch.isfinite(net.weight).all()) == finite  # as torch's own: what is not finite is seen


_OPTIONS = st.dictionaries(
    st.sampled_from([
        "num_sweeps", "num_reads", "encoding", "encoding_options", "node_limit", "threads", "restarts", "max_sweeps",
        "numsweeps", "beta_range", "seed", "starts", "polish", "solver", "work",
    ]),
    st.one_of(st.integers(-2, 50), st.floats(), st.none(), st.sampled_from(["margin", "majority", "x", True])),
    max_size=2,
)  # fmt: skip
_LIMITS = st.fixed_dictionaries({}, optional={
    "time_limit_s": st.sampled_from([0.01, 0.05, 0, -1, math.inf, math.nan, "1", True, np.float32(0.02)]),
    "seed": st.sampled_from([0, 1, 2**31, 2**64, -1, 1.5, "a", True, np.int8(3)]),
    "num_reads": st.sampled_from([1, 3, 0, -1, 2.0, "a", True, np.int64(2)]),
})  # fmt: skip
_NAMES = ["auto", "exhaustive", "local-search", "sign", "random", "sa", "sqa", "tabu", "greedy", "tree", "atuo"]

OBJECTS = {
    "call: SignProjection": (
        lambda: st.tuples(neurons(), st.tuples(st.booleans(), st.booleans())).map(lambda g: (*g[0], g[1])),
        sign_projection,
    ),
    "call: LinearProjection": (
        lambda: st.tuples(
            neurons(), st.sampled_from([1.0, -0.5, 1e-160, 1e160, 0.0, math.nan, "least-squares", "least", 2]),
            st.one_of(st.none(), matrices(1, 4).map(lambda m: m[0] if isinstance(m, np.ndarray) else m),
                      st.lists(st.sampled_from([0.0, 1.0, 1e300, 1e-300]), min_size=1, max_size=6)),
        ),
        linear_projection,
    ),
    "call: MetricProjection": (
        lambda: st.integers(1, 5).flatmap(
            lambda k: st.tuples(matrices(k, k), st.lists(_entries(), min_size=k, max_size=k))
        ),
        metric_projection,
    ),
    "call: encode": (
        lambda: st.tuples(
            neurons(), st.sampled_from(["majority", "margin", "unbalanced", "paper", "margn"]),
            st.dictionaries(
                st.sampled_from(["factor", "kappa", "bits", "penalty", "lam"]),
                st.one_of(st.integers(-2, 12), st.sampled_from([4.5, 0.0, math.nan, 1e308, "a"])), max_size=1,
            ),
        ),
        encodings,
    ),
    "call: project": (
        lambda: st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)).flatmap(
            lambda s: st.tuples(matrices(s[0], s[1]), matrices(s[0], s[2]), st.sampled_from(_NAMES), _LIMITS)
        ),
        projected,
    ),
    "call: get_solver and solve": (lambda: st.tuples(st.sampled_from(_NAMES), _OPTIONS, _LIMITS), solvers),
    "call: LayerInstance": (
        lambda: st.tuples(
            st.one_of(st.text(max_size=5), st.just("a")), matrices(4, 3), st.one_of(matrices(4, 2), matrices()),
            st.dictionaries(st.text(max_size=3), st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none()),
                            max_size=2),
        ),
        layer,
    ),
    "call: BinaryLinear and QPSBGD": (
        lambda: st.tuples(
            st.tuples(st.sampled_from([1, 2, 3, 4, 5, 0, -1]), st.sampled_from([1, 2, 3, 0, 1.5])),
            st.dictionaries(
                st.sampled_from(["lr", "solver", "momentum", "float_lr", "projection", "kappa", "every", "audit"]),
                st.one_of(st.sampled_from([0.1, 1, 0, -1, math.nan, None, "auto", "sign", "margin", "metric", 2**70])),
                max_size=2,
            ),
            st.one_of(
                st.lists(st.sampled_from([1.0, -1.0]), min_size=60, max_size=60),
                st.lists(st.sampled_from([1.0, -1.0, 0.5, 1e30, math.nan]), min_size=60, max_size=60),
            ),
        ),
        nets,
    ),
}  # fmt: skip

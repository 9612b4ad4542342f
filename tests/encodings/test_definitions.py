"""Every encoding's energy beside its formula, written out in loops, at every assignment; and what it says of itself."""

import itertools

import numpy as np
import pytest

from qproj import LinearProjection, MetricProjection, SignProjection
from qproj.encodings.majority import row_variables

#: Two columns equal up to sign and one alone: a class of two and a plain bit. Two rows, one weight of each sign.
MERGED = ([[1, -1, 1, 1], [1, -1, 1, -1]], [0.75, -0.5])
PLAIN = ([[1, -1, 1], [-1, 1, 1], [1, 1, 1]], [0.75, -0.5, 0.25])


def samples(encoding):
    for bits in itertools.product((0, 1), repeat=encoding.num_variables):
        yield dict(zip(encoding.labels, bits)), np.array(bits, float)


def energy(encoding, x):
    assert not np.tril(encoding.coefficients, -1).any()
    return x @ encoding.coefficients @ x + encoding.offset


def agreements(p, sample, d):
    """The weights by their own labels, and for each row how many products x_k v_k are +1, as if nothing were merged."""
    v = p.encode("margin").decode(sample)
    assert v.shape == (d,)
    return v, [(np.asarray(row) * v > 0).sum() for row in p.X]


def constant(p):
    return sum(1 + t * t for t in p.t)


@pytest.mark.parametrize("neuron", [MERGED, PLAIN])
@pytest.mark.parametrize("factor", [4.5, 7.0])
def test_majority(neuron, factor):
    p = SignProjection(*neuron, aggregate_rows=False)
    n, d = p.X.shape
    encoding = p.encode("majority", factor=factor)
    half, m = -(-d // 2), int(np.ceil(np.log2(d // 2 + 1))) + 1
    count = 0
    for sample, x in samples(encoding):
        _, agree = agreements(p, sample, d)
        expected = constant(p)
        for g in range(n):
            y = sample["y", g]
            r = sum(2**b * sample["r", g, b] for b in range(m - 1))
            residual = agree[g] + 2 ** (m - 1) - half - r - 2 ** (m - 1) * y
            expected += factor * abs(p.t[g]) * residual**2 - 4 * p.t[g] * y + 2 * p.t[g]
        assert energy(encoding, x) == pytest.approx(expected)
        count += 1
    assert count == 2**encoding.num_variables >= 2**7
    assert encoding.name == "majority"
    assert encoding.options == {"factor": factor, "bits": 6}
    assert encoding.smallest_gap == pytest.approx((factor - 4) * min(abs(p.t)))
    assert encoding.exact is True
    assert f"{factor:g}·|τ|" in encoding.why


def test_majority_of_weights_that_are_all_zero():
    encoding = SignProjection(*PLAIN).encode("majority")
    idle = SignProjection(PLAIN[0], np.zeros(3), aggregate_rows=False).encode("majority")
    assert idle.smallest_gap == 0.0
    assert encoding.smallest_gap > 0.0
    assert not idle.coefficients.any()
    assert idle.offset == 3.0


def test_majority_of_real_rows_is_that_of_rounded_rows():
    X, t = np.array([[1.0, -0.5, 0.25], [0.3, 0.9, -0.3]]), [0.75, -0.5]
    p = SignProjection(X, t)
    encoding = p.encode("majority", bits=2)
    q = np.rint(X / np.abs(X).max(axis=1)[:, None] * 3).astype(int)
    assert q.tolist() == [[3, -2, 1], [1, 3, -1]]
    total = np.abs(q).sum(axis=1)
    for sample, x in samples(encoding):
        v = p.decode(sample)
        expected = constant(p)
        for g in range(2):
            m = int(np.ceil(np.log2(total[g] // 2 + 1))) + 1
            agree = (np.abs(q[g]) * (q[g] * v > 0)).sum()
            r = sum(2**b * sample["r", g, b] for b in range(m - 1))
            residual = agree + 2 ** (m - 1) - -(-total[g] // 2) - r - 2 ** (m - 1) * sample["y", g]
            expected += 4.5 * abs(t[g]) * residual**2 - 4 * t[g] * sample["y", g] + 2 * t[g]
        assert energy(encoding, x) == pytest.approx(expected)
    assert encoding.exact is False
    assert "2-bit" in encoding.why
    scale = np.abs(X).max(axis=1) / 3
    assert encoding.error == pytest.approx(np.abs(X - q * scale[:, None]).sum(axis=1).max())
    assert encoding.options == {"factor": 4.5, "bits": 2}


def test_slacks_of_rows_of_different_widths():
    slack, keep, pairs, labels = row_variables((1, 3))
    assert slack.tolist() == [[0, 0, -1], [-1, -2, -4]]
    assert keep.tolist() == [False, False, True, True, True, True]
    assert pairs.tolist() == [[[0, 0, 0]] * 3, [[0, 4, 8], [0, 0, 16], [0, 0, 0]]]
    assert labels == [("y", 0), ("r", 1, 0), ("r", 1, 1), ("y", 1)]
    assert row_variables((2, 2))[1] is None  # nothing to leave out


def test_model_is_labelled_in_order_and_shares_nothing_with_the_next():
    first, second = (SignProjection(PLAIN[0], t).encode() for t in (PLAIN[1], [1.0, 2.0, 3.0]))
    a, b = first.bqm, second.bqm
    a.relabel_variables({("w", 0): "other"})
    a.add_variable("more")
    assert list(b.variables) == second.labels == first.labels
    np.testing.assert_array_equal([b.get_linear(v) for v in second.labels], second.linear)
    for i, j in itertools.combinations(range(len(second.labels)), 2):
        given = b.get_quadratic(second.labels[i], second.labels[j], default=0.0)
        assert given == second.quadratic[i, j]


@pytest.mark.parametrize("neuron", [MERGED, PLAIN])
@pytest.mark.parametrize("options", [{}, {"linear": 0.5, "quadratic": 0.25, "factor": 2.0}])
def test_unbalanced(neuron, options):
    p = SignProjection(*neuron, aggregate_rows=False)
    n, d = p.X.shape
    encoding = p.encode("unbalanced", **options)
    values = {"linear": 0.96, "quadratic": 0.0371, "factor": 4.5} | options
    half = -(-d // 2)
    for sample, x in samples(encoding):
        _, agree = agreements(p, sample, d)
        expected = constant(p)
        for g in range(n):
            y = sample["y", g]
            h = agree[g] - half * y if p.t[g] > 0 else half - 1 + (d - half + 1) * y - agree[g]
            penalty = -values["linear"] * h + values["quadratic"] * h * h
            expected += values["factor"] * abs(p.t[g]) * penalty - 4 * p.t[g] * y + 2 * p.t[g]
        assert energy(encoding, x) == pytest.approx(expected)
    assert encoding.name == "unbalanced"
    assert encoding.options == values | {"bits": 6}
    assert encoding.exact is False
    assert encoding.error == 0.0
    real = SignProjection([[0.5, 1.0], [0.3, -1.0]], [1.0, 2.0]).encode("unbalanced", bits=3)
    assert real.options["bits"] == 3
    assert real.error == pytest.approx(4 / 7 - 0.5)  # 3.5 of 7 becomes 4; the other row loses less


@pytest.mark.parametrize("neuron", [MERGED, PLAIN])
def test_margin(neuron):
    p = SignProjection(*neuron, aggregate_rows=False)
    for options in ({}, {"kappa": 3.0}):
        encoding = p.encode("margin", **options)
        kappa = options.get("kappa", 1.5)
        for sample, x in samples(encoding):
            v = encoding.decode(sample)
            goal = kappa * np.sqrt(p.num_weights) * np.sign(p.t)
            assert energy(encoding, x) == pytest.approx((np.abs(p.t) * (p.X @ v - goal) ** 2).sum())
        assert encoding.name == "margin"
        assert encoding.options == {"kappa": kappa}
        assert encoding.exact is False


def test_margin_of_real_rows_asks_for_margins_in_units_of_their_size():
    X, t = np.array([[3.0, -4.0], [0.6, 0.8]]), np.array([1.0, -2.0])
    p = SignProjection(X, t)
    encoding = p.encode("margin")
    for sample, x in samples(encoding):
        goal = 1.5 * np.linalg.norm(X, axis=1) * np.sign(t)
        assert energy(encoding, x) == pytest.approx((np.abs(t) * (X @ encoding.decode(sample) - goal) ** 2).sum())


def test_margin_with_targets_and_weights_of_ones_own():
    p = SignProjection(*PLAIN, aggregate_rows=False)
    goal, weight = np.array([1.0, 2.0, -3.0]), np.array([1.0, 0.0, 0.5])
    encoding = p.encode("margin", targets=goal, weights=weight)
    for sample, x in samples(encoding):
        assert energy(encoding, x) == pytest.approx((weight * (p.X @ encoding.decode(sample) - goal) ** 2).sum())
    for wrong in ({"targets": goal[:2]}, {"weights": weight[:2]}):
        with pytest.raises(ValueError, match="one entry per merged row"):
            p.encode("margin", **wrong)


def test_published_labels_and_options():
    p = SignProjection(*PLAIN)
    encoding = p.encode("paper")
    own = [[("p", i, 0), ("p", i, 1), ("p", i, 2), ("r", i, 0), ("y", i)] for i in range(3)]
    assert encoding.labels == [("w", 0), ("w", 1), ("w", 2), *itertools.chain(*own)]
    assert encoding.options == {"lam": 50.0}
    assert p.encode("paper", lam=20).options == {"lam": 20}
    assert encoding.name == "paper"
    assert encoding.exact is False
    assert encoding.columns.is_plain


def test_published_keeps_rows_that_merge_elsewhere():
    p = SignProjection([[1, 1, -1], [1, 1, -1], [-1, -1, 1]], [0.5, -0.5, 0.25])
    assert len(p.aggregated.tau) < 3
    assert p.encode("paper").num_variables == 3 + 3 * (3 + 2)


def test_published_energy_where_products_are_right():
    p = SignProjection(*PLAIN)
    encoding = p.encode("paper", lam=10.0)
    d, m = 3, 2
    for sample, x in samples(encoding):
        expected = 0.0
        for i, row in enumerate(p.X):
            for k in range(d):
                a, w = sample["p", i, k], sample["w", k]
                expected += 10 * (a + w - 2 * a * w if row[k] > 0 else 1 - a - w + 2 * a * w)
            total = sum(sample["p", i, k] for k in range(d)) - sample["r", i, 0] - 2 ** (m - 1) * sample["y", i]
            expected += 10 * total**2 + ((1 + p.t[i]) / 2 - sample["y", i]) ** 2
        assert energy(encoding, x) == pytest.approx(expected)
        if x[3:].sum() > 3:
            break  # 2^18 assignments: those in order up to there


def test_models_that_are_quadratic_already():
    rng = np.random.default_rng(0)
    linear = LinearProjection(rng.normal(size=(5, 4)), rng.normal(size=5), scale=-0.5, sample_weight=rng.random(5))
    metric = MetricProjection(rng.normal(size=(4, 4)), rng.normal(size=4))
    for p, name in ((linear, "linear"), (metric, "metric")):
        encoding = p.encode()
        assert (encoding.name, encoding.exact, encoding.options) == (name, True, {})
        assert encoding.labels == [("w", k) for k in range(4)]
        for sample, x in samples(encoding):
            assert energy(encoding, x) == pytest.approx(p.objective(encoding.decode(sample)))
        with pytest.raises(ValueError, match=f"encoding 'majority'.*{name}|{name}"):
            p.encode("majority")

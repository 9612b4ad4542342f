"""The parts of encodings one by one: fixed point, bits of classes, limits of size and precision, figures of models."""

import numpy as np
import pytest

from qproj import SignProjection
from qproj.encodings import Columns
from qproj.encodings import encoding as shared
from qproj.encodings import quadratic as products
from qproj.encodings.constrained import constrained
from qproj.encodings.encoding import require_precision, require_size
from qproj.encodings.linear_model import integer_rows, linear_of_quadratic, linear_of_rows
from qproj.encodings.paper import paper_shift
from qproj.encodings.rows import quantise
from qproj.encodings.units import quantum


@pytest.mark.parametrize("bits", [1, 2, 6, 20, np.int64(4)])
def test_fixed_point_reaches_its_largest_integer_in_every_row(bits):
    A = np.array([[0.3, -0.6, 0.1], [0.0, 0.0, 0.0], [5.0, 2.5, -1.25]])
    q, error = quantise(A, bits)
    assert q.dtype == np.int64
    top = 2 ** int(bits) - 1
    assert np.abs(q).max(axis=1).tolist() == [top, 0, top]
    scale = np.array([0.6, 1.0, 5.0]) / top
    assert np.abs(A - q * scale[:, None]).max() <= scale.max() / 2 + 1e-15
    assert error == pytest.approx(np.abs(A - q * scale[:, None]).sum(axis=1))
    assert error.shape == (3,)
    assert error[1] == 0.0


def test_fixed_point_of_signs_is_the_signs():
    A = np.array([[1, -1], [-1, -1]], np.int8)
    q, error = quantise(A, 3)
    assert q.dtype == np.int64
    assert (q == A).all()
    assert error.tolist() == [0.0, 0.0]


def test_fixed_point_does_not_depend_on_a_rows_size():
    A = np.array([[0.3, -0.6, 0.1]])
    for size in (1e-320, 1e-30, 1e30, 1e300):
        assert (quantise(A * size, 5)[0] == quantise(A, 5)[0]).all() or size == 1e-320
    assert quantise(np.array([[5e-324, -5e-324]]), 5)[0].tolist() == [[31, -31]]


@pytest.mark.parametrize("bits", [True, 1.0, "6", None])
def test_bits_of_another_type_are_refused(bits):
    with pytest.raises(TypeError, match="use 6"):
        quantise(np.ones((1, 1)), bits)


@pytest.mark.parametrize("bits", [0, 21, -1])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ValueError, match="1 to 20"):
        quantise(np.ones((1, 1)), bits)


def test_bits_of_classes():
    columns = Columns(np.array([0, 1, 0, 0, 0, 0, 0]), np.array([1, 1, -1, 1, 1, 1, 1], np.int8), np.array([6, 1]))
    owners, coefficients = columns.bits
    assert owners.tolist() == [0, 0, 0, 1]
    assert coefficients.tolist() == [1, 2, 3, 1]
    assert coefficients.dtype == np.int64
    assert columns.labels == [("c", 0, 0), ("c", 0, 1), ("c", 0, 2), ("w", 1)]
    counts = np.array([[c, 0] for c in range(7)])
    bits = columns.bits_from_counts(counts)
    assert bits.dtype == np.int8
    assert columns.counts_from_bits(bits).tolist() == counts.tolist()
    assert columns.counts_from_bits(bits).dtype == np.int64
    v = columns.weights_from_counts(counts)
    assert v.dtype == np.int8
    assert v[2].tolist() == [1, -1, -1, -1, -1, -1, -1]  # members 0 and 2 agree: v_2 = s_2 = −1
    assert columns.counts_from_weights(v).dtype == np.int64
    assert not columns.is_plain
    plain = Columns.plain(3)
    assert plain.is_plain
    assert plain.labels == [("w", 0), ("w", 1), ("w", 2)]
    assert [part.tolist() for part in plain.bits] == [[0, 1, 2], [1, 1, 1]]


def test_integers_of_a_class_are_decoded_and_their_range_held():
    p = SignProjection([[1, 1, 1, -1]], [1.0])
    assert p.encode().columns.sizes.tolist() == [4]
    for count in range(5):
        assert (p.decode({("c", 0): count}) * [1, 1, 1, -1] > 0).sum() == count
    for wrong in (-1, 5, 1.5):
        with pytest.raises(ValueError, match=r"outside 0\.\.4"):
            p.decode({("c", 0): wrong})
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        p.decode(dict.fromkeys(p.encode("margin").labels, 2))


def test_counts_of_interactions_and_the_largest_coefficient():
    encoding = SignProjection([[1, -1, 1]], [0.001], aggregate_columns=False).encode("margin")
    Q = encoding.coefficients
    assert encoding.largest_coefficient == np.abs(Q).max() < 1.0
    assert encoding.num_interactions == 3 == encoding.bqm.num_interactions
    assert encoding.num_variables == 3


def test_sizes_are_refused_by_the_encodings_name(monkeypatch):
    require_size(shared.MAX_VARIABLES, "margin")
    with pytest.raises(ValueError, match=r"encode\('margin'\) would have 8193"):
        require_size(shared.MAX_VARIABLES + 1, "margin")
    monkeypatch.setattr(shared, "MAX_VARIABLES", 4)
    p = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, 2.0], aggregate_columns=False)
    for name, variables in (("majority", 7), ("unbalanced", 5), ("paper", 13)):
        with pytest.raises(ValueError, match=rf"encode\('{name}'\) would have {variables} variables"):
            p.encode(name)
    assert p.encode("margin").num_variables == 3
    monkeypatch.setattr(shared, "MAX_VARIABLES", 2)
    with pytest.raises(ValueError, match=r"encode\('margin'\) would have 3"):
        p.encode("margin")


def test_precision_is_held_on_both_sides_of_zero():
    eps = np.finfo(np.float64).eps
    small, none = np.array([0.25, -0.25]), np.zeros((2, 2))
    for sign in (1.0, -1.0):
        for linear, quadratic in ((small, np.array([[0.0, sign], [0.0, 0.0]])), (np.array([0.25, sign]), none)):
            require_precision(linear, quadratic, 2.0 * eps, "margin")
            with pytest.raises(ValueError, match=r"encode\('margin'\) would lose the smallest weight"):
                require_precision(linear, quadratic, 1.9 * eps, "margin")
            for bad in (sign * np.inf, np.nan):
                for pair in ((linear, np.full((2, 2), bad)), (np.full(2, bad), quadratic)):
                    with pytest.raises(ValueError, match=r"encode\('margin'\) overflows"):
                        require_precision(*pair, 0.0, "margin")
    require_precision(np.zeros(0), np.zeros((0, 0)), 0.0, "margin")
    require_precision(small, none, 0.5 * eps, "margin")
    with pytest.raises(ValueError, match="lose"):
        require_precision(small, none, 0.49 * eps, "margin")


@pytest.mark.parametrize("name", ["margin", "unbalanced", "paper", "majority"])
def test_overflow_is_reported_by_name(name):
    options = {"paper": {"lam": 1e308}, "margin": {"kappa": 1e300}}.get(name, {"factor": 1e308})
    p = SignProjection([[1, -1, 1], [1, 1, 1]], [1e100, -1e100])
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=rf"encode\('{name}'\) overflows"):
        p.encode(name, **options)


def test_figures_of_a_linear_model():
    model = linear_of_rows(SignProjection([[1, -1, 1], [1, 1, 1]], [0.125, -0.5]).rows)
    assert model.scale == 1.0 == max(abs(model.cost))
    assert model.reach == pytest.approx(2 * 0.125 + 2 * 0.5)
    tiny = linear_of_rows(SignProjection([[1, -1, 1]], [0.01]).rows)
    assert tiny.scale == 0.02
    idle = linear_of_rows(SignProjection([[1, -1, 1]], [0.0]).rows)
    assert idle.scale == 1.0
    assert idle.reach == 0.0
    eps = np.finfo(np.float64).eps
    assert model.error == pytest.approx(4 * eps * 3 * 0.625)
    two = linear_of_quadratic(np.array([1.0, -2.0]), np.array([0]), np.array([1]), np.array([3.0]), -4.0, error=0.5)
    assert two.error - 0.5 == pytest.approx(4 * eps * (2 + 1 + 1) * 10.0, rel=0.1)
    assert (two.factor, two.shift) == (1.0, 0.0)
    assert two.reach == 6.0


def test_a_neuron_whose_targets_are_all_zero_has_weights_alone():
    encoding = SignProjection([[1, -1]], [0.0]).encode("majority")
    assert encoding.bqm.num_variables == encoding.num_weight_bits == 2
    assert not encoding.coefficients.any()
    assert encoding.smallest_gap == 0.0


@pytest.mark.parametrize(("d", "shift"), [(3, 0), (4, 2), (5, 1), (6, 1), (7, 0), (8, 0), (9, 0), (15, 0)])
def test_the_paper_shift_is_there_from_four_to_seven_weights(d, shift):
    assert paper_shift(d) == (d.bit_length(), shift)


def test_rows_of_a_constrained_model_are_labelled():
    p = SignProjection([[1, 1, -1], [1, -1, 1], [1, 1, 1]], [0.5, -0.2, 1.0])
    assert sorted(p.cqm.constraints) == ["row 0", "row 1", "row 2"]


@pytest.mark.parametrize("name", ["linear", "quadratic", "factor"])
def test_the_coefficient_that_is_refused_is_named(name):
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2])
    with pytest.raises(ValueError, match=rf"^{name} is "):
        p.encode("unbalanced", **{name: np.nan})


def test_an_unknown_encoding_is_called_one():
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2])
    with pytest.raises(ValueError, match="unknown encoding 'majorty'"):
        p.encode("majorty")


@pytest.mark.parametrize("bits", [3, 5, 12])
def test_rows_that_are_no_multiples_fill_their_bits(bits):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 7))
    q, margin = integer_rows(A, bits)
    top = 2**bits - 1
    assert np.abs(q).max(axis=1).tolist() == [top] * 5
    assert np.abs(q - A / np.abs(A).max(axis=1, keepdims=True) * top).max() <= 0.5
    assert (margin >= 0).all()
    assert (margin <= 7 / 2).all()


def test_the_members_of_a_large_class_are_taken_in_order():
    columns = Columns(np.repeat([0, 1], 40), np.ones(80, np.int8), np.array([40, 40]))
    weights = columns.weights_from_counts(np.array([[13, 29]]))[0]
    assert weights.tolist() == [1] * 13 + [-1] * 27 + [1] * 29 + [-1] * 11


def test_a_constrained_model_of_real_rows_takes_its_bits():
    p = SignProjection([[0.3, -0.7, 0.11], [0.9, 0.2, -0.4]], [0.5, -0.2])

    def largest(bits):
        cqm = constrained(p.rows, bits=bits)
        return max(abs(value) for row in cqm.constraints.values() for value in row.lhs.linear.values())

    assert largest(4) < largest(8) < largest(16)


def test_the_members_of_a_class_may_be_drawn():
    p = SignProjection(np.ones((3, 40), int) * [[1], [-1], [1]], [0.5, -0.2, 1.0])
    encoding = p.encode("majority")
    assert len(encoding.columns.sizes) == 1
    sample = dict.fromkeys(encoding.bqm.variables, 0)
    sample[encoding.columns.labels[0]] = sample[encoding.columns.labels[2]] = 1  # five of forty
    plain = encoding.decode(sample)
    assert plain.tolist() == [1] * 5 + [-1] * 35
    drawn = [encoding.decode(sample, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
    assert all((v == 1).sum() == 5 for v in drawn)


@pytest.mark.parametrize(
    ("values", "unit"),
    [([0.3, -0.7], 0.1), ([0.03, 0.05], 0.01), ([300.0, 500.0], 100.0), ([1.25, 0.75], 0.25), ([2.0**-41, 1.0], 0.0)],
)
def test_a_quantum_divides_all_values(values, unit):
    assert quantum(np.array(values)) == pytest.approx(unit, rel=1e-12)


def test_the_penalty_factor_is_named():
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2])
    with pytest.raises(ValueError, match=r"^factor is "):
        p.encode("majority", factor=-1.0)


def test_squares_of_many_rows_add_up_block_by_block(monkeypatch):
    rng = np.random.default_rng(0)
    L, a, weights = rng.normal(size=(50, 4)), rng.normal(size=50), rng.random(50)
    whole = products.squares(L, a, weights)
    monkeypatch.setattr(products, "_ROWS", 7)
    for mine, expected in zip(products.squares(L, a, weights), whole, strict=True):
        assert mine == pytest.approx(expected, rel=1e-12)
    x = rng.integers(0, 2, 4)
    assert whole[0] @ x + x @ whole[1] @ x + whole[2] == pytest.approx(weights @ (L @ x + a) ** 2)

"""Plain models as problems: exact energies, feasibility in the rows' own units, soft constraints, keys."""

import hashlib
import itertools
import math
import random
import tracemalloc
from fractions import Fraction

import dimod
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qproj
from qproj import _arrays
from qproj._labels import canonical_order, label_text, numbered
from qproj.encodings import expression
from qproj.encodings.constrained_model import plain_bytes
from qproj.encodings.expression import Expression
from qproj.encodings.units import quantum
from qproj.projections import as_problem


def assignments(cqm):
    ranges = []
    for v in cqm.variables:
        low, high = math.ceil(cqm.lower_bound(v)), math.floor(cqm.upper_bound(v))
        ranges.append([-1, 1] if cqm.vartype(v) is dimod.SPIN else range(low, high + 1))
    return np.array(list(itertools.product(*ranges)), float)


def huge():
    return st.floats(-1e18, 1e18, allow_nan=False) | st.integers(-(10**17), 10**17).map(float)


@given(st.lists(huge(), min_size=1, max_size=7), st.sampled_from(["SPIN", "BINARY"]), st.randoms())
def test_energies_are_exact_sums_rounded_once(biases, vartype, rng):
    pairs = list(itertools.combinations(range(len(biases)), 2))
    quadratic = {pair: rng.choice([1e17, -1e17, 0.1, 3.0, 1e-9]) for pair in pairs}
    bqm = dimod.BinaryQuadraticModel(dict(enumerate(biases)), quadratic, 12.0, vartype)
    problem = as_problem(bqm)
    values = [-1, 1] if vartype == "SPIN" else [0, 1]
    V = np.array(list(itertools.product(values, repeat=len(biases))), np.int8)
    for v, gain in zip(V.tolist(), problem.gain(V), strict=True):
        exact = sum((Fraction(bqm.linear[i]) * v[i] for i in range(len(v))), Fraction(0))
        exact += sum((Fraction(b) * v[i] * v[j] for (i, j), b in bqm.quadratic.items()), Fraction(0))
        assert gain == pytest.approx(float(-exact), rel=3e-16, abs=0)
    assert problem.gain_bound >= problem.gain(V).max()


def test_what_cancels_leaves_the_rest():
    bqm = dimod.BinaryQuadraticModel({"a": 1e17, "b": -1e17, "c": -3.0}, {}, 0.0, "BINARY")
    assert as_problem(bqm).objective([1, 1, 1]) == -3.0
    assert as_problem(bqm).objective([1, 1, 0]) == 0.0


def test_an_offset_does_not_swamp_the_order_of_assignments():
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -1.0}, {}, 1e17, "SPIN")
    problem = as_problem(bqm)
    assert problem.objective([1, 1]) == problem.objective([-1, 1]) == 1e17
    assert problem.gain([1, 1]) < problem.gain([-1, 1])


def test_models_that_overflow_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="1e\\+308: its sums may overflow float64; divide it by that"):
        as_problem(dimod.BinaryQuadraticModel({"a": 1e308, "b": 1e308}, {}, 0.0, "SPIN"))
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(1e300 * dimod.Integer("i", upper_bound=10**10))
    with pytest.raises(ValueError, match="tighten the bounds"):
        as_problem(cqm)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(1e308 * dimod.Binary("i") <= 3, label="huge")
    with pytest.raises(ValueError, match="constraint 'huge'"):
        as_problem(cqm)


def counted(seed, unit):
    """A CQM whose rows are whole numbers times `unit`, and the whole numbers."""
    rng = random.Random(seed)
    s, b = dimod.Spin("s"), dimod.Binary("b")
    i, j = dimod.Integer("i", lower_bound=-2, upper_bound=3), dimod.Integer("j", lower_bound=0, upper_bound=4)
    terms = [s, b, i, j, s * b, i * b, i * j, j * j]
    cqm, rows = dimod.ConstrainedQuadraticModel(), []
    cqm.set_objective(s - b + 2 * i - 3 * j)
    for number, sense in enumerate(["<=", ">=", "=="]):
        chosen, numbers = rng.sample(range(8), 4), [rng.choice([-7, -2, -1, 1, 3, 5]) for _ in range(4)]
        right = rng.randint(-3, 6)
        cqm.add_constraint(
            sum((unit * n) * terms[k] for n, k in zip(numbers, chosen, strict=True)), sense, rhs=unit * right,
            label=f"c{number}",
        )  # fmt: skip
        rows.append((chosen, numbers, sense, right))
    return cqm, rows


def is_met(row, values):
    s, b, i, j = (values[v] for v in "sbij")
    terms = [s, b, i, j, s * b, i * b, i * j, j * j]
    chosen, numbers, sense, right = row
    left = sum(n * terms[k] for n, k in zip(numbers, chosen, strict=True))
    return {"<=": left <= right, ">=": left >= right, "==": left == right}[sense]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("unit", [1.0, 5e-7, 0.1, 1e9, 1 / 3, 1e-12, 7e11])
def test_rows_of_whole_multiples_are_met_or_not_exactly(seed, unit):
    cqm, rows = counted(seed, unit)
    problem = as_problem(cqm)
    V = assignments(cqm)
    feasible = np.isfinite(problem.objective(V))
    for v, found in zip(V.tolist(), feasible.tolist(), strict=True):
        values = {label: int(x) for label, x in zip(cqm.variables, v, strict=True)}
        assert found == all(is_met(row, values) for row in rows)


@pytest.mark.parametrize("power", range(-12, 13, 3))
@pytest.mark.parametrize("seed", range(4))
def test_a_rows_own_unit_changes_nothing(seed, power):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=4) if seed % 2 else rng.integers(-9, 10, 4) * rng.choice([1.0, 0.1, 0.25])
    right = float(rng.choice(coefficients) + rng.choice(coefficients))
    answers = []
    for scale in (1.0, 10.0**power):
        cqm = dimod.ConstrainedQuadraticModel()
        x = [dimod.Binary(f"x{k}") for k in range(4)]
        cqm.set_objective(sum((k + 1) * v for k, v in enumerate(x)))
        cqm.add_constraint(
            sum(float(scale * a) * v for a, v in zip(coefficients, x, strict=True)), "==", rhs=scale * right,
            label="row",
        )  # fmt: skip
        answers.append(as_problem(cqm).objective(assignments(cqm)))
    np.testing.assert_array_equal(*answers)


def test_large_whole_numbers_are_counted_beyond_float64():
    i, j = dimod.Integer("i"), dimod.Integer("j")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-i - j)
    cqm.add_constraint(i + j <= 10**9, label="sum")
    cqm.add_constraint((2.0**40) * i - (2.0**40 - 1) * j >= 0, label="product")
    problem = as_problem(cqm)
    assert np.isfinite(problem.objective([5e8, 5e8]))
    assert np.isinf(problem.objective([5e8, 5e8 + 1]))
    assert np.isinf(problem.objective([499_999_999, 5e8 + 1]))


def test_the_measures_of_units_do_not_depend_on_the_unit():
    assert quantum(np.array([0.1, 0.2, 0.7])) == pytest.approx(0.1)
    assert quantum(np.array([3.0, 2.0**45])) == 1.0
    assert quantum(np.array([5e-7, 1.5e-6])) == pytest.approx(5e-7)
    assert quantum(np.pi * np.array([4.0, 6.0, 9.0])) == pytest.approx(np.pi)
    assert quantum(np.random.default_rng(0).normal(size=3)) == 0.0


def soft_model(penalty="linear", sense="<=", weight=0.5, whole=True):
    x, y = dimod.Binaries("xy")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-3 * x - 2 * y)
    left = 2 * x + 3 * y if whole else math.pi * x + math.e * y
    cqm.add_constraint(left, sense, rhs=1, label="soft", weight=weight, penalty=penalty)
    return cqm


@pytest.mark.parametrize("penalty", ["linear", "quadratic"])
@pytest.mark.parametrize("sense", ["<=", ">=", "=="])
@pytest.mark.parametrize("whole", [True, False])
def test_violations_of_soft_constraints_are_paid(penalty, sense, whole):
    cqm = soft_model(penalty, sense, whole=whole)
    problem = as_problem(cqm)
    for x, y in itertools.product([0, 1], repeat=2):
        left = 2 * x + 3 * y if whole else math.pi * x + math.e * y
        missed = {"<=": max(0, left - 1), ">=": max(0, 1 - left), "==": abs(left - 1)}[sense]
        expected = -3 * x - 2 * y + 0.5 * (missed**2 if penalty == "quadratic" else missed)
        values = {"x": x, "y": y}
        assert problem.objective([values[v] for v in cqm.variables]) == pytest.approx(expected, rel=1e-14)


def test_a_model_in_another_order_of_variables_and_constraints_has_the_same_key():
    def model(order):
        cqm = dimod.ConstrainedQuadraticModel()
        for v in order:
            cqm.add_variable("INTEGER", v, lower_bound=-1, upper_bound=3)
        i, j = dimod.Integer("i", lower_bound=-1, upper_bound=3), dimod.Integer("j", lower_bound=-1, upper_bound=3)
        cqm.set_objective(i * j - 2 * i)
        rows = {"p": i + j <= 2, "q": i - j >= -1}
        for name in sorted(rows, reverse=order == "ji"):
            cqm.add_constraint(rows[name], label=name + order)
        return cqm

    assert as_problem(model("ij")).key == as_problem(model("ji")).key
    assert as_problem(model("ij")).canonical.cqm.variables == as_problem(model("ji")).canonical.cqm.variables


def test_whatever_changes_a_problem_changes_its_key():
    def model(**change):
        kind, bound = change.get("kind", "INTEGER"), change.get("bound", 4)
        cqm = dimod.ConstrainedQuadraticModel()
        i = dimod.QuadraticModel()
        i.add_variable(kind, "i", lower_bound=0, upper_bound=bound)
        i.set_linear("i", change.get("bias", 1.0))
        cqm.set_objective(i + change.get("offset", 0.0))
        b = dimod.Binary("b")
        cqm.add_constraint(
            change.get("row", 1.0) * b + b * dimod.Binary("c") * change.get("product", 1.0), change.get("sense", "<="),
            rhs=change.get("rhs", 1.0), label=change.get("label", "r"), weight=change.get("weight"),
            penalty=change.get("penalty", "linear"),
        )  # fmt: skip
        return as_problem(cqm).key

    changes = [
        {}, {"kind": "REAL"}, {"bound": 5}, {"bias": 1.0 + 2**-52}, {"offset": 1e-9}, {"row": 1.0000000001},
        {"product": 2.0}, {"sense": ">="}, {"sense": "=="}, {"rhs": 1.1}, {"weight": 0.5}, {"weight": 0.75},
        {"weight": 0.5, "penalty": "quadratic"},
    ]  # fmt: skip
    keys = [model(**change) for change in changes]
    assert len(set(keys)) == len(keys)
    assert model(label="another name") == model()


def test_an_expression_keeps_its_value_under_renumbering():
    rng = np.random.default_rng(0)
    form = Expression(
        np.array([2, 0, 1]), rng.normal(size=3), np.array([0, 1]), np.array([2, 0]), rng.normal(size=2), 0.5
    )
    place = np.array([1, 2, 0])
    V = rng.integers(-3, 4, (5, 3))
    moved = np.empty_like(V)
    moved[:, place] = V
    np.testing.assert_array_equal(form.values(V), form.renumbered(place).values(moved))
    for v, value in zip(V, form.values(V), strict=True):
        assert float(form.exact(v)) == value


def test_the_key_of_a_model_is_hashed_in_blocks_without_a_second_copy(monkeypatch):
    rng = np.random.default_rng(0)
    bqm = dimod.BinaryQuadraticModel("SPIN")
    bqm.add_linear_from({f"v{i}": float(rng.integers(-1, 2)) for i in rng.permutation(40)})
    for u, v in rng.integers(0, 40, (100, 2)):
        if u != v:
            bqm.add_quadratic(f"v{u}", f"v{v}", float(rng.integers(-1, 2)))
    bqm.offset = -0.0
    problem = as_problem(bqm)
    digest = hashlib.sha256(b"bqm 1 SPIN")
    digest.update("".join(f"str {label!r}\n" for label in problem.canonical.variables).encode())
    for array in problem.canonical.form.arrays():
        digest.update(plain_bytes(array))
    for block in (7, 1 << 16):
        monkeypatch.setattr(_arrays, "_BLOCK", block)
        monkeypatch.setattr(expression, "_BLOCK", block)
        assert as_problem(bqm).key == digest.hexdigest()

    first, second = np.divmod(np.arange(200_000), 400)
    large = as_problem(
        dimod.BinaryQuadraticModel.from_numpy_vectors(
            np.ones(900), (first, second + 500, rng.normal(size=200_000)), 0.0, "SPIN"
        )
    )
    tracemalloc.start()
    try:
        assert large.key
        assert tracemalloc.get_traced_memory()[1] < 0.7 * large.bqm.nbytes()
    finally:
        tracemalloc.stop()


def test_the_key_of_a_layer_is_hashed_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], (300, 700))
    one = qproj.LayerProjection(X, rng.normal(size=(300, 5)))
    header, arrays = one._content()
    digest = hashlib.sha256(f"qproj LayerProjection 1 {header!r}".encode())
    for array in arrays:
        plain = array + 0.0 if array.dtype.kind == "f" else array
        digest.update(f"{plain.shape} {plain.dtype.kind}{plain.dtype.itemsize}".encode())
        digest.update(np.ascontiguousarray(plain).tobytes())
    assert one.key == digest.hexdigest()
    halves = [qproj.LayerProjection(X, one.T[:, part]) for part in (slice(0, 3), slice(3, 5))]
    assert [half.key for half in halves] == [one.part(0, 3).key, one.part(3, 5).key]  # strided


def test_labels_that_are_numbers_are_sorted_as_their_texts_are():
    rng = np.random.default_rng(0)
    for count in range(0, 400, 37):
        labels = [*map(int, rng.choice(np.arange(-900, 9000), count, replace=False)), 10**17, -(10**17), 10**18 - 1]
        random.Random(count).shuffle(labels)
        keys = [(type(label).__name__, label_text(label)) for label in labels]
        assert canonical_order(labels) == sorted(range(len(labels)), key=keys.__getitem__)
    assert canonical_order([10**18, True, 1]) == [1, 2, 0]
    assert numbered([2, 0, 1]).tolist() == [1, 2, 0]
    assert numbered([0, 2]) is None
    assert numbered([False, True]) is None


def test_the_number_of_products_is_that_of_the_linear_model():
    x, y, z = dimod.Binaries("xyz")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x * y + z)
    cqm.add_constraint(x * z + y * z + x <= 1, label="row")
    rng = np.random.default_rng(0)
    X, t = rng.choice([-1, 1], (8, 5)), rng.normal(size=8)
    sparse = dimod.BinaryQuadraticModel({}, {"ab": 1.0, "bc": 2.0}, 0.0, "SPIN")
    problems = [(sparse, 2), (cqm, 3), (qproj.SignProjection(X, t), 0), (qproj.LinearProjection(X, t), 10)]
    assert [as_problem(model).num_products() for model, _ in problems] == [count for _, count in problems]


def test_a_matrix_both_ways_is_symmetric_with_sorted_columns():
    rng = np.random.default_rng(0)
    pairs = np.array([pair for pair in itertools.combinations(range(9), 2) if rng.random() < 0.4])
    flipped = np.where(rng.random((len(pairs), 1)) < 0.5, pairs, pairs[:, ::-1])
    values = rng.normal(size=len(pairs))
    start, other, both = _arrays.both_ways(10, *flipped.T, values)
    dense = np.zeros((10, 10))
    dense[tuple(pairs.T)] = dense[tuple(pairs[:, ::-1].T)] = values
    for i in range(10):
        row = slice(start[i], start[i + 1])
        assert other[row].tolist() == np.flatnonzero(dense[i]).tolist()
        assert both[row].tolist() == dense[i][dense[i] != 0].tolist()

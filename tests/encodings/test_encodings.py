"""Encodings against brute force over v, from the models' own coefficients."""

import itertools

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj import SignProjection
from qproj.encodings import Columns
from qproj.encodings.encoding import minimum_energies


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


def random_neuron(rng, d, n, wild=2.0):
    X = rng.choice([-1, 1], (n, d)).astype(np.int8)
    if n > 2 and rng.random() < 0.5:
        X[1], X[2] = -X[0], X[0]
    if d > 2 and rng.random() < 0.5:
        X[:, 1], X[:, 2] = -X[:, 0], X[:, 0]
    return X, rng.normal(size=n) * 10.0 ** rng.uniform(-wild, wild, n)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_majority_minimised_group_by_group_is_the_objective_for_every_v(seed, d, n):
    rng = np.random.default_rng(seed)
    X, t = random_neuron(rng, d, n)
    p = SignProjection(X, t)
    encoding = p.encode("majority")
    assert encoding.exact
    columns = p.aggregated.columns
    # one v for every pattern of counts: the first members agree
    counts = np.array(list(itertools.product(*(range(m + 1) for m in columns.sizes.tolist()))))
    V = columns.weights_from_counts(counts)
    bits = columns.bits_from_counts(counts).astype(float)
    assert (columns.counts_from_bits(bits.astype(int)) == counts).all()
    energies = minimum_energies(encoding, bits)
    gains = (p.constant - energies) / 2
    np.testing.assert_allclose(gains, p.gain(V), atol=1e-9 * max(np.abs(t).sum(), 1e-300) + 1e-12 * p.constant)
    best = p.gain(every_vector(d)).max()
    assert p.gain(V[np.argmin(energies)]) >= best - 1e-9 * np.abs(t).sum()


@pytest.mark.parametrize("seed", range(25))
def test_whole_bqms_by_exact_solver(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 6))
    X, t = random_neuron(rng, d, int(rng.integers(1, 4)), wild=1.0)
    p = SignProjection(X, t)
    if p.bqm.num_variables > 20:
        pytest.fail("the sizes were meant to stay within ExactSolver's reach")
    lowest = dimod.ExactSolver().sample(p.bqm).first
    v = p.decode(lowest.sample)
    assert p.gain(v) == pytest.approx(p.gain(every_vector(d)).max(), abs=1e-9 * np.abs(t).sum())
    assert lowest.energy == pytest.approx(p.objective(v), rel=1e-9)


@pytest.mark.parametrize(("factor", "exact"), [(4.5, True), (4.01, True), (4.0, False), (3.0, False)])
def test_majority_certifies_itself_beyond_four_only(factor, exact):
    rng = np.random.default_rng(0)
    p = SignProjection(*random_neuron(rng, 5, 4))
    encoding = p.encode("majority", factor=factor)
    assert encoding.exact is exact
    assert ("gains at most" in encoding.why) is exact


def test_a_penalty_of_two_is_wrong_somewhere():
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = SignProjection(rng.choice([-1, 1], (8, 6)), rng.normal(size=8))
        wrong += not p.encode("majority", factor=2.0).verify().agrees
    assert wrong > 0


@pytest.mark.parametrize(("d", "ours", "published"), [(3, 43, 103), (5, 65, 165), (9, 89, 269), (15, 95, 395)])
def test_variables_per_neuron_at_twenty_rows(d, ours, published):
    rng = np.random.default_rng(d)
    p = SignProjection(rng.choice([-1, 1], (20, d)), rng.normal(size=20), aggregate_rows=False, aggregate_columns=False)
    assert p.bqm.num_variables == ours
    assert p.encode("paper").num_variables == published


def published_minimum(X, t, lam=50.0):
    """argmin of the published model by its formula: given v, each row's y and slacks are free."""
    d = X.shape[1]
    m = int(np.floor(np.log2(d))) + 1
    shift = (2**m - d - d % 2) / 2 if 4 <= d < 8 else 0.0
    g = (1 + t) / 2
    V = every_vector(d)
    p = (V @ X.T + d) // 2
    s = np.arange(2 ** (m - 1))
    cost = np.full(p.shape, np.inf)
    for y in (0, 1):
        residual = ((p[..., None] + shift - s - 2 ** (m - 1) * y) ** 2).min(axis=-1)
        cost = np.minimum(cost, lam * residual + (g - y) ** 2)
    return V, cost.sum(axis=1)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_published_model_is_its_formula(d):
    rng = np.random.default_rng(d)
    X, t = rng.choice([-1, 1], (2, d)), rng.normal(size=2)
    p = SignProjection(X, t)
    encoding = p.encode("paper")
    V, energies = published_minimum(X, t)
    found = minimum_energies(encoding, ((V + 1) // 2).astype(float))
    np.testing.assert_allclose(found, energies, atol=1e-9)


@pytest.mark.parametrize("d", range(2, 16))
def test_the_published_minimiser_is_right_only_where_its_shift_fits(d):
    """n = 20 rows, X uniform ±1, t standard normal, seeds 1000·d + neuron; docs/findings.md has larger samples."""
    neurons, wrong = 40 if d <= 10 else 8, 0
    for neuron in range(neurons):
        rng = np.random.default_rng(1000 * d + neuron)
        X, t = rng.choice([-1, 1], (20, d)), rng.normal(size=20)
        V, energies = published_minimum(X, t)
        gains = SignProjection(X, t).gain(V)
        wrong += gains[np.argmin(energies)] < gains.max() - 1e-9
    least, most = {2: (0.5, 0.9), **dict.fromkeys(range(8, 15), (0.8, 1.0))}.get(d, (0.0, 0.0))
    assert least <= wrong / neurons <= most


def test_published_is_refused_where_it_has_no_case():
    with pytest.raises(ValueError, match="no case for d = 16"):
        SignProjection(np.ones((2, 16)), [1.0, 2.0]).encode("paper")
    with pytest.raises(ValueError, match="majority"):
        SignProjection([[0.5, 1.0]], [1.0]).encode("paper")


def test_margin_and_unbalanced_say_that_they_are_inexact():
    p = SignProjection(np.ones((2, 3)), [1.0, 2.0])
    for name in ("margin", "unbalanced", "paper"):
        encoding = p.encode(name)
        assert not encoding.exact
        assert encoding.why


def test_unbalanced_penalises_with_one_bit_a_row():
    rng = np.random.default_rng(1)
    p = SignProjection(rng.choice([-1, 1], (6, 5)), rng.normal(size=6), aggregate_columns=False)
    encoding = p.encode("unbalanced")
    assert encoding.num_variables == 5 + len(p.aggregated.tau)
    # at y as they should be, the objective part is the objective up to the parabola's value
    assert encoding.verify().best_gain == pytest.approx(p.gain(every_vector(5)).max())


@pytest.mark.parametrize("d", [1, 4, 5])
@pytest.mark.parametrize("n", [1, 3])
def test_energy_at_consistent_slacks_is_the_objective_offset_included(d, n):
    rng = np.random.default_rng(10 * d + n)
    p = SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n), aggregate_rows=False, aggregate_columns=False)
    for v in every_vector(d):
        sample = {("w", k): int(v[k] > 0) for k in range(d)}
        m = int(np.ceil(np.log2(d // 2 + 1))) + 1
        for g, x in enumerate(p.X):
            total = int((x * v > 0).sum()) + 2 ** (m - 1) - (d + 1) // 2
            sample |= {("r", g, b): (total >> b) & 1 for b in range(m - 1)} | {("y", g): total >> (m - 1)}
        assert p.bqm.energy(sample) == pytest.approx(p.objective(v))
        assert (p.decode(sample) == v).all()


def test_decode_reads_weight_bits_only():
    rng = np.random.default_rng(7)
    p = SignProjection(rng.choice([-1, 1], (5, 6)), rng.normal(size=5))
    samples = rng.integers(0, 2, (10, p.bqm.num_variables))
    scrambled = samples.copy()
    labels = list(p.bqm.variables)
    slack = [i for i, label in enumerate(labels) if label[0] in "ry"]
    scrambled[:, slack] ^= 1
    first = dimod.SampleSet.from_samples_bqm((samples, labels), p.bqm)
    second = dimod.SampleSet.from_samples_bqm((scrambled, labels), p.bqm)
    assert (p.decode(first) == p.decode(second)).all()
    with pytest.raises(ValueError, match="no variable"):
        p.decode({("w", 0): 1})


def test_decode_takes_samples_sample_sets_and_arrays():
    rng = np.random.default_rng(8)
    p = SignProjection(rng.choice([-1, 1], (3, 4)), rng.normal(size=3))
    encoding = p.encode("margin")
    for decode, bqm in ((p.decode, p.bqm), (encoding.decode, encoding.bqm)):
        labels = list(bqm.variables)
        samples = rng.integers(0, 2, (5, len(labels)))
        expected = np.array([decode(dict(zip(labels, row))) for row in samples])
        assert expected.shape == (5, 4)
        found = dimod.SampleSet.from_samples_bqm((samples, labels), bqm)
        assert (decode(found) == expected).all()
        assert (decode(found.change_vartype("SPIN", inplace=False)) == expected).all()
        assert (decode(samples) == expected).all()
        assert (decode(samples[0].tolist()) == expected[0]).all()
        assert (decode(found.first) == decode(found.first.sample)).all()
        with pytest.raises(ValueError, match="order of the model's variables"):
            decode(samples[:, 1:])
        with pytest.raises(ValueError, match=r"outside 0\.\.1"):
            decode(2 * samples - 1)
        with pytest.raises(TypeError, match="sample"):
            decode("0101")


def test_verify_tells_near_ties_apart():
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = rng.choice([-1, 1], (6, 7))
        encoding = SignProjection(X, rng.normal(size=6) * 10.0 ** rng.uniform(-3, 5, 6)).encode()
        assert encoding.exact
        assert encoding.verify().agrees


@pytest.mark.parametrize(
    ("name", "option"),
    [("majority", "factor"), ("margin", "kappa"), ("paper", "lam"), ("unbalanced", "quadratic")],
)
def test_options_that_are_no_positive_numbers_are_refused_by_name(name, option):
    p = SignProjection([[1, -1, 1]], [1.0])
    for value in ("a", None, True, [1.0]):
        with pytest.raises(TypeError, match=f"{option} is .*use"):
            p.encode(name, **{option: value})
    for value in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"{option} is .*use"):
            p.encode(name, **{option: value})


def test_cqm_minimisers_are_the_projections():
    for seed in range(15):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 6))
        X, t = random_neuron(rng, d, 4, wild=1.0)
        p = SignProjection(X, t)
        domains = [range(int(p.cqm.lower_bound(v)), int(p.cqm.upper_bound(v)) + 1) for v in p.cqm.variables]
        best = np.inf
        for values in itertools.product(*domains):
            sample = dict(zip(p.cqm.variables, values))
            if p.cqm.check_feasible(sample):
                energy = p.cqm.objective.energy(sample)
                if energy < best:
                    best, found = energy, sample
        assert p.gain(p.decode(found)) == pytest.approx(p.gain(every_vector(d)).max(), abs=1e-9 * np.abs(t).sum())
        assert best == pytest.approx(p.objective(p.decode(found)))


def test_real_rows_state_their_fixed_point_error():
    rng = np.random.default_rng(3)
    p = SignProjection(rng.normal(size=(3, 4)), rng.normal(size=3))
    coarse, fine = p.encode("majority", bits=3), p.encode("majority", bits=10)
    assert not coarse.exact
    assert coarse.error > fine.error > 0
    V = every_vector(4)
    z = np.abs(V @ p.X.T)
    assert (z > fine.error).mean() > 0.9  # at 10 bits almost no sign is in doubt
    fine_best = fine.verify()
    assert fine_best.model_gain == pytest.approx(fine_best.best_gain)


def test_extreme_weights_are_refused_not_hidden():
    p = SignProjection([[1, 1, 1], [1, -1, 1]], [1e-300, 1e100])
    with pytest.raises(ValueError, match="lose the smallest weight"):
        p.encode("majority")
    with pytest.raises(ValueError, match="did you mean 'majority'"):
        p.encode("majorty")
    with pytest.raises(TypeError, match="did you mean 'factor'"):
        p.encode("majority", facter=3)
    with pytest.raises(ValueError, match="factor"):
        p.encode("majority", factor=float("nan"))
    with pytest.raises(ValueError, match="kappa"):
        p.encode("margin", kappa=0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_counts_bits_and_weights_agree(sizes, seed):
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    rng.shuffle(owners)
    _, class_of = np.unique(owners, return_inverse=True)
    first = {}
    class_of = np.array([first.setdefault(c, len(first)) for c in class_of])
    columns = Columns(class_of, np.where(rng.random(len(owners)) < 0.5, -1, 1).astype(np.int8), np.bincount(class_of))
    counts = np.array([[rng.integers(0, m + 1) for m in columns.sizes] for _ in range(5)])
    for generator in (None, rng):
        v = columns.weights_from_counts(counts, generator)
        assert (columns.counts_from_weights(v) == counts).all()
    bits = columns.bits_from_counts(counts)
    assert (columns.counts_from_bits(bits) == counts).all()
    assert (columns.counts_from_bits(np.ones_like(bits)) == columns.sizes).all()

"""Every road ends at one optimum: brute force, the BQM's minimum, and each solver that claims exactness."""

import itertools
from dataclasses import replace

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qproj
from qproj.encodings.encoding import minimum_energies
from qproj.solvers import MissingLicenceError


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


@st.composite
def neurons(draw, max_d=9, max_n=8):
    """±1 rows with duplicates and opposites, columns equal or opposite, weights of wild ranges."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, n = draw(st.integers(1, max_d)), draw(st.integers(1, max_n))
    X = rng.choice([-1, 1], (n, d))
    for i in range(1, n):
        if rng.random() < 0.3:
            X[i] = rng.choice([-1, 1]) * X[rng.integers(i)]
    for k in range(1, d):
        if rng.random() < 0.3:
            X[:, k] = rng.choice([-1, 1]) * X[:, rng.integers(k)]
    wild = draw(st.sampled_from([0.0, 1.0, 4.0]))
    t = rng.normal(size=n) * 10.0 ** rng.uniform(-wild, wild, n) * 10.0 ** draw(st.integers(-12, 12))
    t[rng.random(n) < 0.1] = 0.0
    return qproj.SignProjection(X, t)


@given(neurons())
@settings(max_examples=80)
def test_brute_force_the_models_minimum_and_exact_solvers_agree(p):
    tolerance = 1e-9 * float(np.abs(p.t).sum())
    best = p.gain(every_vector(p.X.shape[1])).max()

    encoding = p.encode("majority")
    bits = ((np.arange(2**encoding.num_weight_bits)[:, None] >> np.arange(encoding.num_weight_bits)) & 1).astype(float)
    lowest = bits[np.argmin(minimum_energies(replace(encoding, offset=0.0), bits))].astype(int)
    weights = p.aggregated.columns.weights_from_counts(p.aggregated.columns.counts_from_bits(lowest[None]))[0]
    assert p.gain(weights) == pytest.approx(best, abs=tolerance)

    for name in ("exhaustive", "cpsat", "auto"):
        found = qproj.get_solver(name).solve(p, seed=0)
        assert found.status == "optimal", name
        assert found.gain == pytest.approx(best, abs=tolerance), name
        assert found.gap == 0.0
        assert found.bound <= p.objective(found.best)


@pytest.mark.parametrize("seed", range(12))
def test_whole_models_up_to_twenty_variables(seed):
    rng = np.random.default_rng([seed, 20])
    while True:
        p = _small(rng)
        if 12 <= p.bqm.num_variables <= 20:
            break
    exact = dimod.ExactSolver().sample(p.bqm).first
    auto = qproj.get_solver("auto").solve(p)
    assert p.gain(p.decode(exact.sample)) == pytest.approx(auto.gain, abs=1e-9 * np.abs(p.t).sum())
    assert exact.energy == pytest.approx(auto.objective)
    assert qproj.get_solver("cpsat").solve(p.bqm).objective == pytest.approx(exact.energy)


def _small(rng):
    n, d = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def exact_solvers():
    return [s.name for s in qproj.list_solvers() if s.capabilities is not None and s.capabilities.exact]


@pytest.mark.parametrize("name", exact_solvers())
@pytest.mark.parametrize("shape", [(20, 3), (20, 5), (16, 9)])
def test_all_that_claim_exactness_agree_on_the_papers_sizes(name, shape):
    rng = np.random.default_rng(shape)
    p = qproj.SignProjection(rng.choice([-1, 1], shape), rng.normal(size=shape[0]))
    best = p.gain(every_vector(shape[1])).max()
    try:
        solution = qproj.get_solver(name).solve(p)
    except MissingLicenceError as error:
        pytest.skip(str(error))
    except qproj.solvers.TooLargeError:
        if name != "tree":  # whose reach is the treewidth
            raise
        return
    assert solution.status == "optimal"
    assert solution.gain == pytest.approx(best, abs=1e-9 * np.abs(p.t).sum())

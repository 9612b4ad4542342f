"""The annealing kernel equals its slow definition, keeps its promises, and solves small neurons."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels import soft_annealing
from qproj.solvers.builtin.kernels.annealing_sweeps import LOGS, Schedule, anneal
from qproj.solvers.builtin.kernels.sharing import Limits


def brute_best(A, M, tau):
    ranges = [range(m + 1) for m in M]
    return max(float(tau @ np.where(A @ (2 * np.array(c) - M) >= 0, 1.0, -1.0)) for c in itertools.product(*ranges))


def sweeps_reference(A, M, units, tau, c, state, K, heat):
    """The move rule of `anneal` in exact integers: returns (best counts, best gain, last counts)."""
    word_mask = (1 << 64) - 1
    shift = 1 - int(M.sum()) % 2
    norm = float(np.sqrt((tau.astype(float) ** 2).sum()))
    c = c.copy()
    kept, kept_gain = c.copy(), -(2**31)  # nothing is kept yet

    def soft(counts, k):
        return float(tau @ np.clip(A @ (2 * counts - M) + shift, -k, k))

    for k, h in zip(K.tolist(), heat.tolist(), strict=True):
        for j, step in units.tolist():
            state ^= state >> 12
            state = (state ^ (state << 25)) & word_mask
            state ^= state >> 27
            word = (state * 2685821657736338717) & word_mask
            if M[j] == 1:
                step = 1 - 2 * int(c[j])
            else:
                step = -step if word & (1 << 20) else step
                step = step if 0 <= c[j] + step <= M[j] else -step
                if not 0 <= c[j] + step <= M[j]:
                    continue
            after = c.copy()
            after[j] += step
            change = soft(after, k) - soft(c, k)
            if change < h * norm * np.log(np.float32(((word >> 52) + 0.5) / 4096)):
                continue
            c = after
            gain = float(tau @ np.where(A @ (2 * c - M) >= 0, 1.0, -1.0))
            if gain > kept_gain:
                kept, kept_gain = c.copy(), gain
                if gain == np.abs(tau).sum():
                    return kept, kept_gain, c
    return kept, kept_gain, c


@st.composite
def neurons(draw):
    G, C = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    A = np.array(draw(st.lists(st.sampled_from([-1, 1]), min_size=G * C, max_size=G * C)), np.int8).reshape(G, C)
    M = np.array(draw(st.lists(st.integers(1, 4), min_size=C, max_size=C)), np.int64)
    tau = np.array(draw(st.lists(st.integers(-8, 8).filter(bool), min_size=G, max_size=G)), float)
    return A, M, tau


@settings(max_examples=60, deadline=None)
@given(neurons(), st.integers(1, 2**32))
def test_kernel_equals_its_definition(neuron, seed):
    A, M, tau = neuron
    problem = soft_annealing._Problem.of(A, M, tau[:, None])
    schedule = Schedule(np.array([8, 4, 2, 1, 1], np.int16), np.array([2.0, 1.0, 0.5, 0.25, 0.125]))
    c = np.random.default_rng(seed).integers(0, M + 1)
    block = problem.block(np.array([0]), c.copy()[None], np.array([seed], np.uint64))
    anneal(problem.moves, block, schedule, LOGS, (0, 5), (0, 1))
    whole, units = problem.taus[0], problem.moves.units
    slow_kept, slow_gain, slow = sweeps_reference(A.astype(int), M, units, whole, c, seed, *schedule)
    np.testing.assert_array_equal(block.now[0], slow)
    np.testing.assert_array_equal(block.kept[0], slow_kept)
    assert block.gains[0] == slow_gain


def one_neuron(A, M, tau, seed):
    found = soft_annealing.soft_anneal_layer(A, M, tau[:, None], seeds=neuron_seeds(seed, 1), sweeps=100, starts=4)
    return found.counts[0], found.gains[0], found.met[0]


@settings(max_examples=40, deadline=None)
@given(neurons())
def test_small_neurons_are_solved(neuron):
    A, M, tau = neuron
    c, gain, met = one_neuron(A, M, tau, seed=1)
    assert ((c >= 0) & (c <= M)).all()
    assert gain == pytest.approx(float(tau @ np.where(A.astype(int) @ (2 * c - M) >= 0, 1.0, -1.0)))
    assert gain == pytest.approx(brute_best(A.astype(int), M, tau))
    assert met == (gain == np.abs(tau).sum())


def random_layer(n=48, d=24, dout=7, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.choice(np.array([-1, 1], np.int8), (n, d)),
        np.ones(d, np.int64),
        rng.standard_normal((n, dout)),
    )


def test_result_does_not_depend_on_threads_or_scale():
    A, M, Tau = random_layer()
    one = soft_annealing.soft_anneal_layer(
        A, M, Tau, seeds=neuron_seeds(3, 7), sweeps=60, starts=2, limits=Limits(threads=1)
    )
    two = soft_annealing.soft_anneal_layer(
        A, M, Tau, seeds=neuron_seeds(3, 7), sweeps=60, starts=2, limits=Limits(threads=2)
    )
    tiny = soft_annealing.soft_anneal_layer(A, M, Tau * 2.0**-50, seeds=neuron_seeds(3, 7), sweeps=60, starts=2)
    np.testing.assert_array_equal(one.counts, two.counts)
    np.testing.assert_array_equal(one.counts, tiny.counts)
    assert one.sweeps == two.sweeps == 7 * 2 * 60


def test_init_is_never_lost_and_never_changed():
    A, M, Tau = random_layer()
    good = soft_annealing.soft_anneal_layer(A, M, Tau, seeds=neuron_seeds(0, 7), sweeps=400)
    init = good.counts.copy()
    again = soft_annealing.soft_anneal_layer(A, M, Tau, seeds=neuron_seeds(1, 7), sweeps=1, init=init)
    assert (again.gains >= good.gains).all()
    np.testing.assert_array_equal(init, good.counts)


def test_a_past_deadline_returns_the_beginning():
    A, M, Tau = random_layer()
    done = soft_annealing.anneal_until(A, M, Tau, seeds=neuron_seeds(0, 7), limits=Limits(deadline=time.perf_counter()))
    np.testing.assert_array_equal(done.counts, (Tau.T @ A > 0).astype(int))
    assert done.sweeps == 0


def test_anneal_until_ends_early_when_all_signs_are_met():
    A, M, Tau = random_layer(n=4)
    done = soft_annealing.anneal_until(
        A, M, Tau, seeds=neuron_seeds(0, 7), limits=Limits(deadline=time.perf_counter() + 60)
    )
    assert done.met.all()
    np.testing.assert_allclose(done.gains, np.abs(Tau).sum(axis=0))


def test_rows_without_target_do_not_count():
    A, M, Tau = random_layer()
    Tau[4:] = 0
    assert soft_annealing.soft_anneal_layer(A, M, Tau, seeds=neuron_seeds(0, 7), sweeps=50).met.all()


def test_real_rows_reach_the_optimum():
    rng = np.random.default_rng(0)
    A, M, tau = (
        rng.standard_normal((12, 9)) * 10.0 ** rng.integers(-3, 3, (12, 1)),
        np.ones(9, np.int64),
        rng.standard_normal(12),
    )
    _, gain, _ = one_neuron(A, M, tau, seed=0)
    assert gain == pytest.approx(brute_best(A, M, tau))


def test_wrong_shapes_name_the_right_ones():
    with pytest.raises(ValueError, match=r"pass A \(G, C\), M \(C,\), Tau \(G, dout\)"):
        soft_annealing.soft_anneal_layer(
            np.ones((3, 2), np.int8), np.ones(3, np.int64), np.ones((3, 1)), seeds=neuron_seeds(0, 1)
        )

"""Large sparse models: the kernels agree with slow references, and time limits and seeds hold."""

import time

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers.builtin import large_models
from qproj.solvers.builtin.kernels.ising import Ising
from qproj.solvers.builtin.kernels.sparse_tabu import TabuWalk, walk_on


def sparse(n, m, seed, vartype="SPIN"):
    rng = np.random.default_rng(seed)
    bqm = dimod.BinaryQuadraticModel(vartype)
    bqm.add_linear_from(enumerate(rng.integers(-3, 4, n).tolist()))
    for u, v in rng.integers(0, n, (m, 2)).tolist():
        if u != v:
            bqm.add_quadratic(u, v, int(rng.integers(-3, 4)))
    return bqm


def slow_walk(bqm, spins, tenure, steps):
    """Return the spins, the best spins and the best energy, all from the definition."""
    s, until = spins.copy(), np.zeros(len(spins), int)
    energy, best, lowest = bqm.energy(dict(enumerate(s))), spins.copy(), bqm.energy(dict(enumerate(s)))
    for step in range(steps):
        changes = np.empty(len(s))
        for i in range(len(s)):
            flipped = s.copy()
            flipped[i] = -flipped[i]
            changes[i] = bqm.energy(dict(enumerate(flipped))) - energy
        free = np.where(until > step, np.inf, changes)
        tabu = np.where(until > step, changes, np.inf)
        i = int(free.argmin())
        j = int(tabu.argmin())
        if np.isinf(free[i]) or (energy + tabu[j] < lowest and tabu[j] < free[i]):
            i = j
        s[i] = -s[i]
        energy += changes[i]
        until[i] = step + 1 + tenure - 1
        if energy < lowest:
            best, lowest = s.copy(), energy
    return s, best, lowest


@pytest.mark.parametrize(("n", "tenure"), [(1, 1), (2, 1), (9, 2), (17, 4), (32, 8)])
def test_tabu_walks_as_the_definition_does(n, tenure):
    for seed in range(4):
        bqm = sparse(n, 2 * n, seed)
        spins = np.random.default_rng(seed).choice([-1.0, 1.0], n)
        walk = TabuWalk.begin(Ising.of(bqm), spins, tenure)
        for _ in range(3):  # in pieces as in one
            walk_on(Ising.of(bqm), walk, 40)
        s, best, lowest = slow_walk(bqm, spins, tenure, 120)
        np.testing.assert_array_equal(walk.spins, s)
        assert walk.energies[1] == lowest
        np.testing.assert_array_equal(walk.found(), best)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_both_find_the_optimum_of_small_models(vartype):
    bqm = sparse(12, 20, 0, vartype)
    lowest = dimod.ExactSolver().sample(bqm).first.energy
    rng = np.random.default_rng(0)
    annealed = large_models.annealed(bqm, 5, np.geomspace(0.1, 5.0, 100), rng, lambda: False, None)
    tabu = large_models.tabu_searched(bqm, 5, 2000, rng, lambda: False)
    for reads in (annealed, tabu):
        assert len(reads) == 5
        assert reads.first.energy == lowest
        np.testing.assert_allclose(reads.record.energy, bqm.energies(reads))


@pytest.mark.parametrize("name", ["sa", "tabu", "greedy"])
def test_a_seed_repeats_on_large_models_and_the_time_limit_holds(name, monkeypatch):
    monkeypatch.setattr(large_models, "LONG_READ", 1000)
    bqm = sparse(1500, 3000, 1)
    assert large_models.is_too_sparse(bqm)
    assert large_models.is_long(bqm, 100)
    options = {"sa": {"num_sweeps": 50}, "tabu": {"read_timeout_s": 0.05}, "greedy": {}}[name]
    solver = qproj.get_solver(name, **options)
    first, second = (solver.solve(bqm, seed=4, num_reads=2) for _ in range(2))
    np.testing.assert_array_equal(first.candidates, second.candidates)
    assert first.termination == "budget"
    begin = time.perf_counter()
    assert solver.solve(bqm, seed=4, time_limit_s=0.2).has_incumbent
    assert time.perf_counter() - begin < 60  # and not the hours of an unlimited search


def test_dense_models_and_small_ones_stay_with_dwave_samplers():
    dense = dimod.BinaryQuadraticModel(np.ones((1200, 1200)), "BINARY")
    assert not large_models.is_too_sparse(dense)
    assert not large_models.is_too_sparse(sparse(1000, 2000, 0))
    assert not large_models.is_long(sparse(1000, 2000, 0), 1000)


def test_a_hint_is_where_searches_begin():
    bqm = dimod.BinaryQuadraticModel(dict.fromkeys(range(1200), -1.0), {}, 0.0, "SPIN")
    state = np.ones(1200, np.int8)
    reads = large_models.tabu_searched(bqm, 1, 1, np.random.default_rng(0), lambda: False, state)
    assert reads.first.energy == -1200.0
    annealed = large_models.annealed(bqm, 1, np.array([1.0]), np.random.default_rng(0), lambda: True, None, state)
    assert annealed.first.energy == -1200.0

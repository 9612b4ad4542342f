"""Recombination and sweeps of the kernels agree with slow references."""

import dimod
import networkx as nx
import numpy as np
import pytest

from qproj.solvers.builtin.kernels.ising import Ising
from qproj.solvers.builtin.kernels.relinking import anneal, relink
from qproj.solvers.builtin.kernels.sharing import next_state, word_of


def model_of(n, m, seed, fields=True):
    rng = np.random.default_rng(seed)
    bqm = dimod.BinaryQuadraticModel("SPIN")
    bqm.add_linear_from((v, int(rng.integers(-2, 3)) * fields) for v in range(n))
    for u, v in rng.integers(0, n, (m, 2)).tolist():
        if u != v:
            bqm.add_quadratic(u, v, int(rng.integers(-2, 3)))
    return bqm


def energies(bqm, spins):
    return np.asarray(bqm.energies((np.atleast_2d(spins), range(bqm.num_variables))))


def recombined(bqm, spins, other):
    """Return the lowest energy of all mixtures of two states, from the components of networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(np.flatnonzero(spins != other).tolist())
    graph.add_edges_from(e for e, J in bqm.quadratic.items() if J and all(v in graph for v in e))
    best = spins.copy()
    for component in nx.connected_components(graph):
        tried = best.copy()
        tried[list(component)] *= -1
        if energies(bqm, tried) < energies(bqm, best):
            best = tried
    return energies(bqm, best)[0]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fields", [True, False])
def test_relinking_takes_the_best_of_all_mixtures(seed, fields):
    bqm = model_of(40, 36, seed, fields)
    rng = np.random.default_rng(seed)
    spins, other = rng.choice([-1.0, 1.0], (2, 40))
    if not fields and spins @ other < 0:
        other = -other
    expected = recombined(bqm, spins, other)
    before = energies(bqm, spins)[0]
    room = np.zeros((2, 40), np.int64)
    states = np.array([seed + 1], np.uint64)
    lowered = relink(Ising.of(bqm), spins, other[None].astype(np.int8), 1, not fields, states, room[0], room[1])
    assert set(np.unique(spins)) <= {-1.0, 1.0}
    assert energies(bqm, spins)[0] == before - lowered == expected


def test_a_mixture_is_at_least_as_low_as_either_state():
    bqm = model_of(200, 300, 1)
    states = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (6, 200))
    spins = states[0].astype(float)
    room = np.zeros((2, 200), np.int64)
    relink(Ising.of(bqm), spins, states, 6, False, np.array([1], np.uint64), room[0], room[1])
    assert energies(bqm, spins)[0] <= energies(bqm, states).min()


def slow_sweeps(bqm, betas, x, spins):
    """Return the lowest energy after a sweep, every change from the definition."""
    lowest, best = energies(bqm, spins)[0], spins.copy()
    for beta in betas:
        for i in range(len(spins)):
            tried = spins.copy()
            tried[i] *= -1
            change = energies(bqm, tried)[0] - energies(bqm, spins)[0]
            if change > 0:
                x = next_state.py_func(x)
                word = np.uint64(int(word_of.py_func(x)))
                if change * beta > -np.log((float(word >> np.uint64(11)) + 1.0) * 2.0**-53):
                    continue
            spins = tried
        if energies(bqm, spins)[0] < lowest:
            lowest, best = energies(bqm, spins)[0], spins.copy()
    return lowest, best, spins


@pytest.mark.parametrize("seed", range(4))
def test_sweeps_are_those_of_metropolis(seed):
    bqm = model_of(12, 20, seed)
    model, betas = Ising.of(bqm), np.linspace(0.1, 2.0, 15)
    spins = np.random.default_rng(seed).choice([-1.0, 1.0], 12)
    with np.errstate(over="ignore"):
        lowest, best, last = slow_sweeps(bqm, betas, np.uint64(seed + 1), spins.copy())
    couplings = np.zeros((12, 12))
    for (u, v), J in bqm.quadratic.items():
        couplings[u, v] = couplings[v, u] = J
    fields, found = model.h + couplings @ spins, spins.copy()
    start = energies(bqm, spins)[0]
    both, states = np.array([start, start]), np.array([seed + 1], np.uint64)
    for part in (betas[:6], betas[6:]):  # in pieces as in one
        anneal(model, part, states, spins, fields, both, found)
    np.testing.assert_array_equal(spins, last)
    np.testing.assert_array_equal(found, best)
    assert both[1] == lowest
    np.testing.assert_allclose(fields, model.h + couplings @ spins)

"""Random numbers of neurons: SplitMix64 by its definition, uniform, and refused where they are not one per neuron."""

from __future__ import annotations

import numpy as np
import pytest

from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels.sharing import (
    check_seeds,
    derived_seeds,
    generator_states,
    random_integers,
    random_reals,
    random_words,
)

WORD = (1 << 64) - 1


def splitmix(seed, count):
    """The first outputs of SplitMix64, as its authors publish it."""
    outputs = []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & WORD
        z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 & WORD
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
        outputs.append(z ^ (z >> 31))
    return outputs


@pytest.mark.parametrize("seed", [0, 1, WORD, 0x0123456789ABCDEF])
def test_words_and_derived_seeds_are_splitmix(seed):
    seeds = np.array([seed, 99], np.uint64)
    assert random_words(seeds, 5)[0].tolist() == splitmix(seed, 5)
    assert int(derived_seeds(seeds, 3)[0]) == splitmix(seed, 4)[3]
    assert int(derived_seeds(seeds, 3, 1)[0]) == splitmix(splitmix(seed, 4)[3], 2)[1]
    assert (generator_states(seeds, 2) | np.uint64(1) == generator_states(seeds, 2)).all()


def test_numbers_are_uniform_and_all_values_occur():
    seeds = neuron_seeds(0, 3000)
    most = np.array([1, 6, 0, 1])
    integers = random_integers(seeds, most)
    assert integers.shape == (3000, 4)
    for column, top in zip(integers.T, most, strict=True):
        shares = np.bincount(column, minlength=top + 1) / 3000
        assert len(shares) == top + 1
        np.testing.assert_allclose(shares, 1 / (top + 1), atol=0.04)
    assert np.unique(integers[:, 0] * 2 + integers[:, 3]).tolist() == [0, 1, 2, 3]
    reals = random_reals(seeds, 2)
    assert -1 <= reals.min() < -0.99 < 0.99 < reals.max() < 1
    assert abs(reals.mean()) < 0.03


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (3, r"seeds are int; one uint64 per neuron is needed, \(2,\): pass neuron_seeds\(seed, 2\)"),
        (np.zeros(3, np.uint64), r"uint64 of shape \(3,\)"),
        (np.zeros(2, np.int64), r"int64 of shape \(2,\)"),
    ],
)
def test_anything_but_one_seed_per_neuron_is_refused(seeds, text):
    with pytest.raises(ValueError, match=text):
        check_seeds(seeds, 2)

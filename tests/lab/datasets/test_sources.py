import numpy as np
import pytest

from qproj import SignProjection
from qproj.lab.datasets import layer_instances
from qproj.lab.datasets.sources import SOURCES, share_neurons

OFFLINE = ["digits", "breast-cancer", "random", "planted"]


@pytest.mark.parametrize("source", OFFLINE)
def test_sources_are_repeatable_and_uniquely_named(source):
    layers, again = layer_instances(source), layer_instances(source)
    assert len(layers) > 3
    assert [a.key for a in layers] == [b.key for b in again]
    assert len({layer.name for layer in layers}) == len(layers)
    assert all((np.abs(layer.X) == 1).all() for layer in layers)
    assert [a.key for a in layers] != [b.key for b in layer_instances(source, seed=1)]


def test_digits_fit_the_demo():
    layers = layer_instances("digits")
    assert 100 <= sum(layer.num_neurons for layer in layers) <= 200
    assert {layer.meta["layer"] for layer in layers} == {1, 2, 3}
    assert len({layer.meta["step"] for layer in layers}) > 2
    assert max(layer.meta["accuracy"] for layer in layers) > 0.5


def test_planted_layers_reach_the_bound():
    layer = layer_instances("planted")[0]
    d = layer.X.shape[1]
    codes = np.arange(1 << d)[:, None] >> np.arange(d) & 1
    for t in layer.T.T:
        p = SignProjection(layer.X, t)
        assert p.gain(2 * codes - 1).max() == pytest.approx(np.abs(t).sum())


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (3, [1, 1, 1]), (10, [2, 2, 2, 2, 2]), (10**6, [8] * 5)])
def test_max_neurons_are_shared_evenly(most, counts):
    layers = layer_instances("random", max_neurons=most)
    assert [layer.num_neurons for layer in layers] == counts


def test_sharing_skips_narrow_layers():
    wide = layer_instances("random")[0]
    narrow = wide.first(1)
    assert [layer.num_neurons for layer in share_neurons([narrow, wide, wide], 8)] == [1, 4, 3]


def test_bad_requests():
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        layer_instances("digit")
    with pytest.raises(ValueError, match="planted"):
        layer_instances("zzz")
    with pytest.raises(FileNotFoundError):
        layer_instances("none.npz")
    with pytest.raises(TypeError, match="name or a path"):
        layer_instances(3)
    for options in ({"seed": -1}, {"seed": True}, {"seed": 1.0}, {"max_neurons": 0}, {"max_neurons": True}):
        with pytest.raises(ValueError, match="whole number"):
            layer_instances("random", **options)
    assert set(OFFLINE) <= set(SOURCES)

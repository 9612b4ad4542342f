"""Small layers and solvers for studies."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from qproj.lab.datasets.instances import LayerInstance


def small_layers(count=2, n=14, d=9, neurons=3, seed=0):
    rng = np.random.default_rng(seed)
    layers = []
    for i in range(count):
        X, T = rng.choice([-1, 1], (n, d)), rng.normal(size=(n, neurons))
        T[0] = np.where(np.arange(neurons) % 2 == 0, np.abs(T[0]), -np.abs(T[0]))
        layers.append(LayerInstance(f"small/{i}", X, T, source="test"))
    return layers


@pytest.fixture
def layers():
    return small_layers()


@pytest.fixture(scope="session")
def odd_solvers():
    """The module of misbehaving solvers, whose classes travel by value."""
    import cloudpickle

    spec = importlib.util.spec_from_file_location("odd_solvers", Path(__file__).parent / "_solvers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["odd_solvers"] = module
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module

"""What `auto` certifies, CP-SAT proves too: 600 small neurons, random and real, by work budget and by the clock."""

import numpy as np
import pytest

import qproj
from qproj.lab.datasets import load_breast_cancer, load_digits


def random_layer(rng):
    n, d = int(rng.integers(4, 25)), int(rng.integers(3, 16))
    return rng.choice([-1, 1], (n, d)), rng.standard_normal((n, 10))


def real_layer(rng):
    """Rows of digits' pixels or of cells' features, as signs; targets with ties and zeros."""
    X = np.asarray((load_digits, load_breast_cancer)[int(rng.integers(2))]().signs().X_train)
    n, d = int(rng.integers(4, 25)), int(rng.integers(3, 16))
    rows = rng.choice(len(X), n, replace=False)
    columns = rng.choice(X.shape[1], d, replace=False)
    return X[rows][:, columns].astype(int), rng.integers(-4, 5, (n, 10)) / 4.0


@pytest.mark.slow
@pytest.mark.parametrize("draw", [random_layer, real_layer])
@pytest.mark.parametrize("limit", [None, 2.0])
def test_certificates_are_proved_by_cpsat(draw, limit):
    rng = np.random.default_rng(7 if limit is None else 8)
    cpsat = qproj.get_solver("cpsat")
    checked = 0
    for _ in range(15):
        X, T = draw(rng)
        layer = qproj.project(X, T, seed=0, time_limit_s=limit)
        for i in np.flatnonzero(layer.proved).tolist():
            p = qproj.SignProjection(X, T[:, i])
            other = cpsat.solve(p, seed=0)
            assert other.status == "optimal"
            tolerance = 1e-9 * float(np.abs(T[:, i]).sum())
            assert p.gain(layer.weights[i]) == pytest.approx(other.gain, abs=tolerance)
            assert layer.bound[i] <= p.objective(other.best) + 2 * tolerance
            checked += 1
    assert checked >= 140  # of 150, four times

"""What aggregation makes of real batches; the encodings' variables, not formulas, are counted."""

import numpy as np
import pytest

from qproj import SignProjection
from qproj.lab.datasets import Capture, capture_layers, layer_instances, load_adult, load_mnist


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QPROJ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QPROJ_OFFLINE", "1")


def test_an_a1a_batch_of_three_features_takes_at_most_eleven_variables(data_dir):
    data = load_adult().signs()
    layers = capture_layers(data.X_train[:, :3], data.y_train, Capture((5,), 20, (0, 10, 20, 30)), source="a1a-3")
    assert len(layers) == 4
    counts = []
    for layer in layers:
        assert layer.X.shape == (20, 3)
        for t in layer.T.T:
            p = SignProjection(layer.X, t)
            plain = SignProjection(layer.X, t, aggregate_rows=False, aggregate_columns=False)
            assert p.encode("majority").bqm.num_variables <= 11
            assert plain.encode("majority").bqm.num_variables == 43
            assert plain.encode("paper").bqm.num_variables == 103
            corners = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
            assert p.gain(corners).max() == pytest.approx(plain.gain(corners).max())
            counts.append(p.encode("majority").bqm.num_variables)
    assert min(counts) > 0


def test_digits_columns_merge():
    counts = [SignProjection(layer.X, layer.T[:, 0]).aggregated.num_columns for layer in layer_instances("digits")]
    pixels = [count for count in counts if count[0] == 64]
    assert pixels
    assert all(classes < bits < 64 for _, classes, bits in pixels)


def test_mnist_columns_merge(data_dir):
    X = load_mnist().signs().X_train[:16]
    weights, classes, bits = SignProjection(X, np.arange(1.0, 17.0)).aggregated.num_columns
    assert weights == 784
    assert 150 < classes < bits < 400

"""±1 weights as bits: the same model, and the same scores by XOR and popcount."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from qproj.nn import BinaryConv2d, BinaryLinear, PackedModel, SignActivation, model_summary, pack, unpack
from qproj.nn.packing import forward_bits, pack_rows, popcount_linear


def _stack(seed=0, **options):
    torch.manual_seed(seed)
    return nn.Sequential(BinaryLinear(37, 19, **options), SignActivation(), BinaryLinear(19, 4, **options))


@given(st.integers(1, 70), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_popcounts_are_the_product(d, n, dout, seed):
    rng = np.random.default_rng(seed)
    X, W = rng.choice([-1, 1], (n, d)), rng.choice([-1, 1], (dout, d))
    assert np.array_equal(popcount_linear(pack_rows(W), pack_rows(X), d), X @ W.T)


@pytest.mark.parametrize("options", [{}, {"scale": True, "bias": True}])
def test_a_numpy_forward_pass_agrees_with_the_model(options):
    model = _stack(**options)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 1:
                p.copy_(torch.randn_like(p))
    x = torch.where(torch.rand(50, 37) < 0.5, -1.0, 1.0)
    with torch.no_grad():
        expected = model.eval()(x).numpy()
    np.testing.assert_allclose(forward_bits(pack(model), ["0", "2"], x.numpy()), expected, rtol=1e-5, atol=1e-5)


def test_the_size_is_what_the_summary_says():
    model = nn.Sequential(BinaryConv2d(8, 16, 3), nn.BatchNorm2d(16), BinaryLinear(16, 8))
    packed, summary = pack(model), model_summary(model)
    buffers = sum(value.numel() * value.element_size() for value in model.buffers())
    assert packed.nbytes == summary.bytes + buffers


def test_a_packed_model_survives_a_file(tmp_path):
    model, other = _stack(), _stack(seed=1)
    path = pack(model).save(tmp_path / "model.npz")
    unpack(PackedModel.load(path), other)
    x = torch.randn(5, 37)
    assert torch.equal(other.eval()(x), model.eval()(x))
    assert path.stat().st_size < sum(p.numel() * 4 for p in model.parameters())


def test_files_and_models_that_do_not_fit_are_refused(tmp_path):
    packed = pack(_stack())
    with pytest.raises(ValueError, match="build the model that was packed"):
        unpack(packed, nn.Sequential(BinaryLinear(37, 18), SignActivation(), BinaryLinear(18, 4)))
    with pytest.raises(ValueError, match="differ in layers"):
        unpack(packed, nn.Sequential(BinaryLinear(37, 19)))
    with pytest.raises(ValueError, match="do not fit"):
        unpack(packed, _stack(bias=True))
    (tmp_path / "garbage.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueError, match="not a packed model"):
        PackedModel.load(tmp_path / "garbage.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="not a packed model"):
        PackedModel.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        PackedModel.load(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="binarise them first"):
        pack_rows(np.zeros((2, 3)))

import math

import pytest
import torch
from torch import nn

from qproj.nn import BatchNorm1d, BinaryLinear, Scale, SignActivation, sign


def test_zero_counts_as_plus_one():
    assert sign(torch.tensor([-1e-30, -0.0, 0.0, 3.0])).tolist() == [-1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_are_signs_of_the_same_dtype(dtype):
    y = SignActivation(4)(torch.randn(5, dtype=dtype))
    assert y.dtype == dtype
    assert set(y.abs().tolist()) == {1.0}


def test_gradient_passes_inside_the_window_only():
    z = torch.tensor([-2.1, -2.0, 0.0, 2.0, 2.1], requires_grad=True)
    SignActivation(4)(z).backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert z.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]


def test_an_infinite_window_passes_all():
    z = torch.tensor([-1e9, 5.0], requires_grad=True)
    SignActivation(clip=math.inf)(z).sum().backward()
    assert z.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("between", "clip"), [([], 3.0), ([Scale(2, 0.5)], 1.5), ([BatchNorm1d(2)], 1.0), ([Scale(2, -2.0)], 6.0)]
)
def test_the_window_is_read_from_the_layer_before(between, clip):
    activation = SignActivation()
    nn.Sequential(BinaryLinear(9, 2), *between, activation)(torch.randn(4, 9))
    assert activation.clip == pytest.approx(clip)


def test_a_learned_scale_of_the_layer_scales_the_window():
    activation = SignActivation()
    nn.Sequential(BinaryLinear(9, 2, scale=True), activation)(torch.randn(4, 9))
    assert activation.clip == pytest.approx(1.0)


def test_without_a_layer_before_the_remedy_is_named():
    with pytest.raises(ValueError, match=r"give SignActivation\(fan_in\)"):
        SignActivation()(torch.randn(3, requires_grad=True))


def test_evaluation_needs_no_window():
    with torch.no_grad():
        assert SignActivation()(torch.tensor([0.0])).item() == 1.0


@pytest.mark.parametrize("options", [{"fan_in": 4, "clip": 1.0}, {"fan_in": 0}, {"clip": -1.0}])
def test_windows_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match=r"give one|allowed"):
        SignActivation(**options)

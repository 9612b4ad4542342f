import math

import pytest
import torch
from torch import nn

from qproj.nn import BatchNorm1d, BinaryLinear, Scale, SignActivation, sign


def test_zero_counts_as_plus_one():
    assert sign(torch.tensor([-1e-30, -0.0, 0.0, 3.0])).tolist() == [-1.0, 1.0, 1.0, 1.0]


def test_nan_is_not_a_sign():
    assert sign(torch.tensor([math.nan, 1.0], requires_grad=True)).isnan().tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_are_signs_of_the_same_dtype(dtype):
    y = SignActivation(4)(torch.randn(5, dtype=dtype))
    assert y.dtype == dtype
    assert set(y.abs().tolist()) == {1.0}


def _window(model, x):
    """The largest |z| that still passes a gradient through the last module, by its backward pass."""
    seen = []
    model[-1].register_forward_pre_hook(lambda module, args: seen.append(args[0]) or args[0].retain_grad())
    model(x).sum().backward()
    (z,) = seen
    passed, stopped = z.detach()[z.grad != 0].abs(), z.detach()[z.grad == 0].abs()
    return (float(passed.max()) if len(passed) else 0.0), (float(stopped.min()) if len(stopped) else math.inf)


def test_gradient_passes_inside_the_window_only():
    z = torch.tensor([-2.1, -2.0, 0.0, 2.0, 2.1], requires_grad=True)
    SignActivation(4)(z).backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert z.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]


def test_an_infinite_window_passes_all():
    z = torch.tensor([-1e9, 5.0], requires_grad=True)
    SignActivation(clip=math.inf)(z).sum().backward()
    assert z.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("before", "clip"),
    [
        ([BinaryLinear(9, 99)], 3.0),
        ([BinaryLinear(9, 99), Scale(99, 0.5)], 1.5),
        ([BinaryLinear(9, 99), Scale(99, -2.0)], 6.0),
        ([BinaryLinear(9, 99), BatchNorm1d(99)], 1.0),
        ([BinaryLinear(9, 99), nn.BatchNorm1d(99)], 1.0),
        ([BinaryLinear(9, 99, scale=True)], 1.0),
        ([BinaryLinear(9, 99, bias=True)], 3.0),
        ([BinaryLinear(9, 99), nn.Identity()], 3.0),
        ([BinaryLinear(9, 99), nn.Dropout(0.1)], 1.0),
        ([BinaryLinear(9, 99), nn.Hardtanh(-9, 9)], 1.0),
        ([nn.Linear(9, 99)], 1.0),
        ([], 1.0),
    ],
)
def test_the_window_suits_what_stands_directly_before(before, clip):
    torch.manual_seed(0)
    passed, stopped = _window(nn.Sequential(*before, SignActivation()), 3 * torch.randn(40, 9, requires_grad=True))
    assert passed <= clip * (1 + 1e-6) < stopped * (1 + 1e-5)
    assert passed > 0.5 * clip


def test_one_activation_used_twice_takes_the_window_of_each_layer():
    torch.manual_seed(0)
    activation = SignActivation()
    for layer, clip in ((BinaryLinear(9, 99), 3.0), (BinaryLinear(25, 99), 5.0)):
        model = nn.Sequential(layer, nn.Identity(), activation)
        passed, stopped = _window(model, 3 * torch.randn(40, layer.in_features))
        assert passed <= clip < stopped


def test_the_window_of_a_resumed_model_is_the_one_it_had():
    torch.manual_seed(0)
    model = nn.Sequential(BinaryLinear(9, 99), Scale(99, 0.5), SignActivation())
    with torch.no_grad():
        model[1].weight.fill_(4.0)  # as training would have changed it
    again = nn.Sequential(BinaryLinear(9, 99), Scale(99, 0.5), SignActivation())
    again.load_state_dict(model.state_dict())
    x = 3 * torch.randn(40, 9)
    assert _window(again, x) == _window(model, x)


@pytest.mark.parametrize("options", [{"fan_in": 4, "clip": 1.0}, {"fan_in": 0}, {"clip": -1.0}])
def test_windows_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match=r"give one|allowed"):
        SignActivation(**options)

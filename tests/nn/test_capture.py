"""Which rows reach a layer, and which networks are refused."""

import pytest
import torch
from torch import nn

from qproj.nn import BatchNorm1d, BatchNorm2d, BinaryConv2d, BinaryLinear, Scale, SignActivation, Threshold


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _backward(model, x=None):
    x = torch.randn(5, 8) if x is None else x
    loss = (model(x) * torch.arange(1.0, 6.0).reshape(-1, 1)).sum()
    loss.backward()
    return x


def _target_by_hand(model, x, at):
    """−∂L/∂Y with Y the output of module `at`, by autograd.grad."""
    y = x
    for module in model[: at + 1]:
        y = module(y)
    out = y
    for module in model[at + 1 :]:
        out = module(out)
    loss = (out * torch.arange(1.0, 6.0).reshape(-1, 1)).sum()
    return -torch.autograd.grad(loss, y)[0]


def test_targets_belong_to_the_output_of_sigma():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1))
    x = _backward(model)
    first, last = model[0].captured.rows[0], model[2].captured.rows[0]
    torch.testing.assert_close(first.target, _target_by_hand(model, x, 1))
    torch.testing.assert_close(last.target, _target_by_hand(model, x, 2))
    assert torch.equal(first.x, x)
    assert (first.exact, first.implicit, last.exact, last.implicit) == (True, False, True, True)


def test_clipped_gradients_still_have_targets():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(clip=1e-6), BinaryLinear(6, 1))
    _backward(model)
    assert not model[0].weight.grad.any()
    assert model[0].captured.rows[0].target.any()


@pytest.mark.parametrize(
    ("between", "turn", "exact"),
    [
        (Scale(6, 0.3), 1.0, True),
        (Scale(6, -0.3), -1.0, False),  # d = 8 is even: σ(0) = +1 on either side
        (Threshold(6), 1.0, False),
        (BatchNorm1d(6), 1.0, False),
    ],
)
def test_slopes_pass_by_their_sign(between, turn, exact):
    model = nn.Sequential(BinaryLinear(8, 6), between, SignActivation(), BinaryLinear(6, 1))
    x = _backward(model)
    (rows,) = model[0].captured.rows
    torch.testing.assert_close(rows.target, turn * _target_by_hand(model, x, 2))
    assert (rows.exact, rows.implicit, rows.refusal) == (exact, False, "")


def test_a_negative_scale_is_exact_for_odd_rows():
    model = nn.Sequential(BinaryLinear(7, 6), Scale(6, -0.3), SignActivation(), BinaryLinear(6, 1))
    _backward(model, torch.randn(5, 7))
    assert model[0].captured.rows[0].exact


def test_channels_of_a_convolution_keep_their_slopes():
    norm = BatchNorm2d(3)
    norm.weight.data = torch.tensor([1.0, -1.0, 2.0])
    model = nn.Sequential(BinaryConv2d(1, 3, 3), norm, SignActivation(), nn.Flatten(), BinaryLinear(12, 1))
    x = torch.randn(5, 1, 4, 4)
    _backward(model, x)
    (rows,) = model[0].captured.rows
    by_hand = _target_by_hand(model, x, 2) * torch.tensor([1.0, -1.0, 1.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(rows.target, by_hand)


@pytest.mark.parametrize(
    ("model", "at", "words"),
    [
        (nn.Sequential(BinaryLinear(8, 6), nn.ReLU(), BinaryLinear(6, 1)), 0, "without a SignActivation"),
        (nn.Sequential(BinaryLinear(8, 6), BinaryLinear(6, 1)), 0, "without a SignActivation"),
        (nn.Sequential(BinaryLinear(8, 6), nn.Tanh(), SignActivation(6), BinaryLinear(6, 1)), 0, "unknown"),
        (nn.Sequential(BinaryLinear(8, 6), nn.BatchNorm1d(6), SignActivation(6), BinaryLinear(6, 1)), 0, "BatchNorm"),
        (nn.Sequential(BinaryLinear(8, 6), Scale(6, 1e-30), SignActivation(), BinaryLinear(6, 1)), 0, ""),
    ],
)
def test_what_cannot_be_projected_says_why(model, at, words):
    _backward(model)
    (rows,) = model[at].captured.rows
    assert (words in rows.refusal) if words else rows.refusal == ""


def test_a_residual_path_around_sigma_is_seen():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.s, self.b = BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1)

        def forward(self, x):
            z = self.a(x)
            return self.b(self.s(z) + z)

    net = Net()
    _backward(net)
    assert "without a SignActivation" in net.a.captured.rows[0].refusal


def test_two_activations_of_one_output_are_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.s, self.t, self.b = BinaryLinear(8, 6), SignActivation(), SignActivation(), BinaryLinear(12, 1)

        def forward(self, x):
            z = self.a(x)
            return self.b(torch.cat([self.s(z), self.t(z)], 1))

    net = Net()
    _backward(net)
    assert "two" in net.a.captured.rows[0].refusal


def test_accumulated_passes_stay_together_until_gradients_are_zeroed():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1))
    for _ in range(3):
        _backward(model)
    assert len(model[0].captured) == 3
    for to_none in (True, False):
        model.zero_grad(set_to_none=to_none)
        _backward(model)
        assert len(model[0].captured) == 1


def test_two_forward_passes_in_one_backward_pass_stay_together():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1))
    for _ in range(2):
        model.zero_grad()
        (model(torch.randn(3, 8)).sum() + model(torch.randn(4, 8)).square().sum()).backward()
        assert sorted(len(rows.x) for rows in model[0].captured.rows) == [3, 4]


def test_nothing_is_kept_without_a_backward_pass_or_out_of_training():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1))
    model(torch.randn(3, 8))
    with torch.no_grad():
        model(torch.randn(3, 8))
    assert len(model[0].captured) == 0
    model.eval()
    model(torch.randn(3, 8)).sum().backward()
    assert len(model[0].captured) == 0

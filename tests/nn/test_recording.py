"""Which rows count: those of the passes whose gradient reached the weight, each once."""

import copy
import gc
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from qproj.nn import BatchNorm1d, BatchNorm2d, BinaryConv2d, BinaryLinear, Scale, SignActivation, Threshold
from qproj.optim import capture


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _model():
    return nn.Sequential(BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1))


def _loss(model, x=None):
    x = torch.randn(5, 8) if x is None else x
    return (model(x) * torch.arange(1.0, len(x) + 1).reshape(-1, 1)).sum()


def _by_hand(model, x, at):
    """−∂L/∂(output of module `at`), by autograd.grad."""
    y = model[: at + 1](x)
    loss = (model[at + 1 :](y) * torch.arange(1.0, len(x) + 1).reshape(-1, 1)).sum()
    return -torch.autograd.grad(loss, y)[0]


def _counts(model):
    return [len(m.recorder) for m in model.modules() if hasattr(m, "recorder")]


@pytest.mark.parametrize(("targets", "at"), [("outputs", (1, 2)), ("preactivations", (0, 2))])
def test_targets_are_the_gradients_they_name(targets, at):
    model, x = _model(), torch.randn(5, 8)
    with capture(model, targets) as batch:
        _loss(model, x).backward()
    for name, place in zip(("0", "2"), at):
        torch.testing.assert_close(torch.from_numpy(batch[name].T).float(), _by_hand(model, x, place))
    torch.testing.assert_close(torch.from_numpy(batch["0"].X).float(), x)
    assert (batch["0"].exact, batch["0"].implicit) == (True, targets == "preactivations")
    assert (batch["2"].exact, batch["2"].implicit) == (True, True)


def test_outputs_have_targets_where_the_window_lets_no_gradient_through():
    model = nn.Sequential(BinaryLinear(8, 6), SignActivation(clip=1e-6), BinaryLinear(6, 1))
    with capture(model) as batch:
        _loss(model).backward()
    assert not model[0].weight.grad.any()
    assert batch["0"].T.any()


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
    model, x = nn.Sequential(BinaryLinear(8, 6), between, SignActivation(), BinaryLinear(6, 1)), torch.randn(5, 8)
    with capture(model) as batch:
        _loss(model, x).backward()
    torch.testing.assert_close(torch.from_numpy(batch["0"].T).float(), turn * _by_hand(model, x, 2))
    assert (batch["0"].exact, batch["0"].implicit) == (exact, False)


def test_a_negative_scale_is_exact_for_odd_rows():
    model = nn.Sequential(BinaryLinear(7, 6), Scale(6, -0.3), SignActivation(), BinaryLinear(6, 1))
    with capture(model) as batch:
        _loss(model, torch.randn(5, 7)).backward()
    assert batch["0"].exact


def test_channels_of_a_convolution_keep_their_slopes():
    norm = BatchNorm2d(3)
    norm.weight.data = torch.tensor([1.0, -1.0, 2.0])
    model = nn.Sequential(BinaryConv2d(1, 3, 3), norm, SignActivation(), nn.Flatten(), BinaryLinear(12, 1))
    x = torch.randn(5, 1, 4, 4)
    with capture(model) as batch:
        _loss(model, x).backward()
    by_hand = _by_hand(model, x, 2) * torch.tensor([1.0, -1.0, 1.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(torch.from_numpy(batch["0"].T).float(), model[0].output_rows(by_hand))


class _Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.s, self.b = BinaryLinear(8, 6), SignActivation(), BinaryLinear(6, 1)

    def forward(self, x):
        z = self.a(x)
        return self.b(self.s(z) + z)


class _TwoSigns(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.s, self.t, self.b = BinaryLinear(8, 6), SignActivation(), SignActivation(), BinaryLinear(12, 1)

    def forward(self, x):
        z = self.a(x)
        return self.b(torch.cat([self.s(z), self.t(z)], 1))


BEHIND = {
    "relu": nn.Sequential(BinaryLinear(8, 6), nn.ReLU(), BinaryLinear(6, 1)),
    "nothing": nn.Sequential(BinaryLinear(8, 6), BinaryLinear(6, 1)),
    "tanh": nn.Sequential(BinaryLinear(8, 6), nn.Tanh(), SignActivation(), BinaryLinear(6, 1)),
    "torch's BatchNorm": nn.Sequential(BinaryLinear(8, 6), nn.BatchNorm1d(6), SignActivation(), BinaryLinear(6, 1)),
    "dropout": nn.Sequential(BinaryLinear(8, 6), nn.Dropout(0.5), SignActivation(), BinaryLinear(6, 1)),
    "in place": nn.Sequential(BinaryLinear(8, 6), nn.ReLU(inplace=True), BinaryLinear(6, 1)),
}


@pytest.mark.parametrize("make", [*BEHIND.values(), _TwoSigns()], ids=[*BEHIND, "two signs"])
@pytest.mark.parametrize("targets", ["outputs", "preactivations"])
def test_any_operation_may_stand_behind_a_layer(make, targets):
    model = copy.deepcopy(make)
    layer = next(m for m in model.modules() if isinstance(m, BinaryLinear))
    seen = []
    layer.register_forward_hook(lambda module, args, z: z.register_hook(seen.append) and None)
    with capture(model, targets) as batch:
        _loss(model).backward()
    first = next(iter(batch.values()))
    assert first.implicit
    torch.testing.assert_close(torch.from_numpy(first.T).float(), -seen[0])


def test_a_path_around_the_activation_belongs_to_the_preactivations_only():
    model = _Residual()
    seen = []
    model.a.register_forward_hook(lambda module, args, z: z.register_hook(seen.append) and None)
    model.s.register_forward_hook(lambda module, args, y: y.register_hook(seen.append) and None)
    x = torch.randn(5, 8)
    for targets, at in (("outputs", 0), ("preactivations", 1)):
        seen.clear()
        with capture(model, targets) as batch:
            _loss(model, x).backward()
        torch.testing.assert_close(torch.from_numpy(batch["a"].T).float(), -seen[at])


def test_accumulated_passes_stay_together_until_gradients_are_zeroed():
    model = _model()
    for _ in range(3):
        _loss(model).backward()
    assert _counts(model) == [3, 3]
    for to_none in (True, False):
        model.zero_grad(set_to_none=to_none)
        _loss(model).backward()
        assert _counts(model) == [1, 1]


def test_passes_in_one_backward_pass_stay_together():
    model = _model()
    for _ in range(2):
        model.zero_grad()
        (model(torch.randn(3, 8)).sum() + model(torch.randn(4, 8)).square().sum()).backward()
        assert sorted(len(rows.x) for rows in model[0].recorder.rows) == [3, 4]


def test_what_adds_nothing_to_the_gradient_adds_no_rows():
    model = _model()
    model(torch.randn(3, 8))
    with torch.no_grad():
        model(torch.randn(3, 8))
    assert _counts(model) == [0, 0]
    model.eval()
    model(torch.randn(3, 8)).sum().backward()
    assert _counts(model) == [0, 0]


@pytest.mark.parametrize(
    "extra",
    [
        lambda model, loss: torch.autograd.grad(_loss(model), list(model.parameters())),
        lambda model, loss: torch.autograd.grad(loss, list(model.parameters()), retain_graph=True),
        lambda model, loss: model.eval()(torch.randn(4, 8)).sum(),
        lambda model, loss: model.train()(torch.randn(4, 8)).sum(),
        lambda model, loss: torch.autograd.grad(_loss(model, torch.randn(5, 8, requires_grad=True)), model[0].weight),
    ],
    ids=["autograd.grad", "autograd.grad of the same loss", "validation", "a pass without backward", "penalty"],
)
def test_extra_passes_add_no_rows(extra):
    model, x = _model(), torch.randn(5, 8)
    loss = _loss(model, x)
    loss.backward(retain_graph=True)
    extra(model, loss)
    assert _counts(model) == [1, 1]
    torch.testing.assert_close(model[0].recorder.rows[0].x, x)


def test_a_second_backward_pass_over_the_same_graph_adds_no_rows():
    model = _model()
    loss = _loss(model)
    loss.backward(retain_graph=True)
    loss.backward()
    assert _counts(model) == [1, 1]


def test_gradients_through_the_input_alone_leave_the_rows_of_the_weight():
    model = _model()
    x = torch.randn(5, 8, requires_grad=True)
    model[0].weight.requires_grad_(False)
    _loss(model, x).backward()
    assert _counts(model) == [0, 1]


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_records_each_pass_once(reentrant):
    model, x = _model(), torch.randn(5, 8, requires_grad=True)
    y = checkpoint(model[:2], x, use_reentrant=reentrant)
    (model[2](y) * torch.arange(1.0, 6.0).reshape(-1, 1)).sum().backward()
    grad = model[0].weight.grad.clone()
    (rows,) = model[0].recorder.rows
    torch.testing.assert_close(rows.grad, -_by_hand(model, x.detach().requires_grad_(), 0))
    torch.testing.assert_close(grad, rows.grad.T @ x)


def test_gradients_equal_those_of_a_plain_layer():
    layer, x = BinaryLinear(8, 6), torch.randn(5, 8, requires_grad=True)
    layer(x).square().sum().backward()
    weight = layer.binary_weight().requires_grad_()
    twin = x.detach().clone().requires_grad_()
    (twin @ weight.T).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(x.grad, twin.grad)


def test_a_model_is_freed_with_its_rows():
    model = _model()
    _loss(model).backward()
    gone = [weakref.ref(model[0].recorder), weakref.ref(model[0].recorder.rows[0])]
    del model
    gc.collect()
    assert [ref() for ref in gone] == [None, None]

"""What training loops do around a projection: each row of the table in docs/howto/real-training-loops.md is a test."""

import copy
import logging
import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint

from qproj.nn import BinaryConv2d, BinaryLinear, SignActivation, binarize_, binary_layers, clip_latents_
from qproj.optim import QPSBGD, BinaryConnect, Projector, ProxQuant, SignSGD, project_grad_, projector_of
from tests.optim._nets import loss_of, mixed, plain, signs


def _directions(model):
    return {name: -layer.weight.grad.clone() for name, layer in binary_layers(model).items()}


def _same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def _projected(model, *losses, **options):
    model.zero_grad()
    for loss in losses:
        loss.backward()
    project_grad_(model, **options)
    return _directions(model)


def _binary(model):
    return [layer.weight for layer in binary_layers(model).values()]


def _muon(model):
    names = {id(p) for p in _binary(model)}
    rest = [p for p in model.parameters() if id(p) not in names]
    return [torch.optim.Muon(_binary(model), lr=0.2), torch.optim.SGD(rest, lr=0.01)]


OPTIMIZERS = {
    "SGD": lambda model: [torch.optim.SGD(model.parameters(), lr=0.05)],
    "SGD with momentum, foreach": lambda model: [
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, foreach=True)
    ],
    "Adam": lambda model: [torch.optim.Adam(model.parameters(), lr=0.02)],
    "AdamW": lambda model: [torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)],
    "RMSprop": lambda model: [torch.optim.RMSprop(model.parameters(), lr=0.02)],
    "Adafactor": lambda model: [torch.optim.Adafactor(model.parameters(), lr=0.05)],
    "NAdam": lambda model: [torch.optim.NAdam(model.parameters(), lr=0.05)],
    "Muon": _muon,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_torch_optimiser_follows(name):
    model = mixed()
    optimizers = OPTIMIZERS[name](model)
    losses = []
    for step in range(40):
        model.zero_grad()
        loss = loss_of(model, seed=step % 4)
        loss.backward()
        project_grad_(model)
        for optimizer in optimizers:
            optimizer.step()
        clip_latents_(model)
        losses.append(loss.item())
    assert sum(losses[-4:]) < 0.95 * sum(losses[:4])
    assert max(p.abs().max() for p in _binary(model)) <= 1.0


def test_plain_gradient_descent_takes_the_step_of_the_article():
    model = plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0625)
    before = [p.detach().clone() for p in _binary(model)]
    V = _projected(model, loss_of(model))
    optimizer.step()
    for p, start, v in zip(_binary(model), before, V.values()):
        assert torch.equal(p, start + 0.0625 * v)


def test_schedulers_change_the_step_alone():
    model = plain()
    optimizer = QPSBGD(model, 0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=10, cycle_momentum=False)
    for step in range(10):
        before = model[0].weight.detach().clone()
        optimizer.zero_grad()
        loss_of(model, seed=step).backward()
        lr = optimizer.param_groups[0]["lr"]
        optimizer.step()
        torch.testing.assert_close((model[0].weight - before).abs(), torch.full_like(before, lr), rtol=1e-3, atol=1e-6)
        scheduler.step()


def test_clipping_before_changes_no_direction_and_after_it_scales_the_step():
    model, twin = plain(), plain()
    loss_of(model).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    project_grad_(model)
    _same(_directions(model), _projected(twin, loss_of(twin)))
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    weights = sum(p.numel() for p in _binary(model))
    assert norm == pytest.approx(math.sqrt(weights), rel=1e-4)
    assert model[0].weight.grad.abs().max() == pytest.approx(1 / math.sqrt(weights), rel=1e-3)


def test_accumulated_gradients_are_those_of_one_batch():
    model, whole = plain(), plain()
    x = signs(24, 9)
    y = torch.where(x[:, :3].sum(1) > 0, 1.0, -1.0)

    def loss(model, part):
        return nn.functional.softplus(-y[part] * model(x[part])[:, 0] / 3).sum() / 24

    parts = [slice(i, i + 6) for i in range(0, 24, 6)]
    _same(
        _projected(model, *(loss(model, part) for part in parts)),
        _projected(whole, loss(whole, slice(None))),
    )


def test_gradient_penalties_add_no_rows():
    model, twin = plain(), plain()
    x = signs(12, 9).requires_grad_()
    z = model(x)
    (g,) = torch.autograd.grad(z.sum(), x, create_graph=True)
    (z.square().mean() + 0.0 * g.square().sum()).backward()
    project_grad_(model)
    _same(_directions(model), _projected(twin, twin(x.detach()).square().mean()))
    assert (
        projector_of(model).state_dict()["layers"]["0"]["A"].equal(projector_of(twin).state_dict()["layers"]["0"]["A"])
    )


def test_an_average_of_the_weights_is_a_model_of_its_own():
    model = plain()
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    optimizer = QPSBGD(model, 0.05)
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, seed=step).backward()
        optimizer.step()
        averaged.update_parameters(model)
    assert list(binary_layers(averaged)) == ["0", "2"]
    assert set(averaged.module[0].binary_weight().abs().flatten().tolist()) == {1.0}
    assert torch.isfinite(loss_of(averaged.eval()))
    assert torch.isfinite(loss_of(copy.deepcopy(model)))


def test_sharpness_aware_steps_project_the_second_gradient():
    model, twin = plain(), plain()
    loss_of(model).backward()
    with torch.no_grad():  # W + 0.05 g/‖g‖
        moves = [0.05 * p.grad / p.grad.norm() for p in model.parameters()]
        for one in (model, twin):
            for p, move in zip(one.parameters(), moves):
                p.add_(move)
    _same(_projected(model, loss_of(model)), _projected(twin, loss_of(twin)))
    assert projector_of(model).step == 1


def test_closures_return_the_loss_and_choose_tau():
    model = mixed()
    optimizer = QPSBGD(model, 0.03)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert optimizer.look_ahead.looks >= 1


def test_bfloat16_under_autocast():
    model, twin = plain(), plain()
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model)
    V = _projected(model, loss)
    reference = _projected(twin, loss_of(twin))
    agreement = torch.cat([(V[name] == reference[name]).flatten() for name in V]).float().mean()
    assert agreement > 0.9
    assert all(p.grad.dtype == torch.float32 for p in _binary(model))


def _scaled_step(model, optimizer, scaler, *, overflow=False, unscale=True, project=True):
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.float16):
        loss = loss_of(model)
    scaler.scale(loss * (float("inf") if overflow else 1.0)).backward()
    if unscale:
        scaler.unscale_(optimizer)
    if project:
        project_grad_(model)
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.parametrize("own", [True, False])
def test_a_step_that_overflows_is_skipped_by_the_scaler(own):
    model = plain()
    optimizer = QPSBGD(model, 0.0625) if own else torch.optim.SGD(model.parameters(), lr=0.0625)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    before = [p.detach().clone() for p in model.parameters()]
    _scaled_step(model, optimizer, scaler, overflow=True, unscale=not own, project=not own)
    assert all(torch.equal(p, start) for p, start in zip(model.parameters(), before))
    assert scaler.get_scale() == 128.0
    _scaled_step(model, optimizer, scaler, unscale=not own, project=not own)
    for p, start in zip(_binary(model), before):
        assert torch.equal((p - start).abs(), torch.full_like(start, 0.0625))


def test_a_scaler_that_unscales_too_late_is_noticed(caplog):
    model = plain()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.0625), torch.amp.GradScaler("cpu", init_scale=256.0)
    with caplog.at_level(logging.WARNING, "qproj"):
        for _ in range(4):
            _scaled_step(model, optimizer, scaler, unscale=False)
    late = [record.getMessage() for record in caplog.records if "unscale_" in record.getMessage()]
    assert late
    assert "divided by 256" in late[0]
    caplog.clear()
    fine = plain()
    optimizer = torch.optim.SGD(fine.parameters(), lr=0.0625)
    with caplog.at_level(logging.WARNING, "qproj"):
        for _ in range(4):
            _scaled_step(fine, optimizer, scaler)
            nn.utils.clip_grad_norm_(fine.parameters(), 0.3)
    assert not [record for record in caplog.records if "unscale_" in record.getMessage()]


def test_the_scale_of_the_gradient_changes_no_direction():
    model, twin = plain(), plain()
    _same(_projected(model, loss_of(model)), _projected(twin, 65536.0 * loss_of(twin)))


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_blocks_give_the_same_directions(reentrant):
    model, twin = plain(), plain()
    x = signs(12, 9).requires_grad_()
    V = _projected(model, model[2](checkpoint(model[:2], x, use_reentrant=reentrant)).square().mean())
    _same(V, _projected(twin, twin(x.detach()).square().mean()))


def test_names_of_wrapped_models_are_those_of_the_plain_one():
    model = plain()
    compiled = torch.compile(model, backend="eager")
    assert list(binary_layers(compiled)) == list(binary_layers(model))
    assert list(binary_layers(nn.DataParallel(model))) == list(binary_layers(model))
    nested = nn.Sequential(compiled, nn.ModuleDict({"module": BinaryLinear(1, 1)}))
    assert list(binary_layers(nested)) == ["0.0", "0.2", "1.module"]


class Net(nn.Module):
    """A residual conv net of torch's own layers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 9, 4)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = x + torch.relu(self.norm(self.conv(x)))
        return self.head(nn.functional.dropout(nn.functional.max_pool2d(x, 2), 0.1, self.training).flatten(1))


def test_a_network_of_torchs_layers_trains_after_one_call():
    torch.manual_seed(0)
    net = Net()
    assert binarize_(net)["conv"] == "binary"
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
    x = torch.randn(32, 1, 6, 6)
    y = (x.mean((1, 2, 3)) > 0).long() + 2 * (x[:, 0, 0, 0] > 0).long()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        project_grad_(net)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda model: QPSBGD(model, 0.1), lambda model: BinaryConnect(model, 0.1), lambda model: SignSGD(model, 0.1),
        lambda model: ProxQuant(model, 0.1), lambda model: QPSBGD(model, 0.1, projection="margin"),
        lambda model: QPSBGD(model, 0.1, projection="metric"),
    ],
)  # fmt: skip
def test_an_undefined_loss_is_seen_in_the_next_one(make):
    """A NaN never becomes a ±1 weight that looks like any other."""
    model = plain()
    optimizer = make(model)
    (loss_of(model) * float("nan")).backward()
    optimizer.step()
    assert torch.isnan(loss_of(model))


def test_optimisers_take_models_without_gradients():
    model = plain()
    for optimizer in (QPSBGD(model, 0.1), BinaryConnect(model, 0.1), SignSGD(model, 0.1)):
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.zero_grad()
        optimizer.step()
        assert all(torch.equal(p, start) for p, start in zip(model.parameters(), before))


@pytest.mark.parametrize("projection", ["sign", "margin"])
def test_projections_from_the_rows_of_a_convolution_keep_a_budget(projection, caplog):
    torch.manual_seed(0)
    model = nn.Sequential(BinaryConv2d(16, 16, 3, padding=1), SignActivation())
    projector = Projector(model, projection=projection, max_rows=2000)
    for _ in range(2):
        model.zero_grad()
        model(torch.randn(16, 16, 16, 16).sign()).square().sum().backward()
        with caplog.at_level(logging.WARNING, "qproj"):
            report = projector.project_grad_()
        assert report["0"].rows == 2000
    said = [r.getMessage() for r in caplog.records if "max_rows" in r.getMessage()]
    assert len(said) == 1
    assert "layer '0' has 4096 rows" in said[0]
    assert "projection='curvature'" in said[0]

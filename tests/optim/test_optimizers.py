"""One table sends all optimisers, and torch's own after project_grad_, through the same tests."""

import copy
import io
import itertools
import math

import pytest
import torch
from torch import nn

from qproj.nn import binary_layers
from qproj.optim import QPSBGD, BinaryConnect, Bop, LatentAdam, ProjectedQPSBGD, ProxQuant, SignSGD, project_grad_
from qproj.optim.proxquant import pull
from tests.optim._nets import loss_of, mixed, plain

ARTICLE = {"projection": "sign", "targets": "outputs"}
TABLE = {
    "curvature": lambda m, **o: QPSBGD(m, 0.0625, **o),
    "curvature-tau": lambda m, **o: QPSBGD(m, 0.0625, **{"tau": 4.0, "refresh": 3, "filter": 1.0, **o}),
    "curvature-solver": lambda m, **o: QPSBGD(m, 0.0625, "local-search", **{"hint": "last", **o}),
    "curvature-every": lambda m, **o: QPSBGD(m, 0.0625, every=3, **o),
    "projected": lambda m, **o: ProjectedQPSBGD(m, 0.0625, **o),
    "sign": lambda m, **o: QPSBGD(m, 0.0625, "local-search", **{**ARTICLE, **o}),
    "sign-momentum": lambda m, **o: QPSBGD(m, 0.0625, "local-search", **{**ARTICLE, "momentum": 0.5, **o}),
    "sign-every": lambda m, **o: QPSBGD(m, 0.0625, "local-search", every=3, **{**ARTICLE, **o}),
    "sign-hint": lambda m, **o: QPSBGD(m, 0.0625, "local-search", hint="last", **{**ARTICLE, **o}),
    "margin": lambda m, **o: ProjectedQPSBGD(m, 0.0625, projection="margin", **o),
    "binaryconnect": lambda m, **o: BinaryConnect(m, 0.5, **o),
    "signsgd": lambda m, **o: SignSGD(m, 0.0625, momentum=0.9, **o),
    "adam": lambda m, **o: LatentAdam(m, 0.05, **o),
    "bop": lambda m, **o: Bop(m, 0.2, **o),
    "proxquant": lambda m, **o: ProxQuant(m, 0.1, reg_rate=0.01, **o),
}


@pytest.fixture(params=TABLE)
def make(request):
    return TABLE[request.param]


def _train(model, optimizer, steps, first=0):
    losses = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        loss = loss_of(model, seed=step % 4)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", TABLE)
def test_training_lowers_the_loss(name):
    model = plain()
    losses = _train(model, TABLE[name](model), 40)
    # ProxQuant moves latent weights through the forward pass, which starts far from any sign
    share = {"proxquant": 0.99, "curvature-every": 0.9}.get(name, 0.8)
    assert sum(losses[-4:]) < share * sum(losses[:4])


def test_stopping_and_resuming_changes_no_bit(make):
    model = mixed()
    optimizer = make(model)
    _train(model, optimizer, 4)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    _train(model, optimizer, 4, first=4)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = mixed(seed=9)
    other = make(again)
    again.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    _train(again, other, 4, first=4)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_float_parameters_take_the_same_adam_step_in_all(make):
    model, reference = mixed(), mixed()
    optimizer = make(model, float_lr=0.01)
    optimizer.zero_grad()
    loss_of(model).backward()
    for p, q in zip(reference.parameters(), model.parameters()):
        p.grad = q.grad.clone()
    binary = {id(layer.weight) for layer in binary_layers(reference).values()}
    floats = [p for p in reference.parameters() if id(p) not in binary]
    adam = torch.optim.Adam(floats, lr=0.01)
    adam.step()
    optimizer.step()
    own = [p for p in model.parameters() if id(p) not in {id(layer.weight) for layer in binary_layers(model).values()}]
    assert len(own) == 6
    for p, q in zip(own, floats):
        torch.testing.assert_close(p, q)


def test_schedulers_closures_and_groups(make):
    model = mixed()
    optimizer = make(model, groups=[{"params": list(model[3].parameters()), "lr": 0.03125}])
    assert [(g["binary"], g["lr"]) for g in optimizer.param_groups][:2] == [(True, 0.03125), (False, 0.03125)]
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(model.parameters()))
    before = [g["lr"] for g in optimizer.param_groups]
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    expected = loss_of(model).item()  # ProxQuant has switched the forward pass to latent weights
    assert optimizer.step(closure).item() == pytest.approx(expected, rel=1e-5)
    scheduler.step()
    assert [g["lr"] for g in optimizer.param_groups] == [lr / 2 for lr in before]


def test_parameters_without_gradient_do_not_move(make):
    model = plain()
    model[2].weight.requires_grad_(False)
    frozen = model[2].weight.clone()
    optimizer = make(model)
    _train(model, optimizer, 2)
    assert torch.equal(model[2].weight, frozen)


def test_step_sizes_and_groups_that_mean_nothing_are_refused(make):
    kind = type(make(plain()))
    with pytest.raises(ValueError, match="lr is -1"):
        kind(plain(), -1.0)
    with pytest.raises(ValueError, match="float_lr is 0"):
        kind(plain(), 0.1, float_lr=0)
    with pytest.raises(ValueError, match="name each once"):
        kind(plain(), 0.1, groups=[{"params": list(plain().parameters())}])
    with pytest.raises(ValueError, match="no binary layer"):
        kind(nn.Linear(2, 2), 0.1)
    with pytest.raises(ValueError, match="momentum" if kind is not Bop else "threshold"):
        kind(plain(), 0.1, **({"momentum": 1.0} if kind is not Bop else {"threshold": -1.0}))


def test_one_step_is_its_formula():
    for name, expected in {
        "sign": lambda w, V: w + 0.0625 * V,
        "curvature": lambda w, V: w + 0.0625 * V,
        "projected": lambda w, V: (w + 0.0625 * V).clamp(-1, 1),
    }.items():
        model, twin = plain(init=1.0), plain(init=1.0)
        optimizer = TABLE[name](model)
        loss_of(model).backward()
        loss_of(twin).backward()
        if name == "sign":
            project_grad_(twin, "local-search", projection="sign", targets="outputs")
        else:
            project_grad_(twin)
        optimizer.step()
        for p, q in zip(model.parameters(), twin.parameters()):
            assert torch.equal(p, expected(q.detach(), -q.grad)), name


def test_baselines_are_their_formulas():
    for make, expected in (
        (lambda m: BinaryConnect(m, 0.5, momentum=0.0), lambda w, g: (w - 0.5 * g).clamp(-1, 1)),
        (lambda m: SignSGD(m, 0.25), lambda w, g: w - 0.25 * g.sign()),
        (lambda m: LatentAdam(m, 0.25, box=False), lambda w, g: w - 0.25 * g / (g.abs() + 1e-8)),
        (lambda m: LatentAdam(m, 2.0), lambda w, g: (w - 2.0 * g / (g.abs() + 1e-8)).clamp(-1, 1)),
        (
            lambda m: Bop(m, 0.5, threshold=0.01),
            lambda w, g: torch.where((g.abs() > 0.02) & (g.sign() == w.sign()), -w.sign(), w.sign()),
        ),
        (lambda m: SignSGD(m, 2.0, box=True), lambda w, g: (w - 2.0 * g.sign()).clamp(-1, 1)),
    ):
        model, twin = plain(), plain()
        loss_of(model).backward()
        loss_of(twin).backward()
        make(model).step()
        for p, q in zip(model.parameters(), twin.parameters()):
            torch.testing.assert_close(p, expected(q.detach(), q.grad))


def test_binary_iterates_stay_binary():
    model = plain()
    optimizer = ProjectedQPSBGD(model, 1.5, "local-search", binary_iterates=True, **ARTICLE)
    _train(model, optimizer, 2)
    assert set(model[0].weight.abs().flatten().tolist()) == {1.0}
    with pytest.raises(ValueError, match="use lr > 1"):
        ProjectedQPSBGD(model, 0.5, binary_iterates=True)


def test_the_proximal_pull_is_its_argmin():
    w = torch.linspace(-2, 2, 41, dtype=torch.float64)
    grid = torch.linspace(-3, 3, 60001, dtype=torch.float64)
    for lam in (0.0, 0.1, 0.7, 5.0):
        cost = 0.5 * (grid - w[:, None]) ** 2 + lam * torch.minimum((grid - 1).abs(), (grid + 1).abs())
        by_hand = cost.min(dim=1).values
        u = pull(w, lam)
        value = 0.5 * (u - w) ** 2 + lam * torch.minimum((u - 1).abs(), (u + 1).abs())
        assert (value <= by_hand + 1e-7).all()


def test_proxquant_ends_at_signs():
    model = plain()
    _train(model, ProxQuant(model, 0.1, reg_rate=1.0), 40)
    for layer in binary_layers(model).values():
        torch.testing.assert_close(layer.weight, layer.binary_weight())


def test_the_state_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="no 'projector'"):
        QPSBGD(plain()).load_state_dict(SignSGD(plain()).state_dict())


@pytest.mark.parametrize("wrap", [torch.optim.AdamW, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)])
def test_torch_optimizers_follow_two_lines(wrap):
    model = plain()
    optimizer = wrap(model.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        loss_of(model).backward()
        before = model[0].weight.detach().clone()
        project_grad_(model)
        V = -model[0].weight.grad.clone()
        optimizer.step()
    moved = model[0].weight.detach() - before
    assert math.isfinite(moved.norm())
    assert (moved * V).sum() > 0


def test_reports_of_the_last_step_are_kept():
    model = plain()
    optimizer = QPSBGD(model, 0.1)
    assert optimizer.last_report is None
    _train(model, optimizer, 1)
    assert set(optimizer.last_report) == {"0", "2"}


def test_seeds_decide_and_steps_differ():
    model = plain()
    weights = [copy.deepcopy(model) for _ in range(2)]
    for one in weights:
        _train(one, QPSBGD(one, 0.0625, "random", num_reads=1, seed=5, projection="sign"), 3)
    assert all(torch.equal(p, q) for p, q in itertools.islice(zip(weights[0].parameters(), weights[1].parameters()), 2))

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import qproj
from qproj.nn import BinaryConv1d, BinaryGCNConv, BinaryLinear, SignActivation, binary_layers, normalized_adjacency
from qproj.optim import Projector, capture
from qproj.optim import project_grad_ as project_curvature_
from qproj.optim.curvature_search import scaled
from qproj.projections import CurvatureLayerProjection
from tests.optim._nets import loss_of, mixed, plain, signs


def project_grad_(model, solver="auto", *, projection="sign", targets="outputs", **options):
    """The article's projection, unless another one is asked for."""
    return project_curvature_(model, solver, projection=projection, targets=targets, **options)


def _brute(X, T):
    """Every neuron's best gain, by trying all ±1 vectors."""
    V = np.array(list(itertools.product([-1, 1], repeat=X.shape[1])))
    return (T.T @ np.where(X @ V.T >= 0, 1, -1)).max(axis=1)


def test_gradients_become_the_argmin_of_the_definition():
    model = plain()
    with capture(model) as batch:
        loss_of(model).backward()
    model.zero_grad()
    loss_of(model).backward()
    report = project_grad_(model, "exhaustive")
    for name, layer in binary_layers(model).items():
        V = -layer.weight.grad.numpy()
        assert set(np.unique(np.abs(V))) == {1.0}
        X, T = batch[name].X, batch[name].T
        gain = (T * np.where(X @ V.T >= 0, 1, -1)).sum(axis=0)
        np.testing.assert_allclose(gain, _brute(X, T), rtol=1e-12)
        objective = ((np.where(X @ V.T >= 0, 1, -1) - T) ** 2).sum()
        assert report[name].objective == pytest.approx(objective)
        assert report[name].bound <= report[name].objective
        assert report[name].gap == 0.0
        assert report[name].proved == 1.0


def test_everything_else_is_left_bit_for_bit():
    model, twin = mixed(), mixed()
    loss_of(model).backward()
    loss_of(twin).backward()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    project_grad_(model, "local-search")
    binary = {f"{name}.weight" for name in binary_layers(model)}
    others = [name for name, _ in model.named_parameters() if name not in binary]
    assert len(others) == 6
    reference = dict(twin.named_parameters())
    for name, p in model.named_parameters():
        if name in binary:
            assert set(p.grad.abs().flatten().tolist()) == {1.0}
        else:
            assert torch.equal(p.grad, reference[name].grad)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_alignment_and_cosine_are_their_definitions():
    model = plain()
    loss_of(model).backward()
    grads = {name: layer.weight.grad.clone() for name, layer in binary_layers(model).items()}
    report = project_grad_(model, "local-search")
    for name, layer in binary_layers(model).items():
        V, g = -layer.weight.grad, grads[name]
        c = float((-g * V).sum() / g.norm())
        assert report[name].alignment == pytest.approx(c, rel=1e-5)
        assert report[name].cosine == pytest.approx(c / math.sqrt(g.numel()), rel=1e-5)
    assert report.seconds > 0
    assert set(report.to_dict()) == {"0", "2"}


@pytest.mark.parametrize("accumulate", ["one backward pass each", "one for all"])
def test_several_passes_are_one_projection_on_all_rows(accumulate):
    model, whole = plain(), plain()
    seeds = (1, 2)
    if accumulate == "one for all":
        sum(loss_of(model, s) for s in seeds).backward()
    else:
        for s in seeds:
            loss_of(model, s).backward()
    x = torch.cat([signs(12, 9, seed=s) for s in seeds])
    y = torch.where(x[:, :3].sum(1) > 0, 1.0, -1.0)
    (2 * nn.functional.softplus(-y * whole(x)[:, 0] / 3).mean()).backward()
    a, b = project_grad_(model, "exhaustive"), project_grad_(whole, "exhaustive")
    for name in a:
        assert a[name].objective == pytest.approx(b[name].objective)
        assert a[name].rows == b[name].rows


def test_rows_without_target_are_left_out_and_counted():
    torch.manual_seed(0)
    model = BinaryLinear(9, 2)
    x = signs(6, 9)
    (model(x)[:4] * torch.randn(4, 2)).sum().backward()
    with torch.no_grad():
        V_full = qproj.project(x.numpy(), -_grad_of_z(model, x), "exhaustive")
    report = project_grad_(model, "exhaustive")
    assert report[""].rows == 4
    assert report[""].objective == pytest.approx(float(V_full.objective.sum()))


def _grad_of_z(model, x):
    (rows,) = model.recorder.rows
    return rows.grad.numpy()


def test_a_neuron_without_any_target_keeps_its_signs():
    torch.manual_seed(0)
    model = BinaryLinear(9, 3)
    model(signs(6, 9))[:, :2].square().sum().backward()
    project_grad_(model, "local-search")
    assert torch.equal(-model.weight.grad[2], model.binary_weight()[2])


def test_graph_layers_project_on_mixed_rows():
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.act, self.two = BinaryGCNConv(7, 4), SignActivation(), BinaryGCNConv(4, 2)

        def forward(self, x, adjacency):
            return self.two(self.act(self.one(x, adjacency)), adjacency)

    adjacency = normalized_adjacency(torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4]]), 5)
    net, x = Net(), torch.randn(5, 7)
    with capture(net) as batch:
        nn.functional.cross_entropy(net(x, adjacency)[:2], torch.tensor([0, 1])).backward()
    X = batch["one"].X
    np.testing.assert_allclose(X, (adjacency.to_dense() @ x).numpy(), rtol=1e-6)
    net.zero_grad()
    nn.functional.cross_entropy(net(x, adjacency)[:2], torch.tensor([0, 1])).backward()
    report = project_grad_(net, "exhaustive")
    gain = (batch["one"].T * np.where(X @ -net.one.weight.grad.numpy().T >= 0, 1, -1)).sum(axis=0)
    np.testing.assert_allclose(gain, _brute(X, batch["one"].T), rtol=1e-9)
    assert report["two"].rows == 2


@pytest.mark.parametrize("projection", ["margin", "linear", "metric"])
def test_other_projections_give_signs(projection):
    model = plain()
    loss_of(model).backward()
    G = -model[0].weight.grad.numpy()
    report = project_grad_(model, "sa" if projection == "linear" else "auto", projection=projection)
    V = -model[0].weight.grad.numpy()
    assert set(np.unique(np.abs(V))) == {1.0}
    assert report["0"].projection == projection
    if projection == "metric":
        np.testing.assert_array_equal(V, np.where(G >= 0, 1, -1))


def test_a_metric_weighs_coordinates():
    model = BinaryLinear(3, 1)
    model(torch.tensor([[1.0, -0.2, 0.1]])).sum().backward()
    M = np.array([[1.0, 2.0, 0.0], [2.0, 5.0, 0.0], [0.0, 0.0, 1.0]])
    g = -model.weight.grad.numpy()[0]
    project_grad_(model, "exhaustive", projection="metric", metric=M)
    V = np.array(list(itertools.product([-1, 1], repeat=3)))
    best = min(V, key=lambda v: (v - g) @ M @ (v - g))
    np.testing.assert_array_equal(-model.weight.grad.numpy()[0], best)


def test_margin_with_a_named_solver_is_the_same_argmin():
    a, b = plain(), plain()
    loss_of(a).backward()
    loss_of(b).backward()
    project_grad_(a, "auto", projection="margin", kappa=1.5, sweeps=200)
    project_grad_(b, "exhaustive", projection="margin", kappa=1.5)
    assert torch.equal(a[0].weight.grad, b[0].weight.grad)


def test_a_solver_for_each_layer():
    model = plain()
    loss_of(model).backward()
    report = project_grad_(model, {"0": "sign", "*": "exhaustive"})
    assert report["2"].proved == 1.0
    direction = model[0].weight.grad.clone()
    model.zero_grad()
    loss_of(model).backward()
    project_grad_(model, "sign")
    assert torch.equal(model[0].weight.grad, direction)
    model.zero_grad()
    loss_of(model).backward()
    with pytest.raises(ValueError, match=r"add '\*'"):
        project_grad_(model, {"0": "sign"})


def test_one_seed_gives_one_result():
    grads = []
    for _ in range(2):
        model = plain()
        loss_of(model).backward()
        project_grad_(model, "local-search", seed=3)
        grads.append(model[0].weight.grad)
    assert torch.equal(*grads)


def test_every_kth_step_solves_and_the_others_reuse():
    model = plain()
    projector = Projector(model, "local-search", projection="sign", every=2)
    seen = []
    for step in range(4):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        report = projector.project_grad_()
        seen.append((report["0"].reused, model[0].weight.grad.clone()))
    assert [reused for reused, _ in seen] == [False, True, False, True]
    assert torch.equal(seen[0][1], seen[1][1])
    assert len(model[0].recorder) == 0


@pytest.mark.parametrize("hint", ["last", "weights"])
def test_hints_reach_the_solver(hint):
    hints = []

    class Listening(qproj.get_solver("local-search").__class__):
        def solve_many(self, problems, **limits):
            hints.append(limits.get("hints"))
            return super().solve_many(problems, **limits)

    model = plain()
    projector = Projector(model, Listening(), projection="sign", hint=hint)
    for step in range(2):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        projector.project_grad_()
    if hint == "weights":
        np.testing.assert_array_equal(hints[0], model[0].binary_weight().numpy())
    else:
        assert hints[0] is None
        assert hints[2] is not None


def test_audits_report_what_the_solver_missed():
    model = plain()
    projector = Projector(model, "random", projection="sign", num_reads=1, audit=2, audit_solver="exhaustive")
    gaps = []
    for step in range(3):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        gaps.append(projector.project_grad_()["0"].audit_gap)
    assert gaps[1] is None
    assert 0 < gaps[0] <= 1
    assert 0 < gaps[2] <= 1


@pytest.mark.parametrize(("solver", "missed"), [("random", True), ("exhaustive", False), ("auto", None)])
def test_audits_of_the_curvature_projection_compare_the_values_of_its_model(solver, missed):
    """The definition: the difference of the model's values at what was found and at the best of all v, over scales."""
    model = plain()
    reads = 1 if solver == "random" else None
    projector = Projector(model, solver, tau=4.0, audit=2, audit_solver="exhaustive", num_reads=reads)
    gaps = []
    for step in range(3):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        report = projector.project_grad_()
        gaps.append(report["0"].audit_gap)
    state = projector._directions.states["0"]
    V = state.V[0]  # of which a step may take sign(h) instead
    unit, rho = (x[0].double().numpy() for x in scaled(state, -state.mean / state.weight, 4.0))
    layer = CurvatureLayerProjection(state.A[0].double().numpy(), unit, rho)
    every = np.array(list(itertools.product((-1.0, 1.0), repeat=V.shape[1])))
    lost = sum(one.objective(v) - min(one.objective(u) for u in every) for one, v in zip(layer, V.double().numpy()))
    assert gaps[1] is None
    assert gaps[2] == pytest.approx(lost / sum(neuron.gap_scale(0.0) for neuron in layer), abs=1e-6)
    if missed is not None:
        assert (gaps[0] > 1e-6) == missed


def test_time_is_shared_among_layers():
    model = plain()
    loss_of(model).backward()
    report = project_grad_(model, "local-search", time_limit_s=0.2)
    assert report.seconds < 2.0  # a generous ceiling: one layer alone may not take it all for itself
    assert len(report) == 2


def test_half_precision_models_are_projected():
    torch.manual_seed(0)
    model = BinaryLinear(9, 2, dtype=torch.bfloat16)
    model(signs(6, 9).bfloat16()).square().sum().backward()
    project_grad_(model, "local-search")
    assert model.weight.grad.dtype == torch.bfloat16
    assert set(model.weight.grad.abs().flatten().tolist()) == {1.0}


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda m: None, "call loss.backward"),
        (lambda m: (m.eval(), loss_of(m).backward()), "training mode"),
        (lambda m: (loss_of(m).backward(), project_grad_(m, "sign")), "once before each projection"),
    ],
)
def test_missing_rows_are_refused_with_a_remedy(prepare, words):
    model = plain()
    prepare(model)
    with pytest.raises(ValueError, match=words):
        project_grad_(model, "sign")


def test_a_refused_layer_changes_no_gradient():
    torch.manual_seed(0)
    model = nn.Sequential(BinaryLinear(9, 4), nn.Unflatten(1, (4, 1)), BinaryConv1d(4, 4, 1, groups=2), nn.Flatten())
    loss_of(model).backward()
    before = [p.grad.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=r"'2' has 2 groups.*projection='curvature'"):
        project_grad_(model, "sign")
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), before))


@pytest.mark.parametrize("projection", ["curvature", "sign", "margin", "linear", "metric"])
def test_a_gradient_that_is_not_finite_stays_as_it_is(projection):
    model = plain()
    solver = "sa" if projection == "linear" else "auto"
    projector = Projector(model, solver, projection=projection)
    loss_of(model).backward()
    projector.project_grad_()
    state = copy.deepcopy(projector.state_dict()["layers"])
    model.zero_grad()
    loss_of(model).backward()
    with torch.no_grad():
        model[0].weight.grad[1, 2] = float("nan")
        model[2].weight.grad.mul_(float("inf"))
    before = [p.grad.clone() for p in model.parameters()]
    report = projector.project_grad_()
    assert all(torch.equal(p.grad.isnan(), g.isnan()) for p, g in zip(model.parameters(), before))
    assert math.isnan(report["0"].alignment)
    after = projector.state_dict()["layers"]
    if projection == "curvature":  # the mean and its weight would keep the NaN
        assert all(torch.equal(after[n]["mean"], state[n]["mean"]) for n in state)
        assert all(torch.equal(after[n]["weight"], state[n]["weight"]) for n in state)
    loss_of(model).backward()
    with pytest.raises(ValueError, match="lower the step size"):
        project_grad_(model, solver, projection=projection, error_if_nonfinite=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"projection": "signs"}, "'margin'"),
        ({"hint": "first"}, "'last'"),
        ({"every": 0}, "every is 0; an integer ≥ 1"),
        ({"metric": [[1.0]]}, "leave one of them out"),
        ({"projection": "linear", "audit": 1}, "audit=0"),
        ({"time_limit_s": 0}, "> 0"),
        ({"solver": "local-serch"}, "local-search"),
    ],
)
def test_options_are_checked_before_any_work(options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        Projector(plain(), **options)


def test_models_without_binary_layers_are_refused():
    with pytest.raises(ValueError, match="no binary layer"):
        Projector(nn.Linear(2, 2))


def test_state_of_another_model_or_projection_is_refused():
    state = Projector(plain()).state_dict()
    with pytest.raises(ValueError, match="lacks"):
        Projector(plain()).load_state_dict({**state, "layers": {"elsewhere": {}}})
    with pytest.raises(ValueError, match="projection='curvature'"):
        Projector(plain(), projection="sign").load_state_dict(state)

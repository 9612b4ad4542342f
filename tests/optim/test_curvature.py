"""The curvature projection of a layer: its definition, its theorem, and what it does at the edges."""

import copy
import io
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import qproj
from qproj.nn import BinaryConv2d, BinaryLinear, SignActivation, binary_layers
from qproj.optim import QPSBGD, Projector, project_grad_, projector_of
from qproj.optim.cpu_passes import alignment_on_cpu, mean_on_cpu, negate_on_cpu_
from qproj.optim.curvature_search import descend_in_blocks_, direction, direction_by_products, scaled
from qproj.optim.curvature_state import CurvatureState, filtered, refresh, second_moment
from tests.optim._nets import loss_of, mixed, plain, signs


def _brute(A, h, rho):
    """The least energy of all ±1 vectors, by the formula."""
    V = np.array(list(itertools.product([-1.0, 1.0], repeat=len(h))))
    energies = -V @ h + 0.5 * rho * np.einsum("kd,de,ke->k", V, A, V)
    return energies.min()


def _state(A, H):
    """The state of a layer at its first refresh."""
    A, H = (torch.as_tensor(x, dtype=torch.float32)[None] for x in (A, H))
    zeros = torch.zeros_like(H)
    state = CurvatureState(zeros, torch.zeros(()), A, torch.zeros(H.shape[:2]), zeros.clone(), zeros.clone())
    refresh(state, A, torch.tensor(1.0), H)
    return state, H


def test_the_direction_is_the_argmin_of_the_formula_on_averaged_gradients():
    tau, beta, model = 1.5, 0.8, plain()
    projector = Projector(model, "exhaustive", tau=tau, momentum=beta, refresh=1)
    means = dict.fromkeys(binary_layers(model), 0.0)
    for step in range(3):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        grads = {name: layer.weight.grad.double().numpy() for name, layer in binary_layers(model).items()}
        X = signs(12, 9, seed=step).double().numpy()
        inputs = {"0": X, "2": np.where(X @ model[0].binary_weight().double().numpy().T >= 0, 1.0, -1.0)}
        report = projector.project_grad_()
        for name, layer in binary_layers(model).items():
            means[name] = beta * means[name] + (1 - beta) * grads[name]
            H = -means[name] / (1 - beta ** (step + 1))
            A = inputs[name].T @ inputs[name] / 12
            objective = 0.0
            for h, v in zip(H, -layer.weight.grad.double().numpy()):
                v0 = np.where(h >= 0, 1.0, -1.0)
                rho = tau * np.abs(h).sum() / (v0 @ A @ v0)
                energy = _brute(A, h, rho)
                assert -v @ h + 0.5 * rho * v @ A @ v == pytest.approx(energy, rel=1e-5)
                objective += energy
            assert report[name].objective == pytest.approx(objective, rel=1e-5)
            assert report[name].tau == tau


def test_without_curvature_it_is_signsgd_with_momentum():
    model = plain()
    projector = Projector(model, tau=0.0, momentum=0.5)
    mean = 0.0
    for step in range(3):
        model.zero_grad()
        loss_of(model, seed=step).backward()
        mean = 0.5 * mean + 0.5 * model[0].weight.grad.clone()
        report = projector.project_grad_()
        assert torch.equal(model[0].weight.grad, mean.sign())
        assert report["0"].agreement == 1.0


def _random_layer(seed, d, dout, rank, spread):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rank, d)) * spread ** rng.normal(size=d)
    return X.T @ X / rank, rng.normal(size=(dout, d)) * spread ** rng.normal(size=(dout, 1))


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 8), st.integers(1, 60),
    st.sampled_from([1.0, 10.0]), st.sampled_from([0.0, 0.5, 1.0, 1.9, 2.0, 4.0]), st.integers(0, 5),
)  # fmt: skip
def test_steps_are_aligned_with_the_gradient_by_construction(seed, d, dout, rank, spread, tau, sweeps):
    """⟨h, V⟩ ≥ (1 − τ/2)‖h‖₁, whatever the start of the descent and the age of the second moment."""
    A, H = _random_layer(seed, d, dout, rank, spread)
    state, H = _state(A, H)
    rng = np.random.default_rng(seed)
    state.V = torch.from_numpy(rng.choice([-1.0, 1.0], state.V.shape)).float()
    state.F = state.V @ state.A
    V = direction(state, H, tau, sweeps).V
    aligned = (H * V).sum(-1) - (1 - tau / 2) * H.abs().sum(-1)
    assert (aligned >= -1e-4 * H.abs().sum(-1)).all()
    H = H + torch.from_numpy(rng.normal(size=H.shape)).float()  # the next steps keep the second moment
    aligned = (H * direction(state, H, tau, sweeps).V).sum(-1) - (1 - tau / 2) * H.abs().sum(-1)
    assert (aligned >= -1e-4 * H.abs().sum(-1)).all()


def _energies(state, H, tau):
    unit, rho = scaled(state, H, tau)
    return 0.5 * rho * ((state.V @ state.A) * state.V).sum(-1) - (unit * state.V).sum(-1)


@pytest.mark.parametrize("d", [7, 64, 200])
@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_flips_in_blocks_reach_the_energy_of_single_flips(d, tau):
    A, H = _random_layer(d, d, 24, 3 * d, 1.0)
    state, H = _state(A, H)
    blocks = state.copy()
    direction(state, H, tau, 5)
    unit, rho = scaled(blocks, H, tau)
    before = _energies(blocks, H, tau)
    descend_in_blocks_(blocks.A, unit, rho, blocks.V, blocks.F, 5)
    single, block = _energies(state, H, tau), _energies(blocks, H, tau)
    assert (block <= before + 1e-4 * before.abs()).all()
    assert block.sum() <= single.sum() + 0.01 * single.sum().abs()
    torch.testing.assert_close(blocks.F, blocks.V @ blocks.A, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state.F, state.V @ state.A, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tau", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("sweeps", [0, 1, 5])
def test_the_compiled_pass_returns_what_products_say_of_its_flips(tau, sweeps):
    """V, objective and agreement, with a dead neuron, a dead input, and a neuron that falls back to sign(h)."""
    A, H = _random_layer(2, 60, 16, 200, 1.0)
    A[:, 7] = A[7] = 0.0
    H[3], H[:, 7] = 0.0, 0.0
    state, H = _state(A, H * 1e-20)
    state.V[0, 5, ::2] *= -1.0
    state.F = state.V @ state.A
    before = _energies(state, H, tau)
    found = direction(state, H, tau, sweeps)
    expected = direction_by_products(state.copy(), H, tau, 0)
    assert torch.equal(found.V, expected.V)
    assert float(found.objective) == pytest.approx(float(expected.objective), rel=1e-4)
    assert float(found.agreement) == pytest.approx(float(expected.agreement), rel=1e-6)
    assert not found.V[0, 3].any()
    assert not found.V[0, :, 7].any()
    assert (_energies(state, H, tau) <= before + 1e-4 * before.abs()).all()
    if tau == 0.5 and not sweeps:
        assert torch.equal(found.V[0, 5].bool(), H[0, 5] != 0)
        assert torch.equal(found.V[0, 5], H[0, 5].sign())


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_a_few_sweeps_come_near_the_proved_optimum(tau):
    A, H = _random_layer(1, 12, 20, 40, 1.0)
    state, H = _state(A, H)
    direction(state, H, tau, 50)
    unit, rho = scaled(state, H, tau)
    best = np.array([_brute(A, h, r) for h, r in zip(unit[0].double().numpy(), rho[0].double().numpy())])
    found = _energies(state, H, tau)[0].double().numpy()
    assert (found >= best - 1e-4 * np.abs(best)).all()
    assert found.sum() - best.sum() <= 0.15 * float(unit.abs().sum())


def test_gradients_of_any_size_give_the_same_direction():
    results = []
    for size in (1.0, 1e-30, 1e30):
        A, H = _random_layer(3, 20, 4, 30, 1.0)
        state, H = _state(A, H * size)
        results.append(direction(state, H, 2.0, 5).V)
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_nothing_is_read_from_the_device():
    """On the meta device tensors have no values, so that reading one raises."""
    with torch.device("meta"):
        model = nn.Sequential(
            BinaryConv2d(3, 8, 3, padding=1, groups=1), nn.BatchNorm2d(8), SignActivation(),
            nn.Flatten(), BinaryLinear(8 * 36, 4),
        )  # fmt: skip
        x = torch.zeros(5, 3, 6, 6)
    projector = Projector(model, tau=2.0, filter=0.5, refresh=2, max_rows=50)
    for _ in range(3):
        model.zero_grad()
        model(x).square().sum().backward()
        report = projector.project_grad_()
    assert report["0"].rows == 5
    assert model[0].weight.grad.shape == model[0].weight.shape
    with pytest.raises(RuntimeError):  # the figures are read when they are asked for
        float(report["0"].alignment)


def test_what_a_gradient_does_not_know_does_not_move():
    model = plain()
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    loss_of(model).backward()
    model.zero_grad(set_to_none=False)
    (0.0 * loss_of(model)).backward()
    project_grad_(model)
    assert not any(p.grad.any() for p in model.parameters())


def test_dead_neurons_and_dead_inputs_do_not_move():
    torch.manual_seed(0)
    model = BinaryLinear(9, 3)
    x = signs(6, 9)
    x[:, 4] = 0.0
    model(x)[:, :2].square().sum().backward()
    project_grad_(model)
    V = model.weight.grad
    assert not V[2].any()
    assert not V[:, 4].any()
    assert set(V[:2, :4].abs().flatten().tolist()) == {1.0}


def test_empty_batches_and_frozen_layers():
    model = plain()
    loss_of(model).backward()
    projector = Projector(model)
    projector.project_grad_()
    A = projector.state_dict()["layers"]["0"]["A"].clone()
    for _ in range(9):
        model.zero_grad()
        model(torch.zeros(0, 9)).sum().backward()
        projector.project_grad_()
    assert torch.equal(projector.state_dict()["layers"]["0"]["A"], A)
    frozen = plain()
    frozen[0].weight.requires_grad_(False)
    loss_of(frozen).backward()
    assert list(project_grad_(frozen)) == ["2"]
    frozen[2].weight.requires_grad_(False)
    frozen.zero_grad()
    assert len(project_grad_(frozen)) == 0


def test_the_second_moment_is_refreshed_every_so_many_steps_from_all_passes():
    model = plain()
    projector = Projector(model, refresh=3)
    moments = []
    for step in range(5):
        model.zero_grad()
        for part in range(2):
            loss_of(model, seed=10 * step + part).backward()
        projector.project_grad_()
        moments.append(projector.state_dict()["layers"]["0"]["A"].clone())
    X = [torch.cat([signs(12, 9, seed=10 * step + part) for part in range(2)]) for step in (0, 3)]
    expected = [x.T @ x / 24 for x in X]
    for step, moment in enumerate(moments):
        torch.testing.assert_close(moment[0], expected[step // 3])


def test_groups_have_second_moments_of_their_own():
    torch.manual_seed(0)
    model, x = BinaryConv2d(4, 6, 2, groups=2), torch.randn(3, 4, 5, 5)
    model(x).square().sum().backward()
    grad = model.weight.grad.clone()
    project_grad_(model)
    V = model.weight.grad.clone()
    for group in range(2):
        half = BinaryConv2d(2, 3, 2)
        with torch.no_grad():
            half.weight.copy_(model.weight[3 * group : 3 * group + 3])
        half(x[:, 2 * group : 2 * group + 2]).square().sum().backward()
        torch.testing.assert_close(half.weight.grad, grad[3 * group : 3 * group + 3])
        project_grad_(half)
        assert torch.equal(half.weight.grad, V[3 * group : 3 * group + 3])


def test_many_patches_are_sampled_by_the_seed():
    torch.manual_seed(0)
    x = torch.randn(8, 2, 12, 12)
    moments = {}
    for most, seed in ((10**6, 0), (300, 0), (300, 0), (300, 1)):
        model = BinaryConv2d(2, 3, 3)
        with torch.no_grad():
            model.weight.copy_(torch.linspace(-1, 1, model.weight.numel()).reshape(model.weight.shape))
        projector = Projector(model, max_rows=most, seed=seed)
        model(x).square().sum().backward()
        projector.project_grad_()
        moments.setdefault((most, seed), []).append(projector.state_dict()["layers"][""]["A"])
    assert torch.equal(*moments[300, 0])
    assert not torch.equal(moments[300, 0][0], moments[300, 1][0])
    whole = moments[10**6, 0][0]
    assert (moments[300, 0][0] - whole).norm() < 0.3 * whole.norm()


def test_the_second_moment_of_drawn_rows_is_unbiased():
    """Over many seeds it is that of all rows, where passes have different numbers of them."""
    torch.manual_seed(0)
    layer = BinaryConv2d(2, 3, 3)
    for images, size in ((4, 9), (1, 5)):
        layer(torch.randn(images, 2, size, size) * size).square().sum().backward()
    X = torch.cat([layer.rows(rows.x)[:, 0].double() for rows in layer.recorder.rows])
    A = X.T @ X / len(X)
    found = torch.stack([
        second_moment(layer, layer.recorder.rows, 40, torch.Generator().manual_seed(seed), None)[0][0].double()
        for seed in range(400)
    ])  # fmt: skip
    error = (found.mean(0) - A).abs() / (found.std(0) / 20 + 1e-9)
    assert (error < 6).all()  # six standard errors


def test_the_filter_is_its_formula_in_the_first_layer():
    A, H = _random_layer(5, 10, 3, 4, 1.0)
    A32, H32 = torch.as_tensor(A, dtype=torch.float32)[None], torch.as_tensor(H, dtype=torch.float32)[None]
    expected = H @ A @ np.linalg.inv(A + 3.0 * np.trace(A) / 10 * np.eye(10))
    np.testing.assert_allclose(filtered(H32, A32, 3.0)[0], expected, rtol=1e-3, atol=1e-5)
    models = [plain(), plain()]
    for model, strength in zip(models, (0.0, 1e4)):
        loss_of(model).backward()
        project_grad_(model, filter=strength, tau=0.0)
    assert not torch.equal(models[0][0].weight.grad, models[1][0].weight.grad)
    assert torch.equal(models[0][2].weight.grad, models[1][2].weight.grad)


def test_rows_without_labels_may_make_the_filter():
    model = plain()
    loss_of(model).backward()
    H = -model[0].weight.grad.double()
    rows = torch.randn(50, H.shape[1], generator=torch.Generator().manual_seed(5))
    Projector(model, filter=2.0, filter_rows=rows, tau=0.0, momentum=0.0).project_grad_()
    A = (rows.T @ rows / 50).double()
    kept = H @ A @ torch.linalg.inv(A + 2.0 * A.trace() / len(A) * torch.eye(len(A)))
    sure = kept.abs() > 1e-5 * kept.abs().max()
    assert torch.equal(-model[0].weight.grad[sure].sign().double(), kept[sure].sign())
    loss_of(model).backward()
    with pytest.raises(ValueError, match="filter_rows has 3 columns"):
        Projector(model, filter=2.0, filter_rows=rows[:, :3]).project_grad_()
    with pytest.raises(ValueError, match=r"filter_rows has shape \(50,\)"):
        Projector(model, filter=2.0, filter_rows=rows[:, 0])


@pytest.mark.parametrize("solver", ["auto", "local-search", "sa"])
def test_stopping_and_resuming_changes_no_bit(solver):
    options = {"tau": 2.0, "refresh": 4, "num_reads": 5 if solver == "sa" else None}
    model = mixed()
    projector = Projector(model, solver, **options)

    def steps(model, projector, first):
        directions = []
        for step in range(first, first + 5):
            model.zero_grad()
            loss_of(model, seed=step).backward()
            projector.project_grad_()
            directions.append(model[0].weight.grad.clone())
            with torch.no_grad():
                for layer in binary_layers(model).values():
                    layer.weight -= 0.05 * layer.weight.grad
        return directions

    steps(model, projector, 0)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "projector": projector.state_dict()}, file)
    expected = steps(model, projector, 5)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = mixed(seed=3)
    again.load_state_dict(saved["model"])
    other = Projector(again, solver, **options)
    other.load_state_dict(saved["projector"])
    assert all(torch.equal(a, b) for a, b in zip(steps(again, other, 5), expected, strict=True))


def test_project_grad_keeps_its_state_with_the_model():
    model, twin = plain(), plain()
    projector = Projector(twin)
    for step in range(4):
        for one in (model, twin):
            one.zero_grad()
            loss_of(one, seed=step).backward()
        project_grad_(model)
        projector.project_grad_()
        assert torch.equal(model[0].weight.grad, twin[0].weight.grad)
    assert projector_of(model).step == 4
    loss_of(model).backward()
    project_grad_(model, tau=2.0)
    assert projector_of(model).step == 1  # other options begin again
    assert projector_of(copy.deepcopy(model)).step == 0


def test_the_state_of_a_layer_is_small():
    model = BinaryLinear(300, 100)
    projector = Projector(model)
    model(torch.randn(50, 300)).square().sum().backward()
    projector.project_grad_()
    floats = sum(
        value.numel() for value in projector.state_dict()["layers"][""].values() if isinstance(value, torch.Tensor)
    )
    d, dout = 300, 100
    assert floats <= 3 * (d * d + dout * d)


def test_every_solver_gets_one_layer_with_one_quadratic_part():
    seen = []

    class Listening(type(qproj.get_solver("local-search"))):
        def search_layer(self, layer, request):
            seen.append(layer)
            return super().search_layer(layer, request)

    model = plain()
    loss_of(model).backward()
    project_grad_(model, Listening(), tau=1.0)
    assert [type(layer).__name__ for layer in seen] == ["CurvatureLayerProjection"] * 2
    assert seen[0].shares_quadratic


# The choice of τ by looking ahead


def _train_with_closure(model, optimizer, steps):
    for step in range(steps):

        def closure(step=step):
            optimizer.zero_grad()
            loss = loss_of(model, seed=step % 7)
            loss.backward()
            return loss

        optimizer.step(closure)


def test_tau_is_chosen_by_the_next_batch():
    model = mixed()
    optimizer = QPSBGD(model, 0.03)
    statistics = []
    model[1].register_forward_hook(lambda *args: statistics.append(int(model[1].num_batches_tracked)))
    _train_with_closure(model, optimizer, 60)
    assert optimizer.look_ahead.looks == 7  # after steps 1, 2, 4, 8, 16, 25 and 50
    assert len(statistics) == 60 + 7 * 7
    assert int(model[1].num_batches_tracked) == 60  # looking ahead leaves running figures as they were
    assert optimizer.projector.settings.tau in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    fixed = QPSBGD(mixed(), 0.03, tau=2.0)
    _train_with_closure(fixed.model, fixed, 30)
    assert fixed.look_ahead is None
    assert fixed.projector.settings.tau == 2.0


def test_looking_ahead_resumes_bit_for_bit():
    model = mixed()
    optimizer = QPSBGD(model, 0.03)
    _train_with_closure(model, optimizer, 27)  # the weights of step 26 are kept for the look of step 27
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    _train_with_closure(model, optimizer, 30)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = mixed(seed=4)
    other = QPSBGD(again, 0.03)
    again.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    _train_with_closure(again, other, 30)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_without_a_closure_tau_is_one():
    model = plain()
    optimizer = QPSBGD(model, 0.03)
    for step in range(30):
        optimizer.zero_grad()
        loss_of(model, seed=step).backward()
        optimizer.step()
    assert optimizer.projector.settings.tau == 1.0
    assert optimizer.look_ahead.looks == 0


# One thread's passes on the CPU beside torch's operations


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_passes_on_the_cpu_agree_with_torch(size):
    torch.manual_seed(0)
    mean, grad, weight = torch.randn(1, 5, 70) * size, torch.randn(1, 5, 70) * size, torch.tensor(0.36)
    expected = torch.lerp(mean, grad, 0.2)
    H, finite = mean_on_cpu(mean, weight, grad, 0.2)
    assert finite
    assert float(weight) == pytest.approx(0.488)
    torch.testing.assert_close(mean, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(H, -expected / weight, rtol=1e-6, atol=0)
    V = signs(5, 70)
    along = -(grad.double().flatten() @ V.double().flatten()) / grad.double().norm()
    assert alignment_on_cpu(grad, V) == pytest.approx(float(along), rel=1e-5)
    version = grad._version
    negate_on_cpu_(grad, V)
    assert torch.equal(grad[0], -V)
    assert grad._version == version + 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_not_finite_changes_no_mean(bad):
    mean, weight, grad = torch.full((1, 1, 3), 2.0), torch.tensor(0.5), torch.tensor([[[1.0, bad, 0.0]]])
    H, finite = mean_on_cpu(mean, weight, grad, 0.2)
    assert not finite
    assert torch.equal(mean, torch.full((1, 1, 3), 2.0))
    assert torch.equal(H, torch.full((1, 1, 3), -4.0))
    assert float(weight) == 0.5
    assert np.isnan(alignment_on_cpu(torch.zeros(3), torch.ones(3)))

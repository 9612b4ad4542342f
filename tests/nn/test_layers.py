"""Every layer against its definition: Z = rows(x) · σ(W)ᵀ, row by row."""

import copy
import io

import pytest
import torch
from torch import nn

from qproj.nn import (
    BinaryConv2d,
    BinaryGCNConv,
    BinaryLinear,
    SignActivation,
    binary_layers,
    model_summary,
    normalized_adjacency,
)

EDGES = torch.tensor([[0, 1], [1, 2], [3, 1], [0, 4]])
CASES = {
    "linear": (lambda **o: BinaryLinear(6, 3, **o), (torch.randn(5, 6),)),
    "linear-3d": (lambda **o: BinaryLinear(6, 3, **o), (torch.randn(2, 4, 6),)),
    "conv": (lambda **o: BinaryConv2d(2, 3, 3, **o), (torch.randn(2, 2, 6, 5),)),
    "conv-padded": (
        lambda **o: BinaryConv2d(2, 3, 3, padding=1, stride=2, padding_value=-1.0, **o), (torch.randn(2, 2, 6, 5),),
    ),
    "graph": (lambda **o: BinaryGCNConv(6, 3, **o), (torch.randn(5, 6), normalized_adjacency(EDGES, 5))),
    "graph-mixed-before": (lambda **o: BinaryGCNConv(6, 3, **o), (torch.randn(5, 6),)),
}  # fmt: skip


@pytest.fixture(params=CASES, ids=str)
def case(request):
    torch.manual_seed(0)
    return CASES[request.param]


def test_z_is_rows_times_signs(case):
    make, inputs = case
    layer = make()
    z = layer(*inputs)
    X = layer.rows(layer.prepare(*inputs))
    V = layer.binary_weight().reshape(layer.fan_out, layer.fan_in)
    torch.testing.assert_close(layer.target_rows(z), X @ V.T)


def test_scale_and_threshold_apply_after_the_signs(case):
    make, inputs = case
    plain, full = make(), make(scale=True, threshold=True)
    full.load_state_dict({**plain.state_dict(), "scale": torch.tensor([2.0, -1.0, 0.5]), "threshold": torch.ones(3)})
    shape = [1, 3, 1, 1] if full.channel == 1 else [3]
    expected = plain(*inputs) * torch.tensor([2.0, -1.0, 0.5]).reshape(shape) - 1
    torch.testing.assert_close(full(*inputs), expected)


def test_latent_weights_are_used_in_training_mode_only(case):
    make, inputs = case
    layer = make(forward_weights="latent")
    X = layer.rows(layer.prepare(*inputs))
    torch.testing.assert_close(layer.target_rows(layer(*inputs)), X @ layer.weight.reshape(3, -1).T)
    layer.eval()
    torch.testing.assert_close(layer.target_rows(layer(*inputs)), X @ layer.binary_weight().reshape(3, -1).T)


def test_state_and_copies_give_the_same_output(case):
    make, inputs = case
    layer = make(threshold=True)
    layer(*inputs).sum().backward()
    assert len(layer.captured) == 1
    twin = copy.deepcopy(layer)
    assert len(twin.captured) == 0
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = make(threshold=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    for one in (twin, other):
        assert torch.equal(one(*inputs), layer(*inputs))
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    assert len(torch.load(file, weights_only=False).captured) == 0


@pytest.mark.parametrize("kind", ["linear", "conv-padded"])
def test_compiled_training_captures_the_same_rows(kind):
    torch.manual_seed(1)
    make, inputs = CASES[kind]
    model = nn.Sequential(make(), SignActivation())
    plain = model(*inputs)
    plain.sum().backward()
    (before,) = model[0].captured.take()
    grad = model[0].weight.grad.clone()
    model.zero_grad()
    compiled = torch.compile(model, backend="aot_eager")
    assert torch.equal(compiled(*inputs), plain)
    compiled(*inputs).sum().backward()
    (after,) = model[0].captured.take()
    assert torch.equal(after.target, before.target)
    assert torch.equal(after.x, before.x)
    torch.testing.assert_close(model[0].weight.grad, grad)


def test_weights_start_uniform_within_init():
    layer = BinaryLinear(200, 50, init=0.25)
    assert layer.weight.abs().max() <= 0.25
    assert layer.weight.abs().max() > 0.24
    assert abs(layer.weight.mean().item()) < 0.01


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BinaryLinear(0, 2), "sizes ≥ 1"),
        (lambda: BinaryLinear(2, 2, init=0.0), "use 0.5"),
        (lambda: BinaryLinear(2, 2, forward_weights="real"), "'latent' is allowed"),
        (lambda: BinaryConv2d(1, 1, 3, stride=0), "stride ≥ 1"),
        (lambda: normalized_adjacency(torch.zeros(3, 3), 3), "transpose"),
        (lambda: normalized_adjacency(torch.tensor([[0, 5]]), 3), "raise num_nodes"),
        (lambda: BinaryGCNConv(2, 2)(torch.ones(3, 2), torch.eye(4)), "one row and column a node"),
    ],
)
def test_bad_sizes_are_refused_with_a_remedy(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_adjacency_is_symmetric_with_self_loops():
    dense = normalized_adjacency(EDGES, 5).to_dense().double()
    A = torch.eye(5, dtype=torch.float64)
    for u, v in EDGES.tolist():
        A[u, v] = A[v, u] = 1.0
    d = A.sum(1)
    torch.testing.assert_close(dense, A / torch.outer(d, d).sqrt(), rtol=1e-6, atol=1e-7)


def test_layers_are_found_by_name_and_counted():
    model = nn.Sequential(
        BinaryLinear(8, 4), SignActivation(), nn.Sequential(BinaryLinear(4, 2, scale=True), nn.Linear(2, 1))
    )
    assert list(binary_layers(model)) == ["0", "2.0"]
    summary = model_summary(model)
    assert (summary.binary, summary.floats, summary.bytes) == (40, 5, 25)
    assert "2.0" in str(summary)


def test_shared_weights_and_parameters_are_refused():
    layer = BinaryLinear(4, 4)
    twin = BinaryLinear(4, 4)
    twin.weight = layer.weight
    with pytest.raises(ValueError, match="share one weight"):
        binary_layers(nn.Sequential(layer, twin))
    with pytest.raises(TypeError, match="pass the model itself"):
        binary_layers(layer.parameters())

"""Every layer against its definition: Z = rows(x) · σ(W)ᵀ, row by row."""

import copy
import io

import pytest
import torch
from torch import nn

from qproj.nn import (
    BinaryConv1d,
    BinaryConv2d,
    BinaryConv3d,
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
    assert X.shape[1] == 1
    V = layer.binary_weight().reshape(layer.fan_out, layer.fan_in)
    torch.testing.assert_close(layer.output_rows(z), X[:, 0] @ V.T)


def test_scale_and_bias_apply_after_the_signs(case):
    make, inputs = case
    plain, full = make(), make(scale=True, bias=True)
    full.load_state_dict({**plain.state_dict(), "scale": torch.tensor([2.0, -1.0, 0.5]), "bias": -torch.ones(3)})
    shape = [1, 3, 1, 1] if full.channel == 1 else [3]
    expected = plain(*inputs) * torch.tensor([2.0, -1.0, 0.5]).reshape(shape) - 1
    torch.testing.assert_close(full(*inputs), expected)


def test_latent_weights_are_used_in_training_mode_only(case):
    make, inputs = case
    layer = make(forward_weights="latent")
    X = layer.rows(layer.prepare(*inputs))
    torch.testing.assert_close(layer.output_rows(layer(*inputs)), X[:, 0] @ layer.weight.reshape(3, -1).T)
    layer.eval()
    torch.testing.assert_close(layer.output_rows(layer(*inputs)), X[:, 0] @ layer.binary_weight().reshape(3, -1).T)


def test_state_and_copies_give_the_same_output(case):
    make, inputs = case
    layer = make(bias=True)
    layer(*inputs).sum().backward()
    assert len(layer.recorder) == 1
    twin = copy.deepcopy(layer)
    assert len(twin.recorder) == 0
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = make(bias=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    for one in (twin, other):
        assert torch.equal(one(*inputs), layer(*inputs))
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    assert len(torch.load(file, weights_only=False).recorder) == 0


CONVOLUTIONS = {
    "tuples": (2, (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 2)}),
    "same": (2, (4, 6, 3), {"padding": "same"}),
    "valid": (2, (4, 6, 3), {"padding": "valid"}),
    "same-dilated": (2, (4, 6, (3, 4)), {"padding": "same", "dilation": (2, 1)}),
    "groups": (2, (4, 6, 3), {"groups": 2, "stride": 2}),
    "depthwise": (2, (4, 8, 3), {"groups": 4, "padding": 1}),
    "circular": (2, (4, 6, 3), {"padding": 1, "padding_mode": "circular"}),
    "reflect": (2, (4, 6, 3), {"padding": 2, "padding_mode": "reflect"}),
    "1d": (1, (4, 6, 5), {"stride": 2, "padding": 2, "dilation": 1}),
    "1d-positional": (1, (4, 6, 3, 2, 1), {}),
    "3d": (3, (2, 4, (1, 3, 2)), {"stride": (1, 2, 1), "padding": (0, 1, 1)}),
}
OURS = {1: BinaryConv1d, 2: BinaryConv2d, 3: BinaryConv3d}
TORCHS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.fixture(params=CONVOLUTIONS, ids=str)
def convolution(request):
    torch.manual_seed(0)
    dims, arguments, options = CONVOLUTIONS[request.param]
    layer, reference = OURS[dims](*arguments, **options), TORCHS[dims](*arguments, bias=False, **options)
    with torch.no_grad():
        reference.weight.copy_(layer.binary_weight())
    return layer, reference, torch.randn(3, layer.in_channels, *(9, 8, 7)[:dims])


def test_convolutions_are_torchs_own_with_signs(convolution):
    layer, reference, x = convolution
    assert isinstance(layer, type(reference))
    torch.testing.assert_close(layer(x), reference(x))
    torch.testing.assert_close(layer(x[0]), reference(x[0]))


def test_patches_times_signs_are_the_convolution(convolution):
    layer, _, x = convolution
    X = layer.rows(x)
    V = layer.binary_weight().reshape(layer.groups, -1, layer.fan_in)
    z = torch.einsum("ngd,gkd->ngk", X, V).reshape(len(X), -1)
    torch.testing.assert_close(layer.output_rows(layer(x)), z)
    torch.testing.assert_close(layer.rows(x[0]), layer.rows(x[:1]))
    assert (layer.num_rows(x), layer.num_rows(x[0])) == (len(X), len(X) // 3)


def test_picked_patches_are_those_of_all(convolution):
    layer, _, x = convolution
    X = layer.rows(x)
    picked = torch.randint(len(X), (40,))
    assert torch.equal(layer.rows(x, picked), X[picked])


@pytest.mark.parametrize("kind", ["linear", "conv-padded"])
def test_compiled_training_captures_the_same_rows(kind):
    torch.manual_seed(1)
    make, inputs = CASES[kind]
    model = nn.Sequential(make(), SignActivation())
    plain = model(*inputs)
    plain.sum().backward()
    (before,) = model[0].recorder.take()
    grad = model[0].weight.grad.clone()
    model.zero_grad()
    compiled = torch.compile(model, backend="aot_eager")
    assert torch.equal(compiled(*inputs), plain)
    compiled(*inputs).sum().backward()
    (after,) = model[0].recorder.take()
    assert torch.equal(after.grad, before.grad)
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
        (lambda: BinaryConv2d(1, 1, 3, stride=0), "stride and dilation ≥ 1"),
        (lambda: normalized_adjacency(torch.zeros(3, 3), 3), "transpose"),
        (lambda: normalized_adjacency(torch.tensor([[0, 5]]), 3), "raise num_nodes"),
        (lambda: BinaryGCNConv(2, 2)(torch.ones(3, 2), torch.eye(4)), "one row and one column per node"),
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

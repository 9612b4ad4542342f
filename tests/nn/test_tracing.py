"""Compilers, exporters and function transforms: the same numbers as the plain model."""

import io

import pytest
import torch
from torch import nn

from qproj.nn import BinaryConv2d, BinaryLinear, Scale, SignActivation
from qproj.optim import project_grad_


def _model():
    torch.manual_seed(0)
    return nn.Sequential(
        BinaryConv2d(2, 4, 3, padding=1, scale=True), nn.BatchNorm2d(4), SignActivation(), nn.MaxPool2d(2),
        nn.Flatten(), BinaryLinear(36, 8, bias=True), Scale(8), SignActivation(), BinaryLinear(8, 3),
    )  # fmt: skip


X = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "convert",
    [
        lambda model: torch.fx.symbolic_trace(model),
        lambda model: torch.jit.trace(model, X),
        lambda model: torch.export.export(model, (X,)).module(),
        lambda model: torch.compile(model, backend="eager", fullgraph=True),
        lambda model: torch.compile(model, backend="aot_eager", fullgraph=True),
    ],
    ids=["fx", "jit.trace", "export", "compile eager", "compile aot_eager"],
)
def test_the_same_scores_in_evaluation_mode(convert):
    model = _model().eval()
    expected = model(X)
    torch.testing.assert_close(convert(model)(X), expected)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_training_gives_the_same_directions(backend):
    plain, model = _model(), _model()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    for step in range(3):
        for one, parameters in ((plain, plain), (compiled, model)):
            parameters.zero_grad()
            one(X + 0.1 * step).square().sum().backward()
            project_grad_(one)
    for p, q in zip(plain.parameters(), model.parameters()):
        torch.testing.assert_close(p.grad, q.grad)


def test_exported_training_graphs_hold_no_trace_of_the_recorder():
    exported = torch.export.export(_model().eval(), (X,))
    assert not [node for node in exported.graph.nodes if "qproj" in str(node.target)]
    torch.export.save(exported, io.BytesIO())


def test_jit_traced_models_are_saved_and_loaded():
    model = _model().eval()
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(model, X), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(X), model(X))


def test_function_transforms_differentiate_through_the_layers():
    model = nn.Sequential(BinaryLinear(6, 5), SignActivation(), BinaryLinear(5, 1))
    parameters = dict(model.named_parameters())
    x = torch.randn(4, 6)

    def loss(parameters, row):
        return torch.func.functional_call(model, parameters, (row[None],)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for i, row in enumerate(x):
        model.zero_grad()
        model(row[None]).square().sum().backward()
        for name, p in parameters.items():
            torch.testing.assert_close(each[name][i], p.grad)
    model.zero_grad()
    assert torch.func.jacrev(model)(x[0]).shape == (1, 6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_files_give_the_same_scores():
    from onnx.reference import ReferenceEvaluator

    model = _model().eval()
    program = torch.onnx.export(model, (X,), dynamo=True, verbose=False)
    evaluator = ReferenceEvaluator(program.model_proto)
    (scores,) = evaluator.run(None, {evaluator.input_names[0]: X.numpy()})
    torch.testing.assert_close(torch.from_numpy(scores), model(X))

"""A float model made binary in place."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from qproj.nn import BinaryConv2d, BinaryLinear, binarize_, binary_layers, clip_latents_


def _float_model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 8, (3, 2), stride=2, groups=2, padding="valid"), nn.ReLU(), nn.Flatten(),
        nn.Linear(96, 10), nn.Linear(10, 3),
    )  # fmt: skip


def test_it_says_what_became_binary_and_why_the_rest_did_not():
    model = _float_model()
    fates = {"0": "float: the first layer", "3": "binary", "6": "binary", "7": "float: the last layer"}
    assert binarize_(model) == fates
    assert list(binary_layers(model)) == ["3", "6"]
    assert isinstance(model[3], BinaryConv2d)
    assert isinstance(model[6], BinaryLinear)
    both = _float_model()
    assert set(binarize_(both, first=True, last=True).values()) == {"binary"}


def test_weights_stay_as_latents_and_the_forward_pass_takes_their_signs():
    model, reference, x = _float_model(), _float_model(), torch.randn(2, 1, 8, 8)
    parameters = {name: id(p) for name, p in model.named_parameters()}
    binarize_(model)
    assert {name: id(p) for name, p in model.named_parameters()} == parameters
    with torch.no_grad():
        for at in (3, 6):
            assert torch.equal(model[at].weight, reference[at].weight)
            reference[at].weight.copy_(torch.where(reference[at].weight >= 0, 1.0, -1.0))
    torch.testing.assert_close(model(x), reference(x))


def test_the_state_dict_of_the_float_model_loads_both_ways():
    model, trained = _float_model(), _float_model()
    with torch.no_grad():
        for p in trained.parameters():
            p.add_(0.1)
    binarize_(model)
    model.load_state_dict(trained.state_dict())
    trained.load_state_dict(model.state_dict())


def test_hooks_and_optimisers_of_the_float_model_go_on():
    model, calls = _float_model(), []
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model[6].register_forward_hook(lambda *args: calls.append(args))
    binarize_(model)
    before = model[6].weight.detach().clone()
    model(torch.randn(2, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert len(calls) == 1
    assert not torch.equal(model[6].weight, before)


def test_a_learned_scale_keeps_the_size_of_outputs():
    model, x = _float_model(), torch.randn(64, 1, 8, 8)
    before = nn.Sequential(*list(copy.deepcopy(model))[:4])(x).std().item()
    binarize_(model, scale=True, box=1.0)
    assert model[3].weight.abs().max().item() == pytest.approx(1.0)
    after = model[:4](x).std().item()
    assert 0.3 < after / before < 3
    names = [name for name, _ in model.named_parameters()]
    assert "3.scale" in names


def test_inside_other_modules_and_subclasses():
    class Own(nn.Linear):
        pass

    model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Sequential(nn.Linear(4, 4), Own(4, 4)), "c": nn.Linear(4, 2)})
    assert binarize_(model)["b.0"] == "binary"
    assert type(model["b"][1]) is Own


def test_layers_with_computed_weights_are_named():
    model = _float_model()
    parametrizations.weight_norm(model[3])
    prune.l1_unstructured(model[6], "weight", 0.5)
    with pytest.raises(ValueError, match="weight norm, pruning"):
        binarize_(model)
    fates = binarize_(model, first=True)
    assert "weight norm" in fates["3"]
    assert "pruning" in fates["6"]


def test_models_without_such_layers_are_refused():
    with pytest.raises(ValueError, match="no Linear and no Conv layer"):
        binarize_(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match="first=True"):
        binarize_(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(TypeError, match="contains the layers"):
        binarize_(nn.Linear(2, 2))


def test_a_model_may_be_made_binary_twice():
    model = _float_model()
    first = binarize_(model)
    assert binarize_(model, first=True)["0"] == "binary"
    assert first["3"] == "binary"


def test_weights_computed_later_are_refused_by_name():
    for change in (
        lambda layer: parametrizations.weight_norm(layer),
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ):
        model = _float_model()
        binarize_(model)
        change(model[6])
        with pytest.raises(ValueError, match=r"layer '6'.*remove"):
            binary_layers(model)


def test_latent_weights_are_clipped_to_a_box():
    model = _float_model()
    binarize_(model)
    with torch.no_grad():
        model[6].weight.mul_(100)
        kept = model[7].weight.mul_(100).clone()
    clip_latents_(model, 0.5)
    assert model[6].weight.abs().max() == 0.5
    assert torch.equal(model[7].weight, kept)
    with pytest.raises(ValueError, match="1 is usual"):
        clip_latents_(model, 0)

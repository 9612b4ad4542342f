"""Fixed points of the box-projected step, for a fixed batch and V a deterministic function of σ(W)."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from qproj.nn import BinaryLinear, SignActivation
from qproj.optim import ProjectedQPSBGD

ARTICLE = {"projection": "sign", "targets": "outputs"}

D, H = 5, 3


def _net(signs):
    model = nn.Sequential(BinaryLinear(D, H), SignActivation(), BinaryLinear(H, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.as_tensor(signs, dtype=torch.float32))
        model[2].weight.copy_(torch.tensor([[1.0, -1.0, 1.0]]))
        model[2].weight.requires_grad_(False)
    return model


def _step(model, optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.where(torch.rand((6, D), generator=generator) < 0.5, -1.0, 1.0)
    # beyond what three hidden signs can reach, so that targets keep their signs as W moves
    y = 8.0 * torch.randn(6, generator=generator).sign() + torch.randn(6, generator=generator)
    optimizer.zero_grad()
    (model(x)[:, 0] - y).square().mean().backward()
    optimizer.step()
    return optimizer


def _target(signs, seed):
    """V at a ±1 point: one step of size 4 from it reaches V whatever the point."""
    model = _net(signs)
    _step(model, ProjectedQPSBGD(model, 4.0, "exhaustive", **ARTICLE), seed)
    return model[0].weight.detach().numpy().copy()


def _fixed_point(seed):
    w = np.ones((H, D))
    for _ in range(20):
        nxt = _target(w, seed)
        if np.array_equal(nxt, w):
            return w
        w = nxt
    return None


@pytest.mark.slow
@given(st.integers(0, 10**6), st.sampled_from([0.25, 0.125, 0.0625]), st.integers(0, 10**6))
@settings(max_examples=15)
def test_a_fixed_point_attracts_its_whole_orthant_in_2_over_eta_steps_at_most(seed, eta, start):
    w = _fixed_point(seed)
    assume(w is not None)
    model = _net(w)
    inside = np.random.default_rng(start).integers(1, 17, (H, D)) / 16.0  # dyadic, so that steps add without rounding
    with torch.no_grad():
        model[0].weight.copy_(torch.as_tensor(w * inside))
    optimizer = ProjectedQPSBGD(model, eta, "exhaustive", **ARTICLE)
    for _ in range(math.ceil(1 / eta)):
        _step(model, optimizer, seed)
    np.testing.assert_array_equal(model[0].weight.detach().numpy(), w)


@given(st.integers(0, 10**6), st.sampled_from([1e-3, 0.3, 1.0, 7.0]))
@settings(max_examples=25)
def test_a_binary_point_is_fixed_exactly_where_the_projection_returns_it(seed, eta):
    w = np.random.default_rng(seed).choice([-1.0, 1.0], (H, D))
    V = _target(w, seed)
    model = _net(w)
    _step(model, ProjectedQPSBGD(model, eta, "exhaustive", **ARTICLE), seed)
    np.testing.assert_array_equal(model[0].weight.detach().numpy() == w, w == V)


def test_another_batch_moves_a_fixed_point():
    """The counter-example: what is fixed for one batch need not be for the next."""
    seed = next(s for s in itertools.count() if _fixed_point(s) is not None)
    w = _fixed_point(seed)
    moved = [s for s in range(20) if not np.array_equal(_target(w, s), w)]
    assert moved


def test_without_the_box_a_binary_point_is_never_fixed():
    from qproj.optim import QPSBGD

    w = np.ones((H, D))
    model = _net(w)
    _step(model, QPSBGD(model, 0.25, "exhaustive", **ARTICLE), 0)
    assert (model[0].weight.detach().numpy() != w).all()


@pytest.mark.parametrize("eta", [0.1])
def test_steps_that_are_not_dyadic_arrive_up_to_one_more_step(eta):
    w = next(p for p in (_fixed_point(s) for s in range(50)) if p is not None)
    seed = next(s for s in range(50) if _fixed_point(s) is not None)
    model = _net(w * 0.01)
    optimizer = ProjectedQPSBGD(model, eta, "exhaustive", **ARTICLE)
    for _ in range(math.ceil(1 / eta) + 1):
        _step(model, optimizer, seed)
    np.testing.assert_array_equal(model[0].weight.detach().numpy(), w)

"""Extreme numbers, every dtype and layout, through every solver that is here: right, or refused with a reason."""

import itertools
import math

import numpy as np
import pytest
import torch

import qproj
from qproj.optim import project_grad_
from qproj.solvers.contract import MissingLicenceError, Status

EXACT = ["auto", "exhaustive", "cpsat", "highs", "scip", "gurobi"]
HEURISTIC = ["local-search", "sign", "random", "sa", "sqa", "tabu", "greedy"]
RNG = np.random.default_rng(11)
X = RNG.choice([-1, 1], (14, 6))
T = RNG.normal(size=14)


def best_gain(X, t):
    V = np.array(list(itertools.product([-1, 1], repeat=X.shape[1])))
    return float((np.where(X @ V.T >= 0, 1.0, -1.0) * np.asarray(t, np.longdouble)[:, None]).sum(axis=0).max())


def solve(name, problem, **limits):
    solver = qproj.get_solver(name)
    if solver.capabilities.num_reads:
        limits.setdefault("num_reads", 20)
    try:
        return solver.solve(problem, seed=0, **limits)
    except MissingLicenceError as error:
        pytest.skip(str(error))


CASES = {
    "tiny": 1e-300 * T,
    "denormal": np.sign(T) * 5e-324 * (1 + np.arange(14)),
    "huge": 1e149 * T,
    "equal weights": np.sign(T),
    "equal weights, tiny": 1e-200 * np.sign(T),
    "all zero": np.zeros(14),
    "minus zero": np.full(14, -0.0),
    "one row decides": np.where(np.arange(14) == 3, 1.0, 0.0),
    "18 decades": np.logspace(-18, 0, 14) * np.sign(T),
    "300 decades": np.logspace(-300, 0, 14) * np.sign(T),
    "beyond the integers of a float": np.where(np.arange(14) < 7, 2.0**60, 1.0) * np.sign(T),
    "denormal beside one": np.where(np.arange(14) == 0, 5e-324, T),
}


def solved_or_refused(name, problem, **limits):
    """Return the solution, or None after a refusal that names the way out."""
    try:
        return solve(name, problem, **limits)
    except ValueError as error:
        refusal = str(error)
    assert "use" in refusal or "scale" in refusal
    return None


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", EXACT)
def test_exact_solvers_prove_the_optimum_or_do_not_claim_it(name, case):
    t = CASES[case]
    problem = qproj.SignProjection(X, t)
    best, size = best_gain(X, t), float(np.abs(t).sum())
    found = solved_or_refused(name, problem, time_limit_s=20.0)
    if found is None:
        assert name != "auto"
        return
    assert found.gain <= best + 1e-12 * size
    assert found.bound <= found.objective
    if found.gain_bound is not None:
        assert found.gain_bound >= best - 1e-12 * size
    if found.status is Status.OPTIMAL:
        assert found.gain >= best - 1e-9 * size
    assert name not in ("auto", "exhaustive") or found.status is Status.OPTIMAL


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", HEURISTIC)
def test_heuristics_give_signs_and_their_true_gain(name, case):
    t = CASES[case]
    problem = qproj.SignProjection(X, t)
    found = solved_or_refused(name, problem)
    if found is None:
        return
    assert set(np.unique(found.best)) <= {-1, 1}
    assert found.gain == problem.gain(found.best)
    assert found.gain <= best_gain(X, t) + 1e-12 * float(np.abs(t).sum())
    assert found.status is not Status.OPTIMAL or found.gain >= best_gain(X, t) * (1 - 1e-9)


def test_reads_are_distinguished_however_tiny_the_targets():
    for scale in (1.0, 1e-12, 1e-17, 1e-300, 1e100):
        problem = qproj.SignProjection(X, scale * T)
        found = solve("sa", problem, num_reads=30)
        twin = solve("sa", qproj.SignProjection(X, T), num_reads=30)
        assert problem.gain(found.raw_best) / scale == pytest.approx(qproj.SignProjection(X, T).gain(twin.raw_best))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_targets_of_every_float_are_their_own_values(dtype):
    given = torch.tensor(T).to(dtype)
    exact = given.double().numpy()
    for x in (torch.tensor(X).to(dtype), X.astype(np.int8), X.tolist()):
        problem = qproj.SignProjection(x, given)
        np.testing.assert_array_equal(problem.t, exact)
        assert solve("auto", problem).gain == pytest.approx(best_gain(X, exact))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16, np.float32, np.float64, np.longdouble])
def test_inputs_of_every_dtype_are_the_same_problem(dtype):
    assert qproj.SignProjection(X.astype(dtype), T) == qproj.SignProjection(X, T)


def test_layouts_do_not_matter_and_nothing_is_changed():
    wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1).astype(np.float64)
    still = X.astype(np.float64)
    still.setflags(write=False)
    reference = qproj.project(X, np.column_stack([T, -T, T[::-1]]), seed=0)
    for x in (wide[::2, ::3], np.asfortranarray(X), X[::-1][::-1], still, torch.tensor(X.T.copy()).T):
        targets = np.asfortranarray(np.column_stack([T, -T, T[::-1]]))
        targets.setflags(write=False)
        before = np.array(x, copy=True)
        found = qproj.project(x, targets, seed=0)
        np.testing.assert_array_equal(found.weights, reference.weights)
        np.testing.assert_array_equal(np.asarray(x), before)


def test_tensors_that_require_gradients_are_read_and_left_alone():
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    t = (torch.tensor(T, requires_grad=True) * 2.0)[:, None]
    found = qproj.project(x, t)
    assert x.grad is None
    assert t.requires_grad
    assert isinstance(found.weights, np.ndarray)
    assert found.gain[0] == pytest.approx(best_gain(X, 2.0 * T))


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (np.nan, ValueError, "finite"), (np.inf, ValueError, "finite"), (1e200, ValueError, "scale"),
        (1j, TypeError, "real"), ("1", TypeError, "real"), (True, TypeError, "2\\*x - 1"), (None, TypeError, "real"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_with_a_remedy(bad, error, words):
    t = [bad] * 14
    with pytest.raises(error, match=words):
        qproj.SignProjection(X, t)
    with pytest.raises(error, match=words):
        qproj.project(X, [[value] for value in t])


def test_tensors_without_data_and_sparse_ones_are_refused():
    with pytest.raises(TypeError, match="meta"):
        qproj.SignProjection(torch.empty(3, 2, device="meta"), [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="dense"):
        qproj.SignProjection(torch.eye(3).to_sparse(), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_gradients_keep_dtype_and_device_at_any_scale(dtype, scale):
    torch.manual_seed(0)
    layer = qproj.nn.BinaryLinear(6, 2, dtype=dtype)
    (scale * layer(torch.tensor(X).to(dtype))).sum().backward()
    project_grad_(layer, "auto")
    assert layer.weight.grad.dtype is dtype
    assert set(layer.weight.grad.abs().flatten().tolist()) == {1.0}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_tensors_on_a_gpu_come_back_to_it():
    found = qproj.project(torch.tensor(X).cuda(), torch.tensor(T)[:, None].cuda())
    assert found.gain[0] == pytest.approx(best_gain(X, T))
    layer = qproj.nn.BinaryLinear(6, 2).cuda()
    layer(torch.tensor(X).float().cuda()).square().sum().backward()
    project_grad_(layer, "auto")
    assert layer.weight.grad.is_cuda
    assert set(layer.weight.grad.abs().flatten().tolist()) == {1.0}


def test_linear_and_metric_refuse_what_overflows():
    with pytest.raises(ValueError, match="overflows"):
        qproj.LinearProjection(1e200 * X, T)
    with pytest.raises(ValueError, match="overflows"):
        qproj.LinearProjection(X, T, scale=1e200)
    with pytest.raises(ValueError, match="overflows"):
        qproj.MetricProjection(np.full((3, 3), 1e308), [1.0, 2.0, 3.0])
    half = qproj.MetricProjection(np.float16([[0.775, 1.5], [1.5, -1.39]]), [-1.0, -1.0])
    M = np.asarray(half.M, np.float64)
    assert half.objective([1, 1]) == pytest.approx(float(np.array([2, 2]) @ M @ np.array([2, 2])), rel=1e-12)
    assert math.isfinite(half.gain_bound)

"""Whoever answers, the figures are those of the assignment, and a proof that something refutes is none."""

import functools
import tomllib
from dataclasses import replace
from pathlib import Path

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import Adapter, Capabilities, Found, LayerFound, MalformedSolutionError, Solution, Termination
from qproj.solvers.claims import OWN_PACKAGES
from qproj.solvers.composites.unmerged import Unmerged
from qproj.solvers.found import rescored, solved
from qproj.solvers.layer_solution import LayerSolution

BOTH = frozenset({"projection", "bqm", "cqm"})


def layer(n=12, d=6, dout=3):
    rng = np.random.default_rng(0)
    return rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))


def boasting(problem, gain=100.0):
    """The worst assignment of an honest answer, `gain` better than it is, and proved."""
    honest = qproj.get_solver("exhaustive").solve(problem)
    worst = -honest.best
    claimed = problem.gain(worst) + gain
    return replace(
        honest, best=worst, candidates=worst[None], raw_best=worst, gain=claimed, gain_bound=claimed,
        objective=problem.objective_of_gain(claimed), bound=problem.objective_of_gain(claimed),
        termination=Termination.PROVED,
    )  # fmt: skip


class Structural:
    name = "structural"
    capabilities = Capabilities(forms=BOTH, exact=True)

    def __init__(self, gain=100.0):
        self.claimed = gain

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        return boasting(problem, self.claimed)


class ByMany(Structural):
    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None):
        return LayerSolution.of(problems.num_weights, [self.solve(p) for p in problems], self.name)


class Overriding(Adapter):
    name = "overriding"
    capabilities = Capabilities(forms=BOTH, exact=True)

    def __init__(self, gain=100.0):
        self.claimed = gain

    def call(self, model, request):
        raise AssertionError

    @functools.wraps(Adapter.solve)  # which copies every attribute of the function
    def solve(self, problem, **limits):
        return boasting(problem, self.claimed)


class OverridingRun(Overriding):
    solve = Adapter.solve

    def _run(self, problem, request):
        return boasting(problem, self.claimed)


class ByLayer(Adapter):
    """Finds the worst of each neuron, and calls it proved."""

    name = "by-layer"
    capabilities = Capabilities(forms=BOTH, exact=True)

    def call(self, model, request):
        worst = -qproj.get_solver("exhaustive").solve(model).best
        return Found(worst[None], Termination.PROVED, model.gain(worst))

    def search_layer(self, layer, request):
        worst = -qproj.project(layer, solver="exhaustive").weights
        return LayerFound(worst, [Termination.PROVED] * len(layer), np.full(len(layer), 100.0))


LIARS = [
    Structural(),
    Structural(0.0),
    ByMany(),
    ByMany(0.0),
    Overriding(),
    Overriding(0.0),
    OverridingRun(),
    ByLayer(),
]


@pytest.mark.parametrize("liar", LIARS, ids=lambda s: f"{s.name}-{getattr(s, 'claimed', 0.0):g}")
@pytest.mark.parametrize("wrapped", [None, "fallback", "polished", "unmerged"])
def test_no_false_gain_and_no_false_optimum_passes(liar, wrapped):
    X, T = layer()
    best = qproj.project(X, T, solver="exhaustive")
    solver = {
        None: lambda s: s, "fallback": lambda s: qproj.Fallback(s, "sign"), "polished": qproj.Polished,
        "unmerged": Unmerged,
    }[wrapped](liar)  # fmt: skip
    found = qproj.project(X, T, solver=solver)
    for i in range(T.shape[1]):
        problem = qproj.SignProjection(X, T[:, i])
        assert found.gain[i] == found[i].gain == problem.gain(found.weights[i])
        assert not found.proved[i] or found.gain[i] == best.gain[i]
        assert found.bound[i] <= best.objective[i]
        assert found[i].termination == found.terminations[i]


def test_no_false_answer_reaches_training():
    torch = pytest.importorskip("torch")
    from qproj.nn import BinaryLinear
    from qproj.optim import project_grad_

    x = torch.where(torch.rand(12, 6, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0)
    for solver in (ByMany(), Overriding(), Structural()):
        torch.manual_seed(0)
        model = BinaryLinear(6, 3)
        (model(x) * torch.arange(36.0).reshape(12, 3).sin()).sum().backward()
        (report,) = project_grad_(model, projection="sign", solver=solver).values()
        assert report.proved == 0.0
        assert report.gap > 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gain": 1e6}, "claims gain"),
        ({"objective": -1e6}, "claims objective"),
        ({"gain_bound": 1e6}, "may be reached"),
        ({"gain": None}, "claims gain"),
    ],
)
def test_a_proof_beside_false_figures_is_none(change, words):
    X, T = layer()
    problem = qproj.SignProjection(X, T[:, 0])
    honest = qproj.get_solver("exhaustive").solve(problem)
    assert rescored(problem, honest, Structural()).status == "optimal"
    answer = rescored(problem, replace(honest, **change), Structural())
    assert (answer.gain, answer.termination) == (honest.gain, Termination.FAILED)
    assert words in answer.message
    assert answer.bound <= honest.objective


def test_who_declares_no_proofs_gives_none():
    X, T = layer()
    problem = qproj.SignProjection(X, T[:, 0])
    honest = qproj.get_solver("exhaustive").solve(problem)
    modest = Structural()
    modest.capabilities = replace(modest.capabilities, exact=False)
    assert rescored(problem, honest, modest).status == "feasible"
    idle = qproj.SignProjection(X, np.zeros(len(X)))
    assert rescored(idle, qproj.get_solver("sa").solve(idle, seed=0), modest).status == "optimal"


def test_a_neighbour_refutes_an_optimum_of_a_large_problem():
    rng = np.random.default_rng(1)
    problem = qproj.SignProjection(rng.choice([-1, 1], (60, 40)), rng.normal(size=60))
    v = np.where(problem.linear_direction() >= 0, 1, -1)
    flips = np.repeat(v[None], 40, axis=0)
    flips[np.arange(40), np.arange(40)] *= -1
    start = flips[int(problem.gain(flips).argmin())]
    gain = problem.gain(start)

    class Early(Structural):
        def solve(self, problem, **limits):
            return Solution(start, gain, problem.objective(start), None, Termination.PROVED, start[None], None)

    answer = solved(Early(), problem)
    assert answer.status == "feasible"
    assert "an assignment nearby has gain" in answer.message


class Refuting(Structural):
    def solve(self, problem, **limits):
        nothing = np.empty((0, qproj.solvers.as_problem(problem).num_variables))
        return Solution(None, 5.0, -5.0, -5.0, Termination.REFUTED, nothing, None, gain_bound=5.0)


def test_nothing_is_infeasible_that_has_a_feasible_assignment():
    X, T = layer()
    found = qproj.project(X, T, solver=Refuting())
    assert set(found.status) == {"error"}
    assert np.isnan(found.gain).all()
    x, y = dimod.Binary("x"), dimod.Binary("y")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x + y)
    cqm.add_constraint(x + y >= 1)
    assert solved(Refuting(), cqm).status == "error"
    cqm.add_constraint(x + y <= 0)
    assert solved(Refuting(), cqm).status == "infeasible"


def test_a_termination_in_words_is_read_and_an_unknown_one_is_malformed():
    X, T = layer()
    problem = qproj.SignProjection(X, T[:, 0])
    honest = qproj.get_solver("exhaustive").solve(problem)
    assert rescored(problem, replace(honest, termination="proved"), Structural()).termination is Termination.PROVED
    with pytest.raises(MalformedSolutionError, match="certain"):
        rescored(problem, replace(honest, termination="certain"), Structural())


def test_a_layer_of_another_shape_is_malformed():
    class Short(ByLayer):
        def search_layer(self, layer, request):
            return LayerFound(np.ones((1, 6), np.int8), [Termination.BUDGET])

    with pytest.raises(MalformedSolutionError, match=r"shape \(1, 6\)"):
        qproj.project(*layer(), solver=Short())


def test_the_toolkits_own_packages_are_those_of_the_wheel():
    root = Path(__file__).parents[2]
    packages = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {Path(path).name for path in packages["packages"]} - {
        "qproj_ommx"
    } == OWN_PACKAGES  # foreign adapters answer there

"""dimod samplers as solvers, wrappers around them, and solvers as dimod samplers."""

import itertools

import dimod
import dimod.testing
import numpy as np
import pytest

import qproj
from qproj import Polished, Refined, SignProjection, as_sampler, from_sampler, get_solver

RNG = np.random.default_rng(0)
P = SignProjection(RNG.choice([-1, 1], (12, 7)), RNG.normal(size=12))
BEST = P.gain(np.array(list(itertools.product([-1, 1], repeat=7)))).max()


@pytest.mark.parametrize("name", ["sa", "sqa", "tabu", "greedy", "random"])
def test_reads_are_honoured_and_repeat_by_seed(name):
    options = {"num_restarts": 2} if name == "tabu" else {}
    solver = get_solver(name, **options)
    first, second = (solver.solve(P, seed=3, num_reads=7) for _ in range(2))
    assert len(first.candidates) == 7
    assert (first.candidates == second.candidates).all()
    assert first.gain <= BEST + 1e-9


@pytest.mark.parametrize("encoding", ["majority", "margin", "unbalanced", "published"])
def test_sa_takes_every_encoding(encoding):
    solution = get_solver("sa", encoding=encoding).solve(P, seed=0, num_reads=50)
    assert solution.sampleset.variables == P.encode(encoding).bqm.variables
    energies = P.encode(encoding).bqm.energies(solution.sampleset)
    np.testing.assert_allclose(solution.sampleset.record.energy, energies, rtol=1e-9)
    assert solution.gain == pytest.approx(P.gain(solution.best))
    with pytest.raises(ValueError, match="did you mean"):
        get_solver("sa", encoding=encoding + "x")


def test_tree_is_exact_and_refuses_wide_models():
    chain = dimod.BinaryQuadraticModel({}, {(i, i + 1): (-1) ** i * (1 + i % 3) for i in range(30)}, 0.5, "SPIN")
    solution = get_solver("tree").solve(chain)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(0.5 - sum(1 + i % 3 for i in range(30)))
    wide = dimod.BinaryQuadraticModel({}, dict.fromkeys(itertools.combinations(range(40), 2), 1.0), 0.0, "SPIN")
    with pytest.raises(qproj.solving.TooLargeError, match="treewidth"):
        get_solver("tree").solve(wide)
    small = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, -0.4])
    assert get_solver("tree").solve(small).status == "optimal"


def test_tree_does_not_begin_what_the_time_limit_cannot_hold():
    rng = np.random.default_rng(0)
    p = SignProjection(rng.choice([-1, 1], (20, 15)), rng.normal(size=20))
    late = get_solver("tree").solve(p, time_limit_s=0.05)
    assert late.status == "no_solution"
    assert late.ended_by == "clock"
    assert "raise it" in late.message
    small = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, -0.4])
    assert get_solver("tree").solve(small, time_limit_s=5).status == "optimal"


class Counted(dimod.ExactSolver):
    calls = 0

    def sample(self, bqm, **kwargs):
        type(self).calls += 1
        return super().sample(bqm, **kwargs)


def test_a_sampler_without_num_reads_is_called_once_and_its_rows_are_reads():
    exact = from_sampler(Counted())
    solution = exact.solve(P)
    rows = 2 ** P.encode("margin").num_variables
    assert Counted.calls == 1
    assert len(solution.candidates) == rows
    assert exact.solve(P, num_reads=rows + 1).stats["reads"] == 2 * rows
    assert Counted.calls == 3
    exact.solve(P, num_reads=rows, time_limit_s=60)
    assert Counted.calls == 4


def test_repeated_calls_of_a_seeded_sampler_differ():
    class Single(dimod.Sampler):
        properties: dict = {}  # noqa: RUF012
        parameters: dict = {"seed": []}  # noqa: RUF012

        def sample(self, bqm, seed=None):
            bits = np.random.default_rng(seed).integers(0, 2, (1, bqm.num_variables))
            return dimod.SampleSet.from_samples_bqm((bits, list(bqm.variables)), bqm)

    first, second = (from_sampler(Single()).solve(P, num_reads=20, seed=3) for _ in range(2))
    assert (first.candidates == second.candidates).all()
    assert len(np.unique(first.candidates, axis=0)) > 10


def test_random_draws_stop_at_the_clock_or_at_num_reads_whichever_is_first():
    rng = np.random.default_rng(1)
    large = SignProjection(rng.choice([-1, 1], (200, 100)), rng.normal(size=200))
    cut = get_solver("random").solve(large, seed=0, num_reads=10_000_000, time_limit_s=0.1)
    assert cut.ended_by == "clock"
    assert 0 < len(cut.candidates) < 10_000_000
    free, limited = (get_solver("random").solve(P, seed=4, num_reads=9000, time_limit_s=s) for s in (None, 60))
    assert (free.candidates == limited.candidates).all()
    assert len(free.candidates) == 9000


def test_any_dimod_sampler_in_one_line():
    solution = from_sampler(dimod.ExactSolver(), encoding="margin").solve(P)
    assert solution.has_incumbent
    assert solution.raw_best is not None
    null = from_sampler(dimod.NullSampler()).solve(P)
    assert null.status in ("error", "no_solution")
    with pytest.raises(TypeError, match="did you mean 'num_reads'"):
        from_sampler(dimod.RandomSampler(), num_raeds=3)
    with pytest.raises(TypeError, match="no dimod sampler"):
        from_sampler(object())


def test_polish_never_loses_and_its_null_is_polished_random():
    for name in ("sa", "random"):
        plain = get_solver(name).solve(P, seed=5, num_reads=3)
        polished = Polished(get_solver(name)).solve(P, seed=5, num_reads=3)
        assert polished.gain >= plain.gain
    flips = np.concatenate([polished.best * np.where(np.arange(7) == k, -1, 1) for k in range(7)]).reshape(7, 7)
    assert (P.gain(flips) <= polished.gain + 1e-9).all()
    with pytest.raises(TypeError, match="no solver"):
        Polished("sa")


def test_refined_shares_its_reads_among_rounds():
    solution = Refined(get_solver("sa"), rounds=4).solve(P, seed=1, num_reads=10)
    assert solution.stats["reads"] <= 10
    assert solution.gain <= BEST + 1e-9
    with pytest.raises(TypeError, match="no sampler"):
        Refined(get_solver("sign"))


def test_solvers_pass_dimods_sampler_asserts():
    sampler = as_sampler("tabu")
    dimod.testing.assert_sampler_api(sampler)
    bqm = dimod.BinaryQuadraticModel({"a": -1.0, "b": 0.5}, {("a", "b"): 1.5}, 0.25, "SPIN")
    for model in (bqm, bqm.change_vartype("BINARY", inplace=False)):
        answer = sampler.sample(model, num_reads=4)
        assert len(answer) == 4
        dimod.testing.assert_response_energies(answer, model)
    assert len(sampler.sample(dimod.BinaryQuadraticModel("SPIN"))) == 1
    with pytest.raises(TypeError, match="did you mean 'num_reads'"):
        sampler.sample(bqm, num_raeds=3)
    with pytest.raises(TypeError, match="does not take BQMs"):
        as_sampler("sign")


def test_a_composite_may_hold_a_solver():
    composed = dimod.TrackingComposite(as_sampler("sa"))
    bqm = dimod.BinaryQuadraticModel({"a": -10.0}, {("a", "b"): 5.0}, 0.0, "SPIN")
    answer = from_sampler(composed).solve(bqm, num_reads=5)
    assert answer.objective == -15.0


def test_a_time_limit_ends_restarts():
    solution = get_solver("sa").solve(P, seed=0, time_limit_s=0.05)
    assert solution.ended_by == "clock" or solution.status == "optimal"
    assert solution.stats["reads"] > 1


def test_openjij_takes_reads_and_keywords_of_its_signature():
    openjij = pytest.importorskip("openjij")
    solver = from_sampler(openjij.SASampler(), num_sweeps=50)
    assert solver.capabilities.seed
    solution = solver.solve(P, num_reads=7)
    assert solution.sampleset.record.num_occurrences.sum() == 7
    assert solution.gain == pytest.approx(P.gain(solution.best))
    with pytest.raises(TypeError, match="did you mean 'num_sweeps'"):
        from_sampler(openjij.SASampler(), num_sweep=50)


def test_a_dwave_hybrid_workflow_is_one_line():
    hybrid = pytest.importorskip("hybrid")
    workflow = hybrid.SimulatedAnnealingProblemSampler(num_reads=5) | hybrid.IdentityDecomposer()
    solution = from_sampler(hybrid.HybridSampler(workflow)).solve(P, num_reads=2)
    assert solution.gain == pytest.approx(P.gain(solution.best))

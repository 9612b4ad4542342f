"""dimod samplers as solvers, wrappers around them, and solvers as dimod samplers."""

import itertools

import dimod
import dimod.testing
import numpy as np
import pytest

import qproj
from qproj import Polished, Refined, SignProjection, as_sampler, from_sampler, get_solver
from qproj.solvers.builtin.samplers import usual_range
from qproj.solvers.composites.refined import reweighted

RNG = np.random.default_rng(0)
P = SignProjection(RNG.choice([-1, 1], (12, 7)), RNG.normal(size=12))
BEST = P.gain(np.array(list(itertools.product([-1, 1], repeat=7)))).max()


def neuron(n, d, seed):
    rng = np.random.default_rng([n, d, seed])
    return SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


class Lowest(dimod.ExactSolver):
    """As cold as a sampler gets: every read is the lowest state."""

    def sample(self, bqm, num_reads=1):
        lowest = super().sample(bqm).first.sample
        return dimod.SampleSet.from_samples_bqm([lowest] * num_reads, bqm)


@pytest.mark.parametrize("name", ["sa", "sqa", "tabu", "greedy", "random"])
def test_reads_are_honoured_and_repeat_by_seed(name):
    options = {"num_restarts": 2} if name == "tabu" else {}
    solver = get_solver(name, **options)
    first, second = (solver.solve(P, seed=3, num_reads=7) for _ in range(2))
    assert len(first.candidates) == 7
    assert (first.candidates == second.candidates).all()
    assert first.gain <= BEST + 1e-9


@pytest.mark.parametrize("encoding", ["majority", "margin", "unbalanced", "paper"])
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
    with pytest.raises(qproj.solvers.TooLargeError, match="treewidth"):
        get_solver("tree").solve(wide)
    small = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, -0.4])
    assert get_solver("tree").solve(small).status == "optimal"


def test_tree_does_not_begin_what_the_time_limit_cannot_hold():
    rng = np.random.default_rng(0)
    p = SignProjection(rng.choice([-1, 1], (20, 15)), rng.normal(size=20))
    late = get_solver("tree").solve(p, time_limit_s=0.05)
    assert late.status == "no_solution"
    assert late.termination == "clock"
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
    assert cut.termination == "clock"
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
    with pytest.raises(TypeError, match="not a dimod sampler"):
        from_sampler(object())


def test_polish_never_loses_and_its_null_is_polished_random():
    for name in ("sa", "random"):
        plain = get_solver(name).solve(P, seed=5, num_reads=3)
        polished = Polished(get_solver(name)).solve(P, seed=5, num_reads=3)
        assert polished.gain >= plain.gain
    flips = np.concatenate([polished.best * np.where(np.arange(7) == k, -1, 1) for k in range(7)]).reshape(7, 7)
    assert (P.gain(flips) <= polished.gain + 1e-9).all()
    with pytest.raises(TypeError, match="not a solver"):
        Polished("sa")


@pytest.mark.parametrize(("rounds", "num_reads", "most"), [(4, 10, 4), (None, 10, 10), (None, 300, 30), (7, 3, 3)])
def test_refined_shares_its_reads_among_rounds(rounds, num_reads, most):
    hard = neuron(21, 15, 3)
    solution = Refined(get_solver("sa", num_sweeps=5), rounds=rounds).solve(hard, seed=1, num_reads=num_reads)
    assert not hard.meets_bound(solution.best)  # else the rounds would end early
    assert (solution.stats["rounds"], solution.stats["reads"]) == (most, num_reads)
    with pytest.raises(TypeError, match="does not sample"):
        Refined(get_solver("sign"))


def test_refined_moves_a_sampler_whose_reads_are_all_alike():
    """Once a round repeats itself, the next one's rows weigh otherwise, and descent has another start."""
    cold = from_sampler(Lowest())
    solved = {"alone": 0, "descended": 0, "refined": 0}
    for seed in range(12):
        problem = neuron(20, 9, seed)
        best = get_solver("exhaustive").solve(problem).gain - 1e-9
        solved["alone"] += cold.solve(problem, num_reads=20).gain >= best
        solved["descended"] += Polished(cold).solve(problem, num_reads=20).gain >= best
        solved["refined"] += Refined(cold).solve(problem, seed=seed, num_reads=20).gain >= best
    assert solved["alone"] <= solved["descended"] < solved["refined"]


def test_refined_takes_real_rows_and_a_row_of_zeros():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12, 6)) * np.arange(12)[:, None]
    problem = SignProjection(X, rng.normal(size=12))
    solution = Refined(get_solver("sa", num_sweeps=10)).solve(problem, seed=0, num_reads=40)
    assert solution.gain == pytest.approx(get_solver("exhaustive").solve(problem).gain)


def test_refined_until_a_time_limit_goes_on_with_rounds():
    hard = neuron(40, 30, 2)
    solution = Refined(get_solver("sa")).solve(hard, seed=0, time_limit_s=0.3)
    assert solution.termination == "clock"
    assert solution.stats["rounds"] > 1


def test_reweighted_keeps_what_is_met_and_gives_up_what_is_far():
    problem = SignProjection([[1, 1, 1, 1, 1], [1, 1, 1, -1, -1], [-1, -1, -1, -1, 1]], [1.0, 2.0, 4.0])
    v = np.ones(5, np.int8)
    targets, weights = reweighted(problem, v, kappa=1.0, width=0.5)
    rows = problem.rows
    z = rows.A @ (2.0 * rows.columns.counts_from_weights(v[None])[0] - rows.columns.sizes)
    side = np.sign(rows.tau)
    np.testing.assert_allclose(targets, side * np.maximum(z * side, np.sqrt(5)))
    np.testing.assert_allclose(weights, np.abs(rows.tau) / (1 + 4 * z**2 / 5))


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
    with pytest.raises(TypeError, match="does not sample; leave it out"):
        as_sampler("auto").sample(bqm, num_reads=3)
    with pytest.raises(TypeError, match="does not take BQMs"):
        as_sampler("sign")


def test_a_composite_may_hold_a_solver():
    composed = dimod.TrackingComposite(as_sampler("sa"))
    bqm = dimod.BinaryQuadraticModel({"a": -10.0}, {("a", "b"): 5.0}, 0.0, "SPIN")
    answer = from_sampler(composed).solve(bqm, num_reads=5)
    assert answer.objective == -15.0


def test_a_time_limit_ends_restarts():
    solution = get_solver("sa").solve(P, seed=0, time_limit_s=0.05)
    assert solution.termination == "clock" or solution.status == "optimal"
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


@pytest.mark.parametrize("seed", range(60))
def test_the_usual_range_of_temperatures_is_that_of_dwave_samplers(seed):
    """To the last bit, so that a seed gives the reads that dwave-samplers would draw by itself."""
    from dwave.samplers.sa.sampler import _default_ising_beta_range

    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    biases = rng.normal(size=(n, n)) if seed % 2 else rng.integers(-2, 3, (n, n)).astype(float)
    bqm = dimod.BinaryQuadraticModel(np.triu(biases), "BINARY" if seed % 3 else "SPIN")
    spins = bqm.change_vartype("SPIN", inplace=False)
    assert usual_range(bqm) == tuple(map(float, _default_ising_beta_range(spins.linear, spins.quadratic)))


def test_a_model_without_biases_has_no_usual_range_and_still_gets_reads():
    assert usual_range(dimod.BinaryQuadraticModel({"a": 0.0}, {}, "SPIN")) is None
    with pytest.warns(UserWarning, match="biases are zero"):
        solution = get_solver("sa").solve(dimod.BinaryQuadraticModel({"a": 0.0}, {}, 1.0, "SPIN"), num_reads=3, seed=0)
    assert solution.objective == 1.0


@pytest.mark.parametrize("name", ["sqa", "svmc"])
@pytest.mark.parametrize("options", [{}, {"schedule": "linear"}])
def test_a_read_that_would_outlast_the_limit_has_fewer_sweeps(monkeypatch, name, options):
    solver, sweeps = qproj.get_solver(name, num_sweeps=40, **options), []
    draw = solver.sampler.sample

    def recorded(bqm, **arguments):
        sweeps.append(arguments["num_sweeps"] if "num_sweeps" in arguments else len(arguments["Hp_field"]))
        return draw(bqm, **arguments)

    monkeypatch.setattr(solver.sampler, "sample", recorded)
    bqm = dimod.generators.gnm_random_bqm(60, 800, "SPIN", random_state=1)
    solver.solve(bqm, num_reads=1, seed=0)
    solver.solve(bqm, num_reads=1, seed=0, time_limit_s=60)
    monkeypatch.setattr(solver, "sweep_s", 0.1)  # as on a model of millions of interactions
    solver.solve(bqm, num_reads=1, seed=0, time_limit_s=60)
    assert sweeps == [40, 40, 1]

"""The annealer's path from encoding to weights, emulated and behind the real client's interface."""

import dataclasses
import json
import logging
import pickle

import dimod
import numpy as np
import pytest

import qproj
from qproj.solving import MissingTokenError, TooLargeError
from qproj.solving.sampling import sampled_model
from qproj_dwave import Budget, BudgetExceededError, DWave, DWaveEmulated, DWaveHybrid, scan_chain_strength
from qproj_dwave import qpu as qpu_module
from qproj_dwave.embedding import check, search
from qproj_dwave.emulated import topology_graph
from qproj_dwave.physical import autoscale
from qproj_dwave.structure import structure_of


def neuron(d=5, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def layer(d=3, dout=64, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))


def small(**options):
    return DWaveEmulated(**{"topology": "zephyr", "size": 3, "embedding_folder": None, **options})


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(qpu_module, "PAUSE_S", 1e-4)


# ---- structure and embedding


@pytest.mark.parametrize("name", ["margin", "majority", "unbalanced", "published"])
def test_a_structure_covers_every_interaction(name):
    model = sampled_model(neuron(4, 6), name)
    edges = set(structure_of(model).edges)
    assert {(min(u, v), max(u, v)) for u, v in model.bqm.quadratic} <= edges


def test_neurons_and_batches_of_one_shape_share_a_structure():
    rng = np.random.default_rng(1)
    X, T = rng.choice([-1, 1], (20, 15)), rng.normal(size=(20, 4))
    keys = {structure_of(_model(e)).key for e in qproj.SignLayer(X, T).encode("majority")}
    other = rng.choice([-1, 1], (20, 15))
    keys |= {structure_of(_model(e)).key for e in qproj.SignLayer(other, T).encode("majority")}
    assert len(keys) == 1


def _model(encoding):
    from qproj.solving.sampling import encoded_model

    return encoded_model(encoding)


@pytest.mark.parametrize(("topology", "size"), [("zephyr", 3), ("pegasus", 4), ("chimera", 6)])
@pytest.mark.parametrize("name", ["margin", "majority"])
def test_embeddings_are_minors_of_every_topology(topology, size, name):
    structure = structure_of(sampled_model(neuron(4, 4), name))
    graph = topology_graph(topology, size)
    graph.remove_nodes_from(sorted(graph.nodes)[::17])  # dead qubits
    embedding = search(structure, graph, timeout_s=20.0)
    check(embedding, structure, graph)


def test_two_training_steps_of_a_layer_cost_one_search():
    solver = small()
    rng = np.random.default_rng(0)
    for _ in range(2):
        T = rng.normal(size=(20, 8))
        X = rng.choice([-1, 1], (20, 9))
        assert not np.isnan(qproj.project(X, T, solver=solver, num_reads=5).gain).any()
    assert solver.embedder.searches == 1


def test_embeddings_are_kept_on_disk_and_broken_ones_are_searched_anew(tmp_path, caplog):
    problem = neuron(6)
    first = small(embedding_folder=tmp_path)
    first.solve(problem, num_reads=5)
    (file,) = tmp_path.glob("*.json")
    second = small(embedding_folder=tmp_path)
    second.solve(problem, num_reads=5)
    assert (first.embedder.searches, second.embedder.searches) == (1, 0)
    for content in (
        "",
        "[{}",
        "[1]",
        json.dumps([{"0": [0], "1": [0]}]),
        json.dumps([{str(i): [i] for i in range(6)}]),
    ):
        file.write_text(content)
        again = small(embedding_folder=tmp_path)
        with caplog.at_level(logging.WARNING, "qproj"):
            again.solve(problem, num_reads=5)
        assert again.embedder.searches == 1
        assert "searched anew" in caplog.text
        caplog.clear()


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with caplog.at_level(logging.WARNING, "qproj"):
        solution = small(embedding_folder=blocked / "embeddings").solve(neuron(4), num_reads=5)
    assert solution.has_incumbent
    assert "cannot be kept" in caplog.text


def test_what_does_not_fit_is_refused_naming_what_can():
    with pytest.raises(TooLargeError, match="'auto'"):
        small(size=1, embed_timeout_s=1.0).solve(neuron(40, 50))


# ---- packing


def test_sixty_four_small_neurons_fit_one_call():
    X, T = layer()
    found = qproj.project(X, T, solver=small(size=4), seed=0, num_reads=60)
    assert [s.stats["neurons"] for s in found] == [64] * 64
    assert found[0].stats["qubits"] == 64 * 3
    exact = qproj.project(X, T)
    assert (found.gain <= exact.gain + 1e-9).all()
    assert np.mean(found.gain >= exact.gain - 1e-9) > 0.5
    assert all(s.sampleset.record.num_occurrences.sum() == 60 for s in found)


def test_packed_and_single_calls_read_the_same_models():
    X, T = layer(d=5, dout=7)
    packed = qproj.project(X, T, solver=small(sigma_h=0, sigma_j=0), seed=0, num_reads=200)
    single = qproj.project(X, T, solver=small(sigma_h=0, sigma_j=0, pack=False), seed=0, num_reads=200)
    lowest = [[s.sampleset.first.energy for s in found] for found in (packed, single)]
    np.testing.assert_allclose(*lowest)


def test_a_machine_too_small_for_all_takes_several_calls():
    X, T = layer(d=5, dout=60)
    found = qproj.project(X, T, solver=small(size=1), seed=0, num_reads=10)
    assert max(s.stats["neurons"] for s in found) < 60
    assert not np.isnan(found.gain).any()


# ---- physics that is emulated


def test_without_noise_small_neurons_reach_the_models_minimum():
    for seed in range(4):
        problem = neuron(4, 6, seed)
        found = small(encoding="majority", sigma_h=0, sigma_j=0, num_sweeps=1000).solve(problem, seed=0, num_reads=300)
        assert found.gain == pytest.approx(qproj.get_solver("exhaustive").solve(problem).gain)


def test_noise_perturbs_and_a_seed_repeats_it():
    problem = neuron(9)
    noisy = [small(sigma_h=0.3, sigma_j=0.3).solve(problem, seed=s, num_reads=50) for s in (1, 1, 2)]
    np.testing.assert_array_equal(noisy[0].candidates, noisy[1].candidates)
    assert not np.array_equal(noisy[0].sampleset.record.sample, noisy[2].sampleset.record.sample)
    assert noisy[0].stats["emulated"] is True
    assert small().capabilities.note == "emulated"


def test_energies_are_those_that_were_asked_for_not_the_perturbed_ones():
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -0.5}, {("a", "b"): 0.25}, 3.0, "SPIN")
    found = small(sigma_h=0.4, sigma_j=0.4).solve(bqm, seed=0, num_reads=20)
    np.testing.assert_allclose(found.sampleset.record.energy, bqm.energies(found.sampleset))


def test_broken_chains_are_counted_a_neuron():
    weak = small(encoding="majority", chain_strength=0.01).solve(neuron(5, 8), seed=0, num_reads=50)
    strong = small(encoding="majority", chain_strength=8.0).solve(neuron(5, 8), seed=0, num_reads=50)
    assert weak.stats["chain_break_fraction"] > strong.stats["chain_break_fraction"] == 0.0


def test_spin_reversals_change_the_gauge_not_the_problem():
    problem = neuron(5)
    solver = small(spin_reversals=4, sigma_h=0, sigma_j=0, num_sweeps=500)
    found = solver.solve(problem, seed=0, num_reads=42)
    plain = small(sigma_h=0, sigma_j=0, num_sweeps=500).solve(problem, seed=0, num_reads=42)
    assert found.sampleset.record.num_occurrences.sum() == 42
    assert found.sampleset.first.energy == pytest.approx(plain.sampleset.first.energy)


@pytest.mark.parametrize("strength", ["uniform_torque_compensation", "scaled", 2.0])
def test_chain_strengths_by_name_and_number(strength):
    assert small(chain_strength=strength).solve(neuron(5), num_reads=5).has_incumbent


def test_a_scan_reports_breaks_and_noise():
    points = scan_chain_strength(small(encoding="majority"), neuron(4, 6), [0.05, 4.0], num_reads=20)
    assert points[0].chain_break_fraction > points[1].chain_break_fraction
    assert points[0].below_noise < points[1].below_noise


def test_the_report_comes_before_submission():
    report = small().report(neuron(9))
    assert report.qubits >= 9
    assert report.access_us > 0
    assert report.dynamic_range >= 1
    assert 0 <= report.below_noise <= 1


def test_autoscale_brings_coefficients_into_range():
    bqm = dimod.BinaryQuadraticModel({0: 9.0, 1: -2.0}, {(0, 1): 3.0}, 0.0, "SPIN")
    factor = autoscale(bqm, (-4, 4), (-1, 1))
    assert factor == pytest.approx(1 / 3)
    assert autoscale(dimod.BinaryQuadraticModel("SPIN"), (-4, 4), (-1, 1)) == 1.0


@pytest.mark.parametrize("d", [1, 2])
def test_tiny_and_constant_problems(d):
    assert small().solve(neuron(d, 3), num_reads=5).has_incumbent
    flat = qproj.SignProjection(np.ones((3, 4)), np.zeros(3))
    assert small().solve(flat, num_reads=5).status == "optimal"
    empty = dimod.BinaryQuadraticModel("BINARY")
    assert small().solve(empty).objective == 0.0


def test_the_emulated_solver_travels():
    solver = pickle.loads(pickle.dumps(small()))
    assert solver.solve(neuron(3), seed=0, num_reads=3).has_incumbent


# ---- the real client's interface


def mock(**options):
    from dwave.system.testing import MockDWaveSampler

    return MockDWaveSampler(topology_type="zephyr", topology_shape=[2, 4], exact_solver_cutoff=0, **options)


def client(sampler=None, **options):
    return DWave(sampler=sampler or mock(), embedding_folder=None, **options)


def test_the_real_client_solves_a_layer_and_records_what_it_cost():
    X, T = layer(d=3, dout=10)
    solver = client()
    found = qproj.project(X, T, solver=solver, num_reads=30)
    assert not np.isnan(found.gain).any()
    assert solver.budget.submissions == 1
    assert solver.budget.spent_us == pytest.approx(8550.28)  # what the mock reports
    assert found[0].stats["problem_id"]


class Standin:
    """A DWaveSampler that fails as told: each entry of `faults` is an exception, or None for an honest answer."""

    def __init__(self, faults=(), late=(), estimate=1000.0, answer=None):
        self.inner = mock()
        self.faults, self.late, self.answer = list(faults), list(late), answer
        self.properties, self.parameters = self.inner.properties, self.inner.parameters
        self.submitted = self.fetched = 0
        outer = self

        class Solver:
            def estimate_qpu_access_time(self, num_qubits, num_reads=1, **_):
                return estimate

        class Client:
            def retrieve_answer(self, known):
                outer.fetched += 1
                assert known == "id-1"
                if outer.late:
                    raise outer.late.pop(0)
                return type("Future", (), {"sampleset": outer.kept})()

        self.solver, self.client = Solver(), Client()

    def to_networkx_graph(self):
        return self.inner.to_networkx_graph()

    def sample(self, bqm, **options):
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException) and not isinstance(fault, Late):
            raise fault
        self.submitted += 1
        self.kept = self.inner.sample(bqm, **options)
        if self.answer is not None:
            self.kept = self.answer(self.kept)
        if isinstance(fault, Late):
            return Pending(fault.error)
        return self.kept


class Late(BaseException):
    """The submission was accepted, its answer fails with `error`."""

    def __init__(self, error):
        self.error = error


class Pending:
    def __init__(self, error):
        self.error, self.info = error, {}

    def resolve(self):
        raise self.error

    def wait_id(self, timeout=None):
        return "id-1"


def transient_errors():
    from dwave.cloud.api.exceptions import InternalServerError, RequestTimeout, ResourceLimitsExceededError
    from dwave.cloud.exceptions import PollingTimeout, SolverOfflineError

    return [SolverOfflineError("offline"), RequestTimeout("slow"), ResourceLimitsExceededError("429"),
            InternalServerError("500"), PollingTimeout("poll"), ConnectionError("reset")]  # fmt: skip


@pytest.mark.parametrize("error", transient_errors(), ids=lambda e: type(e).__name__)
def test_transient_faults_are_tried_again(error, caplog):
    standin = Standin([error, error, None])
    with caplog.at_level(logging.WARNING, "qproj"):
        assert client(standin).solve(neuron(4), num_reads=5).has_incumbent
    assert standin.submitted == 1
    assert caplog.text.count("tried again") == 2


def test_tries_end():
    from dwave.cloud.exceptions import SolverOfflineError

    standin = Standin([SolverOfflineError("offline")] * 9)
    solver = client(standin, tries=3, budget=5000.0)
    with pytest.raises(SolverOfflineError):
        solver.solve(neuron(4))
    assert len(standin.faults) == 6
    assert solver.budget.spent_us == 0.0  # nothing was accepted


def test_final_faults_are_not_tried_again():
    from dwave.cloud.exceptions import SolverAuthenticationError

    standin = Standin([SolverAuthenticationError("bad token"), None])
    with pytest.raises(SolverAuthenticationError):
        client(standin).solve(neuron(4))
    assert standin.submitted == 0


def test_a_late_answer_is_fetched_by_its_id_and_paid_once():
    from dwave.cloud.api.exceptions import RequestTimeout
    from dwave.cloud.exceptions import PollingTimeout

    standin = Standin([Late(PollingTimeout("late"))], late=[RequestTimeout("still late")])
    solver = client(standin, budget=1500.0)
    assert solver.solve(neuron(4), num_reads=5).has_incumbent
    assert (standin.submitted, standin.fetched, solver.budget.submissions) == (1, 2, 1)


def test_an_accepted_call_that_fails_counts_as_spent():
    standin = Standin([Late(RuntimeError("lost"))])
    solver = client(standin, budget=5000.0)
    with pytest.raises(RuntimeError, match="lost"):
        solver.solve(neuron(4))
    assert solver.budget.spent_us == 1000.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.slice(0),
        lambda s: dimod.SampleSet.from_samples(dict.fromkeys(s.variables, 3), energy=0.0, vartype="INTEGER"),
        lambda s: dimod.SampleSet.from_samples({10**6: 1}, energy=0.0, vartype="SPIN"),
    ],
    ids=["no reads", "no spins", "other qubits"],
)
def test_malformed_answers_are_refused(spoil):
    with pytest.raises(RuntimeError, match="malformed"):
        client(Standin(answer=spoil)).solve(neuron(4))


def test_a_budget_is_never_overrun():
    standin = Standin(estimate=1000.0, answer=lambda s: (s.info.update(timing={"qpu_access_time": 900.0}), s)[1])
    solver = client(standin, budget=2500.0)
    for _ in range(2):
        solver.solve(neuron(4), num_reads=5)
    with pytest.raises(BudgetExceededError, match="700 are left"):
        solver.solve(neuron(4), num_reads=5)
    assert (standin.submitted, solver.budget.spent_us) == (2, 1800.0)


def test_a_budget_may_be_shared_and_needs_an_estimate():
    shared = Budget(1500.0)
    first, second = client(Standin(), budget=shared), client(Standin(), budget=shared)
    assert first.budget is second.budget is shared
    with pytest.raises(BudgetExceededError, match="no estimate"):
        client(mock(), budget=1e6).solve(neuron(4))  # this mock gives none
    for limit in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="microseconds"):
            Budget(limit)
    assert pickle.loads(pickle.dumps(shared)).limit_us == 1500.0


def test_a_missing_token_is_not_a_missing_package(monkeypatch, tmp_path):
    monkeypatch.delenv("DWAVE_API_TOKEN", raising=False)
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(tmp_path / "none.conf"))
    for make in (DWave, DWaveHybrid):
        with pytest.raises(MissingTokenError, match="DWAVE_API_TOKEN"):
            make()
        assert make.availability().installed
        assert make.availability().token is False
    (tmp_path / "none.conf").write_text("[defaults]\ntoken = abc\n")
    assert DWave.availability().token is True
    assert DWave(config={"token": "t"}).capabilities.exact is False


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"topology": "zefyr"}, ValueError),
        ({"size": 0}, ValueError),
        ({"sigma_h": -1}, ValueError),
        ({"chain_strength": "utc"}, ValueError),
        ({"chain_strength": 0}, ValueError),
        ({"chain_strength": None}, TypeError),
        ({"sampler": "qa"}, ValueError),
        ({"encoding": "majorty"}, ValueError),
        ({"spin_reversals": -1}, ValueError),
        ({"embed_timeout_s": 0}, ValueError),
    ],
)
def test_bad_options_are_refused(options, error):
    with pytest.raises(error):
        DWaveEmulated(**options)


def test_dead_qubits_have_to_be_qubits():
    with pytest.raises(ValueError, match="no qubits"):
        small(dead_qubits=[10**6]).solve(neuron(3))
    assert small(dead_qubits=range(20)).solve(neuron(3), num_reads=3).has_incumbent


# ---- hybrid


class Hybrid:
    """Leap's hybrid samplers' interface around an exact solver."""

    def min_time_limit(self, model):
        return 3.0

    def sample(self, bqm, label=None, time_limit=None):
        return dimod.ExactSolver().sample(bqm)

    def sample_cqm(self, cqm, label=None, time_limit=None):
        return dimod.ExactCQMSolver().sample_cqm(cqm)


def test_hybrid_takes_projections_bqms_and_cqms():
    solver = DWaveHybrid(bqm_sampler=Hybrid(), cqm_sampler=Hybrid())
    problem = neuron(3, 4)
    assert solver.solve(problem).gain == pytest.approx(qproj.get_solver("exhaustive").solve(problem).gain)
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0}, {("a", "b"): 1.5}, 0.5, "BINARY")
    assert solver.solve(bqm).objective == pytest.approx(-1.5)
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries(["x", "y"])
    cqm.set_objective(-x - 2 * y)
    cqm.add_constraint(x + y <= 1, label="one")
    assert solver.solve(cqm).objective == pytest.approx(-2.0)
    cqm.add_constraint(x + y >= 2, label="both")
    assert solver.solve(cqm).status == "no_solution"


def test_hybrid_refuses_less_than_its_least_time():
    with pytest.raises(ValueError, match="3 s or more"):
        DWaveHybrid(cqm_sampler=Hybrid()).solve(neuron(3, 4), time_limit_s=1.0)


def test_solutions_say_who_and_how_they_ended():
    found = small().solve(neuron(9, 40), seed=0, num_reads=5)
    assert found.solver == "dwave-emulated"
    assert dataclasses.asdict(found.timing)["solve"] > 0
    assert found.timing.embed > 0

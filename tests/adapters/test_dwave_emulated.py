"""The emulated annealer: noise, chains, gauges, reports, options."""

import dataclasses
import pickle

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers.annealing import autoscale
from qproj_dwave import DWaveEmulated, scan_chain_strength
from qproj_dwave.physical import chain_strength_of
from tests.adapters._annealers import neuron, small


@pytest.mark.slow
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


def test_a_number_is_in_units_of_the_largest_ising_bias_as_oceans_scaled_rule_is():
    bqm = dimod.BinaryQuadraticModel({0: 0.5, 1: -3.0}, {(0, 1): 1.0}, 0.0, "SPIN")
    assert chain_strength_of(1.5, None, bqm, {0: (0,), 1: (1,)}) == 4.5
    assert chain_strength_of("scaled", 1.5, bqm, {0: (0,), 1: (1,)}) == 4.5
    assert chain_strength_of(1.5, None, dimod.BinaryQuadraticModel("SPIN"), {}) == 1.5


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
    with pytest.raises(ValueError, match="are not in a zephyr graph"):
        small(dead_qubits=[10**6]).solve(neuron(3))
    assert small(dead_qubits=range(20)).solve(neuron(3), num_reads=3).has_incumbent


def test_solutions_say_who_and_how_they_ended():
    found = small().solve(neuron(9, 40), seed=0, num_reads=5)
    assert found.solver == "dwave-emulated"
    assert dataclasses.asdict(found.timing)["solve"] > 0
    assert found.timing.embed > 0


def test_refinement_embeds_once_and_shares_reads_among_its_calls():
    problem = neuron(9, 20, 3)
    emulated = small()
    found = qproj.Refined(emulated, rounds=4).solve(problem, seed=0, num_reads=18)
    assert found.stats["reads"] == 18
    again = qproj.Refined(small(), rounds=4).solve(problem, seed=0, num_reads=18)
    np.testing.assert_array_equal(found.candidates, again.candidates)
    assert found.gain >= qproj.Refined(emulated, rounds=1, polish=False).solve(problem, seed=0, num_reads=1).gain


def test_the_annealing_time_is_charged_and_sets_the_sweeps():
    short, usual, own = small(annealing_time=1.0), small(), small(annealing_time=5.0, num_sweeps=7)
    assert (short.num_sweeps, usual.num_sweeps, own.num_sweeps) == (10, 200, 7)
    costs = [solver.machine.estimate_us(9, 100) for solver in (short, usual, own)]
    assert costs == [15_000 + 100 * (120 + us) for us in (1, 20, 5)]
    for wrong in (0.0, -1.0, float("inf")):
        with pytest.raises(ValueError, match="microseconds > 0"):
            small(annealing_time=wrong)

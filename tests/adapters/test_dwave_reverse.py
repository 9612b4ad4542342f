"""Reverse anneals from a hint: what the client is sent, what a solver's properties refuse, and the emulated machine."""

import numpy as np
import pytest

import qproj
from qproj_dwave import BudgetExceededError
from tests.adapters._annealers import Standin, client, layer, mock, neuron, small

REVERSE = [(0.0, 1.0), (5.0, 0.45), (15.0, 0.45), (20.0, 1.0)]
STAYS = "0:1+1:0.999+2:1"


class Recording(Standin):
    """A DWaveSampler that keeps what it was sent, and answers with the initial state, as if no anneal left it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.sent = []

    def sample(self, bqm, **options):
        self.sent.append((bqm, options))
        options = {k: v for k, v in options.items() if k in ("num_reads", "answer_mode", "label")}
        reads = super().sample(bqm, **options)
        state = self.sent[-1][1].get("initial_state")
        if state is not None:
            reads.record.sample[:] = [state[q] for q in reads.variables]
        return reads


def hint_of(p, seed=0):
    return np.random.default_rng(seed).choice([-1, 1], p.num_variables)


@pytest.mark.parametrize("spin_reversals", [0, 3])
def test_the_hint_is_the_initial_state_of_every_qubit_of_a_chain(spin_reversals):
    machine, p = Recording(), neuron(5)
    solver = client(machine, anneal_schedule=REVERSE, spin_reversals=spin_reversals)
    solution = solver.solve(p, hint=hint_of(p), num_reads=6, seed=0)
    # the stand-in stays where it begins, in any gauge, so the hint comes back
    assert (solution.candidates == hint_of(p)).all()
    for bqm, options in machine.sent:
        assert options["anneal_schedule"] == REVERSE
        assert options["reinitialize_state"] is True
        assert set(options["initial_state"]) == set(bqm.variables)
        assert set(options["initial_state"].values()) <= {-1, 1}
    assert len(machine.sent) == max(1, spin_reversals)


def test_the_real_client_formats_and_charges_what_is_sent():
    from dwave.cloud.solver import StructuredSolver
    from dwave.cloud.testing.mocks import qpu_problem_timing_data

    machine, p, times = Recording(), neuron(3), qpu_problem_timing_data()
    machine.properties = {**machine.properties, "problem_timing_data": times}

    class Solver:
        properties = machine.properties
        estimate_qpu_access_time = StructuredSolver.estimate_qpu_access_time

    machine.solver = Solver()
    solver = client(machine, anneal_schedule=REVERSE, budget=1e6)
    plain = client(machine, anneal_schedule=[(0.0, 0.0), (20.0, 1.0)])
    more = solver.report(p, num_reads=10).access_us - plain.report(p, num_reads=10).access_us
    programming, delay = (times[f"reverse_annealing_with_reinit_{part}_time_delta"] for part in ("prog", "delay"))
    assert more == pytest.approx(programming + 10 * delay)
    solver.solve(p, hint=hint_of(p), num_reads=10)
    (bqm, options) = machine.sent[-1]
    sent = StructuredSolver.reformat_parameters("ising", options, machine.properties)["initial_state"]
    assert len(sent) == machine.properties["num_qubits"]
    assert {q for q, value in enumerate(sent) if value != 3} == set(bqm.variables)
    with pytest.raises(BudgetExceededError):
        client(machine, anneal_schedule=REVERSE, budget=100.0).solve(p, hint=hint_of(p), num_reads=10)


def test_a_layer_is_packed_with_a_state_per_neuron():
    X, T = layer(d=3, dout=6)
    hints = np.random.default_rng(1).choice([-1, 1], (6, 3))
    machine = Recording()
    found = qproj.project(X, T, solver=client(machine, anneal_schedule=REVERSE), hints=hints, num_reads=4)
    assert len(machine.sent) == 1
    assert np.array_equal(found.weights, hints)
    with pytest.raises(ValueError, match="pass hint"):
        qproj.project(X, T, solver=client(machine, anneal_schedule=REVERSE), num_reads=4)


def test_a_state_without_a_reverse_anneal_and_the_reverse_are_refused():
    p = neuron(3)
    with pytest.raises(TypeError, match="takes no hint"):
        client().solve(p, hint=hint_of(p))
    with pytest.raises(ValueError, match="begins at s = 1, a reverse anneal: pass hint"):
        client(anneal_schedule=REVERSE).solve(p)
    assert client(anneal_schedule=REVERSE).capabilities.hint
    assert not client(anneal_schedule=[(0.0, 0.0), (20.0, 1.0)]).capabilities.hint
    assert client(anneal_schedule="0:1+5:0.4+9:1").parameters["anneal_schedule"] == [(0, 1), (5, 0.4), (9, 1)]


@pytest.mark.parametrize(
    ("schedule", "change", "message"),
    [
        (REVERSE, {"lacks": "initial_state"}, "takes no initial_state"),
        (REVERSE, {"lacks": "reinitialize_state"}, "takes no reinitialize_state"),
        ([(0.0, 0.0), (20.0, 1.0)], {"lacks": "anneal_schedule"}, "takes no anneal_schedule"),
        (REVERSE, {"max_anneal_schedule_points": 3}, "has 4 points; MockDWaveSampler takes 3 at most"),
        (REVERSE, {"annealing_time_range": [0.5, 10.0]}, "lasts 20 µs; MockDWaveSampler takes 10 at most"),
        ([(0.0, 1.0), (0.1, 0.2), (9.0, 1.0)], {}, r"s = 1 to 0.2 in 0.1 µs; MockDWaveSampler needs 0.4 or more"),
        ([(0.0, 0.0), (5.0, 0.5), (6.0, 0.4), (9.0, 1.0)], {}, "takes a fall only from s = 1"),
    ],
)  # fmt: skip
def test_what_the_connected_solver_does_not_take_is_refused_by_name(schedule, change, message):
    machine, p = Recording(), neuron(3)
    change = dict(change)
    lacks = change.pop("lacks", None)
    machine.parameters = {name: value for name, value in machine.parameters.items() if name != lacks}
    machine.properties = {**machine.properties, **change}
    hint = {"hint": hint_of(p)} if schedule[0][1] == 1 else {}
    with pytest.raises(ValueError, match=message):
        client(machine, anneal_schedule=schedule).solve(p, **hint)
    assert not machine.sent


def test_the_emulated_machine_begins_in_the_hint_and_forgets_it_where_the_field_is_strong():
    p = neuron(5)
    options = {"sampler": "svmc", "num_sweeps": 200, "sigma_h": 0.0, "sigma_j": 0.0}
    best = qproj.get_solver("exhaustive").solve(p)
    stays = small(anneal_schedule=STAYS, **options).solve(p, hint=best.best, num_reads=20, seed=0)
    assert np.array_equal(stays.best, best.best)
    far = small(anneal_schedule="0:1+1:0+2:1", **options).solve(p, hint=-best.best, num_reads=20, seed=0)
    assert far.gain > p.gain(-best.best)
    with pytest.raises(ValueError, match="pass hint"):
        small(anneal_schedule=STAYS, **options).solve(p)


def test_the_mock_of_ocean_takes_it(recwarn):
    p = neuron(4)
    solution = client(mock(), anneal_schedule=REVERSE).solve(p, hint=hint_of(p), num_reads=5)
    assert solution.has_incumbent
    assert any("initial_state" in str(warning.message) for warning in recwarn)  # accepted, and not simulated

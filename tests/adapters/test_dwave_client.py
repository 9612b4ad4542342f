"""Behind the real client's interface: what is tried again, what is paid, what is refused."""

import importlib.util
import logging
import pickle

import dimod
import numpy as np
import pytest

import qproj
from qproj._extras import install_hint
from qproj.solvers import MissingTokenError
from qproj_dwave import Budget, BudgetExceededError, DWave, DWaveEmulated, DWaveHybrid, LostAnswerError
from qproj_dwave import qpu as qpu_module
from tests.adapters._annealers import Late, Standin, client, layer, mock, neuron


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(qpu_module, "PAUSE_S", 1e-4)


def test_the_real_client_solves_a_layer_and_records_what_it_cost():
    X, T = layer(d=3, dout=10)
    solver = client()
    found = qproj.project(X, T, solver=solver, num_reads=30)
    assert not np.isnan(found.gain).any()
    assert solver.budget.submissions == 1
    assert solver.budget.spent_us == pytest.approx(8550.28)  # what the mock reports
    assert found[0].stats["problem_id"]


def transient_errors():
    import requests
    from dwave.cloud.api.exceptions import InternalServerError, RequestTimeout, ResourceLimitsExceededError
    from dwave.cloud.exceptions import PollingTimeout, SolverOfflineError

    return [SolverOfflineError("offline"), RequestTimeout("slow"), ResourceLimitsExceededError("429"),
            InternalServerError("500"), PollingTimeout("poll"), ConnectionError("reset"),
            requests.ConnectionError("reset"), requests.ReadTimeout("slow")]  # fmt: skip


@pytest.mark.parametrize("error", transient_errors(), ids=lambda e: type(e).__name__)
def test_transient_faults_are_tried_again(error, caplog):
    standin = Standin([error, error, None])
    with caplog.at_level(logging.WARNING, "qproj"):
        assert client(standin).solve(neuron(4), num_reads=5).has_incumbent
    assert standin.submitted == 1
    assert caplog.text.count("tried again") == 2


@pytest.mark.parametrize("error", transient_errors(), ids=lambda e: f"{type(e).__module__}.{type(e).__name__}")
def test_what_fails_in_the_clients_own_thread_is_tried_again(error):
    """The real client submits later: a fault on the way is raised when the answer is asked for, without an id."""
    standin = Standin([Late(error, known=None), Late(error, known=None), None])
    assert client(standin).solve(neuron(4), num_reads=5).has_incumbent
    assert (standin.submitted, standin.fetched) == (3, 0)


def test_a_refused_submission_costs_nothing_and_a_doubtful_one_counts_as_paid():
    from dwave.cloud.api.exceptions import RequestTimeout
    from dwave.cloud.exceptions import SolverOfflineError

    told = lambda s: (s.info.update(timing={"qpu_access_time": 900.0}), s)[1]  # noqa: E731
    standin = Standin([Late(SolverOfflineError("offline"), known=None)] * 3, answer=told)
    solver = client(standin, budget=1500.0)
    assert solver.solve(neuron(4), num_reads=5).has_incumbent
    assert (solver.budget.spent_us, solver.budget.submissions) == (900.0, 1)
    solver = client(Standin([Late(RequestTimeout("slow"), known=None)]), budget=1500.0)
    with pytest.raises(BudgetExceededError, match="500 are left"):  # it may have been accepted
        solver.solve(neuron(4), num_reads=5)
    assert solver.budget.spent_us == 1000.0


def test_an_answer_that_cannot_be_fetched_is_not_paid_twice():
    from dwave.cloud.exceptions import PollingTimeout

    standin = Standin([Late(PollingTimeout("late"))], late=[PollingTimeout("later")] * 9)
    solver = client(standin, budget=5000.0, tries=3)
    with pytest.raises(LostAnswerError, match="id-1"):
        solver.solve(neuron(4), num_reads=5)
    assert (standin.submitted, standin.fetched, solver.budget.spent_us) == (1, 3, 1000.0)


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


def test_every_spin_reversal_is_a_programming_that_is_charged():
    timing = {"qpu_access_time": 900.0, "qpu_readout_time_per_sample": 40.0}
    standin = Standin(estimate=1000.0, answer=lambda s: (s.info.update(timing=dict(timing)), s)[1])
    solver = client(standin, budget=5000.0, spin_reversals=5)
    assert solver.report(neuron(4), num_reads=20).access_us == 5000.0
    stats = solver.solve(neuron(4), num_reads=20).stats
    assert (standin.submitted, solver.budget.spent_us, stats["access_us"], stats["calls"]) == (5, 4500.0, 5000.0, 5.0)
    assert stats["timing"] == {"qpu_access_time": 4500.0, "qpu_readout_time_per_sample": 40.0}
    with pytest.raises(BudgetExceededError, match="500 are left"):
        solver.solve(neuron(4), num_reads=20)


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


@pytest.mark.parametrize("kind", [DWave, DWaveEmulated, DWaveHybrid])
def test_a_missing_dwave_system_is_told_though_the_core_brings_a_package_called_dwave(kind, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dwave.system" else there(name))
    state = kind.availability()
    assert (state.installed, state.token) == (False, None)
    assert "dwave.system" in state.reason
    assert install_hint("dwave") in state.remedy


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


@pytest.mark.parametrize("name", ["dwave", "dwave-hybrid"])
def test_a_file_in_the_place_of_the_configuration_is_refused(name, monkeypatch):
    monkeypatch.setenv("DWAVE_API_TOKEN", "DEV-none")
    with pytest.raises(TypeError, match="set DWAVE_CONFIG_FILE to a file"):
        qproj.get_solver(name, config="dwave.conf")

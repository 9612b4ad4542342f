"""Faulty solvers: a clear error alone, and with a fallback an answer as good as the fallback's, always scored again."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

import qproj
from qproj.solvers import MalformedSolutionError, NoSolutionError

sys.path.insert(0, str(Path(__file__).parent))  # the harness travels to other processes by its module name
from faulty import FAULTS, Faulty


def layer(seed=0, n=24, d=9, dout=6):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))


@pytest.mark.parametrize("fault", FAULTS)
def test_alone_a_fault_is_an_error_or_is_put_right(fault):
    X, T = layer()
    solver = Faulty([fault], share=1.0)
    if fault == "energies":  # the vector is sound: its figures are computed again
        found = qproj.project(X, T, solver=solver)
        honest = qproj.project(X, T, solver="local-search")
        np.testing.assert_array_equal(found.gain, honest.gain)
        return
    if fault == "proof":  # the figures are those of the vector, and the proof is none
        found = qproj.project(X, T, solver=solver)
        assert not found.proved.any()
        assert all(found.gain[i] == qproj.SignProjection(X, T[:, i]).gain(found.weights[i]) for i in range(6))
        return
    with pytest.raises((MalformedSolutionError, NoSolutionError, ConnectionResetError)):
        qproj.project(X, T, solver=solver).require()


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_fallback_every_neuron_has_a_sound_answer(fault, caplog):
    X, T = layer()
    solver = Faulty([fault], seed=3)
    with caplog.at_level(logging.WARNING, "qproj"):
        found = qproj.project(X, T, solver=qproj.Fallback(solver, "auto"))
    exact = qproj.project(X, T)
    spoilt = np.array([bool(f) for f in solver.done])
    assert spoilt.any()
    assert not spoilt.all()
    for i in range(6):
        assert found.gain[i] == qproj.SignProjection(X, T[:, i]).gain(found.weights[i])
    if fault == "energies":
        assert not caplog.records
        return
    assert len(caplog.records) == spoilt.sum()
    np.testing.assert_allclose(found.gain[spoilt], exact.gain[spoilt])
    for i in np.flatnonzero(spoilt):
        assert found[int(i)].stats["failures"]


def test_every_solver_failing_says_what_each_did():
    X, T = layer(dout=1)
    chain = qproj.Fallback(Faulty(["raise"], share=1.0), Faulty(["nan"], share=1.0))
    with pytest.raises(RuntimeError, match=r"every solver.*went away.*not an assignment"):
        chain.solve(qproj.SignProjection(X, T[:, 0]))


def test_a_whole_layer_goes_to_the_next_solver():
    class Broken(Faulty):
        def solve_many(self, problems, **limits):
            raise OSError("no route to host")

    X, T = layer()
    found = qproj.project(X, T, solver=qproj.Fallback(Broken(), "auto"))
    np.testing.assert_allclose(found.gain, qproj.project(X, T).gain)
    assert len(found.stats["failures"]) == 6


def test_a_fallback_shares_the_time():
    X, T = layer(n=200, d=40, dout=2)
    qproj.project(X, T, solver="auto", time_limit_s=0.5)  # compiled
    found = qproj.project(X, T, solver=qproj.Fallback(Faulty(["raise"], share=1.0), "auto"), time_limit_s=0.5)
    assert found.timing.total < 5.0
    assert not np.isnan(found.gain).any()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["crash", "hang", "raise"])
def test_a_process_of_its_own_may_die(fault):
    X, T = layer(dout=1)
    p = qproj.SignProjection(X, T[:, 0])
    # only the one that hangs is ended by the clock: a busy machine needs seconds for a process's first answer
    isolated = qproj.Isolated(Faulty([fault], share=1.0), grace_s=0.5 if fault == "hang" else 60.0)
    try:
        kind = {"crash": RuntimeError, "hang": TimeoutError, "raise": ConnectionResetError}[fault]
        with pytest.raises(kind):
            isolated.solve(p, time_limit_s=0.5)
        again = qproj.Fallback(isolated, "auto").solve(p, time_limit_s=1.0)
        assert again.gain == pytest.approx(qproj.get_solver("exhaustive").solve(p).gain)
    finally:
        isolated.close()


@pytest.mark.slow
def test_a_correct_solver_answers_from_its_process_as_it_does_here():
    X, T = layer(dout=1)
    p = qproj.SignProjection(X, T[:, 0])
    isolated = qproj.Isolated("sa")
    try:
        there = isolated.solve(p, seed=4, num_reads=20)
        here = qproj.get_solver("sa").solve(p, seed=4, num_reads=20)
        np.testing.assert_array_equal(there.candidates, here.candidates)
        model = p.encode("margin").bqm
        assert isolated.solve(model, seed=1, num_reads=5).objective == pytest.approx(
            qproj.get_solver("sa").solve(model, seed=1, num_reads=5).objective
        )
    finally:
        isolated.close()


def test_bad_chains_are_refused():
    with pytest.raises(ValueError, match="two solvers"):
        qproj.Fallback("auto")
    with pytest.raises(ValueError, match="did you mean 'auto'"):
        qproj.Fallback("sa", "autp")
    with pytest.raises(ValueError, match="seconds > 0"):
        qproj.Isolated("sa", grace_s=0)

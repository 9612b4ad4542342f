"""`auto` on plain models: a portfolio that no single solver beats, says what it did, and always ends."""

import itertools
import threading

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers.builtin.relinked_annealing import RelinkedAnnealing
from qproj.solvers.interrupt import interruptible, is_over, polled, race


def triangles(count, seed=1):
    rng, bqm = np.random.default_rng(seed), dimod.BinaryQuadraticModel("SPIN")
    for k in range(count):
        for i, j in itertools.combinations(range(3 * k, 3 * k + 3), 2):
            bqm.add_quadratic(i, j, float(rng.integers(1, 100)))
    return bqm


def random_bqm(n, seed=0, density=1.0):
    rng = np.random.default_rng([seed, n])
    Q = np.triu(rng.integers(-50, 51, (n, n)) * (rng.random((n, n)) < density))
    return dimod.BinaryQuadraticModel(Q.astype(float), "BINARY")


def is_local_minimum(bqm, solution):
    best = np.asarray(solution.best)
    spin = bqm.vartype is dimod.SPIN
    flipped = np.repeat(best[None], len(best), axis=0)
    np.fill_diagonal(flipped, -best if spin else 1 - best)
    return (bqm.energies((flipped, list(bqm.variables))) >= solution.objective - 1e-9).all()


@pytest.mark.parametrize("limit", [None, 0.5])
def test_low_treewidth_is_proved_by_a_tree_decomposition(limit):
    bqm = triangles(20)
    ours = qproj.get_solver("auto").solve(bqm, seed=0, time_limit_s=limit)
    assert (ours.status, ours.objective) == ("optimal", qproj.get_solver("tree").solve(bqm).objective)
    assert "tree decomposition of width 2" in ours.message


def test_few_variables_are_enumerated():
    bqm = random_bqm(12)
    found = qproj.get_solver("auto").solve(bqm)
    assert (found.status, found.objective) == ("optimal", dimod.ExactSolver().sample(bqm).first.energy)
    assert "every assignment" in found.message


@pytest.mark.parametrize("limit", [None, 0.4])
def test_dense_models_beyond_a_proof_end_in_a_local_minimum_with_a_bound(limit):
    bqm = random_bqm(70)
    found = qproj.get_solver("auto").solve(bqm, seed=0, time_limit_s=limit)
    assert found.status == "feasible"
    assert found.bound <= found.objective
    assert is_local_minimum(bqm, found)
    assert "annealing" in found.message


def test_a_seed_gives_one_result_without_a_time_limit():
    bqm = random_bqm(40)
    first, second = (qproj.get_solver("auto").solve(bqm, seed=3) for _ in range(2))
    assert (first.best == second.best).all()
    assert first.message == second.message


def test_middling_models_are_proved_side_by_side_with_heuristics():
    bqm = random_bqm(30, density=0.3)
    found = qproj.get_solver("auto").solve(bqm, seed=0, time_limit_s=20.0)
    assert found.status == "optimal"
    assert found.objective == qproj.get_solver("cpsat").solve(bqm).objective
    assert "proved by" in found.message


def test_constrained_models_with_real_variables_go_to_a_mip_solver():
    pytest.importorskip("highspy")
    x, i = dimod.Real("x", upper_bound=5), dimod.Integer("i", upper_bound=5)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-x - 2 * i)
    cqm.add_constraint(x + i <= 6.5)
    found = qproj.get_solver("auto").solve(cqm)
    assert found.objective == pytest.approx(-11.5)
    assert found.bound == pytest.approx(-11.5, abs=1e-4)  # real variables: a proof up to tolerances, which is none
    assert found.message.startswith("highs")


def test_sign_projections_say_which_step_proved():
    rng = np.random.default_rng(0)
    X, t = rng.choice([-1, 1], (40, 25)), rng.normal(size=40)
    found = qproj.get_solver("auto").solve(qproj.SignProjection(X, t), seed=0)
    assert found.message.endswith("proved by branch and bound (1)")


def test_a_race_ends_with_the_first_proof_and_stops_the_others():
    stopped, began = threading.Event(), threading.Barrier(3)

    def backend():
        began.wait(30)
        return interruptible(lambda: stopped.wait(30), stopped.set)

    def loop():
        began.wait(30)
        with polled(None) as stop:
            while not stop():
                pass
        return is_over()

    def proof():
        began.wait(30)
        return "proof"

    assert race([backend, loop, proof], lambda answer: answer == "proof") == [True, True, "proof"]
    assert not is_over()


def test_an_error_in_a_race_stops_it_and_reaches_the_caller():
    stopped = threading.Event()

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race([fails, lambda: interruptible(lambda: stopped.wait(30), stopped.set)], bool)
    assert stopped.is_set()


def torus(side, seed):
    """A toroidal grid of ±1 couplings, the kind of graph on which plain anneals end far from the optimum."""
    rng, bqm = np.random.default_rng(seed), dimod.BinaryQuadraticModel("SPIN")
    for i, j in itertools.product(range(side), repeat=2):
        for u, v in (((i + 1) % side, j), (i, (j + 1) % side)):
            bqm.add_quadratic(side * i + j, side * u + v, float(rng.choice([-1.0, 1.0])))
    return bqm


@pytest.mark.parametrize("limit", [None, 30.0])
def test_market_splits_of_twenty_variables_are_proved_by_enumeration(limit):
    # squared knapsacks, whose optimum of 0 neither walks nor bounds find (Cornuéjols and Dawande 1998)
    rng = np.random.default_rng(3)
    A, x = rng.integers(0, 50, (3, 18)), rng.integers(0, 2, 18)
    b = A @ x
    Q = (A.T @ A).astype(float) - 2.0 * np.diag(A.T @ b)
    bqm = dimod.BinaryQuadraticModel(Q, "BINARY")
    bqm.offset = float(b @ b)
    found = qproj.get_solver("auto").solve(bqm, seed=0, time_limit_s=limit)
    assert (found.status, found.objective) == ("optimal", 0.0)


def test_sparse_models_get_relinked_annealing():
    bqm = torus(16, 0)
    first, second = (qproj.get_solver("auto").solve(bqm, seed=0) for _ in range(2))
    assert "relinked annealing" in first.message
    assert (first.best == second.best).all()
    assert is_local_minimum(bqm, first)
    assert first.objective <= qproj.get_solver("sa").solve(bqm, seed=0).objective
    limited = qproj.get_solver("auto").solve(bqm, seed=0, time_limit_s=1.0)
    assert "relinked annealing" in limited.message
    assert is_local_minimum(bqm, limited)


def test_relinked_annealing_repeats_reports_and_goes_on_from_a_hint():
    bqm = torus(16, 1)
    seen = []
    solver = RelinkedAnnealing()
    found, again = (solver.solve(bqm, seed=5, num_reads=250, on_progress=seen.append) for _ in range(2))
    assert (found.candidates == again.candidates).all()
    assert len(found.candidates) > 1  # several populations
    assert [event.objective for event in seen[:2]] == sorted((event.objective for event in seen[:2]), reverse=True)
    assert seen[-1].objective == found.objective
    hinted = solver.solve(bqm, seed=6, num_reads=1, hint=found.best)
    assert hinted.objective <= found.objective
    assert solver.solve(bqm, seed=5, time_limit_s=0.3).stats["anneals"] > 0
    with_fields = bqm.copy()
    with_fields.add_linear_from((v, 0.5) for v in with_fields.variables)
    assert is_local_minimum(with_fields, solver.solve(with_fields, seed=0, num_reads=60))

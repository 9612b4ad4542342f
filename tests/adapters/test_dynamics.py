"""Schrödinger dynamics against an independent integrator, closed forms and the limits of fast and slow anneals."""

import dimod
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import qproj
from qproj.solvers import TooLargeError
from qproj.solvers.annealing import AnnealPath, AnnealSchedule, autoscale, programmed
from qproj.solvers.state_vector.states import energies
from qproj_dynamics.evolution import Anneal, integrate
from qproj_dynamics.schrodinger import _largest_field
from qproj_dynamics.spectrum import minimum_gap

X, Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def ising(N, seed):
    rng = np.random.default_rng(seed)
    bqm = dimod.BinaryQuadraticModel(dict(enumerate(rng.normal(size=N))), {}, 0.0, "SPIN")
    for i in range(N):
        for j in range(i):
            bqm.add_quadratic(i, j, rng.normal())
    return programmed(bqm)


def anneal(bqm, schedule, path):
    return Anneal(energies(bqm), AnnealSchedule.of(schedule), path, _largest_field(bqm))


def driver(N):
    """Σσˣ as a dense matrix; bit i of an index is qubit i."""
    total = np.zeros((1 << N, 1 << N))
    for i in range(N):
        total += np.kron(np.kron(np.eye(1 << (N - 1 - i)), X), np.eye(1 << i))
    return total


def hamiltonian(each, t, D):
    A, B = each.schedule.at(each.path.at(t))
    return -0.5 * A * D + 0.5 * B * np.diag(each.energy)


def reference(each, start=None):
    """|ψ|² by scipy's Runge–Kutta method of order 8, tolerances 1e-10, on dense matrices."""
    N = each.num_qubits
    psi = np.full(1 << N, 2.0 ** (-N / 2), complex)
    if start is not None:
        psi = np.eye(1 << N, dtype=complex)[start]
    D = driver(N)
    found = solve_ivp(
        lambda t, y: -2j * np.pi * (hamiltonian(each, t, D) @ y), (0.0, each.path.duration), psi, method="DOP853",
        rtol=1e-10, atol=1e-12, max_step=each.path.duration / 50,
    )  # fmt: skip
    return np.abs(found.y[:, -1]) ** 2


@pytest.mark.parametrize("N", [1, 2, 3, 5, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("schedule", ["linear", "quadratic"])
@pytest.mark.parametrize("duration", [0.2, 1.5])
def test_the_distribution_is_that_of_an_independent_integrator(N, schedule, duration):
    each = anneal(ising(N, 10 * N), schedule, AnnealPath.of(duration, None))
    found = integrate(each)
    distance = 0.5 * np.abs(found.probability - reference(each)).sum()
    assert distance <= 1e-3
    assert distance <= 10 * found.error + 1e-8  # the stated error is of the right size
    assert found.norm_error < 1e-9


def test_pauses_and_reverse_anneals_agree_with_it_too():
    bqm = ising(4, 7)
    pause = anneal(bqm, "linear", AnnealPath.of(1.0, "0:0+0.4:0.45+0.9:0.45+1.2:1"))
    assert 0.5 * np.abs(integrate(pause).probability - reference(pause)).sum() <= 1e-3
    reverse = anneal(bqm, "linear", AnnealPath.of(1.0, [(0, 1), (0.5, 0.4), (1.0, 1)]))
    found = integrate(reverse, start=5).probability
    assert 0.5 * np.abs(found - reference(reverse, start=5)).sum() <= 1e-3
    assert found[5] < 0.99  # the state has moved


def test_one_qubit_in_a_constant_field_precesses():
    """A constant, B = 0 from |0⟩: P(1) = sin²(πAt)."""
    schedule = AnnealSchedule(np.array([0.0, 1.0]), np.array([0.7, 0.7]), np.array([0.0, 0.0]))
    path = AnnealPath(np.array([0.0, 1.3]), np.array([1.0, 1.0]))
    found = integrate(Anneal(np.array([-1.0, 1.0]), schedule, path, 1.0), start=0, tolerance=1e-9).probability
    assert found[1] == pytest.approx(np.sin(np.pi * 0.7 * 1.3) ** 2, abs=1e-9)


def test_two_qubits_under_a_constant_hamiltonian_follow_its_exponential():
    schedule = AnnealSchedule(np.array([0.0, 1.0]), np.array([0.8, 0.8]), np.array([1.1, 1.1]))
    each = Anneal(np.array([0.3, -1.0, 0.6, 0.1]), schedule, AnnealPath.of(0.9, None), 2.0)
    exact = expm(-2j * np.pi * 0.9 * hamiltonian(each, 0.0, driver(2))) @ np.full(4, 0.5)
    found = integrate(each, tolerance=1e-8).probability
    np.testing.assert_allclose(found, np.abs(exact) ** 2, atol=1e-7)


def test_doubling_the_steps_quarters_the_error():
    each = anneal(ising(5, 3), "linear", AnnealPath.of(1.0, None))
    exact = reference(each)
    errors = [0.5 * np.abs(np.abs(each.state(steps)) ** 2 - exact).sum() for steps in (100, 200, 400)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.1)


def projection(d, seed=0):
    rng = np.random.default_rng([d, seed])
    return qproj.SignProjection(rng.choice([-1, 1], (20, d)), rng.normal(size=20))


def test_slow_anneals_reach_the_ground_state_and_sudden_ones_stay_uniform():
    p = projection(7)
    slow = qproj.get_solver("schrodinger", annealing_time=200.0).solve(p, seed=0)
    sudden = qproj.get_solver("schrodinger", annealing_time=1e-5).solve(p, seed=0)
    assert slow.stats["ground_state_probability"] > 0.99
    assert sudden.stats["ground_state_probability"] == pytest.approx(2.0**-7, abs=1e-4)


def test_probability_of_optimum_counts_the_states_of_the_best_gain():
    for problem in (projection(6), projection(8), qproj.CurvatureProjection(np.eye(5) + 0.3, np.arange(5) - 2.2, 1.0)):
        solution = qproj.get_solver("schrodinger", annealing_time=0.3).solve(problem, seed=0, num_reads=4000)
        best = qproj.get_solver("exhaustive").solve(problem).gain
        reads = solution.sampleset.record.num_occurrences.sum()
        hits = sum(problem.gain(v) >= best - 1e-9 for v in solution.candidates)
        share = solution.stats["probability_of_optimum"]
        assert abs(hits / reads - share) < 5 * np.sqrt(share * (1 - share) / reads) + 1e-3


def test_slack_variables_are_summed_over():
    p = projection(3)
    found = qproj.get_solver("schrodinger", annealing_time=0.5, encoding="majority").solve(p, seed=0, num_reads=2000)
    assert found.stats["variables"] > 3
    best = qproj.get_solver("exhaustive").solve(p).gain
    hits = np.mean([p.gain(v) >= best - 1e-9 for v in found.candidates])
    assert hits == pytest.approx(found.stats["probability_of_optimum"], abs=0.06)


def test_the_minimum_gap_is_that_of_dense_matrices_and_skips_degenerate_optima():
    each = anneal(ising(5, 11), "linear", AnnealPath.of(1.0, None))
    grid = np.linspace(0, 1, 2001)
    D = driver(5)
    dense = [np.diff(np.linalg.eigvalsh(-0.5 * A * D + 0.5 * B * np.diag(each.energy))[:2])[0]
             for A, B in zip(*each.schedule.at(grid))]  # fmt: skip
    found = minimum_gap(each.energy, each.schedule)
    assert found.gap_ghz == pytest.approx(min(dense), abs=1e-4)
    assert found.s == pytest.approx(grid[int(np.argmin(dense))], abs=2e-3)
    twins = dimod.BinaryQuadraticModel({}, {(0, 1): -1.0}, 0.0, "SPIN")
    gap = minimum_gap(energies(twins), AnnealSchedule.of("linear"))
    assert gap.gap_ghz > 1.0  # to the next level: both optima are one


@pytest.mark.parametrize("N", [8, 9])
def test_sparse_eigenvalues_agree_with_dense_ones(N):
    bqm = ising(N, N)
    schedule = AnnealSchedule.of("quadratic")
    found = minimum_gap(energies(bqm), schedule)
    A, B = schedule.at(found.s)
    low = np.linalg.eigvalsh(-0.5 * A * driver(N) + 0.5 * B * np.diag(energies(bqm)))
    assert found.gap_ghz == pytest.approx(low[1] - low[0], abs=1e-7)


def test_dephasing_ends_near_the_uniform_distribution_where_it_is_strong():
    p = projection(5)
    solver = qproj.get_solver("schrodinger", annealing_time=20.0, dephasing=5.0, trajectories=20)
    closed = qproj.get_solver("schrodinger", annealing_time=20.0).solve(p, seed=0)
    noisy = solver.solve(p, seed=0)
    assert noisy.stats["trajectories"] == 20
    assert noisy.stats["ground_state_probability"] < 0.6 * closed.stats["ground_state_probability"]
    assert solver.solve(p, seed=0).gain == noisy.gain


def test_a_dephased_qubit_is_the_lindblad_equation_s():
    """One qubit, constant H, L = √(γ/2)σᶻ: the mean of many trajectories is the density matrix's diagonal."""
    from qproj_dynamics.evolution import dephased

    schedule = AnnealSchedule(np.array([0.0, 1.0]), np.array([0.6, 0.6]), np.array([0.5, 0.5]))
    each = Anneal(np.array([1.0, -1.0]), schedule, AnnealPath.of(1.0, None), 1.0)
    H, rate = 2 * np.pi * hamiltonian(each, 0.0, driver(1)), 1.5
    eye = np.eye(2)
    L = -1j * (np.kron(H, eye) - np.kron(eye, H.T)) + 0.5 * rate * (np.kron(Z, Z) - np.eye(4))
    exact = (expm(L) @ np.full(4, 0.5)).reshape(2, 2).diagonal().real
    found, _ = dephased(each, rate, 2000, np.random.default_rng(0), steps=100)
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_reverse_anneals_need_a_hint_and_begin_there():
    p = projection(6)
    solver = qproj.get_solver("schrodinger", anneal_schedule="0:1+0.001:0.9+0.002:1")
    with pytest.raises(ValueError, match="pass hint"):
        solver.solve(p)
    hint = np.array([1, -1, 1, 1, -1, -1])
    found = solver.solve(p, seed=0, hint=hint)
    assert (found.candidates == hint).all()  # a short, shallow excursion leaves it there


def test_states_that_do_not_fit_are_refused_with_the_figure():
    with pytest.raises(TooLargeError, match="GiB"):
        qproj.get_solver("schrodinger", max_bytes=1 << 20).solve(projection(18), seed=0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"annealing_time": 0.0}, ValueError),
        ({"annealing_time": "long"}, TypeError),
        ({"schedule": "liner"}, ValueError),
        ({"schedule": [[0, 1], [1, 0]]}, ValueError),
        ({"schedule": "nowhere.csv"}, FileNotFoundError),
        ({"anneal_schedule": "0:0+5:0.5"}, ValueError),
        ({"anneal_schedule": "0+5"}, ValueError),
        ({"dephasing": -1.0}, ValueError),
        ({"tolerance": 0.0}, ValueError),
        ({"trajectories": 0}, ValueError),
    ],
)
def test_options_without_a_meaning_are_refused(options, error):
    with pytest.raises(error):
        qproj.get_solver("schrodinger", **options)


def test_schedules_are_read_as_they_are_published(tmp_path):
    table = tmp_path / "machine.csv"
    table.write_text("s,A(s) (GHz),B(s) (GHz),C (normalized)\n0,9.1,0.1,0\n0.5,1.5,4,0.5\n1,0,10.5,1\n")
    schedule = AnnealSchedule.of(table)
    A, B = schedule.at([0.25, 1.0])
    np.testing.assert_allclose([A, B], [[5.3, 0.0], [2.05, 10.5]])
    same = AnnealSchedule.of(np.c_[schedule.s, schedule.A, schedule.B])
    assert np.array_equal(same.A, schedule.A)
    assert qproj.get_solver("schrodinger", schedule=str(table)).solve(projection(4), seed=0).gain is not None
    table.write_text("s,A,B\n0,1,0\n0.5,x,1\n")
    with pytest.raises(ValueError, match="line 3"):
        AnnealSchedule.of(table)
    table.write_text("s,A,B\n0.1,1,0\n1,0,1\n")
    with pytest.raises(ValueError, match=r"machine\.csv: s runs from 0\.1"):
        AnnealSchedule.of(table)


def test_coefficients_are_scaled_into_the_ranges_of_h_and_j():
    bqm = dimod.BinaryQuadraticModel({0: 8.0, 1: -1.0}, {(0, 1): 1.0}, 3.0, "SPIN")
    assert autoscale(bqm) == 0.5
    spins = programmed(bqm)
    assert (spins.linear[0], spins.quadratic[0, 1], spins.offset) == (4.0, 0.5, 0.0)

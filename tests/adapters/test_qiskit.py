"""QAOA: the diagonal simulator against Qiskit, gradients, primitives that a user hands over, refusals, programs."""

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import TooLargeError
from qproj.solvers.sampling import sampled_model
from qproj.solvers.state_vector.states import energies
from qproj_qiskit.angles import AngleSearch, ramp, search
from qproj_qiskit.diagonal import Diagonal
from qproj_qiskit.programs import ProgramSolver, from_quadratic_program, to_quadratic_program
from qproj_qiskit.qaoa import QAOA, ansatz, operator_of


def neuron(d=5, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def axes(N, warm):
    return np.linspace(0.3, 2.6, N) if warm else np.full(N, np.pi / 2)


@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
def test_energies_are_those_of_the_model(vartype):
    bqm = dimod.generators.gnm_random_bqm(6, 9, vartype, random_state=1)
    bqm.offset = 0.25
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    samples = bits if vartype == "BINARY" else 2 * bits - 1
    np.testing.assert_allclose(energies(bqm), bqm.energies((samples, range(6))))


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_the_simulator_agrees_with_aer(d, warm):
    from qiskit_aer.primitives import EstimatorV2

    model = sampled_model(neuron(d), "margin")
    angles = np.random.default_rng(2).uniform(-2, 2, 4)
    theta = axes(d, warm)
    circuit = ansatz(model.bqm, 2, theta).remove_final_measurements(inplace=False)
    values = {x: angles[(0 if x.name.startswith("γ") else 2) + x.index] for x in circuit.parameters}
    exact = EstimatorV2().run([(circuit.assign_parameters(values), operator_of(model.bqm))]).result()[0].data.evs
    constant = model.bqm.change_vartype("SPIN", inplace=False).offset
    assert Diagonal(energies(model.bqm), theta).value(angles) == pytest.approx(float(exact) + constant, abs=1e-9)


@pytest.mark.parametrize("cvar", [1.0, 0.3])
@pytest.mark.parametrize("warm", [False, True])
def test_gradients_are_those_of_finite_differences(warm, cvar):
    state = Diagonal(energies(sampled_model(neuron(6), "margin").bqm), axes(6, warm), cvar)
    angles = np.random.default_rng(3).uniform(-1, 1, 6)
    value, gradient = state.value_and_gradient(angles)
    steps = 1e-6 * np.eye(6)
    numeric = [(state.value(angles + s) - state.value(angles - s)) / 2e-6 for s in steps]
    assert value == pytest.approx(state.value(angles), abs=1e-12)
    np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_cvar_is_the_mean_of_the_lowest_share():
    state = Diagonal(np.array([3.0, -1.0, 2.0, 0.0]), axes(2, False), 0.375)  # uniform: each state has ¼
    assert state.value(np.zeros(2)) == pytest.approx((0.25 * -1.0 + 0.125 * 0.0) / 0.375)


def test_reads_follow_the_state():
    state = Diagonal(energies(sampled_model(neuron(3), "margin").bqm), axes(3, False))
    angles = ramp(1)
    bits = state.sample(angles, 200_000, np.random.default_rng(0))
    share = np.bincount(bits @ (1 << np.arange(3)), minlength=8) / 200_000
    np.testing.assert_allclose(share, np.abs(state.state(angles)) ** 2, atol=5e-3)


@pytest.mark.parametrize("name", ["qaoa", "qaoa-fast"])
def test_small_neurons_are_solved_and_a_seed_repeats(name):
    problem = neuron(5)
    best = qproj.get_solver("exhaustive").solve(problem).gain
    first, again, other = (qproj.get_solver(name).solve(problem, seed=s, num_reads=64) for s in (7, 7, 8))
    assert first.gain == pytest.approx(best)
    np.testing.assert_array_equal(first.candidates, again.candidates)
    assert not np.array_equal(first.sampleset.record.sample, other.sampleset.record.sample)
    assert first.sampleset.record.num_occurrences.sum() == 64


@pytest.mark.parametrize("optimizer", ["COBYLA", "SPSA", "Nelder-Mead", "L-BFGS-B"])
def test_a_search_improves_on_its_start(optimizer):
    state = Diagonal(energies(sampled_model(neuron(5), "margin").bqm), axes(5, False))
    progress = AngleSearch(None)
    gradient = optimizer == "L-BFGS-B"
    search(
        state.value_and_gradient if gradient else state.value, ramp(2), optimizer=optimizer, maxiter=60,
        progress=progress, rng=np.random.default_rng(0), gradient=gradient,
    )  # fmt: skip
    assert progress.best_value < state.value(ramp(2))
    assert progress.best_value == state.value(progress.best_angles)


def test_angles_of_the_simulator_fit_the_circuit():
    problem = neuron(4)
    angles = qproj.get_solver("qaoa-fast", reps=2).solve(problem, seed=0).stats["angles"]
    fast = qproj.get_solver("qaoa-fast", reps=2, angles=angles).solve(problem, seed=0, num_reads=4000)
    real = qproj.get_solver("qaoa", reps=2, angles=angles).solve(problem, seed=0, num_reads=4000)
    assert real.stats["evaluations"] == fast.stats["evaluations"] == 0
    mean = [float(np.mean(s.sampleset.record.energy)) for s in (fast, real)]
    assert mean[0] == pytest.approx(mean[1], rel=0.05)


@pytest.mark.parametrize("name", ["qaoa", "qaoa-fast"])
def test_a_hint_warms_the_start(name):
    problem = neuron(6)
    best = qproj.get_solver("exhaustive").solve(problem).best
    options = {"reps": 1, "angles": [0.0, 0.0], "warm_start": 0.01}  # no evolution: reads follow the initial state
    warm = qproj.get_solver(name, **options).solve(problem, seed=0, num_reads=200, hint=best)
    share = np.mean((warm.candidates == best).all(axis=1))
    assert share > 0.8
    cold = qproj.get_solver(name, **options).solve(problem, seed=0, num_reads=200)
    assert np.mean((cold.candidates == best).all(axis=1)) < 0.3


def test_any_primitive_may_be_handed_over():
    from qiskit.primitives import StatevectorSampler

    problem = neuron(4)
    solver = QAOA(sampler=StatevectorSampler(seed=np.random.default_rng(0)), maxiter=5, shots=64)
    assert not solver.capabilities.seed
    assert solver.solve(problem, num_reads=50).gain <= problem.gain_bound


def test_noise_of_a_fake_backend_is_compiled_for_and_run():
    from qiskit.primitives import BackendSamplerV2
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    problem = neuron(3)
    solver = QAOA(sampler=BackendSamplerV2(backend=FakeManilaV2()), maxiter=6, shots=64)
    solution = solver.solve(problem, seed=0, num_reads=64)
    assert solution.sampleset.record.num_occurrences.sum() == 64
    with pytest.raises(TooLargeError, match="5 of"):
        solver.solve(neuron(9))


@pytest.mark.parametrize("name", ["qaoa", "qaoa-fast"])
def test_plain_models_and_empty_ones(name):
    spin = dimod.BinaryQuadraticModel({"a": 1.0, ("b", 2): -0.5}, {("a", ("b", 2)): 1.0}, 0.75, "SPIN")
    solution = qproj.get_solver(name).solve(spin, seed=0)
    assert solution.objective == pytest.approx(dimod.ExactSolver().sample(spin).first.energy)
    flat = dimod.BinaryQuadraticModel({0: 0.0, 1: 0.0}, {}, 2.0, "BINARY")
    assert qproj.get_solver(name).solve(flat, seed=0).objective == 2.0
    none = dimod.BinaryQuadraticModel("BINARY")
    assert qproj.get_solver(name).solve(none, seed=0).objective == 0.0


@pytest.mark.parametrize("name", ["qaoa", "qaoa-fast"])
def test_what_does_not_fit_is_refused_with_what_can(name):
    with pytest.raises(TooLargeError, match=r"60 qubits.*'auto'"):
        qproj.get_solver(name).solve(neuron(60, 30))


def test_a_deadline_ends_the_search_and_keeps_reads():
    problem = neuron(12)
    solution = qproj.get_solver("qaoa-fast", maxiter=10**6, restarts=10**6).solve(problem, seed=0, time_limit_s=0.2)
    assert solution.termination == "clock"
    assert solution.has_incumbent


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("qaoa", {"optimizer": "L-BFGS-B"}, ValueError),
        ("qaoa", {"optimizer": "COBILA"}, ValueError),
        ("qaoa", {"sampler": object()}, TypeError),
        ("qaoa", {"reps": 0}, ValueError),
        ("qaoa-fast", {"cvar": 0.0}, ValueError),
        ("qaoa-fast", {"cvar": float("nan")}, ValueError),
        ("qaoa-fast", {"angles": [0.1]}, ValueError),
        ("qaoa-fast", {"warm_start": 0.9}, ValueError),
        ("qaoa-fast", {"encoding": "margins"}, ValueError),
        ("qaoa-fast", {"rep": 2}, TypeError),
    ],
)
def test_bad_options_are_refused(name, options, error):
    with pytest.raises(error):
        qproj.get_solver(name, **options)


def test_quadratic_programs_go_out_and_come_back():
    problem = neuron(4)
    program, labels = to_quadratic_program(problem)
    back = from_quadratic_program(program).relabel_variables(
        {f"x{i}": label for i, label in enumerate(labels)}, inplace=False
    )
    bqm = problem.encode("margin").bqm
    sample = dict.fromkeys(bqm.variables, 1)
    assert back.energy(sample) == pytest.approx(bqm.energy(sample))
    assert back == bqm or np.allclose(back.to_numpy_matrix(labels), bqm.to_numpy_matrix(labels))


def test_constraints_and_senses_survive():
    from qiskit_optimization import QuadraticProgram

    program = QuadraticProgram()
    program.binary_var("x")
    program.integer_var(-1, 5, "z")
    program.maximize(1.0, {"x": 2, "z": 1}, {("x", "z"): -1, ("x", "x"): 0.5})
    program.linear_constraint({"x": 1, "z": 1}, "<=", 4, "cap")
    cqm = from_quadratic_program(program)
    assert qproj.get_solver("cpsat").solve(cqm).objective == pytest.approx(-5.0)  # x = 0, z = 4
    again, _ = to_quadratic_program(cqm)
    assert again.get_num_linear_constraints() == 1


def test_qiskits_own_optimiser_is_a_solver():
    from qiskit_optimization.algorithms import MinimumEigenOptimizer
    from qiskit_optimization.minimum_eigensolvers import NumPyMinimumEigensolver

    problem = neuron(4)
    solution = ProgramSolver(MinimumEigenOptimizer(NumPyMinimumEigensolver())).solve(problem)
    lowest = dimod.ExactSolver().sample(problem.encode("margin").bqm).first.sample
    assert solution.gain == pytest.approx(problem.gain(problem.decode(lowest)))

"""Exact and RC2, which compute in whole numbers: against enumeration, and what they refuse."""

import importlib.util
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import dimod
import numpy as np
import pytest

from qproj import MetricProjection, SignProjection, get_solver
from qproj.lab import Study, run
from qproj.solvers import TooLargeError
from tests.adapters._proofs import optimum_proved

MODULES = {"exact": "exact", "rc2": "pysat"}
INSTALLED = [name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None]

pytestmark = pytest.mark.skipif(len(INSTALLED) < 2, reason="exact and python-sat are not both installed")
peers = pytest.mark.parametrize("name", list(MODULES))


@peers
@pytest.mark.parametrize("seed", range(8))
def test_whole_number_projections_are_proved_as_enumeration_finds_them(name, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 12)), int(rng.integers(2, 9))
    p = SignProjection(rng.choice([-1, 1], (n, d)), rng.integers(-4, 5, n).astype(float))
    solution = get_solver(name).solve(p)
    assert solution.status == "optimal"
    assert solution.gain == get_solver("exhaustive").solve(p).gain
    assert solution.bound <= solution.objective


@peers
@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
@pytest.mark.parametrize("seed", range(4))
def test_bqms_are_proved(name, vartype, seed):
    rng = np.random.default_rng(seed)
    bqm = dimod.BinaryQuadraticModel(vartype)
    for u in range(7):
        bqm.add_linear(u, float(rng.integers(-5, 6)))
    for u, v in itertools.combinations(range(7), 2):
        bqm.add_quadratic(u, v, float(rng.integers(-5, 6)))
    solution = get_solver(name).solve(bqm)
    assert solution.status == "optimal"
    assert solution.objective == dimod.ExactSolver().sample(bqm).first.energy


@peers
def test_a_metric_projection_is_proved(name):
    rng = np.random.default_rng(3)
    p = MetricProjection(rng.integers(-2, 3, (6, 6)).astype(float), rng.integers(-3, 4, 6).astype(float))
    solution = get_solver(name).solve(p)
    assert solution.status == "optimal"
    assert solution.gain == pytest.approx(get_solver("exhaustive").solve(p).gain)


@peers
def test_the_clock_stops_the_search_and_the_bound_is_valid(name):
    rng = np.random.default_rng(1)
    p = SignProjection(rng.choice([-1, 1], (60, 30)), rng.normal(size=60))
    solution = get_solver(name).solve(p, time_limit_s=0.5)
    assert solution.termination == "clock"
    assert solution.gain_bound >= get_solver("local-search").solve(p, seed=0).gain


@peers
def test_what_cannot_be_asked_is_refused(name):
    p = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, -2.0])
    with pytest.raises(TypeError, match="num_reads"):
        get_solver(name).solve(p, num_reads=3)
    with pytest.raises(TypeError, match="has no option"):
        get_solver(name, orakel="g4")


def test_rc2_names_the_oracles():
    with pytest.raises(ValueError, match="g4"):
        get_solver("rc2", oracle="none")


@pytest.mark.parametrize("seed", range(12))
def test_rc2_takes_rows_of_real_and_of_repeated_inputs(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 8))
    X = rng.normal(size=(n, d)) if seed % 2 else rng.integers(-2, 4, (n, d)).astype(float)
    p = SignProjection(X, rng.choice([-1.0, 1.0, 2.0], n))
    solution = get_solver("rc2").solve(p)
    assert solution.status == "optimal"
    assert solution.gain == get_solver("exhaustive").solve(p).gain


@pytest.mark.parametrize("bound", range(-1, 16))
def test_a_decision_diagram_is_the_row(bound):
    from qproj_pysat.rc2 import Clauses

    terms = [(3, 1), (5, -2), (3, 3), (1, 4)]
    clauses = Clauses([], [], top=4)
    clauses._weigh(terms, bound)
    from pysat.solvers import Solver

    with Solver(bootstrap_with=clauses.hard) as solver:
        for bits in itertools.product([False, True], repeat=4):
            weight = sum(a for a, literal in terms if bits[abs(literal) - 1] == (literal > 0))
            assumed = [v if bit else -v for v, bit in zip(range(1, 5), bits)]
            assert solver.solve(assumptions=assumed) == (weight >= bound)


def test_rows_whose_diagram_is_too_large_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TooLargeError, match="60 literals is too large; use 'cpsat'"):
        get_solver("rc2").solve(SignProjection(rng.normal(size=(4, 60)), np.ones(4)), time_limit_s=60)


@pytest.mark.parametrize("seed", range(6))
def test_a_proof_of_exact_holds_line_by_line(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 10)), int(rng.integers(3, 8))
    targets = rng.normal(size=n) if seed % 2 else rng.integers(-3, 4, n).astype(float)
    p = SignProjection(rng.choice([-1, 1], (n, d)), targets)
    solution = get_solver("exact", proof_log=tmp_path / "one").solve(p)
    assert solution.status == "optimal"
    least = optimum_proved(tmp_path / "one.formula", tmp_path / "one.proof")
    if not seed % 2:  # the penalty of an unmet sign is a whole number: objective = Σ penalties − Σ|τ|
        assert least == (p.gain_bound - solution.gain) / 2


@pytest.mark.parametrize("feasible", [True, False])
def test_a_proof_of_a_constrained_model_holds_line_by_line(tmp_path, feasible):
    i, j, k = (dimod.Integer(name, lower_bound=-2, upper_bound=5) for name in "ijk")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(3 * i - 2 * j + k)
    cqm.add_constraint(i + j + k >= 4 if feasible else i + j >= 11)
    cqm.add_constraint(2 * i - 3 * j <= 1)
    solution = get_solver("exact", proof_log=tmp_path / "one").solve(cqm)
    assert solution.status == ("optimal" if feasible else "infeasible")
    found = optimum_proved(tmp_path / "one.formula", tmp_path / "one.proof")
    assert (found is not None) == feasible


def test_a_wrong_line_of_a_proof_is_found(tmp_path):
    p = SignProjection(np.random.default_rng(1).choice([-1, 1], (9, 5)), np.arange(1.0, 10.0))
    get_solver("exact", proof_log=tmp_path / "one", options={"proof-assumptions": "1"}).solve(p)
    text = (tmp_path / "one.proof").read_text().splitlines()
    first = next(k for k, line in enumerate(text) if line.startswith("soli"))
    literal = text[first].split()[1]
    turned = literal[1:] if literal.startswith("~") else "~" + literal
    text[first] = text[first].replace(literal, turned, 1)
    (tmp_path / "wrong.proof").write_text("\n".join(text))
    with pytest.raises(AssertionError):
        optimum_proved(tmp_path / "one.formula", tmp_path / "wrong.proof")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("veripb") is None, reason="VeriPB is not installed")
@pytest.mark.parametrize("seed", range(12))
def test_veripb_verifies_the_proofs(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 16)), int(rng.integers(3, 11))
    problem = SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))
    if seed % 3 == 0:
        problem = dimod.BinaryQuadraticModel(np.triu(rng.integers(-5, 6, (8, 8))).astype(float), "BINARY")
    assert get_solver("exact", proof_log=tmp_path / "one").solve(problem).status == "optimal"
    proof = tmp_path / "one.proof"  # version 0.3 of VeriPB knows "soli" as "o"
    proof.write_text(re.sub(r"(?m)^soli ", "o ", proof.read_text()))
    done = subprocess.run(["veripb", tmp_path / "one.formula", proof], capture_output=True, text=True, check=True)
    assert "succeeded" in done.stdout
    assert "assumption" not in done.stdout + done.stderr


def test_a_study_keeps_the_proof_of_every_run(tmp_path):
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    study = Study(
        tmp_path / "study", ["random:n=8,d=5,neurons=2"], [f"exact:proof_log={proofs}"], seeds=1, nulls=False
    )  # fmt: skip
    results = run(study)
    named = [Path(json.loads(text)["proof"]) for text in results.runs["stats"].tolist()]
    assert len(set(named)) == 2
    for path in named:
        assert path.with_name(path.name + ".proof").read_text().startswith("pseudo-Boolean proof")
        assert path.with_name(path.name + ".formula").is_file()


@pytest.mark.parametrize("seed", [0, 1, 13])
def test_the_bound_of_a_value_that_cancels_is_no_better_than_its_sum(seed):
    pytest.importorskip("exact")
    b, (s, t, u) = dimod.Binary("b"), dimod.Spins(["s", "t", "u"])
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(3 + b + 1.0000000000000004 * s - 0.9999999999999996 * t + u)
    row = 0.0009999999999999994 * b + 0.0009999999999999996 * s - 0.0009999999999999996 * t + 0.001 * u
    cqm.add_constraint(row == 2.168404344971009e-19)
    solution = get_solver("exact").solve(cqm, time_limit_s=20, seed=seed)
    assert solution.status == "optimal"
    assert solution.bound <= 3.0 <= solution.objective + 1e-14

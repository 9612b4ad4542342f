"""What is particular to HiGHS, Gurobi and SCIP: statuses, licences, sizes, budgets."""

import pickle
import subprocess
import sys

import dimod
import numpy as np
import pytest

from qproj import SignProjection, get_solver, list_solvers
from qproj.solvers import MissingLicenceError, TooLargeError


def projection(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def test_every_status_of_highs_is_filed():
    highspy = pytest.importorskip("highspy")
    from qproj_highs.highs import TERMINATIONS

    assert set(TERMINATIONS) == set(highspy.HighsModelStatus.__members__)


def test_every_status_of_gurobi_is_filed():
    gurobipy = pytest.importorskip("gurobipy")
    from qproj_gurobi.gurobi import TERMINATIONS

    assert set(TERMINATIONS) == {name for name in dir(gurobipy.GRB.Status) if name.isupper()}


def test_every_status_of_scip_is_filed():
    pyscipopt = pytest.importorskip("pyscipopt")
    from qproj_scip.scip import TERMINATIONS

    names = vars(pyscipopt.scip.PY_SCIP_STATUS)
    assert set(TERMINATIONS) == {name.lower() for name, code in names.items() if isinstance(code, int)}


def test_highs_takes_another_number_of_threads_than_before():
    pytest.importorskip("highspy")
    p = projection(12, 8)
    gains = {get_solver("highs", threads=threads).solve(p).require().gain for threads in (1, 2, 1)}
    assert gains == {get_solver("exhaustive").solve(p).gain}


def wide_row():
    """Four variables and one row whose numbers are 5·10⁹ times apart: presolve of HiGHS 1.16 does not end on it."""
    v, w = dimod.Integer("v", lower_bound=1, upper_bound=1), dimod.Integer("w", lower_bound=2, upper_bound=5)
    x, s = dimod.Binary("x"), dimod.Spin("s")
    cqm = dimod.ConstrainedQuadraticModel()
    products = 0.9999999999999998 * v * x + 0.9999999999999996 * v * s - 0.9999999999999993 * x * s
    cqm.set_objective(1e12 + 0.18 * v + 0.98 * w - 0.03 * x + 0.34 * s + products)
    cqm.add_constraint(1e17 * v + 1e17 * w + 2e7 * x + 2e7 * s >= 5.0000000002e17)
    return cqm


def test_highs_ends_where_its_presolve_does_not():
    pytest.importorskip("highspy")
    found, right = (get_solver(name).solve(wide_row(), time_limit_s=20, seed=50) for name in ("highs", "cpsat"))
    assert found.status == right.status == "optimal"
    assert found.objective == right.objective


@pytest.mark.slow
def test_highs_is_left_behind_where_it_does_not_end(tmp_path):
    pytest.importorskip("highspy")
    file = tmp_path / "model.cqm"
    with wide_row().to_file() as model:
        file.write_bytes(model.read())
    code = f"""
import dimod, qproj, qproj_highs.highs as highs

highs.PRESOLVE_SPREAD, highs.LATE_S = float("inf"), 1.0
with open({str(file)!r}, "rb") as model:
    cqm = dimod.ConstrainedQuadraticModel.from_file(model)
found = qproj.get_solver("highs").solve(cqm, time_limit_s=1, seed=50)
print(found.status, found.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "it goes on in a thread" in done.stdout or "optimal" in done.stdout  # a later version may end


def test_cpsat_takes_rows_whose_bound_exceeds_64_bits_in_their_own_units():
    cqm = dimod.ConstrainedQuadraticModel()
    b, c = dimod.Binaries(["b", "c"])
    cqm.set_objective(-b - 2 * c)
    cqm.add_constraint(1e-17 * b + 1e-17 * c <= 1000.0, label="loose")
    cqm.add_constraint(1e-17 * b + 3e-17 * c >= -1000.0, label="looser")
    assert get_solver("cpsat").solve(cqm).objective == -3.0


def test_gurobi_names_the_size_its_licence_takes():
    pytest.importorskip("gurobipy")
    with pytest.raises(TooLargeError, match=r"2\d{3} variables .* takes 2000 of each: use 'cpsat'"):
        get_solver("gurobi").solve(projection(1200, 1001))


def test_gurobi_tells_a_missing_licence_from_a_missing_package(monkeypatch):
    gurobipy = pytest.importorskip("gurobipy")
    import qproj_gurobi.gurobi as module

    class NoLicence:
        GurobiError = gurobipy.GurobiError

        @staticmethod
        def Env(**_):
            raise gurobipy.GurobiError(gurobipy.GRB.ERROR_NO_LICENSE, "license expired")

    monkeypatch.setattr(module, "_import", lambda: NoLicence)
    with pytest.raises(MissingLicenceError, match="without a valid licence"):
        get_solver("gurobi").solve(projection(3, 3))


def test_a_missing_licence_file_is_reported_without_importing(monkeypatch, tmp_path):
    pytest.importorskip("gurobipy")
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    (info,) = [info for info in list_solvers() if info.name == "gurobi"]
    assert (info.installed, info.licensed) == (True, False)
    assert "none.lic" in info.reason


@pytest.mark.parametrize(("name", "package"), [("highs", "highspy"), ("gurobi", "gurobipy"), ("scip", "pyscipopt")])
class TestEachMIPSolver:
    def test_a_node_limit_is_a_budget(self, name, package):
        pytest.importorskip(package)
        p = projection(50, 24)
        first, second = (get_solver(name, node_limit=1).solve(p, seed=1) for _ in range(2))
        assert (first.status, first.termination) == ("feasible", "budget")
        assert first.best.tolist() == second.best.tolist()
        assert first.gain_bound == second.gain_bound

    def test_bound_gap_and_nodes_are_reported(self, name, package):
        pytest.importorskip(package)
        p = projection(12, 8)
        solution = get_solver(name).solve(p, seed=0)
        assert solution.stats["nodes"] >= 0
        assert solution.stats["bound"] <= solution.objective
        assert solution.stats["rounds"] >= 1
        assert solution.message

    def test_real_variables(self, name, package):
        pytest.importorskip(package)
        cqm = dimod.ConstrainedQuadraticModel()
        x, b = dimod.Real("x", upper_bound=10), dimod.Binary("b")
        cqm.set_objective(-1.5 * x + 2 * b)
        cqm.add_constraint(x - 4 * b <= 2.5, label="open")
        solution = get_solver(name).solve(cqm)
        assert solution.objective == pytest.approx(-1.5 * 6.5 + 2, abs=1e-5)
        assert solution.bound <= solution.objective
        assert solution.gap < 1e-5

    def test_an_unbounded_model_is_no_proof(self, name, package):
        pytest.importorskip(package)
        cqm = dimod.ConstrainedQuadraticModel()
        cqm.set_objective(-1.0 * dimod.Real("x"))
        solution = get_solver(name).solve(cqm)
        assert (solution.termination, solution.bound) == ("failed", None)
        assert "nbounded" in solution.message or "UNBOUNDED" in solution.message

    def test_wrong_budgets_are_refused(self, name, package):
        pytest.importorskip(package)
        with pytest.raises(ValueError, match="node_limit is 0"):
            get_solver(name, node_limit=0)

    def test_solvers_travel_between_processes(self, name, package):
        pytest.importorskip(package)
        solver = pickle.loads(pickle.dumps(get_solver(name)))
        assert solver.solve(projection(4, 3)).status == "optimal"

"""OMMX both ways: instances as problems, its adapters as solvers, our solvers as its adapter; refusals by name."""

import dimod
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qproj
from qproj.formats.text import read_model
from qproj.solvers import Termination, as_problem

ommx = pytest.importorskip("ommx.v1")
adapters = pytest.importorskip("qproj_ommx")
from ommx.adapter import InfeasibleDetected, SolverAdapter  # noqa: E402
from ommx.v1 import Constraint, DecisionVariable, Instance, Sense  # noqa: E402


def sign_problem(n=12, d=7):
    rng = np.random.default_rng(0)
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def mixed(sense=Sense.Maximize):
    x = [DecisionVariable.binary(i) for i in range(3)]
    y = DecisionVariable.integer(5, lower=-2, upper=7)
    return Instance.from_components(
        objective=x[0] * x[1] + 2 * x[2] * y + 3 * x[0] + 1 + x[0] * x[0],
        constraints=[(x[0] + x[1] <= 1).set_id(3), (y <= 4).set_id(7)], sense=sense, decision_variables=[*x, y],
    )  # fmt: skip


def states(instance):
    ranges = [range(int(v.bound.lower), int(v.bound.upper) + 1) for v in instance.decision_variables]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(ranges))
    return [dict(zip([v.id for v in instance.decision_variables], row.tolist(), strict=True)) for row in grid]


@pytest.mark.parametrize("sense", [Sense.Maximize, Sense.Minimize])
def test_an_instance_is_the_same_problem(sense):
    instance = mixed(sense)
    cqm, sign = as_problem(instance).cqm, -1.0 if sense == Sense.Maximize else 1.0
    for state in states(instance):
        told = instance.evaluate(state)
        assert cqm.check_feasible(state) == told.feasible
        assert sign * cqm.objective.energy(state) == pytest.approx(told.objective)


@given(coefficients=st.lists(st.integers(-5, 5), min_size=16, max_size=16))
def test_a_polynomial_is_reduced_without_changing_its_minimum(coefficients):
    terms = {tuple(v for v in range(4) if k >> v & 1): float(c) for k, c in enumerate(coefficients) if k}
    polynomial = dimod.BinaryPolynomial(terms, "BINARY")
    problem = as_problem(polynomial)
    lowest = {}
    for row, energy in dimod.ExactSolver().sample(problem.bqm).data(["sample", "energy"]):
        state = tuple(row[v] for v in range(4))
        lowest[state] = min(lowest.get(state, np.inf), energy)
    for state, energy in lowest.items():
        assert energy == pytest.approx(sum(c * np.prod([state[v] for v in term]) for term, c in terms.items()))


def test_spins_of_a_polynomial_become_bits():
    polynomial = dimod.BinaryPolynomial({(0, 1, 2): 1.0, (0,): -0.5, (): 2.0}, "SPIN")
    best = min(polynomial.energy(dict(enumerate(s))) for s in np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T)
    assert qproj.get_solver("auto").solve(polynomial).objective == pytest.approx(best)


def test_an_instance_of_higher_degree_is_reduced_and_answered_on_its_own_variables():
    x = [DecisionVariable.binary(i) for i in range(4)]
    instance = Instance.from_components(
        objective=x[0] * x[1] * x[2] * x[3] - x[0] - 2 * x[1] * x[2] + 1, constraints=[], sense=Sense.Minimize,
        decision_variables=x,
    )  # fmt: skip
    best = min(instance.evaluate(state).objective for state in states(instance))
    assert adapters.QprojAdapter.solve(instance, solver="auto", seed=0).objective == best


def _with(variable, **parts):
    x = DecisionVariable.binary(9)
    given = {"objective": x + variable, "constraints": [], "decision_variables": [variable, x], **parts}
    return Instance.from_components(sense=Sense.Minimize, **given)


CONTINUOUS = DecisionVariable.continuous(1, lower=0, upper=2)
BINARIES = [DecisionVariable.binary(i) for i in range(3)]


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        (_with(DecisionVariable.semi_integer(1, lower=0, upper=2)), "OMMX variable 1 is .*SemiInteger"),
        (_with(DecisionVariable.semi_continuous(1, lower=0, upper=2)), "OMMX variable 1 is .*SemiContinuous"),
        (_with(CONTINUOUS, objective=CONTINUOUS * CONTINUOUS), "the objective has the product .* of a continuous"),
        (
            Instance.from_components(
                objective=BINARIES[0] * BINARIES[1] * BINARIES[2], constraints=[(BINARIES[0] + BINARIES[1] == 1)],
                sense=Sense.Minimize, decision_variables=BINARIES,
            ),
            "the objective has the term .* of degree 3",
        ),
    ],
)  # fmt: skip
def test_what_a_model_does_not_represent_is_refused_by_name(instance, message):
    with pytest.raises(ValueError, match=message):
        as_problem(instance)


def test_a_soft_constraint_is_refused_by_name():
    cqm = dimod.ConstrainedQuadraticModel()
    x = dimod.Binary("x")
    cqm.add_constraint(x <= 0, label="wish", weight=2.0)
    with pytest.raises(ValueError, match="constraint 'wish' is soft"):
        adapters.to_ommx(cqm)


def test_problems_come_back_as_themselves():
    p = sign_problem(8, 5)
    instance, labels = adapters.to_ommx(p)
    again = as_problem(instance).cqm
    best = qproj.get_solver("cpsat").solve(p)
    assert qproj.get_solver("cpsat").solve(again).objective == pytest.approx(best.objective)
    assert len(labels) == len(again.variables)
    bqm = dimod.BinaryQuadraticModel({"a": -1.0, "b": 0.5}, {("a", "b"): 2.0}, 3.0, "SPIN")
    instance, labels = adapters.to_ommx(bqm)
    for state in states(instance):
        spins = {label: 2 * state[i] - 1 for i, label in enumerate(labels)}
        assert instance.evaluate(state).objective == pytest.approx(bqm.energy(spins))


class Loose(SolverAdapter):
    """An adapter that calls any feasible assignment optimal."""

    def __init__(self, ommx_instance):
        pass

    @classmethod
    def solve(cls, ommx_instance):
        found = adapters.QprojAdapter.solve(ommx_instance, solver="cpsat", time_limit_s=10.0)
        found.optimality = found.OPTIMAL
        return found

    @property
    def solver_input(self):
        return None

    def decode(self, data):
        return data


class Wrong(Loose):
    """An adapter that calls the first feasible assignment it meets optimal."""

    @classmethod
    def solve(cls, ommx_instance):
        turned = ommx_instance.as_minimization_problem and Instance.from_bytes(ommx_instance.to_bytes())
        worst = Instance.from_components(
            objective=-1.0 * turned.objective, constraints=turned.constraints, sense=Sense.Minimize,
            decision_variables=turned.decision_variables,
        )  # fmt: skip
        state = adapters.QprojAdapter.solve(worst, solver="cpsat", time_limit_s=10.0).state
        found = ommx_instance.evaluate(state)
        found.optimality = found.OPTIMAL
        return found


@pytest.mark.parametrize("adapter", [Loose, Wrong])
def test_an_optimum_of_an_adapter_counts_once_it_is_confirmed(adapter):
    p = sign_problem()
    solution = adapters.from_ommx_adapter(adapter).solve(p)
    assert solution.termination is Termination.PROVED
    assert solution.gain == qproj.get_solver("auto").solve(p, seed=0).gain


def test_a_sampler_of_an_adapter_draws_reads():
    p = sign_problem()
    sampler = adapters.from_ommx_adapter(adapters.QprojAdapter, solver="sa", num_reads=20, seed=0)
    solution = sampler.solve(p)
    assert len(solution.candidates) == 20
    assert solution.stats["reads"] == 20
    assert solution.gain == p.gain(solution.best)


def test_our_adapter_answers_in_terms_of_the_instance():
    instance = mixed()
    best = max(told.objective for told in map(instance.evaluate, states(instance)) if told.feasible)
    found = adapters.QprojAdapter.solve(instance, solver="cpsat", seed=0)
    assert (found.objective, found.feasible, found.optimality) == (best, True, found.OPTIMAL)
    drawn = adapters.QprojAdapter.sample(instance, solver="cpsat", seed=0)
    assert drawn.best_feasible.objective == best


def test_infeasible_is_told_by_the_exception_of_ommx():
    x = [DecisionVariable.binary(i) for i in range(2)]
    both = [(x[0] + x[1] >= 2).set_id(0), (x[0] + x[1] <= 1).set_id(1)]
    instance = Instance.from_components(
        objective=x[0], constraints=both, sense=Sense.Minimize, decision_variables=x
    )  # fmt: skip
    with pytest.raises(InfeasibleDetected):
        adapters.QprojAdapter.solve(instance, solver="cpsat")


def test_an_instance_in_a_file_is_a_model(tmp_path):
    path = tmp_path / "mixed.ommx"
    path.write_bytes(mixed().to_bytes())
    assert qproj.get_solver("cpsat").solve(read_model(path)).objective == -13.0
    (tmp_path / "no.ommx").write_bytes(b"no instance")
    with pytest.raises(ValueError, match="neither an OMMX archive nor the bytes of an instance"):
        read_model(tmp_path / "no.ommx")


def test_constraints_have_ids():
    assert Constraint.EQUAL_TO_ZERO != Constraint.LESS_THAN_OR_EQUAL_TO_ZERO
    with pytest.raises(TypeError, match="not an adapter of OMMX"):
        adapters.from_ommx_adapter(int)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 1)])
def test_a_binary_variable_keeps_its_bounds(low, high, rows):
    x = DecisionVariable(ommx.DecisionVariable.of_type(DecisionVariable.BINARY, 0, lower=low, upper=high).raw)
    instance = Instance.from_components(
        objective=x * (1 if low else -1), constraints=[(x <= 1).set_id(0)][:rows],
        sense=Sense.Minimize, decision_variables=[x],
    )  # fmt: skip
    assert qproj.get_solver("cpsat").solve(instance).best.tolist() == [low]


def test_a_time_limit_reaches_the_adapter_by_its_keyword():
    p = sign_problem(40, 30)
    solver = adapters.OMMXSolver(adapters.QprojAdapter, solver="cpsat", time_keyword="time_limit_s")
    assert solver.capabilities.time_limit
    solution = solver.solve(p, time_limit_s=0.5)
    assert solution.termination in (Termination.CLOCK, Termination.PROVED)
    untimed = adapters.from_ommx_adapter(Loose).capabilities
    assert solver.capabilities.stops
    assert not untimed.time_limit
    assert not untimed.stops


@pytest.mark.parametrize("module", ["ommx_highs_adapter", "ommx_pyscipopt_adapter"])
def test_adapters_of_others_are_solvers(module):
    theirs = pytest.importorskip(module)
    name = {"ommx_highs_adapter": "OMMXHighsAdapter", "ommx_pyscipopt_adapter": "OMMXPySCIPOptAdapter"}[module]
    p = sign_problem()
    solution = adapters.from_ommx_adapter(getattr(theirs, name)).solve(p)
    assert solution.status == "optimal"
    assert solution.gain == qproj.get_solver("auto").solve(p, seed=0).gain

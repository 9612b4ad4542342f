"""What constructors and wrappers refuse, each with what is allowed; and the small turns of solvers on plain models."""

import dimod
import numpy as np
import pytest

import qproj
from qproj import SignProjection, as_problem, get_solver
from qproj.solvers import Adapter, Capabilities, Found, MalformedSolutionError, Termination

P = SignProjection([[1, 1, -1], [1, -1, 1], [-1, 1, 1]], [0.5, -0.2, 0.9])

OPTIONS = [
    ("cpsat", {"num_workers": 0}, "an integer ≥ 1"),
    ("cpsat", {"num_workers": True}, "an integer ≥ 1"),
    ("cpsat", {"linearization_level": 3}, "0, 1 or 2"),
    ("cpsat", {"deterministic_time": 0}, "a number > 0"),
    ("sa", {"beta_schedule_type": "cubic"}, "'geometric' or 'linear'"),
    ("sa", {"warm_share": 1.5}, r"\[0, 1\]"),
    ("sa", {"beta_range": (2.0, 1.0)}, "0 < first ≤ last"),
    ("sa", {"beta_range": (1.0,)}, "0 < first ≤ last"),
    ("tabu", {"read_timeout_s": 0}, "seconds > 0"),
    ("auto", {"threads": 0}, "threads"),
    ("local-search", {"starts": 0}, "starts"),
]


@pytest.mark.parametrize(("name", "options", "allowed"), OPTIONS)
def test_options_out_of_range(name, options, allowed):
    with pytest.raises(ValueError, match=allowed):
        get_solver(name, **options)


def test_options_in_range():
    assert get_solver("cpsat", deterministic_time=5.0).solve(P).status == "optimal"
    assert get_solver("auto", threads=1).solve(P).status == "optimal"
    assert get_solver("sa", beta_range=(0.1, 3.0), beta_schedule_type="linear", warm_share=0.0).solve(P).gap is not None


def test_options_with_a_solver_object():
    with pytest.raises(TypeError):
        get_solver(get_solver("sign"), num_sweeps=3)


def real_model():
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("REAL", "x", lower_bound=0, upper_bound=1)
    b = dimod.Binary("b")
    cqm.set_objective(-1 * b)
    return cqm


def test_cpsat_takes_whole_numbers_and_known_parameters():
    with pytest.raises(ValueError, match=r"'x' is REAL.*'highs'"):
        get_solver("cpsat").solve(real_model())
    with pytest.raises((TypeError, ValueError), match="num_search_wrkers"):
        get_solver("cpsat", num_search_wrkers=2).solve(P)


def test_a_plain_model_is_refused_in_another_shape_and_knows_its_range():
    problem = as_problem(dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0}, {"ab": 1.0}, 0.0, "BINARY"))
    assert problem.gap_scale(-5.0) == 5.0
    assert problem.gap_scale(0.5) == 1.0
    assert len(problem.cqm.variables) == 2
    with pytest.raises(ValueError, match=r"\(k, 2\)|shape"):
        problem.gain(np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("label", "value"), [("s", 0.0), ("b", 2.0), ("i", 4.0), ("i", 1.5), ("b", -1.0)]
)  # fmt: skip
def test_values_outside_their_variables_range_are_infeasible(label, value):
    cqm = dimod.ConstrainedQuadraticModel()
    s, b = dimod.Spin("s"), dimod.Binary("b")
    i = dimod.Integer("i", lower_bound=1, upper_bound=3)
    cqm.set_objective(s + b + i)
    problem = as_problem(cqm)
    good = {"s": -1.0, "b": 1.0, "i": 2.0}
    assert problem.objective([good[v] for v in problem.variables]) == 2.0
    bad = good | {label: value}
    assert problem.objective([bad[v] for v in problem.variables]) == np.inf
    with pytest.raises(ValueError, match="shape"):
        problem.objective(np.zeros((1, 5)))
    with pytest.raises(TypeError, match=r"cqm|constrain"):
        _ = problem.bqm


def test_models_with_numbers_that_are_not_finite():
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(float("nan") * dimod.Binary("b"))
    with pytest.raises(ValueError, match="NaN or infinite"):
        as_problem(cqm)


class Scripted(Adapter):
    """Returns a prescribed answer."""

    name = "scripted"

    def __init__(self, capabilities, found=None):
        self.capabilities, self.found = capabilities, found

    def build(self, problem, request):
        return problem

    def call(self, model, request):
        return self.found

    def decode(self, raw, problem):
        return raw


BQM = Capabilities(forms=frozenset({"bqm"}), picklable=False)
PROJECTION = Capabilities(forms=frozenset({"projection"}), picklable=False)


def test_wrappers_refuse_what_they_cannot_wrap():
    with pytest.raises(ValueError, match="in common"):
        qproj.Fallback(Scripted(BQM), Scripted(PROJECTION))
    with pytest.raises(ValueError, match="pickled"):
        qproj.Isolated(Scripted(PROJECTION))
    with pytest.raises(TypeError):
        qproj.Polished(Scripted(BQM))
    model = dimod.BinaryQuadraticModel({"a": 1.0}, {}, 0.0, "BINARY")
    with pytest.raises(TypeError, match=r"sign projections|takes projection"):
        qproj.Polished(get_solver("sa")).solve(model)
    with pytest.raises(TypeError, match=r"sign projections|takes projection"):
        qproj.Polished(get_solver("sa")).solve(qproj.MetricProjection(np.eye(2), [1.0, 2.0]))


def test_polishing_within_a_time_limit_and_from_a_hint():
    rng = np.random.default_rng(0)
    p = SignProjection(rng.choice([-1, 1], (12, 9)), rng.normal(size=12))
    polished = qproj.Polished(get_solver("sa")).solve(p, seed=0, time_limit_s=0.5, num_reads=5)
    assert polished.gain >= p.gain(np.ones(9, int))
    start = rng.choice([-1, 1], 9)
    hinted = qproj.Polished(get_solver("local-search", starts=1)).solve(p, seed=0, hint=start)
    assert hinted.gain >= p.gain(start)


def test_a_fallback_passes_limits_and_keeps_a_refutation():
    capable = Capabilities(forms=frozenset({"cqm"}), exact=True)
    refuted = Scripted(capable, Found(np.zeros((0, 1), np.int8), termination=Termination.REFUTED))
    impossible = dimod.ConstrainedQuadraticModel()
    impossible.add_constraint(dimod.Binary("a") >= 2)
    model = dimod.BinaryQuadraticModel({"a": 1.0, "b": -1.0}, {}, 0.0, "BINARY")
    found = qproj.Fallback("sa", "tabu").solve(model, seed=0, num_reads=7)
    assert found.objective == -1.0
    assert qproj.Fallback(refuted, "cpsat").solve(impossible).status == "infeasible"
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [1.0, -2.0])
    assert qproj.Fallback("auto", "sign").solve(p, hint=[1, 1, 1]).gap == 0.0


def test_auto_on_plain_models_takes_hints_and_proves():
    model = dimod.BinaryQuadraticModel({"a": 1.0, "b": -1.0}, {"ab": -0.25}, 0.0, "BINARY")
    found = get_solver("auto").solve(model, hint=[0, 1])
    assert found.objective == -1.0
    assert found.status == "optimal"


def test_layers_say_what_they_are_in_words():
    from qproj.nn import BinaryLinear

    assert "in_features=3, out_features=2" in repr(BinaryLinear(3, 2))
    assert "scale" in repr(BinaryLinear(3, 2, scale=True))


class Answers(Adapter):
    """A first attempt at a solver, which returns what it was given."""

    name = "first attempt"
    capabilities = Capabilities(forms=frozenset({"projection"}))

    def __init__(self, answer):
        self.answer = answer

    def call(self, p, request):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (np.ones(3), r"ndarray from call\(\) or decode\(\); return Found"),
        (Found(np.ones(3)), r"shape \(3,\); \(k, 3\) is needed.*atleast_2d"),
        (Found(np.ones((1, 4))), r"shape \(1, 4\); \(k, 3\)"),
        (Found(np.ones((1, 3)), "done"), "termination 'done'; pass a Termination"),
    ],
)
def test_answers_that_are_none_get_a_remedy(answer, remedy):
    with pytest.raises(MalformedSolutionError, match=remedy):
        Answers(answer).solve(P)


def test_signs_as_floats_become_whole_numbers():
    found = Answers(Found(np.ones((2, 3)))).solve(P)
    assert found.best.dtype == found.candidates.dtype == found.raw_best.dtype == np.int8
    assert found.gain == P.gain(np.ones(3))
    with pytest.raises(ValueError, match="other than -1 and"):
        Answers(Found(np.full((1, 3), 0.5))).solve(P)


def test_forms_that_no_problem_has_are_refused():
    with pytest.raises(ValueError, match=r"'projections'.*'projection', 'bqm' and 'cqm'"):
        Capabilities(forms=frozenset({"projections"}))


@pytest.mark.parametrize("name", ["my_solver.Descent", "my_solver.py"])
def test_the_way_to_name_an_own_class_is_given(name):
    with pytest.raises(ValueError, match="module:Class"):
        get_solver(name)
    with pytest.raises(ValueError, match="module:Class"):
        qproj.solvers.specs.parse_solvers([name])

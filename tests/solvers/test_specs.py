"""Solvers as text: canonical, round trip, errors before any work."""

import pickle

import pytest

from qproj.solvers.specs import parse_solver, parse_solvers, takes_encoding


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("sa", "sa"),
        (" sa : num_sweeps = 500 ", "sa:num_sweeps=500"),
        ("sa:num_sweeps=500,encoding=margin", "sa:encoding=margin,num_sweeps=500"),
        ("polished(random)", "polished(random)"),
        ("polished(sa:num_sweeps=5)", "polished(sa:num_sweeps=5)"),
        ("refined(sa:num_sweeps=5):rounds=3,polish=false", "refined(sa:num_sweeps=5):polish=false,rounds=3"),
        ("sa:encoding=margin,encoding.kappa=2.5", "sa:encoding=margin,encoding.kappa=2.5"),
    ],
)
def test_parsing_is_canonical_and_repeats(text, canonical):
    spec = parse_solver(text)
    assert spec.text == canonical
    assert parse_solver(spec.text) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.make() is not None


def test_options_reach_the_solver():
    assert parse_solver("sa:encoding=majority").make().encoding == "majority"
    polished = parse_solver("polished(sa:encoding=majority)").make()
    assert polished.solver.encoding == "majority"
    assert parse_solver("sa:encoding.kappa=2").make().encoding_options == {"kappa": 2}
    assert parse_solver("refined(sa):rounds=2,polish=false").make().polish is False


def test_a_list_splits_at_solvers_and_not_at_options():
    specs = parse_solvers("auto,sa:num_sweeps=5,encoding=majority,polished(sa:num_sweeps=5,encoding=margin),tabu,auto")
    assert [spec.text for spec in specs] == [
        "auto", "sa:encoding=majority,num_sweeps=5", "polished(sa:encoding=margin,num_sweeps=5)", "tabu",
    ]  # fmt: skip


def test_bars_make_one_solver_a_value():
    specs = parse_solvers("sa:encoding=margin|majority,num_sweeps=5|6,polished(random)")
    assert sorted(spec.text for spec in specs) == sorted(
        ["polished(random)", *(f"sa:encoding={e},num_sweeps={s}" for e in ("margin", "majority") for s in (5, 6))]
    )


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "no solver is given"),
        ("ssa", ValueError, "did you mean 'sa'"),
        ("polished", ValueError, r"polished\(sa\)"),
        ("polishd(sa)", ValueError, "did you mean 'polished'"),
        ("polished(saa)", ValueError, "did you mean"),
        ("polished(sa", ValueError, "closing bracket"),
        ("polished(sa)x", ValueError, "follows the bracket"),
        ("sa:num_sweps=3", TypeError, "did you mean 'num_sweeps'"),
        ("refined(sa):round=3", TypeError, "did you mean 'rounds'"),
        ("polished(sa):solver=3", TypeError, "no option 'solver'"),
        ("sa:num_sweeps", ValueError, "is not an option"),
        ("sa:num_sweeps=1,num_sweeps=2", ValueError, "given twice"),
    ],
)
def test_mistakes_are_named(text, error, message):
    with pytest.raises(error, match=message):
        parse_solvers(text)


def test_which_solvers_leave_their_encoding_open():
    open_ones = [
        s for s in ("sa", "polished(sqa)", "auto", "random", "sa:encoding=margin") if takes_encoding(parse_solver(s))
    ]
    assert open_ones == ["sa", "polished(sqa)"]

import contextlib

import dimod
import numpy as np
import pytest
from dimod.serialization import coo
from hypothesis import given
from hypothesis import strategies as st

from qproj.formats.coo import read_coo
from qproj.formats.lp import read_lp
from qproj.formats.text import read_model, read_qubo
from qproj.projections.models import BQMProblem, CQMProblem


def put(tmp_path, text, name="a.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@st.composite
def matrices(draw):
    n = draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(-9, 9), min_size=n * n, max_size=n * n))
    upper = np.triu(np.array(cells).reshape(n, n))
    return upper + np.triu(upper, 1).T


@given(Q=matrices())
def test_qubo_energies_are_the_quadratic_form(tmp_path_factory, Q):
    rows = [(i + 1, j + 1, Q[i, j]) for i in range(len(Q)) for j in range(i, len(Q)) if Q[i, j]]
    path = tmp_path_factory.getbasetemp() / "q.txt"
    path.write_text(f"{len(Q)} {len(rows)}\n" + "".join(f"{i} {j} {q}\n" for i, j, q in rows))
    problem = read_model(path)
    assert isinstance(problem, BQMProblem)
    assert list(problem.variables) == list(range(len(Q)))
    x = (np.arange(1 << len(Q))[:, None] >> np.arange(len(Q))) & 1
    np.testing.assert_array_equal(problem.objective(x), np.einsum("ki,ij,kj->k", x, Q, x))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 1\n1 2", "line 2"),
        ("2 1\n1 2 0\n", "line 2"),
        ("2 1\n2 1 3\n", "line 2"),
        ("2 1\n1 3 3\n", "line 2"),
        ("2 1\n0 1 3\n", "line 2"),
        ("2 1\n1 2 3.5\n", "integers"),
        ("2 1\n1 2 1_0\n", "integers"),
        ("2 2\n1 2 3\n1 2 3\n", "line 3"),
        ("2 2\n1 2 3\n1 1 3\n", "not in order"),
        ("2 2\n1 2 3\n", "states 2"),
        ("2 9\n1 2 3\n", "line 1"),
        ("0 0\n", "line 1"),
        ("-1 0\n", "line 1"),
        ("999999999999 0\n", "line 1"),
        (f"2 1\n1 2 {2**60}\n", "line 2"),
        ("2 1\n1 2 99999999999999999999999\n", "integers"),
        ("a b\n", "integers"),
    ],
)
def test_damaged_qubo_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_model(put(tmp_path, text))


def test_blank_lines_do_not_count(tmp_path):
    assert read_qubo(put(tmp_path, "\n2 1\n\n1 2 3\n\n")).quadratic == {(0, 1): 6.0}


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_coo_agrees_with_dimod(tmp_path, vartype):
    bqm = dimod.generators.gnm_random_bqm(7, 12, vartype, random_state=0)
    path = put(tmp_path, coo.dumps(bqm, vartype_header=True), "m.coo")
    with path.open() as file:
        assert read_coo(path) == coo.load(file)
    assert read_model(path).model == read_coo(path)
    bare = put(tmp_path, coo.dumps(bqm), "bare.txt")
    assert read_model(bare, vartype=vartype).model == read_coo(path)
    with pytest.raises(ValueError, match="does not state its vartype"):
        read_model(bare)


def test_repeated_coo_entries_add_up(tmp_path):
    path = put(tmp_path, "# vartype=SPIN\n# a remark\n0 1 2\n1 0 0.5\n3 3 -1\n3 3 -1\n")
    assert read_coo(path) == dimod.BQM({0: 0, 1: 0, 3: -2}, {(0, 1): 2.5}, 0, "SPIN")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no coefficients"),
        ("# vartype=SPIN\n", "no coefficients"),
        ("# vartype=SPIN\n0 1\n", "line 2"),
        ("# vartype=SPIN\n0 1 nan\n", "finite"),
        ("# vartype=SPIN\n0 1 1e999\n", "finite"),
        ("# vartype=SPIN\n0 1 1_0\n", "finite"),
        ("# vartype=SPIN\n0 1 x\n", "finite"),
        ("# vartype=SPIN\n-1 1 1\n", "line 2"),
        ("# vartype=SPIN\n0 1 1 garbage\n", "line 2"),
        ("# vartype=SPIN\n# vartype=BINARY\n0 1 1\n", "line 2"),
        ("ä", "ASCII"),
    ],
)
def test_damaged_coo_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_model(put(tmp_path, text))


LP = """Maximize
 obj: x + 2 y - 3 z
Subject To
 c1: x + y + z <= 2
 c2: x - z >= 0
Binary
 x y z
End
"""


def test_lp_files_become_constrained_problems(tmp_path):
    problem = read_model(put(tmp_path, LP, "m.LP"))
    assert isinstance(problem, CQMProblem)
    order = [str(v) for v in problem.variables]
    values = {"x": 1, "y": 1, "z": 0}
    assert problem.objective([values[v] for v in order]) == -3.0
    assert problem.objective([{"x": 0, "y": 1, "z": 1}[v] for v in order]) == np.inf


def test_lp_round_trip_with_dimod(tmp_path):
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries("xy")
    cqm.set_objective(2 * x - 3 * y)
    cqm.add_constraint(x + y == 1, label="one")
    assert read_lp(put(tmp_path, dimod.lp.dumps(cqm), "m.lp")).is_equal(cqm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LP[:40], "End"),
        ("", "End"),
        ("End\n", "no variables"),
        (LP.replace("2 y", "2 \x00"), "byte"),
        (LP.replace("2 y", "2 é"), "byte"),
        (LP.replace("2 y", "1e999 y"), "finite"),
        (LP.replace("<= 2", "<= 1e999"), "finite"),
        (LP.replace("Subject To", "Subject ]"), "not an LP file"),
        ("\\ End\n", "End"),
    ],
)
def test_damaged_lp_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_model(put(tmp_path, text, "m.lp"))


def test_bad_requests(tmp_path):
    for name in ("a.txt", "a.lp"):
        with pytest.raises(FileNotFoundError, match=name):
            read_model(tmp_path / name)
    with pytest.raises(ValueError, match="vartype"):
        read_model(put(tmp_path, "1 0\n"), vartype="INTEGER")


@given(content=st.one_of(st.binary(max_size=60), st.text(alphabet="0123456789 \n-#.e", max_size=60).map(str.encode)))
def test_garbage_is_refused_or_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.txt"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert read_model(path, vartype="BINARY").num_variables > 0


@given(places=st.lists(st.tuples(st.integers(0, len(LP) - 1), st.characters(max_codepoint=127)), max_size=4))
def test_damaged_lp_text_is_refused_or_read(tmp_path_factory, places):
    text = list(LP)
    for place, character in places:
        text[place] = character
    path = tmp_path_factory.getbasetemp() / "garbage.lp"
    path.write_text("".join(text))
    with contextlib.suppress(ValueError):
        assert read_model(path).num_variables > 0

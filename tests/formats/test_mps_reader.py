"""MPS files through HiGHS: what `mps` writes is read back, and what HiGHS would pass over is refused."""

import dimod
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj import get_solver
from qproj.formats.mps import mps
from qproj.formats.text import read_model

pytest.importorskip("highspy")

MODEL = """\
NAME T
OBJSENSE
    MAX
ROWS
 N COST
 L R1
 G R2
 E R3
COLUMNS
    M1 'MARKER' 'INTORG'
    x COST 1.5 R1 1
    x R3 1
    y COST 2 R1 2
    M2 'MARKER' 'INTEND'
    z COST 1 R2 1
    z R3 -1
RHS
    RHS R1 3 R2 -2
    RHS COST -4
RANGES
    RNG R1 2
BOUNDS
 BV BND x
 UP BND y 5
 FR BND z
ENDATA
"""


def put(tmp_path, text):
    path = tmp_path / "a.mps"
    path.write_text(text)
    return path


def test_every_part_of_a_file_is_read(tmp_path):
    cqm = read_model(put(tmp_path, MODEL)).cqm
    assert [cqm.vartype(v).name for v in ("x", "y", "z")] == ["BINARY", "INTEGER", "REAL"]
    assert (cqm.lower_bound("y"), cqm.upper_bound("y")) == (0.0, 5.0)
    assert dict(cqm.objective.linear) == {"x": -1.5, "y": -2.0, "z": -1.0}
    assert cqm.objective.offset == -4.0
    rows = {label: (row.sense.value, row.rhs) for label, row in cqm.constraints.items()}
    assert rows == {"R1": ("<=", 3.0), ("R1", "range"): (">=", 1.0), "R2": (">=", -2.0), "R3": ("==", 0.0)}
    assert get_solver("highs").solve(cqm).objective == -8.5  # x = z = 1, y = 1: 1.5 + 2 + 1 + 4


@given(data=st.data())
def test_what_is_written_is_read_back(tmp_path_factory, data):
    n, number = data.draw(st.integers(1, 4)), st.integers(-9, 9)
    cqm = dimod.ConstrainedQuadraticModel()
    for i in range(n):
        if data.draw(st.booleans()):
            cqm.add_variable("BINARY", f"x{i}")
        else:
            cqm.add_variable("INTEGER", f"x{i}", lower_bound=-3, upper_bound=4)
    names = list(cqm.variables)
    objective = dimod.QuadraticModel()
    for v in names:
        bounds = {} if cqm.vartype(v) is dimod.BINARY else {"lower_bound": -3, "upper_bound": 4}
        objective.add_variable(cqm.vartype(v).name, v, **bounds)
        objective.add_linear(v, data.draw(number))
    for i, u in enumerate(names):
        for v in names[:i]:
            objective.add_quadratic(u, v, data.draw(number))
    objective.offset = data.draw(number)
    cqm.set_objective(objective)
    for r in range(data.draw(st.integers(0, 3))):
        terms = [(v, float(data.draw(number))) for v in names]
        if any(a for _, a in terms):
            cqm.add_constraint_from_iterable(
                terms, data.draw(st.sampled_from(["<=", ">=", "=="])), data.draw(number), f"r{r}"
            )
    path = tmp_path_factory.getbasetemp() / "round.mps"
    path.write_text(mps(cqm))
    found = read_model(path).cqm
    assert list(found.variables) == names
    assert list(found.constraints) == list(cqm.constraints)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = {v: int(rng.integers(int(cqm.lower_bound(v)), int(cqm.upper_bound(v)) + 1)) for v in names}
        assert found.objective.energy(x) == cqm.objective.energy(x)
        assert found.check_feasible(x) == cqm.check_feasible(x)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("x COST 1.5 R1 1", "x COST 1.5 R7 1", r"line 11: WARNING: .*R7"),
        ("FR BND z", "SC BND z 4", "semi-continuous"),
        ("FR BND z", "QQ BND z 4", "QQ"),
        ("ROWS\n", "ROWZ\n", "a.mps"),
    ],
)
def test_what_highs_would_pass_over_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        read_model(put(tmp_path, MODEL.replace(old, new)))


def test_nothing_is_printed(tmp_path, capfd):
    read_model(put(tmp_path, MODEL))
    with pytest.raises(ValueError, match="correct the file"):
        read_model(put(tmp_path, MODEL.replace(" E R3\n", "")))
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""

"""Every format that is read or written: what was written comes back, equal to the last bit."""

import json

import dimod
import numpy as np
import pytest
from dimod.serialization import coo as dimod_coo
from hypothesis import given
from hypothesis import strategies as st

from qproj.formats.benchmark_files import read_qbsolv
from qproj.formats.coo import coo_text, read_coo
from qproj.formats.dimod_files import read_dimod
from qproj.formats.lp import lp_text, read_lp
from qproj.formats.text import read_model, read_models
from qproj.lab.datasets.instances import LayerInstance, read_instances, save_instances

#: Every float64 but infinities and NaN; those whose halves or doubles are exact where a format halves or doubles.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DOUBLED = st.floats(allow_nan=False, min_value=-(2.0**1000), max_value=2.0**1000, allow_subnormal=False).filter(
    lambda x: x == 0 or abs(x) >= 2.0**-1000
)


def bits(number):
    return (float(number) + 0.0).hex()  # −0.0 is 0.0


def content(model):
    """Everything that a BQM or an objective holds, bit for bit, in the order of its variables."""
    pairs = sorted((tuple(sorted((str(u), str(v)))), bits(bias)) for u, v, bias in model.iter_quadratic())
    return [(v, bits(bias)) for v, bias in model.iter_linear()], pairs, bits(model.offset)


def whole(cqm):
    """Everything that a CQM holds."""
    rows = {}
    for label, row in cqm.constraints.items():
        linear, pairs, _ = content(row.lhs)
        terms = sorted((v, b) for v, b in linear if float.fromhex(b)), pairs
        price = row.lhs.is_soft() and (row.lhs.weight(), row.lhs.penalty())
        rows[label] = (*terms, row.sense.value, bits(row.rhs - row.lhs.offset), price)
    variables = {v: (cqm.vartype(v), bits(cqm.lower_bound(v)), bits(cqm.upper_bound(v))) for v in cqm.variables}
    linear = [(v, b) for v, b in content(cqm.objective)[0] if float.fromhex(b)]
    return sorted(linear), *content(cqm.objective)[1:], rows, variables


@st.composite
def bqms(draw, labels=None, numbers=NUMBERS, vartypes=("SPIN", "BINARY"), offset=True):
    labels = draw(st.lists(st.integers(0, 999_999_999), min_size=0, max_size=6, unique=True)) if labels is None else (
        labels[: draw(st.integers(1, len(labels)))]
    )  # fmt: skip
    bqm = dimod.BinaryQuadraticModel(draw(st.sampled_from(vartypes)))
    for v in labels:
        bqm.add_linear(v, draw(numbers))
    for i, u in enumerate(labels):
        for v in labels[:i]:
            if draw(st.booleans()):
                bqm.add_quadratic(u, v, draw(numbers))
    bqm.offset = draw(numbers) if offset else 0.0
    return bqm


@st.composite
def cqms(draw, soft=False, spins=False, numbers=DOUBLED):
    cqm = dimod.ConstrainedQuadraticModel()
    names = ["x", "i_1", "Y~2", "z#", "obj", "row"][: draw(st.integers(1, 6))]
    for name in names:
        kind = draw(st.sampled_from(["BINARY", "INTEGER", "REAL", *(["SPIN"] if spins else [])]))
        if kind in ("BINARY", "SPIN"):
            cqm.add_variable(kind, name)
        elif kind == "INTEGER":
            low = draw(st.integers(-(2**52), 2**52))
            cqm.add_variable(kind, name, lower_bound=low, upper_bound=draw(st.integers(low, 2**53 - 1)))
        else:
            low, high = sorted(draw(st.tuples(st.floats(-1e29, 1e29), st.floats(-1e29, 1e29))))
            cqm.add_variable(kind, name, lower_bound=low, upper_bound=high)
    real = [v for v in names if cqm.vartype(v).name == "REAL"]
    free = [v for v in names if v not in real]

    def expression(most):
        linear = [(v, draw(numbers)) for v in names if draw(st.booleans())]
        pairs = [(u, v, draw(numbers)) for i, u in enumerate(free) for v in free[:i] if draw(st.integers(0, 2)) == 0]
        squares = [(v, v, draw(numbers)) for v in free if cqm.vartype(v).name == "INTEGER" and draw(st.booleans())]
        return [*linear, *(pairs + squares)[:most]]

    cqm.set_objective([*expression(4), (draw(numbers),)])
    for k in range(draw(st.integers(0, 3))):
        terms, options = expression(2), {}
        if soft and draw(st.booleans()):
            options = {"weight": draw(st.floats(0.1, 9)), "penalty": "linear"}
        sense, right = draw(st.sampled_from(["<=", ">=", "=="])), draw(numbers)
        cqm.add_constraint(terms or [(names[0], 1.0)], sense=sense, rhs=right, label=f"c{k}", **options)
    return cqm


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("formats")


@given(bqm=bqms())
def test_coo(folder, bqm):
    (folder / "m.coo").write_text(coo_text(bqm))
    found = read_coo(folder / "m.coo")
    assert content(found) == content(bqm)
    assert found.vartype is bqm.vartype
    theirs = dimod_coo.loads(coo_text(bqm))  # without an offset, for which dimod has no place
    assert content(theirs)[:2] == content(bqm)[:2]


@pytest.mark.parametrize("label", [-1, 10**9, "a", 1.5, True])
def test_coo_refuses_labels_without_a_place(label):
    with pytest.raises(ValueError, match="relabel"):
        coo_text(dimod.BinaryQuadraticModel({label: 1.0}, {}, 0.0, "SPIN"))


@given(bqm=bqms(labels=["a", 7, ("w", 0), "ä", 2.5]), integers=bqms())
def test_dimods_own_files(folder, bqm, integers):
    for k, model in enumerate((bqm, integers)):
        with model.to_file() as file:
            (folder / f"m{k}.bqm").write_bytes(file.read())
        (folder / f"m{k}.json").write_text(json.dumps(model.to_serializable()))
        for suffix in ("bqm", "json"):
            if not model.num_variables:
                continue  # dimod's binary format has no empty model in every version
            found = read_dimod(folder / f"m{k}.{suffix}")
            assert set(content(found)[0]) == set(content(model)[0])
            assert content(found)[1:] == content(model)[1:]
            assert found.vartype is model.vartype
            # the JSON of a model over 0…n−1 is in the order of the numbers, whatever the model's own
            assert list(found.variables) == list(model.variables) or suffix == "json"


@given(cqm=cqms(soft=True, spins=True, numbers=st.floats(-1e6, 1e6)))
def test_dimods_constrained_files(folder, cqm):
    with cqm.to_file() as file:
        (folder / "m.cqm").write_bytes(file.read())
    assert whole(read_dimod(folder / "m.cqm")) == whole(cqm)


@given(cqm=cqms())
def test_lp(folder, cqm):
    (folder / "m.lp").write_text(lp_text(cqm))
    assert whole(read_lp(folder / "m.lp")) == whole(cqm)


@st.composite
def triangles(draw, numbers, diagonal=True):
    n = draw(st.integers(2, 6))
    cells = [(i, j) for i in range(n) for j in range(i + (not diagonal), n) if draw(st.booleans())]
    return n, {cell: draw(numbers.filter(bool)) for cell in cells}


@given(Q=triangles(st.integers(-(2**52), 2**52)))
def test_qubo_text(folder, Q):
    n, entries = Q
    rows = "".join(f"{i + 1} {j + 1} {q}\n" for (i, j), q in sorted(entries.items()))
    (folder / "q.txt").write_text(f"{n} {len(entries)}\n{rows}")
    found = read_model(folder / "q.txt", format="qubo").model
    assert {v: b for v, b in found.linear.items() if b} == {i: q for (i, j), q in entries.items() if i == j}
    pairs = {tuple(sorted((u, v))): b for u, v, b in found.iter_quadratic()}
    assert pairs == {(i, j): 2 * q for (i, j), q in entries.items() if i != j}
    assert found.num_variables == n


@given(Q=triangles(NUMBERS), sense=st.sampled_from(["min", "max"]))
def test_qbsolv(folder, Q, sense):
    n, entries = Q
    nodes = sum(i == j for i, j in entries)
    rows = "".join(f"{i} {j} {q!r}\n" for (i, j), q in entries.items())
    (folder / "q.qubo").write_text(f"p qubo 0 {n} {nodes} {len(entries) - nodes}\n{rows}")
    found, sign = read_qbsolv(folder / "q.qubo", sense=sense), 1 if sense == "min" else -1
    for (i, j), q in entries.items():
        assert bits(found.get_linear(i) if i == j else found.get_quadratic(i, j)) == bits(sign * q)
    assert (found.num_variables, found.num_interactions) == (n, len(entries) - nodes)


@given(Q=triangles(DOUBLED))
def test_bqp(folder, Q):
    n, entries = Q
    rows = "".join(f"{i + 1} {j + 1} {q!r}\n" for (i, j), q in entries.items())
    (folder / "q.txt").write_text(f"2\n{n} {len(entries)}\n{rows}{n} 0\n")
    found, empty = read_models(folder / "q.txt")
    for (i, j), q in entries.items():
        assert bits(found.model.get_linear(i) if i == j else found.model.get_quadratic(i, j)) == bits(
            -q if i == j else -2 * q
        )
    assert (found.num_variables, empty.num_variables, empty.model.num_interactions) == (n, n, 0)


@given(W=triangles(DOUBLED, diagonal=False))
def test_maxcut(folder, W):
    n, edges = W
    (folder / "g.mc").write_text(
        f"{n} {len(edges)}\n" + "".join(f"{i + 1} {j + 1} {w!r}\n" for (i, j), w in edges.items())
    )
    found = read_model(folder / "g.mc").model
    assert found.vartype is dimod.SPIN
    assert found.num_variables == n
    for (i, j), w in edges.items():
        assert bits(2 * found.get_quadratic(i, j)) == bits(w)


@pytest.mark.parametrize("name", ["G1", "triangle.txt"])
@pytest.mark.parametrize("weight", ["", " 1"])
def test_a_graph_is_not_taken_for_a_qubo(tmp_path, name, weight):
    path = tmp_path / name
    path.write_text(f"3 3\n1 2{weight}\n1 3{weight}\n2 3{weight}\n")
    with pytest.raises(ValueError, match='format="maxcut"'):
        read_model(path)
    from qproj import get_solver

    assert get_solver("exhaustive").solve(read_model(path, format="maxcut")).objective == -2.0
    if weight:
        assert get_solver("exhaustive").solve(read_model(path, format="qubo")).objective == 0.0


@given(
    X=st.sampled_from([st.sampled_from([1.0, -1.0]), st.floats(-1e100, 1e100)]).flatmap(
        lambda entries: st.lists(st.lists(entries, min_size=3, max_size=3), min_size=2, max_size=2)
    ),
    T=st.lists(st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=2), min_size=2, max_size=2),
    name=st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9),
)
def test_layers_npz(folder, X, T, name):
    layer = LayerInstance(name, X, T, source="test", meta={"µ": 0.1, "k": 2**40})
    (found,) = read_instances(save_instances(folder / "a.npz", [layer]))
    assert (found.name, found.source, dict(found.meta), found.key) == (name, "test", dict(layer.meta), layer.key)
    np.testing.assert_array_equal(found.X, layer.X)
    assert found.X.dtype == layer.X.dtype
    assert found.T.tobytes() == layer.T.tobytes()


LP = "Minimize\n obj: x + 2 y\nSubject To\n c1: x + y >= 1\nBinary\n x y\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (LP + "SOS\n s1: S1:: x:1 y:2\nEnd\n", r"special ordered sets \(SOS\)"),
        (LP + "SOS2\n s1: x:1 y:2\nEnd\n", "special ordered sets"),
        (LP.replace(" x y\n", " x y sos\n s1: S1:: x:1 y:2\n") + "End\n", "special ordered sets"),
        (LP.replace("Subject", "Maximize\n o2: x - y\nSubject") + "End\n", "second objective"),
        (LP.replace("Minimize", "Minimize multi-objectives") + "End\n", "several objectives"),
        (LP + "Semi-Continuous\n x\nEnd\n", "semi-continuous variables"),
        (LP.replace("Binary", "Lazy Constraints\n c2: x <= 0\nBinary") + "End\n", "lazy constraints"),
        (LP.replace("Binary", "User Cuts\n c2: x <= 0\nBinary") + "End\n", "user cuts"),
        (LP + "General Constraints\n g: m = MAX ( x , y )\nEnd\n", "general constraints"),
        (LP + "PWLObj\n x: (0, 0) (1, 2)\nEnd\n", "piecewise linear objective"),
        (LP.replace("Binary", " c2: x = 1 -> y <= 0\nBinary") + "End\n", "indicator constraints"),
        (LP + "End\nSubject To\n c2: x <= 0\nEnd\n", "after 'End'"),
        (LP.removeprefix("Minimize\n") + "End\n", "before the sense"),
    ],
)
def test_lp_parts_that_are_not_represented_are_refused_by_name(tmp_path, text, name):
    (tmp_path / "m.lp").write_text(text)
    with pytest.raises(ValueError, match=name):
        read_lp(tmp_path / "m.lp")


def test_lp_refuses_what_has_no_place():
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries("xy")
    cqm.set_objective(x - y)
    cqm.add_constraint(x + y + 1e17 <= 1.5, label="c")
    with pytest.raises(ValueError, match="constant"):
        lp_text(cqm)
    soft = dimod.ConstrainedQuadraticModel()
    soft.set_objective(x - y)
    soft.add_constraint(x + y <= 1, weight=0.5)
    with pytest.raises(ValueError, match="soft"):
        lp_text(soft)

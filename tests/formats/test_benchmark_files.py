"""Files of other tools: their energies are the published objectives, and damage is refused with its line."""

import json
import os
from pathlib import Path

import dimod
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj import get_solver
from qproj.formats.benchmark_files import read_bqp, read_maxcut, read_qbsolv
from qproj.formats.text import format_of, read_model, read_models
from qproj.lab.studies.neurons import load_instances

REAL = Path(os.environ.get("QPROJ_DATA_DIR", "")) / "formats"


def put(tmp_path, text, name="a.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def assignments(n):
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1


@st.composite
def upper(draw, diagonal=0):
    n = draw(st.integers(2, 5))
    return np.triu(np.array(draw(st.lists(st.integers(-9, 9), min_size=n * n, max_size=n * n))).reshape(n, n), diagonal)


@given(Q=upper(), sense=st.sampled_from(["min", "max"]))
def test_qbsolv_counts_every_entry_once(tmp_path_factory, Q, sense):
    i, j = np.nonzero(Q)
    rows = "".join(f"{a} {b} {Q[a, b]}\n" for a, b in zip(i, j, strict=True))
    path = tmp_path_factory.getbasetemp() / "q.qubo"
    path.write_text(f"c made here\np qubo 0 {len(Q)} {int((i == j).sum())} {int((i != j).sum())}\n{rows}")
    problem, x = read_model(path, sense=sense), assignments(len(Q))
    wanted = np.einsum("ki,ij,kj->k", x, Q, x)
    np.testing.assert_array_equal(problem.objective(x), wanted if sense == "min" else -wanted)


@given(Q=upper(), R=upper())
def test_a_bqp_file_holds_several_maximised_problems_of_symmetric_matrices(tmp_path_factory, Q, R):
    path = tmp_path_factory.getbasetemp() / "bqp.txt"
    text = "2\n"
    for M in (Q, R):
        entries = [(i + 1, j + 1, M[i, j]) for i in range(len(M)) for j in range(i, len(M)) if M[i, j]]
        text += f"{len(M)} {len(entries)}\n" + "".join(f" {i} {j} {q} \n" for i, j, q in entries)
    path.write_text(text)
    problems = read_models(path)
    assert format_of(path) == "bqp"
    for problem, M in zip(problems, (Q, R), strict=True):
        x, full = assignments(len(M)), M + np.triu(M, 1).T
        np.testing.assert_array_equal(problem.objective(x), -np.einsum("ki,ij,kj->k", x, full, x))
    assert [each.shape for each in load_instances(str(path))] == [(0, len(Q)), (0, len(R))]
    with pytest.raises(ValueError, match="holds 2 models"):
        read_model(path)


@given(W=upper(1))
def test_maxcut_energy_is_minus_the_cut(tmp_path_factory, W):
    path = tmp_path_factory.getbasetemp() / "g.rud"
    edges = [(i + 1, j + 1, W[i, j]) for i in range(len(W)) for j in range(i + 1, len(W)) if W[i, j]]
    path.write_text(f"{len(W)} {len(edges)}\n" + "".join(f"{i} {j} {w}\n" for i, j, w in edges))
    problem, s = read_model(path), 2 * assignments(len(W)) - 1
    cut = np.array([sum(w for i, j, w in edges if v[i - 1] != v[j - 1]) for v in s])
    np.testing.assert_array_equal(problem.objective(s), -cut)
    renamed = path.rename(path.with_suffix(".txt"))
    np.testing.assert_array_equal(read_model(renamed, format="maxcut").objective(s), -cut)


def test_edges_without_weights_weigh_one(tmp_path):
    problem = read_model(put(tmp_path, "3 3\n1 2\n2 3\n1 3\n", "triangle.mc"))
    assert get_solver("exhaustive").solve(problem).objective == -2.0


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_qbsolv, "0 0 1\n", "line 1"),
        (read_qbsolv, "p qubo 0 2 1 0\n0 0 x\n", "line 2"),
        (read_qbsolv, "p qubo 0 2 1 0\n0 2 1\n", "line 2"),
        (read_qbsolv, "p qubo 0 2 0 2\n0 1 1\n1 0 1\n", "line 3"),
        (read_qbsolv, "p qubo 0 2 2 0\n0 0 1\n", "states"),
        (read_qbsolv, "p qubo 0 2 0 0\np qubo 0 2 0 0\n", "line 2"),
        (read_qbsolv, "p qubo chimera128 2 0 0\n", "line 1"),
        (read_qbsolv, "p qubo 0 2 1 0\n0 0 nan\n", "line 2"),
        (read_qbsolv, "c only words\n", "no counts"),
        (read_bqp, "", "line 1"),
        (read_bqp, "0\n", "line 1"),
        (read_bqp, "1\n2 2\n1 1 3\n", "cut short"),
        (read_bqp, "1\n2 1\n1 3 3\n", "line 3"),
        (read_bqp, "1\n2 1\n1 1 3\n1 2 3\n", "line 4"),
        (read_maxcut, "2 1\n1 1 3\n", "line 2"),
        (read_maxcut, "2 2\n1 2 3\n2 1 3\n", "line 3"),
        (read_maxcut, "2 2\n1 2 3\n", "states 2"),
        (read_maxcut, "2 1\n0 1 3\n", "line 2"),
        (read_maxcut, "2 999999\n1 2 3\n", "line 1"),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path, read, text, message):
    with pytest.raises(ValueError, match=message):
        read(put(tmp_path, text))


def test_dimods_own_files_come_back_as_written(tmp_path):
    bqm = dimod.BinaryQuadraticModel({"a": 1.5, "b": -2.0}, {("a", "b"): 0.25}, 3.0, "SPIN")
    with bqm.to_file() as file:
        (tmp_path / "m.bqm").write_bytes(file.read())
    (tmp_path / "m.json").write_text(json.dumps(bqm.to_serializable()))
    for name in ("m.bqm", "m.json"):
        assert read_model(tmp_path / name).model == bqm
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(dimod.Binary("x") - 2 * dimod.Integer("i", upper_bound=4))
    cqm.add_constraint(dimod.Binary("x") + dimod.Integer("i", upper_bound=4) <= 3, label="c")
    with cqm.to_file() as file:
        (tmp_path / "m.cqm").write_bytes(file.read())
    assert read_model(tmp_path / "m.cqm").model.is_equal(cqm)
    for name in ("m.bqm", "m.json", "m.cqm"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:30])
        with pytest.raises(ValueError, match="write it again"):
            read_model(path)
    with pytest.raises(ValueError, match="sense is fixed"):
        read_model(tmp_path / "m.bqm", sense="max")


def test_coo_without_a_header_takes_the_vartype_that_is_stated(tmp_path):
    path = put(tmp_path, "0 0 1.5\n0 1 -2\n", "a.coo")
    assert read_model(path, vartype="SPIN").model == dimod.BinaryQuadraticModel({0: 1.5}, {(0, 1): -2.0}, 0.0, "SPIN")
    (instance,) = load_instances(f"{path}:vartype=SPIN,sense=max")
    assert instance.problems[0].objective([1, 1]) == 0.5  # −(1.5 − 2)


@pytest.mark.parametrize("options", [{"sense": "most"}, {"format": "gset"}, {"vartype": "INTEGER"}])
def test_unknown_options_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=r"are (there|allowed)"):
        read_model(put(tmp_path, "0 0 1\n", "a.coo"), **({"vartype": "BINARY"} | options))


@pytest.mark.skipif(not REAL.is_dir(), reason="QPROJ_DATA_DIR has no folder formats")
@pytest.mark.parametrize(("name", "best"), [("bqp100_1", 7970), ("bqp100_2", 11036)])
def test_real_qbsolv_files_reach_the_published_optimum(name, best):
    problem = read_model(REAL / f"{name}.qubo", sense="max")
    assert get_solver("tabu").solve(problem, seed=0, num_reads=20).objective == -best


@given(Q=upper())
def test_plain_data_are_problems_of_their_own_convention(Q):
    import scipy.sparse

    n, x = len(Q), assignments(len(Q))
    pairs = {(i, j): int(Q[i, j]) for i in range(n) for j in range(i, n)}
    wanted = np.einsum("ki,ij,kj->k", x, Q, x)
    from qproj.solvers import as_problem

    for data in (pairs, Q, Q.T.astype(float), scipy.sparse.csr_array(Q), scipy.sparse.coo_matrix(Q)):
        problem = as_problem(data)
        assert list(problem.variables) == list(range(n))
        np.testing.assert_array_equal(problem.objective(x), wanted)
    s = 2 * x - 1
    h, J = np.diag(Q).tolist(), {pair: q for pair, q in pairs.items() if pair[0] != pair[1]}
    ising = as_problem((h, J))
    np.testing.assert_array_equal(ising.objective(s), s @ np.diag(Q) + np.einsum("ki,ij,kj->k", s, np.triu(Q, 1), s))
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from((u, v, w) for (u, v), w in J.items())
    cut = [sum(w for (u, v), w in J.items() if each[u] != each[v]) for each in s]
    np.testing.assert_array_equal(as_problem(graph).objective(s), -np.array(cut))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1j]]), "real"),
        (np.array([[np.nan]]), "NaN"),
        ({("a", "b", "c"): 1.0}, "pair"),
        (([1.0], {(0, 0): 1.0}), "put fields into h"),
        (nx.DiGraph([(0, 1)]), "undirected"),
        (nx.Graph([(0, 0)]), "loop"),
    ],
)
def test_plain_data_without_a_meaning_are_refused(data, message):
    from qproj.solvers import as_problem

    with pytest.raises(ValueError, match=message):
        as_problem(data)

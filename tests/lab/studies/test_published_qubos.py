"""Published QUBOs in studies: gaps by the problem's own scale, published optima, refusals, the way through a store."""

import dimod
import numpy as np
import pytest

from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.studies.metrics import gaps, reached
from qproj.lab.studies.neurons import load_instances, parse_source
from qproj.lab.studies.results import Results
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.stored_problems import ModelInstance, bqm_problem, published
from qproj.lab.studies.study import Study
from qproj.projections.models import BQMProblem

THREE = "3 4\n1 1 -2\n1 3 2\n2 2 -3\n3 3 -1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with two small published instances, one of them with a proved optimum."""
    (tmp_path / "qubo").mkdir()
    (tmp_path / "qubo" / "three.txt").write_text(THREE)
    (tmp_path / "qubo" / "other.txt").write_text(THREE.replace("1 1 -2", "1 1 -3"))
    (tmp_path / "qubo" / "best_known.csv").write_text("name,n,nnz,best_value,sense,proved\nthree,3,4,-5,min,y\n")
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
def test_a_model_s_energies_and_key_survive_its_arrays(vartype):
    bqm = dimod.BinaryQuadraticModel({"b": 1.5, "a": -2.0}, {("a", "b"): 3.0}, 0.25, vartype)
    instance = ModelInstance.of("ab", bqm, "test")
    (problem,) = instance.problems
    low = -1 if vartype == "SPIN" else 0
    for a in (low, 1):
        for b in (low, 1):
            assert problem.objective([a, b]) == bqm.energy({"a": a, "b": b})
    reordered = dimod.BinaryQuadraticModel({"a": -2.0, "b": 1.5}, {("b", "a"): 3.0}, 0.25, vartype)
    assert ModelInstance.of("other name", reordered, "test").key == instance.key
    assert ModelInstance.of("ab", 2 * bqm, "test").key != instance.key
    assert instance.ceiling >= -min(bqm.energies((np.array([[a, b] for a in (low, 1) for b in (low, 1)]), ["a", "b"])))


def test_gaps_are_to_the_published_optimum_whoever_reaches_it(folder):
    Study(
        folder / "s", ["qubo:name=three|other", "random:n=6,d=3,neurons=1"], "sa,random,sign", reads=[50], seeds=1
    ).run(workers=1)
    results = Results.read(folder / "s")
    runs, gap = results.runs, gaps(results.runs, results.known)
    sampled = (runs["solver"] == "sa") | (runs["solver"] == "random")
    three, other = runs["instance"] == "qubo/three", runs["instance"] == "qubo/other"
    assert (runs["objective"][three & sampled] == -5.0).all()
    # a published optimum is proof for heuristics too; without one, the bound is what the signs allow: −3 − 3 − 1
    assert (gap[three & sampled] == 0).all()
    assert (reached(runs, results.known)[three & sampled] == 1).all()
    assert gap[other & sampled] == pytest.approx([1 / 6, 1 / 6])  # (−6 + 7)/max(1, 6)
    assert np.isnan(reached(runs, results.known)[other & sampled]).all()
    assert runs["status"][(three | other) & (runs["solver"] == "sign")].tolist() == ["refused"] * 2
    assert np.isnan(runs["cosine"][three]).all()
    store = StudyStore(folder / "s")
    back = {one.name: one for one in store.layers().values()}
    store.close()
    assert back["qubo/three"].key == published("three").key
    assert isinstance(back["random/n6-d3/seed0"], LayerInstance)
    frame = Study(folder / "s", ["qubo:name=three"], "sa").frame
    assert frame.filter(frame["instance"] == "qubo/three")["gap_to"].unique().to_list() == ["optimum"]


def test_a_value_beyond_the_published_one_is_no_proof(folder):
    (folder / "qubo" / "best_known.csv").write_text("name,n,nnz,best_value,sense,proved\nthree,3,4,-4,min,y\n")
    Study(folder / "s", ["qubo:name=three"], "exhaustive,sa", seeds=1).run(workers=1)
    results = Results.read(folder / "s")
    assert results.known.proved.tolist() == [True]  # by exhaustive, not by the table
    assert results.known.gain.tolist() == [5.0]


def test_files_are_sources_and_mistakes_are_named(folder):
    (mine,) = load_instances([str(folder / "qubo" / "three.txt")])
    assert mine.key == published("three").key
    assert isinstance(bqm_problem(mine.arrays), BQMProblem)
    for text, message in (
        ("qubo", "alone names no instance; write qubo:name="),
        ("qubo:nam=three", "did you mean 'name'"),
        ("qubo:", "no option"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_source(text)
    with pytest.raises(ValueError, match="did you mean 'three'"):
        load_instances(["qubo:name=thre"])
    (folder / "model.lp").write_text("Minimize\nobj: x\nSubject To\nc: x >= 1\nBinary\nx\nEnd\n")
    (folder / "model.txt").write_text("what is this\n")
    with pytest.raises(ValueError, match=r"model\.txt"):
        load_instances([str(folder / "model.txt")])

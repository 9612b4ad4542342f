"""One embedding a structure: kept, packed, refused where nothing fits."""

import json
import logging

import numpy as np
import pytest

import qproj
from qproj.encodings import SampledModel
from qproj.solvers import TooLargeError, sampled_model
from qproj_dwave.embedding import check, search
from qproj_dwave.emulated import topology_graph
from qproj_dwave.structure import structure_of
from tests.adapters._annealers import layer, neuron, small


@pytest.mark.parametrize("name", ["margin", "majority", "unbalanced", "paper"])
def test_a_structure_covers_every_interaction(name):
    model = sampled_model(neuron(4, 6), name)
    edges = set(structure_of(model).edges)
    assert {(min(u, v), max(u, v)) for u, v in model.bqm.quadratic} <= edges


def test_neurons_and_batches_of_one_shape_share_a_structure():
    rng = np.random.default_rng(1)
    X, T = rng.choice([-1, 1], (20, 15)), rng.normal(size=(20, 4))
    keys = {structure_of(SampledModel.of_encoding(e)).key for e in qproj.LayerProjection(X, T).encode("majority")}
    other = rng.choice([-1, 1], (20, 15))
    keys |= {structure_of(SampledModel.of_encoding(e)).key for e in qproj.LayerProjection(other, T).encode("majority")}
    assert len(keys) == 1


@pytest.mark.parametrize(("topology", "size"), [("zephyr", 3), ("pegasus", 4), ("chimera", 6)])
@pytest.mark.parametrize("name", ["margin", "majority"])
def test_embeddings_are_minors_of_every_topology(topology, size, name):
    structure = structure_of(sampled_model(neuron(4, 4), name))
    graph = topology_graph(topology, size)
    graph.remove_nodes_from(sorted(graph.nodes)[::17])  # dead qubits
    embedding = search(structure, graph, timeout_s=20.0)
    check(embedding, structure, graph)


def test_two_training_steps_of_a_layer_cost_one_search():
    solver = small()
    rng = np.random.default_rng(0)
    for _ in range(2):
        T = rng.normal(size=(20, 8))
        X = rng.choice([-1, 1], (20, 9))
        assert not np.isnan(qproj.project(X, T, solver=solver, num_reads=5).gain).any()
    assert solver.embedder.searches == 1


def test_embeddings_are_kept_on_disk_and_broken_ones_are_searched_again(tmp_path, caplog):
    problem = neuron(6)
    first = small(embedding_folder=tmp_path)
    first.solve(problem, num_reads=5)
    (file,) = tmp_path.glob("*.json")
    second = small(embedding_folder=tmp_path)
    second.solve(problem, num_reads=5)
    assert (first.embedder.searches, second.embedder.searches) == (1, 0)
    for content in (
        "",
        "[{}",
        "[1]",
        json.dumps([{"0": [0], "1": [0]}]),
        json.dumps([{str(i): [i] for i in range(6)}]),
    ):
        file.write_text(content)
        again = small(embedding_folder=tmp_path)
        with caplog.at_level(logging.WARNING, "qproj"):
            again.solve(problem, num_reads=5)
        assert again.embedder.searches == 1
        assert "searched again" in caplog.text
        caplog.clear()


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with caplog.at_level(logging.WARNING, "qproj"):
        solution = small(embedding_folder=blocked / "embeddings").solve(neuron(4), num_reads=5)
    assert solution.has_incumbent
    assert "cannot be kept" in caplog.text


def test_what_does_not_fit_is_refused_naming_what_can():
    with pytest.raises(TooLargeError, match="'auto'"):
        small(size=1, embed_timeout_s=1.0).solve(neuron(40, 50))


# ---- packing


def test_sixty_four_small_neurons_fit_one_call():
    X, T = layer()
    found = qproj.project(X, T, solver=small(size=4), seed=0, num_reads=60)
    assert [s.stats["neurons"] for s in found] == [64] * 64
    assert found[0].stats["qubits"] == 64 * 3
    exact = qproj.project(X, T)
    assert (found.gain <= exact.gain + 1e-9).all()
    assert np.mean(found.gain >= exact.gain - 1e-9) > 0.5
    assert all(s.sampleset.record.num_occurrences.sum() == 60 for s in found)


def test_packed_and_single_calls_read_the_same_models():
    X, T = layer(d=5, dout=7)
    packed = qproj.project(X, T, solver=small(sigma_h=0, sigma_j=0), seed=0, num_reads=200)
    single = qproj.project(X, T, solver=small(sigma_h=0, sigma_j=0, pack=False), seed=0, num_reads=200)
    lowest = [[s.sampleset.first.energy for s in found] for found in (packed, single)]
    np.testing.assert_allclose(*lowest)


def test_a_machine_too_small_for_all_takes_several_calls():
    X, T = layer(d=5, dout=60)
    found = qproj.project(X, T, solver=small(size=1), seed=0, num_reads=10)
    assert max(s.stats["neurons"] for s in found) < 60
    assert not np.isnan(found.gain).any()


def test_what_cannot_fit_is_refused_by_counting_without_a_search(tmp_path):
    from qproj_dwave.embedding import Embedder
    from qproj_dwave.structure import Structure

    graph = topology_graph("zephyr", 2)
    embedder = Embedder(graph, None, 1.0)
    clique = tuple((u, v) for v in range(60) for u in range(v))
    with pytest.raises(TooLargeError, match="by its couplers alone"):
        embedder.find(Structure(60, clique), 1)
    with pytest.raises(TooLargeError, match="by its couplers alone"):
        embedder.find(Structure(len(graph) + 1, ()), 1)
    assert embedder.searches == 0

"""Sources as text: what they load, and what is refused with the nearest name."""

import numpy as np
import pytest

from qproj.lab.datasets.captured import Capture, capture_layers
from qproj.lab.datasets.catalogue import load_tabular
from qproj.lab.datasets.instances import LayerInstance, save_instances
from qproj.lab.studies.neurons import load_instances, parse_source, parse_sources
from qproj.projections import MetricProjection, SignProjection
from qproj.solvers.composites.unmerged import Unmerged
from qproj.solvers.specs import parse_solver


def test_shapes_and_alternatives():
    layers = load_instances(["random:n=12,d=5|7,neurons=2,planted:n=6,d=3,seed=4"])
    assert [(*layer.X.shape, layer.num_neurons) for layer in layers] == [(12, 5, 2), (12, 7, 2), (6, 3, 8)]
    assert layers[2].meta["seed"] == 4
    assert [layer.num_neurons for layer in load_instances(["random:n=12,d=5"], max_neurons=3)] == [3]


def test_captured_layers_are_those_of_the_training_run():
    pytest.importorskip("sklearn")
    (layer,) = load_instances(["digits:hidden=6+5,batch=10,steps=0+7,layers=2,neurons=3"])[1:]
    data = load_tabular("digits").signs()
    whole = capture_layers(data.X_train, data.y_train, Capture((6, 5), 10, (0, 7)), source="digits")[3]
    assert layer.X.shape == (10, 6)
    assert np.array_equal(layer.X, whole.X)
    kept = [j for j in range(5) if any(np.array_equal(layer.T[:, i], whole.T[:, j]) for i in range(3))]
    assert len(kept) == 3
    assert all(layer.T.any(axis=0)) or (~whole.T.any(axis=0)).sum() > 2


def test_bare_names_files_and_layers_pass_through(tmp_path):
    mine = LayerInstance("mine", [[1, -1], [1, 1]], [[0.5], [-0.25]], source="mine")
    file = str(save_instances(tmp_path / "a:b.npz", [mine]))
    assert [layer.name for layer in load_instances([file])] == ["mine"]
    assert load_instances(mine) == [mine]
    assert [source.text for source in parse_sources("digits,random")] == ["digits", "random"]
    with pytest.raises(ValueError, match="mine"):
        load_instances([mine, file])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digitz", "did you mean 'digits'"),
        ("digits:hiden=3", "did you mean 'hidden'"),
        ("random:n=", "lacks a value"),
        ("random:n=many", "a number is needed"),
        ("digits:hidden=3-4", "several as 16"),
        ("random:", "no option after the colon"),
        ("mnist", "write what to train"),
        ("digits-0-2", "write what to train"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_source(text)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="layers 1 to 2"):
        load_instances(["digits:hidden=3+4,layers=3"])


def test_unmerged_solves_the_same_neuron_without_aggregation():
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], (6, 4))
    problem = SignProjection(np.hstack([X, X, X[:, :1]]), rng.normal(size=6))
    spec = parse_solver("unmerged(sa:encoding=majority)")
    assert parse_solver(spec.text) == spec
    plain, merged = spec.make(), parse_solver("sa:encoding=majority").make()
    a, b = plain.solve(problem, seed=0, num_reads=50), merged.solve(problem, seed=0, num_reads=50)
    assert a.stats["variables"] > b.stats["variables"]
    assert a.gain == problem.gain(a.best)
    best = parse_solver("unmerged(exhaustive)").make().solve(problem)
    assert best.gain == parse_solver("exhaustive").make().solve(problem).gain
    with pytest.raises(TypeError, match="does not take projections"):
        Unmerged(type("Other", (), {"solve": print, "capabilities": type("C", (), {"forms": frozenset()})()})())
    with pytest.raises(TypeError, match="not a bqm"):
        plain.solve(problem.bqm)
    with pytest.raises(TypeError, match="use the solver itself"):
        plain.solve(MetricProjection([[1.0]], [1.0]))


@pytest.mark.parametrize(
    "text",
    ["random:n=8,d=5,neurons=100000000", "planted:n=1000000000", "random:d=99999999999", "a1a:hidden=1000000000",
     "a1a:hidden=16+100000000", "breast-cancer:batch=1000000000"],
)  # fmt: skip
def test_sizes_beyond_memory_are_refused_by_arithmetic(text):
    with pytest.raises(ValueError, match=r"numbers; at most 134,217,728 are allowed"):
        load_instances([text], max_neurons=1)


def test_files_of_every_suffix_are_sources_and_constrained_ones_are_refused(tmp_path):
    import dimod

    from qproj.formats.lp import lp_text

    x = [dimod.Binary(f"x{k}") for k in range(3)]
    y = dimod.Integer("y", upper_bound=1)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(2 * x[0] - 3 * x[1] * x[2] + y * y + 1)
    (tmp_path / "free.lp").write_text(lp_text(cqm))
    with cqm.to_file() as file:
        (tmp_path / "free.cqm").write_bytes(file.read())
    (tmp_path / "free.qs").write_text("# ObjectiveOffset 1\n4 3\n1 1 2\n2 3 -1.5\n4 4 1\n")
    for suffix in ("lp", "cqm", "qs"):
        (instance,) = load_instances(str(tmp_path / f"free.{suffix}"))
        (problem,) = instance.problems
        assert problem.num_variables == 4
        assert problem.objective([1, 1, 1, 1]) == 1.0
        assert problem.objective([0, 1, 1, 0]) == -2.0
    cqm.add_constraint(x[0] + x[1] <= 1)
    (tmp_path / "bound.lp").write_text(lp_text(cqm))
    with pytest.raises(ValueError, match=r"bound.lp holds constraints.*qproj solve"):
        load_instances(str(tmp_path / "bound.lp"))
    with pytest.raises(ValueError, match=r"unknown kind of file.*\.qs"):
        load_instances("model.xyz")

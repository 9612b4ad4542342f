"""Exports: rows equal the store's, models read back are the neuron's own."""

import dimod
import dimod.lp
import dimod.serialization.coo as coo
import numpy as np
import polars
import pytest

import qproj
from qproj.formats.mps import mps
from qproj.lab.datasets import read_instances
from qproj.lab.studies.study import Study
from qproj.lab.studies.study_export import export_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    from qproj.lab.datasets.instances import LayerInstance

    rng = np.random.default_rng(3)
    layers = [
        LayerInstance(f"tiny/{d}", rng.choice([-1, 1], (6, d)), rng.normal(size=(6, 2)), source="test") for d in (3, 4)
    ]
    made = Study(tmp_path_factory.mktemp("study"), layers, "auto,sign", seeds=1)
    made.run(workers=1)
    return made, layers


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows(study, tmp_path, kind):
    made, _ = study
    out = tmp_path / f"rows.{kind}"
    assert export_study(made.folder, out, kind) == (8, "rows")
    read = polars.read_csv(out) if kind == "csv" else polars.read_parquet(out)
    frame = made.frame
    assert read.columns == frame.columns
    assert set(read.columns) >= {
        "instance", "neuron", "solver", "encoding", "num_reads", "time_limit_s", "seed", "objective", "gain", "bound",
        "gap", "termination", "status",
    }  # fmt: skip
    for name in ("run", "status", "gain", "gap"):
        assert read[name].to_list() == frame[name].to_list()


def test_layers_come_back(study, tmp_path):
    made, layers = study
    assert export_study(made.folder, tmp_path / "layers.npz", "npz") == (2, "layers")
    assert [layer.key for layer in read_instances(tmp_path / "layers.npz")] == [layer.key for layer in layers]


def test_coo_files_hold_the_encoding(study, tmp_path):
    made, layers = study
    assert export_study(made.folder, tmp_path, "coo") == (4, "neurons")
    for place, layer in enumerate(layers):
        for j in range(2):
            text = (tmp_path / f"layer{place:03d}-neuron{j:03d}.coo").read_text()
            bqm = coo.loads(text)
            offset = float(text.split("# offset=")[1].splitlines()[0])
            encoding = qproj.SignProjection(layer.X, layer.T[:, j]).encode()
            assert bqm.num_variables == len(encoding.labels)
            rng = np.random.default_rng(0)
            states = rng.integers(0, 2, (5, bqm.num_variables))
            order = sorted(bqm.variables)
            expected = encoding.bqm.energies((states, list(encoding.labels)))
            np.testing.assert_allclose(bqm.energies((states, order)) + offset, expected, rtol=1e-12)


def test_coo_files_keep_tiny_and_zero_targets_to_the_last_bit(tmp_path):
    from qproj.formats.coo import read_coo
    from qproj.formats.text import read_model
    from qproj.lab.datasets.instances import LayerInstance

    rng = np.random.default_rng(4)
    T = np.column_stack([rng.normal(size=6), 1e-7 * rng.normal(size=6), np.zeros(6)])
    layer = LayerInstance("größe", rng.choice([-1, 1], (6, 4)), T, source="test")
    made = Study(tmp_path / "study", [layer], "sign", seeds=1)
    made.run(workers=1)
    for kind in ("coo", "lp"):
        assert export_study(made.folder, tmp_path / kind, kind) == (3, "neurons")
    for j in range(3):
        encoding = qproj.SignProjection(layer.X, T[:, j]).encode()
        wanted = encoding.bqm.relabel_variables({v: i for i, v in enumerate(encoding.labels)}, inplace=False)
        assert read_coo(tmp_path / f"coo/layer000-neuron{j:03d}.coo") == wanted
        assert (
            qproj.get_solver("cpsat").solve(read_model(tmp_path / f"lp/layer000-neuron{j:03d}.lp")).status == "optimal"
        )


def test_lp_files_have_the_neuron_s_optimum(study, tmp_path):
    made, layers = study
    assert export_study(made.folder, tmp_path, "lp") == (4, "neurons")
    with (tmp_path / "layer000-neuron000.lp").open("rb") as file:
        cqm = dimod.lp.load(file)
    problem = qproj.SignProjection(layers[0].X, layers[0].T[:, 0])
    best = dimod.ExactCQMSolver().sample_cqm(cqm)
    best = best.filter(lambda row: row.is_feasible)
    gains = [problem.gain([1 if b else -1 for b in bits]) for bits in np.ndindex(2, 2, 2)]
    assert best.first.energy == pytest.approx(float(problem.objective_of_gain(max(gains))))  # the constant included
    top = best.first.sample
    weights = [1 if top[f"w_{k}"] else -1 for k in range(3)]
    assert problem.gain(weights) == pytest.approx(max(gains))


def _solved(path):
    highspy = pytest.importorskip("highspy")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    highs.run()
    return highs.getInfo().objective_function_value


@pytest.mark.parametrize("kind", ["lp", "mps"])
def test_another_solver_reads_the_same_optimum_from_lp_and_mps(study, tmp_path, kind):
    made, layers = study
    assert export_study(made.folder, tmp_path, kind) == (4, "neurons")
    for place, layer in enumerate(layers):
        for j in range(2):
            best = qproj.get_solver("exhaustive").solve(qproj.SignProjection(layer.X, layer.T[:, j]))
            assert _solved(tmp_path / f"layer{place:03d}-neuron{j:03d}.{kind}") == pytest.approx(best.objective)


def test_published_models_are_exported_as_they_are(tmp_path):
    (tmp_path / "three.txt").write_text("3 4\n1 1 -2\n1 3 2\n2 2 -3\n3 3 -1\n")
    made = Study(tmp_path / "s", [str(tmp_path / "three.txt")], "exhaustive", nulls=False)
    made.run(workers=1)
    for kind in ("coo", "lp", "mps"):
        assert export_study(made.folder, tmp_path, kind) == (1, "neurons")
    bqm = coo.loads((tmp_path / "layer000-neuron000.coo").read_text())
    assert bqm.energy({0: 1, 1: 1, 2: 1}) == -2.0
    with (tmp_path / "layer000-neuron000.lp").open("rb") as file:
        cqm = dimod.lp.load(file)
    assert cqm.objective.energy({"x_0": 1, "x_1": 1, "x_2": 1}) == -2.0
    assert "    x_0  x_2  4.0" in (tmp_path / "layer000-neuron000.mps").read_text()  # ½ x'Qx counts it twice
    with pytest.raises(ValueError, match="published models only"):
        export_study(made.folder, tmp_path / "x.npz", "npz")


def test_mps_refuses_what_the_format_cannot_say():
    x, s = dimod.Binary("x"), dimod.Spin("s")
    products, spins, spaces = (dimod.ConstrainedQuadraticModel() for _ in range(3))
    products.add_constraint(x * dimod.Binary("y") <= 1, label="c")
    spins.set_objective(s)
    spaces.set_objective(dimod.Binary("a b"))
    for model, text in ((products, "holds products"), (spins, "is SPIN"), (spaces, "not an MPS name")):
        with pytest.raises(ValueError, match=text):
            mps(model)


def test_unknown_formats_and_folders_are_refused(study, tmp_path):
    made, _ = study
    with pytest.raises(ValueError, match="unknown format"):
        export_study(made.folder, tmp_path, "xls")
    with pytest.raises(FileNotFoundError, match="holds no study"):
        export_study(tmp_path / "none", tmp_path / "x.csv", "csv")


def test_csv_holds_no_formula():
    import polars

    from qproj.lab.studies.read_export import without_formulas

    texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "sa", "", None, "a=b"]
    frame = without_formulas(polars.DataFrame({"solver": texts, "gain": [-1.0] * 10}))
    assert frame["solver"].to_list() == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "sa", "", None, "a=b"]
    assert frame["gain"].to_list() == [-1.0] * 10


def test_keys_of_stats_are_redacted():
    from qproj.lab.studies.outcome import _plain_stats
    from qproj.solvers.redact import remember

    remember("DEV-secret-of-a-key-0123456789")
    assert "secret-of-a-key" not in _plain_stats({"DEV-secret-of-a-key-0123456789": 1, "nodes": 2})

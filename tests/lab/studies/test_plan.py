"""The plan: the cross product, keyed by content, each run once, limits by what capabilities declare."""

import pytest

from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.studies.estimate import plan_table
from qproj.lab.studies.plan import RunLimits, make_plan, run_key, solver_seed
from qproj.lab.studies.study import Study
from qproj.solvers.specs import parse_solvers


def plan(layers, solvers="auto,sa,sign", **options):
    return make_plan(layers, parse_solvers(solvers), **options)


def test_every_run_is_in_one_batch_and_keys_are_unique(layers):
    made = plan(layers, seeds=2)
    keys = [run.key for run in made.runs]
    assert len(keys) == len(set(keys)) == made.num_runs
    # auto and sa with two seeds, sign with none, and the null model with two
    assert made.num_runs == 6 * (2 + 2 + 1 + 2)
    assert [solver.text for solver in made.solvers] == ["auto", "sa", "sign", "random"]
    assert all(len({(r.instance, r.solver, r.limits) for r in batch.runs}) == 1 for batch in made.batches)


def test_limits_follow_capabilities_and_withheld_is_recorded(layers):
    made = plan(layers, seeds=[7])
    limits = {made.solvers[run.solver].text: run.limits for run in made.runs}
    assert limits["sa"] == RunLimits(100, 5.0, 7, ())
    assert limits["auto"] == RunLimits(None, 5.0, 7, ("num_reads",))
    assert limits["sign"] == RunLimits(None, 5.0, None, ("num_reads", "seed"))


def test_budgets_are_a_cross_product_and_what_is_withheld_does_not_multiply(layers):
    made = plan(layers, "sa,sign", reads=[10, 20], time_limits_s=[1.0, None], seeds=1)
    runs = [made.solvers[run.solver].text for run in made.runs]
    assert runs.count("sa") == 6 * 4
    assert runs.count("sign") == 6 * 2
    assert RunLimits(20, None, 0) in made.limits


def test_keys_depend_on_content_only(layers):
    limits = RunLimits(10, 1.0, 0, ())
    one = layers[0]
    renamed = LayerInstance("other", one.X, one.T, source="elsewhere")
    assert run_key(one, 0, "sa", limits) == run_key(renamed, 0, "sa", limits)
    others = [
        run_key(one, 1, "sa", limits), run_key(one, 0, "tabu", limits), run_key(layers[1], 0, "sa", limits),
        run_key(one, 0, "sa", RunLimits(10, 1.0, 1, ())), run_key(one, 0, "sa", RunLimits(11, 1.0, 0, ())),
        run_key(one, 0, "sa", RunLimits(10, 2.0, 0, ())),
    ]  # fmt: skip
    assert len({run_key(one, 0, "sa", limits), *others}) == 7


def test_each_neuron_gets_a_seed_of_its_own():
    seeds = {solver_seed(key * 8, seed) for key in ("ab12cd34", "0f0f0f0f") for seed in (0, 1)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert solver_seed("ab" * 32, None) is None


def test_encodings_multiply_samplers_that_leave_theirs_open(layers):
    made = plan(layers, "sa,sa:encoding=margin,auto,polished(sqa)", encodings=["margin", "majority"], seeds=1)
    assert [solver.text for solver in made.solvers] == [
        "sa:encoding=margin", "sa:encoding=majority", "auto",
        "polished(sqa:encoding=margin)", "polished(sqa:encoding=majority)", "random", "polished(random)",
    ]  # fmt: skip
    assert [solver.encoding for solver in made.solvers][:2] == ["margin", "majority"]


def test_null_models_stand_beside_samplers_and_can_be_left_out(layers):
    assert [s.text for s in plan(layers, "auto,sign").solvers] == ["auto", "sign"]
    assert [s.text for s in plan(layers, "random,sa").solvers] == ["random", "sa"]
    assert [s.text for s in plan(layers, "sa", nulls=False).solvers] == ["sa"]
    assert [s.is_null for s in plan(layers, "polished(sa)").solvers] == [False, True, True]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"encodings": ["margn"]}, ValueError, "unknown encoding"),
        ({"seeds": 0}, ValueError, "at least one seed"),
        ({"seeds": [-1]}, ValueError, "seed is -1"),
        ({"reads": [0]}, ValueError, "num_reads is 0"),
        ({"reads": []}, ValueError, "no budget"),
        ({"time_limits_s": [float("nan")]}, ValueError, "finite number of seconds"),
    ],
)
def test_bad_plans_are_refused(layers, options, error, text):
    with pytest.raises(error, match=text):
        plan(layers, **options)


def test_nothing_to_run_and_equal_names_are_refused(layers):
    with pytest.raises(ValueError, match="no instance"):
        plan([])
    with pytest.raises(ValueError, match="names have to be unique"):
        plan([layers[0], layers[0]])
    with pytest.raises(TypeError, match="is not a solver"):
        make_plan(layers, [object()])


def test_the_dry_run_counts_what_is_new_and_estimates_it(layers, tmp_path):
    study = Study(tmp_path / "s", layers, "sa,sign", seeds=2)
    found = study.estimate(workers=1)
    titles, rows = plan_table(study.plan, found)
    table = {row[0]: dict(zip(titles, row, strict=True)) for row in rows}
    assert (table["sa"]["runs"], table["sa"]["new"], table["sa"]["at most"]) == ("12", "12", "60 s")
    assert table["sign"]["withheld"] == "num_reads, seed"
    assert table["random"]["note"] == "null model"
    assert {one.known_from for one in found} == {"a probe"}
    assert all(one.seconds > 0 and one.qpu_s is None for one in found)
    assert not (tmp_path / "s").exists()

    study.run(workers=1)
    larger = Study(tmp_path / "s", layers, "sa,sign", seeds=3)
    told = {one.solver: one for one in larger.estimate(probe=False)}
    assert (told["sa"].runs, told["sa"].new, told["sa"].known_from) == (18, 6, "stored rows")
    frame = larger.frame
    mean = frame.filter(frame["solver"] == "sa")["wall_s"].mean()
    assert told["sa"].seconds == pytest.approx(6 * mean)
    assert (told["sign"].new, told["sign"].seconds) == (0, 0.0)


@pytest.mark.slow
def test_an_emulated_machine_says_what_a_real_one_would_charge(layers, tmp_path):
    pytest.importorskip("dwave.system")
    found = Study(tmp_path / "s", layers, "dwave-emulated", seeds=1, nulls=False).estimate(workers=1)
    assert found[0].qpu_s == pytest.approx(6 * (15_000 + 100 * 140) * 1e-6)  # programming, then a hundred reads


@pytest.mark.parametrize("options", [{"seeds": 1_000_000_000}, {"seeds": 2_000_000, "reads": [1, 2, 3]}])
def test_studies_beyond_memory_are_refused_by_arithmetic(layers, options):
    with pytest.raises(ValueError, match="at most 2,000,000 are allowed"):
        plan(layers, **options)

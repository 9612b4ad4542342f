"""The kept studies: a random hundredth of their rows is run again, and comes out the same."""

import random
from pathlib import Path

import pytest

from qproj.lab.studies.frame import read_runs
from qproj.lab.studies.outcome import FAILURES, perform
from qproj.lab.studies.plan import RunLimits
from qproj.lab.studies.store import StudyStore
from qproj.solvers.specs import parse_solver

ROOT = Path(__file__).parents[3]
KEPT = sorted((ROOT / "benchmarks" / "results" / "studies").glob("*.tar.xz"))
SHARE = 0.01


def test_all_six_are_kept_and_light():
    assert [path.name.removesuffix(".tar.xz") for path in KEPT] == [
        "annealer-vs-exact", "budget", "dynamics", "encodings", "noise", "training-cost",
    ]  # fmt: skip
    assert sum(path.stat().st_size for path in KEPT) < 5e6


@pytest.mark.slow
@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name.removesuffix(".tar.xz"))
def test_a_random_hundredth_comes_out_the_same(path, tmp_path):
    import tarfile

    with tarfile.open(path, "r:xz") as tar:
        tar.extractall(tmp_path, filter="data")
    store = StudyStore(tmp_path)
    runs, layers = read_runs(store), store.layers()
    store.close()
    problems = {number: layer.problems for number, layer in layers.items()}
    # what a clock cut short or a process lost need not repeat
    repeatable = [
        i
        for i in range(len(runs))
        if runs["termination"][i] in ("proved", "refuted", "budget") and runs["status"][i] not in FAILURES
    ]
    assert len(repeatable) > 0.2 * len(runs)
    chosen = random.Random(path.name).sample(repeatable, max(3, round(SHARE * len(runs))))
    compared = 0
    for i in chosen:
        try:
            solver = parse_solver(runs["solver"][i]).make()
        except ImportError:
            continue  # its backend is not installed here
        limit = float(runs["time_limit_s"][i])
        withheld = "time_limit_s" in runs["withheld"][i] or limit != limit
        limits = RunLimits(runs["num_reads"][i], None if withheld else limit, runs["seed"][i], ())
        problem = problems[runs["instance_id"][i]][int(runs["neuron"][i])]
        again = perform("again", problem, solver, limits)
        if again.termination == "clock" or again.status in FAILURES:
            continue  # a slower machine than the one it was kept on
        what = f"{runs['solver'][i]} on {runs['instance'][i]} neuron {runs['neuron'][i]}"
        assert again.gain == pytest.approx(runs["gain"][i], rel=1e-9, abs=1e-12 * runs["scale"][i]), what
        if runs["status"][i] == "optimal":
            assert again.status == "optimal", what
        compared += 1
    assert compared > 0

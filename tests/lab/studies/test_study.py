"""Studies end to end: right rows, nothing twice, misbehaving solvers are rows, results do not depend on workers."""

import numpy as np
import pytest

import qproj
from qproj.lab.studies.frame import read_gains, read_runs, read_weights
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study

COLUMNS = ("run", "status", "gain", "gain_bound", "raw_gain", "descent_gain", "cosine", "reads", "solver_seed")


def rows(folder, columns=COLUMNS):
    store = StudyStore(folder)
    runs = read_runs(store)
    table = {run: tuple(runs[c][i] for c in columns[1:]) for i, run in enumerate(runs["run"].tolist())}
    store.close()
    return table


def same(a, b):
    assert a.keys() == b.keys()
    for key, first in a.items():
        for x, y in zip(first, b[key], strict=True):
            assert x == y or (x != x and y != y), (first, b[key])


def test_every_run_has_a_row_with_recomputed_scores(tmp_path, layers):
    study = Study(tmp_path, layers, "auto,sa,sign", reads=[20], seeds=2)
    heard = []
    ended = study.run(workers=2, on_progress=heard.append)
    assert (ended.total, ended.done, ended.failed) == (study.plan.num_runs, study.plan.num_runs, 0)
    assert heard[0].done == 0
    assert heard[-1].done == ended.total
    store = StudyStore(tmp_path)
    runs, weights, gains = read_runs(store), None, None
    weights, gains = read_weights(store, runs), read_gains(store, runs)
    by_name = {layer.name: layer for layer in store.layers().values()}
    store.close()
    assert len(runs) == ended.total == len(weights)
    for i, key in enumerate(runs["run"].tolist()):
        layer = by_name[runs["instance"][i]]
        problem = qproj.SignProjection(layer.X, layer.T[:, runs["neuron"][i]])
        v = weights[key]
        assert runs["gain"][i] == problem.gain(v)
        assert runs["objective"][i] == problem.objective(v)
        assert runs["scale"][i] == problem.gain_bound
        direction = problem.X.T @ problem.t
        assert runs["cosine"][i] == pytest.approx(v @ direction / (3 * np.linalg.norm(direction)))
        if runs["samples"][i]:
            assert len(gains[key]) == runs["reads"][i] == 20
            assert gains[key][0] == runs["gain"][i] <= runs["descent_gain"][i] + 1e-12
            assert runs["raw_gain"][i] <= runs["gain"][i]
    assert set(runs["status"][runs["solver"] == "auto"]) == {"optimal"}


def test_a_second_call_runs_nothing_and_more_seeds_only_what_is_new(tmp_path, layers):
    Study(tmp_path, layers, "sign,random", seeds=1).run(workers=1)
    before = rows(tmp_path)
    study = Study(tmp_path, layers, "sign,random", seeds=1)
    heard = []
    study.run(workers=1, on_progress=heard.append)
    assert [p.done for p in heard] == [study.plan.num_runs]
    same(rows(tmp_path), before)
    Study(tmp_path, layers, "sign,random", seeds=2).run(workers=1)
    after = rows(tmp_path)
    assert len(after) == len(before) + 6
    same({key: after[key] for key in before}, before)


def test_results_do_not_depend_on_the_number_of_workers(tmp_path, layers):
    for workers in (1, 3):
        Study(tmp_path / str(workers), layers, "auto,sa,random", reads=[10], seeds=2).run(workers=workers)
    same(rows(tmp_path / "1"), rows(tmp_path / "3"))


def test_misbehaving_solvers_are_rows_and_cost_nobody_else(tmp_path, layers, odd_solvers):
    solvers = [kind() for kind, _, _ in odd_solvers.WITH_STATUS]
    study = Study(tmp_path, layers, ["sign", *solvers], reads=[5], seeds=1, nulls=False)
    ended = study.run(workers=2)
    assert ended.done == ended.total == 6 * 10
    store = StudyStore(tmp_path)
    runs = read_runs(store)
    store.close()
    bad = runs["neuron"] % 2 == 0  # where the first target is positive
    for kind, status, text in odd_solvers.WITH_STATUS:
        own = runs["solver"] == kind.name
        assert set(runs["status"][own & ~bad]) == {"feasible"}, kind.name
        assert set(runs["status"][own & bad]) == {status}, kind.name
        assert all(text in message for message in runs["message"][own & bad]), kind.name
    assert set(runs["status"][runs["solver"] == "sign"]) <= {"feasible", "optimal"}


def test_a_solver_that_hangs_is_ended(tmp_path, layers, odd_solvers):
    study = Study(tmp_path, layers[:1], [odd_solvers.Hanging()], reads=[5], time_limits_s=[0.3], seeds=1, nulls=False)
    study.run(workers=1, grace_s=3.0)
    store = StudyStore(tmp_path)
    runs = read_runs(store)
    store.close()
    assert runs["status"].tolist() == ["hung", "feasible", "hung"]


def test_failed_runs_are_kept_until_they_are_asked_for_again(tmp_path, layers, odd_solvers):
    def run(**options):
        Study(tmp_path, layers[:1], [odd_solvers.Raising()], seeds=1, nulls=False).run(workers=1, **options)
        store = StudyStore(tmp_path)
        found = {row["key"]: row["finished"] for row in store.query("SELECT key, finished FROM run")}
        store.close()
        return found

    first = run()
    assert run() == first
    again = run(retry_failed=True)
    assert again.keys() == first.keys()
    assert sum(again[key] != first[key] for key in first) == 2


def test_only_what_is_declared_is_passed(tmp_path, layers, odd_solvers):
    Study(tmp_path, layers[:1], [odd_solvers.Narrow()], seeds=3, nulls=False).run(workers=1)
    store = StudyStore(tmp_path)
    runs = read_runs(store)
    store.close()
    assert runs["status"].tolist() == ["feasible"] * 3
    assert set(runs["withheld"]) == {"num_reads,time_limit_s,seed"}
    assert set(runs["seed"]) == {None}


def test_the_frame_has_gaps_and_says_to_what(tmp_path, layers):
    study = Study(tmp_path, layers, "auto,sign", seeds=1)
    study.run(workers=1)
    frame = study.frame
    assert frame.height == 12
    assert frame.filter(frame["solver"] == "auto")["gap"].to_list() == [0.0] * 6
    assert set(frame["gap_to"]) == {"optimum"}
    assert frame["gap"].min() == 0.0
    assert frame["gap"].max() <= 1.0

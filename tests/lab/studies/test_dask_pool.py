"""A study on a real Dask cluster of processes: the rows of a local run, also where workers are killed in the middle."""

import os
import signal
import subprocess
import sys

import pytest

from qproj.lab.studies.dask_pool import ClusterPool, _end_study, _pools, _solve_batch
from qproj.lab.studies.frame import read_runs
from qproj.lab.studies.outcome import Outcome
from qproj.lab.studies.plan import PlannedRun, RunLimits, planned_solver
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study
from qproj.lab.studies.worker import Task, pickled_by_value
from qproj.solvers.specs import parse_solver

COLUMNS = ("status", "gain", "gain_bound", "raw_gain", "descent_gain", "cosine", "reads", "solver_seed")


def rows(folder):
    store = StudyStore(folder)
    runs = read_runs(store)
    table = {run: tuple(str(runs[c][i]) for c in COLUMNS) for i, run in enumerate(runs["run"].tolist())}
    assert store.query("PRAGMA integrity_check")[0][0] == "ok"
    store.close()
    assert len(table) == len(runs)
    return table


@pytest.fixture(scope="module")
def cluster():
    """Two processes of one thread each, restarted by their nannies."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        yield made.scheduler_address, client


def make(folder, layers, solvers="auto,sa,random"):
    return Study(folder, layers, solvers, reads=[20], seeds=3)


@pytest.mark.slow
def test_a_cluster_gives_the_rows_of_a_local_run_also_when_a_worker_is_killed(tmp_path, layers, cluster):
    address, client = cluster
    make(tmp_path / "local", layers).run(workers=1)
    expected = rows(tmp_path / "local")

    make(tmp_path / "calm", layers).run(dask=address)
    assert rows(tmp_path / "calm") == expected

    killed, reported = [], []

    def kill_one(now):
        reported.append(now.done)
        if now.done and len(killed) < 2:
            process = sorted(client.run(os.getpid, on_error="ignore").values())[0]  # one may just be dying
            if process not in killed:
                killed.append(process)
                os.kill(process, signal.SIGKILL)

    ended = make(tmp_path / "killed", layers).run(dask=address, on_progress=kill_one)
    assert len(killed) == 2
    assert ended.done == ended.total == len(expected)
    assert ended.failed == 0
    assert reported == sorted(reported)  # nothing that was reported done was lost again
    assert rows(tmp_path / "killed") == expected

    store = StudyStore(tmp_path / "killed")
    (told,) = store.query("SELECT content FROM environment")
    store.close()
    assert '"cluster": [{' in told["content"]
    assert sum(client.run(lambda: len(sys.modules["qproj.lab.studies.dask_pool"]._pools)).values()) == 0  # all ended


@pytest.mark.slow
def test_solvers_that_crash_or_hang_are_rows_on_a_cluster_too(tmp_path, layers, cluster, odd_solvers):
    solvers = [odd_solvers.Crashing(), odd_solvers.Hanging(), odd_solvers.Nonsense()]
    study = Study(tmp_path, layers[:1], solvers, reads=[5], time_limits_s=[1.0], seeds=1, nulls=False)
    study.run(dask=cluster[0], grace_s=4.0)
    store = StudyStore(tmp_path)
    runs = read_runs(store)
    store.close()
    found = {str(s): runs["status"][runs["solver"] == s].tolist() for s in set(runs["solver"])}
    assert found == {
        "crashing": ["crashed", "feasible", "crashed"], "hanging": ["hung", "feasible", "hung"],
        "nonsense": ["wrong", "feasible", "wrong"],
    }  # fmt: skip


@pytest.mark.slow
def test_no_scheduler_and_no_worker_are_said_with_a_remedy(tmp_path, layers, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("qproj.lab.studies.dask_pool.CONNECT_S", 2.0)
    with pytest.raises(ConnectionError, match="dask scheduler"):
        make(tmp_path, layers).run(dask="tcp://127.0.0.1:9")
    assert not (tmp_path / "study.sqlite").exists()
    with pytest.raises(ConnectionError, match="dask scheduler"):
        make(tmp_path, layers).run(dask="nonsense://")


@pytest.mark.slow
def test_the_command_line_runs_a_study_on_a_cluster(tmp_path, cluster):
    command = [
        sys.executable, "-m", "qproj", "compare", "--instances", "random", "--solvers", "sign,random",
        "--max-neurons", "10", "--seeds", "1", "--out", str(tmp_path / "s"), "--dask", cluster[0], "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert '"done": 20' in done.stdout


class _Future:
    def __init__(self, error):
        self.error = error

    def result(self):
        raise self.error

    def release(self):
        pass


def _task(layers, text="random"):
    solver = planned_solver(parse_solver(text))
    return Task(
        text, pickled_by_value(solver), layers[0],
        tuple(PlannedRun(f"key{j}", 0, j, 0, RunLimits(5, 1.0, 0, ())) for j in range(3)), warm_up=False,
    )  # fmt: skip


def test_a_batch_is_done_beside_the_thread_and_ends_with_its_study(layers):
    outcomes = _solve_batch(_task(layers), 60.0, "first")
    assert [o.key for o in outcomes] == ["key0", "key1", "key2"]
    with WorkerPool(1, grace_s=60.0) as pool:
        tasks = [_task(layers)]
        expected = [o for group in pool.run(lambda: tasks.pop() if tasks else None) for o in group]
    assert [(o.gain, o.best) for o in outcomes] == [(o.gain, o.best) for o in expected]
    (local,) = _pools.values()
    (process,) = [worker.process for worker in local.pool._workers]
    _end_study("another")
    assert process.poll() is None
    _end_study("first")
    assert process.poll() is not None
    assert not _pools


def test_workers_that_keep_dying_are_rows_and_a_gone_cluster_is_said(layers):
    distributed = pytest.importorskip("distributed")
    from concurrent.futures import CancelledError

    pool = object.__new__(ClusterPool)
    state = distributed.scheduler.WorkerState(
        address="tcp://10.0.0.1:1", status=distributed.core.Status.closed, pid=1, name="w", nthreads=1, memory_limit=0,
        local_directory="", nanny="", server_id="w", services=None, versions={}, extra={}, scheduler=None,
    )  # fmt: skip
    found = pool._outcomes(_Future(distributed.KilledWorker("task", state, 3)), _task(layers))
    assert [(o.key, o.status) for o in found] == [("key0", "crashed"), ("key1", "crashed"), ("key2", "crashed")]
    assert all(isinstance(o, Outcome) for o in found)
    with pytest.raises(ConnectionError, match="finished runs are kept"):
        pool._outcomes(_Future(CancelledError()), _task(layers))

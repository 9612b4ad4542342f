"""Anytime curves of a study: the events of each search, stored with its run."""

from qproj.lab.studies.frame import read_progress, read_runs
from qproj.lab.studies.outcome import pack_events, unpack_events
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study
from qproj.solvers import ProgressEvent


def test_events_are_stored_and_end_at_the_result(tmp_path):
    study = Study(
        tmp_path, ["random:n=16,d=9,neurons=2"], ["cpsat", "sign"], seeds=1, nulls=False, record_progress=True
    )
    study.run(workers=1)
    with StudyStore(tmp_path) as store:
        runs = read_runs(store)
        events = read_progress(store, runs)
    assert set(events) == set(runs["run"])
    for key, gain in zip(runs["run"], runs["gain"], strict=True):
        assert events[key][-1].gain == gain


def test_without_the_flag_nothing_is_stored(tmp_path):
    Study(tmp_path, ["random:n=8,d=5,neurons=1"], ["cpsat"], seeds=1, nulls=False).run(workers=1)
    with StudyStore(tmp_path) as store:
        assert read_progress(store, read_runs(store)) == {}


def test_packed_events_come_back():
    events = [ProgressEvent(0.5, None, -3.0, None, 3.0), ProgressEvent(1.0, -2.0, -3.0, 2.0, 3.0)]
    assert unpack_events(pack_events(events)) == events

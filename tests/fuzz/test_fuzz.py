"""Damaged and odd input of every kind: a clear error or a right answer, nothing else.

`make nightly` runs each target thousands of times; with QPROJ_FUZZ_RESULTS set it writes what came of it to that file.
"""

import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parent))
from files import FILES
from guard import execute
from objects import OBJECTS

RESULTS = Path(__file__).with_name("results.json")
TARGETS = {**FILES, **OBJECTS}
EACH = 50
NIGHTLY = 100_000
SEED = 20260


def fuzz(name, examples, folder, number):
    """Run a target on so many examples; return how often it was right or refused, and every defect, once each."""
    make, target = TARGETS[name]
    counts, defects = Counter(), {}

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate], derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(make())
    def run(content):
        try:
            counts[execute(target, content, folder)] += 1
        except Exception as error:
            counts["defect"] += 1
            frames = [f"{Path(f.filename).name}:{f.name}" for f in traceback.extract_tb(error.__traceback__)[-2:]]
            defects.setdefault(
                f"{type(error).__name__}: {str(error)[:200]} in {' < '.join(frames)}", repr(content)[:2000]
            )

    run()
    return counts, defects


@pytest.mark.parametrize("name", TARGETS)
def test_a_clear_error_or_a_right_answer(name, tmp_path):
    counts, defects = fuzz(name, EACH, tmp_path, SEED)
    assert not defects
    assert counts.total() >= EACH / 2  # fewer where a target has fewer inputs
    assert len(TARGETS) * EACH >= 1000


@pytest.mark.nightly
def test_a_hundred_thousand_executions(tmp_path):
    began, done, defects = time.monotonic(), {}, {}
    number = int(os.environ.get("QPROJ_FUZZ_SEED", SEED + 1))
    for name in TARGETS:
        folder = tmp_path / name.replace(":", "").replace(" ", "-")
        folder.mkdir()
        counts, found = fuzz(name, -(-NIGHTLY // len(TARGETS)), folder, number)
        done[name] = dict(sorted(counts.items()))
        defects |= {f"{name}: {text}": example for text, example in found.items()}
    total = sum(sum(counts.values()) for counts in done.values())
    where = os.environ.get("QPROJ_FUZZ_RESULTS")
    if where:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        Path(where).write_text(
            json.dumps(
                {
                    "commit": commit, "seed": number,
                    "command": "QPROJ_FUZZ_RESULTS=tests/fuzz/results.json pytest tests/fuzz -m nightly",
                    "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
                    f"{os.cpu_count()} cores",
                    "seconds": round(time.monotonic() - began), "executions": total, "targets": done,
                    "defects": defects,
                },
                indent=1, ensure_ascii=False,
            ) + "\n"
        )  # fmt: skip
    assert not defects, "\n".join(defects)
    assert total >= NIGHTLY


def test_the_stored_run_is_whole():
    stored = json.loads(RESULTS.read_text())
    assert stored["executions"] >= NIGHTLY
    assert set(stored["targets"]) == set(TARGETS)
    assert not stored["defects"]
    assert all(min(counts.get("right", 0), counts.get("refused", 0)) > 0 for counts in stored["targets"].values())

"""The example distribution: built, installed, listed, and validated as a stranger's would be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_solver"


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, **options)


@pytest.mark.slow
def test_it_is_listed_and_validated_once_installed(tmp_path):
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = run([*install, "--target", str(target), str(EXAMPLE)])
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-m", "qproj"]
    listed = json.loads(run([*command, "solvers", "--json"], env=environment, cwd=tmp_path).stdout)
    (row,) = [row for row in listed if row["name"] == "tempering"]
    assert row["ready"]
    assert row["distribution"] == "qproj-tempering"
    done = run([*command, "validate", "tempering", "--json"], env=environment, cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["passed"], [check for check in report["checks"] if check["outcome"] == "failed"]
    assert done.returncode == 0
    tests = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")],
        env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout[-2000:]


def test_the_solver_is_about_sixty_lines():
    source = EXAMPLE / "src" / "qproj_tempering" / "__init__.py"
    assert len([line for line in source.read_text().splitlines() if line.strip()]) <= 70

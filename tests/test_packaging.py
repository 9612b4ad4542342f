"""The distribution is what it says: dependencies, pins, entry points, typing marker, licence, version."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = {
    "torch",
    "dwave",
    "qiskit",
    "gurobi",
    "highs",
    "scip",
    "sat",
    "ommx",
    "exact",
    "report",
    "data",
    "dask",
    "demo",
    "all",
}
SOLVERS = {
    *("auto", "exhaustive", "local-search", "sign", "random", "sa", "sqa", "tabu", "greedy", "tree"),
    *("cpsat", "highs", "gurobi", "scip", "dwave", "dwave-hybrid", "dwave-emulated", "qaoa", "qaoa-fast"),
    "svmc",
    "pt",
    "sb",
    "schrodinger",
    "exact",
    "rc2",
}


def _pins() -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    pins = [Requirement(line) for line in lines if line]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in pins}


def _direct() -> list[Requirement]:
    groups = [
        PROJECT["dependencies"],
        *PROJECT["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
    ]
    rows = [Requirement(row) for group in groups for row in group if isinstance(row, str)]
    return [row for row in rows if row.name != "qproj"]


def test_core_has_at_most_eleven_dependencies():
    assert 1 <= len(PROJECT["dependencies"]) <= 11


def test_extras_are_those_of_the_design_and_all_contains_each():
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == EXTRAS
    (everything,) = extras["all"]
    assert Requirement(everything).extras == EXTRAS - {"all", "demo", "exact", "ommx"}  # AGPL; an old protobuf
    (demo,) = extras["demo"]
    assert Requirement(demo).extras == {"report", "data"}


@pytest.mark.parametrize("requirement", sorted({str(row) for row in _direct()}))
def test_every_direct_dependency_has_a_lower_bound_and_one_pin_that_meets_it(requirement):
    row = Requirement(requirement)
    assert {specifier.operator for specifier in row.specifier} == {">="}
    pin = _pins()[canonicalize_name(row.name)]
    assert re.fullmatch(r"==[0-9][0-9a-z.]*", pin)
    assert row.specifier.contains(Version(pin.removeprefix("==")))


def test_no_constraint_allows_a_second_torch():
    assert _pins()["torch"] == "==2.13.0"
    assert "torch==2.13.0" in (ROOT / "Makefile").read_text()


def test_every_solver_name_is_an_entry_point():
    assert set(PROJECT["entry-points"]["qproj.solvers"]) == SOLVERS
    installed = importlib.metadata.entry_points(group="qproj.solvers")
    assert set(installed.names) >= SOLVERS


def test_every_entry_point_names_an_importable_file():
    for target in PROJECT["entry-points"]["qproj.solvers"].values():
        module = Path(*target.partition(":")[0].split("."))
        places = [base / module for base in (ROOT, ROOT / "adapters")]
        assert any(p.with_suffix(".py").is_file() or (p / "__init__.py").is_file() for p in places), target


def test_every_adapter_folder_is_in_the_wheel_and_is_linted():
    folders = {p.name for p in (ROOT / "adapters").iterdir() if (p / "__init__.py").is_file()}
    packages = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {Path(p).name for p in packages} == folders | {"qproj"}
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == folders | {"qproj"}


def test_the_typing_marker_and_the_licence_ship():
    assert (ROOT / "qproj" / "py.typed").is_file()
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"


def test_the_version_is_the_distributions_and_is_valid():
    import qproj

    assert Version(qproj.__version__) == Version(importlib.metadata.version("qproj"))

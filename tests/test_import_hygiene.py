"""Importing costs nothing: `import qproj` loads no backend, each checked in a fresh interpreter."""

import subprocess
import sys

import pytest

# What may never come in by a bare import: backends, and everything that takes long to load.
# fmt: off
HEAVY = [
    "torch", "tensorboard", "numba", "llvmlite", "ortools", "gurobipy", "highspy", "pyscipopt", "sklearn",
    "networkx", "dwave.samplers", "dwave.system", "dwave.cloud", "minorminer", "qiskit", "qiskit_aer",
    "pandas", "polars", "plotly", "matplotlib", "jinja2", "pooch", "dask", "distributed", "typer", "rich",
]
# fmt: on


def _loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules], sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_probe_sees_a_heavy_import():
    assert _loaded_after("import networkx") >= {"networkx"}


def test_importing_qproj_loads_nothing_heavy():
    assert _loaded_after("import qproj") == set()


@pytest.mark.parametrize(
    "statement",
    [
        "import qproj; qproj.list_solvers()",
        "import qproj; qproj.SignProjection([[1, -1]], [0.5])",
        "import qproj; qproj.get_solver",
        "from qproj.lab import Results, Study, run",
        "import qproj.lab.datasets, qproj.lab.studies, qproj.lab.report",
    ],
)
def test_everyday_names_load_neither_torch_nor_another_backend(statement):
    foreign = {
        "torch",
        "ortools",
        "dwave.system",
        "qiskit",
        "gurobipy",
        "highspy",
        "pyscipopt",
        "sklearn",
        "polars",
        "plotly",
        "matplotlib",
        "distributed",
    }
    assert _loaded_after(statement) & foreign == set()


def test_every_public_name_exists_and_is_listed():
    import qproj

    assert qproj.__all__
    for name in qproj.__all__:
        assert getattr(qproj, name) is not None
    assert set(qproj.__all__) <= set(dir(qproj))


def test_an_unknown_name_is_an_attribute_error():
    import qproj

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = qproj.no_such_name  # type: ignore[attr-defined]

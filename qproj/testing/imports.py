"""The check of import hygiene: what lists solvers imports every registered one, so none may bring its backend along."""

from __future__ import annotations

import subprocess  # nosec B404: runs this interpreter
import sys
from typing import Any

from qproj.testing.checks import Skipped, check
from qproj.testing.limits import registered_name

#: Packages that take long to import, for any solver; a solver adds those that it names in `requires`.
HEAVY = (
    "torch", "tensorflow", "jax", "numba", "ortools", "gurobipy", "highspy", "pyscipopt", "sklearn", "openjij",
    "dwave.samplers", "dwave.system", "dwave.cloud", "minorminer", "qiskit", "qiskit_aer", "pennylane", "cirq",
)  # fmt: skip


@check
def check_import_is_light(solver: Any) -> None:
    """Importing a registered solver's module, as every list of solvers does, imports no backend and prints nothing."""
    if registered_name(solver) is None:
        raise Skipped("it is not registered: only those who use it import its module")
    module = type(solver).__module__
    watched = sorted({*HEAVY, *(name for name in getattr(solver, "requires", ()) if name != "dwave")} - {module})
    code = (
        f"import sys, importlib; importlib.import_module({module!r}); "
        f"print('loaded:', *[name for name in {watched!r} if name in sys.modules])"
    )
    done = subprocess.run(  # nosec B603: no shell, and what is imported is the solver under test
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"importing {module} in a new process fails: {done.stderr.strip()[-300:]}"
    said, _, loaded = done.stdout.rpartition("loaded:")
    assert not loaded.strip(), (
        f"importing {module} imports {', '.join(loaded.split())}; import them where they are used"
    )
    assert not said.strip(), f"importing {module} prints {said.strip()[:80]!r}"

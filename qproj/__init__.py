"""qproj: binary-gradient projections as QUBOs, and every solver for them behind one contract.

``argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F``, the projection at the heart of QP-SBGD (arXiv 2310.15128).
Names are loaded when they are first used; importing qproj imports no backend.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "SignProjection": "qproj.projections",
    "LinearProjection": "qproj.projections",
    "MetricProjection": "qproj.projections",
    "SignLayer": "qproj.projections",
    "project": "qproj.solving",
    "LayerSolution": "qproj.solving",
    "Solution": "qproj.solving",
    "Solver": "qproj.solving",
    "Capabilities": "qproj.solving",
    "Status": "qproj.solving",
    "Ending": "qproj.solving",
    "get_solver": "qproj.solving",
    "list_solvers": "qproj.solving",
    "as_problem": "qproj.solving",
    "from_sampler": "qproj.solvers.sampler",
    "as_sampler": "qproj.solvers.as_sampler",
    "Fallback": "qproj.solvers.fallback",
    "Isolated": "qproj.solvers.isolated",
    "Polished": "qproj.solvers.polished",
    "Refined": "qproj.solvers.refined",
}
_SUBPACKAGES = frozenset(
    {
        "compare",
        "datasets",
        "encodings",
        "functions",
        "nn",
        "optim",
        "projections",
        "solvers",
        "solving",
        "testing",
    }
)

__all__ = [
    "Capabilities",
    "Ending",
    "Fallback",
    "Isolated",
    "LayerSolution",
    "LinearProjection",
    "MetricProjection",
    "Polished",
    "Refined",
    "SignLayer",
    "SignProjection",
    "Solution",
    "Solver",
    "Status",
    "__version__",
    "as_problem",
    "as_sampler",
    "from_sampler",
    "get_solver",
    "list_solvers",
    "project",
]

if TYPE_CHECKING:
    from qproj.projections import LinearProjection, MetricProjection, SignLayer, SignProjection
    from qproj.solvers.as_sampler import as_sampler
    from qproj.solvers.fallback import Fallback
    from qproj.solvers.isolated import Isolated
    from qproj.solvers.polished import Polished
    from qproj.solvers.refined import Refined
    from qproj.solvers.sampler import from_sampler
    from qproj.solving import (
        Capabilities,
        Ending,
        LayerSolution,
        Solution,
        Solver,
        Status,
        as_problem,
        get_solver,
        list_solvers,
        project,
    )

    __version__: str


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"qproj.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("qproj")
    raise AttributeError(f"module 'qproj' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_SUBPACKAGES, "__version__"})

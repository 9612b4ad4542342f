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
    "LayerProjection": "qproj.projections",
    "CurvatureProjection": "qproj.projections",
    "CurvatureLayerProjection": "qproj.projections",
    "project": "qproj.solvers",
    "LayerSolution": "qproj.solvers",
    "Solution": "qproj.solvers",
    "Solver": "qproj.solvers",
    "Capabilities": "qproj.solvers",
    "Status": "qproj.solvers",
    "Termination": "qproj.solvers",
    "get_solver": "qproj.solvers",
    "list_solvers": "qproj.solvers",
    "as_problem": "qproj.solvers",
    "from_sampler": "qproj.solvers.builtin.samplers",
    "as_sampler": "qproj.solvers.as_sampler",
    "Fallback": "qproj.solvers.composites.fallback",
    "Isolated": "qproj.solvers.composites.isolated",
    "Polished": "qproj.solvers.composites.polished",
    "Refined": "qproj.solvers.composites.refined",
}
_SUBPACKAGES = frozenset(
    {"encodings", "formats", "functions", "lab", "nn", "optim", "projections", "solvers", "testing"}
)

__all__ = [
    "Capabilities",
    "CurvatureLayerProjection",
    "CurvatureProjection",
    "Fallback",
    "Isolated",
    "LayerProjection",
    "LayerSolution",
    "LinearProjection",
    "MetricProjection",
    "Polished",
    "Refined",
    "SignProjection",
    "Solution",
    "Solver",
    "Status",
    "Termination",
    "__version__",
    "as_problem",
    "as_sampler",
    "from_sampler",
    "get_solver",
    "list_solvers",
    "project",
]

if TYPE_CHECKING:
    from qproj.projections import (
        CurvatureLayerProjection,
        CurvatureProjection,
        LayerProjection,
        LinearProjection,
        MetricProjection,
        SignProjection,
    )
    from qproj.solvers import (
        Capabilities,
        LayerSolution,
        Solution,
        Solver,
        Status,
        Termination,
        as_problem,
        get_solver,
        list_solvers,
        project,
    )
    from qproj.solvers.as_sampler import as_sampler
    from qproj.solvers.builtin.samplers import from_sampler
    from qproj.solvers.composites.fallback import Fallback
    from qproj.solvers.composites.isolated import Isolated
    from qproj.solvers.composites.polished import Polished
    from qproj.solvers.composites.refined import Refined

    __version__: str


def __getattr__(name: str) -> Any:
    if name in _HOME:
        globals()[name] = found = getattr(importlib.import_module(_HOME[name]), name)  # looked up once
        return found
    if name in _SUBPACKAGES:
        return importlib.import_module(f"qproj.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("qproj")
    raise AttributeError(f"module 'qproj' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_SUBPACKAGES, "__version__"})

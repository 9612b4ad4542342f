"""QAOA for qproj: through any Qiskit sampler primitive (``qaoa``), or a fast diagonal simulator (``qaoa-fast``)."""

from __future__ import annotations

from typing import Any

__all__ = ["QAOA", "ProgramSolver", "QAOAFast", "from_quadratic_program", "to_quadratic_program"]


def __getattr__(name: str) -> Any:  # lazy: the registry imports this package to list it, without importing Qiskit
    if name == "QAOA":
        from qproj_qiskit.qaoa import QAOA

        return QAOA
    if name == "QAOAFast":
        from qproj_qiskit.fast import QAOAFast

        return QAOAFast
    if name in ("ProgramSolver", "from_quadratic_program", "to_quadratic_program"):
        from qproj_qiskit import programs

        return getattr(programs, name)
    raise AttributeError(f"module 'qproj_qiskit' has no attribute {name!r}")

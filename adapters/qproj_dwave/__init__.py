"""D-Wave for qproj: the quantum annealer (``dwave``), its emulation on this machine (``dwave-emulated``), Leap's hybrid
solvers (``dwave-hybrid``)."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "DWave": "qproj_dwave.qpu",
    "DWaveEmulated": "qproj_dwave.emulated",
    "DWaveHybrid": "qproj_dwave.hybrid",
    "Budget": "qproj_dwave.budget",
    "BudgetExceededError": "qproj_dwave.budget",
    "LostAnswerError": "qproj_dwave.qpu",
    "scan_chain_strength": "qproj_dwave.scan",
}

__all__ = [
    "Budget", "BudgetExceededError", "DWave", "DWaveEmulated", "DWaveHybrid", "LostAnswerError", "scan_chain_strength",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # lazy: the registry imports this package to list it, without importing Ocean
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'qproj_dwave' has no attribute {name!r}")

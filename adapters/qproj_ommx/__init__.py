"""OMMX: its instances as problems, its adapters' solvers and samplers as ours, and ours as an adapter of OMMX."""

from __future__ import annotations

from qproj_ommx.ommx_adapter import QprojAdapter
from qproj_ommx.ommx_backends import OMMXSampler, OMMXSolver, from_ommx_adapter
from qproj_ommx.ommx_models import to_ommx

__all__ = ["OMMXSampler", "OMMXSolver", "QprojAdapter", "from_ommx_adapter", "to_ommx"]

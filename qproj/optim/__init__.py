"""Projected gradients for torch: ``project_grad_`` for any optimiser, QP-SBGD and the baselines it is compared with.

>>> from qproj.optim import QPSBGD, project_grad_
"""

from __future__ import annotations

from qproj._extras import install_hint as _install_hint

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:  # pragma: no cover - needs an installation without torch
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        f"qproj.optim needs torch, which is not installed: {_install_hint('torch')}", name="torch"
    ) from None

from qproj.optim.batch import capture
from qproj.optim.binaryconnect import BinaryConnect
from qproj.optim.bop import Bop
from qproj.optim.latent_adam import LatentAdam
from qproj.optim.projection_report import LayerReport, ProjectionReport
from qproj.optim.projector import Projector, project_grad_, projector_of
from qproj.optim.proxquant import ProxQuant
from qproj.optim.qpsbgd import QPSBGD, ProjectedQPSBGD
from qproj.optim.signsgd import SignSGD

__all__ = [
    "QPSBGD",
    "BinaryConnect",
    "Bop",
    "LatentAdam",
    "LayerReport",
    "ProjectedQPSBGD",
    "ProjectionReport",
    "Projector",
    "ProxQuant",
    "SignSGD",
    "capture",
    "project_grad_",
    "projector_of",
]

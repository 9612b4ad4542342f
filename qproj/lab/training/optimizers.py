"""From settings to an optimiser."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from qproj.lab.training.settings import Config
from qproj.nn import binary_layers
from qproj.optim import QPSBGD, BinaryConnect, Bop, LatentAdam, ProjectedQPSBGD, ProxQuant, SignSGD
from qproj.optim.binary_optimizer import BinaryOptimizer
from qproj.solvers.specs import parse_solver

#: Weights of a neuron up to which every step's curvature model may be enumerated.
ENUMERATED = 16


def make_optimizer(model: nn.Module, config: Config, *, audit: int = 0, nodes: Tensor | None = None) -> BinaryOptimizer:
    """Return the optimiser of a run; searches end by their work budget, so that one seed gives one result.

    `nodes` are the inputs of all nodes of a graph. With `audit`, every k-th projection is also solved with "auto" where
    there are sign gains to compare; the curvature projection by enumeration, where all layers are narrow enough.
    """
    s = config.settings
    if config.optimizer == "bop":
        return Bop(model, lr=s.lr, threshold=s.threshold, float_lr=s.float_lr)
    common: dict[str, Any] = {"lr": s.lr, "momentum": s.momentum, "float_lr": s.float_lr}
    if config.optimizer == "binaryconnect":
        return BinaryConnect(model, **common)
    if config.optimizer == "signsgd":
        return SignSGD(model, box=s.box, **common)
    if config.optimizer == "adam":
        return LatentAdam(model, box=s.box, **common)
    if config.optimizer == "proxquant":
        return ProxQuant(model, reg_rate=s.reg_rate, **common)
    kind = QPSBGD if config.optimizer == "qpsbgd" else ProjectedQPSBGD
    return kind(
        model, solver=_solver(config.solver), seed=config.seed, projection=s.projection, tau=s.tau, filter=s.filter,
        filter_rows=nodes if config.filters_by_all_nodes else None, kappa=s.kappa, sweeps=s.sweeps, targets=s.targets,
        every=s.every, audit=audit if _can_audit(model, s.projection) else 0,
        audit_solver="exhaustive" if s.projection == "curvature" else "auto", **common,
    )  # fmt: skip


def _can_audit(model: nn.Module, projection: str) -> bool:
    if projection == "curvature":
        return max(layer.fan_in for layer in binary_layers(model).values()) <= ENUMERATED
    return projection in ("sign", "margin")


def _solver(text: str) -> Any:
    """Return a solver by its text; "auto" stays a name, for which the margin projection has a search of its own."""
    return text if text == "auto" else parse_solver(text).make()


def set_rates(optimizer: BinaryOptimizer, factor: float) -> None:
    """Set every group's step size to `factor` times its first one."""
    for group in optimizer.param_groups:
        group.setdefault("first_lr", group["lr"])
        group["lr"] = group["first_lr"] * factor

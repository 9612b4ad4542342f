"""One step of every optimiser on a small network before the first run: what happens once is part of no run's time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import nn

from qproj.lab.training.optimizers import make_optimizer
from qproj.lab.training.settings import Config, projects
from qproj.nn import BinaryLinear, SignActivation
from qproj.solvers.builtin.warm import compile_ahead, needed, warm
from qproj.solvers.registry import solver_class
from qproj.solvers.specs import parse_solver


def warm_up(configs: Sequence[Config], on_compile: Callable[[str], None] | None = None) -> None:
    """Compile the searches that projections call, load them, and take one untimed step with each kind of optimiser.

    No solver is called whose calls may cost money; a solver that fails here fails in its runs, which report it.
    """
    bases = {one.solver: parse_solver(one.solver).base for one in configs if projects(one.optimizer)}
    groups = needed(bases.values())
    compile_ahead(groups, on_compile)
    for _ in warm(groups):
        pass
    kinds = {(one.optimizer, one.settings.projection, one.solver): one for one in configs}
    for config in kinds.values():
        if not (projects(config.optimizer) and _costs_money(bases[config.solver])):
            with contextlib.suppress(Exception):
                _step(config)


def _step(config: Config) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(BinaryLinear(13, 5), SignActivation(5), BinaryLinear(5, 1))
        optimizer = make_optimizer(model, config)
        x = torch.randn(26, 13).sign()
        nn.functional.softplus(-model(x)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _costs_money(name: str) -> bool:
    availability = getattr(solver_class(name), "availability", None)
    return availability is not None and availability().token is not None

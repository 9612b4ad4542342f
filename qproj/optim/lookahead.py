"""The choice of τ by looking ahead: every so often, the step that each τ would take is tried on the next batch.

It needs no tuning: τ = 0, which is signSGD with momentum, is among the candidates, and the loss decides. All candidates
take the present step size, the same gradient mean and the same second moments, and are measured on the same batch with
the same random numbers; running figures of normalisations stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

#: The candidates.
TAUS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Steps between two looks, after some in the first steps, and the share of an earlier score that a look keeps.
PERIOD, MEMORY = 25, 0.9


class LookAhead:
    """Running scores of the candidates, and the τ that is best so far.

    Attributes
    ----------
    scores : list of float
        Running mean, per candidate, of its loss minus the mean loss of all candidates.
    looks : int
        How often was looked; each look costs one evaluation of the closure per candidate.
    """

    def __init__(self) -> None:
        self.scores = [0.0] * len(TAUS)
        self.looks = 0

    def is_due(self, step: int) -> bool:
        """Return whether the weights before the coming step have to be kept, so that the next batch can judge it.

        That is so for every 25th step, and for the first, second, fourth, eighth and sixteenth, since a wrong τ may
        spoil a network in a few long steps.
        """
        made = step + 1
        return made % PERIOD == 0 or (made < PERIOD and made & (made - 1) == 0)

    def choose(
        self,
        model: nn.Module,
        before: Mapping[nn.Parameter, Tensor],
        step_of: Callable[[float], Mapping[nn.Parameter, Tensor]],
        closure: Callable[[], Any],
    ) -> float:
        """Return the best τ, and leave the model at the weights that its step gives.

        Parameters
        ----------
        before : mapping
            Binary weights before the last step.
        step_of : callable
            What the last step would have added to them, for a given τ.
        closure : callable
            The loss of the next batch; its gradients are dropped.
        """
        steps = [step_of(tau) for tau in TAUS]
        losses = []
        with _untouched(model):
            state = torch.get_rng_state()
            for step in steps:
                _set(before, step)
                torch.set_rng_state(state)
                with torch.enable_grad():
                    loss = closure()
                losses.append(float(loss.detach() if isinstance(loss, Tensor) else loss))
            torch.set_rng_state(state)
        finite = [loss for loss in losses if math.isfinite(loss)]
        if finite:
            mean = math.fsum(finite) / len(finite)
            worst = max(finite)
            relative = [(loss if math.isfinite(loss) else worst) - mean for loss in losses]
            keep = MEMORY if self.looks else 0.0
            self.scores = [keep * old + (1.0 - keep) * new for old, new in zip(self.scores, relative)]
            self.looks += 1
        best = min(range(len(TAUS)), key=lambda i: (self.scores[i], TAUS[i]))
        _set(before, steps[best])
        return TAUS[best]

    def state_dict(self) -> dict[str, Any]:
        """Return the scores."""
        return {"scores": list(self.scores), "looks": self.looks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with stored scores."""
        self.scores, self.looks = [float(x) for x in state["scores"]], int(state["looks"])


def _set(before: Mapping[nn.Parameter, Tensor], step: Mapping[nn.Parameter, Tensor]) -> None:
    with torch.no_grad():
        for p, value in before.items():
            p.copy_(value + step[p])


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Put buffers and gradients back: a look leaves no trace but the weights that it chose."""
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    grads = {p: p.grad for p in model.parameters()}
    for p in grads:
        p.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in model.named_buffers():
                value.copy_(buffers[name])
        for p, grad in grads.items():
            p.grad = grad

"""The projection of a model's gradients, with everything that can be chosen about it."""

from __future__ import annotations

import logging
import math
import time
import weakref
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.distributed.algorithms.join import Joinable, JoinHook

from qproj.nn.binary_layer import BinaryLayer, binary_layers, require_binary_layers
from qproj.optim.cpu_passes import negate_on_cpu_
from qproj.optim.curvature_directions import CurvatureDirections
from qproj.optim.distributed import UnevenBatches, sum_over_ranks
from qproj.optim.projection_report import Direction, ProjectionReport, is_finite
from qproj.optim.projection_settings import SWEEPS, ProjectionSettings, checked_metric, checked_tau
from qproj.optim.target_directions import TargetDirections
from qproj.solvers import get_solver

_LOG = logging.getLogger("qproj")


class Projector(Joinable):
    """V ∈ {±1}^(dout×d) for every binary layer of a model, after ``loss.backward()``; gradients become −V.

    The default is V_j = argmin over v of −h_j·v + ½ρ_j vᵀAv per neuron: h the negative running mean of ∂L/∂W, A the
    second moment of the layer's inputs (docs: curvature). It works behind and before any operation, since it needs
    ``weight.grad`` and the layer's inputs only. :func:`project_grad_` is the same as a function.

    Parameters
    ----------
    model : Module
    solver : str, Solver, or mapping of layer-name patterns to these
        ``{"0": "cpsat", "*": "auto"}``: the first pattern that matches counts (fnmatch). "auto" is the built-in descent
        for "curvature", annealing for "margin", and for "sign" the solver "auto" within a work budget of seconds.
    projection : {"curvature", "sign", "margin", "linear", "metric"}
        What V minimises: the model above; ‖σ(X Vᵀ) − T‖², that of the article; Σ|T| (X Vᵀ − κ√d sign T)²;
        ‖α X Vᵀ − T‖²; (V − g)ᵀM(V − g), g = −∂L/∂W.
    tau : float or "auto"
        Of "curvature": ρ_j = τ ‖h_j‖₁/(sign(h_j)ᵀ A sign(h_j)). 0 is signSGD with momentum; 4 suits networks of signs
        without normalisation, ½ and less those with BatchNorm behind every binary layer. "auto" is 1, unless an
        optimiser with a closure chooses it (:class:`~qproj.optim.QPSBGD`).
    momentum : float
        β of the running mean of the gradient, of "curvature".
    sweeps : int, optional
        The work budget: 5 sweeps of flips for "curvature", 20 of annealing for "margin".
    filter : float
        Of "curvature", for few labels: λ of h ← h A (A + λ tr(A)/d I)⁻¹ in the first layer; 0: off.
    filter_rows : (n, d) Tensor, optional
        Inputs of the first layer, labelled or not, whose second moment stands for A in that filter; by default A is
        that of the recorded rows. All nodes of a graph, or all images of which a few have labels.
    refresh : int
        Of "curvature": steps between two second moments.
    max_rows : int
        Rows per pass that a second moment is taken of, and rows of the built-in searches for "sign" and "margin"; of
        more, so many are drawn at random.
    targets : {"preactivations", "outputs"}
        T of "sign", "margin" and "linear": −∂L/∂Z, the straight-through window inside; or −∂L/∂Y, that of the article.
    seed : int
        Step k and layer i draw from SeedSequence((seed, k, i)).
    time_limit_s : float, optional
        For all layers of a step together.
    num_reads : int, optional
        For solvers that sample.
    kappa : float
        κ of "margin".
    scale : float or "least-squares"
        α of "linear".
    metric : (d, d) array_like, optional
        M of "metric"; identity by default, that is V = sign(g).
    every : int
        Solve every k-th step only; the last V stands in between.
    hint : {None, "last", "weights"}
        Start a named solver from the last V, or from σ(W).
    audit : int
        Solve every k-th step of "curvature", "sign" or "margin" with `audit_solver` too and report the difference; 0:
        never.
    audit_solver : str or Solver
    error_if_nonfinite : bool
        Raise where a gradient is not finite, which waits for the device. Else such a gradient stays as it is, so that a
        GradScaler skips the step, and no state changes.
    group : torch.distributed.ProcessGroup, optional
        The default group where torch.distributed was set up: second moments and rows are those of all ranks. Where
        ranks have different numbers of batches, pass the projector to ``Join`` too: ``with Join([model, projector])``.

    Attributes
    ----------
    settings : ProjectionSettings
        The options; ``tau``, ``kappa`` and ``time_limit_s`` may be changed between steps.
    step : int
        The number of projections so far.

    Raises
    ------
    TypeError, ValueError
        An argument that is not allowed, with those that are, at construction.
    """

    def __init__(
        self, model: nn.Module, solver: Any = "auto", *, projection: str = "curvature", tau: float | str = "auto",
        momentum: float = 0.8, sweeps: int | None = None, filter: float = 0.0, filter_rows: Tensor | None = None,
        refresh: int = 8, max_rows: int = 8192,
        targets: str = "preactivations", seed: int = 0, time_limit_s: float | None = None,
        num_reads: int | None = None, kappa: float = 3.0, scale: float | str = "least-squares",
        metric: ArrayLike | None = None, every: int = 1, hint: str | None = None, audit: int = 0,
        audit_solver: Any = "cpsat", error_if_nonfinite: bool = False, group: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.settings = ProjectionSettings(
            projection=projection, tau=checked_tau(tau), momentum=float(momentum),
            sweeps=SWEEPS.get(projection, 0) if sweeps is None else sweeps, filter=float(filter),
            filter_rows=filter_rows, refresh=refresh,
            max_rows=max_rows, targets=targets, seed=seed, time_limit_s=time_limit_s, num_reads=num_reads, kappa=kappa,
            scale=scale, metric=checked_metric(metric), every=every, hint=hint, audit=audit,
            error_if_nonfinite=error_if_nonfinite, group=group,
        )  # fmt: skip
        self.model, self.chooses_tau, self.step = model, isinstance(tau, str), 0
        self._written: Tensor | None = None  # of the first step, for _notice_scaling
        self._size: Tensor | None = None
        layers = require_binary_layers(model)
        built_in = projection in ("curvature", "margin", "sign")
        chosen = dict(solver) if isinstance(solver, Mapping) else {"*": solver}
        self._solvers = {p: one if built_in and one == "auto" else get_solver(one) for p, one in chosen.items()}
        self._directions: CurvatureDirections | TargetDirections
        if projection == "curvature":
            self._directions = CurvatureDirections(self.settings, get_solver(audit_solver) if audit else None)
        else:
            self._directions = TargetDirections(self.settings, get_solver(audit_solver) if audit else None)
        for layer in layers.values():
            layer.recorder.watch(layer.weight)
            layer.recorder.keeps_targets = projection not in ("curvature", "metric")

    def project_grad_(self) -> ProjectionReport:
        """Set W.grad ← −V in every binary layer that has a gradient; all else stays as it is.

        Raises
        ------
        ValueError
            A layer whose rows were not recorded or cannot be projected, or a gradient that is not finite with
            ``error_if_nonfinite``; no gradient has been changed then.
        """
        layers = binary_layers(self.model)
        todo = {name: layer for name, layer in layers.items() if layer.weight.grad is not None}
        if not todo:
            if all(not layer.weight.requires_grad for layer in layers.values()):
                return ProjectionReport(())
            raise ValueError("no binary weight has a gradient: call loss.backward() before projecting")
        if self.settings.error_if_nonfinite:
            _require_finite(todo, self.settings.group)
        self._notice_scaling()
        places = {name: i for i, name in enumerate(layers)}
        clock = _SharedTime(self.settings.time_limit_s, [layer.weight.numel() for layer in todo.values()])
        steps: list[Direction] = []
        for name, layer in todo.items():
            place = (self.step, places[name])
            steps.append(self._directions.direction(name, layer, place, self._solver_of(name), clock.next_share()))
        for step, layer in zip(steps, todo.values()):
            grad = layer.weight.grad
            V = step.V.reshape(grad.shape)
            if grad.is_cpu and step.finite:
                _negate_(grad, V)
            else:
                grad.copy_(torch.where(step.finite, V.neg().to(grad.dtype), grad))
            layer.recorder.take()
            if self.step == 0:
                self._written = grad
        self.step += 1
        return ProjectionReport(tuple(step.report for step in steps))

    def directions(self, tau: float) -> dict[nn.Parameter, Tensor]:
        """Return V of every layer for another τ, from the present mean and second moments; no state changes."""
        if not isinstance(self._directions, CurvatureDirections):
            raise ValueError(f"projection={self.settings.projection!r} has no tau; use projection='curvature'")
        layers = binary_layers(self.model)
        return {
            layers[name].weight: V.reshape(layers[name].weight.shape).to(layers[name].weight.dtype)
            for name, V in self._directions.directions(tau).items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything that later steps depend on: training continues bit for bit."""
        return {
            "step": self.step,
            "tau": self.settings.tau,
            "projection": self.settings.projection,
            "layers": self._directions.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken.

        Raises
        ------
        ValueError
            The state of another projection, or layers that this model does not have.
        """
        if state.get("projection") != self.settings.projection:
            raise ValueError(
                f"the state is that of projection={state.get('projection')!r}, and this projector has "
                f"{self.settings.projection!r}: make it with the options that it was saved with"
            )
        layers = binary_layers(self.model)
        unknown = sorted(set(state["layers"]) - set(layers))
        if unknown:
            raise ValueError(f"the state holds layers {unknown}, which this model lacks: load it into its own model")
        self.step, self.settings.tau = int(state["step"]), float(state["tau"])
        self._directions.load_state_dict(state["layers"], layers)

    # torch.distributed's Join: ranks with different numbers of batches

    def join_hook(self, **options: Any) -> JoinHook:
        """Return what a rank without further batches does in the steps of the others."""
        if not isinstance(self._directions, CurvatureDirections):
            raise ValueError(
                f"projection={self.settings.projection!r} gathers rows of all ranks in every step; give all ranks the "
                "same number of batches (drop_last=True), or use projection='curvature'"
            )
        return UnevenBatches(self._directions.follow, self._directions.tensors, self.settings.group)

    @property
    def join_device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    @property
    def join_process_group(self) -> Any:
        """The group whose rows count."""
        return self.settings.group or torch.distributed.group.WORLD

    def _notice_scaling(self) -> None:
        """Log a warning where the first −V was divided by a power of two: by a GradScaler that unscaled it too late.

        V itself does not depend on the scale of the gradient. The number is sent for at the second step and read at the
        third, so that nobody waits for the device.
        """
        if self.step == 1 and self._written is not None and not self._written.is_meta:
            self._size = self._written.abs().max().to("cpu", non_blocking=True)
        elif self.step == 2 and self._size is not None:
            size = float(self._size)
            if 0 < size < 1 and math.frexp(size)[0] == 0.5:
                _LOG.warning(
                    "after the first projection, gradients were divided by %g: with a GradScaler, call "
                    "scaler.unscale_(optimizer) before project_grad_, or steps are as much too small",
                    1 / size,
                )
        self._written = None

    def _solver_of(self, name: str) -> Any:
        for pattern, solver in self._solvers.items():
            if fnmatchcase(name, pattern):
                return solver
        raise ValueError(f"no solver for layer {name!r}; patterns are {', '.join(map(repr, self._solvers))}: add '*'")


def _negate_(grad: Tensor, V: Tensor) -> None:
    """Set grad ← −V."""
    if grad.is_contiguous() and V.is_contiguous() and grad.dtype == V.dtype == torch.float32:
        negate_on_cpu_(grad, V)
    else:
        grad.copy_(V).neg_()


class _SharedTime:
    """The time limit of a step, shared among its layers by their number of weights; what one leaves, the others get."""

    def __init__(self, limit_s: float | None, costs: list[int]) -> None:
        self._limit_s, self._costs, self._start = limit_s, costs, time.perf_counter()

    def next_share(self) -> float | None:
        """Return the seconds of the next layer, never 0, which no solver takes; None without a limit."""
        if self._limit_s is None:
            return None
        share = self._costs[0] / sum(self._costs)
        del self._costs[0]
        return max((self._limit_s - (time.perf_counter() - self._start)) * share, 1e-3)


_PROJECTORS: weakref.WeakKeyDictionary[nn.Module, tuple[dict[str, Any], Projector]] = weakref.WeakKeyDictionary()


def project_grad_(model: nn.Module, solver: Any = "auto", **options: Any) -> ProjectionReport:
    """Set W.grad ← −V in every binary layer, V ∈ {±1}^(dout×d) the best step of a quadratic model of the loss.

    V_j = argmin over v of −h_j·v + ½ρ_j vᵀAv per neuron; ``projection="sign"`` is that of arXiv 2310.15128. In place,
    after ``loss.backward()``; any torch optimiser can step then. Gradients of everything else, and of binary weights
    that have none, are left bit for bit.

    The running mean, the second moment and the last V are kept for this model between calls, by a
    :class:`Projector` that :func:`projector_of` returns, for checkpoints. Other options than at the last call begin
    again without them.

    Parameters
    ----------
    model : Module
        With layers of :mod:`qproj.nn`, in training mode; they record their inputs themselves.
    solver : str, Solver, or mapping of layer-name patterns to these
    **options
        As for :class:`Projector`.

    Returns
    -------
    ProjectionReport
        Per layer: alignment ⟨−∇f, V⟩/‖∇f‖, cosine, agreement with sign(h), objective, gap, seconds.

    Raises
    ------
    TypeError, ValueError
        As for :class:`Projector`; a layer that cannot be projected. Nothing has been changed then.

    Examples
    --------
    >>> import torch
    >>> from qproj.nn import BinaryLinear
    >>> model = BinaryLinear(8, 2)
    >>> model(torch.randn(4, 8)).square().mean().backward()
    >>> report = project_grad_(model)
    >>> sorted(set(model.weight.grad.abs().flatten().tolist()))
    [1.0]
    """
    return projector_of(model, solver, **options).project_grad_()


def projector_of(model: nn.Module, solver: Any = "auto", **options: Any) -> Projector:
    """Return the projector that :func:`project_grad_` keeps for a model; its state goes into checkpoints.

    Without options, the one of the last call is returned, and a default one is made where there was none.
    """
    known = _PROJECTORS.get(model)
    given = {"solver": solver, **options}
    if known is not None and (known[0] == given or given == {"solver": "auto"}):
        return known[1]
    made = Projector(model, solver, **options)
    _PROJECTORS[model] = (given, made)
    return made


def _require_finite(todo: Mapping[str, BinaryLayer], group: Any) -> None:
    """Raise ValueError on every rank where a gradient is not finite on any of them."""
    bad = torch.stack([~is_finite(layer.weight.grad) for layer in todo.values()]).float()
    sum_over_ranks(bad, group=group)
    for name, ranks in zip(todo, bad.tolist()):
        if ranks:
            raise ValueError(f"the gradient of layer {name!r} is not finite: the loss diverged; lower the step size")

"""The projection of a model's gradients, with everything that can be chosen about it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from qproj._arrays import FloatArray, SignArray
from qproj.nn.binary_layer import BinaryLayer, binary_layers
from qproj.optim.batch import Batch, gather
from qproj.optim.distributed import gather_rows, join, my_share
from qproj.optim.kinds import PROJECTIONS, Ask, Projected, project_layer, project_metric, sign_scores
from qproj.optim.report import LayerReport, ProjectionReport
from qproj.solvers import get_solver
from qproj.solvers.contract import check_limits

_WARM = (None, "last", "weights")


class Projector:
    """V = argmin over {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F for every binary layer of a model, after ``loss.backward()``.

    :func:`project_grad_` in the form of an object: for what takes more than one step.

    Parameters
    ----------
    model : Module
    solver : str, Solver, or mapping of layer-name patterns to these
        ``{"0": "cpsat", "*": "auto"}``: the first pattern that matches counts (fnmatch).
    projection : {"sign", "margin", "linear", "metric"}
        What V minimises: the paper's; Σ|T| (X Vᵀ − κ√d sign T)²; ‖α X Vᵀ − T‖²; (V − g)ᵀM(V − g), g = −∂L/∂W.
    seed : int
        Step k and layer i draw from SeedSequence((seed, k, i)).
    time_limit_s : float, optional
        For all layers of a step together.
    num_reads : int, optional
        For solvers that sample.
    kappa, sweeps : float, int
        Of "margin": κ, and the sweeps of its built-in search (solver "auto"; any other gets the QUBO).
    scale : float or "least-squares"
        α of "linear".
    metric : (d, d) array_like, optional
        M of "metric"; identity by default, that is V = sign(g).
    every : int
        Solve every k-th step only; the last V stands in between.
    warm_start : {None, "last", "weights"}
        Hint the solver with the last V, or with σ(W).
    audit : int
        Solve every k-th step with `audit_solver` too and report the difference; 0: never.
    audit_solver : str or Solver
    group : torch.distributed.ProcessGroup, optional
        The default group where torch.distributed was set up: rows are gathered, neurons shared.

    Raises
    ------
    TypeError, ValueError
        What is not allowed, with what is, at construction.
    """

    def __init__(
        self, model: nn.Module, solver: Any = "auto", *, projection: str = "sign", seed: int = 0,
        time_limit_s: float | None = None, num_reads: int | None = None, kappa: float = 3.0, sweeps: int = 20,
        scale: float | str = "least-squares", metric: ArrayLike | None = None, every: int = 1,
        warm_start: str | None = None, audit: int = 0, audit_solver: Any = "cpsat", group: Any = None,
    ) -> None:  # fmt: skip
        check_limits(time_limit_s, seed, num_reads)
        if projection not in PROJECTIONS:
            raise ValueError(f"projection is {projection!r}; {', '.join(map(repr, PROJECTIONS))} are allowed")
        if warm_start not in _WARM:
            raise ValueError(f"warm_start is {warm_start!r}; None, 'last' or 'weights' is allowed")
        if every < 1 or audit < 0 or sweeps < 0:
            given = f"every={every}, audit={audit}, sweeps={sweeps}"
            raise ValueError(f"{given}; every ≥ 1, audit ≥ 0 (0: never) and sweeps ≥ 0 are allowed")
        if metric is not None and projection != "metric":
            raise ValueError(f"metric belongs to projection='metric', not {projection!r}: leave one of them out")
        if audit and projection not in ("sign", "margin"):
            raise ValueError(f"audit compares sign gains; projection={projection!r} has none: set audit=0")
        if not binary_layers(model):
            raise ValueError(
                f"{type(model).__name__} has no binary layer: build it with qproj.nn.BinaryLinear and others"
            )
        self.model = model
        self.projection, self.seed, self.kappa, self.sweeps, self.scale = projection, seed, kappa, sweeps, scale
        self.time_limit_s, self.num_reads = time_limit_s, num_reads
        self.metric = None if metric is None else np.asarray(metric, np.float64)
        self.every, self.warm_start, self.audit, self.group = every, warm_start, audit, group
        self.step = 0
        self.last: dict[str, Tensor] = {}
        self._solvers = _by_pattern(solver, margin=projection == "margin")
        self._audit_solver = get_solver(audit_solver) if audit else None

    def project_grad_(self) -> ProjectionReport:
        """Set W.grad ← −V in every binary layer that has a gradient; all else stays as it is.

        Raises
        ------
        ValueError
            A layer whose rows were not captured or cannot be projected; no gradient has been changed then.
        """
        layers = binary_layers(self.model)
        todo = {name: layer for name, layer in layers.items() if layer.weight.grad is not None}
        if not todo:
            raise ValueError("no binary weight has a gradient: call loss.backward() before projecting")
        fresh = self.step % self.every == 0
        batches = {name: self._rows(name, layer, fresh) for name, layer in todo.items()}
        start = time.perf_counter()
        results: list[tuple[Tensor, LayerReport]] = []
        for i, (name, layer) in enumerate(todo.items()):
            left = None
            if self.time_limit_s is not None:
                # an equal share of what is left, and never 0, which no solver takes
                left = max((self.time_limit_s - (time.perf_counter() - start)) / (len(todo) - i), 1e-3)
            index = list(layers).index(name)
            results.append(self._project(name, layer, batches[name], index, left))
        for (V, _), (name, layer) in zip(results, todo.items()):
            assert layer.weight.grad is not None
            layer.weight.grad.copy_(-V)
            layer.captured.take()
            if self._keeps:
                self.last[name] = V
        self.step += 1
        return ProjectionReport(tuple(report for _, report in results))

    def state_dict(self) -> dict[str, Any]:
        """Return the step count and, where a later step needs them, the last V of every layer."""
        return {"step": self.step, "last": dict(self.last)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken.

        Raises
        ------
        ValueError
            Layers that this model does not have.
        """
        unknown = sorted(set(state["last"]) - set(binary_layers(self.model)))
        if unknown:
            raise ValueError(
                f"the state holds V of layers {unknown}, which this model lacks: load it into its own model"
            )
        self.step = int(state["step"])
        self.last = {name: V.clone() for name, V in state["last"].items()}

    @property
    def _keeps(self) -> bool:
        return self.every > 1 or self.warm_start == "last"

    def _rows(self, name: str, layer: BinaryLayer, fresh: bool) -> Batch | None:
        if self.projection == "metric" or (not fresh and name in self.last):
            return None
        return gather(name, layer, layer.captured.rows)

    def _project(
        self, name: str, layer: BinaryLayer, batch: Batch | None, index: int, time_limit_s: float | None
    ) -> tuple[Tensor, LayerReport]:
        start = time.perf_counter()
        grad = layer.weight.grad
        assert grad is not None
        audit_gap = None
        if batch is None and self.projection != "metric":
            V = self.last[name]
            nan = float("nan")
            figures: dict[str, Any] = {
                "objective": nan,
                "bound": nan,
                "gap": nan,
                "proved": 0.0,
                "rows": 0,
                "reused": True,
            }
        else:
            ask = Ask(
                self.projection, self._solver_of(name), _seed(self.seed, self.step, index), time_limit_s,
                self.num_reads, self.kappa, self.sweeps, self.scale, self.metric,
            )  # fmt: skip
            weights = _signs(layer.weight, layer.fan_out)
            found, rows, audit_gap, failures = self._solve(name, layer, batch, ask, weights)
            V = torch.as_tensor(found.V.copy(), dtype=grad.dtype, device=grad.device).reshape(grad.shape)
            figures = {
                "objective": float(found.objective.sum()), "bound": float(found.bound.sum()),
                "gap": float(found.gap.sum()) / len(found.gap), "proved": int(found.proved.sum()) / len(found.gap),
                "rows": rows, "failures": failures,
            }  # fmt: skip
        slope, direction = (value.detach().double().cpu().numpy().ravel() for value in (grad, V))
        # sums, not BLAS: its threads wait for one another wherever the machine is busy
        norm = float(np.sqrt((slope * slope).sum()))
        aligned = -float((slope * direction).sum()) / norm if norm > 0 else float("nan")
        report = LayerReport(
            name=name, projection=self.projection, alignment=aligned, cosine=aligned / grad.numel() ** 0.5,
            seconds=time.perf_counter() - start, exact=batch is None or batch.exact,
            implicit=batch is not None and batch.implicit, audit_gap=audit_gap, **figures,
        )  # fmt: skip
        return V, report

    def _solve(
        self, name: str, layer: BinaryLayer, batch: Batch | None, ask: Ask, weights: SignArray
    ) -> tuple[Projected, int, float | None, int]:
        hints = self._hints(name, weights)
        if batch is None:
            assert layer.weight.grad is not None
            G = -layer.weight.grad.detach().double().reshape(layer.fan_out, -1).cpu().numpy()
            flat = project_metric(G, ask, hints)
            return flat, 0, None, flat.failures
        X, T = gather_rows(batch.X, batch.T, group=self.group)
        total = len(T)
        if ask.projection != "linear":  # σ − t is what it is where t = 0: such rows decide nothing
            used = T.any(axis=1)
            X, T = X[used], T[used]
        mine = my_share(layer.fan_out, self.group)
        found = _share(X, T, ask, hints, weights, mine)
        if total > len(T):  # a row left out adds σ² = 1
            more = total - len(T)
            bound = np.nextafter(found.bound + more, -np.inf)
            found = replace(found, objective=found.objective + more, bound=bound)
        whole = join(found if len(mine) else None, layer.fan_out, self.group)
        return whole, len(T), self._audited(X, T, ask, whole.V), found.failures

    def _audited(self, X: NDArray[Any], T: FloatArray, ask: Ask, V: SignArray) -> float | None:
        if self._audit_solver is None or self.step % self.audit or not T.any():
            return None
        exact = project_layer(X, T, replace(ask, projection="sign", solver=self._audit_solver, num_reads=None), None)
        better = sign_scores(X, T, V).objective - exact.objective
        return float(better.sum() / (4.0 * np.abs(T).sum()))

    def _hints(self, name: str, weights: SignArray) -> SignArray | None:
        if self.warm_start == "weights":
            return weights
        if self.warm_start == "last" and name in self.last:
            return _signs(self.last[name], len(weights))
        return None

    def _solver_of(self, name: str) -> Any:
        for pattern, solver in self._solvers.items():
            if fnmatchcase(name, pattern):
                return solver
        raise ValueError(f"no solver for layer {name!r}; patterns are {', '.join(map(repr, self._solvers))}: add '*'")


def project_grad_(model: nn.Module, solver: Any = "auto", **options: Any) -> ProjectionReport:
    """Set W.grad ← −V, V = argmin over {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, in every binary layer (arXiv 2310.15128).

    In place, after ``loss.backward()``; any torch optimiser can step then. Gradients of everything else, and of binary
    weights that have none, are left bit for bit.

    Parameters
    ----------
    model : Module
        With layers of :mod:`qproj.nn`, in training mode; they keep the rows of the backward pass themselves.
    solver : str, Solver, or mapping of layer-name patterns to these
    **options
        As for :class:`Projector`, which also keeps what takes more than one step: ``every``, ``warm_start="last"``.

    Returns
    -------
    ProjectionReport
        A layer: objective, bound, gap, alignment ⟨−∇f, V⟩/‖∇f‖, cosine, seconds.

    Raises
    ------
    TypeError, ValueError
        As for :class:`Projector`; a layer that cannot be projected. Nothing has been changed then.

    Examples
    --------
    >>> import torch
    >>> from qproj.nn import BinaryLinear
    >>> model = BinaryLinear(8, 2)
    >>> model(torch.ones(4, 8)).square().mean().backward()
    >>> report = project_grad_(model, solver="local-search")
    >>> sorted(set(model.weight.grad.abs().flatten().tolist())), report[""].gap
    ([1.0], 0.0)
    """
    return Projector(model, solver, **options).project_grad_()


def _by_pattern(solver: Any, *, margin: bool) -> dict[str, Any]:
    chosen = dict(solver) if isinstance(solver, Mapping) else {"*": solver}
    # "auto" stays a name for the margin projection, which has a search of its own for it
    return {pattern: one if margin and one == "auto" else get_solver(one) for pattern, one in chosen.items()}


def _seed(seed: int, step: int, layer: int) -> int:
    return int(np.random.SeedSequence((seed, step, layer)).generate_state(1, np.uint32)[0] >> 1)


def _signs(weight: Tensor, neurons: int) -> SignArray:
    """Return σ(W), (neurons, d): numpy's comparison of a small matrix takes a fifth of torch's."""
    values = weight.detach().double().cpu().numpy().reshape(neurons, -1)
    return np.where(values >= 0, np.int8(1), np.int8(-1))


def _share(
    X: NDArray[Any], T: FloatArray, ask: Ask, hints: SignArray | None, weights: SignArray, mine: NDArray[np.intp]
) -> Projected:
    """Return the projection of the neurons `mine`; one whose targets are all 0 keeps its weights."""
    live = mine if ask.projection == "linear" else mine[T[:, mine].any(axis=0)]
    if not len(live):
        return _at_rest(weights[mine], len(T))
    part = project_layer(X, T[:, live], ask, None if hints is None else hints[live])
    if len(live) == len(mine):
        return part
    found = _at_rest(weights[mine], len(T))
    at = np.searchsorted(mine, live)
    for name in ("V", "objective", "bound", "gap", "proved"):
        getattr(found, name)[at] = getattr(part, name)
    return replace(found, failures=part.failures)


def _at_rest(weights: SignArray, rows: int) -> Projected:
    """Return V = σ(W): optimal, like any V, for a neuron whose targets are all 0, and the one that changes no sign."""
    count = len(weights)
    value = np.full(count, float(rows))  # Σ (σ − 0)²
    return Projected(weights.copy(), value, value.copy(), np.zeros(count), np.ones(count, bool))

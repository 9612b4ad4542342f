"""The problems that solvers are checked on, smallest first: projections, BQMs and CQMs, ordinary and degenerate."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import dimod
import numpy as np

from qproj.projections import LinearProjection, MetricProjection, SignProjection
from qproj.testing.checked_problem import Case
from qproj.testing.constrained_cases import constrained_cases, market_split


def case(name: str) -> Any:
    """Return the problem of a case by name, to reproduce a failure."""
    if name == "a market split":
        return market_split()
    for each in cases(hard=True):
        if each.name == name:
            return each.make()
    raise ValueError(f"unknown case {name!r}; qproj.testing.cases() lists them")


@cache
def cases(*, hard: bool = False) -> tuple[Case, ...]:
    """Return all cases, smallest first; with ``hard`` those too that no solver finishes in a second."""
    found = [*_projections(), *_bqms(), *constrained_cases(), *(_hard() if hard else [])]
    return tuple(sorted(found, key=lambda c: c.size))


def _projections() -> list[Case]:
    def sign(n: int, d: int, seed: int, **change: Any) -> Callable[[], SignProjection]:
        def make() -> SignProjection:
            rng = np.random.default_rng(seed)
            X, t = rng.choice([-1, 1], (n, d)), rng.normal(size=n)
            if change.get("real"):
                X = rng.normal(size=(n, d))
            if change.get("merge") and n > 2 and d > 2:
                X[1], X[2] = X[0], -X[0]
                X[:, 1] = -X[:, 0]
            if change.get("ties"):
                t = np.sign(t)
            if change.get("zero"):
                t = np.zeros(n)
            return SignProjection(X, t * change.get("scale", 1.0))

        return make

    rows: list[tuple[str, int, int, int, dict[str, Any], set[str]]] = [
        ("one weight", 3, 1, 0, {}, {"degenerate"}),
        ("one row", 1, 4, 1, {}, {"degenerate"}),
        ("two weights", 4, 2, 2, {}, set()),
        ("odd fan-in", 6, 3, 3, {}, set()),
        ("even fan-in with merges", 8, 4, 4, {"merge": True}, set()),
        ("odd fan-in with merges", 8, 5, 5, {"merge": True}, set()),
        ("all targets zero", 5, 4, 6, {"zero": True}, {"degenerate"}),
        ("ties", 12, 5, 7, {"ties": True}, set()),
        ("tiny targets", 10, 5, 8, {"scale": 1e-15}, {"scale"}),
        ("huge targets", 10, 5, 8, {"scale": 1e12}, {"scale"}),
        ("six weights", 14, 6, 9, {}, {"reads"}),
        ("nine weights", 20, 9, 10, {}, {"reads"}),
        ("seven weights", 15, 7, 13, {}, set()),
        ("eight weights", 18, 8, 14, {}, set()),
        ("ten weights", 20, 10, 15, {}, set()),
        ("eleven weights", 22, 11, 16, {}, set()),
        ("twelve weights", 24, 12, 17, {}, set()),
        ("seventy rows", 70, 6, 18, {}, set()),
        ("a hundred and thirty rows", 130, 7, 19, {}, set()),
        ("real inputs", 12, 6, 22, {"real": True}, set()),
        ("real inputs, odd fan-in", 9, 5, 23, {"real": True}, set()),
        ("fifteen weights", 28, 15, 24, {}, {"middle"}),
        ("thirteen weights", 24, 13, 11, {}, {"middle"}),
        ("nineteen weights", 40, 19, 12, {}, {"middle"}),
    ]
    found = [
        Case(f"sign projection, {name}", "projection", d, sign(n, d, seed, **change), frozenset(tags))
        for name, n, d, seed, change, tags in rows
    ]

    def linear() -> LinearProjection:
        rng = np.random.default_rng(20)
        return LinearProjection(rng.choice([-1, 1], (7, 5)), rng.normal(size=7), scale=0.5)

    def metric() -> MetricProjection:
        rng = np.random.default_rng(21)
        root = rng.normal(size=(5, 5))
        return MetricProjection(root @ root.T, rng.normal(size=5))

    found.append(Case("linear projection", "projection", 5, linear))
    found.append(Case("metric projection", "projection", 5, metric))
    return found


#: Labels of types that do not compare with one another, in an arbitrary order.
LABELS: tuple[Any, ...] = ("b", 7, ("w", 2), frozenset({1}), "a", -1, ("w", 1), 3.5)


def _bqms() -> list[Case]:
    def random(N: int, seed: int, vartype: str, *, labels: bool = False, scale: float = 1.0) -> Callable[[], Any]:
        def make() -> dimod.BinaryQuadraticModel:
            rng = np.random.default_rng(seed)
            names = list(LABELS[:N]) if labels else list(range(N))
            linear = {v: scale * rng.normal() for v in names}
            quadratic = {
                (names[i], names[j]): scale * rng.normal() for i in range(N) for j in range(i) if rng.random() < 0.7
            }
            return dimod.BinaryQuadraticModel(linear, quadratic, scale * 3.25, vartype)

        return make

    def apart(vartype: str) -> Callable[[], Any]:
        def make() -> dimod.BinaryQuadraticModel:
            quadratic = {(0, 1): 1.5, (2, 3): -2.0, (4, 5): 0.75}
            return dimod.BinaryQuadraticModel({0: -1.0, 2: 0.5, 4: 0.25, 6: -0.5, 7: 0.0}, quadratic, -1.0, vartype)

        return make

    found = []
    for vartype in ("BINARY", "SPIN"):
        name = vartype.lower()
        found += [
            Case(f"{name} model without variables", "bqm", 0,
                 partial(dimod.BinaryQuadraticModel, {}, {}, 2.5, vartype), frozenset({"degenerate"})),
            Case(f"{name} model of one variable", "bqm", 1,
                 partial(dimod.BinaryQuadraticModel, {"x": 1.0}, {}, -4.0, vartype), frozenset({"degenerate"})),
            Case(f"{name} model that is constant", "bqm", 3,
                 partial(dimod.BinaryQuadraticModel, dict.fromkeys("abc", 0.0), {}, 1.5, vartype),
                 frozenset({"degenerate"})),
            Case(f"{name} model in pieces", "bqm", 8, apart(vartype), frozenset({"pieces"})),
            Case(f"{name} model", "bqm", 6, random(6, 30, vartype), frozenset({"reads"})),
            Case(f"{name} model with labels of many types", "bqm", 8, random(8, 31, vartype, labels=True),
                 frozenset({"labels", "reads"})),
            Case(f"{name} model with huge coefficients", "bqm", 5, random(5, 32, vartype, scale=1e9),
                 frozenset({"scale"})),
            Case(f"{name} model with tiny coefficients", "bqm", 5, random(5, 33, vartype, scale=1e-9),
                 frozenset({"scale"})),
            Case(f"{name} model of fourteen variables", "bqm", 14, random(14, 34, vartype), frozenset({"middle"})),
            Case(f"{name} model of twenty variables", "bqm", 20, random(20, 35, vartype), frozenset({"middle"})),
        ]  # fmt: skip
    return found


def _hard() -> list[Case]:
    def sign() -> SignProjection:
        rng = np.random.default_rng(40)
        return SignProjection(rng.choice([-1, 1], (160, 60)), rng.normal(size=160))

    def glass() -> dimod.BinaryQuadraticModel:
        rng = np.random.default_rng(41)
        N = 90
        quadratic = {(i, j): float(rng.normal()) for i in range(N) for j in range(i)}
        return dimod.BinaryQuadraticModel({}, quadratic, 0.0, "SPIN")

    return [
        Case("sign projection that takes too long", "projection", 60, sign, frozenset({"hard"})),
        Case("spin glass that takes too long", "bqm", 90, glass, frozenset({"hard"})),
    ]

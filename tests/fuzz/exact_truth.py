"""Small problems with their whole truth in exact arithmetic, and the judgement of an answer by it."""

import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import dimod
import numpy as np

from qproj.solvers import Status

#: What rounding may cost where a projection's gains are float64 sums of products, relative to Σ of the terms' sizes.
ROUNDING = Fraction(1, 10**12)
#: By how much a row that cannot be counted may be exceeded, relative to its largest number: qproj's own rule.
TOLERANCE = Fraction(101, 10**11)


def whole(numbers):
    """Return floats as whole multiples of one power of two, exactly: (numerators, common denominator)."""
    ratios = [float(x).as_integer_ratio() for x in numbers]
    common = max((d for _, d in ratios), default=1)
    return [n * (common // d) for n, d in ratios], common


def polynomial(states, linear, pairs, offset):
    """Return Σ a_i x_i + Σ b_ij x_i x_j + offset of every state, exactly, and the largest size of each term."""
    numbers, common = whole([*(a for _, a in linear), *(b for *_, b in pairs), offset])
    values, sizes = np.full(len(states), numbers[-1], object), []
    for (i, _), a in zip(linear, numbers, strict=False):
        terms = states[:, i] * a
        values = values + terms
        sizes.append(max(map(abs, terms)))
    for (i, j, _), b in zip(pairs, numbers[len(linear) :], strict=False):
        terms = states[:, i] * states[:, j] * b
        values = values + terms
        sizes.append(max(map(abs, terms)))
    return [Fraction(v, common) for v in values], [Fraction(size, common) for size in sizes]


def plain_slack(sizes, numbers):
    """Return what rounding may cost in a plain model: nothing where whole numbers add up to less than 2^53.

    Else 4 ε (m + 1) Σ of the m terms' sizes, without the offset.
    """
    total = sum(sizes, Fraction(0))
    if total < 2**52 and all(float(a).is_integer() for a in numbers):
        return None
    return 4 * (len(sizes) + 1) * Fraction(1, 2**52) * total


@dataclass
class Instance:
    """A problem and what is true of it.

    Attributes
    ----------
    states : (k, n) object array of Python integers
        Every assignment.
    values : list of k Fractions
        The objective of each.
    strict, loose : (k,) of bool
        Which states meet every row exactly, and which within qproj's tolerance (1e-9 of the row's largest number;
        rows of whole numbers over whole variables have none).
    scale : Fraction
        What rounding errors of the objective are relative to.
    slack : Fraction or None
        By how much an optimum may be missed where sums of float64 numbers decide: 4 ε (n + 1) Σ|t| in the gain of a
        sign projection, the same of m terms in a plain model, 1e-12 of all terms where products are summed. None:
        whole numbers, so an optimum is missed where a gain is larger in float64.
    bound_slack : Fraction
        By how much a bound may exceed the optimum: 0 but where violations of soft rows are counted in decimal units.
    constant : Fraction
        gain = constant − objective, in plain models.
    """

    kind: str
    problem: Any
    states: Any
    values: list
    scale: Fraction
    strict: Any = None
    loose: Any = None
    slack: Any = None
    bound_slack: Fraction = Fraction(0)
    constant: Fraction = Fraction(0)
    place: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.strict is None:
            self.strict = self.loose = np.ones(len(self.states), bool)
        self.place = {tuple(state): k for k, state in enumerate(self.states.tolist())}
        self.best = min((v for v, s in zip(self.values, self.strict, strict=True) if s), default=None)


def states_of(ranges):
    return np.array(list(itertools.product(*ranges)), object).reshape(-1, len(ranges))


def of_sign(kind, problem):
    states = states_of([(-1, 1)] * problem.num_weights)
    rows, _ = whole(np.asarray(problem.X, float).ravel())
    t, common = whole(problem.t)
    sums = states @ np.array(rows, object).reshape(problem.X.shape).T
    signs = np.where(sums >= 0, 1, -1).astype(object)
    gains = signs @ np.array(t, object)
    constant = len(t) + sum(Fraction(x) ** 2 for x in map(float, problem.t))
    scale = sum(map(abs, map(Fraction, problem.t.tolist())), Fraction(0))
    slack = 8 * (len(t) + 1) * Fraction(1, 2**52) * scale
    values = [constant - 2 * Fraction(g, common) for g in gains]
    return Instance(kind, problem, states, values, constant + scale, slack=slack)


def of_linear(problem):
    states = states_of([(-1, 1)] * problem.num_weights)
    rows = [[Fraction(float(x)) for x in row] for row in np.asarray(problem.X)]
    alpha, t = Fraction(problem.scale), [Fraction(x) for x in problem.t.tolist()]
    a = [Fraction(x) for x in problem.sample_weight.tolist()]
    values = [
        sum(w * (alpha * sum(x * v for x, v in zip(row, state)) - y) ** 2 for w, row, y in zip(a, rows, t, strict=True))
        for state in states.tolist()
    ]
    scale = sum(w * (abs(alpha) * sum(map(abs, row)) + abs(y)) ** 2 for w, row, y in zip(a, rows, t, strict=True))
    return Instance("linear projection", problem, states, values, scale, slack=ROUNDING * scale)


def of_quadratic_form(kind, problem, M, g, h=None):
    """(v − g)ᵀM(v − g), or ½ vᵀMv − h·v."""
    n = len(M)
    states = states_of([(-1, 1)] * n)
    m = [[(Fraction(M[i][j]) + Fraction(M[j][i])) / 2 for j in range(n)] for i in range(n)]
    values, scale = [], Fraction(0)
    for state in states.tolist():
        if h is None:
            r = [v - Fraction(float(x)) for v, x in zip(state, g, strict=True)]
            values.append(sum(m[i][j] * r[i] * r[j] for i in range(n) for j in range(n)))
            scale = max(scale, sum(abs(m[i][j] * r[i] * r[j]) for i in range(n) for j in range(n)))
        else:
            square = sum(m[i][j] * state[i] * state[j] for i in range(n) for j in range(n)) / 2
            values.append(square - sum(Fraction(float(x)) * v for x, v in zip(h, state, strict=True)))
            scale = sum(map(abs, itertools.chain(*m))) / 2 + sum(abs(Fraction(float(x))) for x in h)
    return Instance(kind, problem, states, values, scale, slack=ROUNDING * scale)


def of_bqm(kind, bqm):
    order = {v: i for i, v in enumerate(bqm.variables)}
    states = states_of([(-1, 1) if bqm.vartype is dimod.SPIN else (0, 1)] * len(order))
    linear = [(order[v], b) for v, b in bqm.iter_linear()]
    pairs = [(order[u], order[v], b) for u, v, b in bqm.iter_quadratic()]
    values, sizes = polynomial(states, linear, pairs, bqm.offset)
    offset = Fraction(float(bqm.offset))
    slack = plain_slack(sizes, [*(a for _, a in linear), *(b for *_, b in pairs)])
    return Instance(kind, bqm, states, values, sum(sizes, abs(offset)), slack=slack, constant=offset)


def of_cqm(kind, cqm):
    order = {v: i for i, v in enumerate(cqm.variables)}
    ranges = [
        (-1, 1) if cqm.vartype(v) is dimod.SPIN
        else range(math.ceil(cqm.lower_bound(v)), math.floor(cqm.upper_bound(v)) + 1)
        for v in cqm.variables
    ]  # fmt: skip
    states = states_of(ranges)

    def sums(view):
        linear = [(order[v], b) for v, b in view.iter_linear()]
        return polynomial(states, linear, [(order[u], order[v], b) for u, v, b in view.iter_quadratic()], view.offset)

    values, sizes = sums(cqm.objective)
    constant = Fraction(float(cqm.objective.offset))
    scale, soft = sum(sizes, abs(constant)), False
    numbers = [b for _, b in cqm.objective.iter_linear()] + [b for *_, b in cqm.objective.iter_quadratic()]
    slack = plain_slack(sizes, numbers)
    strict, loose = np.ones(len(states), bool), np.ones(len(states), bool)
    for row in cqm.constraints.values():
        left, terms = sums(row.lhs)
        right, sense = Fraction(float(row.rhs)), row.sense.value
        over = [x - right if sense == "<=" else right - x if sense == ">=" else abs(x - right) for x in left]
        missed = [max(x, Fraction(0)) for x in over]
        if row.lhs.is_soft():
            weight, square = Fraction(float(row.lhs.weight())), row.lhs.penalty() == "quadratic"
            costs = [weight * (x * x if square else x) for x in missed]
            values = [v + c for v, c in zip(values, costs, strict=True)]
            scale += max(costs) + weight * sum(terms, Fraction(0))
            soft = True
            continue
        numbers = [b for _, b in row.lhs.iter_linear()] + [b for *_, b in row.lhs.iter_quadratic()]
        largest = max([abs(right - Fraction(float(row.lhs.offset))), *(abs(Fraction(float(b))) for b in numbers)])
        exact = all(float(b).is_integer() for b in [*numbers, row.lhs.offset, float(right)])
        strict &= np.array([x == 0 for x in missed])
        loose &= np.array([x <= (0 if exact else TOLERANCE * largest) for x in missed])
    slack = ROUNDING * scale if soft else slack
    bound_slack = ROUNDING * scale if soft else Fraction(0)
    return Instance(kind, cqm, states, values, scale, strict, loose, slack, bound_slack, constant)


def false_words(instance, solution):
    """Return what an answer says that is not true, one sentence each."""
    found = []
    opt, status = instance.best, solution.status
    if status is Status.INFEASIBLE and opt is not None:
        found.append("infeasible, and an assignment meets every row exactly")
    if solution.best is None:
        return [
            *found,
            *(["optimal without an incumbent"] if status is Status.OPTIMAL else []),
            *_bounds(instance, solution),
        ]
    key = tuple(int(x) for x in np.asarray(solution.best).tolist())
    if key not in instance.place or any(float(x) != y for x, y in zip(solution.best, key, strict=True)):
        return [*found, f"best is {key}, no assignment of the problem"]
    k = instance.place[key]
    value = instance.values[k]
    if not instance.loose[k]:
        found.append(f"{status} violates constraints")
    if abs(Fraction(float(solution.objective)) - value) > ROUNDING * instance.scale:
        found.append(f"objective is {solution.objective!r}, exactly {float(value)!r}")
    if status is Status.OPTIMAL and opt is not None and _missed(instance, value):
        found.append(
            f"optimal, and {float(value - opt)!r} above the optimum {float(opt)!r} (scale {float(instance.scale)!r})"
        )
    return [*found, *_bounds(instance, solution)]


def _missed(instance, value):
    """Return whether an assignment of this objective is not optimal."""
    if instance.slack is not None:
        return value > instance.best + instance.slack
    return float(instance.constant - value) < float(instance.constant - instance.best)


def _bounds(instance, solution):
    found = []
    if solution.bound is not None and instance.best is not None:
        bound = Fraction(float(solution.bound)) if math.isfinite(solution.bound) else None
        if math.isnan(solution.bound) or (solution.bound == math.inf):
            found.append(f"bound is {solution.bound}")
        elif bound is not None and bound > instance.best + instance.bound_slack:
            over = bound - instance.best
            found.append(
                f"bound is {float(over)!r} above the optimum {float(instance.best)!r} (scale {float(instance.scale)!r})"
            )
    if solution.gap is not None and not 0 <= solution.gap <= 1:
        found.append(f"gap is {solution.gap!r}")
    return found

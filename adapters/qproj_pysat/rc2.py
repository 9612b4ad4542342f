"""RC2: core-guided MaxSAT on a linear model, its rows as totalizers or decision diagrams."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import REAL, LinearModel
from qproj.solvers import Capabilities, Found, Termination, TooLargeError
from qproj.solvers.interrupt import interruptible
from qproj.solvers.mip import MIPAdapter, mip_found
from qproj.solvers.mip_watch import LinearWatch
from qproj.solvers.whole_numbers import scaled_objective

#: Clauses at most: a totalizer of a row of n literals has about n²/2.
MOST_CLAUSES = 5_000_000
#: Nodes at most of the diagram of one row.
MOST_NODES = 100_000
#: Different weights at most that are searched stratum by stratum.
MOST_STRATA = 500


class RC2(MIPAdapter):
    """argmin objective(v) by RC2 of PySAT: projections and any BQM.

    Weighted partial MaxSAT: rows of the one-sided model become totalizers under the literal of their indicator, rows of
    real or repeated inputs decision diagrams, the objective soft clauses with whole weights. Its lower bound rises core
    by core; an incumbent comes with the proof. Objectives of few distinct weights suit it. Real targets, scaled to 52
    bits, split every core: nine weights took longer than 8 s, where 'cpsat' needs milliseconds.

    Parameters
    ----------
    oracle : str
        PySAT's SAT solver, such as "g4" (Glucose 4) or "cd19" (CaDiCaL).

    Raises
    ------
    MissingPackageError
        python-sat is not installed.
    """

    name = "rc2"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), exact=True, seed=False, hint=True, stops=False, note="MaxSAT"
    )
    extra = "sat"
    requires = ("pysat",)
    product_bytes = 3000
    floating = False

    def __init__(self, *, oracle: str = "g4") -> None:
        self.require_backend()
        from pysat.solvers import SolverNames

        known = {name for kind in vars(SolverNames).values() if isinstance(kind, tuple) for name in kind}
        if oracle not in known:
            raise ValueError(f"unknown oracle {oracle!r}; {', '.join(sorted(known))} are there")
        self.oracle = oracle

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        unit, whole, rounding = scaled_objective(model)
        formula = clauses_of(model, deadline)
        if formula is None:
            return mip_found(model, Termination.CLOCK, None, -np.inf, "the time was up before the model was built", {})
        least = formula.soften(whole)
        late = threading.Event()
        search = _search_of(formula, self.oracle, late)

        def stop() -> None:
            late.set()
            search.interrupt()

        def compute() -> list[int] | None:
            try:
                return search.compute(expect_interrupt=True)  # type: ignore[no-any-return]
            except TimeoutError:
                return None

        timer = None if deadline is None else threading.Timer(max(deadline - time.perf_counter(), 1e-3), stop)
        if timer is not None:
            timer.start()
        try:
            found = interruptible(compute, stop)
        finally:
            if timer is not None:
                timer.cancel()
        lowest = (search.cost + least) * unit
        stats = {"whole_numbers": True, "clauses": len(formula.hard), "literals": formula.top}
        search.delete()
        rounding += 2.0**-52 * abs(lowest)
        bound = lowest - rounding + model.offset
        if found is None:
            if late.is_set():
                return mip_found(model, Termination.CLOCK, None, bound, "RC2: interrupted", stats, rounding=rounding)
            return mip_found(model, Termination.REFUTED, None, -np.inf, "RC2: no assignment", stats)
        values = formula.values(found)
        return mip_found(model, Termination.PROVED, values, bound, "RC2: optimum", stats, rounding=rounding)


def _search_of(formula: Clauses, oracle: str, late: threading.Event) -> Any:
    """Return PySAT's search, which ends with TimeoutError at its next call of the oracle once `late` is set.

    PySAT itself forgets an interrupt between two calls, and counts the last core a second time after one. Strata of
    many different weights take quadratic time to find, so they are left out there.
    """
    from pysat.examples import rc2

    stratified = len({weight for _, weight in formula.soft}) <= MOST_STRATA

    class Search(rc2.RC2Stratified if stratified else rc2.RC2):  # type: ignore[misc]
        def _call_oracle(self, assumptions: list[int], expect_interrupt: bool = False) -> bool:
            # without a status the call was interrupted, without a core
            found = None if late.is_set() else super()._call_oracle(assumptions, expect_interrupt)
            if found is None:
                raise TimeoutError
            return bool(found)

    return Search(formula.weighted(), solver=oracle, adapt=len(formula.soft) <= MOST_STRATA)


@dataclass
class Clauses:
    """A linear model as clauses: variable j is low_j plus the number of its literals that are true.

    Attributes
    ----------
    low : list of int
    literals : list of list of int
        Of each variable, in falling order: one is true only where those before it are.
    hard : list of clauses
    soft : list of (literal, weight)
    top : int
        The last literal in use.
    """

    low: list[int]
    literals: list[list[int]]
    hard: list[list[int]] = field(default_factory=list)
    soft: list[tuple[int, int]] = field(default_factory=list)
    top: int = 0

    @classmethod
    def of(cls, model: LinearModel) -> Clauses:
        """Return the model's variables, without rows."""
        self = cls([int(low) for low in model.lower.tolist()], [])
        for low, high in zip(model.lower.tolist(), model.upper.tolist(), strict=True):
            count = int(high) - int(low)
            own = list(range(self.top + 1, self.top + count + 1))
            self.literals.append(own)
            self.hard += [[first, -second] for first, second in pairwise(own)]
            self.top += count
            if self.top > MOST_CLAUSES:
                raise TooLargeError(f"rc2 would need more than {MOST_CLAUSES} literals; use 'cpsat'")
        return self

    def at_least(self, terms: list[tuple[int, int]], bound: int) -> None:
        """Add Σ a·x ≥ bound: by a totalizer where all a are ±1, but for one indicator that may have any a."""
        bound -= sum(a * self.low[j] for j, a in terms)
        guards = [(j, a) for j, a in terms if abs(a) != 1 and self.literals[j]]
        if len(guards) > 1 or any(len(self.literals[j]) != 1 for j, _ in guards):
            weighed = [(abs(a), literal if a > 0 else -literal) for j, a in terms if a for literal in self.literals[j]]
            self._weigh(weighed, bound - sum(a * len(self.literals[j]) for j, a in terms if a < 0))
            return
        counted = [a * literal for j, a in terms if abs(a) == 1 for literal in self.literals[j]]
        bound += sum(literal < 0 for literal in counted)  # −x = (1 − x) − 1
        if not guards:
            self._count(counted, bound, [])
            return
        ((j, a),) = guards
        self._count(counted, bound, [self.literals[j][0]])  # where the guard is false
        self._count(counted, bound - a, [-self.literals[j][0]])

    def _weigh(self, terms: list[tuple[int, int]], bound: int) -> None:
        """Σ a·literal ≥ bound, a > 0, as a decision diagram (Eén and Sörensson, JSAT 2, 2006).

        Node (i, b) implies that literals i, i + 1, … weigh at least b, through two clauses. The
        nodes of a row of real inputs are exponentially many in their number, for few are equal.
        """
        terms = sorted(terms, reverse=True)
        rest = [*accumulate((a for a, _ in reversed(terms)), initial=0)][::-1]
        nodes: dict[tuple[int, int], int] = {}
        pending = [(0, bound)]
        while pending:
            i, b = node = pending.pop()
            if node in nodes or b <= 0 or b > rest[i]:
                continue
            self.top += 1
            nodes[node] = self.top
            pending += [(i + 1, b), (i + 1, b - terms[i][0])]
            if len(nodes) > MOST_NODES or len(self.hard) + 2 * len(nodes) > MOST_CLAUSES:
                raise TooLargeError(
                    f"rc2: the decision diagram of a row of {len(terms)} literals is too large; use 'cpsat'"
                )

        def implied(i: int, b: int) -> list[int] | None:
            """Return what a clause holds for a node: nothing where it is false, None where it is true."""
            return None if b <= 0 else [] if b > rest[i] else [nodes[i, b]]

        for (i, b), own in nodes.items():
            weight, literal = terms[i]
            for first, after in (([literal], implied(i + 1, b)), ([], implied(i + 1, b - weight))):
                if after is not None:
                    self.hard.append([-own, *first, *after])
        whole = implied(0, bound)
        if whole is not None:
            self.hard.append(whole)

    def _count(self, literals: list[int], bound: int, unless: list[int]) -> None:
        """At least `bound` of the literals are true, unless one of `unless` is."""
        from pysat.card import ITotalizer

        false_at_most = len(literals) - bound
        if bound <= 0:
            return
        if false_at_most < 0:
            self.hard.append(unless)
        elif false_at_most == 0:
            self.hard += [[*unless, literal] for literal in literals]
        elif bound == 1:
            self.hard.append([*unless, *literals])
        else:
            with ITotalizer([-literal for literal in literals], ubound=false_at_most, top_id=self.top) as counter:
                self.top = max(self.top, counter.top_id)
                self.hard += counter.cnf.clauses
                self.hard.append([*unless, -counter.rhs[false_at_most]])
        if len(self.hard) > MOST_CLAUSES:
            raise TooLargeError(f"rc2 would need more than {MOST_CLAUSES} clauses; use 'cpsat'")

    def soften(self, cost: list[int]) -> int:
        """Make the objective soft clauses, and return its least value: what no clause can lower."""
        least = 0
        for c, low, own in zip(cost, self.low, self.literals, strict=True):
            least += c * low + (min(c, 0) * len(own))
            self.soft += [(-literal if c > 0 else literal, abs(c)) for literal in own if c]
        return least

    def weighted(self) -> Any:
        """Return PySAT's formula."""
        from pysat.formula import WCNF

        formula = WCNF()
        formula.extend(self.hard)
        for literal, weight in self.soft or [(self.top + 1, 1)]:  # RC2 knows no formula without soft clauses
            formula.append([literal], weight=weight)
        return formula

    def values(self, assignment: list[int]) -> FloatArray:
        """Return the values of the model's variables."""
        true = {literal for literal in assignment if literal > 0}
        counts = [low + sum(literal in true for literal in own) for low, own in zip(self.low, self.literals)]
        return np.array(counts, np.float64)


def clauses_of(model: LinearModel, deadline: float | None) -> Clauses | None:
    """Return the model's variables and rows as clauses; None where the time is up before."""
    if (model.kinds == REAL).any():
        raise ValueError("the model has real variables; rc2 takes whole numbers: use 'highs' or 'scip'")
    clauses = Clauses.of(model)
    bounds = zip(model.row_lower.tolist(), model.row_upper.tolist(), strict=True)
    for r, ((begin, end), (low, high)) in enumerate(zip(pairwise(model.rows.indptr.tolist()), bounds, strict=True)):
        if r % 64 == 0 and deadline is not None and time.perf_counter() >= deadline:
            return None
        if begin == end:
            continue
        data = model.rows.data[begin:end]
        if not (data == np.rint(data)).all():
            raise ValueError("a row has coefficients that are not whole numbers; rc2 counts: use 'cpsat'")
        terms = [(int(j), int(a)) for j, a in zip(model.rows.indices[begin:end], data.tolist(), strict=True)]
        if np.isfinite(low):
            clauses.at_least(terms, int(np.ceil(low)))
        if np.isfinite(high):
            clauses.at_least([(j, -a) for j, a in terms], int(np.ceil(-high)))
    return clauses

"""Hostile problems of every kind, drawn from a number: scales far apart, cancelling sums, ties, rows without slack.

``python tests/fuzz/hostile.py 10000`` puts each to `auto` and, in turn, to the other solvers that take it, judges every
answer in exact arithmetic, writes tests/fuzz/hostile.json and the table of docs/reliability.md. A run that was stopped
continues where it ended.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import dimod
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from exact_truth import false_words, of_bqm, of_cqm, of_linear, of_quadratic_form, of_sign

import qproj
from qproj.formats.coo import coo_text
from qproj.formats.lp import lp_text
from qproj.formats.text import read_model
from qproj.solvers import get_solver, list_solvers

RESULTS = Path(__file__).with_name("hostile.json")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- hostile problems: written by `make hostile` -->", "<!-- end of the hostile problems -->"
#: Solvers that simulate a quantum computer or start a service: one instance in so many.
SELDOM = {"qaoa": 400, "qaoa-fast": 100, "schrodinger": 100, "dwave-emulated": 60}
#: Beside `auto`, so many of the other solvers per instance, in turn.
BESIDE = 3
SEED = 14


# numbers --------------------------------------------------------------------------------------------------------------


def numbers(rng, n):
    """Return n coefficients of one of the kinds that break floating point."""
    kind = rng.integers(10)
    if kind == 0:
        return rng.integers(-9, 10, n).astype(float)
    if kind == 1:  # decimals that are not binary fractions
        return np.round(rng.uniform(-1, 1, n), int(rng.integers(1, 4)))
    if kind == 2:
        return rng.normal(size=n) * 10.0 ** int(rng.integers(-15, 16))
    if kind == 3:  # far apart
        return rng.normal(size=n) * 10.0 ** rng.integers(-9, 10, n)
    if kind == 4:  # one that hides the others
        found = rng.normal(size=n) * 5e-14
        found[rng.integers(n) if n else slice(0)] = 1.0
        return found
    if kind == 5:  # large ones that cancel
        large = 10.0 ** int(rng.integers(8, 18))
        return np.where(rng.random(n) < 0.5, rng.choice([-large, large], n), rng.integers(-3, 4, n))
    if kind == 6:  # neighbours
        return rng.choice([-1, 1], n) * (1.0 + rng.integers(-3, 4, n) * 2.0**-52)
    if kind == 7:
        return rng.choice([-1.0, 0.0, 1.0], n) * 10.0 ** int(rng.integers(-9, 10))
    if kind == 8:
        return rng.integers(-9, 10, n) * 5e-7
    return rng.normal(size=n) * 1e7


# problems -------------------------------------------------------------------------------------------------------------


def sign_projection(rng):
    n, d = int(rng.integers(1, 14)), int(rng.integers(1, 8))
    if rng.random() < 0.25:  # real inputs whose sums float64 holds exactly, ties among them
        X = rng.integers(-8, 9, (n, d)) / 8.0
    else:
        X = rng.choice([-1, 1], (n, d))
        if n > 2 and d > 2 and rng.random() < 0.4:
            X[1], X[2], X[:, 1] = X[0], -X[0], -X[:, 0]
    t = numbers(rng, n)
    if rng.random() < 0.1:
        t = t * 10.0 ** int(rng.integers(-280, 120))
    return of_sign("sign projection", qproj.SignProjection(X, t))


def linear_projection(rng):
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    X = rng.choice([-1, 1], (n, d)) if rng.random() < 0.6 else numbers(rng, n * d).reshape(n, d)
    weights = None if rng.random() < 0.5 else np.abs(numbers(rng, n))
    scale = float(rng.choice([1.0, -0.5, 0.3, 1e-6, 1e5]))
    return of_linear(qproj.LinearProjection(X, numbers(rng, n), scale=scale, sample_weight=weights))


def metric_projection(rng):
    n = int(rng.integers(1, 6))
    M = numbers(rng, n * n).reshape(n, n)
    if rng.random() < 0.5:
        M = M @ M.T
    p = qproj.MetricProjection(M, numbers(rng, n))
    return of_quadratic_form("metric projection", p, np.asarray(p.M), p.g)


def curvature_projection(rng):
    n = int(rng.integers(1, 6))
    A, h, rho = numbers(rng, n * n).reshape(n, n), numbers(rng, n), float(rng.choice([0.0, 0.5, 4.0, 1e-5, 1e6]))
    p = qproj.CurvatureProjection(A, h, rho)
    M = [[Fraction(rho) * Fraction(float(x)) for x in row] for row in A]
    return of_quadratic_form("curvature projection", p, _Exact(M), None, h)


class _Exact(list):
    """A matrix of Fractions; float() of an entry would round."""


LABELS = ("b", 7, ("w", 2), frozenset({1}), "a", -1, ("w", 1))


def any_bqm(rng, labels=None):
    n = int(rng.integers(1, 8))
    names = list(LABELS[:n]) if labels is None and rng.random() < 0.3 else list(range(n))
    pairs = [(i, j) for i in range(n) for j in range(i) if rng.random() < 0.6]
    offset = float(rng.choice([0.0, 1.5, 1e14, -1e17, 0.1]))
    bqm = dimod.BinaryQuadraticModel(str(rng.choice(["SPIN", "BINARY"])))
    bqm.add_linear_from(zip(names, numbers(rng, n).tolist(), strict=True))
    for (i, j), b in zip(pairs, numbers(rng, len(pairs)).tolist(), strict=True):
        bqm.add_quadratic(names[i], names[j], b)
    bqm.offset = offset
    return bqm


def any_cqm(rng, *, soft=True, spins=True):
    n = int(rng.integers(2, 5))
    cqm, point = dimod.ConstrainedQuadraticModel(), []
    for i in range(n):
        kind = str(rng.choice(["BINARY", "SPIN", "INTEGER"] if spins else ["BINARY", "INTEGER"]))
        if kind == "INTEGER":
            low = int(rng.integers(-4, 3))
            high = low + int(rng.integers(0, 5))
            cqm.add_variable(kind, f"v{i}", lower_bound=low, upper_bound=high)
            point.append(int(rng.integers(low, high + 1)))
        else:
            cqm.add_variable(kind, f"v{i}")
            point.append(int(rng.choice([-1, 1] if kind == "SPIN" else [0, 1])))
    names = list(cqm.variables)

    def terms(quadratic):
        linear = list(zip(names, numbers(rng, n).tolist(), strict=True))
        pairs = [(names[i], names[j]) for i in range(n) for j in range(i) if rng.random() < 0.5] if quadratic else []
        return linear + [(u, v, b) for (u, v), b in zip(pairs, numbers(rng, len(pairs)).tolist(), strict=True)]

    cqm.set_objective([*terms(rng.random() < 0.5), (float(rng.choice([0.0, 3.0, 1e12])),)])
    at = dict(zip(names, point, strict=True))
    for k in range(int(rng.integers(1, 4))):
        row = terms(rng.random() < 0.3)
        if rng.random() < 0.3:  # in a unit of its own
            factor = 10.0 ** int(rng.integers(-12, 10))
            row = [(*term[:-1], term[-1] * factor) for term in row]
        here = sum(term[-1] * np.prod([at[v] for v in term[:-1]]) for term in row)
        size = max(abs(term[-1]) for term in row)
        move = float(rng.choice([0.0, 0.0, 0.0, 1.0, -1.0, 0.5])) * size
        options = {"weight": float(rng.choice([0.5, 1e-3, 7.0, 1e4]))} if soft and rng.random() < 0.25 else {}
        if options:
            binary = all(cqm.vartype(v) is dimod.BINARY for v in names)  # dimod squares violations of such rows only
            options["penalty"] = "quadratic" if binary and rng.random() < 0.5 else "linear"
        cqm.add_constraint(
            row, sense=str(rng.choice(["<=", ">=", "=="])), rhs=float(here + move), label=f"r{k}", **options
        )
    return cqm


def from_file(rng):
    """A model that was written and read: the file's problem with the truth of what was written."""
    kind = str(rng.choice(["coo", "bqm", "json", "qubo", "cqm", "lp"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{kind}"
        if kind in ("cqm", "lp"):
            cqm = any_cqm(rng, soft=kind == "cqm", spins=kind == "cqm")
            truth = of_cqm("file", cqm)
            if kind == "lp":
                path.write_text(lp_text(cqm))
            else:
                with cqm.to_file() as file:
                    path.write_bytes(file.read())
            order = [str(v) for v in cqm.variables]
        else:
            bqm = any_bqm(rng, labels="whole")
            if kind == "qubo":
                bqm = dimod.BinaryQuadraticModel(bqm.linear, bqm.quadratic, 0.0, "BINARY")
                entries = [*((v, v, b) for v, b in bqm.iter_linear()), *bqm.iter_quadratic()]
                head = f"p qubo 0 {len(bqm)} {len(bqm)} {bqm.num_interactions}\n"
                path.write_text(head + "".join(f"{u} {v} {float(b)!r}\n" for u, v, b in entries))
            elif kind == "coo":
                path.write_text(coo_text(bqm))
            elif kind == "json":
                path.write_text(json.dumps(bqm.to_serializable()))
            else:
                with bqm.to_file() as file:
                    path.write_bytes(file.read())
            truth, order = of_bqm("file", bqm), list(bqm.variables)
        model = read_model(path).model
    columns = [order.index(v) for v in model.variables]  # the reader's order
    return replace(truth, problem=model, states=truth.states[:, columns])


KINDS = {
    "sign projection": (4, sign_projection),
    "linear projection": (1, linear_projection),
    "metric projection": (1, metric_projection),
    "curvature projection": (1, curvature_projection),
    "BQM": (4, lambda rng: of_bqm("BQM", any_bqm(rng))),
    "CQM": (7, lambda rng: of_cqm("CQM", any_cqm(rng))),
    "file": (2, from_file),
}
_TURN = [name for name, (share, _) in KINDS.items() for _ in range(share)]


def instance(number, seed=SEED):
    """Return the instance of a number: the same on every machine."""
    name = _TURN[number % len(_TURN)]
    return KINDS[name][1](np.random.default_rng((seed, number)))


# answers --------------------------------------------------------------------------------------------------------------


@cache
def solvers():
    """Every solver that can run here, by name."""
    return {s.name: get_solver(s.name) for s in list_solvers() if s.ready and s.name not in ("dwave", "dwave-hybrid")}


def asked(number, kind):
    """The names of the solvers that get an instance: `auto`, and the others in turn."""
    able = [
        s for s, solver in solvers().items() if kind in solver.capabilities.forms and s != "auto" and s not in SELDOM
    ]
    turn = number // len(_TURN) * BESIDE + number % len(_TURN)
    chosen = ["auto", *dict.fromkeys(able[(turn + i) % len(able)] for i in range(min(BESIDE, len(able))))]
    return chosen + [
        s
        for s, often in SELDOM.items()
        if number % often == 0 and s in solvers() and kind in solvers()[s].capabilities.forms
    ]


def put(number, seed=SEED, only=None):
    """Put one instance to its solvers; return (kind, outcomes by solver, false words by solver)."""
    kind = _TURN[number % len(_TURN)]
    outcomes, false = {}, {}
    try:
        given = instance(number, seed)
    except (ValueError, TypeError) as error:
        return kind, {"(the model)": "refused"}, {} if str(error) else {"(the model)": ["refused without a word"]}
    form = getattr(given.problem, "kind", None) or ("cqm" if hasattr(given.problem, "constraints") else "bqm")
    rng = np.random.default_rng((seed, number, 1))
    for name in only or asked(number, form):
        solver = solvers()[name]
        limits = {"seed": int(rng.integers(100))}
        if solver.capabilities.num_reads:
            limits["num_reads"] = 5
        if solver.capabilities.exact:
            limits["time_limit_s"] = 1e-3 if rng.random() < 0.05 else 20.0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # samplers remark on models whose coefficients are all 0
                solution = solver.solve(given.problem, **limits)
        except (ValueError, TypeError, NotImplementedError) as error:
            outcomes[name] = "refused"
            if not str(error).strip():
                false[name] = ["refused without a word"]
            continue
        except Exception as error:
            outcomes[name], false[name] = "raised", [f"raised {type(error).__name__}: {error}"]
            continue
        outcomes[name] = str(solution.status)
        words = false_words(given, solution)
        if words:
            false[name] = words
    return kind, outcomes, false


def run(numbers, seed=SEED):
    """Put so many instances; return (counts by kind, counts by solver and outcome, false words with their numbers)."""
    kinds, outcomes, false = Counter(), {}, []
    for number in numbers:
        kind, found, words = put(number, seed)
        kinds[kind] += 1
        for name, outcome in found.items():
            outcomes.setdefault(name, Counter())[outcome] += 1
        false += [f"{number}, {kind}, {name}: {word}" for name, said in words.items() for word in said]
    return kinds, outcomes, false


# the table ------------------------------------------------------------------------------------------------------------


def table(stored):
    """The table of docs/reliability.md."""
    kinds = ", ".join(f"{n:,} {kind}s" for kind, n in sorted(stored["kinds"].items()))
    count, answers, false = stored["instances"], stored["answers"], len(stored["false words"])
    lines = [
        f"{count:,} instances ({kinds}), {answers:,} answers, **false words: {false}**.", "",
        "| solver | answers | optimal | feasible | infeasible | no solution | refused |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, counts in sorted(stored["solvers"].items()):
        cells = [counts.get(each, 0) for each in ("optimal", "feasible", "infeasible", "no_solution", "refused")]
        lines.append(f"| {name} | {sum(counts.values()):,} | " + " | ".join(f"{n:,}" for n in cells) + " |")
    return "\n".join(lines)


def write(stored):
    RESULTS.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(stored)}\n\n{END}{rest.partition(END)[2]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instances", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--parts", type=Path, help="folder of parts of the run; finished ones are not run again")
    parser.add_argument("--part", default="0/1", help="K/N: run every N-th part, beginning with part K; no table then")
    options = parser.parse_args()
    parts = options.parts or Path(tempfile.mkdtemp())
    parts.mkdir(parents=True, exist_ok=True)
    mine, of = (int(x) for x in options.part.split("/"))
    began = time.monotonic()
    starts = range(0, options.instances, 200)
    for place, start in enumerate(starts):
        file = parts / f"{options.seed}-{start}.json"
        if place % of != mine or file.exists():
            continue
        kinds, outcomes, false = run(range(start, min(start + 200, options.instances)), options.seed)
        file.write_text(json.dumps([kinds, outcomes, false]))
        print(
            f"{start + 200} of {options.instances}, {time.monotonic() - began:.0f} s, false: {len(false)}", flush=True
        )
    if of > 1:
        return
    kinds, outcomes, false = Counter(), {}, []
    for start in starts:
        some, by_solver, words = json.loads((parts / f"{options.seed}-{start}.json").read_text())
        kinds.update(some)
        for name, counts in by_solver.items():
            outcomes.setdefault(name, Counter()).update(counts)
        false += words
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    write({
        "command": f"python tests/fuzz/hostile.py {options.instances} --seed {options.seed}",
        "seed": options.seed, "machine": system, "instances": sum(kinds.values()),
        "answers": sum(sum(c.values()) for c in outcomes.values()), "kinds": dict(kinds),
        "solvers": {name: dict(outcomes[name]) for name in sorted(outcomes)}, "false words": false,
    })  # fmt: skip
    print("\n".join(false) or "no false word")


if __name__ == "__main__":
    main()

"""Building one neuron's BQM, constructor included, beside dimod, pyqubo and qubovert.

The model is the majority encoding: for each of n = 20 rows, (p + δ − r − 2^(m−1) y)² with weight 4.5·|τ|, and −4τ·y.
`qproj` is `SignProjection(X, t).bqm`, rows and columns merged, as users get it. dimod builds two models: one with a
product variable a row and weight, as the published encoding has them, and the same model without, which `unmerged` is
compared with, coefficient by coefficient. `arrays` is what dimod needs to make an object of qproj's finished
coefficients: no builder that returns a labelled dimod model takes less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dimod
import numpy as np

import qproj
from benchmarks.measure import range_of, ratio_of, seconds, spread, table, timed

TITLE = "Building BQMs"
ROWS = 20
SIZES = (3, 9, 15, 64, 128)
TARGETS = {3: 8.0, 9: 10.0, 15: 10.0, 64: 10.0, 128: 10.0}
BUILD_TARGET = 1e-3  # seconds, at d = 64
SYMBOLIC, SYMBOLIC_TARGET = 64, 200.0
LAYER = {"d": 64, "n": ROWS, "dout": 128, "target": 0.05}
FACTOR = 4.5


def _row(x: np.ndarray, d: int) -> tuple[int, int]:
    """Return (m, constant) of a row's equality Σ ±w + constant = r + 2^(m−1)·y."""
    m = (d // 2).bit_length() + 1
    return m, int((x < 0).sum()) + 2 ** (m - 1) - -(-d // 2)


def by_dimod(X: np.ndarray, t: np.ndarray) -> dimod.BinaryQuadraticModel:
    """The fastest way that dimod has: one add_linear_equality_constraint a row."""
    d = X.shape[1]
    bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
    for g, x in enumerate(X.tolist()):
        m, constant = _row(X[g], d)
        terms = [(("w", k), x[k]) for k in range(d)]
        terms += [(("r", g, b), -(1 << b)) for b in range(m - 1)]
        terms.append((("y", g), -(1 << (m - 1))))
        bqm.add_linear_equality_constraint(terms, lagrange_multiplier=FACTOR * abs(t[g]), constant=constant)
        bqm.add_linear(("y", g), -4.0 * t[g])
    return bqm


def by_dimod_products(X: np.ndarray, t: np.ndarray) -> dimod.BinaryQuadraticModel:
    """The same rows over product variables p_gk, each held to its weight by λ_g (p_gk − a_gk)², a = w or 1 − w."""
    d = X.shape[1]
    bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
    for g, x in enumerate(X.tolist()):
        m, constant = _row(X[g], d)
        lam = FACTOR * abs(t[g])
        for k, sign in enumerate(x):
            terms = [(("p", g, k), 1), (("w", k), -sign)]
            bqm.add_linear_equality_constraint(terms, lagrange_multiplier=lam, constant=min(sign, 0))
        terms = [(("p", g, k), 1) for k in range(d)]
        terms += [(("r", g, b), -(1 << b)) for b in range(m - 1)]
        terms.append((("y", g), -(1 << (m - 1))))
        shift = constant - sum(sign < 0 for sign in x)
        bqm.add_linear_equality_constraint(terms, lagrange_multiplier=lam, constant=shift)
        bqm.add_linear(("y", g), -4.0 * t[g])
    return bqm


def from_arrays(vectors: Any) -> dimod.BinaryQuadraticModel:
    """dimod's own way from finished coefficients to a labelled model."""
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        vectors.linear_biases, vectors.quadratic, vectors.offset, dimod.BINARY, variable_order=vectors.labels
    )


def _by_expressions(X: np.ndarray, t: np.ndarray, variable: Callable[[Any], Any]) -> Any:
    d = X.shape[1]
    w = [variable(("w", k)) for k in range(d)]
    model: Any = 0
    for g, x in enumerate(X.tolist()):
        m, constant = _row(X[g], d)
        y = variable(("y", g))
        form: Any = constant - (1 << (m - 1)) * y
        for k in range(d):
            form += x[k] * w[k]
        for b in range(m - 1):
            form -= (1 << b) * variable(("r", g, b))
        model += FACTOR * abs(t[g]) * form**2 - 4.0 * t[g] * y
    return model


def by_dimod_symbols(X: np.ndarray, t: np.ndarray) -> Any:
    return _by_expressions(X, t, dimod.Binary)


def by_pyqubo(X: np.ndarray, t: np.ndarray) -> Any:
    import pyqubo

    return _by_expressions(X, t, lambda label: pyqubo.Binary(repr(label))).compile().to_bqm()


def by_qubovert(X: np.ndarray, t: np.ndarray) -> Any:
    import qubovert

    return _by_expressions(X, t, qubovert.boolean_var).to_qubo()


SYMBOLS: dict[str, Callable[..., Any]] = {
    "dimod, symbols": by_dimod_symbols, "pyqubo": by_pyqubo, "qubovert": by_qubovert,
}  # fmt: skip


def draw(rng: np.random.Generator, d: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.choice(np.array([-1, 1]), (ROWS, d)), rng.standard_normal(ROWS)


def ours(X: np.ndarray, t: np.ndarray) -> dimod.BinaryQuadraticModel:
    return qproj.SignProjection(X, t).bqm


def unmerged(X: np.ndarray, t: np.ndarray) -> dimod.BinaryQuadraticModel:
    return qproj.SignProjection(X, t, aggregate_rows=False, aggregate_columns=False).bqm


def run(quick: bool) -> dict[str, Any]:
    repeats, calls = (100, 15) if quick else (400, 60)
    rng = np.random.default_rng()
    rows = []
    for d in SIZES:
        ours(*draw(rng, d))
        cells: dict[str, list[float]] = {"qproj": [], "unmerged": [], "arrays": [], "products": [], "dimod": []}
        variables = []
        for index in range(repeats):
            X, t = draw(rng, d)
            took, bqm = timed(lambda X=X, t=t: ours(X, t))
            cells["qproj"].append(took)
            variables.append(bqm.num_variables)
            vectors = bqm.to_numpy_vectors(return_labels=True)
            cells["arrays"].append(timed(lambda vectors=vectors: from_arrays(vectors))[0])
            took, same = timed(lambda X=X, t=t: unmerged(X, t))
            cells["unmerged"].append(took)
            if index < calls:
                took, theirs = timed(lambda X=X, t=t: by_dimod(X, t))
                cells["dimod"].append(took)
                _require_equal(same, theirs)
                took, products = timed(lambda X=X, t=t: by_dimod_products(X, t))
                cells["products"].append(took)
                _require_products(X, products, theirs, rng)
        row: dict[str, Any] = {name: spread(times) for name, times in cells.items()}
        mine = row["qproj"]["median"]
        rows.append({
            "d": d, "target": TARGETS[d], **row, "ratio": row["products"]["median"] / mine,
            "plain": row["dimod"]["median"] / mine, "floor": row["products"]["median"] / row["arrays"]["median"],
            "same": row["dimod"]["median"] / row["unmerged"]["median"],
            "variables": [float(np.median(variables)), same.num_variables, products.num_variables],
            "interactions": same.num_interactions,
        })  # fmt: skip
    return {
        "rows": rows,
        "repeats": repeats,
        "calls": calls,
        "symbols": _symbols(rng, rows),
        "layer": _layer(rng, quick),
    }


def _require_equal(a: dimod.BinaryQuadraticModel, b: dimod.BinaryQuadraticModel) -> None:
    """Raise unless two models have the same coefficients, up to rounding and interactions that cancel."""
    largest = max(abs(x) for x in [*a.linear.values(), *a.quadratic.values()])
    difference = a.copy()
    difference.scale(-1.0)
    difference.update(b)
    worst = max(abs(x) for x in [*difference.linear.values(), *difference.quadratic.values()])
    # the offset of ours is the objective's, that of the peer the penalties' alone
    if set(a.variables) != set(b.variables) or worst > 1e-9 * largest:
        raise AssertionError(f"the models differ by {worst}")


def _require_products(X: np.ndarray, products: Any, plain: Any, rng: np.random.Generator) -> None:
    """Raise unless the model with product variables has the other's energy where each equals what it stands for."""
    sample = dict(zip(plain.variables, rng.integers(0, 2, plain.num_variables).tolist(), strict=True))
    agree = {
        ("p", g, k): sample["w", k] if sign > 0 else 1 - sample["w", k]
        for g, x in enumerate(X.tolist())
        for k, sign in enumerate(x)
    }
    a, b = plain.energy(sample), products.energy({**sample, **agree})
    if abs(a - b) > 1e-9 * max(1.0, abs(a)):
        raise AssertionError(f"the models with and without product variables differ: {a} and {b}")


def _symbols(rng: np.random.Generator, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mine = next(row["qproj"]["median"] for row in rows if row["d"] == SYMBOLIC)
    found = []
    X, t = draw(rng, SYMBOLIC)
    for name, build in SYMBOLS.items():
        try:
            build(*draw(rng, 3))
        except ImportError:
            found.append({"name": name, "seconds": None})
            continue
        took, _ = timed(lambda build=build: build(X, t))
        found.append({"name": name, "seconds": took, "ratio": took / mine})
    return found


def _layer(rng: np.random.Generator, quick: bool) -> dict[str, Any]:
    times, floor = [], []
    for _ in range(5 if quick else 25):
        X, T = rng.choice([-1, 1], (LAYER["n"], LAYER["d"])), rng.standard_normal((LAYER["n"], LAYER["dout"]))
        took, models = timed(lambda X=X, T=T: [e.bqm for e in qproj.LayerProjection(X, T).encode("majority")])
        times.append(took)
        vectors = [model.to_numpy_vectors(return_labels=True) for model in models]
        floor.append(timed(lambda vectors=vectors: [from_arrays(v) for v in vectors])[0])
    assert len(models) == LAYER["dout"]
    return {**LAYER, "qproj": spread(times), "arrays": spread(floor)}


def section(result: dict[str, Any]) -> str:
    rows = [
        [
            str(row["d"]), f"≥ {row['target']:g}×", range_of(row["qproj"]), range_of(row["products"]),
            _against(row["ratio"], row["target"]), ratio_of(row["plain"]), seconds(row["arrays"]["median"]),
            ratio_of(row["floor"]), f"{row['variables'][0]:.0f}, {row['variables'][1]}, {row['variables'][2]}",
            seconds(row["unmerged"]["median"]), ratio_of(row["same"]),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    symbols = ", ".join(
        f"{s['name']} {_against(s['ratio'], SYMBOLIC_TARGET)} ({seconds(s['seconds'])})"
        if s["seconds"]
        else f"{s['name']} not installed"
        for s in result["symbols"]
    )
    layer = result["layer"]
    header = [
        "d", "target", "`SignProjection(X, t).bqm`", "dimod, product variables", "ratio", "ratio, dimod without",
        "dimod from arrays", "ratio, from arrays", "variables: qproj, dimod without, with", "unmerged",
        "ratio, same model",
    ]  # fmt: skip
    return (
        f"""
n = {ROWS} rows uniform ±1, new ones in each of {result["repeats"]} rounds ({result["calls"]} for the peer). dimod
builds the rows with one `add_linear_equality_constraint` each, the fastest of its ways: over product variables, one a
row and weight, as the published encoding has them (the targets are set against this one), and without; the latter is
compared with qproj's unmerged model coefficient by coefficient. "From arrays" is dimod's `from_numpy_vectors` on
qproj's finished coefficients and labels: what an object of that size costs when nothing is left to compute. The last
two columns have merging off.
"""
        + table(header, rows)
        + _missed(result["rows"])
        + _aim(next(row for row in result["rows"] if row["d"] == SYMBOLIC))
        + f"""
Symbolic builders of the same model at d = {SYMBOLIC} (target ≥ {SYMBOLIC_TARGET:g}×): {symbols}.
A whole layer's models, {layer["dout"]} neurons, d = {layer["d"]}, n = {layer["n"]}, one structure:
{range_of(layer["qproj"])} (target ≤ {seconds(layer["target"])}{_met(layer["qproj"]["median"], layer["target"])});
dimod's `from_numpy_vectors` alone takes {range_of(layer["arrays"])} to make the {layer["dout"]} objects from their
finished arrays. (Copying the first object is fast, but biases are then found one by one: that takes longer than a new
object.)
"""
    )


def _against(ratio: float, target: float) -> str:
    return ratio_of(ratio) if ratio >= target else f"{ratio_of(ratio)} (missed by {ratio_of(target / ratio)})"


def _aim(row: dict[str, Any]) -> str:
    took, floor = row["qproj"]["median"], row["arrays"]["median"]
    return f"""
One neuron of d = {row["d"]} was to take at most {seconds(BUILD_TARGET)}{_met(took, BUILD_TARGET)}: {seconds(took)}.
From finished arrays, dimod's `from_numpy_vectors` alone takes {seconds(floor)}.
"""


def _met(took: float, most: float) -> str:
    return "" if took <= most else f", missed by {ratio_of(took / most)}"


def _missed(rows: list[dict[str, Any]]) -> str:
    """Say why, where a target is missed, from this run's own figures."""
    missed = [row for row in rows if row["ratio"] < row["target"]]
    if not missed:
        return ""
    beyond = [str(row["d"]) for row in missed if row["floor"] < row["target"]]
    return f"""
Missed at d = {", ".join(str(row["d"]) for row in missed)}. The work there is a hundred calls of numpy, of one to three
microseconds each, whatever the size: a compiled kernel would spare most of them and cost half a second of loading in
every process that builds a model, so there is none.
{f"At d = {', '.join(beyond)} `from_numpy_vectors` alone is slower than the target." if beyond else ""}
"""

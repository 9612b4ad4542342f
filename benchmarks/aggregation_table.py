"""What merging rows and columns leaves of real batches: weights → classes → weight bits, rows → groups, BQM variables.

    QPROJ_DATA_DIR=… python benchmarks/aggregation_table.py

Writes benchmarks/results/aggregation_table.json and docs/aggregation-table.md, and prints both. Batches are random
rows of the training split, thresholded as the table shows; a1a with 3 features takes the first three columns. Counts
are those of a neuron whose targets do not cancel; means over the batches.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qproj import SignProjection
from qproj.lab.datasets import load_adult, load_digits, load_mnist

RESULTS = Path(__file__).parent / "results" / "aggregation_table.json"
PAGE = Path(__file__).parents[1] / "docs" / "aggregation-table.md"
BATCHES = 50
ROWS = (16, 20, 32, 64)

INTRODUCTION = """# What aggregation leaves of real batches

Columns that are equal up to sign within a batch become one class, an integer of a few bits; equal rows (and opposite
ones where the number of weights is odd) become one group. Both are exact. Means over 50 random batches of n training
rows, features thresholded to ±1 as the first column says; "plain" and "merged" are the variables of the exact BQM of
one neuron, without and with aggregation, "most" the largest number that occurred. Where n grows, columns differ
somewhere and merge less; with three binary features every batch is one small problem.

"""

COMMANDS = """
Made by

```console
$ python benchmarks/aggregation_table.py
```
"""


@dataclass(frozen=True)
class Line:
    """Means over batches of n rows; `most` is the largest number of variables that occurred with aggregation."""

    data: str
    n: int
    weights: int
    classes: float
    bits: float
    groups: float
    variables_plain: int
    variables: float
    most: int


def slack_bits(d: int) -> int:
    """Return m, the bits that the majority encoding spends on a row of d weights."""
    return int(np.ceil(np.log2(d // 2 + 1))) + 1


def measure(data: str, X: np.ndarray, n: int, batches: int, seed: int = 0) -> Line:
    rng = np.random.default_rng(seed)
    counts = []
    d = X.shape[1]
    for _ in range(batches):
        rows = X[rng.choice(len(X), n, replace=False)]
        merged = SignProjection(rows, rng.normal(size=n)).aggregated
        _, classes, bits = merged.num_columns
        groups = merged.num_rows[1]
        counts.append((classes, bits, groups, bits + slack_bits(d) * groups))
    classes, bits, groups, variables = np.mean(counts, axis=0)
    most = int(np.max(counts, axis=0)[3])
    plain = d + slack_bits(d) * n
    return Line(data, n, d, float(classes), float(bits), float(groups), plain, float(variables), most)


def markdown(lines: list[Line]) -> str:
    head = "| batch | n | weights | classes | weight bits | row groups | BQM variables, plain | merged | most |\n"
    rows = "".join(
        f"| {line.data} | {line.n} | {line.weights} | {line.classes:.1f} | {line.bits:.1f} | {line.groups:.1f} | "
        f"{line.variables_plain} | {line.variables:.1f} | {line.most} |\n"
        for line in lines
    )
    return f"{head}|---|---|---|---|---|---|---|---|---|\n{rows}"


def main() -> None:
    adult = load_adult().signs().X_train
    sets = {
        "a1a, 3 features": adult[:, :3],
        "a1a": adult,
        "digits (> 7)": load_digits().signs().X_train,
        "MNIST (> 127)": load_mnist().signs().X_train,
    }
    lines = [measure(name, X, n, BATCHES) for name, X in sets.items() for n in ROWS]
    content = json.dumps({"batches": BATCHES, "seed": 0, "lines": [asdict(line) for line in lines]}, indent=1)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(content + "\n")
    PAGE.write_text(INTRODUCTION + markdown(lines) + COMMANDS)
    print(content)
    print(markdown(lines))


if __name__ == "__main__":
    main()

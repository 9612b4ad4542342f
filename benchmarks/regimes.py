"""The regimes on the page "Which solver should I use", from stored results: what was measured where.

`python -m benchmarks.regimes` rewrites that part of docs/which-solver.md.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

from benchmarks.measure import RESULTS, seconds, stored, table

PAGE = RESULTS.parents[1] / "docs" / "which-solver.md"
HEADING = "## Measured regimes\n"
HEADER = ["your problem", "measured", "source"]
LIMIT = "1.0"  # seconds


def _result(name: str) -> dict[str, Any]:
    record = stored(name)
    assert record is not None, f"benchmarks/results/{name}.json is missing: run python -m benchmarks {name}"
    result: dict[str, Any] = record["result"]
    return result


def _layers() -> list[list[str]]:
    """Layers with more weights than rows: how many neurons are proved, in what time."""
    rows = []
    for row in _result("layer_certified")["rows"]:
        peers = ", ".join(f"`{name}` {seconds(cell['layer']['median'])}" for name, cell in row.get("peers", {}).items())
        beside = f"; beside it {peers}" if peers else ""
        rows.append([
            f"below capacity: {row['case']}",
            f"`auto` proves {row['certified']:.0%} of the neurons in {seconds(row['qproj']['median'])}{beside}",
            "[performance](performance.md#layers-below-capacity-certified)",
        ])  # fmt: skip
    return rows


def _proofs() -> list[list[str]]:
    """One neuron of d weights that stay apart: how long a proof takes."""
    rows = []
    for row in _result("exact_search")["rows"]:
        if row["d"] not in (24, 32, 40):
            continue
        peers = ", ".join(f"`{n}` {cell['proved']} in {seconds(cell['median'])}" for n, cell in row["peers"].items())
        beside = f"; proofs of others: {peers}" if peers else ""
        rows.append([
            f"a proof for one neuron of {row['d']} weights",
            f"`auto` proves {row['proved']} neurons, {seconds(row['qproj']['median'])} each{beside}",
            "[performance](performance.md#exact-search-for-one-neuron)",
        ])  # fmt: skip
    return rows


def _families() -> list[list[str]]:
    """Hard neurons of networks, one second each: how many are proved."""
    proved: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for neurons in _result("hard_neurons")["sets"].values():
        for neuron in neurons:
            for solver, (_, is_proved, _) in neuron["reached"][LIMIT].items():
                proved[neuron["family"]][solver].append(is_proved)
    rows = []
    for family, by in proved.items():
        told = ", ".join(f"`{s}` {sum(by[s])}" for s in ("auto", "gurobi", "cpsat"))
        rows.append([
            f"hard neurons, {family}, one second each",
            f"proved of {len(by['auto'])}: {told}",
            "[performance](performance.md#hard-neurons-at-equal-time)",
        ])  # fmt: skip
    return rows


def _reads() -> list[list[str]]:
    """Reads of samplers on random neurons: how many are solved."""
    found = json.loads((RESULTS / "findings.json").read_text())
    chosen = ("random", "random + descent", "sa, majority", "sa, margin", "sa, margin, refined")
    rows = []
    for d in ("9", "15"):
        told = "; ".join(f"{name} {found['solved'][d][name]['share']:.2f}" for name in chosen)
        rows.append([
            f"{found['reads']} reads, {d} weights, {found['rows']} rows",
            f"share solved: {told}",
            "[findings](findings.md#share-of-neurons-solved-beside-chance)",
        ])  # fmt: skip
    return rows


def _annealers() -> list[list[str]]:
    """Emulated annealers on neurons of a1a, with noise: how many are solved, beside chance."""
    found = json.loads((RESULTS / "emulated_annealer.json").read_text())
    lines = [line for line in found["table"] if line["d"] == 15 and (line["noise"] or line["machine"] == "random")]
    names = [line["machine"] + ("" if line["encoding"] == "-" else f" {line['encoding']}") for line in lines]
    told = ", ".join(f"{name} {line['solved']:.2f}" for name, line in zip(names, lines, strict=True))
    about = f"an emulated annealer with noise, {found['reads']} reads, 15 weights of a1a"
    return [[about, f"share solved: {told}", "[emulated annealers](solvers/emulated-annealer-table.md)"]]


def part() -> str:
    """Return what stands below the heading."""
    rows = [*_layers(), *_proofs(), *_families(), *_reads(), *_annealers()]
    return (
        "\nFrom stored results, by `python -m benchmarks.regimes`. Machines, versions and what else was measured stand "
        "on the\npages of the last column. A layer is below capacity where it has more weights per neuron than rows.\n"
        + table(HEADER, rows)
        + "\n"
    )


def main() -> None:
    text = PAGE.read_text()
    pattern = re.compile(rf"(?<={re.escape(HEADING)}).*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    assert len(pattern.findall(text)) == 1
    PAGE.write_text(pattern.sub(lambda _: part(), text))


if __name__ == "__main__":
    main()

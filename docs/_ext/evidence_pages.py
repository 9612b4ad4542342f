"""Writes the tables of docs/tested.md from stored results: installs, fuzzing, mutants."""

import json
import tomllib
from collections import defaultdict
from pathlib import Path

from sphinx.application import Sphinx

TESTS = Path(__file__).parents[2] / "tests"


def installs() -> str:
    """Return a Markdown table: the installations tried, by Python version, with their outcome."""
    told = json.loads((TESTS / "packaging" / "installs.json").read_text())
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    columns = []
    for name, result in told["installs"].items():
        what, how, python = (part.strip() for part in name.split(","))
        column = f"{how}, {python.removeprefix('Python ')}"
        columns += [column] if column not in columns else []
        cells[what][column] = "works" if result["ok"] else "fails"
    lines = ["| installed | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for what, row in cells.items():
        lines.append(f"| {what} | " + " | ".join(row.get(column, "") for column in columns) + " |")
    left = "; ".join(f"`{name}`: {why}" for name, why in told["left_out"].items())
    return "\n".join(lines) + f"\n\n{len(told['installs'])} environments, {told['machine']}. Left out: {left}.\n"


def fuzz() -> str:
    """Return a Markdown table: the fuzzed inputs, their number, and the outcome."""
    told = json.loads((TESTS / "fuzz" / "results.json").read_text())
    lines = ["| fuzzed | executions | refused with a reason | right |", "|---|---|---|---|"]
    for name, tally in told["targets"].items():
        refused, right = tally.get("refused", 0), tally.get("right", 0)
        lines.append(f"| {name} | {refused + right:,} | {refused:,} | {right:,} |")
    return "\n".join(lines) + f"\n\n{told['executions']:,} executions in {told['seconds']:,} s, seed {told['seed']}.\n"


def mutants() -> str:
    """Return Markdown tables: mutants by file, and every survivor with the reason."""
    told = json.loads((TESTS / "mutation" / "results.json").read_text())
    reasons = tomllib.loads((TESTS / "mutation" / "survivors.toml").read_text())
    total = told["total"]
    lines = ["| file | mutants | tried | noticed |", "|---|---|---|---|"]
    for name, tally in told["files"].items():
        lines.append(f"| `{name}` | {tally['mutants']} | {tally['tried']} | {tally['killed_share']:.0%} |")
    lines.append(f"| all | {total['mutants']} | {total['tried']} | {total['killed_share']:.1%} |")
    lines += ["", "| survivor | change | why |", "|---|---|---|"]
    for survivor in told["survivors"]:
        change = " → ".join(line[1:].strip() for line in survivor["change"]).replace("|", "\\|")
        lines.append(f"| `{survivor['mutant']}` | `{change}` | {reasons[survivor['mutant']]} |")
    return "\n".join(lines) + "\n"


def write_tables(app: Sphinx) -> None:
    """Write the parts that docs/tested.md includes."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    for name, make in (("installs", installs), ("fuzz", fuzz), ("mutants", mutants)):
        file, text = target / f"tested-{name}.inc", make()
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_tables)
    return {"parallel_read_safe": True}

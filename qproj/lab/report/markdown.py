"""The overview as Markdown, for a README or a pull request."""

from __future__ import annotations

from qproj.lab.studies.overview import overview
from qproj.lab.studies.result_table import escape_markdown as escape
from qproj.lab.studies.results import Results


def render_markdown(results: Results) -> str:
    """Return a table of solvers, the numbers of neurons and runs, and the command; texts cannot leave their cells."""
    titles, rows = overview(results)
    lines = [
        f"# {escape(results.folder.resolve().name)}",
        "",
        f"{results.neurons} neurons, {len(results.runs)} runs; the optimum of {results.optima} neurons is proved, and "
        "gaps are to it, else to the best bound.",
        "",
        "| " + " | ".join(titles) + " |",
        "|" + "|".join("---" if i == 0 else "---:" for i in range(len(titles))) + "|",
        *("| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows),
        "",
    ]
    for environment in results.environments[-1:]:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(environment["versions"].items()))
        lines += [
            f"`{environment['command'].replace('`', chr(39))}`",
            "",
            escape(f"{environment['processor']}, Python {environment['python']}, {versions}"),
            "",
        ]
    return "\n".join(lines)

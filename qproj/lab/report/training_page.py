"""Training runs to one HTML file: the tables, every curve, every run, and how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from qproj._files import write_text
from qproj.lab.report.curves import Line, Panel, panels
from qproj.lab.report.study_page import _json
from qproj.lab.report.style import PALETTE, Figure, safe
from qproj.lab.training.tables import figure_table, groups, summaries
from qproj.solvers.contract import MissingPackageError

_DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}


def write_training_report(
    records: Sequence[dict[str, Any]], path: Path, environments: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write the page of stored runs, whole or not at all, and return its path.

    Parameters
    ----------
    records : sequence of dict
        Of :meth:`qproj.lab.training.run_folder.Store.all`; at least one.
    path : Path
    environments : sequence of dict
        Of :func:`qproj.lab.studies.environment.environment`, oldest first.

    Raises
    ------
    MissingPackageError
        jinja2 or plotly is not installed.
    ValueError
        No run.
    """
    if not records:
        raise ValueError("there is no run to report; qproj train NAME --out DIR makes some")
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingPackageError(f'{error.name} is not installed; pip install "qproj[report]"') from error
    folder = resources.files("qproj.lab.report")
    jinja = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    parts = [_part(name, i, records) for i, name in enumerate(dict.fromkeys(r["experiment"] for r in records))]
    drawn = {f.name: [f.traces, f.layout] for part in parts for f in part["figures"]}
    text = jinja.from_string(
        folder.joinpath("training.html").read_text("utf-8")
    ).render(
        title=path.resolve().parent.name,
        style=Markup(folder.joinpath("page.css").read_text("utf-8")),  # nosec B704: our own file
        script=Markup(folder.joinpath("page.js").read_text("utf-8")),  # nosec B704
        plotly=Markup(get_plotlyjs()),  # nosec B704
        data=Markup(_json({"figures": drawn})),  # nosec B704: _json escapes
        parts=parts,
        runs=[_run(record) for record in records],
        environments=list(environments)[::-1][:20],
    )
    write_text(path, text)
    return path


def _part(name: str, place: int, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one experiment's table and figures."""
    mine = [record for record in records if record["experiment"] == name]
    titles, rows = figure_table(mine)
    colours = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(groups(mine))}
    return {
        "name": name, "seeds": len({record["seed"] for record in mine}), "summaries": summaries(mine),
        "titles": titles[1:], "measured": rows,
        "figures": [_figure(f"f{place}-{i}", panel, lines, colours) for i, (panel, lines) in enumerate(panels(mine))],
    }  # fmt: skip


def _figure(name: str, panel: Panel, lines: Sequence[Line], colours: dict[str, str]) -> Figure:
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    for line in lines:
        hover = f"{safe(line.label)}<br>{safe(line.column)} %{{y:.4g}} at {safe(panel.x)} %{{x}}<extra></extra>"
        colour = colours[line.label]
        common = {"legendgroup": line.label, "hoverinfo": "skip", "showlegend": False}
        if line.low != line.high:
            traces.append({
                **common, "x": line.x + line.x[::-1], "y": line.high + line.low[::-1], "fill": "toself",
                "fillcolor": colour, "opacity": 0.15, "line": {"width": 0}, "mode": "lines",
            })  # fmt: skip
        traces.append({
            "x": line.x, "y": line.mean, "name": safe(line.label), "legendgroup": line.label, "mode": "lines",
            "showlegend": line.label not in named,
            "line": {"color": colour, "dash": _DASHES[line.style], "width": 2},
            "hovertemplate": hover,
        })  # fmt: skip
        named.add(line.label)
    layout: dict[str, Any] = {"xaxis": {"title": panel.x}, "yaxis": {}}
    if panel.log_x:
        layout["xaxis"]["type"] = "log"
    if panel.log_y:
        layout["yaxis"] |= {"type": "log", "dtick": 1}
    return Figure(name, panel.title, "", traces, layout)


def _run(record: dict[str, Any]) -> dict[str, Any]:
    accuracy = record["test_accuracy"]
    return {
        "experiment": record["experiment"], "optimizer": record["optimizer"], "solver": record["solver"] or "–",
        "seed": record["seed"], "accuracy": "–" if accuracy is None else f"{accuracy:.4f}",
        "steps": record["steps"], "seconds": f"{record['seconds']:.1f}",
        "settings": " ".join(f"{name}={value}" for name, value in record["settings"].items()),
        "sha": (record["weights_sha256"] or "–")[:12],
    }  # fmt: skip

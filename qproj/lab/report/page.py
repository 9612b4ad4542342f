"""What both pages share: jinja2 for the frame, plotly's library inlined, data as JSON that no text can leave."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from qproj._extras import install_hint
from qproj._files import plain
from qproj.lab.report.figure import Figure
from qproj.lab.report.plotly_json import to_plotly
from qproj.solvers.contract import MissingPackageError

#: The latest environments that a page lists.
MOST_ENVIRONMENTS = 20


def render_page(
    template: str, figures: Sequence[Figure], data: Mapping[str, Any], environments: Sequence[Any],
    tabs: Sequence[tuple[str, str]], **content: Any,
) -> str:  # fmt: skip
    """Return the HTML of one page: one file, no network, light and dark, on screens and on paper.

    Parameters
    ----------
    template : str
        File name beside this module.
    figures : sequence of Figure
        Each is drawn where the template has a place of its name.
    data : mapping
        Arrays and numbers for the page's script.
    environments : sequence
        Of :func:`qproj.lab.studies.environment.environment`, oldest first.
    tabs : sequence of (id, name)
        The parts of the page that have something to show; the instructions for repeating the study are added.
    content
        For the template, which escapes every text.

    Raises
    ------
    MissingPackageError
        jinja2 or plotly is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingPackageError(f"{error.name} is not installed; {install_hint('report')}") from error

    def in_pieces(text: str) -> Markup:
        return Markup("<wbr>").join(Markup("<span>{}</span>").format(piece) for piece in pieces(text))

    folder = resources.files("qproj.lab.report")
    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
    )  # fmt: skip
    jinja.filters["in_pieces"] = in_pieces
    drawn = {figure.name: to_plotly(figure) for figure in figures}
    page: str = jinja.get_template(
        template
    ).render(
        style=Markup(folder.joinpath("page.css").read_text("utf-8")),  # nosec B704: our own file
        script=Markup(folder.joinpath("page.js").read_text("utf-8")),  # nosec B704
        plotly=Markup(get_plotlyjs()),  # nosec B704
        data=Markup(_json({"figures": drawn, **data})),  # nosec B704: _json escapes
        figures=figures,
        tabs=[*tabs, ("reproduce", "Reproduce")],
        environments=list(environments)[::-1][:MOST_ENVIRONMENTS],
        **content,
    )
    return page


def pieces(text: str) -> list[str]:
    """Return the parts between which a name may be broken: never inside a word, a number or an option's name=value."""
    return re.split(r"(?<=[:,/|\s])(?=\S)|(?<=\w\()(?=\S)", text)


def _json(value: Any) -> str:
    """Return JSON that cannot end its script element, with null for NaN."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")

"""Draws the layers of the architecture page from the import-linter contracts: one source, so it cannot differ."""

import tomllib
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

# What each layer is, for the reader; the names and their order come from the contract.
WHAT = {
    "qproj.cli": "the command line",
    "qproj.testing": "conformance kit",
    "qproj.lab.report": "pages, plots, tables",
    "qproj.lab.studies": "plan, runs, store, metrics",
    "qproj.lab.training": "experiments, checkpoints",
    "qproj.lab.datasets": "loaders",
    "qproj.nn": "binary layers",
    "qproj.optim": "optimisers",
    "qproj.functions": "Rosenbrock and others",
    "qproj.solvers": "the contract, the registry, solvers",
    "qproj.formats": "files of other tools",
    "qproj.projections": "what is solved",
    "qproj.encodings": "arrays to BQM and CQM",
    "qproj._sums": "exact sums",
    "qproj._labels": "order of labels",
    "qproj._arrays": "checks of arrays",
    "qproj._options": "checks of options",
    "qproj._files": "files written whole",
    "qproj._seeds": "derived seeds",
    "qproj._compiled": "loops for numba",
    "qproj._extras": "how to install what is missing",
}
WIDTH, HEIGHT, PAD = 520, 40, 10


def contracts() -> dict[str, dict[str, object]]:
    """Return the import-linter contracts of pyproject.toml by id."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return {contract["id"]: contract for contract in tool["importlinter"]["contracts"]}


def layers() -> list[list[str]]:
    """Return the layers, top first, each a list of packages."""
    rows = contracts()["layers"]["layers"]
    return [[name.strip() for name in str(row).replace("|", ":").split(":")] for row in rows]  # type: ignore[attr-defined]


def adapters() -> tuple[list[str], list[str]]:
    """Return the adapters, and the layers that they may import."""
    contract = contracts()["adapters-see-the-contract"]
    forbidden = contract["forbidden_modules"]
    seen = [name for row in layers() for name in row if not name.startswith(tuple(forbidden))]  # type: ignore[arg-type]
    return list(contract["source_modules"]), seen  # type: ignore[call-overload]


def _box(x: float, y: float, width: float, height: float, title: str, text: str, kind: str) -> str:
    middle = x + width / 2
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
        f'<text class="name" x="{middle}" y="{y + height / 2 - 2}">{escape(title)}</text>'
        f'<text class="what" x="{middle}" y="{y + height / 2 + 13}">{escape(text)}</text>'
    )


def draw() -> str:
    """Return the picture as SVG: layers on the left, adapters beside those that they may import."""
    rows, (names, seen) = layers(), adapters()
    parts, place = [], {}
    for i, row in enumerate(rows):
        y = PAD + i * (HEIGHT + PAD)
        width = (WIDTH - PAD * (len(row) - 1)) / len(row)
        for j, name in enumerate(row):
            kind = "seen" if name in seen else "layer"
            parts.append(_box(PAD + j * (width + PAD), y, width, HEIGHT, name, WHAT[name], kind))
            place[name] = y
    top = min(place[name] for name in seen)
    bottom = max(place[name] for name in seen) + HEIGHT
    x = WIDTH + 5 * PAD
    step = (bottom - top + PAD) / len(names)
    for i, name in enumerate(names):
        y = top + i * step
        parts.append(f'<rect class="adapter" x="{x}" y="{y:.1f}" width="150" height="{step - PAD:.1f}" rx="6"/>')
        parts.append(f'<text class="name" x="{x + 75}" y="{y + (step - PAD) / 2 + 4:.1f}">{name}</text>')
        parts.append(f'<path d="M{x - 4} {y + (step - PAD) / 2:.1f} H{WIDTH + PAD + 4}" marker-end="url(#tip)"/>')
    style = (
        "text{font-family:sans-serif;text-anchor:middle;fill:#1b2733}.name{font-size:13px;font-weight:600}"
        ".what{font-size:11px;fill:#4a5a68}rect{stroke:#52708c;fill:#eef3f8}.seen{fill:#d9ecdc}.adapter{fill:#fdf1d9}"
        "path{stroke:#52708c;fill:none}"
    )
    tip = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" style="fill:#52708c"/></marker>'
    )
    size = f"{x + 150 + PAD} {PAD + len(rows) * (HEIGHT + PAD)}"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">'
        f"<title>Packages of qproj; each imports only those below it</title><style>{style}</style>"
        f"<defs>{tip}</defs><rect width='100%' height='100%' style='fill:#fff;stroke:none'/>\n{body}\n</svg>\n"
    )


def write_picture(app: Sphinx) -> None:
    """Write docs/reference/generated/layers.svg."""
    file = Path(app.srcdir) / "reference" / "generated" / "layers.svg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(draw())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_picture)
    return {"parallel_read_safe": True}

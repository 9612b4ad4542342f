"""Writes what the solvers' pages include, from the classes: what each takes and promises, and its options."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

#: Solvers around other solvers, which have no name in the registry.
COMPOSITES = {"polished": "Polished", "refined": "Refined", "fallback": "Fallback", "isolated": "Isolated"}

#: What stands in every sampler's docstring by name only.
COMMON = {
    "encoding": "The encoding that is sampled: `margin`, `majority`, `unbalanced` or `paper`.",
    "encoding_options": "Options of that encoding, such as `kappa` of `margin`.",
}


def entry_points() -> dict[str, str]:
    """Return module:Class of each solver by its name, in the order of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(project["entry-points"]["qproj.solvers"])


def class_of(name: str) -> Any:
    """Return the class of a solver or composite."""
    if name in COMPOSITES:
        return getattr(importlib.import_module("qproj"), COMPOSITES[name])
    module, _, cls = entry_points()[name].partition(":")
    return getattr(importlib.import_module(module), cls)


def described(cls: Any) -> dict[str, str]:
    """Return the meaning of each option, from the class docstring's section Parameters."""
    text = inspect.getdoc(cls) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for block in re.split(r"^(?=\S)", section[1] if section else "", flags=re.MULTILINE):
        head, _, body = block.partition("\n")
        names, _, kind = head.partition(" : ")
        meaning = " ".join(body.split()) or kind.strip()
        for name in filter(None, (n.strip() for n in names.split(","))):
            found[name] = meaning
    return found


def options(cls: Any) -> str:
    """Return a Markdown table of the constructor's options: name, default, meaning."""
    meanings = described(cls)
    rows = []
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = "required" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
        meaning = COMMON.get(name) or meanings.get(name, "")
        for other in ("sqa", "dwave"):
            if meaning.startswith("As for"):
                meaning = described(class_of(other)).get(name, meaning)
        meaning = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", meaning).replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{name}` | {default} | {meaning} |")
    if not rows:
        return "It has no options.\n"
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows]) + "\n"


def glance(name: str) -> str:
    """Return a Markdown table of what a solver takes and honours, as it declares."""
    cls = class_of(name)
    can = getattr(cls, "capabilities", None)
    lines = ["| | |", "|---|---|"]
    if name in COMPOSITES:
        return "\n".join([*lines, f"| import | `qproj.{COMPOSITES[name]}` |"]) + "\n"
    if isinstance(can, property) or can is None:
        can = cls().capabilities
    forms = {"projection": "projections", "bqm": "BQMs", "cqm": "CQMs"}
    honoured = [word for word in ("seed", "time_limit", "num_reads", "hint") if getattr(can, word)]
    words = ["`time_limit_s`" if word == "time_limit" else f"`{word}`" for word in honoured]
    lines += [
        f"| name | `{name}` |",
        f"| class | `{entry_points()[name].replace(':', '.')}` |",
        f"| takes | {', '.join(text for form, text in forms.items() if form in can.forms)} |",
        f"| proves | {'yes, given time' if can.exact else 'only where the bound is met'} |",
        f"| honours | {', '.join(words)} |",
    ]
    extra = getattr(cls, "extra", None)
    lines.append(
        f"| needs | {f'extra `{extra}`' if isinstance(extra, str) and extra else 'see below'} |" if extra else ""
    )
    if can.note:
        lines.append(f"| note | {can.note} |")
    return "\n".join(lines) + "\n"


def write_parts(app: Sphinx) -> None:
    """Write the parts that docs/solvers/*.md include."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    for name in (*entry_points(), *COMPOSITES):
        for part, text in (("glance", glance(name)), ("options", options(class_of(name)))):
            file = target / f"solver-{name}-{part}.inc"
            if not file.is_file() or file.read_text() != text:
                file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_parts)
    return {"parallel_read_safe": True}

"""Writes one API page for each package from the names that it lists: a new name needs no entry anywhere."""

import importlib
import inspect
import re
from pathlib import Path

from plain_text import escape
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

# In the order of the layers, bottom first: the order in which one reads them.
PACKAGES = {
    "qproj": "What `import qproj` gives",
    "qproj.projections": "Projections: what is solved",
    "qproj.encodings": "Encodings: arrays to BQM and CQM",
    "qproj.formats": "Files of other tools",
    "qproj.solvers": "The contract and the solvers",
    "qproj.functions": "Test functions and rate studies",
    "qproj.nn": "Binary layers (PyTorch)",
    "qproj.optim": "Optimisers (PyTorch)",
    "qproj.lab": "The lab: what `import qproj.lab` gives",
    "qproj.lab.datasets": "Data sets",
    "qproj.lab.training": "Training experiments",
    "qproj.lab.studies": "Studies",
    "qproj.lab.report": "Reports",
    "qproj.testing": "Conformance kit",
    "qproj.cli": "Command line",
    "qproj_ortools": "Adapter: OR-Tools CP-SAT",
    "qproj_highs": "Adapter: HiGHS",
    "qproj_gurobi": "Adapter: Gurobi",
    "qproj_scip": "Adapter: SCIP",
    "qproj_exact": "Adapter: Exact",
    "qproj_pysat": "Adapter: PySAT",
    "qproj_ommx": "Adapter: OMMX",
    "qproj_dynamics": "Adapter: Schrödinger dynamics",
    "qproj_dwave": "Adapter: D-Wave",
    "qproj_qiskit": "Adapter: Qiskit",
}

#: Rooms that gather the names of others, whose entries stand there.
SHORTCUTS = ("qproj", "qproj.lab")

#: Compiled loops, which only solvers call.
INTERNAL = "kernels"


def _folder(package: str) -> Path:
    base = ROOT if package.startswith("qproj.") or package == "qproj" else ROOT / "adapters"
    return base.joinpath(*package.split("."))


def modules_of(package: str) -> list[str]:
    """Return the public modules of a package, those of sub-packages included."""
    folder = _folder(package)
    found = []
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        name = ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))
        hidden = any(part.startswith("_") and part != "__init__" for part in parts)
        if hidden or name == package or INTERNAL in parts:
            continue
        found.append(name)
    # The commands are on the page of the command line.
    return [] if package in ("qproj", "qproj.lab", "qproj.cli") else found


def listed(package: str) -> list[str]:
    """Return a package's public names in alphabetical order, without its version; none where it has no ``__all__``."""
    names = getattr(importlib.import_module(package), "__all__", ())
    return sorted((name for name in names if name != "__version__"), key=str.lower)


def owner(package: str, name: str) -> str:
    """Return the first room that lists the same object; rooms that gather the names of others come last."""
    thing = getattr(importlib.import_module(package), name)
    for room in (*(room for room in PACKAGES if room not in SHORTCUTS), *SHORTCUTS):
        if name in listed(room) and getattr(importlib.import_module(room), name) is thing:
            return room
    return package


def target(package: str, name: str) -> str:
    """Return the full name under which a public name has its entry; constants have it where they are assigned."""
    thing = getattr(importlib.import_module(package), name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        for module in modules_of(package):
            if re.search(rf"^{name}\b.*=", inspect.getsource(importlib.import_module(module)), re.MULTILINE):
                return f"{module}.{name}"
    return f"{owner(package, name)}.{name}"


def public_names(package: str) -> list[str]:
    """Return a table of a package's public names, each with its first line, linked to its entry."""
    module, lines = importlib.import_module(package), ["", ".. list-table::", "   :widths: 30 70", ""]
    for name in listed(package):
        thing = getattr(module, name)
        constant = not (inspect.isclass(thing) or inspect.isroutine(thing))
        text = "" if constant else escape(inspect.cleandoc(thing.__doc__ or "").partition("\n")[0])
        lines += [f"   * - :py:obj:`{name} <{target(package, name)}>`", f"     - {text}"]
    return [*lines, ""]


def entry(package: str, name: str) -> list[str]:
    """Return the directive that documents a public name under the path from which it is imported."""
    thing = getattr(importlib.import_module(package), name)
    if owner(package, name) != package:  # its entry stands there
        return []
    if not inspect.isclass(thing):
        kind = "autofunction" if inspect.isroutine(thing) else "autodata"
        return [f".. {kind}:: {target(package, name)}", ""]
    if issubclass(thing, Exception):
        return [f".. autoexception:: {package}.{name}", "   :show-inheritance:", ""]
    return [f".. autoclass:: {package}.{name}", "   :members:", "   :show-inheritance:", ""]


def page(package: str, title: str) -> str:
    """Return the page's reStructuredText: what the room is, its names in a table, then each name with its members.

    A name is imported from the room, whichever module defines it. Rooms without a list show their modules.
    """
    lines = [title.replace("`", "``"), "=" * 72, "", f".. automodule:: {package}", "   :ignore-module-all:"]
    if not hasattr(importlib.import_module(package), "__all__"):
        lines += ["   :members:", ""]
        for module in modules_of(package):
            lines += [f"``{module}``", "-" * 72, "", f".. automodule:: {module}", "   :members:"]
            lines += ["   :ignore-module-all:", "   :show-inheritance:", ""]
        return "\n".join(lines)
    lines += ["   :no-members:", "", ".. code-block:: python", "", f"   from {package} import …", ""]
    lines += public_names(package)
    for name in listed(package):
        lines += entry(package, name)
    return "\n".join(lines)


def write_pages(app: Sphinx) -> None:
    """Write docs/reference/generated/*.rst and their index; unchanged files keep their time stamps."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    present = {name: title for name, title in PACKAGES.items() if (_folder(name) / "__init__.py").is_file()}
    files = {f"{name}.rst": page(name, title) for name, title in present.items()}
    toc = "\n".join(f"   {name}" for name in present)
    files["index.rst"] = f"API\n===\n\n.. toctree::\n   :maxdepth: 1\n\n{toc}\n"
    for old in target.glob("*.rst"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        file = target / name
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}

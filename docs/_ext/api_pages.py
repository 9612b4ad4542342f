"""Writes one API page for each package, from the files on disk: a new module needs no entry anywhere."""

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


def home_of(package: str, name: str) -> str:
    """Return the documented module that defines a public name of a package; the package where none does."""
    home = getattr(getattr(importlib.import_module(package), name), "__module__", None)
    if home is not None:
        return package if any(part.startswith("_") for part in home.split(".")) else str(home)
    for module in modules_of(package):  # a constant has no __module__: the file that assigns it
        if re.search(rf"^{name}\b.*=", inspect.getsource(importlib.import_module(module)), re.MULTILINE):
            return module
    return package


def public_names(package: str) -> list[str]:
    """Return a list of a package's ``__all__``, each name with its first line, linked to where it is defined."""
    module = importlib.import_module(package)
    if not hasattr(module, "__all__"):
        return []
    lines = ["", ".. list-table::", "   :widths: 30 70", ""]
    here = []
    for name in sorted(module.__all__, key=str.lower):
        if name == "__version__":
            continue
        thing, home = getattr(module, name), home_of(package, name)
        constant = not (inspect.isclass(thing) or inspect.isroutine(thing))
        text = "" if constant else escape(inspect.cleandoc(thing.__doc__ or "").partition("\n")[0])
        lines += [f"   * - :py:obj:`{package}.{name} <{home}.{name}>`", f"     - {text}"]
        if home == package and thing.__module__ != package:
            here += ["", f".. autofunction:: {package}.{name}"]
    return [*lines, *here, ""]


def page(package: str, title: str) -> str:
    """Return the page's reStructuredText."""
    lines = [title.replace("`", "``"), "=" * 72, "", f".. automodule:: {package}", "   :ignore-module-all:"]
    # A name is documented where it is defined, so re-exports are not listed twice.
    lines += ["   :members:", ""]
    lines += public_names(package)
    for module in modules_of(package):
        lines += [f"``{module}``", "-" * 72, "", f".. automodule:: {module}", "   :members:"]
        lines += ["   :ignore-module-all:", "   :show-inheritance:", ""]
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

"""The picture of the architecture page is the contracts, and the contracts are the packages on disk."""

import ast
import importlib.util
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("docs_layers", ROOT / "docs" / "_ext" / "layers.py")
assert _spec is not None
assert _spec.loader is not None
picture = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(picture)


def room(module):
    """The layer of a module: qproj.NAME, or qproj.lab.NAME."""
    parts = module.split(".")
    return ".".join(parts[: 3 if parts[1:2] == ["lab"] else 2])


def test_every_package_on_disk_is_one_layer():
    named = [name for row in picture.layers() for name in row]
    assert len(named) == len(set(named))
    rooms = [*(ROOT / "qproj").glob("*/__init__.py"), *(ROOT / "qproj" / "lab").glob("*/__init__.py")]
    folders = {".".join(p.parent.relative_to(ROOT).parts) for p in rooms} - {"qproj.lab"}
    files = {f"qproj.{p.stem}" for p in (ROOT / "qproj").glob("_[a-z]*.py")}
    assert folders | files == set(named)


def test_no_module_lies_beside_the_layers():
    assert {p.name for p in (ROOT / "qproj").glob("[a-z]*.py")} == set()
    assert {p.name for p in (ROOT / "qproj" / "lab").glob("*.py")} == {"__init__.py"}


def test_the_picture_names_every_layer_and_adapter_in_order():
    shown = re.findall(r'<text class="name"[^>]*>([^<]+)</text>', picture.draw())
    names, seen = picture.adapters()
    assert shown == [name for row in picture.layers() for name in row] + names
    assert set(seen) == {
        "qproj.solvers",
        "qproj.formats",
        "qproj.projections",
        "qproj.encodings",
        "qproj._arrays",
        "qproj._options",
        "qproj._files",
        "qproj._seeds",
        "qproj._compiled",
        "qproj._extras",
        "qproj._labels",
        "qproj._sums",
    }


def test_each_import_points_down_the_picture():
    import grimp

    graph = grimp.build_graph("qproj", exclude_type_checking_imports=True, cache_dir=None)
    height = {name: -i for i, row in enumerate(picture.layers()) for name in row}
    checked = 0
    for module in graph.modules:
        here = room(module)
        for target in graph.find_modules_directly_imported_by(module):
            there = room(target)
            if here in height and there in height:
                checked += 1
                assert height[there] <= height[here], f"{module} imports {target}, which is above it"
    assert checked > 50


@pytest.mark.parametrize("for_types", [False, True], ids=["imports", "imports-for-types-too"])
def test_no_files_import_each_other_in_a_circle(for_types):
    """Imports inside functions count too, and a package counts as all that its __init__ imports."""
    import grimp

    graph = grimp.build_graph(
        "qproj", *picture.adapters()[0], exclude_type_checking_imports=not for_types, cache_dir=None
    )
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert sum(map(len, imports.values())) > 100
    TopologicalSorter(imports).prepare()  # a CycleError names the files of the circle


def test_no_class_has_the_name_of_another():
    """A name says which record is meant, wherever it is read."""
    files = [*(ROOT / "qproj").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    homes = {}
    for file in files:
        for name in re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE):
            homes.setdefault(name, []).append(str(file.relative_to(ROOT)))
    assert len(homes) > 100
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


#: A function's statements fit on one screen; ruff limits its complexity. What a signature and a docstring declare, the
#: options of a command with their help texts above all, is a list that one looks things up in.
MOST_LINES = 60


def statements(function):
    """Return the number of lines from the first statement to the last, the docstring left out."""
    first = function.body[1] if ast.get_docstring(function) is not None and len(function.body) > 1 else function.body[0]
    return function.end_lineno - first.lineno + 1


def test_no_function_is_longer_than_a_screen():
    checked, long = 0, []
    for folder in ("qproj", "adapters", "benchmarks", "tests", "examples", "docs"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    checked += 1
                    if statements(node) > MOST_LINES:
                        long.append(f"{file.relative_to(ROOT)}: {node.name} has {statements(node)} lines")
    assert checked > 1000
    assert long == []


#: Folders whose files of one name are the same part of different rooms.
PAIRED = {"__init__.py", "__main__.py"}


def test_no_file_has_the_name_of_another():
    homes = {}
    for file in [*(ROOT / "qproj").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]:
        if file.name not in PAIRED:
            homes.setdefault(file.name, []).append(str(file.relative_to(ROOT)))
    assert len(homes) > 100
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_results_of_benchmarks_are_named_after_their_modules():
    """MODULE.json, MODULE_PART.json; folders hold studies and training runs, by their own names."""
    modules = {file.stem for file in (ROOT / "benchmarks").glob("*.py")}
    files = [file for file in (ROOT / "benchmarks" / "results").iterdir() if file.is_file()]
    assert len(files) > 10
    for file in files:
        assert any(file.stem == name or file.stem.startswith(f"{name}_") for name in modules), file.name

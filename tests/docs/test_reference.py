"""The generated reference holds everything: commands and options, columns and fields, packages and modules."""

import enum
import importlib
import inspect
import tomllib
import zlib

import pytest
import typer

from qproj.cli import app
from qproj.lab.studies.study_file import StudyFile
from tests.docs._load import ROOT, extension

cli_page, schema, api = extension("cli_page"), extension("schema_pages"), extension("api_pages")


def every_command(command, path="qproj"):
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from every_command(sub, f"{path} {name}")


def test_the_command_line_page_has_every_command_and_option():
    root = typer.main.get_command(app)
    text = "\n".join(cli_page._section("qproj", root, 2))
    checked = 0
    for path, command in every_command(root):
        assert f"`{path}`" in text
        assert command.help, f"{path} has no help"
        for p in command.params:
            if not getattr(p, "hidden", False) and p.name != "help":
                assert (p.opts[0] if p.param_type_name == "option" else (p.metavar or p.name).upper()) in text
                assert getattr(p, "help", None), f"{path}: {p.name} has no help"
                checked += 1
    assert checked > 40


def test_every_command_shows_an_example():
    for path, command in every_command(typer.main.get_command(app)):
        if not getattr(command, "commands", None):
            assert f"  {path}" in command.help.partition("Examples:")[2], path


def test_every_column_of_the_store_is_explained_and_none_too_many():
    found = {f"{table}.{name}" for table, rows in schema.columns().items() for name, _, _ in rows}
    assert found == set(schema.COLUMNS)
    assert {name.partition(".")[0] for name in found} == set(schema.TABLES)
    text = schema.store_tables()
    assert all(f"`{name.partition('.')[2]}`" in text for name in found)


def test_every_field_of_a_study_file_is_explained():
    assert set(StudyFile.model_fields) == set(schema.FIELDS)
    text = schema.study_file()
    assert "| `reads` | list of integer ≥ 1 or none | `[100]` |" in text
    assert "| `solvers` | list of text | required |" in text


def test_every_package_has_its_page():
    rooms = [*(ROOT / "qproj").glob("*/__init__.py"), *(ROOT / "qproj" / "lab").glob("*/__init__.py")]
    packages = {".".join(p.parent.relative_to(ROOT).parts) for p in rooms}
    adapters = {p.parent.name for p in (ROOT / "adapters").glob("*/__init__.py")}
    assert packages | adapters | {"qproj"} == set(api.PACKAGES)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {name.rpartition("/")[2] for name in wheel["packages"]} == adapters | {"qproj"}


#: Rooms without a list of names: their modules are named where they are used.
WITHOUT_LIST = {"qproj.formats", "qproj.lab.training", "qproj.cli"}


def test_every_room_lists_its_public_names():
    listed = {name for name in api.PACKAGES if hasattr(importlib.import_module(name), "__all__")}
    assert listed == set(api.PACKAGES) - WITHOUT_LIST


@pytest.mark.parametrize("package", sorted(set(api.PACKAGES) - WITHOUT_LIST))
def test_the_public_names_of_a_package_are_documented_and_nothing_internal_is_among_them(package):
    module = importlib.import_module(package)
    page = api.page(package, api.PACKAGES[package])
    assert module.__all__
    for name in module.__all__:
        assert hasattr(module, name)
        if name == "__version__":
            assert module.__version__
            continue
        assert getattr(module, name).__doc__
        assert not name.startswith("_")
        place = api.target(package, name)
        assert f":py:obj:`{name} <{place}>`" in page
        room = api.owner(package, name)
        assert f":: {place}\n" in api.page(room, api.PACKAGES[room]), f"{package}.{name} has no entry"
    assert ".kernels" not in page


@pytest.mark.parametrize("package", sorted(set(api.PACKAGES) - WITHOUT_LIST))
def test_every_member_of_a_public_class_is_documented(package):
    for name in api.listed(package):
        thing = getattr(importlib.import_module(package), name)
        if not inspect.isclass(thing):
            continue
        for member, value in vars(thing).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                homes = [vars(base)[member] for base in thing.__mro__ if member in vars(base)]
                assert any(inspect.getdoc(home) for home in homes), f"{package}.{name}.{member}"
        if issubclass(thing, enum.Enum):
            assert inspect.getsource(thing).count("    #: ") == len(thing), f"{package}.{name}: a value without #:"


def test_text_with_a_colon_is_no_type():
    from sphinx.ext.napoleon import Config, NumpyDocstring

    class Application:
        def connect(self, *_):
            pass

    extension("plain_attributes").setup(Application())
    text = "Relative: to the largest gain."
    assert str(NumpyDocstring(text, Config(), what="attribute", name="tolerance")).strip() == text


def test_links_to_other_projects_name_what_is_installed_and_are_read_by_intersphinx():
    other = extension("other_projects")
    projects = tomllib.loads(other.PLACES.read_text())
    assert set(projects) == {"python", "numpy", "torch", "dimod"}
    for name, project in projects.items():
        assert project["url"].startswith("https://")
        assert project["url"].endswith("/")
        for thing, place in project["names"].items():
            module, _, member = thing.rpartition(".")
            assert not module or hasattr(importlib.import_module(module), member), thing
            assert ".html" in place
            assert " " not in place + thing
        head, _, packed = other.inventory(name, project["names"]).partition(b"zlib.\n")
        assert head.startswith(b"# Sphinx inventory version 2\n")
        assert len(zlib.decompress(packed).splitlines()) == len(project["names"])

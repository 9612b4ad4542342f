"""The documentation's text is checked: every Python block runs, every command, extra, target and path exists."""

import ast
import re
import shlex
import tomllib

import click
import pytest
import typer

from qproj.cli import app
from tests.docs._load import DOCS, ROOT, pages

PAGES = pages()
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def blocks(page, *languages):
    return [text for _, info, text in FENCE.findall(page.read_text()) if info.strip() in languages]


def _id(page):
    return str(page.relative_to(ROOT))


def test_there_are_pages_and_blocks():
    assert len(PAGES) > 20
    assert sum(len(blocks(page, "python", "{code-cell} python")) for page in PAGES) > 60


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_no_python_block_is_skipped(page):
    """conftest.py runs ```python and ```{code-cell} python; nothing may look like Python and be something else."""
    text = page.read_text()
    assert "skip: " not in text
    allowed = {"python", "{code-cell} python", "text", "console", "sh", "toml", "yaml", "json", ""}
    for _, info, _ in FENCE.findall(text):
        name = info.strip()
        assert name in allowed or name.startswith(
            ("{include}", "{toctree}", "{glossary}", "{literalinclude}", "{math}")
        ), name


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_what_cannot_run_here_is_at_least_python(page):
    """Blocks that need a token or a device stand as text; those that import or assign still have to parse."""
    for text in blocks(page, "text"):
        if re.search(r"^(from \w|import \w|\w+ = qproj\.)", text, re.MULTILINE):
            ast.parse(text)


def commands(page):
    """Command lines of console blocks, and of inline code that begins with the program's name."""
    text = page.read_text()
    found = []
    for _, info, body in FENCE.findall(text):
        if info.strip() in ("console", "sh"):
            joined = body.replace("\\\n", " ")
            found += [line.removeprefix("$ ").strip() for line in joined.splitlines()]
    prose = FENCE.sub("", text)
    found += re.findall(r"`((?:qproj|make|pip install) [^`]+)`", prose)
    return [line for line in found if line]


def check_qproj(words):
    command, path = typer.main.get_command(app), []
    with click.Context(command):
        while words and hasattr(command, "commands"):
            if words[0].startswith("-"):
                break
            assert words[0] in command.commands, f"qproj {' '.join([*path, words[0]])} does not exist"
            path.append(words[0])
            command = command.commands[words.pop(0)]
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"qproj {' '.join(path)} has no {word}"


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_commands_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in commands(page):
        words = shlex.split(line.replace("…", "x"), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if not words:
            continue
        if words[0] == "qproj" and not set(words[1:2]) & {"…", "x"}:
            check_qproj(words[1:])
        elif words[0] == "make" and len(words) > 1:
            assert words[1] in targets, line
        elif words[:2] == ["pip", "install"]:
            for extras in re.findall(r"qproj\[([^\]]+)\]", line):
                assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), line


#: Pages of the project beside its documentation.
FOR_DEVELOPERS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]


@pytest.mark.parametrize("page", [*PAGES, *FOR_DEVELOPERS], ids=_id)
def test_paths_that_are_named_exist(page):
    prose = FENCE.sub("", page.read_text())
    named = re.findall(r"`((?:tests|qproj|adapters|examples|benchmarks|docs|\.ci)/[\w./-]*\w)`", prose)
    named += re.findall(r"`(\.?\w[\w-]*\.(?:toml|yaml|cff|txt))`", prose) if page in FOR_DEVELOPERS else []
    for name in named:
        # docs/_build is where the documentation is built to
        assert name.startswith("docs/_build/") or (ROOT / name).exists(), name


@pytest.mark.parametrize("page", [*PAGES, *FOR_DEVELOPERS], ids=_id)
def test_relative_links_lead_somewhere(page):
    prose = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        if "generated/" in target:
            continue  # made at build time, which fails on what is missing
        assert (page.parent / target).exists(), target


def test_every_anchor_exists():
    anchors = {}
    for page in PAGES:
        headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).strip().replace(" ", "-") for h in headings}
        anchors[page.resolve()] = slugs | set(re.findall(r"^\(([\w-]+)\)=$", page.read_text(), re.MULTILINE))
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", FENCE.sub("", page.read_text())):
            if target.startswith("http"):
                continue
            place = (page.parent / target).resolve() if target else page.resolve()
            if place in anchors:
                assert anchor in anchors[place], f"{page.name}: {target}#{anchor}"


def test_every_folder_of_pages_is_in_the_index():
    index = (DOCS / "index.md").read_text()
    for page in PAGES[1:]:
        name = str(page.relative_to(DOCS).with_suffix(""))
        folder = name.rpartition("/")[0]
        assert name == "index" or f"\n{name}\n" in index or f"\n{folder}/*\n" in index, name


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_no_formula_begins_a_tag(page):
    r"""A `<` before a letter begins a tag of HTML, which ends the formula: `\lt`, or a space."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    formulas = re.findall(r"\$\$.*?\$\$", text, re.DOTALL) + re.findall(r"\$[^$\n]+\$", text)
    assert [f for f in formulas if re.search(r"<[A-Za-z/!?]", f)] == []

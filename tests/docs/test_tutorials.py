"""Tutorials begin with what the reader will have at the end, and are offered as notebooks with the same cells."""

import re

import pytest

from tests.docs._load import DOCS, extension

TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_says_what_one_has_at_the_end_and_offers_its_notebook(page):
    beginning = page.read_text().partition("\n# ")[2].partition("\n## ")[0].partition("```{code-cell}")[0]
    assert "At the end you have" in " ".join(beginning.split())
    assert f"<../reference/generated/{page.stem}.ipynb>`" in beginning


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_notebook_holds_the_pages_cells(page):
    nbformat = pytest.importorskip("nbformat")
    notebook = extension("notebooks").notebook(page.read_text())
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [
        text.rstrip() for text in re.findall(r"^```\{code-cell\} python\n(.*?)^```", page.read_text(), re.M | re.S)
    ]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose.startswith("# ")
    assert ".md" not in prose, "links to pages lead nowhere from a notebook"
    assert "{download}" not in prose

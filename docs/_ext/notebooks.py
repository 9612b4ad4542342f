"""Writes each tutorial as a notebook, reference/generated/NAME.ipynb, which its page offers for download."""

import re
from pathlib import Path

import nbformat
from sphinx.application import Sphinx

CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _prose(text: str) -> str:
    """Return a page's Markdown as a notebook shows it: roles and links within the site become their words."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("{download}"))
    text = re.sub(r"\{\w+\}`([^`<]*?)(?: <[^>]*>)?`", r"\1", text)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text).strip()


def notebook(page: str) -> nbformat.NotebookNode:
    """Return a page of MyST Markdown as a notebook: its code cells in order, and what stands between them."""
    body = re.sub(r"\A---\n.*?\n---\n", "", page, flags=re.DOTALL)
    cells = []
    for position, part in enumerate(CELL.split(body)):  # prose and code by turns
        kind = nbformat.v4.new_code_cell if position % 2 else nbformat.v4.new_markdown_cell
        text = part.rstrip() if position % 2 else _prose(part)
        if text:
            cells.append(kind(text, id=f"cell-{position}"))  # the same in every build
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_notebooks(app: Sphinx) -> None:
    """Write the notebooks of all tutorials."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    for page in sorted((Path(app.srcdir) / "tutorials").glob("*.md")):
        file, text = target / f"{page.stem}.ipynb", nbformat.writes(notebook(page.read_text())) + "\n"
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_notebooks)
    return {"parallel_read_safe": True}

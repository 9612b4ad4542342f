"""Pictures that a page's code draws get a text in words: the title and the first paragraph of their section."""

from docutils import nodes
from sphinx.application import Sphinx


def describe(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Set the missing alternative texts of a page's pictures."""
    for image in doctree.findall(nodes.image):
        if image.get("alt") or image.get("classes") == ["logo"]:
            continue
        section = image.parent
        while section is not None and not isinstance(section, nodes.section):
            section = section.parent
        if section is not None:
            words = [child.astext() for child in section.children if isinstance(child, (nodes.title, nodes.paragraph))]
            image["alt"] = " ".join(". ".join(words[:2]).split())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", describe)  # the pictures of cells are made after reading
    return {"parallel_read_safe": True}

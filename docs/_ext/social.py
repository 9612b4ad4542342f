"""What a link to a page shows elsewhere: its title, its address and the card `_static/social-card.png`.

A picture and an address have to be absolute there, so both need `html_baseurl`, which conf.py takes from the
environment variable QPROJ_DOCS_URL; title and description are given without it.
"""

import re
from html import escape, unescape
from typing import Any

from sphinx.application import Sphinx

CARD = "_static/social-card.png"
CARD_ALT = (
    "A layer's inputs and targets become one problem per neuron; any solver takes it; signs with a bound come back"
)


def properties(title: str, page: str, base: str) -> dict[str, str]:
    """Return the Open Graph properties of a page, without those that need an address where `base` is empty."""
    found = {"og:title": unescape(title) or "qproj"}
    if base:
        root = base.rstrip("/") + "/"
        found |= {
            "og:url": root + page, "og:image": root + CARD, "og:image:alt": CARD_ALT,
            "og:image:width": "1200", "og:image:height": "630",
        }  # fmt: skip
    return found


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Add the properties to the head of a page; its description is that of conf.py."""
    title = re.sub(r"<[^>]*>", "", context.get("title") or "qproj")
    address = app.builder.get_target_uri(page)
    tags = [
        f'<meta property="{name}" content="{escape(value)}" />'
        for name, value in properties(title, address, app.config.html_baseurl).items()
    ]
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(tags)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True}

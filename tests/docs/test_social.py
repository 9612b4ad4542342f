"""What a link to a page of the site shows elsewhere."""

import struct
from types import SimpleNamespace

from tests.docs._load import DOCS, extension


def _head(base, title):
    builder = SimpleNamespace(get_target_uri=lambda page: f"{page}.html")
    app = SimpleNamespace(builder=builder, config=SimpleNamespace(html_baseurl=base))
    context = {"title": title, "metatags": "<meta before />"}
    extension("social").describe(app, "howto/a", "page.html", context, None)
    return context["metatags"]


def test_titles_are_text():
    head = _head("", "What <code>import qproj</code> gives &amp; &lt;takes&gt;")
    assert head.startswith("<meta before />")
    assert '<meta property="og:title" content="What import qproj gives &amp; &lt;takes&gt;" />' in head
    assert "og:image" not in head
    assert "og:url" not in head


def test_addresses_are_absolute():
    for base in ("https://example.org/qproj", "https://example.org/qproj/"):
        head = _head(base, "A")
        assert 'og:url" content="https://example.org/qproj/howto/a.html"' in head
        assert 'og:image" content="https://example.org/qproj/_static/social-card.png"' in head


def test_the_card_has_the_size_that_is_stated():
    header = (DOCS / "_static" / "social-card.png").read_bytes()[:24]
    assert struct.unpack(">II", header[16:]) == (1200, 630)

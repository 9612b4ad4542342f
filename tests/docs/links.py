"""Checks every internal link, anchor, picture and style of the built site: `make links`, or

python tests/docs/links.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The targets and the anchors of one page, and its pictures without a text."""

    def __init__(self, file: Path):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.without_text: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        for key in ("href", "src"):
            if (value := found.get(key)) and tag != "base":
                self.links.append(value)
        if tag == "img" and (not (text := found.get("alt")) or text.endswith((".png", ".svg"))):
            self.without_text.append(found.get("src") or "?")


def broken(site: Path) -> list[str]:
    """Return a line for each link into the site that leads nowhere, and for each picture without a text."""
    pages = {file.resolve(): Page(file) for file in sorted(site.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        place = file.relative_to(site.resolve())
        found += [f"{place}: a picture without a text: {picture}" for picture in page.without_text]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith(("//", "data:")):
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                found.append(f"{place}: {link} does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{place}: {link}: no such anchor")
    return found


def main() -> None:
    """Print what is broken, and end with 1 if anything is."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html")
    pages = len(list(site.rglob("*.html")))
    lines = broken(site)
    print("\n".join([*lines, f"{pages} pages, {len(lines)} broken links"]))
    sys.exit(1 if lines or not pages else 0)


if __name__ == "__main__":
    main()

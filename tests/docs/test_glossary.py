"""The main pages link each term of the glossary where they first use it in a sentence."""

import re

import pytest

from tests.docs._load import DOCS

MAIN = (
    *("quickstart", "which-solver", "troubleshooting", "performance-tips"),
    *("howto/read-the-certificate", "howto/train-networks", "howto/use-a-qpu", "howto/use-your-own-data"),
    *("explanation/projection", "explanation/encodings", "explanation/curvature", "explanation/linear-and-metric"),
    *("tutorials/annealer-and-exact", "tutorials/in-pictures"),
    *("tutorials/write-a-solver", "tutorials/your-own-optimiser"),
)  # fmt: skip
#: Words of a page and the entries that they mean.
WORDS = {
    "aggregation": "aggregation", "BQM": "BQM", "BQMs": "BQM", "bound": "bound", "certificate": "certificate",
    "chains": "chain", "CQM": "CQM", "CQMs": "CQM", "embedding": "embedding", "encoding": "encoding",
    "encodings": "encoding", "gain": "gain", "gap": "gap", "incumbent": "incumbent", "latent weights": "latent weights",
    "null model": "null model", "projection": "projection", "QPU": "QPU", "QUBO": "QUBO", "reads": "read",
    "straight-through": "straight-through", "target": "target", "targets": "target",
}  # fmt: skip
#: What is no sentence: fences, headings, tables, code, formulas, links, roles, and `---` blocks at the top.
OTHER = re.compile(
    r"\A---\n.*?\n---\n|^`{3,}.*?^`{3,}\s*$|^#.*?$|^\|.*?$|^\(\S+\)=$|\$\$.*?\$\$|\$[^$\n]+\$|(?:\{\w+\})?`[^`]+`"
    r"|!?\[[^\]]*\]\([^)]*\)|\*[^*\n]+\*|branch and bound",
    re.MULTILINE | re.DOTALL,
)


def first_uses(text):
    """Return (entry, start, end) of each entry's first use, where that is in a sentence and not yet a link."""
    linked = {m[1]: m.start() for m in re.finditer(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", text)}
    prose = OTHER.sub(lambda m: "\0" * len(m[0]), text)
    first = {}
    for word, entry in WORDS.items():
        match = re.search(rf"(?<![\w\0-]){word}(?![\w-])", prose)
        if match and match.start() < min(linked.get(entry, len(text)), first.get(entry, (len(text), 0))[0]):
            first[entry] = match.span()
    return [(entry, *span) for entry, span in first.items()]


@pytest.mark.parametrize("name", MAIN)
def test_a_main_page_links_terms_where_it_first_uses_them(name):
    text = (DOCS / f"{name}.md").read_text()
    assert [(entry, text[start - 20 : end]) for entry, start, end in first_uses(text)] == []


def test_terms_are_those_of_the_glossary():
    entries = re.findall(r"^([\w-][\w -]*)\n  ", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert set(WORDS.values()) <= set(entries)

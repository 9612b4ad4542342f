"""CITATION.cff and CHANGELOG.md have the form that tools read."""

import re
import tomllib

from tests.docs._load import ROOT

HEADINGS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_names_the_version_the_date_and_the_article_of_the_method():
    text = (ROOT / "CITATION.cff").read_text()
    fallback = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["fallback-version"]
    assert f"\nversion: {fallback}\n" in text
    assert re.search(r"^date-released: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert "British Machine Vision Conference 2024" in text
    assert "arXiv:2310.15128" in text


def test_the_changelog_is_kept_as_keep_a_changelog_asks():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= HEADINGS
    body = text[text.index("## [Unreleased]") :]
    for line in body.splitlines()[1:]:
        assert line == "" or line.startswith(("## ", "### ", "- ", "  ")), line

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


def test_the_badges_say_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    classifiers = project["project"]["classifiers"]
    versions = [c.rpartition(" ")[2] for c in classifiers if re.search(r"Python :: 3\.\d+$", c)]
    words = {
        "python": f"Python: {' | '.join(versions)}",
        "licence": f"licence: {project['project']['license']}",
        "typed": "types: mypy strict",
    }
    assert project["tool"]["mypy"]["strict"] is True
    for name, title in words.items():
        assert f"<title>{title}</title>" in (ROOT / "docs" / "_static" / f"badge-{name}.svg").read_text()
    shown = re.findall(r"docs/_static/badge-(\w+)\.svg", (ROOT / "README.md").read_text())
    assert sorted(shown) == sorted(words)

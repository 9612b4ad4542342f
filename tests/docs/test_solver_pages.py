"""Every solver has a page that says what it computes, when to use it, its options and its limits."""

import pytest

from tests.docs._load import DOCS, extension

solver_pages = extension("solver_pages")

#: Solvers that share a page.
SHARED = {"dwave-hybrid": "dwave", "qaoa-fast": "qaoa", **dict.fromkeys(solver_pages.COMPOSITES, "composites")}
NAMES = [*solver_pages.entry_points(), *solver_pages.COMPOSITES]


@pytest.mark.parametrize("name", NAMES)
def test_every_solver_has_a_page(name):
    page = (DOCS / "solvers" / f"{SHARED.get(name, name)}.md").read_text()
    if name not in solver_pages.COMPOSITES:
        assert f"solver-{name}-glance.inc" in page
        assert "```python" in page
    for option in solver_pages.inspect.signature(solver_pages.class_of(name)).parameters.values():
        if option.kind not in (option.VAR_POSITIONAL, option.VAR_KEYWORD):
            generated = f"solver-{name}-options.inc" in page
            assert generated or f"`{option.name}`" in page, option.name


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_meaning(name):
    for line in solver_pages.options(solver_pages.class_of(name)).splitlines():
        assert not line.endswith("|  |"), line

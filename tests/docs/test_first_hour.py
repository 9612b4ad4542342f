"""The command that writes docs/first-hour.md finds what it has to run."""

from benchmarks.first_hour import TUTORIALS, steps
from tests.docs._load import ROOT


def test_every_page_has_its_steps():
    shown = [step.shown for step in steps(ROOT)]
    for name in TUTORIALS:
        assert any(f"tutorials/{name}.md: " in text for text in shown)
    assert any(text.startswith("qproj compare") for text in shown)

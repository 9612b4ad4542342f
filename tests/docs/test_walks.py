"""The walks of the architecture page are what calls go through, and its table names what is there."""

import importlib
import re
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import qproj
from qproj.cli import app
from tests.docs._load import DOCS, ROOT

PAGE = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
HOP = re.compile(r"^\d+\. \[`([\w.]+)`\]\(\.\./\.\./((?:qproj|adapters)/[\w/.]+)\)", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./\.\./((?:qproj|adapters)/[\w/.]+\.py)\)")


def section(title):
    """The text of the page below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", PAGE, re.MULTILINE)
    assert found, title
    return re.split(rf"^#{{1,{len(found[1])}}} ", PAGE[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def called_functions(call):
    """(file, function) of the project in the order of their first calls in this thread; a first run imports all."""
    call()
    order = {}

    def watch(frame, event, arg):
        if event == "call" and frame.f_code.co_filename.startswith(f"{ROOT}/"):
            file = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
            if file.startswith(("qproj/", "adapters/")):
                order.setdefault((file, frame.f_code.co_qualname))

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return list(order)


def project(folder):
    rng = np.random.default_rng(0)
    X, T = rng.choice([-1, 1], (16, 64)), rng.normal(size=(16, 8))
    return lambda: qproj.project(X, T, seed=0)


def project_grad(folder):
    torch = pytest.importorskip("torch")
    from qproj.nn import BinaryLinear, SignActivation
    from qproj.optim import project_grad_

    model = torch.nn.Sequential(BinaryLinear(64, 32), SignActivation(), BinaryLinear(32, 1))
    x, y = torch.ones(16, 64), torch.ones(16, 1)

    def step():
        model.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(x) / 6, y).backward()
        project_grad_(model)

    return step


def compare(folder):
    pytest.importorskip("plotly")
    arguments = ["compare", "--instances", "random:n=12,d=9", "--solvers", "sign,sa", "--reads", "5", "--seeds", "1"]
    numbers = iter(range(9))

    def run():
        rest = ["--max-neurons", "2", "--workers", "1", "--out", str(folder / f"study{next(numbers)}")]
        result = CliRunner().invoke(app, [*arguments, *rest])
        assert result.exit_code == 0, result.output

    return run


WALKS = {"qproj.project(X, T)": project, "project_grad_(model)": project_grad, "qproj compare": compare}


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_names_functions_in_the_order_of_their_calls_and_every_file(title, tmp_path):
    text = section(f"`{title}`")
    called = called_functions(WALKS[title](tmp_path))
    hops = [(file, name) for name, file in HOP.findall(text)]
    assert len(hops) >= 8
    assert [hop for hop in hops if hop not in called] == []
    assert hops == sorted(hops, key=called.index)
    passed = {file for file, _ in called}
    assert sorted(passed - set(LINK.findall(text))) == [], "files that the walk does not list"
    assert sorted(set(LINK.findall(text)) - passed) == [], "listed files that the call does not pass through"


def test_every_decision_of_the_table_is_made_where_it_says():
    rows = re.findall(r"\[`([\w.]+)`\]\(\.\./\.\./([\w/]+)\.py\)", section("Where is it decided?"))
    assert len(rows) >= 10
    for symbol, path in rows:
        thing = importlib.import_module(path.removeprefix("adapters/").replace("/", "."))
        for name in symbol.split("."):
            thing = getattr(thing, name)
        assert getattr(thing, "__module__", None) in (None, path.removeprefix("adapters/").replace("/", "."))

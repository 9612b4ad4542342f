"""Numbers that pages state are those of the stored results: generated pages whole, hand-written ones by sentence."""

import json
import math
import re

import pytest

from benchmarks import __main__ as performance
from benchmarks import aggregation_table, emulated_annealer, findings, gallery, qubo_table, regimes
from tests.docs._load import DOCS, ROOT

RESULTS = ROOT / "benchmarks" / "results"


def stored(name, *path):
    """Return a value of benchmarks/results/NAME.json."""
    value = json.loads((RESULTS / f"{name}.json").read_text())
    for key in path:
        value = value[key]
    return value


MODULES = performance.modules()


@pytest.mark.parametrize("name", MODULES)
def test_a_section_of_the_performance_page_is_what_is_stored(name):
    record = performance.stored(name)
    if record is None:
        assert f"\n## {MODULES[name].TITLE}\n" not in performance.PAGE.read_text(), "a section without results"
        return
    try:
        section = MODULES[name].section(record["result"])
    except KeyError as missing:
        pytest.skip(f"stored by an earlier version, without {missing}; run python -m benchmarks {name}")
    assert f"\n## {MODULES[name].TITLE}\n{section}" in performance.PAGE.read_text()


def test_the_findings_page_begins_with_what_is_stored():
    page = (DOCS / "findings.md").read_text()
    assert page.startswith(findings.page(stored("findings")))


@pytest.mark.slow
def test_the_findings_page_ends_with_what_the_stored_studies_say(tmp_path, monkeypatch):
    pytest.importorskip("polars")
    from benchmarks import study_findings

    monkeypatch.setattr(study_findings, "FIGURES", tmp_path)
    assert (DOCS / "findings.md").read_text() == findings.page(stored("findings")) + study_findings.sections()


def test_the_qubo_table_is_what_is_stored():
    assert qubo_table.table() == qubo_table.PAGE.read_text()


def test_the_emulated_annealer_table_is_what_is_stored():
    assert emulated_annealer.page(stored("emulated_annealer")) == emulated_annealer.PAGE.read_text()


def test_the_gallery_shows_every_example_and_what_is_stored():
    printed = stored("gallery")
    assert list(printed) == gallery.names()
    assert gallery.page(printed) == gallery.PAGE.read_text()
    for name, text in printed.items():
        assert gallery.groups(name, text), name
        assert (gallery.PICTURES / f"{name}.svg").is_file(), name


def test_the_regimes_of_the_solvers_are_what_is_stored():
    assert regimes.HEADING + regimes.part() in regimes.PAGE.read_text()


def test_the_aggregation_table_is_what_is_stored():
    lines = [aggregation_table.Line(**line) for line in stored("aggregation_table", "lines")]
    assert aggregation_table.markdown(lines) in aggregation_table.PAGE.read_text()


def solved(solver):
    """Return the shares of neurons solved at d = 5, 7, 9, 15."""
    return [f"{stored('findings', 'solved', d, solver, 'share'):.2f}" for d in ("5", "7", "9", "15")]


def sizes_wrong():
    return {int(d): share for d, share in stored("findings", "published_wrong").items()}


#: (page, its words, what is stored), with {} for each value.
STATED = [
    (
        "reference/metrics.md",
        "the best of 100 annealed reads is optimal for {}, {}, {} and {} of the neurons",
        lambda: solved("sa, published"),
    ),
    (
        "reference/metrics.md",
        "the best of 100 *random* vectors for {}, {}, {} and {}",
        lambda: solved("random"),
    ),
    (
        "explanation/encodings.md",
        "wrong for {} of the neurons at d = 9",
        lambda: [f"{sizes_wrong()[9]:.2f}"],
    ),
]


@pytest.mark.parametrize(("page", "words", "values"), STATED)
def test_a_sentence_states_what_is_stored(page, words, values):
    text = " ".join((DOCS / page).read_text().split())
    assert words.format(*values()) in text


def test_the_sizes_at_which_the_published_encoding_is_wrong():
    text = (DOCS / "explanation" / "encodings.md").read_text()
    assert "at d = 2 and at d = 8 to 14" in text
    assert "never wrong at d = 3 to 7 and 15" in text
    wrong = sizes_wrong()
    assert {d for d, share in wrong.items() if share > 0.5} == {2, *range(8, 15)}
    assert {d for d, share in wrong.items() if share == 0} == {*range(3, 8), 15}


def test_the_margin_is_best_between_one_and_two():
    """Stated by the pages on encodings, on linear projections and in pictures, and by encodings.margin."""
    for shares in stored("findings", "kappa").values():
        best = max(shares.values())
        assert {float(k) for k, share in shares.items() if share > best - 0.05} <= {1.0, 1.5, 2.0}
    places = ["docs/explanation/encodings.md", "docs/explanation/linear-and-metric.md"]
    places += ["docs/tutorials/in-pictures.md", "qproj/encodings/margin.py"]
    for place in places:
        assert re.search(r"between (κ = )?1 and 2|1 to 2 is best|one to two standard", (ROOT / place).read_text()), (
            place
        )


def test_the_best_tuned_mean_of_a_row_is_bold_and_nothing_else():
    rows = re.findall(r"^\| `[\w-]+` \|(.+)\|$", (DOCS / "results.md").read_text(), re.MULTILINE)
    checked = 0
    for row in rows:
        cells = [cell.strip() for cell in row.split("|")]
        if "**" not in row or not all(re.match(r"[*–]|\d\.\d+ ± ", cell) for cell in cells[:7]):
            continue
        means = [float(cell.strip("*").split()[0]) if cell != "–" else -math.inf for cell in cells[:6]]
        bold = {i for i, cell in enumerate(cells) if cell.startswith("**")}
        assert bold <= {i for i, mean in enumerate(means) if mean == max(means)}
        checked += 1
    assert checked > 10


def test_the_readme_states_the_results_of_the_ten_digits():
    results, readme = (DOCS / "results.md").read_text(), " ".join((ROOT / "README.md").read_text().split())
    rows = [row.split("|") for row in re.findall(r"^\| `mnist-10` \|(.+)\|$", results, re.MULTILINE)]
    row = next(row for row in rows if sum(" ± " in cell for cell in row) > 3)
    qpsbgd, connect, sign = (cell.strip(" *") for cell in row[:3])
    assert f"reaches {qpsbgd}, signSGD {sign} and BinaryConnect {connect}" in readme
    for name, verdict in {"cora": "ahead", "citeseer": "level", "pubmed": "level"}.items():
        assert re.search(rf"^\| `{name}` \| \w+ \| .+ \| {verdict} \|$", results, re.MULTILINE), name

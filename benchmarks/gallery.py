"""The gallery of the examples: what each asks and prints, with a picture of its printed numbers.

    python -m benchmarks.gallery              runs every example (some minutes), then writes page and pictures
    python -m benchmarks.gallery NAME ...     runs these examples only
    python -m benchmarks.gallery --page       writes page and pictures from what is stored

What the examples printed is kept in benchmarks/results/gallery.json; the page is docs/gallery.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
STORE = ROOT / "benchmarks" / "results" / "gallery.json"
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "_static" / "gallery"


@dataclass(frozen=True)
class Picture:
    """Bars of the numbers that an example prints: one group per match of `line`, one bar per series.

    `line` has the groups `label` and a, b, … , the values of the series in this order.
    """

    line: str
    series: tuple[str, ...]
    axis: str

    def groups(self, printed: str) -> list[tuple[str, list[float]]]:
        """Return (label, values) for every line that matches."""
        found = []
        for match in re.finditer(self.line, printed, re.MULTILINE):
            names = "abcd"[: len(self.series)]
            found.append((" ".join(match["label"].split()), [float(match[name]) for name in names]))
        return found


PICTURES_OF = {
    "any_network": Picture(
        r"^(?P<label>\w+) +\d+ +\S+ → \S+ +(?P<a>[\d.]+) +(?P<b>[\d.]+)$",
        ("SGD + project_grad_", "STE-Adam"), "test accuracy",
    ),
    "can_i_solve_my_own_qubo": Picture(
        r"^(?P<label>\w+) .*energy (?P<a>-[\d.]+), bound (?P<b>-[\d.]+)$", ("energy", "bound"), "energy",
    ),
    "can_my_sampler_join": Picture(
        r"^(?P<label>\w+): gain (?P<a>[\d.]+) of (?P<b>[\d.]+)", ("the sampler", "the optimum"), "gain",
    ),
    "custom_optimizer": Picture(
        r"^(?P<label>[\w ]+?) +test accuracy (?P<a>[\d.]+)", ("test accuracy",), "test accuracy",
    ),
    "does_a_hint_help": Picture(
        r"^(?P<label>with(?:out)? +a hint).* (?P<a>[\d.]+) s$", ("seconds",), "seconds until proved",
    ),
    "how_fast_is_a_certificate": Picture(
        r"^128 neurons, (?P<label>.*): (?P<a>\d+)% proved in \d+ ms$", ("proved",), "% of 128 neurons proved",
    ),
    "how_good_is_an_annealer": Picture(
        r"^(?P<label>\w+) +mean gain.* gap (?P<a>[\d.]+)$", ("gap",), "mean gap: 0 is proved optimal",
    ),
    "is_my_network_a_fixed_point": Picture(
        r"^(?P<label>step) (?P<a>\d+): V", ("step",), "steps until the fixed point, 20 at most",
    ),
    "what_does_qaoa_find": Picture(
        r"^(?P<label>p = \d|noisy):.*optimum in (?P<a>[\d.]+)%", ("reads",), "% of reads at the optimum",
    ),
    "what_merges_in_my_batch": Picture(
        r"^ *(?P<label>\d+ digits): (?P<a>\d+) weights → (?P<b>\d+) classes → (?P<c>\d+) bits",
        ("weights", "classes of equal columns", "bits of the model"), "number",
    ),
    "which_encoding_fits_a_qpu": Picture(
        r"^ +(?P<label>\w+) +(?P<a>\d+) variables", ("variables",), "variables, at 15 weights",
    ),
}  # fmt: skip


def names() -> list[str]:
    """Return the names of the examples."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


def heading(name: str) -> str:
    """Return an example's name as a heading."""
    words = [{"i": "I", "qubo": "QUBO", "qaoa": "QAOA", "qpu": "QPU"}.get(word, word) for word in name.split("_")]
    return " ".join([words[0].capitalize(), *words[1:]])


def question(name: str) -> str:
    """Return what an example asks: its docstring's first sentence."""
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())) or ""
    return text[: text.index("?") + 1].replace("\n", " ")


def groups(name: str, printed: str) -> list[tuple[str, list[float]]]:
    """Return what an example's picture shows."""
    if name == "which_encoding_fits_a_qpu":
        printed = printed.rpartition(" weights\n")[2]
    return PICTURES_OF[name].groups(printed)


def words(name: str, printed: str) -> str:
    """Return a picture in words: every bar with its number."""
    series = PICTURES_OF[name].series
    rows = []
    for label, values in groups(name, printed):
        told = ", ".join(f"{s} {v:g}" if len(series) > 1 else f"{v:g}" for s, v in zip(series, values, strict=True))
        rows.append(f"{label}: {told}")
    return f"Bars of {PICTURES_OF[name].axis}. " + "; ".join(rows) + "."


def draw(name: str, printed: str) -> None:
    """Write an example's picture."""
    import matplotlib
    from matplotlib.figure import Figure

    picture, bars = PICTURES_OF[name], groups(name, printed)
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "qproj", "font.size": 11})
    count = len(picture.series)
    figure = Figure(figsize=(7.2, 0.9 + 0.32 * count * len(bars) + 0.15 * len(bars)))
    axes = figure.subplots()
    for s, (label, colour) in enumerate(zip(picture.series, ("#1f6f8b", "#e08e45", "#8a8fa3"), strict=False)):
        places = [i + (s - (count - 1) / 2) * 0.8 / count for i in range(len(bars))]
        drawn = axes.barh(places, [values[s] for _, values in bars], 0.74 / count, color=colour, label=label)
        axes.bar_label(drawn, [f" {values[s]:g} " for _, values in bars], fontsize=10)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.set_xlabel(picture.axis)
    axes.spines[["top", "right"]].set_visible(False)
    if count > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=count, frameon=False, fontsize=10)
    PICTURES.mkdir(parents=True, exist_ok=True)
    target = PICTURES / f"{name}.svg"
    figure.savefig(target, bbox_inches="tight", facecolor="white", metadata={"Date": None})
    target.write_text("\n".join(line.rstrip() for line in target.read_text().splitlines()) + "\n")


def page(stored: dict[str, str]) -> str:
    """Return the gallery as Markdown."""
    parts = [
        "# Gallery of examples\n\nEach example answers one question, runs by itself (`python examples/NAME.py` in a "
        "checkout) and prints what stands here.\nThe pictures show the printed numbers; times are those of one run on "
        "a machine that was shared with other work.\n`python -m benchmarks.gallery` runs all of them and writes this "
        "page.\n"
    ]
    for name, printed in stored.items():
        shown = f"![{words(name, printed)}](_static/gallery/{name}.svg)"
        parts.append(
            f"## {heading(name)}\n\n{question(name)}\n\n{shown}\n\n"
            f"```text\n{printed.strip(chr(10))}\n```\n\n"
            f"{{download}}`examples/{name}.py <../examples/{name}.py>`\n"
        )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="examples to run; all of them by default")
    parser.add_argument("--page", action="store_true", help="run nothing: write page and pictures from what is stored")
    arguments = parser.parse_args()
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    for name in [] if arguments.page else arguments.names or names():
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py")], stdout=subprocess.PIPE, text=True, check=True
        )
        stored[name] = done.stdout
    stored = {name: stored[name] for name in names() if name in stored}
    STORE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    for name, printed in stored.items():
        draw(name, printed)
    PAGE.write_text(page(stored))


if __name__ == "__main__":
    main()

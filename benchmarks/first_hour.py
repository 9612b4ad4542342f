"""A newcomer's first hour, done from the text alone: writes docs/first-hour.md with every command's seconds and answer.

    python -m benchmarks.first_hour [--source REPOSITORY] [--python PYTHON]

A clone in an empty directory, an environment with a search path, a home directory, a language and pip's settings, the
commands of the README, then the three tutorials as they stand: their Python in one process per page, their commands
in a shell. A step that fails stays on the page, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import commit, machine

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "first-hour.md"
KEPT = 24  # lines of a step's answer
TUTORIALS = ("annealer-and-exact", "your-own-optimiser", "write-a-solver")
_FENCE = re.compile(r"^```(?:\{code-cell\} )?(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: Run by the new environment's Python: one page's blocks in one namespace, as readers paste them.
PASTED = """
import json, sys
names = {"__name__": "__main__"}
for block in json.load(sys.stdin):
    exec(compile(block, "<page>", "exec"), names)
"""

INTRODUCTION = """# The first hour, as it went

Written by `python -m benchmarks.first_hour`, not by hand: a clone of {commit} in an empty directory, {python}, {cores}
cores ({cpu}), {date}, an environment with a search path, a home directory, a language and pip's settings. The load
average at the end was {load:.0f}; times are longer than alone where it is above the cores. Every command is the
README's or a tutorial's, in their order, and so is every block of Python. `open` is left out, for want of a screen;
long answers are cut in the middle. Packages came from an index nearby, so a slow line adds its own minutes to the two
installs.

| step | seconds |
|---|---|
"""


@dataclass(frozen=True)
class Step:
    """One command, or one page's Python."""

    shown: str
    command: list[str]
    pasted: str = ""


@dataclass(frozen=True)
class Done:
    """What came of a step."""

    shown: str
    answer: str
    seconds: float
    code: int


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a language in a page."""
    return [text for info, text in _FENCE.findall(page.read_text()) if info == language]


def shell(line: str) -> Step:
    return Step(line, ["bash", "-c", line])


def steps(checkout: Path) -> list[Step]:
    """Return the steps after `make demo`."""
    found = [shell("qproj doctor")]
    compare, train, solver = blocks(checkout / "README.md", "python")
    found += [_python("README, compare", [compare]), shell('pip install -c constraints.txt -e ".[torch]"')]
    found += [_python("README, train", [train]), _python("README, bring a solver", [solver])]
    for name in TUTORIALS:
        page = checkout / "docs" / "tutorials" / f"{name}.md"
        lines = [line.removeprefix("$ ") for text in blocks(page, "console") for line in text.splitlines()]
        needed = [line for line in lines if line.startswith("pip install ")]
        found += map(shell, needed)  # first: a page's blocks are one process
        found.append(_python(f"docs/tutorials/{name}.md", blocks(page, "python")))
        found += [shell(line) for line in lines if line not in needed and not line.startswith("open ")]
    found += [shell("pip install examples/third_party_solver"), shell("qproj solvers")]
    return found


def _python(title: str, found: list[str]) -> Step:
    if not found:
        raise ValueError(f"{title} has no Python block")
    return Step(f"{title}: {len(found)} block{'s' * (len(found) > 1)}", ["python", "-c", PASTED], json.dumps(found))


def run(step: Step, folder: Path, environment: dict[str, str]) -> Done:
    begin = time.perf_counter()
    done = subprocess.run(
        step.command, cwd=folder, env=environment, input=step.pasted, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    result = Done(step.shown, done.stdout, time.perf_counter() - begin, done.returncode)
    told = f"exit code {result.code}  " if result.code else ""
    print(f"{result.seconds:7.1f} s  {told}{step.shown}", flush=True)
    return result


def transcript(source: str, python: str, home: Path) -> tuple[list[Done], str]:
    """Return what every step did, and the commit."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name == "LANG"}
    path = os.environ["PATH"]
    environment = {"HOME": str(home), "PATH": path, "COLUMNS": "100", **kept}
    done = [run(shell(f"git clone {shlex.quote(source)} qproj"), home, environment)]
    checkout = home / "qproj"
    done.append(run(shell(f"make demo PYTHON={shlex.quote(python)}"), checkout, environment))
    environment["PATH"] = f"{checkout / '.venv' / 'bin'}:{path}"
    done += [run(step, checkout, environment) for step in steps(checkout)]
    places = ((f" PYTHON={python}", ""), (python, "python3"), (str(home), "~"), (source, "<this repository>"))
    return [_readable(one, places) for one in done], commit(checkout)


def _readable(one: Done, places: tuple[tuple[str, str], ...]) -> Done:
    """Without this machine's places and kernel; of what pip says, and of lines written over, the last."""
    shown, answer = one.shown, re.sub(r" on Linux \S+", " on Linux", one.answer)
    for place, name in places:
        shown, answer = shown.replace(place, name), answer.replace(place, name)
    lines = [line.split("\r")[-1].rstrip() for line in answer.splitlines()]
    lines = [line for line in lines if not line.startswith("WARNING: Location")]
    if shown.startswith("pip ") and one.code == 0:
        lines = [line for line in lines if line.startswith("Successfully installed")]
    return Done(shown, "\n".join(lines).strip("\n"), one.seconds, one.code)


def page(done: list[Done], at_commit: str) -> str:
    """Return the page."""
    at = machine()
    head = INTRODUCTION.format(
        commit=at_commit,
        python=f"Python {at['python']}",
        cores=at["cores"],
        cpu=at["cpu"],
        date=at["date"],
        load=at["load"][0],
    )
    rows = [f"| `{one.shown}` | {one.seconds:.1f} |" for one in done]
    total = sum(one.seconds for one in done)
    failed = [one.shown for one in done if one.code]
    told = f"**Failed**: {', '.join(failed)}." if failed else "Every step ended with exit code 0."
    parts = [head + "\n".join(rows), f"\n| all | {total:.0f} |\n\n{told}\n"]
    for one in done:
        answer = one.answer.splitlines() or ["(no output)"]
        if len(answer) > KEPT:
            half = KEPT // 2
            answer = [*answer[:half], f"… {len(answer) - KEPT} lines …", *answer[-half:]]
        text = "\n".join(answer)
        parts.append(f"\n## `{one.shown}`\n\n{one.seconds:.1f} s.\n\n```text\n{text}\n```\n")
    return "".join(parts)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--source", default=str(ROOT), help="what `git clone` is given")
    options.add_argument("--python", default=sys.executable, help="the Python of the new environment")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as home:
        done, at_commit = transcript(asked.source, asked.python, Path(home))
        PAGE.write_text(page(done, at_commit))  # before the folder goes, which may take long
    print(f"wrote {PAGE}")
    sys.exit(any(one.code for one in done))


if __name__ == "__main__":
    main()

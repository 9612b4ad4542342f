"""Mutation testing of the mathematics: `make mutation`. Writes results.json beside this file.

A copy of the tracked files is mutated by mutmut (its settings: [tool.mutmut] in pyproject.toml), one small change at a
time, and the tests that reach the changed function are run. A mutant that no test notices has survived. Three things
differ from mutmut as it comes: properties are mutated too; the wording of raised messages is not; and neither are
allowances for rounding (statements with the machine epsilon), of which any that is large enough is right.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Mutate, run, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="try so many mutants, drawn without replacement; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument(
        "--tree", type=Path, help="work here, and go on where a run stopped; default: a temporary folder"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    tree = args.tree or Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        copy_tracked_files(tree)
        os.chdir(tree)
        names = generate(args.workers)
        chosen = sorted(n for n in names if args.only in n)
        if args.sample is not None and args.sample < len(chosen):
            chosen = sorted(random.Random(args.seed).sample(chosen, args.sample))
        run(chosen, args.workers)
        result = count(names, chosen) | {"seed": args.seed if len(chosen) < len(names) else None}
    finally:
        os.chdir(ROOT)
        if args.tree is None:
            shutil.rmtree(tree, ignore_errors=True)
    args.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result["total"]))


def copy_tracked_files(tree: Path) -> None:
    """Lay the last commit's files into a folder, unless an earlier run did."""
    if (tree / "pyproject.toml").exists():
        return
    tree.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(tree, filter="data")


def generate(workers: int) -> list[str]:
    """Return the names of all mutants, in files' order."""
    import libcst as cst
    import libcst.matchers as match
    import mutmut.__main__ as mutmut
    from mutmut.configuration import config
    from mutmut.mutation import file_mutation

    visitor = file_mutation.MutationVisitor
    skip = visitor._skip_node_and_children
    arrange = file_mutation.function_trampoline_arrangement

    def is_property(node: cst.CSTNode) -> bool:
        if not isinstance(node, cst.FunctionDef) or len(node.decorators) != 1:
            return False
        decorator = node.decorators[0].decorator
        return isinstance(decorator, cst.Name) and decorator.value in ("property", "cached_property")

    epsilon = match.Name("_EPS") | match.Attribute(attr=match.Name("eps"))

    def skip_node(self: Any, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Raise):
            return True  # the wording of messages; tests match the remedy
        if isinstance(node, (cst.Assign, cst.AnnAssign, cst.Arg)) and match.findall(node, epsilon):
            return True  # an allowance for rounding
        return False if is_property(node) else bool(skip(self, node))

    def arrange_property(function: cst.FunctionDef, mutants: Any, class_name: str | None) -> Any:
        if not is_property(function):
            return arrange(function, mutants, class_name)
        before, (switch, *copies), after, names = arrange(function.with_changes(decorators=[]), mutants, class_name)
        switch = switch.with_changes(decorators=[*function.decorators, *switch.decorators])
        return before, [switch, *copies], after, names

    visitor._skip_node_and_children = skip_node
    file_mutation.function_trampoline_arrangement = arrange_property
    Path("mutants").mkdir(exist_ok=True)
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    paths = [str(Path("mutants").absolute()), str(Path("mutants/adapters").absolute())]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # for tests that start a process
    sys.path[:0] = paths
    mutmut.create_mutants(workers)
    return [
        name
        for path in sorted(mutmut.walk_source_files())
        if config().should_mutate(path)
        for name in _stored(path).exit_code_by_key
    ]


def run(names: list[str], workers: int) -> None:
    """Run the tests of each mutant that has no verdict yet."""
    import mutmut.__main__ as mutmut

    verdicts = _verdicts()
    left = [n for n in names if verdicts.get(n) is None]
    if left:
        mutmut._run(left, workers)


def count(names: list[str], chosen: list[str]) -> dict[str, Any]:
    """Return counts by file, and the survivors with their changes."""
    import mutmut.__main__ as mutmut
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    verdicts = _verdicts()
    files: dict[str, Counter[str]] = {}
    survivors = []
    wanted = set(chosen)
    for path in sorted(mutmut.walk_source_files()):
        for name in _stored(path).exit_code_by_key:
            tally = files.setdefault(str(path), Counter())
            tally["mutants"] += 1
            if name not in wanted:
                continue
            status = status_by_exit_code[verdicts[name]]
            tally["tried"] += 1
            tally[status] += 1
            if status in ("survived", "no tests"):
                diff = get_diff_for_mutant(name, path=path).splitlines()
                change = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
                survivors.append({"mutant": name, "status": status, "change": change})
    total = sum(files.values(), Counter())
    return {
        "mutmut": version("mutmut"),
        "total": _rates(total),
        "files": {name: _rates(tally) for name, tally in files.items() if tally["tried"]},
        "survivors": survivors,
    }


def _rates(tally: Counter[str]) -> dict[str, Any]:
    """Counts, and the share of the tried that tests noticed; one that never ends counts as noticed."""
    noticed = tally["tried"] - tally["survived"] - tally["no tests"]
    share = round(noticed / tally["tried"], 4) if tally["tried"] else None
    return {**dict(sorted(tally.items())), "killed_share": share}


def _stored(path: Path) -> Any:
    from mutmut.mutation.data import SourceFileMutationData

    data = SourceFileMutationData(path=path)
    data.load()
    return data


def _verdicts() -> dict[str, int | None]:
    import mutmut.__main__ as mutmut

    return {n: code for path in mutmut.walk_source_files() for n, code in _stored(path).exit_code_by_key.items()}


if __name__ == "__main__":
    main()

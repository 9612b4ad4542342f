"""Around the runs of `qproj train`: the bar with the time left, tuning, tables, curves and the page."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from qproj.cli.command import INTERRUPTED
from qproj.solvers.contract import MissingPackageError

#: The commands that filled a folder, newest last.
SESSIONS = "sessions.json"
_MOST_SESSIONS = 100


def run_with_progress(configs: list[Any], out: Path, checkpoint_s: float, *, audit: int = 0) -> list[dict[str, Any]]:
    """Return the records of all runs; a bar on stderr where that is a terminal."""
    from qproj.lab.training.session import run_all

    with _bar(len(configs), out) as report:
        _warm_up(configs)
        return run_all(configs, out, checkpoint_s=checkpoint_s, watch=report, audit=audit)


def _warm_up(configs: Sequence[Any]) -> None:
    networks = [one for one in configs if one.experiment.kind != "function"]
    if networks:
        from qproj.cli.progress_bars import CompileRemark
        from qproj.lab.training.warm_up import warm_up

        warm_up(networks, CompileRemark())


def tuned(experiment: Any, optimizers: list[str], out: Path, solver: str, checkpoint_s: float) -> dict[str, Any]:
    """Return what the declared grid chooses, by optimiser; written to ``out/tuned.toml`` in the form of presets."""
    from qproj._files import write_text
    from qproj.lab.training import on_functions
    from qproj.lab.training.tuning import trials, tune

    chosen: dict[str, Any] = {}
    for optimizer in optimizers:
        if experiment.name.startswith("rosenbrock"):
            chosen[optimizer] = on_functions.tune(experiment, optimizer)
            continue
        if experiment.kind == "function":
            raise ValueError(f"{experiment.name} has no validation rows, so nothing to tune on: leave --tune out")
        planned = trials(experiment, optimizer, solver=solver)
        with _bar(len(planned), out) as report:
            _warm_up(planned)
            chosen[optimizer] = tune(
                experiment, optimizer, out / "tuning", solver=solver, checkpoint_s=checkpoint_s, watch=report
            )
    lines = [f"{name} = {{ {_toml(settings.used(name))} }}" for name, settings in chosen.items()]
    write_text(out / "tuned.toml", "\n".join([f"[best.{experiment.preset}]", *lines, ""]))
    return chosen


def _toml(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


@contextmanager
def _bar(total: int, out: Path) -> Iterator[Any]:
    """Give a watch that moves a bar; after Ctrl-C, print how many runs are kept and how to continue."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from qproj.cli.output import console

    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False), console=console(stderr=True), transient=True,
        refresh_per_second=4,
    )  # fmt: skip
    begun, first, done = time.monotonic(), None, 0
    with bar:
        task = bar.add_task("loading", total=float(max(total, 1)), left="")

        def report(now: Any) -> None:
            nonlocal first, done
            first = now.done if first is None else first
            done = now.done
            part = now.step / now.steps
            text = f"{now.done}/{now.runs} {now.config.experiment.name} {now.config.optimizer} seed {now.config.seed}"
            left = time_left(time.monotonic() - begun, now.done - first + part, now.runs - now.done - part)
            bar.update(task, completed=now.done + part, description=text, left=left)

        try:
            yield report
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(
                f"stopped: {done} of {total} runs are kept in {out}; the same command continues from there", err=True
            )
            raise typer.Exit(INTERRUPTED) from None


def time_left(seconds: float, done: float, ahead: float) -> str:
    """Return the time left, if the runs ahead take as long as those that are done."""
    if done <= 0:
        return ""
    left = round(seconds / done * ahead)
    hours, rest = divmod(left, 3600)
    return (
        f"about {hours}:{rest // 60:02d}:{rest % 60:02d} left" if hours else f"about {left // 60}:{left % 60:02d} left"
    )


def show(
    records: list[dict[str, Any]], out: Path, written: Sequence[Path], *, comparing: bool, wide: bool = False
) -> None:
    """Print the tables and where the files are."""
    from qproj.cli.output import print_text

    tables(records, comparing=comparing, wide=wide)
    print_text(f"Runs and weights are in {out}.")
    for path in written:
        print_text(f"{path} was written.")


def tables(records: list[dict[str, Any]], *, comparing: bool = False, wide: bool = False) -> None:
    """Print a table per experiment."""
    from qproj.cli.output import print_table
    from qproj.lab.training.tables import figure_table, summaries

    for name in dict.fromkeys(record["experiment"] for record in records):
        mine = [record for record in records if record["experiment"] == name]
        lines = summaries(mine)
        if lines and comparing:
            titles: Sequence[str] = (
                "optimiser, solver", "runs", "test accuracy", "gap to own bound", "gain missed", "seconds per run",
            )  # fmt: skip
            rows: list[Any] = [(s.label, s.runs, s.accuracy, s.gap, s.audit_gap, f"{s.seconds:.1f}") for s in lines]
            spare: Sequence[str] = ("seconds per run", "runs", "gap to own bound")
            print_table(titles, rows, title=f"{name}: what a worse projection costs", spare=spare, wide=wide)
        elif lines:
            titles = (
                "optimiser", "runs", "test accuracy", "at best validation", "±1", "float", "seconds per run",
                "of it projecting",
            )  # fmt: skip
            rows = [
                (s.label, s.runs, s.accuracy, s.best_val, s.binary, s.floats, f"{s.seconds:.1f}", s.projecting)
                for s in lines
            ]
            spare = ("float", "±1", "at best validation", "runs", "of it projecting", "seconds per run")
            print_table(titles, rows, title=name, spare=spare, wide=wide)
        titles, measured = figure_table(mine)
        if measured:
            print_table(titles, measured, title=name, wide=wide)


def write_pages(records: list[dict[str, Any]], out: Path, seeds: list[int]) -> list[Path]:
    """Write the curves of these runs, and the page of all runs in the folder; without the extra, a note on stderr."""
    from qproj.lab.report import write_curves, write_training_report
    from qproj.lab.training.run_folder import Store

    sessions = _remember(out, seeds)
    try:
        return [*write_curves(records, out), write_training_report(Store(out).all(), out / "report.html", sessions)]
    except MissingPackageError as error:
        typer.echo(f"No curves and no page were written: {error}", err=True)
        return []


def sessions(out: Path) -> list[dict[str, Any]]:
    """Return the commands that filled a folder, oldest first.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    path = out / SESSIONS
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it: it only lists commands") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{path} does not hold a list of commands; delete it")
    return found


def _remember(out: Path, seeds: list[int]) -> list[dict[str, Any]]:
    from qproj._files import plain, write_json
    from qproj.lab.studies.environment import environment

    now = plain(environment(seeds))
    for package in ("torch",):
        try:
            now["versions"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    known = [one for one in sessions(out) if one != now]
    found = [*known, now][-_MOST_SESSIONS:]
    write_json(out / SESSIONS, found)
    return found

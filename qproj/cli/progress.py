"""The progress bar of a study, with the time left; Ctrl-C says how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from qproj.cli import INTERRUPTED


def run_with_progress(study: Any, **options: Any) -> Any:
    """Run a study with a bar on stderr where that is a terminal, and return how it ended."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from qproj.cli.output import console

    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False), console=console(stderr=True), transient=True,
        refresh_per_second=4,
    )  # fmt: skip
    with bar:
        task = bar.add_task("runs", total=study.plan.num_runs, left="")
        state: dict[str, Any] = {}

        def tell(now: Any) -> None:
            state["now"] = now
            failed = f", {now.failed} failed" if now.failed else ""
            bar.update(
                task, completed=now.done, description=f"runs{failed}", left=f"{_clock(now.seconds_left)} {now.solver}"
            )

        try:
            return study.run(on_progress=tell, **options)
        except KeyboardInterrupt:
            bar.stop()
            now = state.get("now")
            done = f"{now.done} of {now.total} runs are kept" if now else "no run was done"
            typer.echo(f"stopped: {done} in {study.folder}; the same command goes on from there", err=True)
            raise typer.Exit(INTERRUPTED) from None


def train_with_progress(plan: Any, folder: Path) -> None:
    """Do a study's training runs with a bar on stderr where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from qproj.cli.output import console
    from qproj.lab.studies.training_cost import run_training

    bar = Progress(
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console(stderr=True),
        transient=True, refresh_per_second=4,
    )  # fmt: skip
    with bar:
        task = bar.add_task("training", total=plan.num_runs)
        try:
            run_training(plan, folder, watch=lambda done, runs: bar.update(task, completed=done))
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(f"stopped: what was trained is kept in {folder}; the same command goes on from there", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    whole = round(seconds)
    return f"about {whole // 60}:{whole % 60:02d} left"

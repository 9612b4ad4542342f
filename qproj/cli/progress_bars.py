"""The progress bar of a study, its runs and its training, with the time left; after Ctrl-C, how to continue."""

from __future__ import annotations

from typing import Any

import typer

from qproj.cli.command import INTERRUPTED


def run_with_progress(study: Any, **options: Any) -> tuple[Any, Any]:
    """Run a study with a bar on stderr where that is a terminal; return its results and how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from qproj.cli.output import console
    from qproj.lab import run

    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False), console=console(stderr=True), transient=True,
        refresh_per_second=4,
    )  # fmt: skip
    state: dict[str, Any] = {"trained": None}
    with bar:
        task = bar.add_task("starting", total=study.plan.num_runs, left="")

        def on_progress(now: Any) -> None:
            state["now"] = now
            failed = f", {now.failed} failed" if now.failed else ""
            bar.update(
                task, completed=now.done, description=f"runs{failed}", left=f"{_clock(now.seconds_left)} {now.solver}"
            )

        def on_training(done: int, total: int) -> None:
            state["trained"] = done
            bar.update(task, completed=done, total=total, description="training", left="")

        try:
            results = run(
                study, on_progress=on_progress, on_training=on_training, on_compile=CompileRemark(bar, task), **options
            )
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(f"stopped: {_kept(state)} in {study.folder}; the same command continues from there", err=True)
            raise typer.Exit(INTERRUPTED) from None
    return results, state["now"]


class CompileRemark:
    """Called with each part that is compiled: announces the first on stderr, and shows each in a bar, if any."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self.bar, self.task, self.said = bar, task, False

    def __call__(self, part: str) -> None:
        if not self.said:
            self.said = True
            text = "Compiling the built-in searches, once on this machine: about ten seconds, part of no run."
            if self.bar is not None:
                self.bar.console.print(text, markup=False)
            else:
                typer.echo(text, err=True)
        if self.bar is not None:
            self.bar.update(self.task, description=f"compiling: {part}")


def _kept(state: dict[str, Any]) -> str:
    if state["trained"] is not None:
        return f"all runs and {state['trained']} training runs are kept"
    now = state.get("now")
    return f"{now.done} of {now.total} runs are kept" if now else "no run was done"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    whole = round(seconds)
    return f"about {whole // 60}:{whole % 60:02d} left"

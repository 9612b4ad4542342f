"""``qproj train``: the experiments, five optimisers each, stopped and continued at will."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli import INTERRUPTED


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    name: Annotated[str, typer.Argument(help="The experiment: digits-0-2, mnist-1-7, adult-2layer, cora, …")],
    optimizers: Annotated[
        str, typer.Option(help="Comma-separated: qpsbgd,projected,binaryconnect,signsgd,proxquant.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="How many seeds, from 0 on, or a list: 101,102.")] = "5",
    epochs: Annotated[int | None, typer.Option(help="Instead of the experiment's own number.")] = None,
    preset: Annotated[str, typer.Option(help="best (tuned) or paper.")] = "best",
    solver: Annotated[str, typer.Option(help="Of the projections: auto, cpsat, sa, dwave-emulated, qaoa, …")] = "auto",
    out: Annotated[Path, typer.Option(help="The folder of runs; what is there already is not run again.")] = Path(
        "trained"
    ),
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Train ±1 networks with QP-SBGD and its peers, and compare them.

    The same command goes on where it was stopped, and ends with the same weights.

    Example: qproj train digits-0-2 --seeds 5
    """
    _need_torch()
    from qproj.solving import get_solver
    from qproj.train.experiments import check_optimizer, get_experiment
    from qproj.train.session import plan

    experiment = get_experiment(name, epochs=epochs)
    chosen = [check_optimizer(word) for word in _words(optimizers)] or list(experiment.optimizers)
    if checkpoint_every <= 0:
        raise ValueError(f"checkpoint-every is {checkpoint_every}; seconds > 0 are needed")
    get_solver(solver)  # an unknown or missing solver is refused before any training
    configs = plan(experiment, chosen, _seeds(seeds), preset=preset, solver=solver)
    records = _run(configs, out, checkpoint_every)
    if as_json:
        from qproj.cli.output import print_json

        print_json({"runs": records})
        return
    _table(records, out)


def _run(configs: list[Any], out: Path, checkpoint_s: float) -> list[dict[str, Any]]:
    """Run with a bar on stderr where that is a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from qproj.cli.output import console
    from qproj.train.session import run_all

    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), console=console(stderr=True),
        transient=True, refresh_per_second=4,
    )  # fmt: skip
    done = 0
    with bar:
        task = bar.add_task("loading", total=float(len(configs)))

        def tell(now: Any) -> None:
            nonlocal done
            done = now.done
            text = f"{now.done}/{now.runs} {now.config.experiment.name} {now.config.optimizer} seed {now.config.seed}"
            bar.update(task, completed=now.done + now.step / now.steps, description=text)

        try:
            return run_all(configs, out, checkpoint_s=checkpoint_s, watch=tell)
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(
                f"stopped: {done} of {len(configs)} runs are kept in {out}; the same command goes on from there",
                err=True,
            )
            raise typer.Exit(INTERRUPTED) from None


def _table(records: list[dict[str, Any]], out: Path) -> None:
    from qproj.cli.output import print_table
    from qproj.train.summary import summaries

    rows = [
        (s.optimizer, s.runs, s.accuracy, s.best_val, s.binary, s.floats, f"{s.seconds:.1f}")
        for s in summaries(records)
    ]
    columns = ("optimiser", "runs", "test accuracy", "at best validation", "±1", "float", "seconds a run")
    print_table(columns, rows, title=records[0]["experiment"])
    typer.echo(f"runs, weights and curves are in {out}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _seeds(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdigit() for word in words):
        raise ValueError(f"seeds is {text!r}; a number such as 5, or a list such as 101,102 is needed")
    numbers = [int(word) for word in words]
    if "," not in text:
        if numbers[0] < 1:
            raise ValueError("seeds is 0; at least 1 is needed")
        return list(range(numbers[0]))
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds is {text!r}; each seed once")
    return numbers


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise ImportError('training needs torch, which is not installed: pip install "qproj[torch]"')

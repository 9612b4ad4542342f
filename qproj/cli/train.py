"""``qproj train``: the experiments, five optimisers each, stopped and continued at will."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.options import seeds as parse_seeds
from qproj.cli.options import words


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    name: Annotated[str, typer.Argument(help="The experiment: digits-0-2, mnist-1-7, adult-2layer, cora, rate, …")],
    optimizers: Annotated[
        str, typer.Option(help="Comma-separated: qpsbgd,projected,binaryconnect,signsgd,proxquant.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="How many seeds, from 0 on, or a list: 101,102.")] = "5",
    epochs: Annotated[int | None, typer.Option(help="Instead of the experiment's own number.")] = None,
    preset: Annotated[str, typer.Option(help="best (tuned) or paper.")] = "best",
    tune: Annotated[
        bool, typer.Option("--tune", help="Run the declared grid on validation rows first, and use what it chooses.")
    ] = False,
    solver: Annotated[str, typer.Option(help="Of the projections: auto, cpsat, sa:num_sweeps=50, qaoa, …")] = "auto",
    compare_solvers: Annotated[
        str, typer.Option(help="Comma-separated: the same training with each, and what a worse projection costs.")
    ] = "",
    out: Annotated[Path, typer.Option(help="The folder of runs; what is there already is not run again.")] = Path(
        "trained"
    ),
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 10.0,
    pages: Annotated[bool, typer.Option("--pages/--no-pages", help="Write curves and report.html.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Train ±1 networks with QP-SBGD and its peers, and compare them.

    The same command goes on where it was stopped, and ends with the same weights. Experiments: rosenbrock, rate and
    fixed-point (on functions, without PyTorch); digits-0-2 and other pairs (offline); mnist-0-2 and other pairs;
    mnist-10; adult-2layer, adult-2layer-wide, adult-2layer-thresholds, adult-10layer; karate, karate-club, cora,
    citeseer, pubmed.

    Example: qproj train digits-0-2 --seeds 5
    """
    from qproj.cli.training import run_with_progress, show, tuned, write_pages
    from qproj.lab.training.experiments import get_experiment
    from qproj.lab.training.session import plan

    experiment = get_experiment(name, epochs=epochs)
    if experiment.kind != "function":
        _need_torch()
    if not checkpoint_every > 0:
        raise ValueError(f"checkpoint-every is {checkpoint_every}; seconds > 0 are needed")
    solvers = _solvers(compare_solvers or solver)
    if compare_solvers and (solver != "auto" or tune):
        raise ValueError("--compare-solvers names the solvers itself; leave --solver and --tune out")
    chosen = _optimizers(optimizers, experiment, comparing=bool(compare_solvers))
    numbers = parse_seeds(seeds)
    if len(solvers) > 1 and not compare_solvers:
        raise ValueError(f"--solver is {solver!r}, more than one: use --compare-solvers")
    settings = None
    if not tune:  # a preset that is not there is refused before any work
        plan(experiment, chosen, numbers, preset=preset, solver=solvers[0])
    else:
        settings = tuned(experiment, chosen, out, solvers[0], checkpoint_every)
    configs = [
        config
        for one in solvers
        for config in plan(experiment, chosen, numbers, preset=preset, solver=one, settings=settings)
    ]
    audit = AUDIT_EVERY if compare_solvers else 0
    records = run_with_progress(configs, out, checkpoint_every, audit=audit)
    written = write_pages(records, out, numbers) if pages else []
    if as_json:
        from qproj.cli.output import print_json

        print_json({"runs": records})
        return
    show(records, out, written, comparing=bool(compare_solvers))


#: With --compare-solvers, every so many steps are solved with "auto" too.
AUDIT_EVERY = 5


def _optimizers(text: str, experiment: Any, *, comparing: bool) -> list[str]:
    from qproj.lab.training.experiments import check_optimizer
    from qproj.lab.training.settings import projects

    chosen = [check_optimizer(word) for word in words(text)]
    if not comparing:
        return chosen or list(experiment.optimizers)
    if experiment.kind == "function" and experiment.name != "fixed-point":
        raise ValueError(f"{experiment.name} calls no solver, so there are none to compare")
    without = [one for one in chosen if not projects(one)]
    if without:
        raise ValueError(f"{', '.join(without)} projects nothing, so has no solver: compare qpsbgd or projected")
    return chosen or ["projected"]


def _solvers(text: str) -> list[str]:
    """Return solvers as text; an unknown or missing one is refused before any training."""
    from qproj.solvers.specs import as_written

    specs = as_written(text)
    texts = [spec.text for spec in specs]
    if len(set(texts)) < len(texts):
        raise ValueError(f"solvers are {','.join(texts)}; each once")
    for spec in specs:
        spec.make()
    return texts


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise ImportError('training needs torch, which is not installed: pip install "qproj[torch]"')

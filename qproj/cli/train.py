"""``qproj train``: the experiments, each with every optimiser, stopped and continued at will."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj._extras import install_hint
from qproj.cli.command import Command
from qproj.cli.options import Json, Seeds, Wide, complete_solver, words
from qproj.cli.options import seeds as parse_seeds


def complete_experiment(incomplete: str) -> list[str]:
    """Return the experiments that begin so, for completion in a shell."""
    from qproj.lab.training.experiments import EXPERIMENTS

    return [name for name in EXPERIMENTS if name.startswith(incomplete)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", cls=Command, short_help="Train ±1 networks with QP-SBGD and its peers, and compare them.")(
        train
    )


def train(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", autocompletion=complete_experiment, help="The experiment; see the list above."),
    ],
    optimizers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Optimisers, separated by commas: qpsbgd, projected, binaryconnect, signsgd, proxquant, adam, "
            "bop, and on functions gd and second-order; by default those of the experiment.",
        ),
    ] = "",
    seeds: Seeds = "5",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Train for N epochs; by default the experiment's own number.")
    ] = None,
    preset: Annotated[
        str, typer.Option(metavar="PRESET", help="best for tuned settings, or paper for the published ones.")
    ] = "best",
    tune: Annotated[
        bool, typer.Option("--tune", help="Try the declared grid on validation rows first, and train with its choice.")
    ] = False,
    solver: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_solver,
            help="The solver of the projections, with options if you like: cpsat, sa:num_sweeps=50.",
        ),
    ] = "auto",
    compare_solvers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            autocompletion=complete_solver,
            help="Train with each of these solvers, separated by commas, to see what a worse projection costs; by "
            "default with --solver alone.",
        ),
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the runs; finished runs are not run again.")
    ] = Path("trained"),
    checkpoint_every: Annotated[float, typer.Option(metavar="SECONDS", help="Time between two checkpoints.")] = 10.0,
    pages: Annotated[bool, typer.Option("--pages/--no-pages", help="Write the curves and report.html.")] = True,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Train ±1 networks with QP-SBGD and its peers, and compare them.

    Ctrl-C stops at any time; the same command continues and ends with the same weights.

    \b
    Experiments:
      on functions, without PyTorch:  rosenbrock, rosenbrock-2, rosenbrock-20,
                                      rosenbrock-100, rate, fixed-point
      without a download:             digits-0-2 and other pairs of digits,
                                      conv-digits, karate, karate-club
      MNIST:                          mnist-0-2 and other pairs, mnist-10,
                                      mnist-10-long, mnist-fewshot-10,
                                      mnist-fewshot-40, conv-mnist
      Adult:                          adult-2layer, adult-2layer-wide,
                                      adult-2layer-thresholds, adult-10layer,
                                      adult-2layer-published,
                                      adult-10layer-published
      citation graphs:                cora, citeseer, pubmed

    \b
    Examples:
      qproj train digits-0-2 --seeds 5
      qproj train digits-0-2 --compare-solvers auto,sign,random --preset paper
    """
    from qproj.cli.output import print_json
    from qproj.cli.training import run_with_progress, show, tuned, write_pages
    from qproj.lab.training.experiments import get_experiment
    from qproj.lab.training.session import plan

    experiment = get_experiment(name, epochs=epochs)
    if experiment.kind != "function":
        _need_torch()
    if not checkpoint_every > 0:
        raise ValueError(f"checkpoint-every is {checkpoint_every}; seconds > 0 are needed")
    comparing, numbers = bool(compare_solvers), parse_seeds(seeds)
    solvers = _solvers(solver, compare_solvers, tune=tune)
    chosen = _optimizers(optimizers, experiment, comparing=comparing)
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
    records = run_with_progress(configs, out, checkpoint_every, audit=AUDIT_EVERY if comparing else 0)
    written = write_pages(records, out, numbers) if pages else []
    if as_json:
        print_json({"runs": records})
    else:
        show(records, out, written, comparing=comparing, wide=wide)


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


def _solvers(solver: str, compared: str, *, tune: bool) -> list[str]:
    """Return the solvers as text; an unknown or missing one is refused before any training."""
    from qproj.solvers.specs import as_written

    if compared and (solver != "auto" or tune):
        raise ValueError("--compare-solvers names the solvers itself; leave --solver and --tune out")
    specs = as_written(compared or solver)
    texts = [spec.text for spec in specs]
    if len(set(texts)) < len(texts):
        raise ValueError(f"solvers are {','.join(texts)}; each once")
    if len(texts) > 1 and not compared:
        raise ValueError(f"--solver is {solver!r}, more than one: use --compare-solvers")
    for spec in specs:
        spec.make()
    return texts


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise ImportError(f"training needs torch, which is not installed: {install_hint('torch')}")

"""``qproj compare``: run a study, print its table and write its page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.options import numbers, words
from qproj.cli.options import seeds as parse_seeds


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    ctx: typer.Context,
    study_file: Annotated[
        Path | None, typer.Argument(metavar="STUDY.toml", help="A study file (TOML or YAML); flags override it.")
    ] = None,
    *,
    instances: Annotated[
        str, typer.Option(help="Sources, comma-separated: digits, random:n=20,d=9|15, a1a:hidden=9+8, FILE.npz.")
    ] = "digits",
    solvers: Annotated[
        str, typer.Option(help="Solvers, comma-separated: auto,sa:encoding=margin,num_sweeps=500,polished(random).")
    ] = "auto,cpsat,sa,sqa,tabu,sign,random",
    encodings: Annotated[
        str, typer.Option(help="Encodings that every sampler runs with, comma-separated; empty: each one's default.")
    ] = "",
    reads: Annotated[str, typer.Option(help="Reads per run, where the solver samples; several: 10,100.")] = "100",
    time_limit: Annotated[str, typer.Option(help="Seconds per run; several: 0.1,1,10; none for no limit.")] = "5",
    seeds: Annotated[str, typer.Option(help="How many seeds, from 0 on, or a list: 101,102.")] = "3",
    out: Annotated[Path, typer.Option(help="The study's folder; an existing study is continued.")] = Path("study"),
    max_neurons: Annotated[int | None, typer.Option(help="Neurons of each source, shared by its layers.")] = None,
    instance_seed: Annotated[int, typer.Option(help="Of training or generating the layers.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes; 0: one per core.")] = 0,
    dask: Annotated[
        str | None, typer.Option(help="Scheduler of a Dask cluster, tcp://host:8786; it runs all instead of --workers.")
    ] = None,
    grace: Annotated[float, typer.Option(help="A run is ended this many seconds past its limit.")] = 10.0,
    null: Annotated[bool, typer.Option("--null/--no-null", help="Add the null models beside samplers.")] = True,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed rows again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare solvers on the same neurons: one row per run, a table, and report.html.

    After a stop, the same command continues. Exit code 0 when all runs have rows, failed ones included.

    Example: qproj compare --instances digits --solvers auto,sa,random --reads 100 --time-limit 5 --seeds 3 --out DIR

    Example: qproj compare study.toml --out DIR
    """
    from qproj.cli.progress import run_with_progress
    from qproj.lab import Study
    from qproj.lab.studies.study import cores

    options: dict[str, Any] = {
        "instances": [instances], "solvers": solvers, "encodings": words(encodings),
        "reads": numbers(reads, int, "--reads"), "time_limits_s": numbers(time_limit, float, "--time-limit"),
        "seeds": parse_seeds(seeds), "nulls": null, "max_neurons": max_neurons, "instance_seed": instance_seed,
        "training": None, "workers": workers, "grace_s": grace,
    }  # fmt: skip
    options = _with_study_file(options, study_file, ctx)
    processes, grace_s = options.pop("workers"), options.pop("grace_s")
    if processes < 0:
        raise ValueError(f"--workers is {processes}; a number ≥ 0 is needed, 0 for one per core")
    study = Study(out, **options)
    if dry_run:
        _show_plan(study, processes or cores(), as_json)
    else:
        _show_results(
            *run_with_progress(study, workers=processes, dask=dask, grace_s=grace_s, retry_failed=retry_failed), as_json
        )


def _with_study_file(options: dict[str, Any], study_file: Path | None, ctx: typer.Context) -> dict[str, Any]:
    """Return the options that were typed, and those of the study file where they were not."""
    from qproj.lab.studies.study_file import read_study_file

    if study_file is None:
        return options
    flags = {"time_limits_s": "time_limit", "nulls": "null", "grace_s": "grace"}
    sources = {name: ctx.get_parameter_source(flags.get(name, name)) for name in options}
    content = read_study_file(study_file)
    from_file = content.study() | {"workers": content.workers, "grace_s": content.grace_s}
    return {
        name: value if (source := sources[name]) is not None and source.name == "COMMANDLINE" else from_file[name]
        for name, value in options.items()
    }


def _show_results(results: Any, ended: Any, as_json: bool) -> None:
    from qproj.cli.output import print_json, print_table
    from qproj.lab.report import write_report
    from qproj.lab.studies.solver_table import table
    from qproj.solvers.contract import MissingPackageError

    out = results.folder
    try:
        page = str(write_report(results, out / "report.html"))
    except MissingPackageError as error:
        page = ""
        typer.echo(f"no page was written: {error}; then: qproj report {out}", err=True)
    if as_json:
        print_json({
            "out": str(out), "report": page or None, "runs": ended.total, "done": ended.done, "failed": ended.failed,
            "neurons": results.neurons, "proved_optima": results.optima,
            "solvers": [asdict(line) for line in results.lines],
        })  # fmt: skip
        return
    titles, rows = table(results.lines)
    print_table(titles, rows)
    typer.echo(
        f"{results.optima} of {results.neurons} neurons have a proved optimum: the gap is to it, else to the bound.\n"
        f"{ended.done} of {ended.total} runs are done" + (f"; the page is {page}" if page else "")
    )


def _show_plan(study: Any, workers: int, as_json: bool) -> None:
    from qproj.cli.output import print_json, print_table
    from qproj.lab.studies.estimate import plan_table
    from qproj.lab.studies.solver_table import seconds

    found, training = study.estimate(workers=workers), study.training
    titles, rows = plan_table(study.plan, found)
    known = [one.seconds for one in found if one.seconds is not None]
    unknown = [one.solver for one in found if one.seconds is None]
    qpu = sum(one.qpu_s or 0.0 for one in found)
    if as_json:
        print_json({
            "layers": len(study.plan.instances), "neurons": study.plan.num_neurons, "runs": study.plan.num_runs,
            "training_runs": training.num_runs if training else 0, "workers": workers,
            "seconds": sum(known) / workers, "unknown": unknown, "qpu_access_s": qpu,
            "solvers": [dict(zip(titles, row, strict=True)) for row in rows],
        })  # fmt: skip
        return
    print_table(titles, rows)
    sizes = sorted({layer.shape for layer in study.plan.instances})
    shown = ", ".join(f"{n}×{d}" if n else f"{d} variables" for n, d in sizes)
    typer.echo(
        f"{len(study.plan.instances)} layers (rows × fan-in: {shown}), {study.plan.num_neurons} neurons, "
        f"{study.plan.num_runs} runs, {sum(one.new for one in found)} of them new"
    )
    typer.echo(
        f"about {seconds(sum(known) / workers)} on {workers} workers"
        + (f", without {', '.join(unknown)}, of which nothing is known" if unknown else "")
        + (f"; {seconds(qpu)} of QPU access, for emulated machines as a real one would charge it" if qpu else "")
    )
    if training is not None:
        typer.echo(
            f"then {training.num_runs} training runs: {', '.join(training.experiments)} × "
            f"{', '.join(training.solvers)} × {len(training.seeds)} seeds"
        )

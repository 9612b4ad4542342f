"""``qproj compare``: run a study, print its table and write its page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, References, Seeds, Wide, complete_solver, numbers, words
from qproj.cli.options import seeds as parse_seeds

#: Columns in the order in which a narrow terminal does without them.
SPARE = (
    "decode", "build", "cosine", "lowest energy", "a read", "+descent", "solve", "runs", "TTS99", "at optimum", "rank",
    "failed", "proved",
)  # fmt: skip
#: Columns for which long names of solvers are shortened.
KEPT = ("proved", "gap")
_SPARE_OF_PLANS = ("kind", "withheld", "encoding", "note", "from", "QPU access", "at most", "new")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", cls=Command, short_help="Compare solvers on the same neurons: a table and a report.")(
        compare
    )


def compare(
    ctx: typer.Context,
    study_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="STUDY.toml",
            help="A study file (TOML, YAML), which options override, or a bundle.",
        ),
    ] = None,
    *,
    instances: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCES",
            help="Where the neurons come from: digits, a1a:hidden=9+8, random:n=20,d=9|15, or FILE.npz with "
            "arrays X (inputs) and T (targets). Separate several by commas, or repeat the option; by default digits.",
        ),
    ] = None,
    solvers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            autocompletion=complete_solver,
            help="Solvers, separated by commas, with options if you like: auto, sa:encoding=margin, polished(random).",
        ),
    ] = "auto,cpsat,sa,sqa,tabu,sign,random",
    encodings: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Run every sampler with each of these encodings, separated by commas; by default with its own.",
        ),
    ] = "",
    reads: Annotated[
        str, typer.Option(metavar="N,…", help="Reads per run, where the solver samples; one number or several.")
    ] = "100",
    time_limit: Annotated[
        str, typer.Option(metavar="SECONDS,…", help="Seconds per run; one number or several; none for no limit.")
    ] = "5",
    seeds: Seeds = "3",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The study's folder; a study that is there already is continued.")
    ] = Path("study"),
    max_neurons: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep N neurons of each source, spread over its layers; by default all."),
    ] = None,
    instance_seed: Annotated[
        int, typer.Option(metavar="N", help="Random seed for training or generating the layers.")
    ] = 0,
    workers: Annotated[int, typer.Option(metavar="N", help="Worker processes; 0 for one per core.")] = 0,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the Dask cluster with this scheduler, tcp://host:8786, instead."),
    ] = None,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", help="End a run that is this much over its time limit.")
    ] = 10.0,
    null: Annotated[
        bool, typer.Option("--null/--no-null", help="Run null models (random vectors) beside the samplers.")
    ] = True,
    record_progress: Annotated[
        bool,
        typer.Option(
            "--record-progress", help="Keep each search's incumbent and bound over time, for anytime curves of one run."
        ),
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run the failed runs again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and an estimate of its time, and exit.")
    ] = False,
    references: References = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Run solvers on the same neurons, print a table, and write report.html.

    Ctrl-C stops at any time; the same command continues. Exit code 0: every run has a result, even if it is a failure.

    \b
    Examples:
      qproj compare --solvers auto,sa,random --seeds 3 --out study
      qproj compare --instances mine.npz --solvers auto,sa --time-limit 0.1,1
      qproj compare study.toml --dry-run
    """
    from qproj.cli.progress_bars import run_with_progress
    from qproj.lab import Study
    from qproj.lab.studies.study import cores
    from qproj.lab.studies.study_bundle import is_bundle

    if study_file is not None and is_bundle(study_file):
        _compare_with_bundle(study_file, out, workers, dask, grace, wide=wide, as_json=as_json)
        return
    options: dict[str, Any] = {
        "instances": instances or ["digits"], "solvers": solvers, "encodings": words(encodings),
        "reads": numbers(reads, int, "--reads"), "time_limits_s": numbers(time_limit, float, "--time-limit"),
        "seeds": parse_seeds(seeds), "nulls": null, "max_neurons": max_neurons, "instance_seed": instance_seed,
        "record_progress": record_progress, "training": None, "tuning": [], "workers": workers, "grace_s": grace,
    }  # fmt: skip
    options = _with_study_file(options, study_file, ctx)
    processes, grace_s = options.pop("workers"), options.pop("grace_s")
    if processes < 0:
        raise ValueError(f"--workers is {processes}; a number ≥ 0 is needed, 0 for one per core")
    if references is not None and not references.exists():
        raise FileNotFoundError(
            f"--references is {references}, which is not there; give a study's folder or a csv file"
        )
    study = Study(out, **options)
    if dry_run:
        _show_plan(study, processes or cores(), wide=wide, as_json=as_json)
    else:
        results, ended = run_with_progress(
            study, workers=processes, dask=dask, grace_s=grace_s, retry_failed=retry_failed
        )
        if references is not None:
            results = type(results).read(results.folder, references_from=references)
        _show_results(results, ended, wide=wide, as_json=as_json)


def _compare_with_bundle(
    archive: Path, out: Path, workers: int, dask: str | None, grace: float, *, wide: bool, as_json: bool
) -> None:
    """Run a bundle again, and print how its results differ from the original ones."""
    from qproj.cli.bundle import rerun
    from qproj.cli.output import print_json, print_table, print_text

    difference = rerun(archive, out, workers=workers, dask=dask, grace_s=grace)
    if as_json:
        print_json(difference.records)
        return
    print_table(difference.titles, difference.texts, wide=wide)
    print_text(f"A: the original study in {out / 'bundle' / 'original'}. B: this run, in {out}.")


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


def _show_results(results: Any, ended: Any, *, wide: bool, as_json: bool) -> None:
    from qproj.cli.closing import closing_sentences, print_failures
    from qproj.cli.output import print_json, print_table, print_text
    from qproj.lab.report import write_report
    from qproj.lab.studies.failures import failures
    from qproj.lab.studies.overview import overview
    from qproj.solvers.contract import MissingPackageError

    out = results.folder
    try:
        page = str(write_report(results, out / "report.html"))
    except MissingPackageError as error:
        page = ""
        print_text(f"No report was written: {error}; then: qproj report {out}", err=True)
    found = failures(results)
    if as_json:
        print_json({
            "out": str(out), "report": page or None, "runs": ended.total, "done": ended.done, "failed": ended.failed,
            "neurons": results.neurons, "proved_optima": results.optima,
            "solvers": [asdict(line) for line in results.lines], "failures": [asdict(one) for one in found],
        })  # fmt: skip
        return
    titles, rows = overview(results)
    print_table(titles, rows, spare=SPARE, kept=KEPT, wide=wide)
    print_failures(found)
    print_text(
        f"{ended.done} of {ended.total} runs are done; {results.optima} of {results.neurons} neurons have a proved "
        "optimum, to which gaps are measured; where none is proved, gaps are to the best bound."
    )
    for sentence in closing_sentences(results.lines, page):
        print_text(sentence)


def _show_plan(study: Any, workers: int, *, wide: bool, as_json: bool) -> None:
    from qproj.cli.output import print_json, print_table, print_text
    from qproj.lab.studies.estimate import plan_records, plan_table
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
            "solvers": plan_records(study.plan, found),
        })  # fmt: skip
        return
    print_table(titles, rows, spare=_SPARE_OF_PLANS, kept=("runs", "about"), wide=wide)
    sizes = sorted({layer.shape for layer in study.plan.instances})
    shown = ", ".join(f"{n}×{d}" if n else f"{d} variables" for n, d in sizes)
    print_text(
        f"{len(study.plan.instances)} layers (rows × fan-in: {shown}), {study.plan.num_neurons} neurons, "
        f"{study.plan.num_runs} runs, {sum(one.new for one in found)} of them new."
    )
    print_text(
        f"About {seconds(sum(known) / workers)} on {workers} workers"
        + (f", without {', '.join(unknown)}, for which no run has been timed" if unknown else "")
        + (f"; {seconds(qpu)} of QPU access, for emulated machines as a real one would charge it" if qpu else "")
        + "."
    )
    if training is not None:
        print_text(
            f"Then {training.num_runs} training runs: {', '.join(training.experiments)} × "
            f"{', '.join(training.solvers)} × {len(training.seeds)} seeds."
        )

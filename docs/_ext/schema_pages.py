"""Writes the schema tables from the code: the study file from its pydantic model, the study store from a fresh one."""

import json
import sqlite3
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

# What each table and column means; names, types and keys come from the database itself.
TABLES = {
    "environment": "one row per process that ran part of the study",
    "instance": "one row per layer or published model",
    "neuron": "one row per neuron of a layer: one problem",
    "solver": "one row per solver spec, null models included",
    "run": "one row per finished run: a solver on a neuron under a budget and a seed",
    "owner": "processes at work on the study now, by their last sign of life",
    "lease": "groups of runs that a process has taken, so that no other does them",
}
COLUMNS = {
    "environment.id": "number",
    "environment.started": "Unix time",
    "environment.content": "JSON: versions, system, processor, cores, the command without secrets, seeds",
    "instance.id": "number",
    "instance.key": "SHA-256 of the layer's content",
    "instance.name": "such as digits/…/layer1/step20/seed0",
    "instance.source": "its origin: digits, random, the name of a file",
    "instance.meta": "JSON: what the source says about it",
    "instance.n": "rows; 0 for a published model",
    "instance.d": "weights of a neuron, variables of a model",
    "instance.neurons": "neurons of the layer that the study uses",
    "instance.arrays": "X and T of the layer, or the coefficients of the model, as npz bytes",
    "neuron.instance": "its layer",
    "neuron.neuron": "its column in T",
    "neuron.key": "SHA-256 of the problem's content: equal problems have equal keys",
    "neuron.scale": "Σ|τ|, the trivial bound on the gain; of a model its published optimum, else what its signs allow",
    "neuron.groups": "rows after merging",
    "neuron.classes": "columns after merging",
    "neuron.bits": "weight bits after merging",
    "solver.id": "number",
    "solver.text": "the spec, such as sa:encoding=margin,num_sweeps=500",
    "solver.name": "the registry's name",
    "solver.encoding": "the encoding, empty where there is none",
    "solver.exact": "1 where it can prove",
    "solver.samples": "1 where it takes num_reads",
    "solver.is_null": "1 for null models",
    "solver.note": 'its own note, such as "emulated"',
    "run.key": "SHA-256 of neuron, spec, budget and seed: resuming is exact by it",
    "run.instance": "layer",
    "run.neuron": "neuron",
    "run.solver": "solver",
    "run.environment": "the process that ran it",
    "run.num_reads": "asked for; NULL: the solver's own",
    "run.time_limit_s": "asked for; NULL: none",
    "run.seed": "of the study",
    "run.withheld": "limits that the solver does not take, and so did not get",
    "run.finished": "Unix time",
    "run.status": "a solution's status, or refused, raised, crashed, hung, wrong",
    "run.message": "the backend's own words, or the error's",
    "run.termination": "proved, refuted, budget, clock, failed",
    "run.gain": "of the incumbent, recomputed from the definition",
    "run.objective": "likewise",
    "run.gain_bound": "claimed upper bound on the gain, checked against the incumbent",
    "run.bound": "claimed lower bound on the objective",
    "run.scale": "Σ|τ|: gap = (gain_bound − gain)/(2·scale)",
    "run.raw_gain": "gain of the read of lowest energy",
    "run.descent_gain": "best gain of all reads after single-flip descent",
    "run.descent_s": "seconds of that descent",
    "run.cosine": "of the weights with −∂L/∂W = Xᵀt",
    "run.reads": "reads that came back",
    "run.read_gains": "zlib-compressed float64: the reads' gains, best first",
    "run.best": "the incumbent's bits, packed by numpy.packbits: 1 is +1",
    "run.wall_s": "from problem to weights, on the worker's clock",
    "run.build_s": "building the model",
    "run.embed_s": "embedding",
    "run.queue_s": "waiting for a service",
    "run.solve_s": "searching",
    "run.decode_s": "reading the answer",
    "run.solver_seed": "the seed that the solver got, derived from key and seed",
    "run.stats": "JSON: what the solver reports about itself",
    "run.seal": "SHA-256 of the row and of the rows it refers to; a row that no longer has it is read as `wrong`",
    "run.setup_s": "one-off costs of the solver in its process, told with its first run there; not part of wall_s",
    "run.read_table": "zlib-compressed float64, column by column: gain, energy, occurrences and share of broken chains "
    "of each row of the sample set; `qproj export --format reads` writes them",
    "run.events": "rows of seconds, objective, bound, gain, bound on the gain, with `record_progress`",
    "owner.id": "host, process and a random part",
    "owner.host": "host name",
    "owner.pid": "process",
    "owner.beat": "Unix time of the last sign of life",
    "lease.batch": "which group of runs",
    "lease.owner": "who has it",
}
# What the model's own constraints do not say.
FIELDS = {
    "instances": "sources (digits, a1a, random:n=20,d=9, qubo:name=…), .npz and QUBO files, relative to the study file",
    "solvers": "solver specs, as after `--solvers`",
    "encodings": "encodings that every sampler runs with; empty: each one's default",
    "reads": 'reads per run; several are crossed; "none": the solver\'s own',
    "time_limits_s": 'seconds per run; several are crossed; "none": no limit',
    "seeds": "how many, counted from 0, or a list",
    "nulls": "run the null models beside samplers",
    "record_progress": "keep each search's incumbent and bound over time",
    "max_neurons": "neurons of each source, shared by its layers",
    "instance_seed": "of training or generating the layers",
    "workers": "processes; 0: one per core",
    "grace_s": "a run is ended this many seconds past its limit",
    "tune": "solvers to tune, one table each: solver, parameters (an option's range [low, high], or values to choose "
    "among), settings (how many are tried), share (of the layers of a size that they are chosen on), objective (gap or "
    "tts), seed",
    "train": "experiments of `qproj train` that plainly named solvers are run in, all else equal",
    "train_optimizer": "projected or qpsbgd",
    "train_epochs": "instead of each experiment's own",
    "train_settings": "of the optimiser, such as { lr = 0.01 }; none: the tuned ones",
    "train_seeds": "how many, counted from 0, or a list",
}


def columns() -> dict[str, list[tuple[str, str, bool]]]:
    """Return (name, type, nullable) of every column of a fresh study, by table."""
    from qproj.lab.studies.store import FILE, StudyStore

    with tempfile.TemporaryDirectory() as folder:
        StudyStore(Path(folder), create=True).close()
        db = sqlite3.connect(Path(folder) / FILE)
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
        found = {
            name: [(row[1], row[2], not row[3] and not row[5]) for row in db.execute(f"PRAGMA table_info({name})")]
            for name in names
        }
        db.close()
    return found


def store_tables() -> str:
    """Return the store's tables as Markdown."""
    lines = []
    for table, rows in columns().items():
        lines += [
            f"### `{table}`",
            "",
            f"{TABLES.get(table, '').capitalize()}.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        for name, kind, nullable in rows:
            lines.append(
                f"| `{name}` | {kind}{' or NULL' if nullable else ''} | {COLUMNS.get(f'{table}.{name}', '')} |"
            )
        lines.append("")
    return "\n".join(lines)


def _allowed(schema: dict[str, object]) -> str:
    """Say in words what a field's JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(_allowed(part) for part in schema["anyOf"])  # type: ignore[attr-defined]
    if "$ref" in schema:
        return "table"
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_allowed(schema['items'])}"  # type: ignore[arg-type]
    names = {
        "string": "text",
        "integer": "integer",
        "number": "number",
        "boolean": "true or false",
        "null": "none",
        "object": "table",
    }
    words = names.get(str(kind), str(kind))
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤")):
        if key in schema:
            words += f" {sign} {schema[key]}"
    return words


def study_file() -> str:
    """Return the fields of a study file as Markdown."""
    from qproj.lab.studies.study_file import StudyFile

    schema = StudyFile.model_json_schema()
    lines = ["| name | allowed | default | meaning |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = "required" if name in schema["required"] else f"`{json.dumps(field['default'])}`"
        lines.append(f"| `{name}` | {_allowed(field)} | {default} | {FIELDS.get(name, '')} |")
    return "\n".join(lines) + "\n"


def write_tables(app: Sphinx) -> None:
    """Write the parts that docs/reference/schema.md includes."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    for name, text in (("study-file.inc", study_file()), ("study-store.inc", store_tables())):
        file = target / name
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_tables)
    return {"parallel_read_safe": True}

"""The reads of a study's sampler runs, one row each, for parquet or csv."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._extras import install_hint
from qproj._files import replacing
from qproj.lab.studies.frame import Runs, read_gains, read_runs
from qproj.lab.studies.metrics import References, references
from qproj.lab.studies.outcome import unpack_table
from qproj.lab.studies.store import StudyStore
from qproj.solvers.claims import TOLERANCE
from qproj.solvers.contract import MissingPackageError

if TYPE_CHECKING:
    import polars

#: Columns of a run that each of its reads repeats.
_RUN_COLUMNS = ("run", "instance", "neuron", "neuron_key", "solver", "num_reads", "time_limit_s", "seed")


def read_frame_of_reads(folder: str | Path) -> polars.DataFrame:
    """Return one row per distinct read of every sampler run, best first within a run.

    Columns: those of the run (run, instance, neuron, neuron_key, solver, num_reads, time_limit_s, seed), then ``gain``
    (recomputed), ``gap`` (to the proved optimum or the best bound), ``optimal`` (null where no optimum is proved),
    ``energy`` (of the model that was sampled, in the problem's units), ``occurrences`` and ``chain_breaks``. Energies
    and chain breaks are null where the sampler reports none, and in studies stored before they were kept.

    Raises
    ------
    FileNotFoundError, ValueError
        No study, or one without sampler runs whose reads were kept.
    MissingPackageError
        polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingPackageError(f"polars is not installed; {install_hint('report')}") from error
    with StudyStore(Path(folder)) as store:
        runs = read_runs(store)
        gains = read_gains(store, runs)
        stored = store.query("SELECT key, read_table FROM run WHERE read_table NOT NULL")
        with store.decoding():
            tables = {row["key"]: unpack_table(row["read_table"], 4) for row in stored}
    known = references(runs) if len(runs) else None
    text, whole, real = polars.String, polars.Int64, polars.Float64
    schema: dict[str, Any] = {
        "run": text, "instance": text, "neuron": whole, "neuron_key": text, "solver": text, "num_reads": whole,
        "time_limit_s": real, "seed": whole, "gain": real, "gap": real, "optimal": polars.Boolean, "energy": real,
        "occurrences": whole, "chain_breaks": real,
    }  # fmt: skip
    parts = []
    for i, key in enumerate(runs["run"].tolist()):
        table = tables.get(key, _without_energies(gains.get(key)))
        if table is not None and known is not None:
            parts.append(polars.DataFrame(_rows_of(runs, known, i, table), schema=schema, nan_to_null=True))
    if not parts:
        raise ValueError(f"{folder} holds no reads; run a sampler, such as sa, with a number of reads")
    return polars.concat(parts)


def _without_energies(gains: FloatArray | None) -> FloatArray | None:
    """The table of a run of which only the gains were kept: one read per row."""
    if gains is None or not len(gains):
        return None
    missing = np.full(len(gains), np.nan)
    return np.column_stack([gains, missing, np.ones(len(gains)), missing])


def _rows_of(runs: Runs, known: References, i: int, table: FloatArray) -> dict[str, Any]:
    problem = int(runs["problem"][i])
    table = table[np.argsort(-table[:, 0], kind="stable")]
    gain, scale = table[:, 0], float(known.scale[problem])
    missing = (float(known.bound[problem]) - gain) / (2.0 * scale) if scale else np.zeros(len(gain))
    gap = np.where(missing <= TOLERANCE, 0.0, np.minimum(missing, 1.0))
    optimal = (gap == 0.0).tolist() if known.proved[problem] else [None] * len(gain)
    repeated = {name: [_plain(runs[name][i])] * len(gain) for name in _RUN_COLUMNS}
    return repeated | {
        "gain": gain, "gap": gap, "optimal": optimal, "energy": table[:, 1],
        "occurrences": table[:, 2].astype(np.int64), "chain_breaks": table[:, 3],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain


def write_reads(folder: str | Path, out: str | Path) -> int:
    """Write every read of a study to a .parquet or .csv file and return how many rows there are.

    Raises
    ------
    ValueError
        Another ending, or a study without reads.
    """
    target = Path(out)
    if target.suffix not in (".parquet", ".csv"):
        raise ValueError(f"the file for reads is {target.name!r}; a name ending in .parquet or .csv is needed")
    frame = read_frame_of_reads(folder)
    with replacing(target) as file:
        if target.suffix == ".csv":
            without_formulas(frame).write_csv(file)
        else:
            frame.write_parquet(file)
    return frame.height


def without_formulas(frame: polars.DataFrame) -> polars.DataFrame:
    """Return a frame for CSV: an apostrophe stands before texts that a spreadsheet would take for formulas."""
    import polars

    texts = [name for name, kind in frame.schema.items() if kind == polars.String]
    led = {name: polars.concat_str([polars.lit("'"), polars.col(name)]) for name in texts}
    return frame.with_columns(
        **{
            name: polars.when(polars.col(name).str.contains(r"^[=+\-@\t\r]"))
            .then(led[name])
            .otherwise(polars.col(name))
            for name in texts
        }
    )

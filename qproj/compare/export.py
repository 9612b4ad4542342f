"""A study for other tools: rows as csv or parquet, layers as npz, neurons as dimod COO or LP files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from qproj.compare.frame import read_frame
from qproj.compare.store import Store
from qproj.datasets.instances import LayerInstance, save_instances
from qproj.projections import SignLayer, SignProjection

FORMATS = ("csv", "parquet", "npz", "coo", "lp")


def export_study(folder: str | Path, out: str | Path, kind: str, *, encoding: str = "majority") -> tuple[int, str]:
    """Write a study in a format and return how many of what were written.

    Parameters
    ----------
    folder, out : path
        The study; a file (csv, parquet, npz) or a folder (coo, lp).
    kind : str
        "csv" and "parquet" hold one row a run; "npz" the layers; "coo" one BQM a neuron under `encoding`;
        "lp" one constrained model a neuron.

    Raises
    ------
    ValueError
        Unknown format, or an encoding that refuses a neuron.
    FileNotFoundError
        No study.
    """
    target = Path(out)
    if kind not in FORMATS:
        raise ValueError(f"unknown format {kind!r}; there are {', '.join(FORMATS)}")
    if kind in ("csv", "parquet"):
        return _rows(Path(folder), target, kind)
    store = Store(Path(folder))
    try:
        layers = store.layers()
    finally:
        store.close()
    if kind == "npz":
        save_instances(target, _distinct(layers))
        return len(layers), "layers"
    write: Callable[[SignProjection], str] = (lambda p: _coo(p, encoding)) if kind == "coo" else _lp
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for place, layer in enumerate(layers):
        for j, problem in enumerate(SignLayer(layer.X, layer.T)):
            head = f"{layer.name} neuron {j}, key {problem.key}"
            text = f"# {head}\n{write(problem)}" if kind == "coo" else f"\\ {head}\n{write(problem)}"
            (target / f"layer{place:03d}-neuron{j:03d}.{kind}").write_text(text, encoding="utf-8")
            count += 1
    return count, "neurons"


def _rows(folder: Path, target: Path, kind: str) -> tuple[int, str]:
    frame = read_frame(folder)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if kind == "csv":
            frame.write_csv(partial)
        else:
            frame.write_parquet(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return frame.height, "rows"


def _distinct(layers: list[LayerInstance]) -> list[LayerInstance]:
    """Layers under names of their own: two studies of one name may have added different ones."""
    from dataclasses import replace

    seen: set[str] = set()
    named = []
    for layer in layers:
        name, number = layer.name, 2
        while name in seen:
            name, number = f"{layer.name}#{number}", number + 1
        seen.add(name)
        named.append(layer if name == layer.name else replace(layer, name=name, meta=dict(layer.meta)))
    return named


def _coo(problem: SignProjection, encoding: str) -> str:
    """The encoding's BQM over 0..N−1, the order of its labels; COO text has no offset, so a comment holds it."""
    import dimod.serialization.coo as coo

    encoded = problem.encode(encoding)
    bqm = encoded.bqm.copy()
    labels = list(encoded.labels)
    bqm.relabel_variables({label: i for i, label in enumerate(labels)})
    offset = float(bqm.offset)
    text: str = coo.dumps(bqm, vartype_header=True)
    return f"# offset={offset!r}\n# variables 0..{len(labels) - 1}: {labels}\n{text}"


def _lp(problem: SignProjection) -> str:
    import dimod.lp

    cqm = problem.cqm
    variables = {label: "_".join(str(part) for part in label) for label in cqm.variables}
    rows = {label: f"row_{i}" for i, label in enumerate(cqm.constraints)}
    named = cqm.relabel_variables(variables, inplace=False)
    named.relabel_constraints(rows)
    text: str = dimod.lp.dumps(named)
    return text

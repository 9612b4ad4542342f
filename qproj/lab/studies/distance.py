"""How far each incumbent is from the nearest known optimum, in weights to flip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.frame import Runs, read_weights
from qproj.lab.studies.metrics import References, count_distance, reached
from qproj.lab.studies.store import StudyStore
from qproj.projections import SignProjection


def distances(store: StudyStore, runs: Runs, known: References) -> FloatArray:
    """Return for each run the min over the proved optima of the neuron of Σ_class |c − c*|; NaN where none is proved.

    Known optima are all that the study's runs found. Columns of X equal up to sign count by how many of them agree, so
    that differences which change nothing count nothing; of a published model it is the Hamming distance.
    """
    weights = read_weights(store, runs)
    optimal = reached(runs, known) == 1.0
    found = np.full(len(runs), np.nan)
    keys = runs["run"].tolist()
    places: dict[tuple[int, int], list[int]] = {}
    for i, (instance, neuron) in enumerate(zip(runs["instance_id"].tolist(), runs["neuron"].tolist(), strict=True)):
        if keys[i] in weights and known.proved[runs["problem"][i]]:
            places.setdefault((instance, neuron), []).append(i)
    wanted = {instance for instance, _ in places}
    problems = {number: layer.problems for number, layer in store.layers().items() if number in wanted}
    for (instance, neuron), rows in places.items():
        counts = _counts(problems[instance][neuron], weights, [keys[i] for i in rows])
        optima = np.unique(counts[optimal[rows]], axis=0)
        if len(optima):
            found[rows] = [count_distance(one, optima) for one in counts]
    return found


def _counts(
    problem: SignProjection | object, weights: Mapping[str, NDArray[np.int8]], keys: list[str]
) -> NDArray[np.int64]:
    V = np.stack([weights[key] for key in keys])
    if isinstance(problem, SignProjection):
        return problem.aggregated.columns.counts_from_weights(V).astype(np.int64)
    return ((V.astype(np.int64) + 1) // 2).astype(np.int64)

"""Exact minimisation over a tree decomposition, for models of low treewidth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dimod
import numpy as np

from qproj.encodings import SampledModel
from qproj.solvers.adapter import Adapter
from qproj.solvers.builtin.bucket_elimination import (
    MAX_WIDTH,
    Elimination,
    SparseForm,
    least_degree_first,
    minimised,
)
from qproj.solvers.contract import Capabilities, Request, Termination, TooLargeError
from qproj.solvers.found import Found
from qproj.solvers.interrupt import is_over
from qproj.solvers.sampling import Reads, check_encoding, decode_reads, sampled_model


class TreeDecomposition(Adapter[tuple[SampledModel, SparseForm, Elimination], Reads]):
    """argmin of a plain BQM, or of a projection's exact encoding, by dynamic programming over its variables (``tree``).

    Exact where the treewidth, found by eliminating a variable of least degree first, is at most 22. How long the tables
    take is known before (half a second for a chain of 20,000, minutes at width 22), and where a time limit is shorter
    they are not begun.

    Raises
    ------
    TooLargeError
        A wider model; 'cpsat' and 'auto' take those.
    """

    name = "tree"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), exact=True, seed=False)

    def __init__(self, *, encoding: str = "majority", encoding_options: Mapping[str, Any] | None = None) -> None:
        self.encoding, self.encoding_options = encoding, check_encoding(encoding, encoding_options)

    def build(self, problem: Any, request: Request) -> tuple[SampledModel, SparseForm, Elimination]:
        model = sampled_model(problem, self.encoding, self.encoding_options)
        form = sparse_form(model)
        found = least_degree_first(form)
        if found.width > MAX_WIDTH:
            raise TooLargeError(
                f"the model has treewidth {found.width}; tree takes at most {MAX_WIDTH}: use 'auto' or 'cpsat'"
            )
        return model, form, found

    def call(self, model: tuple[SampledModel, SparseForm, Elimination], request: Request) -> Reads:
        """Return the ground state, or nothing where the time limit is shorter than the tables take."""
        sampled, form, found = model
        end = np.inf if request.deadline is None else request.deadline
        state = None
        if time.perf_counter() + found.seconds <= end:
            state = minimised(form, found.order, lambda: is_over() or time.perf_counter() >= end)
        states = np.empty((0, len(form.linear)), np.int8) if state is None else state[None, :]
        labelled = (states, range(len(form.linear)))
        reads = dimod.SampleSet.from_samples_bqm(labelled, sampled.bqm, sort_labels=False)
        if state is None:
            return Reads(sampled, reads, Termination.CLOCK)
        return Reads(sampled, reads, Termination.PROVED if sampled.exact else Termination.BUDGET)

    def decode(self, raw: Reads, problem: Any) -> Found:
        found = decode_reads(raw, problem)
        if not len(found.candidates):
            return replace(found, message="the tables take longer than the time limit; raise it, or use 'auto'")
        if found.termination is not Termination.PROVED:
            return found
        return replace(found, gain_bound=float(np.max(problem.gain(found.candidates))))


def sparse_form(model: SampledModel) -> SparseForm:
    """Return the energies of a sampled model as a form over its variables 0…N−1."""
    count = model.bqm.num_variables
    linear, (first, second, products), *_ = model.bqm.to_numpy_vectors(variable_order=range(count))
    low = -1 if model.bqm.vartype is dimod.SPIN else 0
    return SparseForm.of(
        np.asarray(linear, np.float64), first.astype(np.intp), second.astype(np.intp),
        np.asarray(products, np.float64), low,
    )  # fmt: skip

"""Solvers that fail on purpose, at random, fixed by a seed: behind the same contract as every other."""

import os
import signal
import time
from dataclasses import replace

import numpy as np

import qproj
from qproj.solvers import Capabilities, Termination

FAULTS = ("raise", "none", "empty", "nan", "shape", "values", "energies", "proof", "partial")
DEADLY = ("hang", "crash")


class Faulty:
    """An honest `local-search` whose answer one call in `every` comes out wrong in one of `faults`."""

    name = "faulty"
    capabilities = Capabilities(forms=frozenset({"projection"}), seed=True)

    def __init__(self, faults=FAULTS, seed=0, share=0.5):
        self.faults, self.share = tuple(faults), share
        self.rng = np.random.default_rng(seed)
        self.done = []

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        honest = qproj.get_solver("local-search").solve(problem, seed=seed)
        if self.rng.random() >= self.share:
            self.done.append("")
            return honest
        fault = str(self.rng.choice(self.faults))
        self.done.append(fault)
        return spoilt(fault, honest, problem)


def spoilt(fault, honest, problem):
    d = problem.num_variables
    if fault == "raise":
        raise ConnectionResetError("the backend went away")
    if fault == "hang":
        time.sleep(3600)
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "none":
        return None
    if fault == "empty":
        return replace(honest, best=None, gain=None, objective=None, candidates=honest.candidates[:0], sampleset=None)
    if fault == "nan":
        return replace(honest, best=np.full(d, np.nan), candidates=np.full((1, d), np.nan))
    if fault == "shape":
        return replace(honest, best=np.ones(d + 1), candidates=np.ones((1, d + 1)))
    if fault == "values":
        return replace(honest, best=np.zeros(d), candidates=np.zeros((1, d)))
    if fault == "energies":
        return replace(honest, gain=honest.gain + 1.0, objective=honest.objective - 2.0)
    if fault == "proof":  # the worst vector there is, "proved optimal"
        worst = -honest.best
        return replace(
            honest, best=worst, candidates=worst[None], termination=Termination.PROVED, gain_bound=problem.gain(worst)
        )
    if fault == "partial":
        return replace(honest, best=honest.best[:-1], candidates=honest.candidates[:, :-1])
    raise AssertionError(fault)

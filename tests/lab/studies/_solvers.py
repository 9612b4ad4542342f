"""Solvers that misbehave, each in its own way; sent to workers by value."""

import dataclasses
import os
import signal
import time

import numpy as np

from qproj.solvers import Capabilities
from qproj.solvers.builtin.random import Random


class Base(Random):
    """Random, but badly behaved on neurons of 9 weights whose first target is positive; well on the warm-up's 13."""

    def bad(self, problem):
        return problem.num_weights == 9 and problem.t[0] > 0

    def solve(self, problem, **limits):
        if self.bad(problem):
            return self.misbehave(problem, super().solve(problem, **limits))
        return super().solve(problem, **limits)


class Crashing(Base):
    name = "crashing"

    def misbehave(self, problem, solution):
        os.kill(os.getpid(), signal.SIGSEGV)


class CrashingOnceMore(Crashing):
    """Crashes on the small problem of the warm-up too."""

    name = "crashing-once-more"

    def bad(self, problem):
        return problem.num_weights == 13 or super().bad(problem)


class Leaving(Base):
    name = "leaving"

    def misbehave(self, problem, solution):
        os._exit(3)


class Hanging(Base):
    name = "hanging"

    def misbehave(self, problem, solution):
        while True:
            time.sleep(60)


class Raising(Base):
    name = "raising"

    def misbehave(self, problem, solution):
        raise RuntimeError("the backend\nbroke")


class Refusing(Base):
    name = "refusing"

    def misbehave(self, problem, solution):
        raise ValueError("not of this size")


class Boasting(Base):
    """Claims more gain than its weights have."""

    name = "boasting"

    def misbehave(self, problem, solution):
        return dataclasses.replace(solution, gain=solution.gain * 1.5 + 1.0)


class Bounding(Base):
    """Claims a bound that its own weights beat."""

    name = "bounding"

    def misbehave(self, problem, solution):
        return dataclasses.replace(solution, gain_bound=solution.gain - 0.5)


class Nonsense(Base):
    name = "nonsense"

    def misbehave(self, problem, solution):
        return {"v": [1, -1]}


class Zeros(Base):
    name = "zeros"

    def misbehave(self, problem, solution):
        return dataclasses.replace(solution, best=np.zeros(problem.num_weights, np.int8))


class FalseProof(Base):
    """Claims that what it found is optimal."""

    name = "false-proof"

    def misbehave(self, problem, solution):
        from qproj.solvers import Termination

        return dataclasses.replace(solution, termination=Termination.PROVED, gain_bound=solution.gain)


class Narrow(Base):
    """Takes neither reads nor seed nor time limit; refuses to be given any."""

    name = "narrow"
    capabilities = Capabilities(frozenset({"projection"}), seed=False, time_limit=False, num_reads=False)

    def solve(self, problem, **limits):
        assert not limits, limits
        return Random().solve(problem, seed=0, num_reads=5)


WITH_STATUS = [
    (Crashing, "crashed", "SIGSEGV"), (CrashingOnceMore, "crashed", "SIGSEGV"), (Leaving, "crashed", "exit code 3"),
    (Raising, "raised", "the backend broke"), (Refusing, "refused", "not of this size"),
    (Boasting, "wrong", "claims gain"), (Bounding, "wrong", "no gain exceeds"), (Nonsense, "wrong", "returned dict"),
    (Zeros, "wrong", "unreadable"),
]  # fmt: skip

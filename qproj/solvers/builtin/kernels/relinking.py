"""Kernels of relinked annealing: Metropolis sweeps of one sparse Ising model, and recombination of its states.

Where two states differ, the spins fall into components that no coupling joins; flipping one changes the energy by an
amount that does not depend on the others. So the best of all 2^components mixtures of the two is found component by
component, in the time of looking at every coupling once (partition crossover: Whitley, Hains and Howe 2009; Tinós,
Whitley and Chicano 2015). On graphs of small degree good states differ in dozens of components.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from qproj._compiled import compiled, inlined
from qproj.solvers.builtin.kernels.ising import real_of
from qproj.solvers.builtin.kernels.sharing import next_state

#: −log of the smallest number that is drawn: a rise of more is never accepted.
_RISE = 36.75
#: An energy counts as lower by more than this, in units of the largest coefficient: rounding does not count.
LOWER = 1e-9


@compiled(fastmath={"contract"})
def anneal(model, betas, states, spins, fields, energies, best):
    """Do one Metropolis sweep per inverse temperature, in place.

    Parameters
    ----------
    betas : (sweeps,) float64
        Positive.
    states : (1,) uint64
        Of the generator.
    spins, fields : (N,) float64
        fields = h + J·s.
    energies : (2,) float64
        Now, and the lowest after a sweep.
    best : (N,) float64
        The spins of the lowest.
    """
    x = states[0]
    for beta in betas:
        most = _RISE / beta
        for i in range(spins.size):
            change = -2.0 * spins[i] * fields[i]
            if change > 0.0:
                if change > most:
                    continue
                x = next_state(x)
                if change * beta > -np.log(real_of(x)):
                    continue
            step = -2.0 * spins[i]
            spins[i] = -spins[i]
            energies[0] += change
            for k in range(model.start[i], model.start[i + 1]):
                fields[model.other[k]] += step * model.J[k]
        if energies[0] < energies[1] - LOWER:
            energies[1] = energies[0]
            for i in range(spins.size):
                best[i] = spins[i]
    states[0] = x


@compiled()
def relink(model, spins, others, count, turnable, states, mark, queue):
    """Take over from other states, in place, each component that lowers the energy; return by how much in all.

    A component that changes nothing is taken over by the toss of a coin. The states are gone through again and again
    until none lowers the energy.

    Parameters
    ----------
    spins : (N,) float64
    others : (P, N) int8
        The first `count` are states.
    turnable : bool
        Whether a state with all spins turned has the same energy: it is then turned to where it differs less.
    states : (1,) uint64
        Of the generator.
    mark, queue : (N,) int64
        Room to work in; mark holds zeros.
    """
    x = states[0]
    lowered, round_, again = 0.0, 0, True
    while again:
        again = False
        for p in range(count):
            round_ += 1
            other = others[p]
            sign = _nearer(spins, other) if turnable else 1
            for i in range(spins.size):
                if mark[i] == round_ or spins[i] == sign * other[i]:
                    continue
                size, change = _component(model, spins, other, sign, i, round_, mark, queue)
                taken = change < -LOWER
                if -LOWER <= change <= LOWER:
                    x = next_state(x)
                    taken = real_of(x) < 0.5
                if taken:
                    for k in range(size):
                        spins[queue[k]] = -spins[queue[k]]
                    lowered -= change
                    again = again or change < -LOWER
    states[0] = x
    return lowered


@inlined
def _nearer(spins, other):
    """1 where most spins are those of another state, else −1."""
    same = 0
    for i in range(spins.size):
        same += 1 if spins[i] == other[i] else -1
    return 1 if same >= 0 else -1


@inlined
def _component(model, spins, other, sign, first, round_, mark, queue):
    """Queue the spins that differ and hang together with `first`; return their number, and what flipping them adds."""
    mark[first] = round_
    queue[0] = first
    size, done, change = 1, 0, 0.0
    while done < size:
        i = queue[done]
        done += 1
        outside = model.h[i]
        for k in range(model.start[i], model.start[i + 1]):
            j = model.other[k]
            if spins[j] == sign * other[j]:
                outside += model.J[k] * spins[j]
            elif mark[j] != round_ and model.J[k] != 0.0:
                mark[j] = round_
                queue[size] = j
                size += 1
        change -= 2.0 * spins[i] * outside
    return size, change

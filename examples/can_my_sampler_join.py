"""I have a dimod sampler (here OpenJij's, or dimod's own): can it project?"""

import dimod
import numpy as np

import qproj

try:
    import openjij

    sampler = openjij.SASampler()
except ImportError:
    sampler = dimod.ExactSolver()

rng = np.random.default_rng(0)
p = qproj.SignProjection(rng.choice([-1, 1], (20, 9)), rng.normal(size=20))
mine = qproj.from_sampler(sampler)
best = qproj.get_solver("auto").solve(p)
found = mine.solve(p, num_reads=50, seed=0)
print(f"{type(sampler).__name__}: gain {found.gain:.4f} of {best.gain:.4f}, {found.status}")

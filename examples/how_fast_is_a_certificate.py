"""How long does it take to prove a whole layer optimal?"""

import time

import numpy as np

import qproj

rng = np.random.default_rng(0)
for n, d in ((16, 128), (64, 128), (64, 20)):
    X, T = rng.choice([-1, 1], (n, d)), rng.normal(size=(n, 128))
    qproj.project(X, T, seed=0, time_limit_s=3)  # compiles
    start = time.perf_counter()
    layer = qproj.project(X, T, seed=0, time_limit_s=3)
    proved = np.mean([s == "optimal" for s in layer.status])
    print(f"128 neurons, {n} rows, {d} weights: {proved:.0%} proved in {1000 * (time.perf_counter() - start):.0f} ms")

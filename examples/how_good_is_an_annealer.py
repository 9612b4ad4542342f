"""How good is an annealer's projection of a real layer, and how much of it is chance?"""

import numpy as np

import qproj
from qproj.lab.datasets import layer_instances

layer = layer_instances("digits")[-1]  # a hidden layer of a small network, after some training
X, T = layer.X, layer.T[:, :8]
exact = qproj.project(X, T, seed=0, time_limit_s=5)
print(f"{layer.name}: {X.shape[0]} rows, {X.shape[1]} weights, {T.shape[1]} neurons")

for name in ("auto", "sa", "sqa", "tabu", "random", "sign"):
    options = {"num_reads": 100} if name in ("sa", "sqa", "tabu", "random") else {}
    solved = exact if name == "auto" else qproj.project(X, T, solver=name, seed=0, **options)
    share = np.mean(solved.gain >= exact.gain - 1e-9)
    print(f"{name:7} mean gain {solved.gain.mean():.4f}, as good as the best {share:.0%}, gap {solved.gap.mean():.3f}")

"""Run by .ci/run in a clean environment, outside the checkout, with the wheel and core dependencies only."""

import importlib.metadata
import importlib.resources
import sys

import numpy as np

import qproj

assert "site-packages" in qproj.__file__, f"imported {qproj.__file__}, not the wheel"
assert importlib.resources.files("qproj").joinpath("py.typed").is_file()

rng = np.random.default_rng(0)
X = rng.choice([-1, 1], size=(12, 5))
t = rng.normal(size=12)
p = qproj.SignProjection(X, t)
solvers = {name: qproj.get_solver(name) for name in ("auto", "exhaustive", "cpsat")}
gains = {name: solver.solve(p, seed=0, time_limit_s=10).gain for name, solver in solvers.items()}
best = max(gains.values())
assert all(abs(gain - best) <= 1e-9 * np.abs(t).sum() for gain in gains.values()), gains

layer = qproj.project(X, rng.normal(size=(12, 3)), seed=0)
assert layer.weights.shape == (3, 5)
assert np.isin(layer.weights, (-1, 1)).all()

# Extras are absent here: they must be listed, with the reason, and import nothing.
assert {"gurobi", "dwave", "qaoa"} <= {str(info.name) for info in qproj.list_solvers()}
assert not {"torch", "qiskit", "gurobipy"} & set(sys.modules)
print("qproj", importlib.metadata.version("qproj"), "from the wheel:", gains)

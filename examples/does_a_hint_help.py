"""The last step's projection is a good guess for the next: does the solver profit from it?"""

import numpy as np

import qproj

rng = np.random.default_rng(0)
X, t = rng.choice([-1, 1], (32, 16)), rng.normal(size=32)
first = qproj.get_solver("cpsat").solve(qproj.SignProjection(X, t), time_limit_s=20)
moved = qproj.SignProjection(X, t + 0.1 * rng.normal(size=32))
print(f"the old weights reach {moved.gain(first.best) / moved.gain_bound:.3f} of the new bound")
for hint in (None, first.best):
    solved = qproj.get_solver("cpsat").solve(moved, hint=hint, time_limit_s=20)
    label = "without" if hint is None else "with"
    print(f"{label:7} a hint: {solved.status}, gain {solved.gain:.4f}, {solved.timing.total:.2f} s")

"""How many variables does each encoding of one neuron need, and which are exact?"""

import numpy as np

import qproj

rng = np.random.default_rng(0)
for d in (3, 9, 15):
    p = qproj.SignProjection(rng.choice([-1, 1], (20, d)), rng.normal(size=20))
    print(f"\n20 rows, {d} weights")
    for name in ("majority", "paper", "unbalanced", "margin"):
        e = p.encode(name)
        print(f"  {name:10} {e.num_variables:4} variables {e.num_interactions:6} interactions  exact: {e.exact}")
    print("  why majority is exact:", p.encode("majority").why)

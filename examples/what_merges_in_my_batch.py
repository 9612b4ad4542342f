"""How much smaller do the problems of neurons get when equal rows and equal columns merge?"""

import numpy as np
from sklearn.datasets import load_digits

import qproj

digits = load_digits()
pixels = np.where(digits.data > 7, 1, -1)
rng = np.random.default_rng(0)
for n in (8, 16, 64):
    p = qproj.SignProjection(pixels[:n], rng.normal(size=n))
    merged = p.aggregated
    print(
        f"{n:3} digits: 64 weights → {len(merged.columns.sizes)} classes → {len(merged.columns.labels)} bits, "
        f"{n} rows → {len(merged.tau)} groups"
    )

"""Does QP-SBGD stay where it is? A binary w* is fixed exactly where the projection returns w*."""

import numpy as np

import qproj

rng = np.random.default_rng(2)
X = rng.choice([-1, 1], (24, 9))
teacher = rng.choice([-1, 1], 9)
T = np.where(X @ teacher >= 0, 1.0, -1.0)[:, None]  # targets that a ±1 neuron meets

w = rng.uniform(-1, 1, 9)  # latent weights
step = 2.0**-3
for k in range(20):
    v = qproj.project(X, T, seed=0).weights[0]
    if (np.sign(w) == v).all() and (np.abs(w) >= 1).all():
        print(f"step {k}: V(w) = sign(w), and the box holds w there")
        break
    w = np.clip(w + step * v, -1, 1)
print("agrees with the teacher on every row:", bool((np.where(X @ v >= 0, 1, -1) == T[:, 0]).all()))

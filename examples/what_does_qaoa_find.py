"""What does QAOA find on a neuron: simulated exactly, then sampled from a noisy device?"""

import numpy as np
from qiskit.primitives import BackendSamplerV2
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

import qproj

rng = np.random.default_rng(0)
p = qproj.SignProjection(rng.choice([-1, 1], (20, 5)), rng.normal(size=20))
best = qproj.get_solver("exhaustive").solve(p)

for reps in (1, 2, 3):
    fast = qproj.get_solver("qaoa-fast", reps=reps).solve(p, seed=0, num_reads=500)
    share = np.mean((fast.candidates == best.best).all(axis=1))
    print(f"p = {reps}: best read {fast.gain:.4f} of {best.gain:.4f}, optimum in {share:.1%} of reads")

angles = qproj.get_solver("qaoa-fast", reps=1).solve(p, seed=0).stats["angles"]
device = BackendSamplerV2(backend=FakeManilaV2(), options={"seed_simulator": 1})
noisy = qproj.get_solver("qaoa", reps=1, angles=angles, sampler=device).solve(p, num_reads=500)
share = np.mean((noisy.candidates == best.best).all(axis=1))
gates = noisy.stats["two_qubit_gates"]
print(f"noisy: best read {noisy.gain:.4f}, optimum in {share:.1%} of reads, {gates} two-qubit gates")

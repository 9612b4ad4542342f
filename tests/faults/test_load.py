"""A day in miniature: thousands of projections in one process leave no memory, handle, thread or hook behind."""

import json
import os
import subprocess
import sys

import pytest

# Argument: how many projections. Prints what the process holds after a fifth of them and at the end.
_SCRIPT = """
import gc, json, os, sys, threading, warnings
import numpy as np, torch, qproj
from qproj.nn import BinaryLinear, SignActivation
from qproj.optim import QPSBGD, capture

total = int(sys.argv[1])
rng = np.random.default_rng(0)
torch.manual_seed(0)
model = torch.nn.Sequential(BinaryLinear(9, 5), SignActivation(), BinaryLinear(5, 1))
optimizer = QPSBGD(model, lr=0.01, solver="local-search")
solvers = [qproj.get_solver(name) for name in ("auto", "local-search", "sign", "exhaustive")]
rare = [qproj.get_solver("sa", num_sweeps=20), qproj.get_solver("cpsat"), qproj.get_solver("tabu")]
done = 0

def train():
    x = torch.where(torch.rand(12, 9) < 0.5, -1.0, 1.0)
    optimizer.zero_grad()
    with capture(model):
        torch.nn.functional.softplus(-model(x)[:, 0]).mean().backward()
    optimizer.zero_grad()
    torch.nn.functional.softplus(-model(x)[:, 0]).mean().backward()
    optimizer.step()
    return 2

def one(k):
    n, d, dout = int(rng.integers(1, 24)), int(rng.integers(1, 12)), int(rng.integers(1, 4))
    X, T = rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))
    if k % 10 == 3:
        return train()
    if k % 50 == 7:
        solver = rare[k // 50 % 3]
        reads = {"num_reads": 4} if solver.capabilities.num_reads else {}
        qproj.project(X, T, solver, seed=k, **reads).require()
    elif k % 25 == 11:
        try:
            qproj.project(X, np.full_like(T, np.nan))
        except ValueError:
            pass
    elif k % 25 == 12:
        p = qproj.LinearProjection(X, T[:, 0])
        assert p.bqm.num_variables and solvers[3].solve(p).best is not None
    else:
        layer = qproj.project(X, T, solvers[k % 4], seed=k)
        assert layer[0].gain == layer.gain[0]
        p = qproj.SignProjection(X, T[:, 0])
        assert p.bqm is p.bqm
    return dout

def held():
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    hooks = sum(len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    hooks += sum(len(p._backward_hooks or ()) for p in model.parameters())
    return {"rss": pages * os.sysconf("SC_PAGE_SIZE"), "files": len(os.listdir("/proc/self/fd")),
            "threads": len(os.listdir("/proc/self/task")), "hooks": hooks, "objects": len(gc.get_objects()),
            "done": done}

k, first = 0, None
while done < total:
    done += one(k)
    k += 1
    if first is None and done >= total // 5:
        first = held()
print(json.dumps([first, held()]))
"""


def after(count):
    # what coverage remembers of a process grows with it
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(count)], capture_output=True, text=True, timeout=3000, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, last = json.loads(done.stdout)
    assert last["done"] >= count
    for what in ("files", "threads", "hooks"):
        assert last[what] <= first[what], (what, first, last)
    assert last["objects"] - first["objects"] < 2000, (first, last)
    assert last["rss"] - first["rss"] < 16e6, (first, last)  # allocators' slack; a leak of 1 kB each is 16 MB in 20,000


@pytest.mark.slow
def test_a_thousand_projections_leave_nothing_behind(tally):
    after(1000)
    tally("load: projections in one process", 1000, "memory flat; no file handle, thread or hook left")


@pytest.mark.nightly
def test_twenty_thousand_projections_leave_nothing_behind(tally):
    after(20_000)
    tally("load: projections in one process", 20_000, "memory flat; no file handle, thread or hook left")

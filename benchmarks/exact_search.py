"""Exact search beside Gurobi, HiGHS and CP-SAT: seconds to a proved optimum, in one run on the same neurons.

Two tables. *Neurons*: d weights, n = 64 rows uniform ±1, normal targets, one neuron a call. *Batches*: 1000 neurons of
the paper's sizes (n = 20) in one call of `project`, against one call a neuron.

Peers get the one-sided form, the fastest that is known here for them: with p_g = Σ_k a_k agreements of row g and h =
⌈d/2⌉, maximise Σ τ_g (2y_g − 1) with p_g ≥ h·y_g where τ_g > 0 and p_g ≤ h − 1 + (d − h + 1)·y_g where τ_g < 0 (CP-SAT:
the same as enforced rows), gaps of 0, and the incumbent that qproj starts from, whose making counts for qproj only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import qproj
from qproj.solvers.kernels.annealing import soft_anneal
from qproj.solvers.kernels.branch_bound import branch_bound

ROWS = 64
BATCH, BATCH_ROWS = 1000, 20
TOLERANCE = 1e-6  # of Σ|τ|: MIP solvers' own feasibility tolerances


@dataclass(frozen=True)
class Neuron:
    """±1 rows (n, d), targets (n,), and counts (d,) to start from."""

    X: np.ndarray
    t: np.ndarray
    start: np.ndarray

    def gain(self, w: np.ndarray) -> float:
        return float(self.t @ np.where(self.X @ (2 * w - 1) >= 0, 1.0, -1.0))

    def one_sided(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (a, b, y) of rows a·w + y·y_g ≥ b, turned so that all are ≥."""
        d = self.X.shape[1]
        h = -(-d // 2)
        above = self.t > 0
        minus = (self.X < 0).sum(axis=1)  # p = X·w + minus
        a = np.where(above[:, None], self.X, -self.X).astype(float)
        y = np.where(above, -h, d - h + 1).astype(float)
        b = np.where(above, -minus, minus - (h - 1)).astype(float)
        return a, b, y


def draw(d: int, n: int, seed: int) -> Neuron:
    rng = np.random.default_rng([seed, d, n])
    X = rng.choice(np.array([-1, 1], np.int8), (n, d))
    return Neuron(X, rng.standard_normal(n), np.zeros(d, np.int64))


def with_start(neuron: Neuron) -> Neuron:
    ones = np.ones(neuron.X.shape[1], np.int64)
    start = soft_anneal(neuron.X, ones, neuron.t, seed=0, sweeps=400, starts=2, threads=1)[0]
    return Neuron(neuron.X, neuron.t, start)


Answer = tuple[float, bool]  # gain, proved


def by_qproj(neuron: Neuron, limit: float, threads: int) -> Answer:
    begun = with_start(neuron)
    found = branch_bound(
        neuron.X, np.ones(neuron.X.shape[1], np.int64), neuron.t,
        incumbent=begun.start, deadline=time.perf_counter() + limit, threads=threads,
    )  # fmt: skip
    return found.gain, found.proved


def by_gurobi(neuron: Neuron, limit: float, threads: int) -> Answer:
    import gurobipy as gp

    a, b, coefficient = neuron.one_sided()
    with gp.Env(params={"OutputFlag": 0}) as env, gp.Model(env=env) as model:
        model.Params.Threads, model.Params.MIPGap, model.Params.MIPGapAbs = threads, 0.0, 0.0
        model.Params.TimeLimit = limit
        w = model.addMVar(neuron.X.shape[1], vtype="B")
        y = model.addMVar(len(b), vtype="B")
        model.addConstr(a @ w + np.diag(coefficient) @ y >= b)
        model.setObjective(2 * neuron.t @ y - float(neuron.t.sum()), gp.GRB.MAXIMIZE)
        w.Start = neuron.start
        model.optimize()
        if not model.SolCount:
            return float("-inf"), False
        return neuron.gain(np.rint(w.X)), bool(model.Status == gp.GRB.OPTIMAL)


def by_highs(neuron: Neuron, limit: float, threads: int) -> Answer:
    import highspy

    a, b, coefficient = neuron.one_sided()
    n, d = a.shape
    model = highspy.Highs()
    model.silent()
    for name, value in (("threads", threads), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("time_limit", limit)):
        model.setOptionValue(name, value)
    w = [model.addBinary() for _ in range(d)]
    y = [model.addBinary() for _ in range(n)]
    for g in range(n):
        model.addConstr(sum(a[g, k] * w[k] for k in range(d)) + coefficient[g] * y[g] >= b[g])
    model.setSolution(d, np.arange(d, dtype=np.int32), neuron.start.astype(float))
    model.maximize(sum(2.0 * neuron.t[g] * y[g] for g in range(n)))
    values = np.array(model.getSolution().col_value)
    if len(values) < d:
        return float("-inf"), False
    return neuron.gain(np.rint(values[:d])), model.getModelStatus() == highspy.HighsModelStatus.kOptimal


def by_cpsat(neuron: Neuron, limit: float, threads: int) -> Answer:
    from ortools.sat.python import cp_model

    n, d = neuron.X.shape
    h, minus = -(-d // 2), (neuron.X < 0).sum(axis=1)
    model = cp_model.CpModel()
    w = [model.new_bool_var("") for _ in range(d)]
    y = [model.new_bool_var("") for _ in range(n)]
    whole = np.rint(neuron.t * (2.0**40 / np.abs(neuron.t).sum())).astype(int)
    for g in range(n):
        agreements = cp_model.LinearExpr.weighted_sum(w, neuron.X[g].tolist()) + int(minus[g])
        if neuron.t[g] > 0:
            model.add(agreements >= h).only_enforce_if(y[g])
        else:
            model.add(agreements <= h - 1).only_enforce_if(~y[g])
    for k in range(d):
        model.add_hint(w[k], int(neuron.start[k]))
    model.maximize(cp_model.LinearExpr.weighted_sum(y, whole.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.linearization_level = threads, 2
    solver.parameters.max_time_in_seconds = limit
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return float("-inf"), False
    return neuron.gain(np.array([solver.value(v) for v in w])), status == cp_model.OPTIMAL


PEERS: dict[str, Callable[[Neuron, float, int], Answer]] = {
    "gurobi": by_gurobi, "highs": by_highs, "cpsat": by_cpsat,
}  # fmt: skip


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = call()
    return time.perf_counter() - begin, answer


def neurons(d: int, count: int, peers: list[str], *, limit: float, threads: int, seed: int) -> dict[str, Any]:
    """Return seconds of each solver on the same neurons; a peer that ran out of time counts with its limit."""
    rows = []
    for index in range(count):
        neuron = draw(d, ROWS, seed + index)
        seconds, (gain, proved) = timed(lambda neuron=neuron: by_qproj(neuron, 10 * limit, threads))
        row: dict[str, Any] = {"qproj": {"seconds": seconds, "proved": proved}}
        begun = with_start(neuron)
        for name in peers:
            took, (theirs, done) = timed(lambda name=name, begun=begun: PEERS[name](begun, limit, threads))
            row[name] = {"seconds": took, "proved": done}
            if proved and done and abs(theirs - gain) > TOLERANCE * np.abs(neuron.t).sum():
                raise AssertionError(f"d={d}, neuron {seed + index}: qproj proves {gain}, {name} proves {theirs}")
        rows.append(row)
    ours = [row["qproj"]["seconds"] for row in rows]
    result: dict[str, Any] = {
        "d": d,
        "n": ROWS,
        "qproj": spread(ours),
        "proved": sum(r["qproj"]["proved"] for r in rows),
    }
    for name in peers:
        ratios = [row[name]["seconds"] / row["qproj"]["seconds"] for row in rows]
        done = sum(row[name]["proved"] for row in rows)
        # where a peer was stopped the ratio is a lower bound
        result[name] = {**spread([r[name]["seconds"] for r in rows]), "proved": done, "ratio": spread(ratios)}
    return result


def batch(d: int, peer_calls: int, *, threads: int, seed: int) -> dict[str, Any]:
    """Return the time a neuron of one `project` call for 1000 neurons, and of one Gurobi call a neuron."""
    rng = np.random.default_rng([seed, d, BATCH])
    X = rng.choice(np.array([-1, 1], np.int8), (BATCH_ROWS, d))
    T = rng.standard_normal((BATCH_ROWS, BATCH))
    times, layer = [], None
    for _ in range(5):  # fresh targets each time: nothing to remember
        T = rng.standard_normal((BATCH_ROWS, BATCH))
        seconds, layer = timed(lambda T=T: qproj.project(X, T, seed=0))
        times.append(seconds / BATCH)
    assert layer is not None
    if not layer.proved.all():
        raise AssertionError(f"d={d}: {int((~layer.proved).sum())} of {BATCH} neurons are not proved")
    peer = []
    for i in range(peer_calls):
        neuron = Neuron(X, np.ascontiguousarray(T[:, i]), np.zeros(d, np.int64))
        seconds, (gain, done) = timed(lambda neuron=neuron: by_gurobi(neuron, 60.0, threads))
        peer.append(seconds)
        if not done or abs(gain - layer.gain[i]) > TOLERANCE * np.abs(T[:, i]).sum():
            raise AssertionError(f"d={d}, neuron {i}: project says {layer.gain[i]}, Gurobi {gain}")
    ratio = median(peer) / median(times)
    return {"d": d, "n": BATCH_ROWS, "neurons": BATCH, "qproj": spread(times), "gurobi": spread(peer), "ratio": ratio}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "least": min(values), "most": max(values)}


def available(name: str) -> bool:
    """Tell whether a peer is installed and, for Gurobi, licensed."""
    neuron = draw(3, 4, 0)
    try:
        PEERS[name](neuron, 5.0, 1)
    except ImportError:
        return False
    return True


def warm() -> None:
    """Compile what is measured."""
    for d in (6, 27):
        by_qproj(draw(d, 8, 0), 1.0, 1)
    for d in (6, 16, 20):
        qproj.project(np.ones((4, d)), np.ones((4, 2)), seed=0)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return both tables and the machine they were made on."""
    warm()
    peers = [name for name in args.peers if available(name)]
    common = {"threads": args.threads, "seed": args.seed}
    return {
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": args.threads,
        },
        "peers": peers,
        "neurons": [neurons(d, args.neurons, peers, limit=args.limit, **common) for d in args.sizes]
        + [neurons(d, args.neurons, [], limit=args.limit, **common) for d in args.alone],
        "batches": [batch(d, args.calls, **common) for d in args.batches if "gurobi" in peers],
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="*", default=[24, 28], help="weights of neurons, with peers")
    options.add_argument("--alone", type=int, nargs="*", default=[32, 36], help="weights of neurons, without peers")
    options.add_argument("--batches", type=int, nargs="*", default=[3, 5, 7, 9, 15], help="weights of batches")
    options.add_argument("--neurons", type=int, default=3, help="of each size")
    options.add_argument("--calls", type=int, default=20, help="of Gurobi, for each batch")
    options.add_argument("--limit", type=float, default=30.0, help="seconds a peer gets for a neuron")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--seed", type=int, default=int(time.time()) % 2**31, help="default: new inputs every run")
    options.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    return options


def main() -> None:
    print(json.dumps(run(parser().parse_args()), indent=1))


if __name__ == "__main__":
    main()

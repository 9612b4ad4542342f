"""Published instances, written in each format and read back, are solved to the published optimum."""

import dimod
import numpy as np
import pytest

from qproj import get_solver
from qproj.formats.coo import coo_text
from qproj.formats.lp import lp_text
from qproj.formats.mps import mps
from qproj.formats.text import read_model
from qproj.lab.datasets import load_qubo


def entries(bqm):
    linear = [(i, i, bias) for i, bias in bqm.linear.items() if bias]
    return linear, [(*sorted(pair), bias) for pair, bias in bqm.quadratic.items()]


def named_cqm(bqm):
    return dimod.ConstrainedQuadraticModel.from_bqm(
        bqm.relabel_variables({i: f"x{i}" for i in range(bqm.num_variables)}, inplace=False)
    )


def qbsolv(bqm):
    linear, quadratic = entries(bqm)
    rows = "".join(f"{i} {j} {bias:.0f}\n" for i, j, bias in linear + quadratic)
    return f"p qubo 0 {bqm.num_variables} {len(linear)} {len(quadratic)}\n{rows}"


def bqp(bqm):
    """The OR-Library's set of one problem: maximised, off-diagonal entries counted twice."""
    linear, quadratic = entries(bqm)
    rows = "".join(f"{i + 1} {j + 1} {-bias / (1 if i == j else 2):.0f}\n" for i, j, bias in linear + quadratic)
    return f"1\n{bqm.num_variables} {len(linear) + len(quadratic)}\n{rows}"


def ommx_bytes(bqm):
    pytest.importorskip("ommx.v1")
    from qproj_ommx import to_ommx

    return to_ommx(bqm)[0].to_bytes()


WRITERS = {
    "coo": coo_text, "qubo": qbsolv, "txt": bqp, "bqm": lambda bqm: bqm.to_file().read(), "ommx": ommx_bytes,
    "lp": lambda bqm: lp_text(named_cqm(bqm)), "mps": lambda bqm: mps(named_cqm(bqm)),
}  # fmt: skip


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_published_qubo_in_each_format_is_solved_to_its_optimum(data_dir, tmp_path, suffix):
    if suffix == "mps":
        pytest.importorskip("highspy")
    qubo = load_qubo("gka1b")
    content, path = WRITERS[suffix](qubo.bqm), tmp_path / f"gka1b.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    solution = get_solver("cpsat").solve(read_model(path), time_limit_s=60)
    assert (str(solution.status), solution.objective) == ("optimal", qubo.best_known)


@pytest.mark.parametrize("name", ["g05_60.0", "pm1s_80.0", "pw01_100.0", "t2g10_5555"])
def test_published_cuts_are_reached_from_their_graphs(data_dir, tmp_path, name):
    qubo = load_qubo(name)
    _, quadratic = entries(qubo.bqm)
    rows = "".join(f"{i + 1} {j + 1} {bias / 2:.0f}\n" for i, j, bias in quadratic)
    path = tmp_path / f"{name}.rud"
    path.write_text(f"{qubo.bqm.num_variables} {len(quadratic)}\n{rows}")
    solution = get_solver("pt").solve(read_model(path), seed=0, num_reads=20)
    assert solution.objective == qubo.best_known
    assert set(np.unique(solution.best)) == {-1, 1}

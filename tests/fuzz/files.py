"""Fuzz targets: every file format that qproj reads. A target is a strategy of contents and a check of the reader."""

import hashlib
import importlib.util
import io
import math
from functools import cache
from pathlib import Path

import dimod
import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from qproj.formats.coo import coo_text, read_coo
from qproj.formats.lp import read_lp
from qproj.formats.text import read_model, read_qubo
from qproj.lab.datasets.idx import read_idx
from qproj.lab.datasets.instances import LayerInstance, read_instances, save_instances
from qproj.lab.datasets.libsvm import read_libsvm
from qproj.lab.datasets.npz import read_npy, read_npz
from qproj.lab.datasets.pickles import read_pickle
from qproj.lab.studies.results import Results
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.study_file import read_study_file
from qproj.solvers.specs import parse_solvers

_spec = importlib.util.spec_from_file_location(
    "_py2pickle", Path(__file__).parents[1] / "lab" / "datasets" / "_py2pickle.py"
)
py2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(py2)

_INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x0A, 0x30]


@st.composite
def damaged(draw, *valid):
    """Valid contents with bytes replaced, cut out, doubled or added; or any bytes at all."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=300))
    content = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 4))):
        if not content:
            break
        place = draw(st.integers(0, len(content) - 1))
        how = draw(st.integers(0, 4))
        if how <= 1:
            content[place] = draw(st.sampled_from(_INTERESTING) if how else st.integers(0, 255))
        elif how == 2:
            del content[place : place + draw(st.integers(1, 1 << draw(st.integers(0, 8))))]
        elif how == 3:
            end = place + draw(st.integers(1, 64))
            content[end:end] = content[place:end]
        else:
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
    return bytes(content)


def _numbers():
    odd = [
        "0",
        "-0",
        "1e308",
        "-1e308",
        "1e309",
        "nan",
        "inf",
        "1e-320",
        "4503599627370497",
        "9" * 30,
        "0x1",
        "1_0",
        "٣",
    ]
    return st.one_of(st.integers(-9, 9).map(str), st.floats(-9, 9).map(repr), st.sampled_from(odd))


def _lines(*words):
    """Lines of a few words each, some of them odd."""
    row = st.lists(st.one_of(*words), min_size=1, max_size=5).map(" ".join)
    return st.lists(row, max_size=8).map("\n".join).map(str.encode)


# models ---------------------------------------------------------------------------------------------------------------

_COO = b"# vartype=SPIN\n0 0 1.5\n0 1 -2\n2 1 0.25\n"
_QUBO = b"3 4\n1 1 -3\n1 2 1\n2 3 -2\n3 3 5\n"
_LP = (
    b"Minimize\n obj: x0 - 2 x1 + [ 3 x0*x1 ] / 2\nSubject To\n c0: x0 + x1 <= 1\n c1: i0 - x1 >= -2\n"
    b"Bounds\n 0 <= i0 <= 5\nBinary\n x0 x1\nGeneral\n i0\nEnd\n"
)


def _energies_are_finite_and_survive(bqm):
    zero = dict.fromkeys(bqm.variables, -1 if bqm.vartype is dimod.SPIN else 0)
    assert math.isfinite(bqm.energy(zero)) or max(map(abs, bqm.linear.values()), default=0) > 1e300


def coo(content, folder):
    (folder / "m.coo").write_bytes(content)
    bqm = read_coo(folder / "m.coo")
    _energies_are_finite_and_survive(bqm)
    (folder / "again.coo").write_text(coo_text(bqm))
    found = read_coo(folder / "again.coo")
    assert found.vartype is bqm.vartype
    assert found == bqm


def qubo(content, folder):
    (folder / "m.txt").write_bytes(content)
    bqm = read_qubo(folder / "m.txt")
    Q = np.zeros((bqm.num_variables,) * 2) if bqm.num_variables < 200 else None
    if Q is not None:
        for line in content.decode().split("\n")[1:]:
            words = line.split()
            if words and not line.startswith("#"):
                i, j, q = (int(word) for word in words)
                Q[i - 1, j - 1] = Q[j - 1, i - 1] = q
        ones = np.ones(len(Q))
        np.testing.assert_allclose(bqm.energy(dict(enumerate(ones))), ones @ Q @ ones, rtol=1e-9, atol=1e-6)


def lp(content, folder):
    (folder / "m.lp").write_bytes(content)
    cqm = read_lp(folder / "m.lp")
    assert cqm.variables
    assert all(math.isfinite(bias) for bias in cqm.objective.linear.values())


def model(content, folder):
    (folder / "m").write_bytes(content)
    problem = read_model(folder / "m")
    assert problem.num_variables > 0


# data sets ------------------------------------------------------------------------------------------------------------


def libsvm(content, folder):
    (folder / "a.txt").write_bytes(content)
    X, y = read_libsvm(folder / "a.txt", num_features=123)
    assert X.shape == (len(y), 123)
    assert np.isfinite(X.data).all()
    assert np.isfinite(y).all()
    assert X.has_canonical_format


def idx(content, folder):
    (folder / "a.idx").write_bytes(content)
    array = read_idx(folder / "a.idx")
    assert array.dtype.isnative
    assert array.ndim >= 1


@cache
def _idx_files():
    import gzip

    files = []
    for code, dtype, shape in ((8, ">u1", (3, 2, 2)), (0x0D, ">f4", (4,)), (0x0B, ">i2", (2, 3))):
        head = bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes()
        files.append(head + np.arange(math.prod(shape)).astype(dtype).tobytes())
    return (*files, gzip.compress(files[0], mtime=0))


@cache
def _pickles():
    onehot = np.eye(3, dtype=np.int32)
    matrix = sp.random(3, 4, 0.6, "csr", np.float32, random_state=0)
    return tuple(
        py2.whole(body) for body in (py2.array(onehot), py2.csr(matrix), py2.graph({0: [1, 2], 1: [0], 2: []}))
    )


def planetoid(content):
    found = read_pickle(content)
    assert sp.issparse(found) or isinstance(found, np.ndarray | dict)


@cache
def _npz_files():
    rng = np.random.default_rng(0)
    layer = LayerInstance("a", rng.choice([-1, 1], (4, 3)), rng.normal(size=(4, 2)), source="test", meta={"k": 1})
    import tempfile

    files = []
    with tempfile.TemporaryDirectory() as folder:
        files.append(save_instances(Path(folder) / "a.npz", [layer]).read_bytes())
    for arrays in (
        {"X": layer.X, "T": layer.T},
        {"weights": layer.X, "gain": layer.T[0], "status": np.array(["optimal"])},
    ):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        files.append(buffer.getvalue())
    return tuple(files)


def instances(content, folder):
    (folder / "a.npz").write_bytes(content)
    for layer in read_instances(folder / "a.npz"):
        assert np.isfinite(layer.X).all()
        assert np.isfinite(layer.T).all()
        assert len(layer.X) == len(layer.T)


def npz(content, folder):
    """The files of weights that ``qproj project --out`` writes, and every cache."""
    (folder / "w.npz").write_bytes(content)
    for array in read_npz(folder / "w.npz").values():
        assert not array.dtype.hasobject


def npy(content, folder):
    (folder / "X.npy").write_bytes(content)
    assert not read_npy(folder / "X.npy").dtype.hasobject


@cache
def _npy_files():
    files = []
    for array in (np.ones((3, 2)), np.ones(3, np.int8), np.asfortranarray(np.eye(3))):
        buffer = io.BytesIO()
        np.save(buffer, array)
        files.append(buffer.getvalue())
    huge = files[0].replace(b"(3, 2)", b"(99999999, 9999)")
    return (*files, huge)


# studies --------------------------------------------------------------------------------------------------------------

_TOML = (
    b'instances = ["digits"]\nsolvers = ["auto", "sa:num_sweeps=5"]\nreads = [10, "none"]\nseeds = 2\n'
    b'time_limits_s = 1.5\nencodings = ["margin"]\nnulls = true\nworkers = 1\ngrace_s = 2.0\nmax_neurons = 3\n'
)
_YAML = (
    b"instances: [digits, ../a.npz]\nsolvers:\n  - auto\n  - sa:num_sweeps=5\nreads: [10, none]\nseeds: 2\n"
    b"time_limits_s: 1.5\nworkers: 1\n"
)
_LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (97 + i, 97 + i, b",".join([b"*%c" % (96 + i)] * 9)) for i in range(1, 9)
)
_YAMLS = (_YAML, _LAUGHS + b"solvers: *i\ninstances: *i\n", b"solvers: &s [*s]\ninstances: *s\n", b"? [a]\n: b\n")
_WORDS = st.sampled_from([
    "instances", "solvers", "reads", "seeds", "auto", "sa", "digits", "none", "=", ":", "[", "]", '"', ",", "{", "}",
    "-", "&a", "*a", "!!python/object/apply:os.system", "<<", "1e999", "-1", "nan", "true", "2024-01-01", "\\u0000",
])  # fmt: skip


def _study(suffix):
    def target(content, folder):
        file = folder / f"study{suffix}"
        file.write_bytes(content)
        told = read_study_file(file)
        assert told.instances
        assert told.solvers
        assert all(name in ("digits",) or isinstance(name, str) for name in told.instances)

    return target


_PIECES = st.sampled_from([
    "sa", "auto", "polished(", "unmerged(", "refined(", ")", ":", ",", "=", "|", "num_sweeps", "encoding", "margin",
    "5", "encoding.kappa", "1.5", "none", "true", "..", " ", "é", "a=1|2|3|4|5|6|7|8|9",
])  # fmt: skip


def spec(text):
    for one in parse_solvers(text):
        assert parse_solvers(one.text)[0].text == one.text


@cache
def _store():
    import tempfile

    from qproj.lab.studies.study import Study

    rng = np.random.default_rng(0)
    layer = LayerInstance("a", rng.choice([-1, 1], (6, 5)), rng.normal(size=(6, 2)), source="test")
    with tempfile.TemporaryDirectory() as folder:
        Study(folder, [layer], ["sign", "random"], seeds=1, reads=[3], time_limits_s=[None]).run(workers=1)
        store = StudyStore(Path(folder))
        store.query("PRAGMA wal_checkpoint(TRUNCATE)")
        store.query("PRAGMA journal_mode = DELETE")
        store.close()
        return ((Path(folder) / FILE).read_bytes(),)


def store(content, folder):
    for file in folder.glob(f"{FILE}*"):
        file.unlink()
    (folder / FILE).write_bytes(content)
    try:
        found = Results.read(folder)
        assert len(found.lines) >= 0
    except OSError as error:
        raise ValueError(str(error)) from None


# checkpoints ----------------------------------------------------------------------------------------------------------


@cache
def _checkpoints():
    import torch

    from qproj.nn import BinaryLinear
    from qproj.optim import QPSBGD

    torch.manual_seed(0)
    net = BinaryLinear(5, 2)
    optimizer = QPSBGD(net, solver="sign", every=2)
    net(torch.ones(3, 5)).square().sum().backward()
    optimizer.step()
    files = []
    for value in ({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, {"step": 3, "list": [1.0, "a"]}):
        buffer = io.BytesIO()
        torch.save(value, buffer)
        files.append(buffer.getvalue())
    return tuple(files)


def checkpoint(content, folder):
    from qproj.lab.training.checkpoints import MAGIC, read_checkpoint

    # sealed again, so that the damage reaches torch's reader instead of being noticed by the digest
    seal = MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"
    (folder / "c.pt").write_bytes(seal + content)
    read_checkpoint(folder / "c.pt")


# ----------------------------------------------------------------------------------------------------------------------

#: name → (strategy of contents, target); strategies are made when they are asked for.
FILES = {
    "file: COO": (
        lambda: st.one_of(damaged(_COO), _lines(_numbers(), st.sampled_from(["#", "# vartype=BINARY"]))), coo,
    ),
    "file: QUBO text": (lambda: st.one_of(damaged(_QUBO), _lines(_numbers())), qubo),
    "file: LP": (lambda: damaged(_LP, _LP.replace(b"Minimize", b"maximize")), lp),
    "file: model by content": (lambda: damaged(_COO, _QUBO), model),
    "file: LIBSVM": (
        lambda: st.one_of(
            damaged(b"+1 1:1 3:0.5 # x\n-1 2:1 119:1\n"),
            _lines(_numbers(), st.tuples(_numbers(), _numbers()).map(":".join)),
        ),
        libsvm,
    ),
    "file: IDX": (lambda: damaged(*_idx_files()), idx),
    "file: Planetoid pickle": (lambda: damaged(*_pickles()), lambda content, folder: planetoid(content)),
    "file: layers npz": (lambda: damaged(*_npz_files()), instances),
    "file: weights npz": (lambda: damaged(*_npz_files()), npz),
    "file: npy": (lambda: damaged(*_npy_files()), npy),
    "file: study TOML": (
        lambda: st.one_of(damaged(_TOML), st.lists(_WORDS, max_size=12).map(" ".join).map(str.encode)), _study(".toml"),
    ),
    "file: study YAML": (
        lambda: st.one_of(damaged(*_YAMLS), st.lists(_WORDS, max_size=12).map(" ".join).map(str.encode)),
        _study(".yaml"),
    ),
    "text: solver spec": (
        lambda: st.lists(_PIECES, max_size=12).map("".join), lambda text, folder: spec(text),
    ),
    "file: study SQLite": (lambda: damaged(*_store()), store),
    "file: checkpoint": (lambda: damaged(*_checkpoints()), checkpoint),
}  # fmt: skip

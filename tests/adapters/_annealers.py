"""Shared by the annealers' tests: neurons, a small emulated machine, the real client's interface with faults."""

import dimod
import numpy as np
from dwave.samplers import SimulatedAnnealingSampler

import qproj
from qproj_dwave import DWave, DWaveEmulated, DWaveHybrid


def neuron(d=5, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return qproj.SignProjection(rng.choice([-1, 1], (n, d)), rng.normal(size=n))


def layer(d=3, dout=64, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], (n, d)), rng.normal(size=(n, dout))


def small(**options):
    return DWaveEmulated(**{"topology": "zephyr", "size": 3, "embedding_folder": None, **options})


def mock(**options):
    from dwave.system.testing import MockDWaveSampler

    return MockDWaveSampler(topology_type="zephyr", topology_shape=[2, 4], exact_solver_cutoff=0, **options)


def client(sampler=None, **options):
    return DWave(sampler=sampler or mock(), embedding_folder=None, **options)


class Standin:
    """A DWaveSampler with prescribed faults: each entry of `faults` is an exception, or None for an honest answer."""

    def __init__(self, faults=(), late=(), estimate=1000.0, answer=None):
        self.inner = mock()
        self.faults, self.late, self.answer = list(faults), list(late), answer
        self.properties, self.parameters = self.inner.properties, self.inner.parameters
        self.submitted = self.fetched = 0
        outer = self

        class Solver:
            def estimate_qpu_access_time(self, num_qubits, num_reads=1, **_):
                return estimate

        class Client:
            def retrieve_answer(self, known):
                outer.fetched += 1
                assert known == "id-1"
                if outer.late:
                    raise outer.late.pop(0)
                return type("Future", (), {"sampleset": outer.kept})()

        self.solver, self.client = Solver(), Client()

    def to_networkx_graph(self):
        return self.inner.to_networkx_graph()

    def sample(self, bqm, **options):
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException) and not isinstance(fault, Late):
            raise fault
        self.submitted += 1
        self.kept = self.inner.sample(bqm, **options)
        if self.answer is not None:
            self.kept = self.answer(self.kept)
        if isinstance(fault, Late):
            return Pending(fault)
        return self.kept


class Late(BaseException):
    """Asking for the answer fails with `error`; `known` is the id of what was accepted, None: it never arrived."""

    def __init__(self, error, known="id-1"):
        self.error, self.known = error, known


class Pending:
    def __init__(self, late):
        self.late, self.info = late, {}

    def resolve(self):
        raise self.late.error

    def wait_id(self, timeout=None):
        if self.late.known is None:
            raise TimeoutError("problem id not available yet")  # as the client does
        return self.late.known


class Hybrid:
    """Leap's hybrid samplers' interface: small models enumerated, larger ones annealed or given to CP-SAT."""

    def __init__(self, least=3.0):
        self.least = least

    def min_time_limit(self, model):
        return self.least

    def sample(self, bqm, label=None, time_limit=None):
        if bqm.num_variables > 16:
            return SimulatedAnnealingSampler().sample(bqm, num_reads=3)
        return dimod.ExactSolver().sample(bqm)

    def sample_cqm(self, cqm, label=None, time_limit=None):
        if len(cqm.variables) > 16:
            found = qproj.get_solver("cpsat").solve(cqm, time_limit_s=time_limit or 5.0).require()
            return dimod.SampleSet.from_samples_cqm(dict(zip(cqm.variables, found.best, strict=True)), cqm)
        return dimod.ExactCQMSolver().sample_cqm(cqm)


def hybrid(least=3.0):
    return DWaveHybrid(bqm_sampler=Hybrid(least), cqm_sampler=Hybrid(least))

"""A study's runs on a Dask cluster: the same batches in the same worker processes, one beside each Dask thread.

Rows are written by the process that holds the store, so a cluster worker that dies costs only the batch that it was
at, which goes to another.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from qproj._extras import install_hint
from qproj.lab.studies.environment import environment
from qproj.lab.studies.outcome import CRASHED, Outcome
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.worker import Task

#: Batches in flight for each thread of the cluster: one at work, one on its way.
AHEAD = 2
#: Seconds to wait for a scheduler, and then for its first worker.
CONNECT_S = 20.0
#: Seconds between looks at how large the cluster is now.
_LOOK_S = 5.0


class ClusterPool:
    """The worker pool's interface over a Dask cluster.

    Parameters
    ----------
    address : str or distributed.Client
        ``tcp://host:port`` of a scheduler; a client that is given is left open.
    grace_s : float
        A run is ended this long (or as long as its limit, if that is more) past its time limit.

    Raises
    ------
    ConnectionError
        No scheduler answers, or it has no worker.
    ValueError
        A worker has another version of qproj, or none.
    MissingPackageError
        ``distributed`` is not installed.
    """

    def __init__(self, address: Any, *, grace_s: float = 10.0) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            from qproj.solvers.contract import MissingPackageError

            raise MissingPackageError(f"distributed is not installed; {install_hint('dask')}") from error
        self.grace_s, self.token = grace_s, secrets.token_hex(8)
        self._own = isinstance(address, str)
        self._client: Any = _connect(Client, address) if self._own else address
        self._pending: dict[Any, Task] = {}
        try:
            self.machines = self._machines()
        except BaseException:
            self._close_client()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Threads of the cluster now; workers may join and leave during a study."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def run(self, next_task: Callable[[], Task | None]) -> Iterator[list[Outcome]]:
        """Yield outcomes batch by batch; `next_task` gives one more task, or None where there is none now.

        Ends when it gives None while nothing is in flight.
        """
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        while True:
            most = AHEAD * self.size
            while len(self._pending) < most:
                task = next_task()
                if task is None:
                    break
                future = self._client.submit(_solve_batch, task, self.grace_s, self.token, pure=False)
                self._pending[future] = task
                future.add_done_callback(ready.put)
            if not self._pending:
                return
            try:
                future = ready.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._client.status != "running":
                    raise ConnectionError(_GONE) from None
                continue
            yield self._outcomes(future, self._pending.pop(future))

    def _outcomes(self, future: Any, task: Task) -> list[Outcome]:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            outcomes: list[Outcome] = future.result()
        except KilledWorker as error:
            # The runs themselves cannot do this: they are in a process of their own.
            text = f"the cluster's workers died under it, time after time ({error.last_worker})"
            return [Outcome(run.key, CRASHED, text) for run in task.runs]
        except CancelledError as error:
            raise ConnectionError(_GONE) from error
        finally:
            future.release()
        return outcomes

    def _machines(self) -> list[dict[str, Any]]:
        """Return the environment of each kind of machine once; refuse a worker with another qproj."""
        ours = environment()
        try:
            found = self._client.run(environment)
        except Exception as error:
            raise ValueError(f"a worker of the cluster cannot import qproj ({error}); install it there too") from error
        for address, theirs in found.items():
            if (version := theirs["versions"].get("qproj")) != ours["versions"].get("qproj"):
                raise ValueError(
                    f"worker {address} has qproj {version}, this process {ours['versions'].get('qproj')}; install one "
                    "version everywhere"
                )
        own = ("command", "seeds")  # of the process, not of the machine
        kinds = Counter(
            json.dumps({name: value for name, value in theirs.items() if name not in own}) for theirs in found.values()
        )
        return [json.loads(kind) | {"workers": count} for kind, count in kinds.items()]

    def close(self) -> None:
        """End this study's processes on the cluster and disconnect from it."""
        if self._client.status == "running":
            self._client.cancel(list(self._pending))
            self._client.run(_end_study, self.token, on_error="ignore")  # a worker may just be dying
        self._pending.clear()
        self._close_client()

    def _close_client(self) -> None:
        if self._own:
            self._client.close()


_GONE = "the Dask cluster has gone; finished runs are kept: start it again and run the same command"


def _connect(client: Any, address: str) -> Any:
    try:
        made = client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with `dask scheduler` and give its tcp://host:port"
        ) from error
    try:
        made.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        made.close()
        raise ConnectionError(
            f"the scheduler at {address} has no worker; start some: `dask worker {address}`"
        ) from error
    return made


@dataclass
class _LocalPool:
    """A pool of one process beside one thread of a Dask worker, for one study at a time."""

    token: str
    pool: WorkerPool
    busy: threading.Lock = field(default_factory=threading.Lock)


#: By thread.
_pools: dict[int, _LocalPool] = {}
_ended_studies: set[str] = set()


def _solve_batch(task: Task, grace_s: float, token: str) -> list[Outcome]:
    """Do one batch beside this thread (on a Dask worker) and return its outcomes; `token` names the study."""
    thread = threading.get_ident()
    local = _pools.get(thread)
    if local is None or local.token != token:
        if local is not None:
            local.pool.close()
        local = _pools[thread] = _LocalPool(token, WorkerPool(1, grace_s=grace_s))
    tasks = [task]
    outcomes: list[Outcome] = []
    with local.busy:
        for group in local.pool.run(lambda: tasks.pop() if tasks else None):
            outcomes += group
            if token in _ended_studies:
                local.pool.close()
                raise RuntimeError("the study has ended")
    return outcomes


def _end_study(token: str) -> None:
    """End a study's processes on this Dask worker."""
    _ended_studies.add(token)
    for thread, local in list(_pools.items()):
        if local.token != token:
            continue
        if local.busy.acquire(blocking=False):
            try:
                local.pool.close()
                _pools.pop(thread, None)
            finally:
                local.busy.release()
        else:  # its own thread closes the pool when it finds the process dead
            local.pool.kill()

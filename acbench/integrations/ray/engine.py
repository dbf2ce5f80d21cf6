"""Gives parts of the work to the workers of a Ray cluster (Moritz et al. 2018, arXiv 1712.05889), through Ray Data.

The cluster is the one that RAY_ADDRESS names, and this machine has to be part of it; or it is on this machine and lasts
as long as the command. Workers need the same acbench, and the images under the same path or URL. What they compute
reaches the project's ledger through an actor beside it (`driver`), so nothing but the images has to be shared.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from acbench._util.cores import cores
from acbench._util.execution import R, SharedBudget, T, WorkerTask
from acbench._util.stdout import reserved_stdout
from acbench.errors import AcbenchError, HintedError
from acbench.integrations.ray.driver import Ask, Job, ProjectActor, Service, WorkerHome
from acbench.integrations.torch.runtime import threads
from acbench.predictors.llm.budget import Budget
from acbench.storage import tables

if TYPE_CHECKING:
    from ray.actor import ActorHandle

BLOCKS, MOST_BLOCKS = 32, 2_000
"""Blocks of parts for each worker, and in all: enough for workers to end together, few enough to be quick to make."""
AHEAD = 2
"""Blocks that a worker has at hand, with the one that it is doing."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Variables that are set unless they are: nothing is reported to Ray's makers, and Ray logs to its own files alone."""
_START = "start a cluster: ray start --head; or unset RAY_ADDRESS to work on this machine alone"


@dataclass(frozen=True, slots=True)
class _Pool:
    """The workers of one job."""

    size: int
    takes: dict[str, Any]
    """What of the cluster each worker takes, as arguments of Ray."""


@dataclass
class RayEngine:
    """The `Engine` of `acbench._util.execution` on Ray. A context manager: it leaves the cluster at the end."""

    ledger: Path
    """The project's, on this machine."""
    workers: int | None = None
    """None: one for each GPU, or else for each core."""
    _connected: bool = field(default=False, init=False)
    _reserved: ExitStack = field(default_factory=ExitStack, init=False)
    """Keeps stdout for results: Ray prints there what became of workers."""

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connected:
            import ray

            ray.shutdown()
        self._reserved.close()

    def map(
        self, task: WorkerTask[T, R], parts: Iterable[Sequence[T]], budget: SharedBudget | None = None
    ) -> Iterator[R]:
        with tempfile.TemporaryDirectory(prefix="acbench-parts-") as folder:
            table = Path(folder) / "parts.jsonl"
            offsets = tables.write_parts(table, parts)
            if len(offsets) > 1:
                yield from self._map(task, table, offsets, budget or Budget())

    def _map(self, task: WorkerTask[T, R], table: Path, offsets: list[int], budget: SharedBudget) -> Iterator[R]:
        self._connect()
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        count = len(offsets) - 1
        pool = self._pool(task, count)
        left = None if budget.limit is None else max(0.0, budget.limit - budget.spent)
        job = Job(ledger=self.ledger, table=table, offsets=offsets, task=task, workers=pool.size, budget=left)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        remote = ray.remote(ProjectActor).options(num_cpus=0, scheduling_strategy=here).remote(job)
        actor = cast("ActorHandle[ProjectActor]", remote)
        try:
            yield from _results(actor, pool, count)
        finally:
            try:
                budget.spent += _asker(actor)("budget", "spent")
                ray.kill(actor)
            except ray.exceptions.RayError:  # with the cluster gone nobody knows, so all of it counts as spent
                budget.spent += left or 0.0

    def _pool(self, task: WorkerTask[T, R], count: int) -> _Pool:
        """How many workers do `count` parts, and what each of them takes."""
        import ray

        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        processors, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
        takes: dict[str, Any] = {"num_cpus": 1}
        workers = min(self.workers or processors, processors)  # Ray would wait for room for more
        if task.uses_model and gpus:
            takes["num_gpus"] = 1
            workers = min(self.workers or gpus, gpus)
        elif task.uses_model:
            # The last bits of a vector depend on the number of threads, which has to be that of the local engine.
            blas = os.environ.get("OMP_NUM_THREADS") or str(cores())
            takes["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": blas, "OMP_WAIT_POLICY": "passive"}}
            workers = workers if self.workers else max(1, processors // threads())
        return _Pool(max(1, min(workers, task.max_workers or workers, count)), takes)

    def _connect(self) -> None:
        """Connect to the cluster, or start one. Raises AcbenchError."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise AcbenchError(
                f"--engine ray needs Ray Data, which is not installed: {error}", "pip install 'acbench[ray]'"
            ) from None
        address = os.environ.get("RAY_ADDRESS", "")
        _check_address(address)
        if not ray.is_initialized():
            own: dict[str, Any] = {"num_cpus": max(self.workers or 1, cores()), "include_dashboard": False}
            try:
                with _without_stderr():
                    ray.init(
                        address=address or "local",
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        **({} if address else own),
                    )
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                raise AcbenchError(
                    f"there is no Ray cluster at RAY_ADDRESS={address}: {error}"
                    if address
                    else f"Ray does not start on this machine: {error}",
                    _START,
                ) from None
            self._connected = True
            self._reserved.enter_context(reserved_stdout())
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)


def _results(actor: ActorHandle[ProjectActor], pool: _Pool, count: int) -> Iterator[Any]:
    """What comes of each of `count` parts. Raises AcbenchError, also for what goes wrong in a worker."""
    import ray

    class Worker:
        """Takes the actor from the scope around it: Ray does not restart a worker whose arguments are lost."""

        def __init__(self) -> None:
            self._worker = _Worker(_asker(actor))

        def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
            return self._worker.work(batch["part"])

    blocks = min(count, max(BLOCKS * pool.size, 1), MOST_BLOCKS)
    data = ray.data.from_items([{"part": part} for part in range(count)], override_num_blocks=blocks)
    strategy = ray.data.ActorPoolStrategy(size=pool.size, max_tasks_in_flight_per_actor=AHEAD)
    rows = data.map_batches(Worker, batch_size=1, compute=strategy, **pool.takes).iter_rows()
    try:
        for row in rows:
            result = pickle.loads(row["result"])  # noqa: S301  (made by a worker of this run, over Ray's own pickle)
            if isinstance(result, _Failure):
                raise AcbenchError(result.message, result.hint)
            yield result
    except ray.exceptions.RayError as error:
        raise AcbenchError(
            f"a worker of Ray failed: {' '.join(str(error).split())[-400:]}",
            "what was done is kept: run the same command again; Ray's own logs are in /tmp/ray/session_latest/logs",
        ) from None


def _check_address(address: str) -> None:
    """Raises AcbenchError for a RAY_ADDRESS that cannot be used, or where nobody answers."""
    if address.startswith("ray://"):
        raise AcbenchError(
            "RAY_ADDRESS names Ray's client port, which acbench cannot work through",
            "run acbench on a machine of the cluster, with RAY_ADDRESS=auto; or by: ray job submit",
        )
    host, _, port = address.rpartition(":")
    if port.isdigit() and not _answers(host, int(port)):  # Ray itself would try for minutes
        raise AcbenchError(f"nobody answers at RAY_ADDRESS={address}", _START)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError:
        return False
    return True


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Without what compiled code writes to stderr: Ray's says that it was asked to be quiet."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass(frozen=True)
class _Failure:
    """An error that ends the run, in place of a result."""

    message: str
    hint: str


class _Worker:
    """Does parts, in one actor of the pool."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._home: WorkerHome | None = None
        self._do_part: Callable[[Sequence[Any]], Any] | None = None

    def work(self, parts: Iterable[int]) -> dict[str, list[bytes]]:
        """The result of each part, as a batch of Ray Data."""
        return {"result": [pickle.dumps(self._result(int(part))) for part in parts]}

    def _result(self, part: int) -> Any:
        try:
            if self._home is None:
                self._home = WorkerHome(self._ask, self._ask("parts", "describe"))
            self._home.part = part
            if self._do_part is None:
                self._do_part = self._home.job.task.start(self._home)
            return self._do_part(self._ask("parts", "begin", part))
        except HintedError as error:
            return _Failure(error.message, error.hint)


def _asker(actor: ActorHandle[ProjectActor]) -> Ask:
    """Asks the project's actor. An AcbenchError there is raised here."""

    def ask(service: Service, method: str, *arguments: object) -> Any:
        import ray

        try:
            return ray.get(actor.ask.remote(service, method, *arguments))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, AcbenchError) else error) from None

    return ask

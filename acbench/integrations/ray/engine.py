"""Parts of the work done by workers of a Ray cluster (Moritz et al. 2018, arXiv 1712.05889), through Ray Data.

The cluster is the one that RAY_ADDRESS names, to be used from one of its machines, or one on this machine that lasts as
long as the command. Workers need this same acbench and the images under the same path or URL. What they compute reaches
the project's ledger through an actor beside it (`_ray_home`), so that nothing but the images has to be shared.
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
from typing import Any

from acbench._util.execution import R, SharedBudget, T, WorkerTask
from acbench.errors import AcbenchError, HintedError
from acbench.integrations.fiftyone import _stdout
from acbench.integrations.ray.driver import Keeper, RemoteHome
from acbench.integrations.torch.runtime import threads
from acbench.predictors.llm.budget import Budget
from acbench.storage import tables as store

BLOCKS, MOST_BLOCKS = 32, 2_000
"""Blocks of parts for each worker, and in all: enough for workers to end together, few enough to be made quickly."""
AHEAD = 2
"""Blocks that wait for a worker, the one that it does included."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is reported to Ray's makers, and Ray logs into its own files alone, unless these variables say otherwise."""


@dataclass
class RayEngine:
    """See `acbench._util.execution.Engine`. To be used as a context: it leaves the cluster at the end."""

    ledger: Path
    """The project's, on this machine."""
    workers: int | None = None
    """None: one for each GPU, or else for each core."""
    _connected: bool = field(default=False, init=False)
    _elsewhere: ExitStack = field(default_factory=ExitStack, init=False)
    """Keeps stdout for results: Ray prints there what became of workers."""

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connected:
            import ray

            ray.shutdown()
        self._elsewhere.close()

    def map(
        self, task: WorkerTask[T, R], parts: Iterable[Sequence[T]], budget: SharedBudget | None = None
    ) -> Iterator[R]:
        with tempfile.TemporaryDirectory(prefix="acbench-parts-") as folder:
            table = Path(folder) / "parts.jsonl"
            offsets = store.write_parts(table, parts)
            if len(offsets) > 1:
                yield from self._map(task, table, offsets, budget or Budget())

    def _map(self, task: WorkerTask[T, R], table: Path, offsets: list[int], budget: SharedBudget) -> Iterator[R]:
        count = len(offsets) - 1
        ray = self._connect()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here)
        size, takes = self._shape(ray, task, count)
        left = None if budget.limit is None else max(0.0, budget.limit - budget.spent)
        keeper = actor.remote(str(self.ledger), str(table), offsets, task, size, left)
        try:
            yield from self._results(ray, keeper, size, takes, count)
        finally:
            try:
                budget.spent += _asker(ray, keeper)("spent")
                ray.kill(keeper)
            except ray.exceptions.RayError:  # with the cluster gone nobody knows, so all of it counts as spent
                budget.spent += left or 0.0

    def _results(self, ray: Any, keeper: Any, size: int, takes: dict[str, Any], count: int) -> Iterator[Any]:
        class Worker:
            """Takes the keeper from the scope around it: Ray does not restart an actor whose arguments are lost."""

            def __init__(self) -> None:
                self._own = _Worker(_asker(ray, keeper))

            def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
                return self._own(batch)

        blocks = min(count, max(BLOCKS * size, 1), MOST_BLOCKS)
        data = ray.data.from_items([{"part": number} for number in range(count)], override_num_blocks=blocks)
        pool = ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=AHEAD)
        results = data.map_batches(Worker, batch_size=1, compute=pool, **takes).iter_rows()
        try:
            for row in results:
                value = pickle.loads(row["result"])  # noqa: S301  (made by a worker of this run, over Ray's own pickle)
                if isinstance(value, _Failure):
                    raise AcbenchError(value.message, value.hint)
                yield value
        except ray.exceptions.RayError as error:
            raise AcbenchError(
                f"a worker of Ray failed: {' '.join(str(error).split())[-400:]}",
                "what was done is kept: run the same command again; Ray's own logs are in /tmp/ray/session_latest/logs",
            ) from None

    def _shape(self, ray: Any, task: WorkerTask[T, R], count: int) -> tuple[int, dict[str, Any]]:
        """How many workers, and what each of them takes."""
        there = ray.cluster_resources()
        cores, gpus = int(there.get("CPU", 1)), int(there.get("GPU", 0))
        takes: dict[str, Any] = {"num_cpus": 1}
        workers = min(self.workers or cores, cores)  # Ray would wait for room for more
        if task.uses_model and gpus:
            takes["num_gpus"] = 1
            workers = min(self.workers or gpus, gpus)
        elif task.uses_model:
            # The last bits of a vector depend on the number of threads: they are to be those of the local engine.
            blas = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
            takes["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": blas, "OMP_WAIT_POLICY": "passive"}}
            workers = workers if self.workers else max(1, cores // threads())
        return max(1, min(workers, task.max_workers or workers, count)), takes

    def _connect(self) -> Any:
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
        if address.startswith("ray://"):
            raise AcbenchError(
                "RAY_ADDRESS names Ray's client port, which acbench cannot work through",
                "run acbench on a machine of the cluster, with RAY_ADDRESS=auto; or by: ray job submit",
            )
        host, _, port = address.rpartition(":")
        if port.isdigit() and not _answers(host, int(port)):  # Ray itself would try for minutes
            raise AcbenchError(f"nobody answers at RAY_ADDRESS={address}", _START)
        if not ray.is_initialized():
            own: dict[str, Any] = {"num_cpus": max(self.workers or 1, os.cpu_count() or 1), "include_dashboard": False}
            try:
                with _hushed():
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
            self._elsewhere.enter_context(_stdout.for_results())
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        return ray


_START = "start a cluster: ray start --head; or unset RAY_ADDRESS to work on this machine alone"


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError:
        return False
    return True


@contextmanager
def _hushed() -> Iterator[None]:
    """Without what compiled code says on stderr: Ray's says that it was told to be quiet."""
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
    """An error that ends the run."""

    message: str
    hint: str


class _Worker:
    """One actor of the pool."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self._work: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        results = [self._done(int(number)) for number in batch["part"]]
        return {"result": [pickle.dumps(each) for each in results]}

    def _done(self, number: int) -> Any:
        try:
            if self._work is None:
                task, workers, limit = self._ask("given")
                self._home = RemoteHome(self._ask, workers, limit)
                self._home.part = number
                self._work = task.start(self._home)
            self._home.part = number
            return self._work(self._ask("part", number))
        except HintedError as error:
            return _Failure(error.message, error.hint)


def _asker(ray: Any, keeper: Any) -> Any:
    def ask(method: str, *arguments: Any) -> Any:
        try:
            return ray.get(getattr(keeper, method).remote(*arguments))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, AcbenchError) else error) from None

    return ask

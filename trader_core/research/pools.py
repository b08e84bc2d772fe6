"""Where tasks run: processes of this machine, a Dask cluster, or a Ray cluster. The tasks cannot tell.

Every kind hands a dead worker's tasks to another one; a task that kills each worker it meets ends the study.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from threading import Thread
from time import sleep
from typing import Any

from trader_core.domain.errors import TraderError, UsageError
from trader_core.research.tasks import Batch, Outcome, Pool, run_batch

LOCAL = "local"  # processes, and beside a scheme: a cluster of this machine that lives as long as the command
HERE = "127.0.0.1"
ANY_PORT = f"{HERE}:0"  # of a page that nobody asks for
DEATHS_MAX = 3  # of workers under the same tasks
CONNECT_S = 5
LOOK_S = 1  # how often a local worker looks whether its command is still there
RAY_STORE_BYTES = 128 << 20  # outcomes are small, and a market is never sent
USAGE = "RAY_USAGE_STATS_ENABLED"  # what a study does is told to nobody


class WorkersLost(TraderError):
    """Workers die, and go on dying."""

    exit_code = 75


def lost() -> WorkersLost:
    return WorkersLost(
        f"workers died {DEATHS_MAX + 1} times under the same tasks",
        safe="what was finished is kept where --resume names a folder",
        remedy="free some memory or take fewer --jobs, then the same command again",
    )


@contextmanager
def opened(engine: str, jobs: int) -> Iterator[Pool]:
    """The workers that 'local', 'dask://HOST:PORT', 'dask://local', 'ray://HOST:PORT' or 'ray://local' means; `jobs`
    is how many this machine starts. Raises UsageError."""
    scheme, _, address = engine.rpartition("://")
    if (scheme, address) == ("", LOCAL):
        yield LocalPool(jobs)
    elif scheme == "dask" and address:
        with _dask(address, jobs) as pool:
            yield pool
    elif scheme == "ray" and address:
        with _ray(address, jobs) as ray:
            yield RayPool(ray)
    else:
        raise UsageError(f"--engine {engine} is not known", remedy="local, dask://HOST:PORT or ray://HOST:PORT")


def available_cores() -> int:
    return len(os.sched_getaffinity(0))


# --- processes of this machine ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LocalPool:
    """Processes that stay warm between calls."""

    workers: int

    def each(self, batches: Sequence[Batch]) -> Iterator[tuple[Outcome, ...]]:
        from joblib import Parallel, delayed

        left = dict(enumerate(batches))
        for _ in range(DEATHS_MAX + 1):
            work = Parallel(self.workers, return_as="generator_unordered", batch_size=1)
            try:
                for number, outcomes in work([delayed(_numbered)(os.getpid(), *one) for one in left.items()]):
                    del left[number]
                    yield outcomes
                return
            except BrokenProcessPool:
                continue
        raise lost()


def _numbered(command: int, number: int, batch: Batch) -> tuple[int, tuple[Outcome, ...]]:
    if os.getpid() != command:
        _bound_to(command)
    return number, run_batch(batch)


@cache
def _bound_to(command: int) -> None:
    """From now on this process ends with the command that started it: one that is killed can tell nobody."""

    def watch() -> None:
        while os.getppid() == command:
            sleep(LOOK_S)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


# --- Dask ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DaskPool:
    distributed: Any
    client: Any

    @property
    def workers(self) -> int:
        cores: dict[str, int] = self.client.nthreads()
        return max(1, sum(cores.values()))

    def each(self, batches: Sequence[Batch]) -> Iterator[tuple[Outcome, ...]]:
        as_completed, died = self.distributed.as_completed, self.distributed.scheduler.KilledWorker
        futures = self.client.map(run_batch, batches, pure=False)
        try:
            for _, outcomes in as_completed(futures, with_results=True):
                yield outcomes
        except died as often:
            raise lost() from often


@contextmanager
def _dask(address: str, jobs: int) -> Iterator[DaskPool]:
    try:
        import distributed as library
    except ModuleNotFoundError as absent:
        raise _without("dask") from absent
    distributed: Any = library
    if address == LOCAL:
        with (
            distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                host=HERE,
                dashboard_address=ANY_PORT,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield DaskPool(distributed, client)
        return
    try:
        client = distributed.Client(f"tcp://{address}", timeout=CONNECT_S)
    except OSError as silent:
        raise _silent("dask", address) from silent
    with client:
        yield DaskPool(distributed, client)


# --- Ray -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RayPool:
    ray: Any

    @property
    def workers(self) -> int:
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def each(self, batches: Sequence[Batch]) -> Iterator[tuple[Outcome, ...]]:
        work = self.ray.remote(max_retries=DEATHS_MAX)(run_batch)
        waiting = [work.remote(batch) for batch in batches]
        while waiting:
            done, waiting = self.ray.wait(waiting, num_returns=1)
            try:
                yield self.ray.get(done[0])
            except self.ray.exceptions.WorkerCrashedError as died:
                raise lost() from died
            except self.ray.exceptions.RayTaskError as failed:
                raise failed.cause from failed


@contextmanager
def _ray(address: str, jobs: int) -> Iterator[Any]:
    """A cluster that is started here listens to the network, whatever it is told, so it asks for a token that nobody
    else has."""
    alone = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)} if address == LOCAL else {}
    with _environment({USAGE: "0", **alone}):
        try:
            import ray
        except ModuleNotFoundError as absent:
            raise _without("ray") from absent
        where: dict[str, Any] = {"address": address}
        if address == LOCAL:
            where = {"address": LOCAL, "num_cpus": jobs, "include_dashboard": False, "_node_ip_address": HERE}
            where["object_store_memory"] = RAY_STORE_BYTES
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.CRITICAL)
        except ConnectionError as silent:
            raise _silent("ray", address) from silent
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _environment(words: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in words}
    os.environ.update(words)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _without(engine: str) -> UsageError:
    return UsageError(f"--engine {engine}:// needs an extra", remedy="pip install 'trader[research]'")


def _silent(engine: str, address: str) -> UsageError:
    return UsageError(f"no {engine} cluster answers at {address}", remedy=f"{engine}://local starts one here")

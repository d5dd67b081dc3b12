"""Tasks on a Ray cluster: whichever worker is free takes the next one."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from mjx_msk import MskError, Outcome, attempt

LOCAL = "local"
#: How often a task starts again after the process that did it died.
RETRIES = 2
#: Tasks handed out per core: one that runs, one that waits behind it.
AHEAD = 2
#: So often progress and Ctrl-C are looked at, and so long cancelled tasks may tidy up, s.
LOOK_S, TIDY_S = 0.5, 10.0


class RayEngine:
    """Does tasks on the cluster at ``address``, of ``RAY_ADDRESS``, or a local one of its own."""

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or LOCAL
        self.workers = workers
        if workers is not None and workers < 1:
            raise MskError("there must be a worker.", where="--engine-workers")

    def run(
        self,
        work: Callable[..., tuple[str, Any]],
        tasks: Sequence[Any],
        on_done: Callable[[Outcome], None],
        progress: Callable[[str], Any],
    ) -> None:
        """Do every task; ``on_done`` hears in this process of each as it ends.

        A task whose process dies is tried again; one that fails for good stops no other. When this
        is interrupted, what runs is cancelled.
        """
        with _connected(self.address, self.workers), progress(self.address) as on_stage:
            remote = ray.remote(max_retries=RETRIES)(_attempt_in).remote
            work_ref, waiting, done = ray.put(work), list(reversed(tasks)), 0
            running: dict[Any, Any] = {}
            try:
                while waiting or running:
                    while waiting and len(running) < self._room():
                        task = waiting.pop()
                        running[remote(os.getcwd(), work_ref, task)] = task
                    for ref in ray.wait(list(running), timeout=LOOK_S)[0]:
                        on_done(_outcome(ref, running.pop(ref)))
                        done += 1
                    on_stage(f"{done} of {len(tasks)}", done, len(tasks))
            finally:
                _cancel(list(running))

    def _room(self) -> int:
        """Return how many tasks may be handed out; more where the cluster has grown."""
        return self.workers or max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))


def _attempt_in(folder: str, work: Callable[..., tuple[str, Any]], task: Any) -> Outcome:
    """Do a task in a worker, where relative paths mean what they mean to the user."""
    with chdir(folder):
        return attempt(work, task)


def _outcome(ref: Any, task: Any) -> Outcome:
    """Return what came of a task that has ended; a lost worker and a bug are failures of it."""
    try:
        return ray.get(ref)
    except RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return Outcome(task.name, "failed", why=MskError(lines[-1].strip(), where=task.name))


def _cancel(running: list[Any]) -> None:
    """Stop tasks: first so that they remove what is half-written, then by force."""
    for force in (False, True):
        for ref in running:
            ray.cancel(ref, force=force)
        if running:
            running = ray.wait(running, num_returns=len(running), timeout=TIDY_S)[1]


@contextmanager
def _connected(address: str, workers: int | None) -> Iterator[None]:
    """Be connected to a cluster; one that this process is connected to already is used."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    size = {"num_cpus": workers, "include_dashboard": False} if address == LOCAL else {}
    try:
        with warnings.catch_warnings():
            # JAX warns of forks: those of Ray become other programs at once
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **size)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise MskError(
            f"no Ray cluster answers: {str(error).splitlines()[0]}",
            where=address,
            remedy="Check --engine-address and RAY_ADDRESS; `ray start --head` starts one.",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()

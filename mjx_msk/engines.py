"""Where the tasks of a long job run: here one after another, or on a cluster."""

import csv
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mjx_msk.errors import MskError, missing_extra
from mjx_msk.files import replacing
from mjx_msk.run import OnStage

#: Plugins offer engines under this group of entry points: each is called with ``address`` (of a
#: cluster, or None) and ``workers`` (tasks at a time, or None) and returns an ``Engine``.
GROUP = "mjx_msk.engines"
HERE = "here"  #: the name of the engine that needs no plugin
DONE, KEPT, FAILED = "done", "kept", "failed"
SUMMARY = "summary.csv"

#: ``work(*arguments, on_stage)`` returns ``DONE`` or ``KEPT`` and a value, or raises ``MskError``.
#: An importable function; arguments and value can be pickled.
Work = Callable[..., tuple[str, Any]]
Progress = Callable[[str], AbstractContextManager[OnStage]]  #: opens what shows a titled progress


class Task(NamedTuple):
    """One call of the work."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one task."""

    name: str  #: of the task
    state: str  #: ``DONE``, ``KEPT`` (an earlier result holds) or ``FAILED``
    seconds: float = 0.0
    worker: str = ""  #: host and process
    value: Any = None
    why: MskError | None = None  #: of a failure


class Engine(Protocol):
    """Does tasks, wherever it likes."""

    def run(
        self,
        work: Work,
        tasks: Sequence[Task],
        on_done: Callable[[Outcome], None],
        progress: Progress,
    ) -> None:
        """Do every task; ``on_done`` hears in this process of each, in the order of their ends.

        A task that fails stops no other. ``KeyboardInterrupt`` stops all of them.
        """


class Here:
    """Does one task after another in this process."""

    def run(
        self,
        work: Work,
        tasks: Sequence[Task],
        on_done: Callable[[Outcome], None],
        progress: Progress,
    ) -> None:
        """Do every task; an exception that is no ``MskError`` is a bug and ends the run."""
        for number, task in enumerate(tasks, start=1):
            with progress(task.name) as on_stage:
                on_stage(f"{number} of {len(tasks)}" if len(tasks) > 1 else "starting", 0, 0)
                outcome = attempt(work, task, on_stage)
            on_done(outcome)


def attempt(work: Work, task: Task, on_stage: OnStage = lambda *_: None) -> Outcome:
    """Do one task in this process, and say what came of it."""
    start = time.perf_counter()
    worker = f"{platform.node()}/{os.getpid()}"
    try:
        state, value = work(*task.arguments, on_stage)
    except MskError as why:
        return Outcome(task.name, FAILED, time.perf_counter() - start, worker, why=why)
    return Outcome(task.name, state, time.perf_counter() - start, worker, value)


def run_all(
    engine: Engine,
    work: Work,
    tasks: Sequence[Task],
    on_done: Callable[[Outcome], None],
    progress: Progress,
) -> list[Outcome]:
    """Do every task and return what came of them, without their values."""
    outcomes: list[Outcome] = []

    def take(outcome: Outcome) -> None:
        outcomes.append(replace(outcome, value=None))
        on_done(outcome)

    engine.run(work, tasks, take, progress)
    return outcomes


def find_engine(name: str, address: str | None = None, workers: int | None = None) -> Engine:
    """Return an engine by name; raises ``MskError`` where it is not installed."""
    if name == HERE:
        if address is not None or workers is not None:
            raise MskError(
                "there are no other machines and workers without an engine.",
                where="--engine",
                remedy="Name one, as in --engine ray.",
            )
        return Here()
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        raise MskError(
            f"there is no engine '{name}'; there are: {', '.join([HERE, *sorted(offered)])}.",
            where="--engine",
            remedy=f"If it belongs to mjx-msk: pip install 'mjx-msk[{name}]'",
        )
    try:
        make = offered[name].load()
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), name, f"--engine {name}") from error
    return make(address=address, workers=workers)


def write_summary(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a table (.csv): what came of each recording, in how many seconds, where and why."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["recording", "state", "seconds", "worker", "why"])
        for one in outcomes:
            seconds, why = f"{one.seconds:.1f}", str(one.why or "")
            rows.writerow([one.name, one.state, seconds, one.worker, why])

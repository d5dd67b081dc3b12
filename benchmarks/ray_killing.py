"""What the checks of ``--engine ray`` share: commands of mjx-msk, and a worker that is killed."""

import csv
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mjx_msk.cli import main as mjx_msk
from mjx_msk.engines import SUMMARY

AT_WORK_S = 8.0


def run(command: Sequence[str], out: Path) -> tuple[object, dict[str, str]]:
    """Run the command line in this process; return its exit code and the state of each recording.

    ``out`` is the folder of its results; recordings are called by their names without a suffix.
    """
    start, code = time.perf_counter(), None
    try:
        mjx_msk(command)
    except SystemExit as end:
        code = end.code
    print(f"exit code {code} after {time.perf_counter() - start:.0f} s", flush=True)
    with open(out / SUMMARY, encoding="utf-8", newline="") as file:
        return code, {Path(row["recording"]).stem: row["state"] for row in csv.DictReader(file)}


def kill_one_soon() -> list[int]:
    """Start to wait for a worker of ours that is at work for ``AT_WORK_S``, and kill it.

    The returned list holds its process id once it is dead. Linux only.
    """
    killed: list[int] = []
    threading.Thread(target=_kill_one, args=(killed,), daemon=True).start()
    return killed


def _kill_one(killed: list[int]) -> None:
    """Kill without a warning, as a machine that runs out of memory does."""
    seen: dict[int, float] = {}
    while not killed:
        time.sleep(0.5)
        for pid in _workers():
            if time.monotonic() - seen.setdefault(pid, time.monotonic()) > AT_WORK_S:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                print(f"worker {pid} is killed", file=sys.stderr, flush=True)
                return


def _workers() -> list[int]:
    """Return the processes below this one that are at a task."""
    parents, busy = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if (folder / "cmdline").read_bytes().startswith(b"ray::_attempt_in"):
                busy.append(int(folder.name))
        except OSError:  # it has ended
            continue

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [pid for pid in busy if ours(pid)]

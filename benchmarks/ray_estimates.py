"""Several marker trials estimated on a local Ray cluster, one of whose workers is killed.

    python benchmarks/ray_estimates.py FOLDER --trials DJ1 DJ4 -o OUT [--workers 2]

FOLDER holds NAME.trc and their model.osim, such as shared/data/motions/opencap/unfiltered. A broken
recording joins them. The first worker that is at work for some seconds is killed; then the same
command runs again and must keep every result. Linux only. Exits with 1 when it is not so.
"""

import argparse
import csv
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from mjx_msk.cli import main as mjx_msk
from mjx_msk.engines import SUMMARY

AT_WORK_S = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", nargs="+", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        recordings = Path(name)
        for trial in given.trials:
            shutil.copy(given.folder / f"{trial}.trc", recordings)
        (recordings / "broken.trc").write_bytes(b"PathFileType\t4\n")
        command = ["estimate", name, "--model", str(given.folder / "model.osim")]
        command += ["-o", str(given.out), "--engine", "ray", "--engine-workers", str(given.workers)]
        killed: list[int] = []
        threading.Thread(target=kill_one, args=(killed,), daemon=True).start()
        first, second = run(command, given.out), run(command, given.out)
    print(f"killed: {killed}")
    wanted = dict.fromkeys(given.trials, "done") | {"broken": "failed"}
    kept = {trial: "kept" if state == "done" else state for trial, state in wanted.items()}
    sys.exit(int(not killed or first != wanted or second != kept))


def run(command: list[str], out: Path) -> dict[str, str]:
    """Run the command line in this process; return the state of each recording."""
    start = time.perf_counter()
    try:
        mjx_msk(command)
    except SystemExit as end:
        print(f"exit code {end.code} after {time.perf_counter() - start:.0f} s", flush=True)
    with open(out / SUMMARY, encoding="utf-8", newline="") as file:
        return {Path(row["recording"]).stem: row["state"] for row in csv.DictReader(file)}


def kill_one(killed: list[int]) -> None:
    """Kill the first worker of ours that has been at work for a while, without a warning."""
    seen: dict[int, float] = {}
    while not killed:
        time.sleep(0.5)
        for pid in workers():
            if time.monotonic() - seen.setdefault(pid, time.monotonic()) > AT_WORK_S:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                print(f"worker {pid} is killed", file=sys.stderr, flush=True)
                return


def workers() -> list[int]:
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


if __name__ == "__main__":
    main()

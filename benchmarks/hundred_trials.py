"""A folder of a hundred trials evaluated, killed in the middle, and evaluated to the end.

    python benchmarks/hundred_trials.py [-o OUT] [--trials 100] [--methods networks loop]

The trials are a walk of ../shared/data, each with waves of its own added to the joint angles; one
file is cut off. The first run is killed (SIGKILL) when half of the trials are done; the same
command then runs again, and a third time when nothing is left to do. Exits with 1 where a trial is
lost, made twice or left out without a word.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from trials import DATA

from mjx_msk.osim.tables import Table, read_table, write_table

WALK = DATA / "motions/opencap/unfiltered"
TRIAL = "walking2_ik.mot"
BROKEN = "walk050"
#: Waves: size in deg, frequency in Hz at most.
SIZE_DEG, FASTEST_HZ = 1.5, 2.0
LONGEST_S = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=["networks", "loop"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        recordings = write_trials(Path(name) / "recordings", given.trials)
        out = given.out or Path(name) / "out"
        command = [
            sys.executable, "-m", "mjx_msk", "evaluate", "--root", str(recordings), "-o", str(out),
            "--virtual-camera", "0", "--longest-s", str(LONGEST_S), "--methods", *given.methods,
        ]  # fmt: skip
        killed = run(command, out, stop_at=given.trials // 2)
        ends = [run(command, out) for _ in range(2)]
    report("killed", *killed)
    for title, found in zip(("went on", "nothing left to do"), ends, strict=True):
        report(title, *found)
    sys.exit(int(not right(given.trials, killed[1], [text for *_, text in ends])))


def write_trials(folder: Path, count: int) -> Path:
    """Write a person's model and ``count`` walks, one of them cut off; returns the folder."""
    folder.mkdir()
    shutil.copy(WALK / "model.osim", folder)
    table = read_table(WALK / TRIAL)
    for number in range(count):
        write_table(folder / f"walk{number:03}_ik.mot", varied(table, number))
    broken = folder / f"{BROKEN}_ik.mot"
    if broken.is_file():
        broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    return folder


def varied(table: Table, seed: int) -> Table:
    """Return a motion with a wave added to every angle but the pelvis's."""
    rng = np.random.default_rng(seed)
    data, size = table.data.copy(), SIZE_DEG if table.in_degrees else np.deg2rad(SIZE_DEG)
    for i, name in enumerate(table.columns):
        if not name.startswith("pelvis"):
            frequency, phase = rng.uniform(0.3, FASTEST_HZ), rng.uniform(0, 2 * np.pi)
            wave = np.sin(2 * np.pi * frequency * table.time + phase)
            data[:, i] += size * rng.normal() * wave
    return replace(table, data=data)


def run(command: list[str], out: Path, stop_at: int | None = None) -> tuple[float, int, str]:
    """Run until the end or until ``stop_at`` trials are done; s, trials done, and what was said."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:  # a line a trial
            lines.append(line)
            if stop_at is not None and done(out) >= stop_at:
                process.kill()
                break
    return time.perf_counter() - start, done(out), "".join(lines)


def done(out: Path) -> int:
    return len(list((out / "trials").glob("*.json")))


def report(title: str, seconds: float, trials: int, text: str) -> None:
    lines = text.strip().splitlines()
    print(f"{title}: {seconds:.0f} s, {trials} trials done; {lines[-1]}")
    means = [line for line in lines if line.startswith("seconds_per_clip")]
    for line in [*means[:1], *(line for line in lines if line.startswith("mjx-msk:"))]:
        print(f"    {line}")


def right(count: int, before: int, texts: list[str]) -> bool:
    """Return whether the last two runs made and kept what they should."""
    said = [
        tuple(map(int, re.findall(r"(\d+) trials evaluated, (\d+) kept, (\d+) left out", text)[0]))
        for text in texts
    ]
    return said == [(count - before - 1, before, 1), (0, count - 1, 1)] and all(
        BROKEN in text for text in texts
    )


if __name__ == "__main__":
    main()

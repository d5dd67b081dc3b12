"""Trials prepared for training on a local Ray cluster, one of whose workers is killed.

    python benchmarks/ray_records.py FOLDER --trials DJ1 DJ2 walking1 -o OUT [--workers 2]

FOLDER holds one person's NAME.trc, NAME_ik.mot, NAME_grf.mot and model.osim, such as
shared/data/motions/opencap/expert1. A broken trial joins them. They are prepared with and without
Ray; the first worker that is at work for some seconds is killed. Both records must hold the same
numbers to the last bit, and the same command once more must do nothing. Linux only. Exits with 1
when it is not so.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from ray_killing import kill_one_soon, run

from mjx_msk.data.records import FRAME_FIELDS, INDEX, Records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", nargs="+", required=True)
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        copy(given.folder, given.trials, Path(name))
        on_ray, here = given.out / "ray", given.out / "here"
        command = ["data", "prepare", name, "--variants", str(given.variants)]
        ray = [*command, "-o", str(on_ray), "--engine", "ray"]
        ray += ["--engine-workers", str(given.workers)]
        killed = kill_one_soon()
        first = run(ray, on_ray)
        index = (on_ray / INDEX).read_bytes()
        second = run(ray, on_ray)
        untouched = (on_ray / INDEX).read_bytes() == index
        alone = run([*command, "-o", str(here)], here)
    clips = f"{len(Records(here))} clips"
    same = not (differing := differences(Records(on_ray), Records(here)))
    print(f"killed: {killed}; {clips} without Ray;", "the same" if same else differing, "with it")
    states = dict.fromkeys(given.trials, "done") | {"broken": "failed"}
    kept = dict.fromkeys(given.trials, "kept") | {"broken": "failed"}
    good = killed and first == alone == (0, states) and second == (0, kept) and untouched and same
    sys.exit(int(not good))


def copy(folder: Path, trials: list[str], root: Path) -> None:
    """Copy the files of trials and their model, and add a trial that cannot be read."""
    shutil.copy(folder / "model.osim", root)
    for trial in trials:
        for path in (folder / f"{trial}{end}" for end in (".trc", "_ik.mot", "_grf.mot")):
            if path.is_file():
                shutil.copy(path, root)
    (root / "broken.trc").write_bytes(b"this is broken\n")


def differences(left: Records, right: Records) -> list[str]:
    """Return what is not the same in two records, whatever the order in their shards."""
    clips = [{entry.name: (entry, clip) for entry, clip in zip(r.entries, r, strict=True)}
             for r in (left, right)]  # fmt: skip
    if clips[0].keys() != clips[1].keys():
        return sorted(clips[0].keys() ^ clips[1].keys())
    found = []
    for name, (entry, clip) in clips[0].items():
        other, twin = clips[1][name]
        for what in ("key", "sources", "facts", "log_segments"):
            if getattr(entry, what) != getattr(other, what):
                found.append(f"{name}: {what}")
        for what in FRAME_FIELDS:
            if not np.array_equal(getattr(clip, what), getattr(twin, what), equal_nan=True):
                found.append(f"{name}: {what}")
    return found


if __name__ == "__main__":
    main()

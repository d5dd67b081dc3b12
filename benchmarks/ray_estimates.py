"""Several recordings estimated on a local Ray cluster, one of whose workers is killed.

    python benchmarks/ray_estimates.py DJ1.trc DJ4.trc -o OUT --workers 2 --model model.osim
    python benchmarks/ray_estimates.py a.mp4 b.mp4 -o OUT --height 1.80 --mass 75
    python benchmarks/ray_estimates.py -o OUT         # two copies of the demo's video

What is not said here goes to ``mjx-msk estimate``. A broken recording joins them. The first worker
that is at work for some seconds is killed; then the same command runs again and must keep every
result. Linux only. Exits with 1 when it is not so.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from ray_killing import kill_one_soon, run

from mjx_msk import demo_video

#: No video, and no markers.
BROKEN = b"this is broken\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.recordings:
            copies = [Path(shutil.copy(path, folder)) for path in given.recordings]
        else:
            copies = [Path(shutil.copy(demo_video(), folder / f"demo{i}.mp4")) for i in (1, 2)]
            options += ["--height", "1.73", "--mass", "70"]
        (folder / f"broken{copies[0].suffix}").write_bytes(BROKEN)
        command = ["estimate", name, "-o", str(given.out), *options]
        command += ["--engine", "ray", "--engine-workers", str(given.workers)]
        killed = kill_one_soon()
        first, second = run(command, given.out), run(command, given.out)
    print(f"killed: {killed}")
    states = {path.stem: "done" for path in copies} | {"broken": "failed"}
    kept = {path.stem: "kept" for path in copies} | {"broken": "failed"}
    sys.exit(int(not killed or first != (2, states) or second != (2, kept)))


if __name__ == "__main__":
    main()

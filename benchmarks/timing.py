"""Wall time and memory of the command line: first run, second run, and a video of 10 s.

    python benchmarks/timing.py [--runs cold warm long weights]

The first run starts with an empty compilation cache (the demo video and the pose weights are
fetched before, the network is not measured). The long video is the demo's frames forward, backward
and forward again, 300 at 30 a second. Memory is the largest resident size of the process with the
processes it starts, sampled four times a second (Linux), else of the largest process. ``weights``
is how long a new process takes to check and load the shipped networks, the model apart. Exits with
1 when a bar is missed.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av

from mjx_msk.cache import demo_video
from mjx_msk.vision import video
from mjx_msk.vision.bundle import pose_model

#: Run -> seconds; and gigabytes for all of them.
BARS_S = {"cold": 180.0, "warm": 30.0, "long": 90.0, "weights": 2.0}
BAR_GB = 4.0
TITLES = {
    "cold": "demo, first run", "warm": "demo", "long": "10 s video", "weights": "networks loaded",
}  # fmt: skip
BODY = ("--height", "1.73", "--mass", "70")
LOADING = """
import resource, time
import jax
from flax import nnx
from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import Model
from mjx_msk.nets.shipped import shipped
model = Model.from_spec(generic_spec())
start, used = time.perf_counter(), time.process_time()
jax.block_until_ready([nnx.state(network) for network in shipped(model)])
print(time.perf_counter() - start, time.process_time() - used)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
"""


def main() -> None:
    """Print the table; exit with 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", choices=BARS_S, default=list(BARS_S))
    runs = parser.parse_args().runs
    missed = False
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    print("| run | wall time | bar | peak memory | bar | stages |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for run in runs:
            seconds, gigabytes, stages = measured(run, folder)
            missed |= seconds > BARS_S[run] or gigabytes > BAR_GB
            print(
                f"| {TITLES[run]} | {seconds:.1f} s | {BARS_S[run]:.0f} s | {gigabytes:.2f} GB "
                f"| {BAR_GB:.0f} GB | {stages} |",
                flush=True,
            )
    sys.exit(int(missed))


def measured(run: str, folder: Path) -> tuple[float, float, str]:
    """Return wall time (s), peak memory (GB) and the seconds of each stage of one of the runs."""
    if run == "weights":
        said = subprocess.run(
            [sys.executable, "-c", LOADING], capture_output=True, text=True, check=True
        ).stdout.split()
        seconds, busy, gigabytes = map(float, said)
        return seconds, gigabytes, f"of the processor {busy:.1f} s"
    pose_model()
    demo = demo_video()
    source = long_video(demo, folder / "long.mp4") if run == "long" else demo
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "xla")} if run == "cold" else {}
    return measure(source, folder / run, cache)


def measure(source: Path, out: Path, environment: dict[str, str]) -> tuple[float, float, str]:
    """Return wall time (s), peak memory (GB) and the seconds of each stage of one run."""
    command = [sys.executable, "-m", "mjx_msk", "estimate", source, *BODY, "-o", out]
    start = time.perf_counter()
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        said = process.communicate()[0]
    seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    lines = [line for line in said.splitlines() if line.startswith("Time: ")]
    stages = ", ".join(line.removeprefix("Time: ").strip() for line in lines)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    return seconds, peak[0] or largest, " ".join(stages.split())


def _watch(process: subprocess.Popen, peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], _resident_gb(process.pid))
        time.sleep(0.25)


def _resident_gb(pid: int) -> float:
    """Return the resident memory of a process and its descendants; 0 where /proc is absent."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    own = pages * resource.getpagesize() / 1e9
    return own + sum(_resident_gb(int(child)) for child in children)


def long_video(demo: Path, path: Path) -> Path:
    """Write the demo's frames forward, backward and forward again: 10 s at 30 frames a second."""
    images = [image for _, image in video.frames(demo)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in [*images, *images[::-1], *images]:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    main()

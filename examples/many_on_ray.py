"""Many recordings on a Ray cluster, from Python: what they have in common in one picture.

pip install -e '.[ray]'
python examples/many_on_ray.py                        # the demo's man, seen by four cameras
python examples/many_on_ray.py a.mp4 b.mp4 --height 1.80 --mass 75 --address auto

Without a script of your own: mjx-msk estimate VIDEOS/ --engine ray
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from mjx_msk_ray import RayEngine

import mjx_msk

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("recordings", nargs="*", type=Path, help="videos or .trc")
parser.add_argument("--height", type=float, default=1.73, help="m")
parser.add_argument("--mass", type=float, default=70.0, help="kg")
parser.add_argument("--address", help="of a cluster (default: one of this machine, for this run)")
parser.add_argument("--workers", type=int, default=2, help="recordings at a time")
parser.add_argument("-o", "--out", type=Path, default=Path("out/ray"))
given = parser.parse_args()


def curves(recording, out, options, on_stage):
    """Estimate a recording in whichever worker is free; only what is plotted is sent back."""
    result = mjx_msk.estimate(recording, out, options, on_stage)  # kept if complete already
    motion = result.motion
    knees = np.rad2deg(motion.q[:, [motion.index("knee_angle_r"), motion.index("knee_angle_l")]])
    seen = motion.time - motion.time[0], knees, motion.foot_force[..., 2]
    return "kept" if result.reused else "done", seen


def take(outcome):
    """Hear of each recording as it ends; one that fails stops no other."""
    print(f"{outcome.name}: {outcome.state}, {outcome.seconds:.0f} s, worker {outcome.worker}")
    if outcome.why:
        print(outcome.why, file=sys.stderr)
    else:
        found[outcome.name] = outcome.value


found = {}
options = mjx_msk.Options(height_m=given.height, mass_kg=given.mass)
try:
    recordings = given.recordings or [mjx_msk.demo_video(f"cam0{i}") for i in (1, 2, 3, 4)]
    tasks = [mjx_msk.Task(path.stem, (path, given.out / path.stem, options)) for path in recordings]
    engine = RayEngine(given.address, given.workers)
    engine.run(curves, tasks, take, lambda title: nullcontext(lambda *progress: None))
except mjx_msk.MskError as error:
    sys.exit(str(error))

figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
for name, (time, knees, forces) in sorted(found.items()):
    axes[0].plot(time, knees[:, 0], label=name)
    axes[1].plot(time, knees[:, 1])
    axes[2].plot(time, forces.sum(axis=1))
for axis, what in zip(axes, ("right knee, degrees", "left knee, degrees", "force, N"), strict=True):
    axis.set(xlabel="s", title=what)
axes[0].legend(fontsize="small")
figure.savefig(given.out / "knees.png", dpi=80)
print("picture:", given.out / "knees.png")
sys.exit(len(found) < len(tasks))

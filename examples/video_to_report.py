"""A video, or markers, to an OpenSim report: the demo's video, or your own.

python examples/video_to_report.py
python examples/video_to_report.py walk.mp4 --height 1.73 --mass 70
"""

import argparse
import sys
from pathlib import Path

import av
import numpy as np
from matplotlib import pyplot as plt

import mjx_msk

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("recording", nargs="?", type=Path, help="video or .trc")
parser.add_argument("--height", type=float, default=1.73, help="m")
parser.add_argument("--mass", type=float, default=70.0, help="kg")
given = parser.parse_args()
try:
    recording = given.recording or mjx_msk.demo_video()
    out = Path("out") / recording.stem
    options = mjx_msk.Options(height_m=given.height, mass_kg=given.mass)
    motion = mjx_msk.estimate(recording, out, options, lambda what, *_: print(what)).motion
except mjx_msk.MskError as error:
    sys.exit(str(error))

print("warnings:", motion.quality["warnings"] or "none")
print("for OpenSim:", *sorted(path.name for path in out.iterdir() if path.suffix != ".html"))
print("report:", (out / "report.html").resolve())

figure, axes = plt.subplot_mosaic(
    [["film", "angles"], ["film", "moments"], ["film", "forces"]],
    figsize=(12, 6), width_ratios=[1.2, 1], layout="constrained",
)  # fmt: skip
time = motion.time - motion.time[0]
if (out / "replay.mp4").exists():
    with av.open(out / "replay.mp4") as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    axes["film"].imshow(frames[len(frames) // 2])
axes["film"].axis("off")
for side, colour in (("r", "C0"), ("l", "C1")):
    for joint, style in (("hip_flexion", "-"), ("knee_angle", "--"), ("ankle_angle", ":")):
        column = motion.index(f"{joint}_{side}")
        look = {"linestyle": style, "color": colour, "label": f"{joint.split('_')[0]} {side}"}
        axes["angles"].plot(time, np.rad2deg(motion.q[:, column]), **look)
        axes["moments"].plot(time, motion.generalized_force[:, column] / given.mass, **look)
    force = motion.foot_force[:, motion.foot_names.index(side), 2]
    axes["forces"].plot(time, force, color=colour, label=f"foot {side}")
for name, unit in (("angles", "degrees"), ("moments", "N m/kg"), ("forces", "vertical, N")):
    axes[name].set(ylabel=unit)
    axes[name].legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
axes["forces"].set(xlabel="s")
figure.savefig(out / "curves.png", dpi=80)
print("picture:", out / "curves.png")

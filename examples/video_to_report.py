"""From a video to a report: the demo's, or your own.

python examples/video_to_report.py
python examples/video_to_report.py walk.mp4 1.73 70
"""

import sys
from pathlib import Path

import numpy as np

import mjx_msk
from mjx_msk.cache import demo_video

if len(sys.argv) > 1:
    video, height_m, mass_kg = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
else:
    video, height_m, mass_kg = demo_video(), 1.73, 70.0

out = Path("out") / video.stem
options = mjx_msk.Options(height_m=height_m, mass_kg=mass_kg)
motion = mjx_msk.estimate(video, out, options).motion

for joint in ("hip_flexion_r", "knee_angle_r", "ankle_angle_r"):
    column = motion.index(joint)
    angle = np.rad2deg(motion.q[:, column])
    moment = motion.generalized_force[:, column] / mass_kg
    print(
        f"{joint}: {angle.min():.0f} to {angle.max():.0f} degrees, "
        f"{moment.min():.2f} to {moment.max():.2f} N m/kg"
    )
print("warnings:", motion.quality["warnings"] or "none")
print("report:", (out / "report.html").resolve())

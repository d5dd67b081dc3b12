"""A reference motion for reinforcement learning: an estimate, on the floor, at 100 Hz.

python examples/reference_motion.py                 # the demo: the folder demo, made if need be
python examples/reference_motion.py WALK --loop 5   # a folder of mjx-msk estimate, its best cycle
"""

import argparse
import os
import sys
from pathlib import Path

if sys.platform == "linux":
    os.environ.setdefault("MUJOCO_GL", "osmesa")  # pictures without a screen: libosmesa6

import mujoco
import numpy as np
from PIL import Image

import mjx_msk

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", nargs="?", type=Path, help="of mjx-msk estimate (default: the demo)")
parser.add_argument("--loop", type=int, default=0, help="play the best cycle so many times")
parser.add_argument("-o", "--out", type=Path, default=Path("reference.npz"))
given = parser.parse_args()
folder = given.folder or Path("demo")
complete = all((folder / name).is_file() for name in ("motion.npz", "model.xml"))
if given.folder and not complete:
    sys.exit(f"{folder}: no finished estimate is here. Give a folder that mjx-msk estimate wrote.")
try:
    if not complete:
        options = mjx_msk.Options(height_m=1.73, mass_kg=70.0)
        mjx_msk.estimate(mjx_msk.demo_video(), folder, options)
    edits = mjx_msk.Edits(loop=given.loop, ground=True, rate=100.0)
    files = mjx_msk.export_motion(folder, "locomujoco", given.out, edits)
except mjx_msk.MskError as error:
    sys.exit(str(error))
print("Wrote", *files)

# From here on MuJoCo and numpy alone: LocoMuJoCo, MuscleMimic and MyoSuite 3 read these files.
motion = np.load(given.out, allow_pickle=False)
model = mujoco.MjModel.from_xml_path(str(given.out.with_suffix(".xml")))
data = mujoco.MjData(model)
qpos, rate = motion["qpos"], float(motion["frequency"])
print(f"{len(qpos)} frames at {rate:g} Hz: a free root and {model.njnt - 1} joints")

width, height = 260, 420
model.vis.global_.offwidth, model.vis.global_.offheight = width, height
camera, pictures = mujoco.MjvCamera(), []
camera.distance, camera.azimuth, camera.elevation = 3.1, 90.0, -8.0
with mujoco.Renderer(model, height, width) as renderer:
    for frame in np.linspace(0, len(qpos) - 1, 7).astype(int):
        data.qpos = qpos[frame]
        mujoco.mj_forward(model, data)
        camera.lookat[:] = *data.subtree_com[0, :2], 0.85
        renderer.update_scene(data, camera)
        pictures.append(renderer.render())
Image.fromarray(np.hstack(pictures)).save(given.out.with_suffix(".png"))
print("Wrote", given.out.with_suffix(".png"))

"""An OpenSim model in MuJoCo: compile it, load it without our code, look at its muscles.

pip install -e '.[opensim]'
python examples/osim_to_mujoco.py                               # the arm beside this file
python examples/osim_to_mujoco.py MODEL.osim -o model.xml
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
parser.add_argument("osim", nargs="?", type=Path, default=Path(__file__).with_name("arm.osim"))
parser.add_argument("-o", "--out", type=Path, default=Path("model.xml"), help="MJCF to write")
given = parser.parse_args()
try:
    spec = mjx_msk.compile_osim(given.osim)
except mjx_msk.MskError as error:
    sys.exit(str(error))
given.out.write_text(mjx_msk.to_xml(spec), encoding="utf-8")

model = mujoco.MjModel.from_xml_path(str(given.out))  # from here on MuJoCo alone
data = mujoco.MjData(model)
mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
data.act[:] = np.linspace(0.0, 1.0, model.na)  # blue: at rest, red: fully active
mujoco.mj_forward(model, data)
print(f"{model.nbody - 1} bodies, {model.nu} actuators, {model.body_mass.sum():.1f} kg")
for muscle in range(min(model.nu, 5)):
    length, force = data.actuator_length[muscle], -data.actuator_force[muscle]
    print(f"{model.actuator(muscle).name}: {1e3 * length:.1f} mm long, pulls with {force:.0f} N")
for note in spec.texts:
    if note.name.startswith("approximated/"):
        print(f"{note.name}: {note.data}")

width = model.vis.global_.offwidth = model.vis.global_.offheight = 700
option, camera, pictures = mujoco.MjvOption(), mujoco.MjvCamera(), []
mjx_msk.Playback.colour_muscles(model, option)
bones = model.geom_bodyid > 0
low = (data.geom_xpos - model.geom_rbound[:, None])[bones].min(axis=0)
high = (data.geom_xpos + model.geom_rbound[:, None])[bones].max(axis=0)
camera.lookat[:], camera.distance = (low + high) / 2, 1.4 * (high - low).max()
with mujoco.Renderer(model, width, width) as renderer:
    for camera.azimuth, camera.elevation in ((90, -5), (150, -10)):
        renderer.update_scene(data, camera, option)
        pictures.append(renderer.render())
Image.fromarray(np.hstack(pictures)).save(given.out.with_suffix(".png"))
print("Wrote", given.out, "and", given.out.with_suffix(".png"))

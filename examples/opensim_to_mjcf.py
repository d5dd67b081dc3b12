"""Compile an OpenSim model to MuJoCo and look at what came out; needs mjx-msk[opensim].

python examples/opensim_to_mjcf.py MODEL.osim model.xml
"""

import sys

import mujoco

import mjx_msk
from mjx_msk.compile import notes, write_xml

source, target = sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__)
try:
    spec = mjx_msk.compile_osim(source)
    write_xml(spec, target)
except mjx_msk.MskError as error:
    sys.exit(str(error))

model = mujoco.MjModel.from_xml_path(target)
print(f"{model.nbody - 1} bodies, {model.nu} actuators, {model.body_mass.sum():.1f} kg")
data = mujoco.MjData(model)
mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
mujoco.mj_forward(model, data)
for muscle in range(min(model.nu, 5)):
    print(f"{model.actuator(muscle).name}: {1e3 * data.actuator_length[muscle]:.1f} mm long")
for note in notes(spec):
    print(note)

"""Play a motion on its model in MuJoCo; needs mujoco and numpy, not mjx-msk.

mjx-msk demo
python examples/play_motion.py demo             # in a window
python examples/play_motion.py demo --no-window # say how the model carries the motion
"""

import sys
import time
from pathlib import Path

import mujoco
import numpy as np

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
model = mujoco.MjModel.from_xml_path(str(folder / "model.xml"))
data = mujoco.MjData(model)
motion = np.load(folder / "motion.npz", allow_pickle=False)
times, frames = motion["time"] - motion["time"][0], motion["qpos"]

if "--no-window" in sys.argv:
    for time_s, qpos in zip(times, frames, strict=True):
        data.qpos = qpos
        mujoco.mj_forward(model, data)
        height = data.subtree_com[0, 2]
        print(f"{time_s:.3f} s: center of mass {height:.3f} m high, {data.ncon} contacts")
    sys.exit()

from mujoco import viewer  # noqa: E402  (needs a screen)

with viewer.launch_passive(model, data) as window:
    start = time.time()
    while window.is_running():
        now = (time.time() - start) % times[-1]
        data.qpos = frames[np.searchsorted(times, now)]
        mujoco.mj_forward(model, data)
        window.sync()
        time.sleep(0.01)

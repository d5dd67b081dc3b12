"""mjlab's ``motion.npz`` for its tracking task.

The arrays are those of mjlab's ``csv_to_npz``: all bodies but the world, in MuJoCo's order, and
all joints but the root's. The names, which mjlab does not read, say which is which.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.compile import write_xml
from mjx_msk.export.playback import played_free
from mjx_msk.export.take import Take
from mjx_msk.files import replacing

#: Entries of qpos and qvel that belong to the free joint, which comes first.
_PLACE, _SPEED = 7, 6


def write(take: Take, path: Path) -> list[Path]:
    """Write the motion and its model with a free root (``.xml``); raises ``MskError``."""
    play, spec = played_free(take)
    model = path.with_suffix(".xml")
    write_xml(spec, model)
    mj = play.mj
    arrays = {
        "joint_pos": play.qpos[:, _PLACE:],
        "joint_vel": play.qvel[:, _SPEED:],
        "body_pos_w": play.xpos[:, 1:],
        "body_quat_w": play.xquat[:, 1:],
        "body_lin_vel_w": play.linear_velocity[:, 1:],
        "body_ang_vel_w": play.angular_velocity[:, 1:],
    }
    stored: dict[str, Any] = {name: values.astype(np.float32) for name, values in arrays.items()}
    stored["fps"] = np.array([take.motion.rate_hz])
    stored["joint_names"] = np.array([mj.joint(j).name for j in range(1, mj.njnt)], dtype=np.str_)
    stored["body_names"] = np.array([mj.body(b).name for b in range(1, mj.nbody)], dtype=np.str_)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **stored)
    return [path, model]

"""LocoMuJoCo's trajectory, which MuscleMimic and MyoSuite 3 read as well.

The names of the arrays are those of LocoMuJoCo 1.0 (``loco_mujoco/trajectory/dataclasses.py``),
which refuses names that it does not know: what it has no place for goes into a file beside it.
"""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from mjx_msk.compile import write_xml
from mjx_msk.export.playback import Played, played_free
from mjx_msk.export.take import Take
from mjx_msk.files import replacing

_DATA = ("qpos", "qvel", "xpos", "xquat", "cvel", "subtree_com", "site_xpos", "site_xmat")
_MODEL = (
    "njnt", "jnt_type", "nbody", "body_rootid", "body_weldid", "body_mocapid", "body_pos",
    "body_quat", "body_ipos", "body_iquat", "nsite", "site_bodyid", "site_pos", "site_quat",
)  # fmt: skip


def write(take: Take, path: Path) -> list[Path]:
    """Write the trajectory, its model with a free root (``.xml``) and the whole motion beside it.

    ``X.npz`` is the trajectory, ``X.xml`` the model, ``X_motion.npz`` holds forces, contacts and
    muscles (``Motion.load``). Raises ``MskError``.
    """
    play, spec = played_free(take)
    model, extras = path.with_suffix(".xml"), path.with_name(f"{path.stem}_motion.npz")
    write_xml(spec, model)
    take.motion.save(extras)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays(play, take.motion.rate_hz))
    return [path, model, extras]


def arrays(play: Played, rate_hz: float) -> dict[str, Any]:
    """Return the arrays of a trajectory: of the motion in float32, as LocoMuJoCo keeps them."""
    mj = play.mj
    found: dict[str, Any] = {name: getattr(play, name).astype(np.float32) for name in _DATA}
    found["split_points"] = np.array([0, len(play.qpos)])
    found |= {name: np.asarray(getattr(mj, name)) for name in _MODEL}
    found["joint_names"] = _names(mj, mujoco.mjtObj.mjOBJ_JOINT, mj.njnt)
    found["body_names"] = _names(mj, mujoco.mjtObj.mjOBJ_BODY, mj.nbody)
    found["site_names"] = _names(mj, mujoco.mjtObj.mjOBJ_SITE, mj.nsite)
    found["frequency"] = np.array(float(rate_hz))
    return found


def _names(mj: mujoco.MjModel, kind: mujoco.mjtObj, count: int) -> np.ndarray:
    return np.array([mujoco.mj_id2name(mj, kind, i) or "" for i in range(count)], dtype=np.str_)

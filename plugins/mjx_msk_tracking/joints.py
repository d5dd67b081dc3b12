"""The joints of a model: which move by themselves, which follow, and which are the root's."""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk import MskError
from mjx_msk_tracking.arrays import Array, put


class _Round(NamedTuple):
    """Tied joints that follow joints of earlier rounds."""

    joints: np.ndarray  #: (k,)
    drivers: np.ndarray  #: (k,)
    values: np.ndarray  #: (k, 5) ascending powers of the driver
    slopes: np.ndarray  #: (k, 4)


class Joints:
    """Index tables of a compiled model; raises ``MskError`` for free and ball joints.

    Hinges and slides only, so a joint's number is its place in ``qpos`` and in ``qvel``.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        scalar = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
        for j in range(model.njnt):
            if mujoco.mjtJoint(model.jnt_type[j]) not in scalar:
                raise MskError(
                    f"joint '{model.joint(j).name}' is neither a hinge nor a slide.",
                    remedy="Compile the model with --root coordinates.",
                )
        self.names = tuple(model.joint(j).name for j in range(model.njnt))
        ties = _ties(model)
        tied = ties.keys()
        self._held = {j: tie[0] for j, (driver, tie) in ties.items() if driver < 0}
        self._rounds = _rounds(ties)
        own = [j for j in range(model.njnt) if j not in tied]
        on_root = model.body_parentid[model.jnt_bodyid] == 0
        #: independent joints, root first; those of the root; all others
        self.independent = np.array(own)
        self.root = np.array([j for j in own if on_root[j]], dtype=int)
        self.inner = np.array([j for j in own if not on_root[j]], dtype=int)
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        slides = model.jnt_type[self.root] == int(mujoco.mjtJoint.mjJNT_SLIDE)
        upright = np.abs(data.xaxis[self.root, 2]) > 0.9
        #: the root's slides along the floor, the one upwards, and its hinges
        self.horizontal = self.root[slides & ~upright]
        self.vertical = self.root[slides & upright]
        self.turning = self.root[~slides]

    def follow(self, qpos: Array, qvel: Array) -> tuple[Array, Array]:
        """Return ``qpos`` and ``qvel`` (..., nq) with tied joints set from those they follow."""
        for joint, value in self._held.items():
            qpos, qvel = put(qpos, joint, value), put(qvel, joint, 0.0)
        for joints, drivers, values, slopes in self._rounds:
            powers = qpos[..., drivers, None] ** np.arange(5)
            qpos = put(qpos, joints, (powers * values).sum(axis=-1))
            speeds = (powers[..., :4] * slopes).sum(axis=-1) * qvel[..., drivers]
            qvel = put(qvel, joints, speeds)
        return qpos, qvel


def _ties(model: mujoco.MjModel) -> dict[int, tuple[int, np.ndarray]]:
    """Map each tied joint to the joint that it follows, -1 where it is held, and how (5,)."""
    return {
        int(model.eq_obj1id[e]): (int(model.eq_obj2id[e]), model.eq_data[e, :5].copy())
        for e in range(model.neq)
        if mujoco.mjtEq(model.eq_type[e]) == mujoco.mjtEq.mjEQ_JOINT
    }


def _rounds(ties: dict[int, tuple[int, np.ndarray]]) -> list[_Round]:
    found: list[_Round] = []
    waiting = {j for j, (driver, _) in ties.items() if driver >= 0}
    while waiting:
        ready = [j for j in sorted(waiting) if ties[j][0] not in waiting]
        values = np.array([ties[j][1] for j in ready])
        slopes = values[:, 1:] * np.arange(1, 5)
        found.append(_Round(np.array(ready), np.array([ties[j][0] for j in ready]), values, slopes))
        waiting -= set(ready)
    return found

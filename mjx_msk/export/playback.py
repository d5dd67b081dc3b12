"""A motion played on its model in MuJoCo's C engine: where every body and site is, and how fast."""

from typing import NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.free_root import ROOT, root_body, with_free_root
from mjx_msk.errors import MskError
from mjx_msk.export.take import Take


class Played(NamedTuple):
    """Where the bodies and sites of a model are along a motion; world axes, m, rad, s."""

    mj: mujoco.MjModel
    qpos: np.ndarray  #: (T, nq)
    qvel: np.ndarray  #: (T, nv)
    xpos: np.ndarray  #: (T, nbody, 3)
    xquat: np.ndarray  #: (T, nbody, 4) w x y z
    cvel: np.ndarray  #: (T, nbody, 6) turning; velocity of the tree's center of mass
    subtree_com: np.ndarray  #: (T, nbody, 3)
    site_xpos: np.ndarray  #: (T, nsite, 3)
    site_xmat: np.ndarray  #: (T, nsite, 9)

    @property
    def angular_velocity(self) -> np.ndarray:
        """Return the bodies' angular velocities (T, nbody, 3)."""
        return self.cvel[..., :3]

    @property
    def linear_velocity(self) -> np.ndarray:
        """Return the velocities (T, nbody, 3) of the origins of the bodies' frames."""
        arm = self.xpos - self.subtree_com[:, self.mj.body_rootid]
        return self.cvel[..., 3:] + np.cross(self.angular_velocity, arm)


def play(mj: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray) -> Played:
    """Return the kinematics of a motion ``qpos`` (T, nq), ``qvel`` (T, nv)."""
    data = mujoco.MjData(mj)
    found: dict[str, list[np.ndarray]] = {name: [] for name in Played._fields[3:]}
    for position, velocity in zip(qpos, qvel, strict=True):
        data.qpos[:], data.qvel[:] = position, velocity
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_comPos(mj, data)
        mujoco.mj_comVel(mj, data)
        for name, values in found.items():
            values.append(getattr(data, name).copy())
    return Played(mj, qpos, qvel, **{name: np.array(values) for name, values in found.items()})


def played(take: Take) -> Played:
    """Return the kinematics of a take on its own model."""
    return play(take.mj, take.motion.qpos, take.motion.qvel)


def played_free(take: Take) -> tuple[Played, mujoco.MjSpec]:
    """Return the kinematics of a take on its model with a free root, and that model.

    The free joint's speeds are MuJoCo's: velocity in world axes, angular velocity in the body's.
    Raises ``MskError`` where the model has no root that could be free, or has it not first.
    """
    own = played(take)
    root = root_body(take.mj)
    free = with_free_root(take.spec)
    mj = free.copy().compile()
    if mj.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise MskError(
            f"the root '{take.mj.body(root).name}' is not the model's first moving body.",
            remedy="Put it first in the model.",
        )
    frames = len(take.motion)
    qpos, qvel = np.empty((frames, mj.nq)), np.empty((frames, mj.nv))
    for j in range(mj.njnt):
        name, place, speed = mj.joint(j).name, mj.jnt_qposadr[j], mj.jnt_dofadr[j]
        if name == ROOT:
            turn = Rotation.from_quat(own.xquat[:, root], scalar_first=True)
            spin = turn.inv().apply(own.angular_velocity[:, root])
            qpos[:, place : place + 7] = np.hstack([own.xpos[:, root], _steady(own.xquat[:, root])])
            qvel[:, speed : speed + 6] = np.hstack([own.linear_velocity[:, root], spin])
        else:
            column = take.motion.joint_names.index(name)
            qpos[:, place] = take.motion.qpos[:, column]
            qvel[:, speed] = take.motion.qvel[:, column]
    return play(mj, qpos, qvel), free


def _steady(quaternions: np.ndarray) -> np.ndarray:
    """Return the same rotations (T, 4) without changes of sign from frame to frame."""
    turns = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0
    sign = np.where(np.cumsum(turns) % 2, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], sign])[:, None]

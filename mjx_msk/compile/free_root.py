"""A compiled model's root on a free joint, as most reinforcement learning wants it."""

import mujoco
import numpy as np

from mjx_msk.compile.writer import KEY, set_rest_pose
from mjx_msk.errors import MskError

#: The name of the free joint, as in LocoMuJoCo's and dm_control's models.
ROOT = "root"
_KINDS = sorted([int(mujoco.mjtJoint.mjJNT_SLIDE)] * 3 + [int(mujoco.mjtJoint.mjJNT_HINGE)] * 3)


def with_free_root(spec: mujoco.MjSpec) -> mujoco.MjSpec:
    """Return a compiled model with one free joint in place of its root's six coordinates.

    The bodies keep their frames and names, so that a pose of one model is a pose of the other: the
    free joint's position and quaternion are the root body's ``xpos`` and ``xquat``. The keyframe
    ``default`` is written again; actuators of the six coordinates go with them. Raises
    ``MskError`` where no body hangs from the ground by three slides and three hinges.
    """
    spec = spec.copy()
    mj = spec.compile()
    body = spec.body(mj.body(root_body(mj)).name)
    joints = list(body.joints)
    names = {joint.name for joint in joints}
    data = mujoco.MjData(mj)
    if mj.nkey:
        mujoco.mj_resetDataKeyframe(mj, data, 0)
    mujoco.mj_kinematics(mj, data)
    place = data.body(body.name)
    body.pos, body.quat = place.xpos.copy(), place.xquat.copy()
    texts = {text.name: text for text in spec.texts}
    own = [texts[f"default/{name}"] for name in names if f"default/{name}" in texts]
    moved = [a for a in spec.actuators if a.target in names]
    for item in [*spec.keys, *own, *moved, *joints]:
        spec.delete(item)
    body.add_freejoint(name=ROOT)
    set_rest_pose(spec, _defaults(spec))
    return spec


def root_body(mj: mujoco.MjModel) -> int:
    """Return the body that hangs from the ground by three slides and three hinges of its own.

    Raises ``MskError`` where there is none.
    """
    tied = {int(joint) for joint in mj.eq_obj1id[mj.eq_type == mujoco.mjtEq.mjEQ_JOINT]}
    for body in np.flatnonzero(mj.body_parentid == 0)[1:]:
        joints = mj.body_jntadr[body] + np.arange(mj.body_jntnum[body])
        if sorted(mj.jnt_type[joints]) == _KINDS and not tied & set(joints.tolist()):
            return int(body)
    raise MskError(
        "no body of this model moves freely: none has three translations and three rotations of "
        "its own.",
        remedy="Give a model with a pelvis that moves in six coordinates.",
    )


def _defaults(spec: mujoco.MjSpec) -> dict[str, float]:
    """Return the coordinates' default values, as the compiler noted them."""
    prefix = f"{KEY}/"
    return {
        text.name.removeprefix(prefix): float(text.data)
        for text in spec.texts
        if text.name.startswith(prefix)
    }

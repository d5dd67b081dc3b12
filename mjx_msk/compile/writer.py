"""MJCF out: the default pose, and numbers that keep their digits."""

import os
import xml.etree.ElementTree as ElementTree

import mujoco
import numpy as np

from mjx_msk.compile.following import follow
from mjx_msk.files import replacing

KEY = "default"
_TIE = mujoco.mjtEq.mjEQ_JOINT
_LIFTED = f"approximated/{KEY}"


def set_rest_pose(spec: mujoco.MjSpec, values: dict[str, float]) -> None:
    """Write the keyframe ``default``: coordinates at ``values`` (0 if absent), the rest follow.

    A model whose feet would lie under the floor is raised until they stand on it, as contact would
    shoot it into the air. The text ``approximated/default`` says by how much.
    """
    for key in [key for key in spec.keys if key.name == KEY]:
        spec.delete(key)
    spec.nkey = len(spec.keys)  # else empty keyframes take the place of those deleted
    model = spec.compile()
    qpos = model.qpos0.copy()
    for name, value in values.items():
        joint = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name)
        if joint >= 0:
            qpos[model.jnt_qposadr[joint]] = value
    qpos = follow(model, qpos)
    lift = _lift(model, qpos)
    spec.add_key(name=KEY, qpos=qpos + lift)
    for text in [text for text in spec.texts if text.name == _LIFTED]:
        spec.delete(text)
    if lift.any():
        words = f"its feet lay under the floor: it was raised by {np.abs(lift).max():.3f} m"
        spec.add_text(name=_LIFTED, data=words)


def _lift(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """Return what to add to ``qpos`` so that no sphere's center is under the floor, or zeros."""
    lift = np.zeros(model.nq)
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    feet = (model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE) & (model.geom_conaffinity == 1)
    bottoms = np.where(feet, data.geom_xpos[:, 2] - model.geom_size[:, 0], np.inf)
    lowest = int(bottoms.argmin())
    if not feet.any() or data.geom_xpos[lowest, 2] >= 0:
        return lift
    room = round(-float(bottoms[lowest]), 3)
    tied = {int(model.eq_obj1id[i]) for i in range(model.neq) if model.eq_type[i] == _TIE}
    root = model.body_rootid[model.geom_bodyid[lowest]]
    for joint in model.body_jntadr[root] + np.arange(model.body_jntnum[root]):
        address, up = model.jnt_qposadr[joint], data.xaxis[joint, 2]
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
            lift[address + 2] = room
        elif model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE and joint not in tied:
            lift[address] = room * np.sign(up) * (abs(up) > 1 - 1e-6)
    return lift


def to_xml(spec: mujoco.MjSpec) -> str:
    """Return the MJCF of a spec; the same spec always gives the same text.

    MuJoCo writes six digits. That is plenty for places, but masses and inertias are written again
    with all of theirs, as the full matrix that the source gave.
    """
    root = ElementTree.fromstring(spec.to_xml())
    for element in root.iter("body"):
        body = spec.body(element.get("name"))
        inertial = element.find("inertial")
        if inertial is not None and np.isfinite(body.fullinertia).all():
            inertial.attrib.clear()
            inertial.set("pos", _numbers(body.ipos))
            inertial.set("mass", _numbers([body.mass]))
            inertial.set("fullinertia", _numbers(body.fullinertia))
    for element in root.iter("texture"):
        if element.get("colorspace") == "auto":  # the default, which MuJoCo before 3.3 cannot read
            del element.attrib["colorspace"]
    for element in root.iter("text"):
        if element.text:  # MuJoCo writes quotes and ampersands in a way that it cannot read
            element.set("data", element.text)
            element.text = None
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def write_xml(spec: mujoco.MjSpec, path: str | os.PathLike[str]) -> None:
    """Write a spec as MJCF; raises ``MskError`` when the file cannot be written."""
    text = to_xml(spec)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _numbers(values: np.ndarray | list[float]) -> str:
    return " ".join(repr(float(value)) for value in values)

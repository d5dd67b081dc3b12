"""Soles on the floor: what a motion needs before contact can carry it.

Estimates from markers stand where the laboratory's floor is, not where the model's contact spheres
are, and hold the toes stiff, which then sink into the floor at push-off. Simulated contact would
shoot such a body into the air.
"""

import mujoco
import numpy as np

from mjx_msk_tracking.joints import Joints

CONTACT = "contact/"
#: Coordinates of the toes; negative is extension, toes up.
TOES = "mtp_angle"
_SMOOTH_S = 0.12  #: toes leave the floor within a frame or two
_SEARCH = 12  # halvings of the toes' range: 90 degrees to 0.02


def settle(model: mujoco.MjModel, joints: Joints, time: np.ndarray, qpos: np.ndarray) -> np.ndarray:
    """Return poses (T, nq) that stand on z = 0 with their toes above it.

    The root is shifted along the vertical, by the same for all frames: half of the time the lowest
    contact sphere behind the toes is above the floor, half of the time below. Then the toes are
    extended as little as keeps their spheres above the floor, smoothly. Without contact spheres,
    or an upright root slide, nothing changes.
    """
    qpos, data = qpos.copy(), mujoco.MjData(model)
    toes = [j for j in joints.inner if joints.names[j].startswith(TOES)]
    on_toes = {j: _spheres(model, int(model.jnt_bodyid[j])) for j in toes}
    behind = np.setdiff1d(_spheres(model), np.concatenate([[], *on_toes.values()]))
    if len(behind) and len(joints.vertical):
        lowest = [_bottom(model, data, q, behind.astype(int)) for q in qpos]
        qpos[:, joints.vertical[0]] -= np.median(lowest)
    for toe, spheres in on_toes.items():
        if len(spheres):
            angles = np.array([_lifted(model, data, q, toe, spheres) for q in qpos])
            qpos[:, toe] = _smooth(angles, time)
    return qpos


def _smooth(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return values (T,) averaged over ``_SMOOTH_S`` with the weights of a raised cosine."""
    half = round(_SMOOTH_S / 2 * (len(time) - 1) / (time[-1] - time[0]))
    weights = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def _spheres(model: mujoco.MjModel, body: int | None = None) -> np.ndarray:
    """Return the contact spheres of a body, or of all."""
    found = [
        g for g in range(model.ngeom)
        if model.geom(g).name.startswith(CONTACT)
        and mujoco.mjtGeom(model.geom_type[g]) == mujoco.mjtGeom.mjGEOM_SPHERE
        and body in (None, int(model.geom_bodyid[g]))
    ]  # fmt: skip
    return np.array(found, dtype=int)


def _bottom(
    model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray, spheres: np.ndarray
) -> float:
    """Return the height of the lowest point of spheres in a pose, m."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    return float(np.min(data.geom_xpos[spheres, 2] - model.geom_size[spheres, 0]))


def _lifted(
    model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray, toe: int, spheres: np.ndarray
) -> float:
    """Return the toe's angle nearest to that of the pose at which its spheres leave the floor."""
    pose = qpos.copy()
    if _bottom(model, data, pose, spheres) >= 0:
        return float(pose[toe])
    down, up = float(pose[toe]), min(float(model.jnt_range[toe, 0]), float(pose[toe]))
    for _ in range(_SEARCH):
        pose[toe] = (down + up) / 2
        if _bottom(model, data, pose, spheres) >= 0:
            up = pose[toe]
        else:
            down = pose[toe]
    return up

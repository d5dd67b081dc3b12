"""The pelvis's six coordinates as a rigid pose, whatever the source model's rotation order."""

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.errors import MskError
from mjx_msk.model import ROOT_COORDINATES, Model


def _sequence(model: Model) -> tuple[list[int], list[int], str, np.ndarray]:
    """Return the slide and hinge columns of ``q``, the hinges' Euler sequence and their signs.

    Raises ``MskError`` for models without three of each, such as planar ones.
    """
    rotational = model.layout.rotational[:ROOT_COORDINATES]
    slides = [i for i in range(ROOT_COORDINATES) if not rotational[i]]
    hinges = [i for i in range(ROOT_COORDINATES) if rotational[i]]
    if len(hinges) != 3:
        names = ", ".join(model.layout.coordinate_names[:ROOT_COORDINATES])
        raise MskError(
            f"the pelvis does not move by three slides and three turns: {names}",
            remedy="Take one whose first six coordinates are the pelvis's, such as the default.",
        )
    axes = np.asarray(model.mjx.jnt_axis)[[model.layout.independent[i] for i in hinges]]
    letters = "".join("XYZ"[int(np.argmax(np.abs(a)))] for a in axes)
    return slides, hinges, letters, np.sign(axes.sum(axis=1))


def _base(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed placement of the root joint in the world: rotation (3, 3), position."""
    w, x, y, z = np.asarray(model.mjx.body_quat[1], float)
    return Rotation.from_quat([x, y, z, w]).as_matrix(), np.asarray(model.mjx.body_pos[1], float)


def root_pose(model: Model, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pelvis's rotation (T, 3, 3) world_from_pelvis and position (T, 3), Z up, m."""
    slides, hinges, letters, signs = _sequence(model)
    base, origin = _base(model)
    rotation = Rotation.from_euler(letters, q[:, hinges] * signs).as_matrix()
    axes = np.asarray(model.mjx.jnt_axis)[[model.layout.independent[i] for i in slides]]
    return base @ rotation, origin + q[:, slides] @ axes @ base.T


def with_root_pose(
    model: Model, q: np.ndarray, rotation: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Return ``q`` (T, n) with the pelvis put at ``rotation`` (T, 3, 3), ``position`` (T, 3).

    Angles are unwrapped over time, so that turning around does not jump by a full turn.
    """
    slides, hinges, letters, signs = _sequence(model)
    base, origin = _base(model)
    angles = Rotation.from_matrix(base.T @ rotation).as_euler(letters) * signs
    axes = np.asarray(model.mjx.jnt_axis)[[model.layout.independent[i] for i in slides]]
    moved = np.array(q, float)
    moved[:, hinges] = np.unwrap(angles, axis=0)
    moved[:, slides] = (position - origin) @ base @ np.linalg.inv(axes)
    return moved


def turned(model: Model, q: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return the motion seen from another world: x -> turn @ x + shift."""
    rotation, position = root_pose(model, q)
    return with_root_pose(model, q, turn @ rotation, position @ turn.T + shift)


def shifted(model: Model, q: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return the motion moved by ``shift`` (3,) m."""
    return turned(model, q, np.eye(3), shift)


def root_wrench(model: Model, q: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the world force and the moment about the pelvis's origin (T, 3) behind ``tau`` (T, 6).

    A slide's generalized force is the force along its axis, a hinge's the moment about its axis.
    """
    slides, hinges, letters, signs = _sequence(model)
    base, _ = _base(model)
    slide_axes = np.asarray(model.mjx.jnt_axis)[[model.layout.independent[i] for i in slides]]
    force = tau[:, slides] @ np.linalg.inv(slide_axes @ base.T).T
    angles = q[:, hinges] * signs
    unit = np.eye(3)
    axes = []
    for k, letter in enumerate(letters):
        before = Rotation.identity(len(q))
        if k:
            before = Rotation.from_euler(letters[:k], angles[:, :k])
        axes.append(before.apply(unit["XYZ".index(letter)]) @ base.T * signs[k])
    A = np.stack(axes, axis=1)
    return force, np.linalg.solve(A, tau[:, hinges, None])[..., 0]

"""What can be done to a motion before it is written: cut, mirror, ground, resample.

Pure functions from take to take (``export.cycles`` has the loops). What follows from the
coordinates is computed anew; what an edit makes unknown becomes absent. Every edit is noted in
``provenance["edits"]``.
"""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from scipy.interpolate import BPoly

from mjx_msk.compile.free_root import root_body
from mjx_msk.data.augment import MIRROR, mirror_table, other_side
from mjx_msk.errors import MskError
from mjx_msk.export.take import Take
from mjx_msk.model import CONTACT_PREFIXES
from mjx_msk.motion import Motion

#: What belongs to the video that a motion comes from.
UNSEEN: dict[str, Any] = {"landmark_pixels": None, "landmark_visibility": None, "camera": {}}
#: Rates that a motion may be resampled to, Hz.
_RATES_HZ = (1.0, 10000.0)
#: A mirrored body further than this from its counterpart's mirror image is another body, m.
_ASYMMETRY_M = 0.03
_LINEAR = (
    "generalized_force", "foot_force", "foot_cop", "foot_moment", "activation", "muscle_force",
    "reserve", "joint_force", "confidence", "q_std", "landmark_pixels", "landmark_visibility",
)  # fmt: skip
_FEET = ("foot_force", "foot_cop", "foot_moment")


def noted(take: Take, words: str) -> Take:
    """Return the take with a note of what was done to it."""
    provenance = take.motion.provenance
    return take.replace(provenance=provenance | {"edits": [*provenance.get("edits", []), words]})


def cut(take: Take, start: float | None, end: float | None) -> Take:
    """Return the frames between two times of the motion, s; raises ``MskError`` if none is left."""
    first, last = float(take.motion.time[0]), float(take.motion.time[-1])
    start, end = (first if start is None else start), (last if end is None else end)
    kept = take.motion.slice_time(start - 1e-9, end + 1e-9)
    if len(kept) < 2:
        raise MskError(
            f"there are not two frames between {start:g} and {end:g} s.",
            remedy=f"The motion reaches from {first:g} to {last:g} s.",
        )
    return noted(Take(kept, take.spec), f"cut to {start:g} ... {end:g} s")


def grounded(take: Take) -> Take:
    """Return the take raised or lowered as a whole until its lowest sole point is at z = 0.

    The centers of pressure stay where they are, on the floor. Raises ``MskError`` for a model
    without contact spheres at its feet or without a root that can be raised.
    """
    mj, motion = take.mj, take.motion
    soles = [g for g in range(mj.ngeom) if mj.geom(g).name.startswith(CONTACT_PREFIXES)]
    if not soles:
        raise MskError(
            "the model has no contact spheres at its feet, so that its soles are unknown.",
            remedy="Leave out --ground.",
        )
    lowest = (take.places("geom_xpos", soles)[..., 2] - mj.geom_size[soles, 0]).min()
    shift = np.array([0.0, 0.0, -lowest])
    camera = dict(motion.camera)
    if "translation_m" in camera:  # x_camera = R x_world + t sees the shifted person as before
        turned = np.asarray(camera["rotation_camera_from_world"]) @ shift
        camera["translation_m"] = (np.asarray(camera["translation_m"]) - turned).tolist()
    q = motion.q + shift_of_coordinates(take, shift)
    moved = take.moving(q, motion.qd, motion.qdd, camera=camera)
    return noted(moved, f"raised by {shift[2]:.4f} m, onto the ground")


def slide_axes(take: Take) -> tuple[list[int], np.ndarray]:
    """Return the columns of ``q`` that shift the root, and their axes (3, 3) in the world.

    Raises ``MskError`` where the model has no root with six coordinates.
    """
    mj, root = take.mj, root_body(take.mj)
    joints = mj.body_jntadr[root] + np.arange(mj.body_jntnum[root])
    slides = [int(j) for j in joints if mj.jnt_type[j] == mujoco.mjtJoint.mjJNT_SLIDE]
    axes = np.empty((3, 3))
    for axis, joint in zip(axes, slides, strict=True):
        mujoco.mju_rotVecQuat(axis, mj.jnt_axis[joint], mj.body_quat[root])
    return [take.motion.index(mj.joint(j).name) for j in slides], axes


def shift_of_coordinates(take: Take, shift: np.ndarray) -> np.ndarray:
    """Return how the coordinates (..., n) change when everything moves by ``shift`` (..., 3) m."""
    columns, axes = slide_axes(take)
    change = np.zeros((*shift.shape[:-1], len(take.motion.coordinate_names)))
    change[..., columns] = shift @ np.linalg.inv(axes)
    return change


def mirrored(take: Take) -> Take:
    """Return the take in a mirror that stands in the world's x-z plane: left becomes right.

    Moments and muscles change sides as well; the video is left behind. Raises ``MskError`` where
    the model is not as symmetric as the default one.
    """
    motion = take.motion
    try:
        source, sign = mirror_table(motion.coordinate_names)
        muscles = [motion.muscle_names.index(other_side(name)) for name in motion.muscle_names]
        joints = [motion.loaded_joint_names.index(other_side(n)) for n in motion.loaded_joint_names]
    except (KeyError, ValueError) as error:
        raise MskError(
            f"the model has something on one side only ({error}).", remedy="Leave out --mirror."
        ) from error
    feet = slice(None, None, -1)
    changes: dict[str, Any] = {
        "generalized_force": _taken(motion.generalized_force, source, sign),
        "reserve": _taken(motion.reserve, source, sign),
        "confidence": _taken(motion.confidence, source),
        "q_std": _taken(motion.q_std, source),
        "foot_force": _taken(motion.foot_force, feet, MIRROR),
        "foot_cop": _taken(motion.foot_cop, feet, MIRROR),
        "foot_moment": _taken(motion.foot_moment, feet, -MIRROR),
        "contact": _taken(motion.contact, feet),
        "activation": _taken(motion.activation, muscles),
        "muscle_force": _taken(motion.muscle_force, muscles),
        # in the axes of bones, z points to the right on either side
        "joint_force": _taken(motion.joint_force, joints, np.array([1.0, 1.0, -1.0])),
    }
    q, qd, qdd = (values[:, source] * sign for values in (motion.q, motion.qd, motion.qdd))
    moved = take.moving(q, qd, qdd, **changes, **UNSEEN)
    _check_symmetry(take, moved)
    return noted(moved, "mirrored: left is right")


def _taken(values: np.ndarray | None, order: Any, sign: Any = None) -> np.ndarray | None:
    """Return the second axis in another order, and signs applied; None stays None."""
    if values is None:
        return None
    return values[:, order] if sign is None else values[:, order] * sign


def _check_symmetry(take: Take, moved: Take) -> None:
    """Raise ``MskError`` unless each body is where its counterpart's mirror image is."""
    mj = take.mj
    names = [mj.body(b).name for b in range(1, mj.nbody) if "/" not in mj.body(b).name]
    before = take.places("xpos", [mj.body(n).id for n in names])
    after = moved.places("xpos", [mj.body(other_side(n)).id for n in names])
    error = np.linalg.norm(after - before * MIRROR, axis=-1).max(axis=0)
    if error.max() > _ASYMMETRY_M:
        raise MskError(
            f"the model is not symmetric: mirrored, '{names[int(error.argmax())]}' is "
            f"{1e3 * error.max():.0f} mm from where it belongs.",
            remedy="Leave out --mirror.",
        )


def resampled(take: Take, rate_hz: float) -> Take:
    """Return the take at an even rate, from its first frame on.

    Coordinates go through their values, velocities and accelerations at the frames (quintic
    Hermite), forces and all else on straight lines, contact to the nearest frame, and a foot's
    forces as well where it touches down or lifts off. Unlike ``report.playback.sampled``, speeds
    and accelerations stay the derivatives of the coordinates, and what follows from these is
    computed by the model: others will differentiate and simulate the file. Raises ``MskError`` for
    a rate that nothing is played at.
    """
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise MskError(
            f"a rate of {rate_hz:g} Hz is implausible.", where="--rate", remedy="Give it in Hz."
        )
    motion, old = take.motion, take.motion.time
    frames = int(np.floor((old[-1] - old[0]) * rate_hz + 1e-6)) + 1
    time = old[0] + np.arange(frames) / rate_hz
    inside = np.minimum(time, old[-1])
    curve = BPoly.from_derivatives(old, np.stack([motion.q, motion.qd, motion.qdd], axis=1))
    place = _between(old, inside)
    held = _edges(motion, place)
    changes: dict[str, Any] = {
        name: _on_lines(getattr(motion, name), place, held if name in _FEET else None)
        for name in _LINEAR
    }
    if motion.contact is not None:
        changes["contact"] = _nearer(motion.contact, place)
    found = curve(inside), curve.derivative(1)(inside), curve.derivative(2)(inside)
    empty = take.replace(**{name: None for name in (*_LINEAR, "contact")})
    return noted(empty.moving(*found, time=time, **changes), f"resampled to {rate_hz:g} Hz")


class _Place(NamedTuple):
    """Where new times lie between old frames."""

    before: np.ndarray  #: (S,) frame before
    share: np.ndarray  #: (S,) 0..1 of the way to the frame after


def _between(old: np.ndarray, new: np.ndarray) -> _Place:
    before = np.clip(np.searchsorted(old, new, side="right") - 1, 0, len(old) - 2)
    share = (new - old[before]) / (old[before + 1] - old[before])
    return _Place(before, np.round(share, 9))  # halves are halves, whatever the last digit


def _nearer(values: np.ndarray, place: _Place) -> np.ndarray:
    """Return the values (S, ...) of the nearer frames; in the middle, of the earlier ones."""
    return values[place.before + (place.share > 0.5)]


def _on_lines(
    values: np.ndarray | None, place: _Place, held: np.ndarray | None = None
) -> np.ndarray | None:
    """Return values (S, ...) between frames; beside a NaN, and where ``held``, the nearer one's."""
    if values is None:
        return None
    a, b = values[place.before], values[place.before + 1]
    line = a + place.share.reshape(-1, *[1] * (values.ndim - 1)) * (b - a)
    keep = ~np.isfinite(line) if held is None else ~np.isfinite(line) | held
    return np.where(keep, _nearer(values, place), line)


def _edges(motion: Motion, place: _Place) -> np.ndarray | None:
    """Return where (S, feet, 1) a foot is loaded in one of two frames only.

    A force there has a center of pressure in one of them, so that all of it is taken from one.
    """
    if motion.foot_cop is None:
        return None
    loaded = np.isfinite(motion.foot_cop).all(axis=2)
    return (loaded[place.before] != loaded[place.before + 1])[..., None]

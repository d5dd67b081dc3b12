"""Where the soles are along a motion, and when they touch the floor."""

import numpy as np

from mjx_msk.fit.contact import floor_level, touching
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.model import Model

#: Markers say where feet are better than a video, so that what might push is nearer to what stands.
_PUSH_GENEROSITY = 1.4
#: A floor further off than this is no error of calibration, but stairs or a jump, m.
_FLOOR_ERROR_M = 0.05


def sole_touch(
    model: Model, q: np.ndarray, dt: float, treadmill_m_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how surely each sole point stands on the floor z = 0, and how likely it can push.

    Both are (T, c) in 0..1. A treadmill's belt runs against where the person faces. Soles are
    judged relative to where they rest, which is a few millimetres off the floor: markers sit on
    shoes, and their laboratory's floor has its own calibration.
    """
    p = places(model, q)
    facing = root_pose(model, q)[0][:, :2, 0].mean(axis=0)
    belt = -treadmill_m_s * facing / max(float(np.linalg.norm(facing)), 1e-9)
    radius = np.asarray(model.contact_radius)
    level = floor_level(p.soles, radius, dt)
    level = level if abs(level) < _FLOOR_ERROR_M else 0.0
    seen = (p.soles - [0.0, 0.0, level], radius, dt, belt, p.center)
    return touching(*seen), touching(*seen, generosity=_PUSH_GENEROSITY)


def sole_middles(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the middle of the right and of the left sole, (T, 2, 3) m."""
    centres = places(model, q).soles
    feet = np.array(model.layout.contact_feet)
    return np.stack([centres[:, feet == foot].mean(axis=1) for foot in (0, 1)], axis=1)

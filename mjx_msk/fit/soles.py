"""Where the soles are along a motion, and when they touch the floor."""

import numpy as np

from mjx_msk.fit.contact import floor_level, touching
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.model import Model

#: Markers say how high feet are better than how fast: filters smear touchdown over some frames,
#: so that what might push is faster than what stands, but no higher.
_PUSH_SLOW_M_S = 1.1
#: A floor further off than this is no error of calibration, but stairs or a jump, m.
_FLOOR_ERROR_M = 0.05
#: Two feet's floors differ by less than this, or one foot never stood, m.
_FEET_DIFFER_M = 0.02


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
    level = sole_levels(p.soles, radius, np.array(model.layout.contact_feet), dt)
    resting = p.soles - level[:, None] * [0.0, 0.0, 1.0]
    seen = (resting, radius, dt, belt, p.center)
    return touching(*seen), touching(*seen, slow_m_s=_PUSH_SLOW_M_S)


def sole_levels(soles: np.ndarray, radius: np.ndarray, feet: np.ndarray, dt: float) -> np.ndarray:
    """Return how high (c,) m each sphere of ``soles`` (T, c, 3) is over the floor where it rests.

    Feet have their own levels, as markers sit on each differently; ``feet`` (c,) names them.
    """
    common = floor_level(soles, radius, dt)
    if abs(common) > _FLOOR_ERROR_M:
        return np.zeros(len(radius))
    levels = np.full(len(radius), common)
    for foot in (0, 1):
        own = feet == foot
        if own.any():
            level = floor_level(soles[:, own], radius[own], dt)
            levels[own] = level if abs(level - common) < _FEET_DIFFER_M else common
    return levels


def sole_middles(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the middle of the right and of the left sole, (T, 2, 3) m."""
    centres = places(model, q).soles
    feet = np.array(model.layout.contact_feet)
    return np.stack([centres[:, feet == foot].mean(axis=1) for foot in (0, 1)], axis=1)

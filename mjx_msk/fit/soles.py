"""Where the soles are along a motion, and when they touch the floor."""

import numpy as np

from mjx_msk.fit.contact import PUSH_GENEROSITY, touching
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.model import Model


def sole_touch(
    model: Model, q: np.ndarray, dt: float, treadmill_m_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how surely each sole point stands on the floor z = 0, and how likely it can push.

    Both are (T, c) in 0..1. A treadmill's belt runs against where the person faces.
    """
    p = places(model, q)
    facing = root_pose(model, q)[0][:, :2, 0].mean(axis=0)
    belt = -treadmill_m_s * facing / max(float(np.linalg.norm(facing)), 1e-9)
    seen = (p.soles, np.asarray(model.contact_radius), dt, belt, p.center)
    return touching(*seen), touching(*seen, generosity=PUSH_GENEROSITY)


def sole_middles(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the middle of the right and of the left sole, (T, 2, 3) m."""
    centres = places(model, q).soles
    feet = np.array(model.layout.contact_feet)
    return np.stack([centres[:, feet == foot].mean(axis=1) for foot in (0, 1)], axis=1)

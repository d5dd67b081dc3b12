"""The ground under a recorded motion: a belt that ran becomes a floor that stood."""

import numpy as np

from mjx_msk.fit.contact import floor_level
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose, with_root_pose
from mjx_msk.model import Model

#: A foot on the ground is at most this much higher than the lowest soles of the trial, m.
_LOW_M = 0.03
#: Standing feet that move slower than this stand on a floor: filters smear a step, m/s.
_BELT_M_S = 0.35
#: A belt runs steadily: its speed varies less than this share.
_STEADY = 0.25
#: A floor further off than this is no error of calibration, but a step or a box, m.
_FLOOR_ERROR_M = 0.08


def belt_velocity(model: Model, time: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the velocity (2,) m/s of the ground under standing feet; 0 for a floor.

    The median velocity of each frame's lowest sole point, among the frames where it is low.
    """
    if len(q) < 3:
        return np.zeros(2)
    soles = places(model, q).soles
    bottom = soles[..., 2] - np.asarray(model.contact_radius)
    lowest, rows = np.argmin(bottom, axis=1), np.arange(len(q))
    height = bottom[rows, lowest]
    velocity = np.gradient(soles[..., :2], time, axis=0)[rows, lowest]
    low = height < np.quantile(height, 0.2) + _LOW_M
    ground = np.median(velocity[low], axis=0)
    speed = float(np.linalg.norm(ground))
    spread = float(np.median(np.linalg.norm(velocity[low] - ground, axis=1)))
    return ground if speed > _BELT_M_S and spread < _STEADY * speed else np.zeros(2)


def floor_offset(model: Model, time: np.ndarray, q: np.ndarray) -> float:
    """Return how far the soles' floor lies above z = 0, m; 0 where there is more than one floor."""
    dt = float(time[-1] - time[0]) / max(len(time) - 1, 1)
    level = floor_level(places(model, q).soles, np.asarray(model.contact_radius), dt)
    return level if abs(level) < _FLOOR_ERROR_M else 0.0


def shifted_over_time(model: Model, q: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return the motion with its pelvis moved by ``shift`` (T, 3) m."""
    rotation, position = root_pose(model, q)
    return with_root_pose(model, q, rotation, position + shift)

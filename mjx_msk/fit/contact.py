"""Which sole points touch the floor, judged from a motion alone."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.special import expit

#: A point nearer to the floor than this may touch it, m.
NEAR_M = 0.035
#: A point slower than this may stand, m/s.
SLOW_M_S = 0.5
#: Where a foot might push the limits are this much wider than where it surely stands.
PUSH_GENEROSITY = 1.8
#: Shortest stance that is believed, s.
SHORTEST_S = 0.08
#: The center of mass's acceleration is averaged over this long, s.
_SMOOTH_S = 0.04
_GRAVITY = 9.81


def touching(
    position: np.ndarray,
    radius: np.ndarray,
    dt: float,
    travel_m_s: np.ndarray,
    center: np.ndarray,
    *,
    generosity: float = 1.0,
    slow_m_s: float = SLOW_M_S,
) -> np.ndarray:
    """Return how surely each contact sphere touches the floor, (T, c) in 0..1.

    ``position`` (T, c, 3) are sphere centres over the floor z = 0, ``radius`` (c,),
    ``travel_m_s`` (2,) the velocity of the ground (a treadmill's belt) and ``center`` (T, 3) the
    center of mass. A sphere touches when it is both low and at rest relative to the ground. Who
    does not fall is carried: where no sphere seems to touch but the center of mass is not in free
    fall, the lowest and slowest ones are believed. Flickers shorter than ``SHORTEST_S`` go.
    ``generosity`` widens the limits: whatever might push, rather than what surely stands; below
    about ``slow_m_s`` a point counts as at rest.
    """
    near, slow = NEAR_M * generosity, slow_m_s * generosity
    height = position[..., 2] - radius
    if len(position) < 3:
        return expit((near - height) / 0.008)
    speed = np.linalg.norm(np.gradient(position[..., :2], dt, axis=0) - travel_m_s, axis=-1)
    certainty = expit((near - height) / 0.008) * expit((slow - speed) / 0.08)
    reluctance = np.maximum(height, 0.0) / near + speed / slow
    likely = np.exp(2.0 * (reluctance.min(axis=1, keepdims=True) - reluctance))
    doubt = 1.0 - certainty.max(axis=1, keepdims=True)
    certainty = np.maximum(certainty, doubt * carried(center, dt)[:, None] * likely)
    certainty[[0, -1]] = certainty[[1, -2]]  # one-sided velocities say too little
    window = 2 * round(SHORTEST_S / dt / 2) + 1
    return median_filter(certainty, size=(window, 1), mode="nearest")


def carried(center: np.ndarray, dt: float) -> np.ndarray:
    """Return the share of body weight that something must carry, (T,) in 0..1.

    0 in free fall; from the vertical acceleration of the center of mass ``center`` (T, 3).
    """
    height = gaussian_filter1d(center[:, 2], _SMOOTH_S / dt, mode="nearest")
    acceleration = np.gradient(np.gradient(height, dt), dt)
    return np.clip(1.0 + acceleration / _GRAVITY, 0.0, 1.0)


def floor_level(position: np.ndarray, radius: np.ndarray, dt: float) -> float:
    """Return the height of the floor under a motion whose floor is unknown, m.

    The median height of each frame's lowest sole point among the frames where it is slowest:
    a standing foot is still and low, and the median forgives a bad frame.
    """
    bottom = position[..., 2] - radius
    lowest = np.argmin(bottom, axis=1)
    rows = np.arange(len(position))
    if len(position) < 2:
        return float(bottom[rows, lowest].min())
    speed = np.linalg.norm(np.gradient(position, dt, axis=0), axis=-1)[rows, lowest]
    still = speed <= np.quantile(speed, 0.5)
    return float(np.median(bottom[rows, lowest][still]))

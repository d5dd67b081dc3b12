"""Which sole points touch the floor, judged from a motion alone."""

import numpy as np
from scipy.ndimage import median_filter
from scipy.special import expit

#: A point nearer to the floor than this may touch it, m.
NEAR_M = 0.035
#: A point slower than this may stand, m/s.
SLOW_M_S = 0.5
#: Shortest stance that is believed, s.
SHORTEST_S = 0.08


def touching(
    position: np.ndarray, radius: np.ndarray, dt: float, travel_m_s: np.ndarray
) -> np.ndarray:
    """Return how surely each contact sphere touches the floor, (T, c) in 0..1.

    ``position`` (T, c, 3) are sphere centres over the floor z = 0, ``radius`` (c,), and
    ``travel_m_s`` (2,) the velocity of the ground (a treadmill's belt). A sphere touches when it
    is both low and at rest relative to the ground; flickers shorter than ``SHORTEST_S`` go.
    """
    if len(position) < 2:
        return expit((NEAR_M - (position[..., 2] - radius)) / 0.008)
    velocity = np.gradient(position[..., :2], dt, axis=0) - travel_m_s
    speed = np.linalg.norm(velocity, axis=-1)
    height = position[..., 2] - radius
    certainty = expit((NEAR_M - height) / 0.008) * expit((SLOW_M_S - speed) / 0.08)
    window = 2 * round(SHORTEST_S / dt / 2) + 1
    return median_filter(certainty, size=(window, 1), mode="nearest")


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

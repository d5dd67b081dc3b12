"""One cycle of a periodic motion, found and closed."""

import numpy as np

from mjx_msk import MskError

SHORTEST_S = 0.5
#: A cycle whose ends differ by more of the motion's own spread than this is none.
OPEN_END = 0.5


def find_cycle(time: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> tuple[int, int]:
    """Return the first and last frame of the stretch whose ends are most alike.

    ``qpos`` and ``qvel`` (T, k) are what should repeat. Each of the two is measured in units of its
    overall spread over time, so that small movements count little. Raises ``MskError`` where
    nothing repeats.
    """
    apart = np.sqrt((_apart(qpos) + _apart(qvel)) / 2)
    apart[time[None] - time[:, None] < SHORTEST_S] = np.inf
    first, last = np.unravel_index(apart.argmin(), apart.shape)
    if not apart[first, last] < OPEN_END:
        raise MskError(
            f"the motion does not repeat itself within its {time[-1] - time[0]:.2f} s.",
            remedy="Use loop=False, or a recording with a whole cycle.",
        )
    return int(first), int(last)


def _apart(values: np.ndarray) -> np.ndarray:
    """Return the squared distance of each frame to each (T, T), 1 if they differ by the spread."""
    spread = max(float(np.sum(np.var(values, axis=0))), 1e-12)  # at rest all frames are alike
    return np.sum((values[:, None] - values[None]) ** 2, axis=-1) / spread


def close(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return values (T, k) whose last row equals the first: the gap is shared out over time."""
    share = (time - time[0]) / (time[-1] - time[0]) - 0.5
    return values - share[:, None] * (values[-1] - values[0])

"""Short windows that cover a clip: the networks were trained on such.

Windows overlap by half and are blended, each weighted towards its middle, so that there is no seam.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

#: Windows as in training: so many frames about so far apart, s.
FRAMES, STEP_S = 40, 1.0 / 30.0
#: Windows go through a network in groups of this many: one compiled shape.
GROUP = 8


def strided(count: int, dt: float) -> np.ndarray:
    """Return the frames of a clip, ``dt`` s apart, that a network looks at."""
    return np.arange(0, count, max(1, round(STEP_S / dt)))


def windows_of(count: int) -> list[np.ndarray]:
    """Return the frames of each window: half of each is shared with the next."""
    last = max(count - FRAMES, 0)
    starts = sorted({*range(0, last, FRAMES // 2), last})
    return [np.arange(s, min(s + FRAMES, count)) for s in starts]


def padded(window: np.ndarray) -> np.ndarray:
    """Return a window's frames, the last one repeated, at the length of all windows."""
    return window[np.minimum(np.arange(FRAMES), len(window) - 1)]


def in_groups(run: Callable[[list[np.ndarray]], Any], windows: list[np.ndarray]) -> Any:
    """Return what ``run`` says of every window: arrays (W, FRAMES, ...); it is given ``GROUP``."""
    answers = []
    for start in range(0, len(windows), GROUP):
        group = windows[start : start + GROUP]
        group += [group[0]] * (GROUP - len(group))
        answers.append(jax.tree.map(np.asarray, run(group)))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(windows)], *answers)


def blended(windows: list[np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return the windows' values (W, FRAMES, ...) as one sequence (T, ...)."""
    total = np.zeros(windows[-1][-1] + 1)
    sums = np.zeros((len(total), *values.shape[2:]))
    across = (-1, *[1] * (values.ndim - 2))
    for window, value in zip(windows, np.asarray(values, float), strict=True):
        inside = np.arange(len(window)) + 0.5
        weight = np.minimum(inside, len(window) - inside)
        total[window] += weight
        sums[window] += weight.reshape(across) * value[: len(window)]
    return sums / total.reshape(across)

"""Which way is down, judged from the person: people stand and walk upright on the whole."""

import numpy as np

#: How far a person's long axis, averaged over a clip, leans from the vertical, rad.
_LEAN_SPREAD = np.deg2rad(8.0)
#: How far hand-held and tripod cameras are pitched from the horizontal, rad.
_PITCH_SPREAD = np.deg2rad(12.0)


def gravity_from_person(
    metric: np.ndarray, weight: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Return the unit vector pointing down in camera axes (x right, y down, z away).

    ``metric`` (T, L, 3) m and ``weight`` (T, L) are the landmarks ``names``. The mean direction
    from the shoulders to the ankles is weighed against a level camera, each by its usual spread.
    """
    column = {name: i for i, name in enumerate(names)}

    def middle(part: str) -> tuple[np.ndarray, np.ndarray]:
        pair = [column[f"right_{part}"], column[f"left_{part}"]]
        return np.nan_to_num(metric[:, pair]).mean(axis=1), weight[:, pair].min(axis=1)

    shoulders, seen_above = middle("shoulder")
    ankles, seen_below = middle("ankle")
    axis = ankles - shoulders
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    share = (seen_above * seen_below)[:, None]
    level = np.array([0.0, 1.0, 0.0])
    if share.sum() < 1e-6:
        return level
    person = np.sum(share * axis / np.maximum(length, 1e-6), axis=0) / share.sum()
    down = person / _LEAN_SPREAD**2 + level / _PITCH_SPREAD**2
    return down / np.linalg.norm(down)

"""Which way is down, judged from the person: people stand and walk upright on the whole."""

from typing import Any

import numpy as np

#: How far a person's long axis, averaged over a clip, leans from the vertical, rad.
_LEAN_SPREAD = np.deg2rad(8.0)
#: How far hand-held and tripod cameras are pitched from the horizontal, rad.
_PITCH_SPREAD = np.deg2rad(12.0)


def gravity_from_person(metric: Any, weight: Any, names: tuple[str, ...]) -> Any:
    """Return the unit vector pointing down in camera axes (x right, y down, z away).

    ``metric`` (T, L, 3) m and ``weight`` (T, L) are the landmarks ``names``, in NumPy or in JAX.
    The mean direction from the shoulders to the ankles is weighed against a level camera, each by
    its usual spread; a person who was never seen leaves the level camera.
    """
    xp = metric.__array_namespace__()
    column = {name: i for i, name in enumerate(names)}

    def middle(part: str) -> tuple[Any, Any]:
        pair = np.array([column[f"right_{part}"], column[f"left_{part}"]])
        return xp.nan_to_num(metric[:, pair]).mean(axis=1), weight[:, pair].min(axis=1)

    shoulders, seen_above = middle("shoulder")
    ankles, seen_below = middle("ankle")
    axis = ankles - shoulders
    # not the norm, which has no derivative at zero
    length = xp.sqrt(xp.maximum(xp.sum(axis**2, axis=1, keepdims=True), 1e-12))
    share = (seen_above * seen_below)[:, None]
    person = xp.sum(share * axis / length, axis=0) / xp.maximum(share.sum(), 1e-6)
    down = person / _LEAN_SPREAD**2 + xp.asarray([0.0, 1.0, 0.0]) / _PITCH_SPREAD**2
    return down / xp.linalg.norm(down)

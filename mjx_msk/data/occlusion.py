"""How far the body itself hides its landmarks from a camera.

Limbs and trunk are capsules between landmarks; a landmark is covered where a capsule that it
does not belong to lies in front of it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.landmark_tree import LANDMARKS, NODES, middles

#: Half the thickness of trunk and limbs (m, rounded; our choice), and what they run between.
_CAPSULES: tuple[tuple[str, str, float], ...] = (
    ("trunk", "pelvis", 0.13),
    *(
        (f"{side}_{a}", f"{side}_{b}", radius)
        for a, b, radius in (
            ("hip", "knee", 0.07),
            ("knee", "ankle", 0.05),
            ("shoulder", "elbow", 0.05),
            ("elbow", "wrist", 0.04),
        )
        for side in ("left", "right")
    ),
)
#: The cover fades over this distance at a capsule's border, m.
_SOFT_M = 0.02
Array = jax.Array | np.ndarray


def _own() -> np.ndarray:
    """Return (L, C) bool: the landmark is a part of the capsule, or of its end."""
    own = np.zeros((len(LANDMARKS), len(_CAPSULES)), bool)
    fingers = {"pinky": "wrist", "index": "wrist", "thumb": "wrist"}
    feet = {"heel": "ankle", "foot_index": "ankle"}
    for i, name in enumerate(LANDMARKS):
        side, part = name.split("_", 1)
        end = f"{side}_{(fingers | feet).get(part, part)}"
        for k, (a, b, _) in enumerate(_CAPSULES):
            own[i, k] = end in (a, b) or ((a, b) == ("trunk", "pelvis") and part in _TRUNK)
    return own


_TRUNK = ("hip", "shoulder")
_OWN = _own()
_ENDS = np.array([[NODES.index(a), NODES.index(b)] for a, b, _ in _CAPSULES])
_RADIUS = np.array([radius for _, _, radius in _CAPSULES])
_MIDDLES = middles()


def cover(points_camera: Array) -> jax.Array:
    """Return how far (0..1) each landmark is covered, (..., L), for ``points_camera`` (..., L, 3).

    Camera axes (x right, y down, z away), m. Distances across the image are taken at the
    landmark's depth.
    """
    points_camera = jnp.asarray(points_camera)
    nodes = jnp.asarray(_MIDDLES, points_camera.dtype) @ points_camera
    start, end = nodes[..., None, _ENDS[:, 0], :], nodes[..., None, _ENDS[:, 1], :]
    depth = jnp.maximum(points_camera[..., None, 2:], 1e-3)
    point = points_camera[..., :, None, :]
    here = point[..., :2]
    a = start[..., :2] / jnp.maximum(start[..., 2:], 1e-3) * depth
    along = end[..., :2] / jnp.maximum(end[..., 2:], 1e-3) * depth - a
    squared = jnp.sum(along**2, axis=-1)
    share = jnp.sum((here - a) * along, axis=-1) / jnp.maximum(squared, 1e-6)
    share = jnp.clip(share, 0.0, 1.0)
    off = here - a - share[..., None] * along
    distance = jnp.sqrt(jnp.sum(off**2, axis=-1) + 1e-8)
    behind = point[..., 2] - (start[..., 2] + share * (end[..., 2] - start[..., 2]))
    radius = jnp.asarray(_RADIUS, points_camera.dtype)
    covered = jax.nn.sigmoid((radius - distance) / _SOFT_M) * jax.nn.sigmoid(
        (behind - radius) / _SOFT_M
    )
    return 1.0 - jnp.prod(1.0 - jnp.where(_OWN, 0.0, covered), axis=-1)

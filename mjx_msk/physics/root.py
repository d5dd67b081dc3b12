"""The pelvis's six coordinates as a rigid pose, differentiable (``fit.root`` is for any model).

For models whose root is that of the default one: slides x, y, z, then turns about z, x and y
(tilt, list, rotation), each about the turned axis.
"""

import jax
import jax.numpy as jnp

from mjx_msk.model import ROOT_COORDINATES, Model


def base_rotation(model: Model) -> jax.Array:
    """Return world_from_base (3, 3): where the pelvis's coordinates are zero."""
    w, x, y, z = model.mjx.body_quat[1]
    return jnp.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def root_frame(model: Model, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return world_from_pelvis (..., 3, 3) and the pelvis's origin (..., 3) m at ``q`` (..., n)."""
    base = base_rotation(model)
    tilt, bend, turn = (q[..., i] for i in range(3, ROOT_COORDINATES))
    rotation = base @ about(tilt, 2) @ about(bend, 0) @ about(turn, 1)
    return rotation, model.mjx.body_pos[1] + q[..., :3] @ jnp.swapaxes(base, 0, 1)


def root_coordinates(model: Model, rotation: jax.Array, position: jax.Array) -> jax.Array:
    """Return the six root coordinates (..., 6) of a pelvis in the world; ``root_frame`` inverted.

    Tilt and rotation lie within half a turn, list within a quarter, where it is singular.
    """
    base = base_rotation(model)
    R = jnp.swapaxes(base, 0, 1) @ rotation
    slides = (position - model.mjx.body_pos[1]) @ base
    turns = jnp.stack(
        [
            jnp.arctan2(-R[..., 0, 1], R[..., 1, 1]),
            jnp.arcsin(jnp.clip(R[..., 2, 1], -1.0 + 1e-6, 1.0 - 1e-6)),
            jnp.arctan2(-R[..., 2, 0], R[..., 2, 2]),
        ],
        axis=-1,
    )
    return jnp.concatenate([slides, turns], axis=-1)


def about(angle: jax.Array, axis: int) -> jax.Array:
    """Return rotations (..., 3, 3) by ``angle`` (...) rad about a coordinate axis."""
    c, s, one, zero = jnp.cos(angle), jnp.sin(angle), jnp.ones_like(angle), jnp.zeros_like(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rows = [[zero] * 3 for _ in range(3)]
    rows[axis][axis] = one
    rows[i][i], rows[i][j], rows[j][i], rows[j][j] = c, -s, s, c
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)

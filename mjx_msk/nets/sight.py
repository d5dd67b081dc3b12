"""What one camera saw of one person, made independent of where the camera stood.

The **level frame** of a clip has its origin in the camera, Z against the believed gravity and X
where the person faces on average: networks see every clip from there.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

LANDMARK_FEATURES, FRAME_FEATURES = 8, 10
#: Frames in which less is seen place nobody.
_LEAST_SEEN = 1.0
_TINY = 1e-6


class Sight(NamedTuple):
    """One camera's view of one person (see ``fit.observation.ImageObservation``)."""

    time: jax.Array  #: (T,) s
    rays: jax.Array  #: (T, L, 2) x/z and y/z
    metric: jax.Array  #: (T, L, 3) m, camera axes, centred between the hips
    weight: jax.Array  #: (T, L) 0..1
    down: jax.Array  #: (3,) gravity's direction in camera axes
    height: jax.Array  #: () m, of the person


class Seen(NamedTuple):
    """What the network is told, and how to bring its answer back into the camera."""

    landmarks: jax.Array  #: (T, L, LANDMARK_FEATURES)
    frames: jax.Array  #: (T, FRAME_FEATURES)
    weight: jax.Array  #: (T, L)
    level_from_camera: jax.Array  #: (3, 3)
    place: jax.Array  #: (T, 3) m, a first guess of where the hips are, level frame


def look(sight: Sight, hips: tuple[int, int]) -> Seen:
    """Return a sight's features; ``hips`` are the right and left hip among the L landmarks.

    Everything is finite where nothing is seen.
    """
    weight = jnp.where(jnp.isfinite(sight.rays).all(axis=-1), sight.weight, 0.0)
    rays = jnp.where(weight[..., None] > 0.0, sight.rays, 0.0)
    metric = jnp.where(weight[..., None] > 0.0, sight.metric, 0.0)
    level = _level(metric, weight, sight.down, hips)
    place, known = _places(metric, rays, weight)
    depth = place[:, None, 2:]
    aside = (rays - (place[:, :2] / depth[:, 0])[:, None]) * depth
    aside = jnp.concatenate([aside, jnp.zeros_like(depth + aside[..., :1])], axis=-1)
    own = weight[..., None]
    landmarks = jnp.concatenate(
        [metric @ level.T / sight.height * own, aside @ level.T / sight.height * own, own,
         jnp.broadcast_to(known[:, None, None], own.shape)], axis=-1,
    )  # fmt: skip
    there = place @ level.T
    middle = jnp.sum(there * known[:, None], axis=0) / jnp.maximum(jnp.sum(known), 1.0)
    direction = there / jnp.linalg.norm(there, axis=-1, keepdims=True)
    axis = jnp.broadcast_to(level[:, 2], there.shape)
    frames = jnp.concatenate(
        [(there - middle) / sight.height, direction, axis,
         jnp.log(jnp.linalg.norm(there, axis=-1, keepdims=True) / sight.height)], axis=-1,
    )  # fmt: skip
    return Seen(landmarks, frames, weight, level, there)


def _level(
    metric: jax.Array, weight: jax.Array, down: jax.Array, hips: tuple[int, int]
) -> jax.Array:
    """Return level_from_camera (3, 3), as ``fit.observation.upright`` finds its transpose."""
    up = -down / jnp.linalg.norm(down)
    right, left = hips
    both = jnp.minimum(weight[:, right], weight[:, left])[:, None]
    facing = jnp.cross(metric[:, left] - metric[:, right], up)
    facing /= jnp.linalg.norm(facing, axis=1, keepdims=True) + _TINY
    forward = jnp.sum(facing * both, axis=0)
    # towards the camera, where one faces nowhere on average
    forward = forward + _TINY * jnp.array([0.0, 0.0, -1.0]) + 1e-2 * _TINY
    forward -= up * (forward @ up)
    forward /= jnp.linalg.norm(forward)
    return jnp.stack([forward, jnp.cross(up, forward), up])


def _places(metric: jax.Array, rays: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return translations (T, 3) m that best put metric points on their rays, and which are known.

    Linear least squares, as ``fit.observation`` has it; unknown ones are the mean of the known.
    """
    total = jnp.sum(weight, axis=1)
    known = (total > _LEAST_SEEN).astype(metric.dtype)
    b = rays * metric[..., 2:] - metric[..., :2]
    A = jnp.zeros((*weight.shape, 2, 3), metric.dtype)
    A = A.at[..., 0, 0].set(1.0).at[..., 1, 1].set(1.0).at[..., 2].set(-rays)
    normal = jnp.einsum("tlix,tliy,tl->txy", A, A, weight) + 1e-4 * jnp.eye(3)
    right = jnp.einsum("tlix,tli,tl->tx", A, b, weight)
    place = jnp.linalg.solve(normal, right[..., None])[..., 0]
    usual = jnp.sum(place * known[:, None], axis=0) / jnp.maximum(jnp.sum(known), 1.0)
    place = jnp.where(known[:, None] > 0.0, place, usual)
    return place.at[:, 2].set(jnp.maximum(place[:, 2], 0.3)), known

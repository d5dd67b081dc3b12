"""Where the model's points are for whole trajectories, with Jacobians, at one compiled shape.

Frames go through MJX in chunks of one size, so a clip of another length compiles nothing new; the
model's numbers are traced, so neither does another subject.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.scaling import body_factors, scaled
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import angular_momentum, pose

CHUNK = 64


class Points(NamedTuple):
    """Sites, contact spheres and the center of mass, in this order, in the world (m)."""

    position: np.ndarray  #: (T, K, 3)
    by_q: np.ndarray  #: (T, K, 3, n)
    by_scale: np.ndarray  #: (T, K, 3, k) by the segments' log factors; k = 0 without scaling


class Momentum(NamedTuple):
    """Angular momentum about the center of mass, (T, 3) kg m^2/s, and its Jacobians."""

    value: np.ndarray
    by_q: np.ndarray  #: (T, 3, n)
    by_qd: np.ndarray  #: (T, 3, n)


def _all_points(model: Model, base: jax.Array, q: jax.Array, log_segments: jax.Array) -> jax.Array:
    if log_segments.size:
        model = scaled(model, body_factors(model, base, log_segments))
    p = pose(model, q)
    return jnp.concatenate([p.sites, p.contacts, p.center_of_mass[None]])


@jax.jit
def _points(model: Model, base: jax.Array, q: jax.Array, log_segments: jax.Array):
    def one(q_t: jax.Array):
        position, linear = jax.linearize(
            lambda q_, s_: _all_points(model, base, q_, s_), q_t, log_segments
        )
        n, k = q_t.size, log_segments.size
        by_q = jax.vmap(linear, (0, None), -1)(jnp.eye(n), jnp.zeros(k))
        if k == 0:
            return position, by_q, jnp.zeros((*position.shape, 0))
        return position, by_q, jax.vmap(linear, (None, 0), -1)(jnp.zeros(n), jnp.eye(k))

    return jax.vmap(one)(q)


@jax.jit
def _momentum(model: Model, q: jax.Array, qd: jax.Array):
    def one(q_t: jax.Array, qd_t: jax.Array):
        value, linear = jax.linearize(lambda a, b: angular_momentum(model, a, b), q_t, qd_t)
        unit, zero = jnp.eye(q_t.size), jnp.zeros(q_t.size)
        by_q = jax.vmap(linear, (0, None), -1)(unit, zero)
        return value, by_q, jax.vmap(linear, (None, 0), -1)(zero, unit)

    return jax.vmap(one)(q, qd)


def in_chunks(function, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Apply a jitted function of (CHUNK, ...) arrays to arrays of any length; pad by repetition."""
    frames = len(arrays[0])
    pieces = []
    for start in range(0, frames, CHUNK):
        index = np.minimum(np.arange(start, start + CHUNK), frames - 1)
        pieces.append(function(*(jnp.asarray(a[index], jnp.float32) for a in arrays)))
    joined = [np.concatenate([np.asarray(p[i]) for p in pieces]) for i in range(len(pieces[0]))]
    return tuple(a[:frames].astype(np.float64) for a in joined)


def points(model: Model, base: float, q: np.ndarray, log_segments: np.ndarray) -> Points:
    """Evaluate the points of a trajectory ``q`` (T, n) for one subject.

    ``base`` scales the whole body and ``log_segments`` (k,) its segments; pass an empty array for
    a model that already has its size.
    """
    scale = jnp.asarray(log_segments, jnp.float32)
    size = jnp.asarray(base, jnp.float32)
    return Points(*in_chunks(lambda q_: _points(model, size, q_, scale), q))


def momentum(model: Model, q: np.ndarray, qd: np.ndarray) -> Momentum:
    """Evaluate the angular momentum along a trajectory ``q``, ``qd`` (T, n)."""
    return Momentum(*in_chunks(lambda a, b: _momentum(model, a, b), q, qd))

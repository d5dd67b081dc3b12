"""Where the model's points are for whole trajectories, with Jacobians, at one compiled shape.

Frames go through MJX in chunks of one size, so a clip of another length compiles nothing new; the
model's numbers are traced, so neither does another subject.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.scaling import SEGMENTS, body_factors
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import (
    centroidal_matrix,
    pose,
    pose_of,
    position_data,
    spatial_jacobian,
)
from mjx_msk.physics.scaling import stretch

CHUNK = 64


class Points(NamedTuple):
    """Sites, contact spheres and the center of mass, in this order, in the world (m)."""

    position: np.ndarray  #: (T, K, 3)
    by_q: np.ndarray  #: (T, K, 3, n)
    by_scale: np.ndarray  #: (T, K, 3, k) by the segments' log factors; k = 0 without scaling


class Places(NamedTuple):
    """Where the same points are, in the world (m)."""

    sites: np.ndarray  #: (T, s, 3)
    soles: np.ndarray  #: (T, c, 3) centres of the foot contact spheres
    center: np.ndarray  #: (T, 3) center of mass


def _one(model: Model, q: jax.Array, sites: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the points (K, 3) of one frame and their Jacobians (K, 3, n)."""
    data = position_data(model, q)
    p = pose_of(model, data)
    fixed = jnp.concatenate([p.sites[sites], p.contacts, data.xipos])
    bodies = jnp.concatenate([
        jnp.asarray(model.mjx.site_bodyid)[sites], jnp.array(model.layout.contact_bodies, int),
        jnp.arange(len(model.layout.body_names)),
    ])  # fmt: skip
    by_q, _ = spatial_jacobian(model, data, q, fixed, bodies)
    split = len(sites) + len(p.contacts)
    share = model.mjx.body_mass / jnp.sum(model.mjx.body_mass)
    center_by_q = jnp.einsum("b,bxn->xn", share, by_q[split:])
    position = jnp.concatenate([fixed[:split], p.center_of_mass[None]])
    return position, jnp.concatenate([by_q[:split], center_by_q[None]])


@jax.jit
def _points(model: Model, factors: jax.Array, sites: jax.Array, q: jax.Array):
    return jax.vmap(lambda q_t: _one(stretch(model, factors), q_t, sites))(q)


@jax.jit
def _points_by_scale(model: Model, slopes: jax.Array, sites: jax.Array, q: jax.Array):
    """Points are linear in the body factors: feed the factors' slopes instead (k, nbody, 3)."""

    def direction(factors: jax.Array, q_t: jax.Array) -> jax.Array:
        p = pose(stretch(model, factors), q_t)
        all_points = jnp.concatenate([p.sites[sites], p.contacts, p.center_of_mass[None]])
        return all_points - p.body_position[1]

    over_segments = jax.vmap(direction, (0, None), -1)
    return (jax.vmap(over_segments, (None, 0))(slopes, q),)


@jax.jit
def _places(model: Model, q: jax.Array):
    def one(q_t: jax.Array):
        p = pose(model, q_t)
        return p.sites, p.contacts, p.center_of_mass

    return jax.vmap(one)(q)


@jax.jit
def _bodies(model: Model, q: jax.Array):
    return (jax.vmap(lambda q_t: pose(model, q_t).body_position)(q),)


@jax.jit
def _centroidal(model: Model, q: jax.Array):
    return (jax.vmap(lambda q_t: centroidal_matrix(model, q_t))(q),)


def in_chunks(function, *arrays: np.ndarray, size: int = CHUNK) -> tuple[np.ndarray, ...]:
    """Apply a jitted function of (size, ...) arrays to arrays of any length; pad by repetition.

    From one thread: two were seen to wait for each other for ever on two cores.
    """
    frames = len(arrays[0])
    pieces = []
    for start in range(0, frames, size):
        index = np.minimum(np.arange(start, start + size), frames - 1)
        pieces.append(function(*(jnp.asarray(a[index], jnp.float32) for a in arrays)))
    joined = [np.concatenate([np.asarray(p[i]) for p in pieces]) for i in range(len(pieces[0]))]
    return tuple(a[:frames].astype(np.float64) for a in joined)


def points(
    model: Model,
    base: float,
    q: np.ndarray,
    log_segments: np.ndarray,
    sites: np.ndarray | None = None,
) -> Points:
    """Evaluate the points of a trajectory ``q`` (T, n) for one subject.

    ``base`` scales the whole body and ``log_segments`` (k,) its segments; pass an empty array for
    a model that already has its size. ``sites`` chooses among the model's sites (default: all).
    """
    segments = log_segments if len(log_segments) else np.zeros(len(SEGMENTS))
    factors, slopes = body_factors(model, base, segments)
    chosen = jnp.arange(len(model.layout.site_names)) if sites is None else jnp.asarray(sites)
    position, by_q = in_chunks(lambda q_: _points(model, factors, chosen, q_), q)
    if not len(log_segments):
        return Points(position, by_q, np.zeros((*position.shape, 0)))
    (by_scale,) = in_chunks(lambda q_: _points_by_scale(model, slopes, chosen, q_), q)
    return Points(position, by_q, by_scale)


def places(model: Model, q: np.ndarray) -> Places:
    """Return where a subject's points are along a trajectory ``q`` (T, n), without Jacobians."""
    return Places(*in_chunks(lambda q_: _places(model, q_), q))


def joint_centres(model: Model, q: np.ndarray, bodies: tuple[str, ...]) -> np.ndarray:
    """Return the origins (T, b, 3) m of bodies along ``q`` (T, n): the joints that carry them."""
    index = [model.layout.body_names.index(name) for name in bodies]
    return in_chunks(lambda q_: _bodies(model, q_), q)[0][:, index]


def centroidal(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the centroidal momentum matrices (T, 6, n) along ``q`` (T, n)."""
    return in_chunks(lambda q_: _centroidal(model, q_), q)[0]

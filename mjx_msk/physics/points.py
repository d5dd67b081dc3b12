"""Anatomical forward kinematics: where points are, how they move, and how coordinates move them.

World axes, Z up, metres. ``q``, ``qd`` and ``qdd`` (n,) are independent coordinates in rad or m and
their time derivatives; ``vision.camera.pixels`` takes points on to the image.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import full_acceleration, full_velocity
from mjx_msk.physics.kinematics import (
    body_acceleration,
    body_velocity,
    dof_motion,
    frames_of,
    joint_places,
    position_data,
    spatial_jacobian,
)
from mjx_msk.physics.tree import tree_of
from mjx_msk.physics.vectors import Vector, add, cross, matrix, stacked, subtract, turn, vector

Index = np.ndarray | jax.Array


class PointMotion(NamedTuple):
    """How points that are fixed to bodies move, world axes."""

    position: jax.Array  #: (k, 3) m
    velocity: jax.Array  #: (k, 3) m/s
    acceleration: jax.Array  #: (k, 3) m/s^2, gravity not included
    angular_velocity: jax.Array  #: (k, 3) rad/s, of the bodies
    angular_acceleration: jax.Array  #: (k, 3) rad/s^2


class PointJacobian(NamedTuple):
    """Points, and what speeds ``qd`` (n,) do to them, world axes."""

    position: jax.Array  #: (k, 3) m
    linear: jax.Array  #: (k, 3, n): velocity = linear @ qd
    angular: jax.Array  #: (k, 3, n): angular velocity of the body = angular @ qd


def joint_centers(model: Model, q: jax.Array) -> jax.Array:
    """Return where each body's joint to its parent lies, (nbody, 3) m; of a weld, its place."""
    return stacked(joint_places(model, frames_of(model, tree_of(model), q)))


def marker_positions(model: Model, q: jax.Array, sites: Index) -> jax.Array:
    """Return the places (m, 3) m of ``sites`` (m,): indices among the markers and landmarks.

    ``model.layout.site_index`` maps their names.
    """
    return position_data(model, q).site_xpos[sites]


def point_motion(
    model: Model, q: jax.Array, qd: jax.Array, qdd: jax.Array, bodies: Index, places: jax.Array
) -> PointMotion:
    """Return the motion of points at ``places`` (k, 3) m in the frames of ``bodies`` (k,).

    With the body's spatial velocity (w; v) and acceleration (w'; v') about the world's origin, a
    point r has velocity ``v + w x r`` and acceleration ``v' + w' x r + w x (v + w x r)``
    (Featherstone 2008, sec. 2.10, 2.11).
    """
    tree = tree_of(model)
    frames = frames_of(model, tree, q)
    qvel, qacc = full_velocity(model, q, qd), full_acceleration(model, q, qd, qdd)
    x, y, z = (part[1] for part in frames.position)
    origin: Vector = (x, y, z)  # no result depends on it; one near the bodies rounds least
    motion = dof_motion(tree, frames, origin)

    def chosen(of: Vector) -> Vector:
        return vector(stacked(of)[bodies])

    body, rate = body_velocity(tree, motion, qvel), body_acceleration(tree, motion, qvel, qacc)
    rotation = matrix(frames.orientation)
    turned = turn((chosen(rotation[0]), chosen(rotation[1]), chosen(rotation[2])), vector(places))
    position = add(chosen(frames.position), turned)
    arm = subtract(position, origin)
    omega, alpha = chosen(body.angular), chosen(rate.angular)
    velocity = add(chosen(body.linear), cross(omega, arm))
    acceleration = add(chosen(rate.linear), cross(alpha, arm), cross(omega, velocity))
    return PointMotion(*map(stacked, (position, velocity, acceleration, omega, alpha)))


def point_jacobian(model: Model, q: jax.Array, bodies: Index, places: jax.Array) -> PointJacobian:
    """Return the Jacobians of points at ``places`` (k, 3) m in the frames of ``bodies`` (k,)."""
    data = position_data(model, q)
    position = data.xpos[bodies] + jnp.einsum("kij,kj->ki", data.xmat[bodies], places)
    return PointJacobian(position, *spatial_jacobian(model, data, q, position, bodies))

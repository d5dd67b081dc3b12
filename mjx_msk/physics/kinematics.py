"""Anatomical forward kinematics: coordinates -> body poses, points, center of mass, momentum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from mujoco import mjx

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import full_position, full_velocity


class Pose(NamedTuple):
    """World poses, Z up, metres."""

    body_position: jax.Array  #: (nbody, 3)
    body_rotation: jax.Array  #: (nbody, 3, 3) world_from_body
    sites: jax.Array  #: (nsite, 3) markers and landmarks
    contacts: jax.Array  #: (c, 3) centres of the foot contact spheres
    center_of_mass: jax.Array  #: (3,)


def position_data(model: Model, q: jax.Array) -> mjx.Data:
    """Return an ``mjx.Data`` with kinematics done for independent coordinates ``q`` (n,)."""
    data = mjx.make_data(model.mjx).replace(qpos=full_position(model, q))
    return mjx.kinematics(model.mjx, data)


def pose(model: Model, q: jax.Array) -> Pose:
    """Return the world poses for independent coordinates ``q`` (n,), rad or m."""
    data = position_data(model, q)
    body = jnp.array(model.layout.contact_bodies, dtype=int)
    contacts = data.xpos[body] + jnp.einsum("cij,cj->ci", data.xmat[body], model.contact_position)
    mass = model.mjx.body_mass
    center = mass @ data.xipos / jnp.sum(mass)
    return Pose(data.xpos, data.xmat, data.site_xpos, contacts, center)


def angular_momentum(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return the whole-body angular momentum about the center of mass, (3,), kg m^2/s, world axes.

    Sum over bodies of ``R I R^T w + m (r - c) x v`` (Featherstone, Rigid Body Dynamics Algorithms,
    2008, eq. 2.63), with ``w`` from the spin of each body's inertial frame.
    """
    mass = model.mjx.body_mass

    def inertial_frames(q: jax.Array) -> tuple[jax.Array, jax.Array]:
        data = position_data(model, q)
        return data.xipos, data.ximat

    (r, R), (v, R_dot) = jax.jvp(inertial_frames, (q,), (qd,))
    spin = R_dot @ jnp.swapaxes(R, 1, 2)
    w = jnp.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=1)
    inertia = jnp.einsum("bij,bj,bkj->bik", R, model.mjx.body_inertia, R)
    center = mass @ r / jnp.sum(mass)
    orbital = mass[:, None] * jnp.cross(r - center, v)
    return jnp.sum(jnp.einsum("bij,bj->bi", inertia, w) + orbital, axis=0)


def site_velocities(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return world velocities of all sites, (nsite, 3), m/s."""
    return jax.jvp(lambda x: position_data(model, x).site_xpos, (q,), (qd,))[1]


__all__ = ["Pose", "angular_momentum", "full_velocity", "pose", "position_data", "site_velocities"]

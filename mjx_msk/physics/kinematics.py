"""Anatomical forward kinematics: coordinates -> body poses, points and their Jacobians.

Jacobians are the analytic ones of a tree of hinges and slides (Featherstone, Rigid Body Dynamics
Algorithms, 2008, ch. 4): a hinge moves a point by ``axis x (point - anchor)``, a slide by ``axis``.
They compile in a fraction of the time that differentiating through the tree takes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import full_position, jacobian
from mjx_msk.runtime import mjx


class Pose(NamedTuple):
    """World poses, Z up, metres."""

    body_position: jax.Array  #: (nbody, 3)
    body_rotation: jax.Array  #: (nbody, 3, 3) world_from_body
    sites: jax.Array  #: (nsite, 3) markers and landmarks
    contacts: jax.Array  #: (c, 3) centres of the foot contact spheres
    center_of_mass: jax.Array  #: (3,)


@jax.jit  # traced once, whatever it is used in
def position_data(model: Model, q: jax.Array) -> mjx.Data:
    """Return an ``mjx.Data`` with kinematics done for independent coordinates ``q`` (n,)."""
    data = mjx.make_data(model.mjx).replace(qpos=full_position(model, q))
    return mjx.kinematics(model.mjx, data)


def pose_of(model: Model, data: mjx.Data) -> Pose:
    """Return the poses in an ``mjx.Data`` whose kinematics are done."""
    body = jnp.array(model.layout.contact_bodies, dtype=int)
    contacts = data.xpos[body] + jnp.einsum("cij,cj->ci", data.xmat[body], model.contact_position)
    mass = model.mjx.body_mass
    center = mass @ data.xipos / jnp.sum(mass)
    return Pose(data.xpos, data.xmat, data.site_xpos, contacts, center)


def pose(model: Model, q: jax.Array) -> Pose:
    """Return the world poses for independent coordinates ``q`` (n,), rad or m."""
    return pose_of(model, position_data(model, q))


def _moved_by(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return which joints move which bodies (nbody, nq), and which joints are slides (nq,)."""
    parent = np.asarray(model.mjx.body_parentid)
    joint_body = np.asarray(model.mjx.jnt_bodyid)
    moved = np.zeros((len(parent), len(joint_body)))
    for body in range(1, len(parent)):
        moved[body] = moved[parent[body]] + (joint_body == body)
    return moved, np.asarray(model.mjx.jnt_type) == 2


def spatial_jacobian(
    model: Model, data: mjx.Data, q: jax.Array, points: jax.Array, bodies: np.ndarray | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return d point / d q (K, 3, n) and the angular Jacobian of its body (K, 3, n), world axes.

    ``points`` (K, 3) are fixed to ``bodies`` (K,).
    """
    moved, slide = _moved_by(model)
    mask = jnp.array(moved)[bodies][:, :, None]
    axis = jnp.broadcast_to(data.xaxis, (len(bodies), *data.xaxis.shape))
    turning = jnp.cross(axis, points[:, None] - data.xanchor)
    is_slide = jnp.array(slide)[None, :, None]
    linear = jnp.where(is_slide, axis, turning) * mask
    angular = jnp.where(is_slide, 0.0, axis) * mask
    G = jacobian(model, q)
    return jnp.einsum("kjx,jn->kxn", linear, G), jnp.einsum("kjx,jn->kxn", angular, G)


def centroidal_matrix(model: Model, q: jax.Array) -> jax.Array:
    """Return A (6, n) with ``A qd`` = linear momentum (kg m/s), angular momentum about the center.

    Orin, Goswami, Lee 2013, Autonomous Robots 35:161, eq. 16: the sum over bodies of ``m J_v`` and
    of ``R I R^T J_w + m (r - c) x J_v``.
    """
    data = position_data(model, q)
    mass = model.mjx.body_mass
    bodies = np.arange(len(model.layout.body_names))
    linear, angular = spatial_jacobian(model, data, q, data.xipos, bodies)
    arm = data.xipos - mass @ data.xipos / jnp.sum(mass)
    inertia = jnp.einsum("bij,bj,bkj->bik", data.ximat, model.mjx.body_inertia, data.ximat)
    momentum = jnp.einsum("b,bxn->xn", mass, linear)
    orbital = jnp.cross(arm[:, None, :], linear.swapaxes(1, 2)).swapaxes(1, 2)
    spin = jnp.einsum("bij,bjn->in", inertia, angular) + jnp.einsum("b,bxn->xn", mass, orbital)
    return jnp.concatenate([momentum, spin])

"""Equations of motion in independent coordinates.

With ``qpos = g(q)`` and ``G = dg/dq``, the motion of the tied joints drops out of Lagrange's
equations: ``G^T [M (G qdd + dG/dt qd) + bias - J^T f] = tau`` (Featherstone 2008, sec. 3.2), where
``M`` and ``bias`` (Coriolis, centrifugal, gravity) are MuJoCo's for the unconstrained tree.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import (
    full_acceleration,
    full_velocity,
    jacobian,
    reduce_force,
)
from mjx_msk.physics.kinematics import position_data
from mjx_msk.runtime import mjx


class Loads(NamedTuple):
    """External wrenches on k bodies: forces at world points, and free moments."""

    force: jax.Array  #: (k, 3) N
    point: jax.Array  #: (k, 3) m, point of application
    moment: jax.Array  #: (k, 3) N m, beyond that of the force


def _inertia(model: Model, q: jax.Array) -> tuple[mjx.Data, jax.Array]:
    """Return the data at ``q`` and the mass matrix of all joints (nq, nq)."""
    data = mjx.crb(model.mjx, mjx.com_pos(model.mjx, position_data(model, q)))
    return data, mjx.full_m(model.mjx, data)


def _bias(model: Model, data: mjx.Data, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return Coriolis, centrifugal and gravity forces of all joints (nq,)."""
    data = mjx.com_vel(model.mjx, data.replace(qvel=full_velocity(model, q, qd)))
    return mjx.rne(model.mjx, data).qfrc_bias


def external_force(
    model: Model, data: mjx.Data, q: jax.Array, bodies: tuple[int, ...], loads: Loads
) -> jax.Array:
    """Return the generalized force (n,) of ``loads`` on ``bodies`` (indices, one per load)."""
    total = jnp.zeros(len(model.layout.joint_names), q.dtype)
    for k, body in enumerate(bodies):
        translation, rotation = mjx.jac(model.mjx, data, loads.point[k], jnp.array(body))
        total = total + translation @ loads.force[k] + rotation @ loads.moment[k]
    return reduce_force(model, q, total)


def inverse_dynamics(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    qdd: jax.Array,
    bodies: tuple[int, ...] = (),
    loads: Loads | None = None,
) -> jax.Array:
    """Return the generalized forces (n,), N m or N, that produce ``qdd`` under ``loads``.

    The first six entries belong to the root and are residuals: nothing acts there in reality.
    ``q``, ``qd``, ``qdd`` are (n,) in rad or m and their time derivatives; ``bodies`` are the body
    indices that carry ``loads``.
    """
    data, M = _inertia(model, q)
    force = M @ full_acceleration(model, q, qd, qdd) + _bias(model, data, q, qd)
    tau = reduce_force(model, q, force)
    if loads is None:
        return tau
    return tau - external_force(model, data, q, bodies, loads)


def forward_dynamics(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    tau: jax.Array,
    bodies: tuple[int, ...] = (),
    loads: Loads | None = None,
) -> jax.Array:
    """Return ``qdd`` (n,) under generalized forces ``tau`` (n,) and external ``loads``."""
    data, M = _inertia(model, q)
    G = jacobian(model, q)
    drift = full_acceleration(model, q, qd, jnp.zeros_like(qd))
    rest = tau - reduce_force(model, q, M @ drift + _bias(model, data, q, qd))
    if loads is not None:
        rest = rest + external_force(model, data, q, bodies, loads)
    return jax.scipy.linalg.solve(G.T @ M @ G, rest, assume_a="pos")

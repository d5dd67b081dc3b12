"""Independent coordinates: q -> qpos and the forces that belong to them.

A model's tied joints follow one coordinate each by a polynomial, so ``qpos = g(q)`` is exact and
``G = dg/dq`` has one entry per joint. Forces go back by ``G^T`` (principle of virtual work).
"""

import jax
import jax.numpy as jnp

from mjx_msk.model import Model


def full_position(model: Model, q: jax.Array) -> jax.Array:
    """Return ``qpos = g(q)``, (nq,), for independent coordinates ``q`` (n,), rad or m."""
    layout = model.layout
    qpos = jnp.zeros(len(layout.joint_names), q.dtype).at[jnp.array(layout.independent)].set(q)
    if not layout.dependent:
        return qpos
    x = q[jnp.array(layout.driver)]
    value = jnp.zeros_like(x)
    for power in reversed(range(model.polynomial.shape[1])):
        value = value * x + model.polynomial[:, power]
    return qpos.at[jnp.array(layout.dependent)].set(value)


def full_velocity(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return ``qvel = G(q) qd``, (nq,)."""
    return jax.jvp(lambda x: full_position(model, x), (q,), (qd,))[1]


def full_acceleration(model: Model, q: jax.Array, qd: jax.Array, qdd: jax.Array) -> jax.Array:
    """Return ``qacc = G(q) qdd + dG/dt qd``, (nq,)."""
    return jax.jvp(lambda x, v: full_velocity(model, x, v), (q, qd), (qd, qdd))[1]


def reduce_force(model: Model, q: jax.Array, force: jax.Array) -> jax.Array:
    """Return ``G(q)^T force``, (n,), for a generalized force (nq,) on MuJoCo's joints."""
    return jax.vjp(lambda x: full_position(model, x), q)[1](force)[0]


def jacobian(model: Model, q: jax.Array) -> jax.Array:
    """Return ``G = dg/dq``, (nq, n)."""
    return jax.jacfwd(lambda x: full_position(model, x))(q)

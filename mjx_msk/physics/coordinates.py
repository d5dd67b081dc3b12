"""Independent coordinates: q -> qpos and the forces that belong to them.

A model's tied joints follow one coordinate each by a polynomial (or another tied joint, which
follows one), so ``qpos = g(q)`` is exact and ``G = dg/dq`` has one entry per joint. Forces go back
by ``G^T`` (principle of virtual work).
"""

import jax
import jax.numpy as jnp

from mjx_msk.model import Model


def full_position(model: Model, q: jax.Array) -> jax.Array:
    """Return ``qpos = g(q)``, (nq,), for independent coordinates ``q`` (n,), rad or m.

    Tied joints that follow a tied joint come in a later round than it.
    """
    layout = model.layout
    values = q
    for start, end in layout.rounds:
        x = values[jnp.array(layout.driver[start:end])]
        tied = jnp.zeros_like(x)
        for power in reversed(range(model.polynomial.shape[1])):
            tied = tied * x + model.polynomial[start:end, power]
        values = jnp.concatenate([values, tied])
    return values[jnp.array(layout.joint_order)] * model.growth


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

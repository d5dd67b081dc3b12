"""Independent coordinates: q -> qpos and the forces that belong to them.

A model's tied joints follow one coordinate each by a polynomial (or another tied joint, which
follows one), so ``qpos = g(q)`` is exact and ``G = dg/dq`` has one entry per joint. Forces go back
by ``G^T`` (principle of virtual work).

A free joint has a place instead: seven entries of ``q`` (position, unit quaternion w, x, y, z) and
six of ``qd``, as in MuJoCo: velocity in world axes, angular velocity in body axes. Both pass
through ``g`` unchanged. Without free joints ``q`` and ``qd`` both have n entries.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Layout, Model
from mjx_msk.physics.vectors import Quaternion, gather, multiply, quaternion


class _Tables(NamedTuple):
    """Where joints and coordinates lie in the vectors; "scalar" are joints that are not free."""

    free: np.ndarray  #: (F, 7) entries of ``q`` that belong to each free joint
    scalar: np.ndarray  #: entries of ``q`` of scalar coordinates
    joints: np.ndarray  #: scalar joints
    qpos_order: np.ndarray  #: each entry of qpos in (free, scalar joints)
    qvel_order: np.ndarray  #: each entry of qvel in (free, scalar joints)
    follows: np.ndarray  #: (n, nv) 1 where an entry of qvel follows a coordinate


@functools.lru_cache(maxsize=64)
def _tables(layout: Layout) -> _Tables:
    joints, free = range(len(layout.joint_names)), layout.free
    scalar = [j for j in joints if j not in free]
    values = [*(j for j in scalar if j not in layout.dependent), *layout.dependent]

    def order(width: int) -> list[int]:
        found: list[int] = []
        for j in joints:
            start = free.index(j) * width if j in free else len(free) * width + scalar.index(j)
            found += range(start, start + (width if j in free else 1))
        return found

    position, places, scalars = 0, [], []
    coordinate_of: dict[int, list[int]] = {}
    for k, j in enumerate(layout.independent):
        coordinate_of.setdefault(j, []).append(k)
    for j in coordinate_of:
        if j in free:
            places.append(range(position, position + 7))
            position += 7
        else:
            scalars.append(position)
            position += 1
    for j, driver in zip(layout.dependent, layout.driver, strict=True):
        coordinate_of[j] = coordinate_of[values[driver]]
    followed = [k for j in joints for k in coordinate_of[j]]
    follows = np.zeros((len(layout.coordinate_names), len(followed)))
    follows[followed, np.arange(len(followed))] = 1.0
    # int32: JAX keeps one type for an array that it has seen, with x64 on and off
    return _Tables(
        free=np.array(places, np.int32).reshape(-1, 7),
        scalar=np.array(scalars, np.int32),
        joints=np.array(scalar, np.int32),
        qpos_order=np.array(order(7), np.int32),
        qvel_order=np.array(order(6), np.int32),
        follows=follows,
    )


def follows(layout: Layout) -> np.ndarray:
    """Return the table (n, nv) that is 1 where an entry of qvel follows a coordinate."""
    return _tables(layout).follows


def _chosen(values: jax.Array, indices: Sequence[int] | np.ndarray) -> jax.Array:
    """Return ``values[indices]``."""
    return gather(values, np.eye(values.shape[0])[:, np.asarray(indices, int)])


def _values(model: Model, x: jax.Array) -> jax.Array:
    """Return the values of all scalar joints for the scalar coordinates ``x``.

    Tied joints that follow a tied joint come in a later round than it.
    """
    layout, tables = model.layout, _tables(model.layout)
    values = x
    for start, end in layout.rounds:
        driver = _chosen(values, layout.driver[start:end])
        tied = jnp.zeros_like(driver)
        for power in reversed(range(model.polynomial.shape[1])):
            tied = tied * driver + model.polynomial[start:end, power]
        values = jnp.concatenate([values, tied])
    return _chosen(values, layout.joint_order) * _chosen(model.growth, tables.joints)


def _slopes(model: Model, x: jax.Array) -> jax.Array:
    """Return how fast each scalar joint moves with the coordinate that it follows."""
    return jax.jvp(lambda at: _values(model, at), (x,), (jnp.ones_like(x),))[1]


def _with_free(tables: _Tables, scalar: jax.Array, free: float) -> jax.Array:
    """Return entries of qvel: those of scalar joints, and one number for free joints."""
    count = 6 * len(tables.free)
    if not count:
        return scalar
    return jnp.concatenate([jnp.full(count, free, scalar.dtype), scalar])[tables.qvel_order]


def slopes(model: Model, q: jax.Array) -> jax.Array:
    """Return the only entry of each row of ``G = dg/dq``, (nv,)."""
    tables = _tables(model.layout)
    return _with_free(tables, _slopes(model, _chosen(q, tables.scalar)), 1.0)


def full_position(model: Model, q: jax.Array) -> jax.Array:
    """Return ``qpos = g(q)``, (nq,), for independent coordinates ``q``, rad or m."""
    tables = _tables(model.layout)
    values = _values(model, _chosen(q, tables.scalar))
    if not len(tables.free):
        return values
    return jnp.concatenate([q[tables.free.ravel()], values])[tables.qpos_order]


def full_velocity(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return ``qvel = G(q) qd``, (nv,)."""
    return slopes(model, q) * gather(qd, _tables(model.layout).follows)


def full_acceleration(model: Model, q: jax.Array, qd: jax.Array, qdd: jax.Array) -> jax.Array:
    """Return ``qacc = G(q) qdd + dG/dt qd``, (nv,)."""
    tables = _tables(model.layout)
    x = _chosen(q, tables.scalar)
    slope, bend = jax.jvp(lambda at: _slopes(model, at), (x,), (jnp.ones_like(x),))
    slope, bend = _with_free(tables, slope, 1.0), _with_free(tables, bend, 0.0)
    return slope * gather(qdd, tables.follows) + bend * gather(qd, tables.follows) ** 2


def reduce_force(model: Model, q: jax.Array, force: jax.Array) -> jax.Array:
    """Return ``G(q)^T force``, (n,), for a generalized force (nv,) on MuJoCo's joints."""
    return gather(slopes(model, q) * force, _tables(model.layout).follows.T)


def jacobian(model: Model, q: jax.Array) -> jax.Array:
    """Return ``G``, (nv, n): ``qvel = G qd``."""
    return slopes(model, q)[:, None] * jnp.asarray(_tables(model.layout).follows.T, q.dtype)


def congruent(model: Model, q: jax.Array, matrix: jax.Array) -> jax.Array:
    """Return ``G^T matrix G``, (n, n), for a symmetric ``matrix`` (nv, nv)."""
    slope, follows = slopes(model, q), _tables(model.layout).follows.T
    half = gather(matrix * slope[:, None] * slope, follows)
    return gather(half.T, follows).T


def position_rate(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return ``dq/dt``: ``qd`` itself but for quaternions, ``p' = p (0, omega) / 2``.

    ``omega`` is the angular velocity in body axes (Featherstone 2008, sec. 4.5).
    """
    tables = _tables(model.layout)
    if not len(tables.free):
        return qd
    rate = jnp.zeros_like(q).at[tables.scalar].set(qd[_speeds(tables)[1]])
    for place, speed in zip(tables.free, _speeds(tables)[0], strict=True):
        turning = 0.5 * qd[speed[3:]]
        spin = multiply(quaternion(q[place[3:]]), (jnp.zeros_like(q[0]), *turning))
        rate = rate.at[place[:3]].set(qd[speed[:3]]).at[place[3:]].set(jnp.stack(spin))
    return rate


def displaced(model: Model, q: jax.Array, change: jax.Array) -> jax.Array:
    """Return ``q`` moved by ``change`` (n,), a speed times a time.

    Quaternions turn by the rotation vector in body axes: ``p exp(change / 2)``.
    """
    tables = _tables(model.layout)
    if not len(tables.free):
        return q + change
    moved = q.at[tables.scalar].add(change[_speeds(tables)[1]])
    for place, speed in zip(tables.free, _speeds(tables)[0], strict=True):
        turned = multiply(quaternion(q[place[3:]]), _exponential(0.5 * change[speed[3:]]))
        moved = moved.at[place[:3]].add(change[speed[:3]]).at[place[3:]].set(jnp.stack(turned))
    return normalized(model, moved)


def normalized(model: Model, q: jax.Array) -> jax.Array:
    """Return ``q`` with quaternions of length one."""
    for place in _tables(model.layout).free:
        length = jnp.sqrt(jnp.sum(q[place[3:]] ** 2))
        q = q.at[place[3:]].set(q[place[3:]] / length)
    return q


def _speeds(tables: _Tables) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of ``qd`` of each free joint (F, 6), and those of scalar coordinates."""
    free = tables.free - np.arange(len(tables.free))[:, None]
    scalar = tables.scalar - (tables.scalar[:, None] > tables.free[:, 0]).sum(axis=1)
    return free[:, :6], scalar


def _exponential(half: jax.Array) -> Quaternion:
    """Return the quaternion of a rotation vector ``2 half``; smooth at zero."""
    squared = jnp.sum(half**2)
    small = squared < 1e-8
    angle = jnp.sqrt(jnp.where(small, 1.0, squared))
    cosine = jnp.where(small, 1.0 - squared / 2.0, jnp.cos(angle))
    share = jnp.where(small, 1.0 - squared / 6.0, jnp.sin(angle) / angle)
    x, y, z = share * half
    return cosine, x, y, z


def difference(model: Model, q: jax.Array, start: jax.Array) -> jax.Array:
    """Return the change (n,) that ``displaced`` needs to bring ``start`` to ``q``."""
    tables = _tables(model.layout)
    if not len(tables.free):
        return q - start
    free, scalar = _speeds(tables)
    change = jnp.zeros(len(model.layout.coordinate_names), q.dtype)
    change = change.at[scalar].set((q - start)[tables.scalar])
    for place, speed in zip(tables.free, free, strict=True):
        w, x, y, z = quaternion(start[place[3:]])
        turned = multiply((w, -x, -y, -z), quaternion(q[place[3:]]))
        change = change.at[speed[:3]].set((q - start)[place[:3]])
        change = change.at[speed[3:]].set(_logarithm(turned))
    return change


def _logarithm(turned: Quaternion) -> jax.Array:
    """Return the rotation vector (3,) of a unit quaternion, at most half a turn; smooth at zero."""
    sign = jnp.where(turned[0] < 0.0, -1.0, 1.0)
    w, axis = sign * turned[0], sign * jnp.stack(turned[1:])
    squared = jnp.sum(axis**2)
    small = squared < 1e-8
    sine = jnp.sqrt(jnp.where(small, 1.0, squared))
    angle = 2.0 * jnp.arctan2(sine, jnp.where(small, 1.0, w))
    return jnp.where(small, 2.0 + squared / 3.0, angle / sine) * axis

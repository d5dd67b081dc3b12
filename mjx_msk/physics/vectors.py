"""Vectors and rotations of many joints at once, component by component.

The vectors of k joints are three arrays (k,), not one (k, 3): XLA then computes along the joints
and, under ``vmap``, the frames, several at a time. On a CPU that is several times as fast as inner
loops of three, and there is no small matrix product in it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Vector = tuple[jax.Array, jax.Array, jax.Array]
Quaternion = tuple[jax.Array, jax.Array, jax.Array, jax.Array]  #: w, x, y, z
Rotation = tuple[Vector, Vector, Vector]  #: rows of a matrix


def vector(array: jax.Array) -> Vector:
    """Return the components of vectors (k, 3)."""
    return array[..., 0], array[..., 1], array[..., 2]


def quaternion(array: jax.Array) -> Quaternion:
    """Return the components of quaternions (k, 4)."""
    return array[..., 0], array[..., 1], array[..., 2], array[..., 3]


def stacked(v: Vector) -> jax.Array:
    """Return vectors as one array (k, 3)."""
    return jnp.stack(v, axis=-1)


def add(*vectors: Vector) -> Vector:
    """Return the sum of vectors."""
    x, y, z = (sum(parts[1:], parts[0]) for parts in zip(*vectors, strict=True))
    return x, y, z


def subtract(a: Vector, b: Vector) -> Vector:
    """Return a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def times(factor: jax.typing.ArrayLike, a: Vector) -> Vector:
    """Return ``factor`` a."""
    factor = jnp.asarray(factor)
    return factor * a[0], factor * a[1], factor * a[2]


def each(a: Vector, b: Vector) -> Vector:
    """Return the products of components."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


def dot(a: Vector, b: Vector) -> jax.Array:
    """Return a . b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Return a x b."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def turn(rotation: Rotation, a: Vector) -> Vector:
    """Return R a."""
    return dot(rotation[0], a), dot(rotation[1], a), dot(rotation[2], a)


def turn_back(rotation: Rotation, a: Vector) -> Vector:
    """Return R^T a."""
    return add(*(times(part, row) for part, row in zip(a, rotation, strict=True)))


def multiply(p: Quaternion, q: Quaternion) -> Quaternion:
    """Return the quaternion of the rotation q followed by p (Hamilton's product p q)."""
    return (
        p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
        p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
        p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
        p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
    )


def matrix(q: Quaternion) -> Rotation:
    """Return the rotation matrix of a unit quaternion."""
    w, x, y, z = q
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


def outer(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> jax.Array:
    """Return the products (k, k) of all pairs of vectors ``a`` and ``b`` (k,), each a . b.

    A matrix product, not a sum: XLA would compute all that leads to ``a`` and ``b`` k times.
    """
    return jnp.matmul(jnp.stack(a, axis=1), jnp.stack(b), precision="highest")


def gather(values: jax.Array, table: np.ndarray) -> jax.Array:
    """Return ``values`` (k,) times a constant 0/1 table (k, m): what is chosen, or summed.

    A product with a constant, not an index: it and its derivative run as one matrix product for
    all frames.
    """
    if table.shape[0] == table.shape[1] and np.array_equal(table, np.eye(len(table))):
        return values
    return jnp.matmul(values, jnp.asarray(table, values.dtype), precision="highest")


def gather_all(values: tuple[jax.Array, ...], table: np.ndarray) -> Any:
    """Apply ``gather`` to every component of vectors or quaternions."""
    return tuple(gather(part, table) for part in values)
